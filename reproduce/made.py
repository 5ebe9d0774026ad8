"""What made a table or figure, and what its numbers rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import listing
from ..train import REPRODUCE_PRESET
from ..train.runs.report import namesake_notes, notes_of
from ..train.runs.software import other_software
from .plan import Results

SHOWN = ("ser", "torch", "numpy", "scikit-learn")
"""The software that a table names; the run folders name all."""


def settings_of(values: Mapping[str, Any]) -> str:
    """Which preset, whether nobody chose it, what was changed, protocol and repeats."""
    usual = " (the default)" if values["preset"] == REPRODUCE_PRESET else ""
    changes = f" with {', '.join(values['changes'])}" if values["changes"] else ""
    repeats = f"{values['repeats']} repeat{'s' if values['repeats'] > 1 else ''}"
    folds = f" with `--folds {values['folds']}`" if values["folds"] is not None else ""
    renamed = (values["map"] or {}).items()
    labels = ", ".join(f"{label} is {meant or 'left out'}" for label, meant in renamed)
    return (
        f"`{values['preset']}`{usual}{changes}, protocol `{values['protocol']}`{folds}, {repeats}."
        + (f" Labels: {labels}." if labels else "")
    )


def provenance(results: Results, named: Sequence[str] = ()) -> dict[str, Any]:
    """What made some runs, and what is to be known beside the numbers.

    Args:
        named: the experiments whose protocol, intervals and corpora are told; none: those are told
            elsewhere.

    Returns:
        "made": "processors", the experiments by the processors that trained them, and "versions",
        all of every software in `SHOWN`; "notes", each said once.
    """
    processors: dict[str, list[str]] = {}
    for name, result in results.items():
        processors.setdefault(" and ".join(result.run.processors), []).append(name)
    versions = {
        name: list(dict.fromkeys(str(result.run.about.get(name)) for result in results.values()))
        for name in SHOWN
    }
    notes = notes_of([results[name].metrics for name in named])
    for result in results.values():
        notes += namesake_notes(result.metrics)
    for name, result in results.items():
        if other := other_software(result.run.about):
            notes.append(f"{name} was trained with {', '.join(other)}, unlike the others.")
    if len(processors) > 1:
        where = "; ".join(f"{listing(names)} on {name}" for name, names in processors.items())
        notes.append(
            f"The runs were computed on different processors ({where}): single cells may differ by "
            "some .002 from those of a single machine."
        )
    made = {"processors": processors, "versions": versions}
    return {"made": made, "notes": list(dict.fromkeys(notes))}


def page(lines: Sequence[str], values: Mapping[str, Any], notes: Sequence[str] = ()) -> str:
    """A table or figure in Markdown; below it all notes, what computed it, and the command."""
    processors, versions = values["made"]["processors"], values["made"]["versions"]
    software = ", ".join(f"{name} {' and '.join(seen)}" for name, seen in versions.items())
    computed = f"Computed on {' and '.join(processors)}; {software}."
    notes = list(dict.fromkeys([*notes, *values["notes"]]))
    return "\n".join([*lines, "", *notes, computed, "", "```", values["command"], "```"]) + "\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
