"""The scanners over real corpora, where SER_TEST_CORPORA names the folder that holds them."""

import os
from pathlib import Path

import pytest

from ser.manifests import (
    CORPORA,
    Manifest,
    ProbeCache,
    build_manifest,
    check_leaks,
    corpus_from,
    export_manifest,
    make_splits,
    read_published,
    read_splits,
    shared_speakers,
    write_splits,
)

FOLDER = os.environ.get("SER_TEST_CORPORA", "")
SPEAKERS = {"emodb": 10, "ravdess": 24, "emovo": 6, "cafe": 12, "iemocap": 10}


@pytest.fixture(scope="module", params=sorted(SPEAKERS))
def real(request, tmp_path_factory):
    """A corpus's name, its build, and a second build from what the first remembered."""
    if not FOLDER:
        pytest.skip("SER_TEST_CORPORA names no folder of real corpora")
    root = Path(FOLDER) / request.param
    if not root.is_dir():
        pytest.skip(f"{request.param} is not in SER_TEST_CORPORA")
    known = ProbeCache(tmp_path_factory.mktemp("probes"))
    builds = [build_manifest(request.param, root, known=known) for _ in range(2)]
    return request.param, *builds


@pytest.mark.parametrize("form", ["audformat", "kaldi"])
def test_it_goes_out_to_others_and_comes_back(real, form, tmp_path):
    if form == "audformat":
        pytest.importorskip("audformat", reason="the extra `audformat` is not installed")
    name, made, _ = real
    assert export_manifest(made.manifest, tmp_path / "out", form) == []
    scan = corpus_from(name, f"{form}:{tmp_path / 'out'}").scan(Path(FOLDER) / name, {})
    assert scan.language == made.manifest.language
    back = {entry.id: entry for entry in scan.entries}
    assert sorted(back) == list(made.manifest.ids)
    made_anew = ("corpus", "language", "duration", "audio_hash", "fingerprint")
    for row in made.manifest.table.drop(columns=[*made_anew]).to_dict("records"):
        entry = back[row["id"]]
        known = {field: getattr(entry, field) for field in ("id", "path", "emotion", "speaker")}
        assert {**known, "gender": entry.gender, **entry.extra} == row


def test_every_utterance_is_there_and_good(real):
    name, made, again = real
    assert made.manifest.counts() == dict(CORPORA[name].counts)
    assert made.bad == []
    assert made.manifest.table["speaker"].nunique() == SPEAKERS[name]
    assert "" not in set(made.manifest.table["gender"])
    assert again.manifest.table.equals(made.manifest.table)


def test_only_what_is_known_to_be_odd_is_told(real):
    name, made, _ = real
    if name == "ravdess":
        (warning,) = made.warnings
        assert "03-01-03-01-02-01-07 = 03-01-03-01-02-02-07" in warning
    elif name in ("emodb", "emovo"):
        assert made.warnings == []


def test_published_folds_are_of_its_files(real, tmp_path):
    """By EmoBox, whose folds of EmoDB alone do not keep speakers apart."""
    name, made, _ = real
    file = Path(FOLDER).parent / "emobox" / f"{name}.csv.gz"
    if not file.is_file():
        pytest.skip(f"no folds of {name} in emobox beside SER_TEST_CORPORA")
    published = read_published(file, made.manifest, "emobox")
    assert published.notes == ()
    tested = sorted(id for split in published.splits for id in split.test)
    assert tested == list(made.manifest.ids)
    shared = max(shared_speakers(made.manifest, split) for split in published.splits)
    assert shared == (10 if name == "emodb" else 0)
    write_splits(tmp_path / "s.csv", made.manifest, published.splits)
    assert tuple(read_splits(tmp_path / "s.csv", made.manifest)) == published.splits


def test_the_file_comes_back(real, tmp_path):
    _, made, _ = real
    made.manifest.save(tmp_path / "m.csv")
    loaded = Manifest.load(tmp_path / "m.csv")
    assert loaded.table.equals(made.manifest.table)
    assert loaded.id == made.manifest.id


def test_splits_of_real_corpora(real):
    _, made, _ = real
    for seed in range(3):
        (paper,) = make_splits(made.manifest, "paper", seed)
        check_leaks(made.manifest, paper)
        assert len(paper.test) == round(0.2 * len(made.manifest))
        assert shared_speakers(made.manifest, paper) > 0
        folds = make_splits(made.manifest, "speaker", seed)
        assert len(folds) == 5
        for fold in folds:
            check_leaks(made.manifest, fold)
