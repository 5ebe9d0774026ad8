"""Table 2: which systems it runs, under which protocols, and what it says of their numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ser.cache import Cache, store_manifest
from ser.errors import MissingFeaturesError
from ser.extract import extract_corpus
from ser.manifests import Manifest
from ser.progress import Progress
from ser.reproduce.published import TABLE2
from ser.reproduce.run import PLANS, foresee, reproduce
from ser.reproduce.systems import ROWS
from ser.train.config import canonical, load_config
from ser.train.methods import METHODS
from ser.train.runs.request import Request
from ser.train.runs.run import Run

from .conftest import make_toy_cache, toy_key, toy_manifest
from .stand_ins import write_byol, write_vgg16, write_wav2vec
from .test_extract_pipeline import write_corpus

PLAN = PLANS["table2"]


def common(**others):
    values = {
        "setting": "single",
        "corpora": ["toy"],
        "features": ["mfcc", "ge2e"],
        "config": load_config("paper", ["train.epochs=1"]),
        "repeats": 2,
        "workers": 1,
    }
    return Request(**{**values, **others})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Table 2 on a cache that has what two of the systems read, and some utterances of a third."""
    folder = tmp_path_factory.mktemp("table2")
    manifest = toy_manifest()
    cache = make_toy_cache(folder / "cache", manifest)
    random = np.random.default_rng(1)
    for name, kind, dim, ids in (
        ("wav2vec", "sequence", 6, manifest.ids),
        ("rudd129", "vector", 9, manifest.ids),
        ("logmel128", "sequence", 128, manifest.ids[:5]),
    ):
        with cache.write(toy_key(name, kind, dim), manifest) as out:
            for id in ids:
                shape = (3, dim) if kind == "sequence" else (dim,)
                out.add(id, random.normal(size=shape).astype(np.float32))
    out = folder / "out"
    return cache, out, reproduce(PLAN, common(), cache, out, "ser reproduce table2", Progress())


def test_every_published_system_is_a_row():
    published = {name for name in METHODS if METHODS[name].reads}
    assert {row.method for row in ROWS} == published | {"baseline", "single"}
    assert {*TABLE2} <= {row.method for row in ROWS}


def test_protocols_are_two_and_where_authors_leave_one_out_that_too():
    requests = PLAN.requests(common(repeats=5))
    found = {name: (r.protocol, r.folds, r.repeats) for name, r in requests.items()}
    assert found["adrnn-toy-paper"] == ("paper", None, 5)
    assert found["adrnn-toy-speaker"] == ("speaker", None, 1)
    assert found["keesing-toy-speaker-all"] == ("speaker", "all", 1)
    assert not any(name.startswith("adrnn-toy-speaker-all") for name in found)
    named = PLAN.requests(common(protocol="speaker", repeats=3, folds=4))
    assert {(r.protocol, r.folds, r.repeats) for r in named.values()} == {("speaker", 4, 3)}
    assert len(named) == len(ROWS)


def test_every_system_has_its_own_features_and_preset_and_the_changes():
    requests = PLAN.requests(common())
    adrnn, single = requests["adrnn-toy-paper"], requests["single-toy-paper"]
    assert (adrnn.features, adrnn.config.preset) == (["logmel3d"], "adrnn")
    assert (adrnn.config.train.lr, adrnn.config.train.batch_size) == (1e-4, 40)
    assert adrnn.config.changes == ("train.epochs=1",)
    assert (single.features, single.config.preset) == (["mfcc", "ge2e"], "paper")
    assert requests["keesing-printed-toy-paper"].config.model.standardise == "speaker"


def test_what_is_asked_of_all_counts_where_the_common_preset_has_it_so():
    asked = (
        "train.epochs=20",
        "train.refit=false",
    )  # as `paper`, and not as `capsules`, `refitted`
    config = load_config("paper", asked)
    assert config.changes == ()
    requests = PLAN.requests(replace(common(), config=config, asked=canonical(asked)))
    assert requests["capsules-toy-paper"].config.train.epochs == 20
    assert requests["keesing-toy-paper"].config.train.refit is False
    assert PLAN.changes(replace(common(), config=config, asked=asked)) == asked


def test_without_speakers_what_needs_them_is_left_out(tmp_path):
    manifest = toy_manifest()
    cache = Cache(tmp_path)
    store_manifest(cache, Manifest(manifest.table.assign(speaker="")))
    left = PLAN.lacking(PLAN.requests(common()), cache)
    used = {name for name in PLAN.requests(common()) if name not in left}
    assert used == {"baseline-toy-paper", "single-toy-paper"}
    assert "needs every speaker, but" in left["single-toy-speaker"]
    assert "--protocol" not in left["single-toy-speaker"]
    assert "whose speaker is not known" in left["keesing-printed-toy-paper"]
    assert "ser extract" in left["keesing-toy-paper"]
    alone = PLAN.lacking(PLAN.requests(common(protocol="speaker")), cache)
    assert "single-toy-speaker" not in alone  # which is refused as everywhere


def test_of_two_speakers_what_needs_three_is_left_out(tmp_path):
    cache = make_toy_cache(tmp_path, toy_manifest(speakers=2))
    left = PLAN.lacking(PLAN.requests(common()), cache)
    used = {name for name in PLAN.requests(common()) if name not in left}
    assert used == {"baseline-toy-paper", "single-toy-paper"}
    assert "the protocol 'speaker' needs at least 3" in left["single-toy-speaker"]


def test_one_of_several_corpora_cannot_do_what_was_asked(tmp_path):
    cache = make_toy_cache(tmp_path, toy_manifest())
    tic = toy_manifest(corpus="tic")
    store_manifest(cache, Manifest(tic.table.assign(speaker="")))
    config = load_config("paper", ["model.standardise=speaker"])
    several = PLAN.requests(common(corpora=["toy", "tic"], config=config))
    left = PLAN.lacking(several, cache)
    assert "tic has" in left["baseline-tic-paper"]
    assert "baseline-toy-paper" not in left
    alone = PLAN.lacking(PLAN.requests(common(corpora=["tic"], config=config)), cache)
    assert "baseline-tic-paper" not in alone  # which is refused as everywhere


@pytest.mark.long
def test_rows_say_what_their_runs_do(made):
    _, out, table = made
    values = json.loads((out / "table2.json").read_text())
    assert [(row["row"], row["protocol"], row["folds"]) for row in values["rows"]] == [
        ("baseline", "paper", None),
        ("baseline", "speaker", None),
        ("single", "paper", None),
        ("single", "speaker", None),
        ("rudd-code", "paper", None),
        ("rudd-code", "speaker", None),
        *(
            (name, protocol, folds)
            for name in ("keesing-printed", "keesing")
            for protocol, folds in (("paper", None), ("speaker", None), ("speaker", "all"))
        ),
    ]
    for row in values["rows"]:
        words = [row["row"], "toy", row["protocol"], *([row["folds"]] if row["folds"] else [])]
        run = Run.open(out / "runs" / "-".join(words))
        assert row["domain"]["ua"] == run.metrics["domains"]["toy"]["ua"]
        assert f"{run.metrics['domains']['toy']['ua']['mean']:.3f}"[1:] in table.markdown
    assert (out / "table2.md").read_text() == table.markdown


def test_it_says_where_a_number_rests_on_the_test_part(made):
    text = made[2].markdown
    assert "Keesing 2021, chosen by the test parts" in text
    for note in ("C and gamma were chosen by the test parts", "unlabelled audio of the test sp"):
        (line,) = [line for line in text.splitlines() if note in line]
        assert line.startswith("Keesing 2021, chosen by the test parts, toy `paper`;")
        assert "chosen by validation" not in line.partition(": ")[0]
    assert "`paper`: Speakers overlap between training and test" in text
    assert "`speaker`: No speaker is in two parts" in text


def test_a_row_says_what_is_changed_of_a_preset_of_its_own(made):
    text = made[2].markdown
    assert "| Rudd 2022, the released code's (with train.epochs=1) | rudd129 |" in text
    assert "| single-domain, the paper's | mfcc, ge2e |" in text
    (row,) = {str(row["changes"]) for row in made[2].values["rows"] if row["row"] == "rudd-code"}
    assert row == "['train.epochs=1']"


def test_what_is_not_cached_is_left_out_with_the_command_that_brings_it(made):
    cache, _, table = made
    left = table.values["left_out"]
    assert {*left} == {
        f"{row.method}-toy-{protocol}"
        for row in ROWS
        for protocol in ("paper", "speaker")
        if METHODS[row.method].reads
        and METHODS[row.method].reads.feature not in ("wav2vec", "rudd129")
    }
    assert "ser extract --corpus toy" in left["adrnn-toy-paper"]
    assert "logmel3d" in left["adrnn-toy-paper"]
    (line,) = [line for line in table.markdown.splitlines() if line.startswith("- adrnn-toy-paper")]
    assert "ser extract --corpus toy" in line
    with pytest.raises(MissingFeaturesError, match="pitch"):
        foresee(PLAN, common(features=["pitch"]), cache, None, Progress())


def test_it_is_taken_up_where_it_was_left_and_grows_with_the_cache(made, capsys):
    cache, out, table = made
    again = reproduce(PLAN, common(), cache, out, "ser reproduce table2", Progress())
    assert again.markdown == table.markdown
    more = Cache(cache.folder)
    manifest = more.manifest("toy")
    random = np.random.default_rng(2)
    with more.write(toy_key("vgg16", "sequence", 12), manifest) as file:
        for id in manifest.ids:
            file.add(id, random.normal(size=(2, 12)).astype(np.float32))
    plans, written = foresee(PLAN, common(), more, out, Progress())
    assert written
    assert {plan.method for plan in plans if plan.to_do} == {"rudd"}
    assert "warning: left out: adrnn-toy-paper, adrnn-toy-speaker: logmel3d" in (
        capsys.readouterr().err
    )


@pytest.mark.soak
def test_systems_that_need_weights_run_on_files_of_the_published_form(tmp_path, monkeypatch):
    weights, root = tmp_path / "weights", tmp_path / "mine"
    weights.mkdir()
    for write in (write_wav2vec, write_byol, write_vgg16):
        write(weights)
    monkeypatch.setenv("SER_WEIGHTS", str(weights))
    table = write_corpus(root, 40, longer=0).table
    rows = np.arange(len(table))
    table = table.assign(
        speaker=[f"s{row}" for row in rows % 5],
        emotion=np.array(["anger", "fear"])[rows // 5 % 2],
    )
    cache = Cache(tmp_path / "cache")
    extract_corpus(Manifest(table), root, "wav2vec,byol,vgg16,mfcc", cache)
    asked = common(corpora=["mine"], features=["mfcc"], protocol="speaker", repeats=1)
    made = reproduce(PLAN, asked, cache, tmp_path / "out", "ser", Progress(True))
    found = {row["row"]: row["domain"]["ua"]["mean"] for row in made.values["rows"]}
    assert {*found} == {
        *("baseline", "single", "rudd"),
        *("keesing", "keesing-printed", "scheidwasser", "scheidwasser-printed"),
    }
    assert all(0 <= ua <= 1 for ua in found.values())


def test_printed_numbers_stand_beside_what_they_are_of(made):
    rows = TABLE2
    assert rows["adrnn"].known["emodb"] == 0.908
    assert rows["adrnn"].unknown["emodb"] == 0.854
    assert rows["single"].known["emodb"] == 0.9556
    assert all(printed.rests_on for printed in rows.values())
    assert all(row["printed"] is None for row in made[2].values["rows"]), "toy is not a real corpus"
