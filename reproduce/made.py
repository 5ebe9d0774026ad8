"""What made a table or figure: settings, processors, software."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..manifests.names import listing
from ..train.config import REPRODUCE_PRESET

SHOWN = ("ser", "torch", "numpy", "scikit-learn")
"""The software that a table names; the run folders name all."""


def preset_of(about: Mapping[str, Any]) -> str:
    """The preset of a table, whether nobody chose it, and what was changed."""
    usual = " (the default)" if about["preset"] == REPRODUCE_PRESET else ""
    changes = f" with {', '.join(about['overrides'])}" if about["overrides"] else ""
    return f"preset `{about['preset']}`{usual}{changes}"


def made_by(abouts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What made some runs.

    Args:
        abouts: by experiment, what `versions.json` says.

    Returns:
        "processors": the experiments by the processors that trained them; and all versions of
        every software in `SHOWN`.
    """
    processors: dict[str, list[str]] = {}
    for name, about in abouts.items():
        processors.setdefault(" and ".join(map(str, about["processors"])), []).append(name)
    versions = {
        name: list(dict.fromkeys(str(about.get(name)) for about in abouts.values()))
        for name in SHOWN
    }
    return {"processors": processors, "versions": versions}


def made_note(made: Mapping[str, Any]) -> str:
    """One line of it."""
    versions = ", ".join(f"{name} {' and '.join(each)}" for name, each in made["versions"].items())
    return f"Computed on {' and '.join(made['processors'])}; {versions}."


def processor_notes(made: Mapping[str, Any]) -> list[str]:
    """That processors differ, where they do."""
    if len(made["processors"]) < 2:
        return []
    said = "; ".join(f"{listing(names)} on {name}" for name, names in made["processors"].items())
    return [
        f"The runs were computed on different processors ({said}): single cells may differ by some "
        ".002 from those of a single machine."
    ]
