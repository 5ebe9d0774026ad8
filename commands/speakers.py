"""Speakers in `ser predict`: whose the files are, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..recognizer import Recognizer
    from ..recognizer.sources import Sources


def check_speakers(speaker: str, windows: bool) -> None:
    """Raise InputError for a name that is none, or with windows of recordings."""
    if not speaker.strip():
        raise InputError("--speaker is empty; expected a column of the lists, folder or all")
    if windows:
        raise InputError(
            f"--speaker {speaker}: does not go with windows, whose speakers are not told apart; "
            "leave one of them out"
        )


def notes_on_speakers(recognizer: Recognizer, speaker: str | None) -> list[str]:
    """What is to be known where nothing is heard of speakers and the run counts on it.

    Raises:
        InputError: speakers are said, and the run has no use for it.
    """
    from ..train.runs.report import UNHEARD

    if speaker:
        recognizer.voice()
    elif recognizer.run.config.encoding.heard:
        return [f"{UNHEARD}; --speaker says whose the files are"]
    return []


def about_speakers(recognizer: Recognizer, sources: Sources) -> dict[str, str]:
    """What answers depend on where speakers are said, by names for people."""
    from ..recognizer.hearing import digest

    if not sources.speaker:
        return {}
    if recognizer.run.config.encoding.heard == "causal":
        return {"speaker": sources.speaker}
    return {"speaker": sources.speaker, "set of files": digest(sources)}
