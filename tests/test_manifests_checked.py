"""Manifests that were checked before are read as they were."""

import pandas as pd
import pytest

from ser.errors import InputError
from ser.manifests import Manifest, checked
from ser.remembered import Remembered

from .conftest import toy_manifest

pytest.importorskip("pyarrow")


@pytest.fixture
def files(monkeypatch, tmp_path):
    files = Remembered(tmp_path / "known", ".arrow")
    monkeypatch.setattr(checked, "_files", lambda: files)
    monkeypatch.setattr(checked, "LARGE", 1000)
    return files


@pytest.fixture
def counted(monkeypatch):
    """How often a manifest was checked."""
    calls = []
    fill = Manifest._fill
    monkeypatch.setattr(
        Manifest, "_fill", lambda self, columns: (calls.append(1), fill(self, columns))
    )
    return calls


def test_a_manifest_is_checked_once(files, counted, tmp_path):
    path = tmp_path / "toy.csv"
    toy_manifest().save(path)
    # Cells that are tidied: what is told of it is told again.
    path.write_text(path.read_text().replace(",s1,", ",unknown,"))
    first = Manifest.load(path)
    checks = len(counted)
    second = Manifest.load(path)
    assert len(counted) == checks
    pd.testing.assert_frame_equal(second.table, first.table)
    assert first.notes
    assert (second.id, second.labels, second.notes) == (first.id, first.labels, first.notes)
    assert Manifest.load(tmp_path / "other.csv", path.read_bytes()).id == first.id
    assert len(counted) == checks
    assert second.to_bytes() == first.to_bytes()
    columns = checked.recall_columns(path.read_bytes(), ("duration", "id"))
    assert columns == {name: first.table[name].tolist() for name in ("duration", "id")}


def test_other_bytes_are_another_manifest(files, counted, tmp_path):
    path = tmp_path / "toy.csv"
    toy_manifest().save(path)
    Manifest.load(path)
    checks = len(counted)
    path.write_text(path.read_text().replace("anger", "fear"))
    assert "fear" in Manifest.load(path).labels
    assert len(counted) == checks + 1
    path.write_text(path.read_text().replace("fear", "anger", 1).replace("u001.wav", "/u001.wav"))
    for _ in range(2):  # what is wrong is not remembered
        with pytest.raises(InputError, match="leaves the corpus root"):
            Manifest.load(path)


def test_damage_and_small_manifests_are_read_anew(files, counted, monkeypatch, tmp_path):
    path = tmp_path / "toy.csv"
    toy_manifest().save(path)
    Manifest.load(path)
    checks = len(counted)
    (file,) = files.folder.iterdir()
    files.write(file.stem, b"whole, but no table")
    Manifest.load(path)
    assert len(counted) == checks + 1
    file.write_bytes(b"damaged")
    Manifest.load(path)
    assert len(counted) == checks + 2
    monkeypatch.setattr(checked, "LARGE", 1 << 20)
    Manifest.load(path)
    assert len(counted) == checks + 3
