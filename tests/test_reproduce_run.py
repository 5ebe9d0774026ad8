import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score
from torch.nn import functional as F  # noqa: N812

from ser.cache import store_manifest
from ser.errors import InputError, MissingFeaturesError, SerError
from ser.manifests import LabelMap, Manifest
from ser.progress import Progress
from ser.reproduce.plan import default_out, path_name
from ser.reproduce.run import PLANS, foresee, reproduce
from ser.train.config import load_config
from ser.train.data import load_domain
from ser.train.encoding import Encoding
from ser.train.evaluate import representations
from ser.train.methods import methods_of
from ser.train.runs import load, pool, work
from ser.train.runs.request import Request
from ser.train.runs.run import Run, checksum
from ser.train.runs.target import claimed

from .conftest import make_toy_cache, make_two_corpora, toy_manifest

QUICK = ("train.epochs=1",)

METHODS = methods_of("multidomain")


def common(preset="strong", changes=(*QUICK, "train.members=1"), **others):
    values = {
        "setting": "single",
        "corpora": ["toy", "tic"],
        "features": ["mfcc", "ge2e"],
        "config": load_config(preset, changes),
        "repeats": 2,
        "workers": 1,
    }
    return Request(**{**values, **others})


def run(cache, out, what="table3", **changes):
    return reproduce(PLANS[what], common(**changes), cache, out, "ser reproduce", Progress())


def test_table3_has_all_methods_the_single_models_and_the_svm(two_corpora, tmp_path):
    found = run(two_corpora, tmp_path / "out")
    values = json.loads((tmp_path / "out" / "table3.json").read_text())
    assert [row["row"] for row in values["rows"]] == ["baseline", "single", *METHODS]
    assert (tmp_path / "out" / "table3.md").read_text() == found.markdown
    for row in values["rows"]:
        runs = tmp_path / "out" / "runs"
        means = []
        for corpus in ("toy", "tic"):
            name = row["row"] if row["row"] in METHODS else f"{row['row']}-{corpus}"
            metrics = json.loads((runs / name / "metrics.json").read_text())["domains"][corpus]
            assert row["domains"][corpus]["ua"] == metrics["ua"]
            means.append(metrics["ua"]["mean"])
        assert row["mean"]["ua"]["mean"] == pytest.approx(sum(means) / 2)
    assert len(values["tests"]) == 7 * 6 / 2 * 3
    ours, base = (row["mean"]["ua"]["mean"] for row in (values["rows"][-1], values["rows"][2]))
    test = next(
        each
        for each in values["tests"]
        if (each["row"], each["than"], each["over"]) == ("ours", "base", "mean")
    )
    assert test["difference"] == pytest.approx(ours - base)
    assert "Speakers overlap" in found.markdown
    assert not unfinished(tmp_path / "out").exists()


def test_what_is_finished_is_not_done_again(two_corpora, tmp_path, monkeypatch):
    first = run(two_corpora, tmp_path / "out")

    def no_jobs(*_):
        raise AssertionError("a finished run was started again")

    monkeypatch.setattr(pool, "run_jobs", no_jobs)
    assert run(two_corpora, tmp_path / "out").values == first.values


def test_a_damaged_finished_run_is_done_again(two_corpora, tmp_path, monkeypatch):
    whole = run(two_corpora, tmp_path / "whole")
    real = pool.run_jobs

    def some(*arguments):
        for number, each in enumerate(real(*arguments)):
            if number == 5:
                raise KeyboardInterrupt
            yield each

    monkeypatch.setattr(pool, "run_jobs", some)
    with pytest.raises(KeyboardInterrupt):
        run(two_corpora, tmp_path / "out")
    kept = sorted(unfinished(tmp_path / "out").iterdir())
    assert len(kept) == 1  # of five, two pairs became run folders
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    monkeypatch.undo()
    assert run(two_corpora, tmp_path / "out").values == whole.values


SCRIPT = """
import sys
from pathlib import Path
from ser.cache import Cache
from ser.progress import Progress
from ser.reproduce.run import PLANS, reproduce
from ser.train.config import load_config
from ser.train.runs.request import Request

if __name__ == "__main__":
    config = load_config("strong", ["train.epochs=1", "train.members=1"])
    common = Request("single", ["toy", "tic"], ["mfcc", "ge2e"], config, repeats=2, workers=2)
    cache, out = Cache(Path(sys.argv[1])), Path(sys.argv[2])
    reproduce(PLANS["table3"], common, cache, out, "ser reproduce", Progress())
"""


@pytest.mark.long
def test_a_table_that_was_killed_ends_as_one_that_was_not(two_corpora, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(two_corpora.folder), str(out)]

    def finished():
        whole = len(list(out.glob("runs/[!.]*")))
        return 2 * whole + len(list(unfinished(out).glob("[!.]*")))

    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and finished() < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    before = finished()
    assert 3 <= before < 18
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    started = [line for line in done.stderr.splitlines() if ": repeat " in line]
    # Of two that had just become a run folder, one or both may have been counted twice.
    assert 18 - before <= len(started) <= 20 - before
    whole = run(two_corpora, tmp_path / "whole")
    for name in ("table3.json", "table3.md"):
        assert (out / name).read_text() == (tmp_path / "whole" / name).read_text()
    for folder in sorted((tmp_path / "whole" / "runs").iterdir()):
        ours, other = (
            pd.read_csv(each / "predictions.csv") for each in (folder, out / "runs" / folder.name)
        )
        pd.testing.assert_frame_equal(ours, other)
    assert whole.values["what"] == "table3"


def test_a_run_of_other_code_is_taken_over_with_a_note(two_corpora, tmp_path):
    first = run(two_corpora, tmp_path / "out", "table4")
    assert first.values["notes"] == []
    path = tmp_path / "out" / "runs" / "with-toy" / "versions.json"
    about = json.loads(path.read_text()) | {"ser.train": "0badc0de"}
    path.write_text(json.dumps(about | {"sha256": checksum(about)}))
    again = run(two_corpora, tmp_path / "out", "table4")
    note = "with-toy was trained with ser.train 0badc0de, unlike the others."
    assert again.values["notes"] == [note]
    assert note in again.markdown


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "versions.json"])
def test_a_run_that_is_not_as_it_was_written_is_not_used(two_corpora, tmp_path, name):
    first = run(two_corpora, tmp_path / "out", "table4")
    path = tmp_path / "out" / "runs" / "with-toy" / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="or not all of this one"):
        run(two_corpora, tmp_path / "out", "table4")
    again = run(two_corpora, tmp_path / "out", "table4", overwrite=True)
    assert again.values == first.values


def test_a_table_of_other_corpora_is_not_replaced(two_corpora, tmp_path):
    run(two_corpora, tmp_path / "out", "table4", corpora=["toy"])
    before = (tmp_path / "out" / "table4.md").read_text()
    with pytest.raises(InputError, match="of something else"):
        run(two_corpora, tmp_path / "out", "table4", corpora=["tic"])
    assert (tmp_path / "out" / "table4.md").read_text() == before
    run(two_corpora, tmp_path / "out", "table4", corpora=["tic"], overwrite=True)
    assert "| tic |" in (tmp_path / "out" / "table4.md").read_text()


def test_what_cannot_be_told_or_written_is_refused_before_any_work(
    two_corpora, tmp_path, monkeypatch
):
    monkeypatch.setattr(load, "load_domains", lambda *_: pytest.fail("work was begun"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError, match="cannot be written"):
        run(two_corpora, tmp_path / "file")
    with pytest.raises(InputError, match="named twice"):
        run(two_corpora, tmp_path / "out", "table4", corpora=["toy", "toy"])
    manifest = two_corpora.manifest("toy")
    few = manifest.select([*manifest.ids[:6], *manifest.ids[-6:]])
    store_manifest(two_corpora, few, replace=True)
    with pytest.raises(InputError, match=r"toy: its test part has \d utterances"):
        run(two_corpora, tmp_path / "out", "table4", corpora=["toy"])


def test_of_folds_together_enough_is_tested(two_corpora, tmp_path):
    manifest = two_corpora.manifest("toy")
    one = manifest.table["speaker"] == manifest.table["speaker"].iloc[0]
    few = manifest.select([id for id, of in zip(manifest.ids, one, strict=True) if not of][:-1])
    few = Manifest(few.table.assign(speaker=["rare", "rare", *few.table["speaker"][2:]]))
    store_manifest(two_corpora, few, replace=True)
    request = common(corpora=["toy"], protocol="speaker", folds="all", repeats=1)
    planned, _ = foresee(PLANS["table4"], request, two_corpora, tmp_path / "out", Progress())
    assert len(planned) == 2


def test_other_runs_in_the_folder_are_refused(two_corpora, tmp_path):
    run(two_corpora, tmp_path / "out", "table4", corpora=["toy"])
    for name in ("table4.json", "table4.md"):
        (tmp_path / "out" / name).unlink()
    with pytest.raises(InputError, match="holds a different run"):
        run(two_corpora, tmp_path / "out", "table4", corpora=["toy"], changes=("train.lr=0.1",))
    changed = {"corpora": ["toy"], "changes": ("train.epochs=2",), "overwrite": True}
    run(two_corpora, tmp_path / "out", "table4", **changed)


def test_a_table_of_mapped_labels_says_so_and_has_no_printed_numbers(two_corpora, tmp_path):
    label_map = LabelMap({"anger": "negative", "neutral": "other", "happiness": "other"}, "two.csv")
    found = run(two_corpora, tmp_path / "out", "table4", label_map=label_map)
    for row in found.values["rows"]:
        assert row["domains"]["toy"]["labels"] == ["negative", "other"]
    assert "Labels: anger is negative, neutral is other, happiness is other." in found.markdown
    with pytest.raises(InputError, match="is of something else"):
        run(two_corpora, tmp_path / "out", "table4")
    assert default_out(common(label_map=label_map)).name.endswith("-two")


def test_table4_differs_in_alpha_alone(two_corpora, tmp_path):
    requests = PLANS["table4"].requests(common(corpora=["toy"]))
    alphas = {name: each.config.train.alpha for name, each in requests.items()}
    assert alphas == {"with-toy": -1.0, "without-toy": 0.0}
    values = run(two_corpora, tmp_path / "out", "table4", corpora=["toy"]).values
    assert [row["row"] for row in values["rows"]] == ["with", "without"]


def test_what_tables_have_in_common_is_trained_once(two_corpora, tmp_path, capsys):
    run(two_corpora, tmp_path / "out")
    capsys.readouterr()
    run(two_corpora, tmp_path / "out", "table4")
    told = capsys.readouterr().err
    assert "4 of 8 runs were finished before" in told
    assert told.count(": repeat ") == 4
    assert (tmp_path / "out" / "table3.json").is_file()
    assert (tmp_path / "out" / "table4.json").is_file()


def test_a_run_that_somebody_put_things_into_is_taken_over(two_corpora, tmp_path):
    run(two_corpora, tmp_path / "out", "table4", corpora=["toy"])
    runs = tmp_path / "out" / "runs"
    (runs / "without-toy" / "figures").mkdir()
    (runs / "without-toy").rename(runs / "mine")
    run(two_corpora, tmp_path / "out", "table4", corpora=["toy"])
    found = [(runs / name / "metrics.json").read_text() for name in ("mine", "without-toy")]
    assert found[0] == found[1]


def test_the_weight_of_the_auxiliary_loss_is_the_table_s(two_corpora, tmp_path):
    changed = {"corpora": ["toy"], "changes": ("train.alpha=0.3",)}
    with pytest.raises(InputError, match="table4 sets it itself"):
        run(two_corpora, tmp_path / "out", "table4", **changed)


def test_names_of_corpora_may_have_hyphens_or_be_numbers(tmp_path):
    names = ["my-corpus", "2023"]
    for corpus in names:
        cache = make_toy_cache(tmp_path / "cache", toy_manifest(corpus=corpus))
    values = run(cache, tmp_path / "out", "table4", corpora=names, protocol="speaker").values
    assert [list(row["domains"]) for row in values["rows"]] == [names, names]
    for row in values["rows"]:
        halves = [
            max(abs(bound - each["ua"]["mean"]) for bound in each["ua"]["ci95"])
            for each in row["domains"].values()
        ]
        low, high = row["mean"]["ua"]["ci95"]
        assert (high - low) / 2 == pytest.approx(np.hypot(*halves) / 2)
        assert {each["interval"] for each in row["domains"].values()} == {"speakers"}
    assert all(test["p_repeats"] is None for test in values["tests"])
    assert {test["units"] for test in values["tests"]} == {6, 12}


def test_fig3_is_drawn_from_the_rebuilt_models(two_corpora, tmp_path):
    pytest.importorskip("matplotlib")
    found = run(two_corpora, tmp_path / "out", "fig3", corpora=["toy"])
    assert "Speakers overlap" in found.markdown
    manifest = two_corpora.manifest("toy")
    keys = {name: two_corpora.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(two_corpora, manifest, keys).encoded(Encoding("functionals"))
    values = json.loads((tmp_path / "out" / "fig3.json").read_text())
    assert [panel["model"] for panel in values["panels"]] == ["without", "with"]
    for panel in values["panels"]:
        assert len(panel["points"]) == len(panel["labels"]) == 12
        ensemble = Run.open(tmp_path / "out" / "runs" / f"{panel['model']}-toy").ensemble()
        (model,) = ensemble.members
        points = representations(model, domain, domain.rows(panel["ids"]))
        distances = 1 - F.cosine_similarity(points[:, None], points[None], dim=-1).numpy()
        np.fill_diagonal(distances, 0)
        silhouette = silhouette_score(distances, panel["labels"], metric="precomputed")
        assert panel["silhouette"] == pytest.approx(silhouette, abs=1e-4)
    assert (tmp_path / "out" / "fig3.png").read_bytes().startswith(b"\x89PNG")


def test_fig4_sets_single_features_beside_the_gates(two_corpora, tmp_path):
    pytest.importorskip("matplotlib")
    found = run(two_corpora, tmp_path / "out", "fig4")
    for corpus in ("toy", "tic"):
        values = found.values["by_corpus"][corpus]
        structure = json.loads((tmp_path / "out" / "runs" / "ours" / "structure.json").read_text())
        assert values["gate"] == structure[corpus]["gate"]
        for feature, rate in values["alone"].items():
            path = tmp_path / "out" / "runs" / f"{feature}-{corpus}" / "metrics.json"
            assert rate == json.loads(path.read_text())["domains"][corpus]["ua"]
        alike = (values["alone"]["mfcc"]["mean"] > values["alone"]["ge2e"]["mean"]) == (
            values["gate"]["mfcc"] > values["gate"]["ge2e"]
        )
        if values["alone"]["mfcc"]["mean"] != values["alone"]["ge2e"]["mean"]:
            assert values["rank_correlation"] == pytest.approx(1 if alike else -1)
    assert (tmp_path / "out" / "fig4.png").stat().st_size > 1000
    assert "are open (mean xi above .5): toy 4 of 4, tic 4 of 4." in found.markdown
    features = [each.features for each in PLANS["fig4"].requests(common()).values()]
    assert features == [["mfcc"], ["mfcc"], ["ge2e"], ["ge2e"], ["mfcc", "ge2e"]]


def test_the_paper_s_corpora_are_the_default_and_their_printed_numbers_are_shown(
    cache_maker, tmp_path
):
    for corpus, language in (("emodb", "de"), ("cafe", "fr")):
        manifest = toy_manifest(language=language, corpus=corpus)
        cache = make_toy_cache(tmp_path / "cache", manifest)
    found = run(cache, tmp_path / "out", corpora=[])
    assert found.values["corpora"] == ["emodb", "cafe"]
    assert "| Ours | .958 / .954 | .871 / .851 |" in found.markdown


def test_too_few_corpora_are_told_with_those_that_are_there(two_corpora, tmp_path):
    with pytest.raises(InputError, match=r"has none; .* --corpus tic,toy"):
        run(two_corpora, tmp_path / "out", corpora=[])


def test_features_that_would_share_a_folder_are_refused():
    with pytest.raises(InputError, match="share a run folder's name"):
        PLANS["fig4"].requests(common(features=["hf:a/b", "hf:a-b"]))


def test_folders_are_named_after_what_is_in_them():
    assert default_out(common()) == Path("reproduced/strong-paper-mfcc+ge2e")
    assert path_name("hf:microsoft/wavlm:layer=9") == "hf-microsoft-wavlm-layer-9"


def interrupted(monkeypatch, cache, out, after=5):
    """Run a table and stop it when so many jobs are done; the results that wait for others."""
    real = pool.run_jobs

    def some(*arguments):
        for number, each in enumerate(real(*arguments)):
            if number == after:
                raise KeyboardInterrupt
            yield each

    with monkeypatch.context() as patch:
        patch.setattr(pool, "run_jobs", some)
        with pytest.raises(KeyboardInterrupt):
            run(cache, out)
    return sorted(unfinished(out).iterdir())


def unfinished(out):
    return out / "runs" / work.UNFINISHED


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """A cache, what table 4 says of it, and the folder of a table 3 that was interrupted."""
    folder = tmp_path_factory.mktemp("cut-off")
    cache = make_two_corpora(folder / "cache")
    whole = run(cache, folder / "whole", "table4")
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, cache, folder / "out")
    return cache, whole.values["rows"], folder / "out"


@pytest.mark.parametrize("where", [0.02, 0.4, 0.6, 0.999])
def test_one_flipped_bit_of_a_finished_job_is_noticed(cut_off, tmp_path, capsys, where):
    cache, whole, out = cut_off
    shutil.copytree(out, tmp_path / "out")
    (kept,) = unfinished(tmp_path / "out").iterdir()
    data = bytearray(kept.read_bytes())
    data[int(where * len(data))] ^= 1
    kept.write_bytes(data)
    capsys.readouterr()
    run(cache, tmp_path / "out")
    assert capsys.readouterr().err.count("1 finished runs in") == 1
    assert run(cache, tmp_path / "out", "table4").values["rows"] == whole


def test_what_a_killed_command_was_writing_goes(two_corpora, tmp_path, monkeypatch):
    (kept,) = interrupted(monkeypatch, two_corpora, tmp_path / "out")
    kept.with_name(f".partial-{'0' * 32}-{kept.name}").write_bytes(b"half")
    run(two_corpora, tmp_path / "out")
    assert not unfinished(tmp_path / "out").exists()


def test_two_commands_over_one_folder_do_not_meet(two_corpora, tmp_path):
    with claimed(tmp_path / "out" / "runs", print):  # noqa: SIM117
        with pytest.raises(InputError, match="another command is at work there"):
            run(two_corpora, tmp_path / "out", "table4", corpora=["toy"])


def test_utterances_without_a_feature_are_left_out_of_all_experiments(two_corpora, tmp_path):
    manifest = two_corpora.manifest("toy")
    key = two_corpora.resolve("ge2e", manifest)
    features = two_corpora.read(key, manifest)
    tic = two_corpora.manifest("tic")
    other = two_corpora.read(key, tic)
    two_corpora.remove("ge2e")
    for corpus, rows in ((manifest.select(manifest.ids[3:]), features), (tic, other)):
        with two_corpora.write(key, corpus) as writer:
            for row, id in enumerate(rows.ids):
                if id in corpus.ids:
                    writer.add(id, rows[row][0])
    with pytest.raises(MissingFeaturesError):
        run(two_corpora, tmp_path / "out", "fig4")
    pytest.importorskip("matplotlib")
    found = run(two_corpora, tmp_path / "out", "fig4", skip_missing=True)
    note = "toy: 3 of 60 utterances lack a feature and were left out."
    assert note in found.markdown
    # The models of `mfcc` alone, which all utterances have, are of the same utterances.
    splits = [
        (tmp_path / "out" / "runs" / name).read_bytes()
        for name in ("mfcc-toy/split.csv", "ge2e-toy/split.csv", "ours/split-toy.csv")
    ]
    assert splits[0] == splits[1] == splits[2]
    table = run(two_corpora, tmp_path / "out", "table4", skip_missing=True)
    assert table.markdown.count(note) == 1


def test_runs_of_another_processor_are_noted(two_corpora, tmp_path):
    first = run(two_corpora, tmp_path / "out", "table4")
    (here,) = first.values["made"]["processors"]
    assert f"Computed on {here}; ser " in first.markdown
    path = tmp_path / "out" / "runs" / "with-toy" / "versions.json"
    about = json.loads(path.read_text()) | {"processors": ["Abacus, no vectors"]}
    path.write_text(json.dumps(about | {"sha256": checksum(about)}))
    again = run(two_corpora, tmp_path / "out", "table4")
    assert "with-toy on Abacus, no vectors" in again.markdown
    assert "may differ by some .002" in again.markdown
    assert again.values["rows"] == first.values["rows"]


def test_the_preset_is_said_and_whether_anybody_chose_it(two_corpora, tmp_path):
    changed = {"corpora": ["toy"], "changes": QUICK}
    paper = run(two_corpora, tmp_path / "a", "table4", preset="paper", **changed).markdown
    assert "preset `paper` (the default) with train.epochs=1, protocol" in paper
    strong = run(two_corpora, tmp_path / "b", "table4", preset="strong", **changed).markdown
    assert "preset `strong` with train.epochs=1, protocol" in strong
