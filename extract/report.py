"""What a run of the extraction did."""

from __future__ import annotations

from dataclasses import dataclass

from ..manifests import BadFile


@dataclass(frozen=True)
class ExtractReport:
    """Counts by feature, as canonical specs.

    Attributes:
        computed: utterances that were computed and written, by feature.
        present: utterances that were in the cache before, by feature.
        bad: utterances that lack a feature now, in the order of the manifest. The reason begins
            with the feature, unless the file is of no use to any.
        seconds: how long it took.
        audio_seconds: duration of the utterances that were processed.
    """

    computed: dict[str, int]
    present: dict[str, int]
    bad: list[BadFile]
    seconds: float
    audio_seconds: float
