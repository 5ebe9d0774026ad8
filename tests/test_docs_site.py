"""The site of `make docs`: that it builds, asks nobody for anything, and knows every command."""

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ser.cli import main

from .browser import DESKTOP, PHONE

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site, of a copy of what it is made of."""
    pytest.importorskip("zensical", reason="the extra `docs` is not installed")
    copy = tmp_path_factory.mktemp("docs")
    shutil.copy(ROOT / "mkdocs.yml", copy)
    shutil.copytree(ROOT / "docs", copy / "docs")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr  # a broken link, for instance
    return copy / "site"


def every_command(command=main, path=("ser",)):
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from every_command(child, (*path, name))
    else:
        yield " ".join(path), command


def test_the_reference_has_every_command_and_option(site):
    text = html.unescape(re.sub(r"<[^>]+>", "", (site / "commands.html").read_text("utf-8")))
    for path, command in every_command():
        assert path in text
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if isinstance(parameter, click.Option):
                    assert option in text, f"{path} {option}"


def test_every_page_is_in_the_navigation(site):
    home = (site / "index.html").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f'href="{page.stem}.html"' in home or page.stem == "index", page


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_page_asks_nobody_for_anything(site, visit, width):
    seen = visit(site / "commands.html", width)
    assert [url for url in seen.requests if not url.startswith(site.as_uri())] == []
    assert seen.page.inner_text("h1").startswith("The commands")
