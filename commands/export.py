"""`ser export`: a trained run for those who do not have this library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .licences import feature_terms
from .options import GivenPath, cache_option, json_option, open_cache
from .printing import complain, echo, echo_json
from .targets import check_target, overwrite_option


@click.command()
@click.argument("folder", metavar="RUN", type=GivenPath(path_type=Path))
@click.option("--onnx", type=GivenPath(path_type=Path, dir_okay=False), help="FILE.onnx to write.")
@click.option("--card", type=GivenPath(path_type=Path, dir_okay=False), help="FILE.md to write.")
@click.option("--corpus", default="", help="Whose head, of a run for several corpora.")
@click.option(
    "--repeat", type=click.IntRange(min=0), default=0, show_default=True, help="Whose networks."
)
@overwrite_option
@json_option
@cache_option
def export(
    folder: Path,
    onnx: Path | None,
    card: Path | None,
    corpus: str,
    repeat: int,
    overwrite: bool,
    as_json: bool,
    cache_folders: tuple[Path, ...],
) -> None:
    """Write the networks of a run as ONNX, or a model card, or both.

    --onnx writes a head, features in and probabilities out, and a .json beside it that says how to
    feed it. It is written only if it says what the networks say: on made-up utterances, and on the
    test utterances where the cache has them.

    --card writes Markdown: what the run is, is for, was made of and comes to, and which terms it
    inherits, with the head that model hubs read.
    """
    from ..train.runs.run import Run

    if onnx is None and card is None:
        raise InputError("nothing to write: expected --onnx FILE.onnx, --card FILE.md or both")
    if onnx is not None:
        from ..export.write import files_of

        for path in files_of(onnx):
            check_target("--onnx", path, overwrite)
    if card is not None:
        check_target("--card", card, overwrite)
    run, cache = Run.open(folder), open_cache(cache_folders)
    written: dict[str, Any] = {}
    if onnx is not None:
        from ..export.write import write_onnx

        written["onnx"] = write_onnx(run, onnx, corpus, repeat, cache)
    if card is not None:
        from ..export.card import write_card

        write_card(run, card, feature_terms([run], cache), cache)
        written["card"] = str(card)
    if as_json:
        echo_json(written)
        return
    if onnx is not None:
        _tell(onnx, written["onnx"])
    if card is not None:
        echo(f"{card}: the model card")


def _tell(path: Path, about: dict[str, Any]) -> None:
    model = about["model"]
    checked = model["checked"]
    if note := checked["test"]["note"]:
        complain(f"not checked on test utterances: {note}")
    count = checked["made_up"]["utterances"] + checked["test"]["utterances"]
    largest = max(each["difference"] for each in checked.values())
    inputs = ", ".join(
        f"{each['name']} ({' x '.join(map(str, each['shape']))})" for each in about["inputs"]
    )
    networks = f"{model['networks']} network{'s' if model['networks'] > 1 else ''}"
    echo(f"{path}: {networks} of {about['corpus']}, opset {model['opset']}")
    echo(f"in: {inputs}; out: {', '.join(about['labels'])}")
    echo(f"{count} utterances compared; probabilities differ by {largest:.1g} at most")
    echo(f"{path.with_suffix('.json')}: how to feed it")
