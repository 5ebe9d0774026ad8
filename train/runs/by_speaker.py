"""Whether what is heard of speakers may be used."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import InputError
from ...manifests import Manifest, speaker_emotion_confounding
from ..network.settings import ModelSettings


def check_by_speaker(model: ModelSettings, manifests: Iterable[Manifest]) -> None:
    """Check that inputs can be standardised by speaker, where they are to be.

    Raises:
        InputError: a speaker is not known, or speakers are confounded with emotions, and this was
            not allowed.
    """
    if not model.by_speaker:
        return
    for manifest in manifests:
        asked = f"model.standardise={model.standardise}: {manifest.corpus}"
        unknown = manifest.table["id"][manifest.table["speaker"] == ""]
        if len(unknown):
            raise InputError(
                f"{asked} has {len(unknown)} utterances whose speaker is not known, such as "
                f"{unknown.iloc[0]}; use --set model.standardise=shared"
            )
        confounding = speaker_emotion_confounding(manifest)
        if confounding.confounded and not model.confounded:
            raise InputError(
                f"{asked}: {confounding}, so that what goes away with the speaker is, in part, his "
                "emotions; use --set model.standardise=shared, or, to do it all the same, --set "
                "model.confounded=true"
            )


def note_by_speaker(model: ModelSettings, manifest: Manifest) -> str:
    """That speakers are confounded with emotions, where it was allowed; else blank."""
    if not model.confounded or not all(manifest.table["speaker"]):
        return ""
    confounding = speaker_emotion_confounding(manifest)
    if not confounding.confounded:
        return ""
    told = str(confounding)
    return (
        f"{told[:1].upper()}{told[1:]}: what goes away with the speaker is, in part, his emotions."
    )
