"""The tables of `backbones.md`: every backbone as the registry has it.

`python docs/backbones.py` writes them anew into the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ser.cache.keys import PERTURB
from ser.errors import InputError
from ser.extract import Backbone, make_backbone
from ser.extract.backbones.backbone import format_value
from ser.extract.backbones.registry import ALIASES, BUILT_IN
from ser.extract.weights.known import KNOWN, Weights

PAGE = Path(__file__).with_suffix(".md")

BEGIN, END = "<!-- from the registry: begin -->", "<!-- from the registry: end -->"


def table() -> str:
    """Two tables in Markdown: the backbones, and the models on the hub that are known by name."""
    backbones = _markdown(
        ("feature", "what", "kind", "dim", "frames per second", "parameters", "licence", "weights"),
        map(_row, BUILT_IN),
    )
    names = {model: f"`{alias}`" for alias, (_, model) in ALIASES.items()}
    hub = _markdown(("model", "feature", "licence"), (_model(w, names) for w in KNOWN if w.hub_id))
    return f"{backbones}\n{hub}"


def renew(page: str) -> str:
    """Put the tables of today between the two marks of a page.

    Raises:
        InputError: the marks are not there, once each and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise InputError(f"expected one {BEGIN} and, below it, one {END}")
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def _row(backbone: type[Backbone]) -> Sequence[str]:
    whole = f"`{backbone.name}`"
    own = {name: value for name, value in backbone.defaults.items() if name != PERTURB}
    defaults = ", ".join(f"`{name}={format_value(own[name])}`" for name in sorted(own))
    if backbone.argument:
        whole = f"`{backbone.name}:<{backbone.argument}>`"
        dim = rate = "of the model"
    else:
        made = make_backbone(backbone.name)
        dim = str(made.dim)
        rate = f"{made.frame_rate:.5g}" if made.frame_rate else ""
    return (
        whole,
        backbone.summary.replace("<", "\\<"),
        backbone.kind,
        dim,
        rate,
        defaults,
        backbone.licence,
        _weights(backbone),
    )


def _model(weights: Weights, names: Mapping[str, str]) -> Sequence[str]:
    model = weights.hub_id or ""
    link = f"[{model}](https://huggingface.co/{model})"
    return link, names.get(model, f"`hf:{model}`"), weights.licence


def _weights(backbone: type[Backbone]) -> str:
    if backbone.argument:
        return "on the hub, or a folder"
    if backbone.package:
        return f"in the package {backbone.package}"
    files = [f"[{w.name}]({w.url})" for w in KNOWN if w.feature == backbone.name]
    return ", ".join(files) or "none"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(renew(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
