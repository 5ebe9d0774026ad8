"""What made a table or figure, and what its numbers rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..manifests.names import listing
from ..train.config import REPRODUCE_PRESET
from ..train.runs.report import interval_note, namesake_notes, speaker_note
from ..train.runs.software import other_software
from .plan import Results

SHOWN = ("ser", "torch", "numpy", "scikit-learn")
"""The software that a table names; the run folders name all."""


def settings_of(values: Mapping[str, Any]) -> str:
    """Preset, whether nobody chose it, what was changed, protocol and repeats."""
    usual = " (the default)" if values["preset"] == REPRODUCE_PRESET else ""
    changes = f" with {', '.join(values['changes'])}" if values["changes"] else ""
    repeats = f"{values['repeats']} repeat{'s' if values['repeats'] > 1 else ''}"
    return (
        f"preset `{values['preset']}`{usual}{changes}, protocol `{values['protocol']}`, {repeats}."
    )


def made_by(results: Results) -> dict[str, Any]:
    """What made some runs.

    Returns:
        "processors": the experiments by the processors that trained them; "versions": all of every
        software in `SHOWN`.
    """
    processors: dict[str, list[str]] = {}
    for name, result in results.items():
        processors.setdefault(" and ".join(result.run.processors), []).append(name)
    versions = {
        name: list(dict.fromkeys(str(result.run.about.get(name)) for result in results.values()))
        for name in SHOWN
    }
    return {"processors": processors, "versions": versions}


def notes_of(results: Results, named: Sequence[str] = ()) -> list[str]:
    """What is to be known beside the numbers, each said once.

    Args:
        named: the experiments whose protocol, intervals and corpora are told; none: those are told
            elsewhere.
    """
    notes = []
    for name in named:
        metrics = results[name].metrics
        for corpus, domain in metrics["domains"].items():
            notes += [speaker_note(metrics["protocol"], domain), interval_note(domain)]
            notes += [f"{corpus}: {note}" for note in domain["notes"]]
    for result in results.values():
        notes += namesake_notes(result.metrics)
    for name, result in results.items():
        if other := other_software(result.run.about):
            notes.append(f"{name} was trained with {', '.join(other)}, unlike the others.")
    processors = made_by(results)["processors"]
    if len(processors) > 1:
        where = "; ".join(f"{listing(names)} on {name}" for name, names in processors.items())
        notes.append(
            f"The runs were computed on different processors ({where}): single cells may differ by "
            "some .002 from those of a single machine."
        )
    return list(dict.fromkeys(notes))


def footer(values: Mapping[str, Any]) -> list[str]:
    """The lines below a table or figure: notes, what computed it, and the command."""
    made = values["made"]
    versions = ", ".join(f"{name} {' and '.join(each)}" for name, each in made["versions"].items())
    computed = f"Computed on {' and '.join(made['processors'])}; {versions}."
    return ["", *values["notes"], computed, "", "```", values["command"], "```"]


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
