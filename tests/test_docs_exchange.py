"""The commands and the Python of docs/exchange.md, as they stand there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ser.cache import Cache, store_manifest
from ser.cli import main

from .conftest import toy_key, toy_manifest

pytest.importorskip("pyarrow", reason="the exchange extra is not installed")

PAGE = (Path(__file__).parents[1] / "docs" / "exchange.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def voices(tmp_path, monkeypatch):
    """The corpus of the page, with made-up features of the shapes that it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_CACHE", "cache")
    cache, manifest = Cache(Path("cache")), toy_manifest(210, corpus="voices")
    store_manifest(cache, manifest)
    draw = np.random.default_rng(0)
    for name, kind, dim in (("mfcc", "sequence", 24), ("ge2e", "vector", 256)):
        with cache.write(toy_key(name, kind, dim), manifest) as out:
            for id in manifest.ids:
                shape = (int(draw.integers(3, 9)), dim) if kind == "sequence" else (dim,)
                out.add(id, draw.standard_normal(shape).astype("f4"))


def test_what_the_page_says_is_so(voices):
    first, *others = BLOCKS
    told = [line for line in first[1].splitlines() if "cache export" in line]
    assert told
    said = ""
    for kind, block in others:
        if kind == "python":
            exec(compile(block, "exchange.md", "exec"), {})
        elif kind == "text":
            assert all(line in said for line in block.splitlines()), f"{block}\nis not in\n{said}"
        else:
            for line in block.splitlines():
                if "emodb" not in line:  # of corpora that are not here
                    command, *arguments = shlex.split(line, comments=True)
                    assert command == "ser"
                    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
                    assert result.exit_code == 0, f"{line}\n{result.output}"
                    said += result.stdout
