"""A small corpus with names as they are in the world, which goes through formats of others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ser.manifests import Build, Manifest, build_manifest, corpus_from

from .test_manifests_build import speak

ROWS = (
    # path, emotion, speaker, gender, session, sentence
    ("a/01.wav", "anger", "Anna B.", "female", "1", 'Ça va, "oui"; 50%'),
    ("a/02 b.wav", "fear", "Anna B.", "female", "1", "two words"),
    ("Colère/é 3.wav", "neutral", "José", "male", "2", ""),
    ("b.c/04.wav", "awe", "José", "male", "2", "%20 and %2520"),
    ("05.wav", "neutral", "", "", "", "привет"),
    ("06.wav", "anger", "s6", "other", "", "'quoted'"),
)


OWN = ["emotions of one's own are read again with --option emotions=awe"]
"""What is told of these rows wherever they are exported to."""


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """A folder with the sound of all, and the table `mine.csv`."""
    root = tmp_path / "voices"
    for seed, (path, *_) in enumerate(ROWS):
        speak(root / path, seed)
    names = ["path", "emotion", "speaker", "gender", "session", "sentence"]
    pd.DataFrame(ROWS, columns=names).to_csv(root / "mine.csv", index=False)
    return root


def build_voices(root: Path) -> Manifest:
    """The manifest of that corpus."""
    options = {"emotions": "awe"}
    csv = root / "mine.csv"
    return build_manifest("voices", root, csv=csv, language="fr", options=options).manifest


def read_back(source: str, root: Path | None, language: str | None = None, **options: str) -> Build:
    """What is made of a place in a format."""
    corpus = corpus_from("voices", source, language)
    return build_manifest(corpus, root, options={"emotions": "awe"} | options)


def same(made: Manifest, expected: Manifest) -> None:
    """Assert that two manifests are one, whatever the order of the columns of their own."""
    assert sorted(made.table.columns) == sorted(expected.table.columns)
    pd.testing.assert_frame_equal(made.table[expected.table.columns], expected.table)
