"""Copies among very many recordings, found by hashing, as comparing each with each finds them."""

import numpy as np
import pandas as pd
import pytest

from ser.manifests import FINGERPRINT
from ser.manifests import fingerprint as module
from ser.manifests.collisions import BYTES, CHOICES, CHOSEN, _drawn, colliding
from ser.manifests.fingerprint import VALUES, alike, distances, read
from ser.remembered import Remembered

RECORDINGS = 400


def noise(draw, count):
    return draw.normal(size=(count, VALUES)) + 1j * draw.normal(size=(count, VALUES))


def unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def written(values, spreads):
    return [module._write(*each) for each in zip(unit(values), spreads, strict=True)]


def copies(distance, shift, seed=0):
    """Fingerprints of recordings, and of one copy of each at about a distance."""
    draw = np.random.default_rng(seed)
    values, spreads = unit(noise(draw, RECORDINGS)), draw.uniform(0.2, 2, RECORDINGS)
    moved = values + np.tan(distance) * unit(noise(draw, RECORDINGS))
    moved = moved * np.exp(1j * shift * module._projection()[1])
    return written(values, spreads) + written(moved, spreads)


@pytest.fixture
def by_hashing(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "MOST_COMPARED", 0)
    known = Remembered(tmp_path / "known", ".bin")
    monkeypatch.setattr(module.Remembered, "of_user", lambda *_: known)
    return known


@pytest.mark.parametrize("shift", [0, 0.14])
@pytest.mark.parametrize("distance", [0, 0.1, 0.18])
def test_copies_are_found_as_by_comparing_all(distance, shift, monkeypatch):
    texts = copies(distance, shift)
    lengths = np.random.default_rng(1).uniform(1, 9, 2 * RECORDINGS)
    all_pairs = alike(texts, lengths)
    monkeypatch.setattr(module, "MOST_COMPARED", 0)
    np.testing.assert_array_equal(alike(texts, lengths), all_pairs)
    expected = np.stack([np.arange(RECORDINGS), np.arange(RECORDINGS) + RECORDINGS], axis=1)
    np.testing.assert_array_equal(all_pairs, expected)


@pytest.mark.usefixtures("by_hashing")
def test_most_copies_are_found_that_are_hardly_alike():
    texts = copies(0.29, 0.14)
    values, _ = read(texts)
    apart = distances(values[:RECORDINGS], values[RECORDINGS:])
    far = (apart > 0.26) & (apart <= module.ALIKE)
    assert far.sum() > 100
    found = alike(texts, np.ones(2 * RECORDINGS))
    assert np.isin(np.flatnonzero(far), found[:, 0]).mean() > 0.9


@pytest.mark.usefixtures("by_hashing")
def test_copies_must_agree_in_spread_or_length():
    draw = np.random.default_rng(0)
    value = noise(draw, 1)
    near, far = written(np.repeat(value, 2, axis=0), [1, 1.02]), written(value, [2])
    assert alike(near + far, [1, 5, 9]).tolist() == [[0, 1]]
    assert alike(near + far, [1, 5, 5.2]).tolist() == [[0, 1], [1, 2]]


@pytest.mark.long
@pytest.mark.usefixtures("by_hashing")
def test_what_is_there_a_thousand_times_is_one_recording():
    text = copies(0, 0)[:1]
    hashes = [f"{number:032x}" for number in range(1000)]
    table = pd.DataFrame({"audio_hash": hashes, FINGERPRINT: text * 1000, "duration": 1.0})
    assert set(module.recordings([table])[0]) == {hashes[0]}


def test_copies_among_very_many_are_looked_for_once(by_hashing, monkeypatch):
    texts = copies(0.1, 0)
    hashes = [f"{number:032x}" for number in range(2 * RECORDINGS)]
    table = pd.DataFrame({"audio_hash": hashes, FINGERPRINT: texts, "duration": 1.0})
    found = module.recordings([table])
    assert found == [tuple(hashes[:RECORDINGS] * 2)]
    searches = []
    search = module.alike
    monkeypatch.setattr(module, "alike", lambda *of: (searches.append(1), search(*of))[1])
    assert module.recordings([table]) == found
    assert not searches
    module.recordings([table.assign(duration=2.0)])
    module.recordings([table[1:]])
    assert len(searches) == 2
    module.recordings([table.assign(audio_hash=hashes[::-1])])
    assert len(searches) == 3
    for file in by_hashing.folder.iterdir():
        file.write_bytes(b"damaged")
    assert module.recordings([table]) == found
    assert len(searches) == 4


@pytest.mark.usefixtures("by_hashing")
def test_the_order_of_rows_makes_no_difference():
    draw = np.random.default_rng(0)
    hashes = [draw.bytes(16).hex() for _ in range(2 * RECORDINGS)]
    table = pd.DataFrame({"audio_hash": hashes, FINGERPRINT: copies(0.2, 0), "duration": 1.0})
    shuffled = table.sample(frac=1, random_state=1)
    (names,), (others,) = module.recordings([table]), module.recordings([shuffled])
    assert dict(zip(hashes, names, strict=True)) == dict(
        zip(shuffled["audio_hash"], others, strict=True)
    )
    assert len(set(names)) == RECORDINGS


def test_pairs_are_of_places_the_smaller_first_and_no_sum_is_rounded():
    values, _ = module._read(copies(0.05, 0))
    for pairs in colliding(values):
        assert (pairs[:, 0] < pairs[:, 1]).all()
        assert pairs.max() < len(values)
    planes, choices = _drawn(VALUES - 1)
    assert planes.shape == (2 * VALUES - 2, 8 * BYTES)
    assert set(np.unique(planes)) == {-1, 1}
    assert choices.shape == (CHOICES, CHOSEN)
    assert choices.max() == BYTES - 1
    assert all(len(set(choice)) == CHOSEN for choice in choices.tolist())
    assert np.abs(values.real).max() <= 15
    assert set(np.unique(values.real % 2)) == {1}
    assert len(planes) * 2 * 15 * 15 < 2**24
