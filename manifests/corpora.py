"""The registry of known corpora: what they are, where to get them, what a whole copy holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .scanners import Scanner, scan_cafe, scan_emodb, scan_emovo, scan_iemocap, scan_ravdess


@dataclass(frozen=True)
class Corpus:
    """A corpus that a scanner knows.

    `counts` are the utterances per emotion of a whole copy, with default options; `variants` those
    with another option, under `option=value`. `options` maps an option to its allowed values, the
    default first. `group` is the column whose values the protocol `speaker` keeps apart.
    """

    name: str
    title: str
    language: str
    licence: str
    url: str
    layout: str
    counts: Mapping[str, int]
    scan: Scanner
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    group: str = "speaker"

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions of the corpus, in the vocabulary's order."""
        return tuple(self.counts)

    def expected(self, options: Mapping[str, str]) -> Mapping[str, int]:
        """Utterances per emotion of a whole copy, under these options."""
        chosen = (self.variants.get(f"{name}={value}") for name, value in options.items())
        return next((counts for counts in chosen if counts), self.counts)


_CAFE_STRONG = dict.fromkeys(
    ("neutral", "happiness", "anger", "sadness", "fear", "disgust", "surprise"), 72
)

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            name="emodb",
            title="Berlin Database of Emotional Speech (EmoDB)",
            language="de",
            licence="CC0 1.0, as stated by audEERING's datasets",
            url="http://emodb.bilderbar.info",
            layout="wav/03a01Fa.wav",
            counts={
                "neutral": 79,
                "happiness": 71,
                "anger": 127,
                "sadness": 62,
                "fear": 69,
                "boredom": 81,
                "disgust": 46,
            },
            scan=scan_emodb,
        ),
        Corpus(
            name="cafe",
            title="Canadian French Emotional speech dataset (CaFE)",
            language="fr",
            licence="CC BY-NC-SA 4.0",
            url="https://zenodo.org/records/1478765",
            layout="Colère/Fort/01-C-2-6.wav and Neutre/01-N-6.wav",
            counts=_CAFE_STRONG,
            scan=scan_cafe,
            options={"intensity": ("strong", "all")},
            variants={"intensity=all": dict.fromkeys(_CAFE_STRONG, 144) | {"neutral": 72}},
        ),
        Corpus(
            name="iemocap",
            title="Interactive Emotional Dyadic Motion Capture database (IEMOCAP)",
            language="en",
            licence="for research, on request to the University of Southern California",
            url="https://sail.usc.edu/iemocap/",
            layout=(
                "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav and "
                "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
            ),
            counts={"neutral": 1708, "happiness": 1636, "anger": 1103, "sadness": 1084},
            scan=scan_iemocap,
            group="session",
        ),
        Corpus(
            name="ravdess",
            title="Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), speech",
            language="en",
            licence="CC BY-NC-SA 4.0",
            url="https://zenodo.org/records/1188976",
            layout="Actor_01/03-01-05-01-02-01-01.wav",
            counts={
                "neutral": 96,
                "happiness": 192,
                "anger": 192,
                "sadness": 192,
                "fear": 192,
                "disgust": 192,
                "surprise": 192,
                "calm": 192,
            },
            scan=scan_ravdess,
        ),
        Corpus(
            name="emovo",
            title="EMOVO, Italian emotional speech",
            language="it",
            licence="CC BY-NC-SA 4.0, as stated by nkululeko",
            url="http://lrec-conf.org/proceedings/lrec2014/summaries/591.html",
            layout="f1/dis-f1-b1.wav",
            counts=dict.fromkeys(
                ("neutral", "happiness", "anger", "sadness", "fear", "disgust", "surprise"), 84
            ),
            scan=scan_emovo,
        ),
    )
}


def root_variable(corpus: str) -> str:
    """Name the environment variable that tells where a corpus lies: `SER_EMODB_ROOT`."""
    return f"SER_{corpus.upper().replace('-', '_')}_ROOT"


def find_root(corpus: str) -> Path | None:
    """Give the corpus root that the environment names; None if it names none."""
    value = os.environ.get(root_variable(corpus), "").strip()
    return Path(value).expanduser() if value else None
