"""`ser report`: a page that shows runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ..progress import Progress
from .licences import feature_terms
from .options import GivenPath, cache_option, open_cache, progress_option
from .printing import echo
from .targets import check_folder

if TYPE_CHECKING:
    from ..train.runs.run import Run


@click.command()
@click.argument(
    "folders", nargs=-1, required=True, metavar="RUN...", type=GivenPath(path_type=Path)
)
@click.option(
    "--out",
    type=GivenPath(path_type=Path, dir_okay=False),
    help="HTML file [default: RUN.html beside the run; comparison.html beside several].",
)
@click.option(
    "--figures",
    type=GivenPath(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the figures as SVG, PDF and PNG too, for one column of a paper, and their data.",
)
@click.option(
    "--audio",
    multiple=True,
    metavar="[CORPUS=]ROOT",
    help="Embed the recordings that are most confidently wrong; where a corpus lies.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is no such page, and figures.")
@progress_option
@cache_option
def report(
    folders: tuple[Path, ...],
    out: Path | None,
    figures: Path | None,
    audio: tuple[str, ...],
    overwrite: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
) -> None:
    """Write one page that shows a run, or compares several.

    It opens from the disk, in any browser, without a network, and prints. The cache is optional: it
    has the features for t-SNE, the speakers for tests over them, and says where audio lies.
    """
    from ..report.page import Asked, make_report, render
    from ..report.write import check_target, write_page
    from ..train.runs.run import Run

    out = out or _beside(folders)
    check_target(out, overwrite)
    if figures:
        check_folder("--figures", figures, overwrite)
    runs = [Run.open(folder) for folder in folders]
    cache = open_cache(cache_folders)
    asked = Asked(cache, _roots(audio, runs), feature_terms(runs, cache))
    with progress:
        made = make_report(runs, asked, progress.show)
        write_page(out, render(made))
        if figures:
            for chart in made.charts:
                progress.show(f"writing {chart.name}")
                chart.write(figures)
    echo(str(out))
    if figures:
        echo(f"{figures}: {len(made.charts)} figures as SVG, PDF and PNG, their data as CSV")


def _beside(folders: Sequence[Path]) -> Path:
    """Where the page goes: never into a run's folder."""
    first = Path(os.path.abspath(folders[0]))  # noqa: PTH100 - a link keeps its name, ".." has none
    name = f"{first.name}.html" if len(folders) == 1 else "comparison.html"
    named = folders[0].name not in ("", "..")
    return folders[0].with_name(name) if named else first.with_name(name)


def _roots(texts: Sequence[str], runs: Sequence[Run]) -> dict[str, Path]:
    """By corpus, where its audio lies."""
    corpora = list(dict.fromkeys(corpus for run in runs for corpus in run.config.answered))
    roots: dict[str, Path] = {}
    for text in texts:
        corpus, equals, path = text.partition("=")
        if not equals or corpus not in corpora:
            if len(corpora) > 1 and not Path(text).is_dir():
                raise InputError(
                    f"--audio {text}: say which corpus lies there: --audio {corpora[0]}={text}"
                )
            for name in corpora:
                below = Path(text).expanduser() / name
                roots[name] = (
                    below if len(corpora) > 1 or below.is_dir() else Path(text).expanduser()
                )
        else:
            roots[corpus] = Path(path).expanduser()
    for corpus, root in roots.items():
        if not root.is_dir():
            raise InputError(f"--audio: no such folder: {root}; expected the root of {corpus}")
    return roots
