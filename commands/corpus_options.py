"""How a corpus is named and found, and what is said of its bad files: for `manifest build` and
`extract`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BAD_FILES, InputError
from .options import GivenPath, together
from .printing import complain

if TYPE_CHECKING:
    from ..manifests import BadFile


class _Root(GivenPath):
    """A folder, or the URL of one elsewhere."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


corpus_options = together(
    click.option("--corpus", required=True, help="A known corpus, or a name of your own."),
    click.option(
        "--root",
        type=_Root(path_type=Path),
        help="Folder of the corpus, or with --manifest its URL, e.g. s3://BUCKET/PATH [default: "
        "$SER_<CORPUS>_ROOT, or that of --csv or --from].",
    ),
    click.option(
        "--csv",
        type=GivenPath(path_type=Path, exists=True, dir_okay=False),
        help="For a corpus of your own: a CSV with the columns path and emotion, and where known "
        "speaker, gender, id.",
    ),
    click.option(
        "--from",
        "source",
        metavar="FORMAT:PATH",
        help="For a corpus of your own in a form of others: hf:, audformat:, lhotse:, kaldi: or "
        "emobox:, and its folder or, of Hugging Face, repository.",
    ),
    click.option("--language", help="Language of a corpus of your own, e.g. pt."),
    click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the corpus, e.g. intensity=all for cafe, or of its format, e.g. "
        "label=COLUMN.",
    ),
)


def given_corpus(
    corpus: str, csv: Path | None, source: str | None, language: str | None
) -> dict[str, Any]:
    """What names a corpus to `scan_corpus` and `extract_corpus`, of what was typed.

    Raises:
        InputError: there is no such format, or there are two sources.
    """
    from ..manifests import CORPORA, FORMATS, check_corpus_name, corpus_from

    form, colon, _ = corpus.partition(":")
    if colon and form in FORMATS:
        raise InputError(f"--corpus {corpus}: a corpus needs a name: --corpus NAME --from {corpus}")
    if source is None:
        return {"corpus": corpus, "csv": csv, "language": language}
    if csv:
        raise InputError("--csv and --from: expected one of them")
    check_corpus_name(corpus)
    if corpus in CORPORA:
        raise InputError(
            f"{corpus!r} has a scanner of its own; give the corpus of {source} another name"
        )
    return {"corpus": corpus_from(corpus, source, language)}


def option_pairs(options: tuple[str, ...]) -> dict[str, str]:
    """What `--option` says of a corpus, by name."""
    pairs: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"--option {option}: expected NAME=VALUE")
        pairs[name] = value
    if len(pairs) < len(options):
        raise InputError("--option: each option once; several words go in one, emotions=awe,pain")
    return pairs


def report_bad(
    bad: list[BadFile], root: Path | str, scope: Callable[[BadFile], str] = lambda _: ""
) -> None:
    """List the files that could not be used; the exit code says so where one was not known."""
    from ..manifests import BadFileMemory

    if isinstance(root, str):
        from ..cache.remotes import without_credentials

        root = without_credentials(root)
    new = BadFileMemory.default().remember(root, bad, scope)
    if new:
        complain(f"{_bad_files(len(new))}, left out:")
        for file in new:
            complain(f"  {file.path}: {file.reason}")
    if len(bad) > len(new):
        known = _bad_files(len(bad) - len(new), "more " if new else "")
        complain(f"{known}, known before, left out")
    if new:
        raise click.exceptions.Exit(BAD_FILES)


def _bad_files(count: int, more: str = "") -> str:
    return f"{count} {more}bad file{'s' if count > 1 else ''}"
