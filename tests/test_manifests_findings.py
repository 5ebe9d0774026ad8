"""What a manifest's notes say of its people."""

import os
from pathlib import Path

import pandas as pd
import pytest

from ser.manifests import (
    Manifest,
    build_manifest,
    confounded_speakers,
    namesakes,
    speaker_emotion_confounding,
    two_genders,
)
from ser.manifests.findings import parts_of_files

from .test_manifests_build import speak

CORPORA = os.environ.get("SER_TEST_CORPORA")


def manifest(rows, corpus="mine", language="pt"):
    """A manifest of (speaker, emotion, gender)."""
    return Manifest(
        pd.DataFrame(
            [
                {
                    "id": f"u{number:03}",
                    "corpus": corpus,
                    "language": language,
                    "speaker": speaker,
                    "gender": gender,
                    "emotion": emotion,
                    "path": f"u{number}.wav",
                    "duration": 1.0,
                    "audio_hash": f"{number:032x}",
                }
                for number, (speaker, emotion, gender) in enumerate(rows)
            ]
        )
    )


def test_files_that_are_longer_than_their_times_say():
    made = manifest([("a", "fear", "")] * 4).table
    made["Start"], made["end"] = ["0.5", "10", "", "x"], ["1", "11", "1", "2"]
    assert parts_of_files(Manifest(made)) == [
        "1 utterances have longer files than start and end say, and all of a file is heard: u000 "
        "(0.5 to 1, the file has 1.00 s); if they are pieces of recordings, cut them first"
    ]
    assert parts_of_files(Manifest(made.drop(columns="end"))) == []


def said(text):
    """Speakers and emotions by their first letters: `af ac` is a in fear and calm."""
    emotions = {"f": "fear", "c": "calm", "a": "anger"}
    return manifest([("" if who == "?" else who, emotions[how], "") for who, how in text.split()])


def test_a_speaker_with_two_genders():
    made = manifest(
        [
            ("a", "fear", "female"),
            ("a", "calm", "male"),
            ("b", "fear", "male"),
            ("b", "calm", "nan"),
            ("", "calm", "female"),
            ("unknown", "calm", "male"),
        ]
    )
    (note,) = two_genders(made)
    assert "speakers with more than one gender" in note
    assert note.endswith(": a (female, male)")
    assert two_genders(said("af ac")) == []


@pytest.mark.parametrize("text", ["af af bc bc", "af af af bc bc ca ca", "af af bf bf cc cc dc"])
def test_speakers_of_one_emotion_each(text):
    (note,) = confounded_speakers(said(text))
    assert note.startswith("every speaker has one emotion only")


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("af ac bf bc ba ba", "anger (b)"),
        ("af ac bc aa aa bf ca cc", None),
        ("af af ac bc ba ca", "fear (a)"),
        ("af ac bf bc ba", None),  # one utterance shows nothing
        ("?a ?a af ac bf bc", None),
    ],
)
def test_emotions_of_one_speaker(text, alone):
    notes = confounded_speakers(said(text))
    assert [note.rpartition(": ")[2] for note in notes] == ([alone] if alone else [])


@pytest.mark.parametrize(
    "text", ["af ac", "af af bf bf", "?f ?c ?f", "af bc cf da", "af bf ac bc", "af"]
)
def test_nothing_to_say(text):
    assert confounded_speakers(said(text)) == []


def test_a_build_says_it(tmp_path):
    rows = [("s1", "fear", "f"), ("s1", "fear", "m"), ("s2", "calm", "f"), ("s2", "calm", "f")]
    for number, _ in enumerate(rows):
        speak(tmp_path / f"{number}.wav", number)
    lines = [
        f"{number}.wav,{emotion},{who},{gender}"
        for number, (who, emotion, gender) in enumerate(rows)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["path,emotion,speaker,gender", *lines]))
    warnings = build_manifest("mine", None, csv=tmp_path / "mine.csv", language="pt").warnings
    assert [text.split(",")[0] for text in warnings] == [
        "speakers with more than one gender",
        "every speaker has one emotion only: what is learned and measured here may be who speaks",
    ]


@pytest.mark.skipif(not CORPORA, reason="SER_TEST_CORPORA names no folder of real corpora")
@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "emovo"])
def test_real_corpora_are_sound(corpus):
    built = build_manifest(corpus, Path(CORPORA or "") / corpus)
    assert two_genders(built.manifest) == confounded_speakers(built.manifest) == []
    assert built.manifest.notes == ()
    found = speaker_emotion_confounding(built.manifest)
    assert found.share < 0.01
    assert not found.confounded


def test_one_person_in_two_corpora_of_one_language():
    one = manifest([("03", "fear", ""), ("Anna", "calm", ""), ("nan", "fear", "")], "one", "pt")
    other = manifest([("3.0", "fear", ""), ("ANNA ", "calm", ""), ("?", "fear", "")], "b", "pt-br")
    assert namesakes([one, other]) == ["03", "Anna"]
    assert namesakes([one, manifest([("3", "fear", "")], "c", "de")]) == []
