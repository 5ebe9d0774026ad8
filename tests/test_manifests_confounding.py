"""How much the speaker tells of the emotion: on tables by hand and on made corpora."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.manifests import speaker_emotion_confounding
from ser.manifests.confounding import PERMUTATIONS, mutual_information

from .test_manifests_findings import manifest

EMOTIONS = ["neutral", "happiness", "anger", "sadness", "fear", "disgust"]
IEMOCAP = {
    "1F": (171, 132, 147, 78),
    "1M": (213, 146, 82, 116),
    "2F": (135, 159, 67, 113),
    "2M": (227, 168, 70, 84),
    "3F": (130, 132, 92, 172),
    "3M": (190, 154, 148, 133),
    "4F": (76, 184, 205, 81),
    "4M": (182, 119, 122, 62),
    "5F": (221, 159, 78, 132),
    "5M": (163, 283, 92, 113),
}
"""Utterances of neutral, happiness, anger and sadness."""


def spoken(counts):
    """A manifest of so many utterances of each emotion, by speaker."""
    return manifest(
        [
            (speaker, emotion, "")
            for speaker, numbers in counts.items()
            for emotion, number in zip(EMOTIONS, numbers, strict=False)
            for _ in range(number)
        ]
    )


def by_definition(counts):
    """I(S; E) = sum p(s, e) log2 p(s, e) / (p(s) p(e)), of a table."""
    joint = np.array(counts) / np.sum(counts)
    total = 0.0
    for s, e in np.argwhere(joint):
        total += joint[s, e] * np.log2(joint[s, e] / (joint[s].sum() * joint[:, e].sum()))
    return total


@pytest.mark.parametrize(
    ("counts", "bits"),
    [
        ([[5, 5], [3, 3]], 0.0),
        ([[4, 0], [0, 4]], 1.0),
        ([[2, 2, 0, 0], [0, 0, 2, 2]], 1.0),
        ([[4, 0], [2, 2]], 0.3112781),  # H(3/4) - (0 + 1) / 2
        (list(IEMOCAP.values()), None),
    ],
)
def test_mutual_information_is_its_definition(counts, bits):
    table = np.array(counts)
    one, other = (axis.repeat(table.ravel()) for axis in map(np.ravel, np.indices(table.shape)))
    found = mutual_information(one, other)
    assert found == pytest.approx(by_definition(counts), abs=1e-12)
    assert bits is None or found == pytest.approx(bits, abs=1e-6)
    found = speaker_emotion_confounding(spoken({f"s{i}": row for i, row in enumerate(counts)}))
    assert found.information == pytest.approx(by_definition(counts), abs=1e-9)


def test_chance_is_a_permutation_of_the_emotions():
    """Of two speakers with two utterances each: in 2 of 6 ways nothing else is said by one."""
    found = speaker_emotion_confounding(spoken({"a": (2, 0), "b": (0, 2)}))
    assert (found.information, found.entropy) == (1, 1)
    assert found.expected == pytest.approx(1 / 3, abs=0.08)
    assert found.p == pytest.approx(1 / 3, abs=0.08)
    assert not found.confounded
    assert found == speaker_emotion_confounding(spoken({"a": (2, 0), "b": (0, 2)}))
    assert found != speaker_emotion_confounding(spoken({"a": (2, 0), "b": (0, 2)}), seed=1)


def half_lack_half(few):
    lacking = (10, 10, 10, 0, 0, 0) if few else (20, 20, 20, 0, 0, 0)
    return {f"s{i}": (10,) * 6 if i % 2 else lacking for i in range(10)}


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ({f"s{i}": tuple(10 * (i % 6 == e) for e in range(6)) for i in range(12)}, 1.0),
        ({f"s{i}": tuple(2 * (i % 6 == e) for e in range(6)) for i in range(24)}, 1.0),
        ({f"s{i}": tuple(10 * ((i + e) % 6 < 2) for e in range(6)) for i in range(12)}, 0.6),
        (half_lack_half(few=False), 0.11),
        (half_lack_half(few=True), 0.07),
    ],
)
def test_made_corpora_that_are_confounded(counts, share):
    found = speaker_emotion_confounding(spoken(counts))
    assert found.confounded
    assert found.p == 1 / (1 + PERMUTATIONS)
    assert found.share == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("counts", "significant"),
    [
        (IEMOCAP, True),  # of no consequence
        ({f"s{i}": (10,) * 6 for i in range(10)}, False),
        ({f"s{i}": tuple(int(i % 6 == e) for e in range(6)) for i in range(30)}, False),
        ({"one": (10, 5, 3)}, False),
        ({"a": (10,), "b": (5,)}, False),
    ],
)
def test_made_corpora_that_are_not(counts, significant):
    found = speaker_emotion_confounding(spoken(counts))
    assert (found.p < 0.01) == significant
    assert found.share < 0.05
    assert not found.confounded


def test_who_is_not_known_does_not_count():
    rows = [("a", "fear", ""), ("b", "calm", "")] * 5
    known = speaker_emotion_confounding(manifest(rows))
    assert known == speaker_emotion_confounding(manifest([*rows, *[("", "anger", "")] * 20]))
    nobody = speaker_emotion_confounding(manifest([("", "anger", "")] * 3))
    assert (nobody.share, nobody.p, nobody.confounded) == (0, 1, False)


def ser(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def test_the_command_says_it(tmp_path):
    file = tmp_path / "mine.csv"
    spoken(half_lack_half(few=False)).save(file)
    told = ser("manifest", "check", file)
    assert told.stderr.startswith("warning: the speaker tells 11% of the emotion (mutual info")
    assert "do not standardise per speaker" in told.stderr
    found = json.loads(ser("manifest", "check", file, "--json").stdout)["confounding"]
    assert found["confounded"] is True
    assert found["information"] == pytest.approx(0.311, abs=1e-3)
    spoken(IEMOCAP).save(file)
    told = ser("manifest", "check", file)
    assert told.stderr == ""
    assert told.stdout.splitlines()[-1].startswith("  the speaker tells 3% of the emotion")
    assert json.loads(ser("manifest", "check", file, "--json").stdout)["confounding"]["p"] < 0.01
