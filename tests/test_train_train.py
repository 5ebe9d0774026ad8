import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors import SafetensorError

from ser.cache import store_manifest
from ser.cli import main
from ser.errors import InputError, LeakError, MissingFeaturesError, SerError
from ser.machine import torch_device
from ser.manifests import Manifest
from ser.progress import Progress
from ser.signals import handled
from ser.train.batches import ordered_batches
from ser.train.config import load_config
from ser.train.data import load_domain
from ser.train.evaluate import probabilities
from ser.train.runs.networks import member_seed
from ser.train.runs.report import describe_run
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.target import claimed
from ser.train.runs.train import default_out, train_request
from ser.train.runs.work import UNFINISHED

QUICK = load_config("paper", ["train.epochs=2"])


def request(**changes):
    values = {
        "setting": "single",
        "corpora": ["toy"],
        "features": ["mfcc", "ge2e"],
        "config": QUICK,
        "repeats": 2,
        "workers": 1,
    }
    return Request(**{**values, **changes})


def test_a_run_folder_holds_what_the_design_says(toy_cache, tmp_path):
    out = tmp_path / "run"
    run = train_request(request(), toy_cache, out)
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "history.json",
        "metrics.json",
        "model.safetensors",
        "predictions.csv",
        "split.csv",
        "versions.json",
    ]
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics == run.metrics
    assert (metrics["setting"], metrics["protocol"], metrics["repeats"]) == ("single", "paper", 2)
    toy = metrics["domains"]["toy"]
    assert toy["language"] == "de"
    assert toy["labels"] == ["neutral", "happiness", "anger"]
    assert toy["n_test"] == 12
    assert toy["interval"] == "repeats"
    assert set(toy["ua"]) == {"mean", "std", "ci95", "values"}
    assert len(toy["ua"]["values"]) == 2
    assert toy["ua"]["mean"] == pytest.approx(sum(toy["ua"]["values"]) / 2)
    assert sum(map(sum, toy["confusion"])) == 24
    speaker = dict(zip(*toy_cache.manifest("toy").table[["id", "speaker"]].T.values, strict=True))
    tested = pd.read_csv(out / "predictions.csv").groupby("repeat")["id"]
    # Every speaker has utterances in training, so all that are tested are shared.
    assert toy["speakers_shared"] == max(len({speaker[id] for id in ids}) for _, ids in tested)
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []


def test_metrics_are_those_of_the_predictions(toy_cache, tmp_path):
    metrics = train_request(request(), toy_cache, tmp_path / "run").metrics["domains"]["toy"]
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    for repeat, group in table.groupby("repeat"):
        right = group["truth"] == group["predicted"]
        assert metrics["wa"]["values"][repeat] == pytest.approx(right.mean())
        ua = right.groupby(group["truth"]).mean().mean()
        assert metrics["ua"]["values"][repeat] == pytest.approx(ua)
    columns = [f"p_{label}" for label in metrics["labels"]]
    best = table[columns].idxmax(axis=1).str.removeprefix("p_")
    assert (best == table["predicted"]).all()


def test_a_model_is_rebuilt_from_the_run_folder_alone(toy_cache, tmp_path):
    config = load_config("paper", ["train.epochs=2", "train.members=2"])
    train_request(request(config=config), toy_cache, tmp_path / "run")
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys)
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    rows = domain.rows(table[table["repeat"] == 1]["id"].tolist())
    batches = list(ordered_batches(rows, domain.lengths(), 5))
    run = Run.open(tmp_path / "run")
    mean = probabilities(run.ensemble(repeat=1), domain, rows, batches)
    predicted = [domain.labels[label] for label in mean.argmax(-1)]
    assert predicted == table[table["repeat"] == 1]["predicted"].tolist()
    with pytest.raises(InputError, match="no model of repeat 5"):
        run.ensemble(repeat=5)


def test_the_number_of_workers_does_not_change_the_numbers(toy_cache, tmp_path):
    one = train_request(request(workers=1), toy_cache, tmp_path / "one")
    two = train_request(request(workers=2), toy_cache, tmp_path / "two")
    assert one.metrics["domains"] == two.metrics["domains"]
    first = (tmp_path / "one" / "predictions.csv").read_bytes()
    assert first == (tmp_path / "two" / "predictions.csv").read_bytes()


def test_features_that_do_not_fit_into_memory_give_the_same_numbers(toy_cache, tmp_path, capsys):
    train_request(request(), toy_cache, tmp_path / "loaded")
    assert "memory" not in capsys.readouterr().err
    train_request(request(memory=0.000001, workers=2), toy_cache, tmp_path / "mapped")
    assert "do not fit into 1e-06 GB of memory" in capsys.readouterr().err
    first = (tmp_path / "loaded" / "predictions.csv").read_bytes()
    assert first == (tmp_path / "mapped" / "predictions.csv").read_bytes()


def test_protocol_speaker_tests_every_utterance_once_in_a_repeat(toy_cache, tmp_path):
    run = train_request(request(protocol="speaker", repeats=1), toy_cache, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert sorted(table["id"]) == list(toy_cache.manifest("toy").table["id"])
    assert run.metrics["domains"]["toy"]["n_test"] == 60
    assert run.metrics["domains"]["toy"]["ua"]["std"] is None
    assert run.metrics["domains"]["toy"]["ua"]["mean"] == 1
    assert run.metrics["domains"]["toy"]["ua"]["ci95"] is None  # no speaker differs from another
    assert run.metrics["domains"]["toy"]["speakers_shared"] == 0
    assert run.metrics["domains"]["toy"]["interval"] == "speakers"


def test_the_baseline_has_the_same_splits_and_the_same_shape(toy_cache, tmp_path):
    network = train_request(request(), toy_cache, tmp_path / "single")
    svm = train_request(request(setting="baseline"), toy_cache, tmp_path / "svm")
    assert set(svm.metrics) == set(network.metrics)
    assert svm.metrics["domains"]["toy"]["ua"]["mean"] > 0.7
    splits = [(tmp_path / name / "split.csv").read_bytes() for name in ("single", "svm")]
    assert splits[0] == splits[1]
    assert not (tmp_path / "svm" / "model.safetensors").exists()


def test_a_split_file_of_one_run_serves_another(toy_cache, tmp_path):
    train_request(request(setting="baseline", repeats=3), toy_cache, tmp_path / "first")
    shared = tmp_path / "first" / "split.csv"
    train_request(request(setting="baseline", splits=shared), toy_cache, tmp_path / "second")
    assert (tmp_path / "second" / "split.csv").read_bytes() == shared.read_bytes()
    with pytest.raises(InputError, match="made for --protocol paper"):
        train_request(request(splits=shared, protocol="speaker"), toy_cache, tmp_path / "third")


def test_a_split_made_to_leak_stops_before_training(toy_cache, tmp_path):
    first = request(setting="baseline", protocol="speaker", repeats=1)
    train_request(first, toy_cache, tmp_path / "run")
    lines = (tmp_path / "run" / "split.csv").read_text().splitlines()
    # One utterance goes from training to validation: its speaker is in both then.
    place = next(n for n, line in enumerate(lines) if line.endswith(",train"))
    lines[place] = lines[place].replace(",train", ",validation")
    leaking = tmp_path / "leak.csv"
    leaking.write_text("\n".join(lines) + "\n")
    with pytest.raises(LeakError, match="speaker"):
        train_request(dataclasses.replace(first, splits=leaking), toy_cache, tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_earlier_work_is_not_lost(toy_cache, tmp_path):
    out = tmp_path / "run"
    train_request(request(setting="baseline"), toy_cache, out)
    before = (out / "metrics.json").read_text()
    train_request(request(setting="baseline"), toy_cache, out)  # the same run again is no loss
    with pytest.raises(InputError, match="different run"):
        train_request(request(setting="baseline", repeats=3), toy_cache, out)
    assert (
        json.loads(before)["domains"] == json.loads((out / "metrics.json").read_text())["domains"]
    )
    train_request(request(setting="baseline", repeats=3, overwrite=True), toy_cache, out)
    assert json.loads((out / "metrics.json").read_text())["repeats"] == 3
    relabelled = toy_cache.manifest("toy").table.copy()
    relabelled.loc[0, "emotion"] = "fear"
    store_manifest(toy_cache, Manifest(relabelled), replace=True)
    with pytest.raises(InputError, match="different run"):
        train_request(request(setting="baseline", repeats=3), toy_cache, out)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a run folder"):
        train_request(request(overwrite=True), toy_cache, mine)
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_missing_features_name_the_command(toy_cache, tmp_path):
    with pytest.raises(MissingFeaturesError, match=r"--root DIR --features wav2vec,byol"):
        train_request(request(features=["wav2vec", "mfcc", "byol"]), toy_cache, tmp_path / "run")
    with pytest.raises(MissingFeaturesError, match=r"ser extract --corpus other --csv FILE"):
        train_request(request(corpora=["other"]), toy_cache, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_utterances_without_a_feature_are_left_out_only_on_request(toy_cache, tmp_path):
    manifest = toy_cache.manifest("toy")
    some = manifest.select(manifest.ids[:50])
    key = toy_cache.resolve("ge2e", manifest)
    features = toy_cache.read(key, manifest)
    toy_cache.remove("ge2e")
    with toy_cache.write(key, some) as writer:
        for row, id in enumerate(features.ids[:50]):
            writer.add(id, features[row][0])
    with pytest.raises(MissingFeaturesError, match="10 of 60"):
        train_request(request(setting="baseline"), toy_cache, tmp_path / "run")
    run = train_request(request(setting="baseline", skip_missing=True), toy_cache, tmp_path / "run")
    assert run.config.corpora["toy"].skipped == tuple(manifest.ids[50:])
    assert run.metrics["domains"]["toy"]["n_test"] == 10


def test_a_run_that_cannot_take_its_place_is_kept_and_so_is_the_old_one(
    toy_cache, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    train_request(request(setting="baseline"), toy_cache, out)
    before = (out / "metrics.json").read_bytes()
    rename = Path.rename

    def refuse(self, target):
        if target == out and "replaced" not in self.name:
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(SerError, match="it is whole in") as caught:
        train_request(request(setting="baseline", repeats=3, overwrite=True), toy_cache, out)
    assert (out / "metrics.json").read_bytes() == before
    kept = Path(str(caught.value).rpartition("it is whole in ")[2])
    assert (kept / "metrics.json").exists()


def test_what_others_put_into_a_run_folder_stays(toy_cache, tmp_path):
    out = tmp_path / "run"
    train_request(request(setting="baseline"), toy_cache, out)
    (out / "notes.md").write_text("mine")
    (out / "split-mine.csv").write_text("mine too, though runs write such names")
    train_request(request(setting="baseline"), toy_cache, out)
    train_request(request(setting="baseline", repeats=3, overwrite=True), toy_cache, out)
    assert (out / "notes.md").read_text() == "mine"
    assert (out / "split-mine.csv").read_text().startswith("mine too")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["run"]


def test_a_folder_with_another_config_json_is_no_run(toy_cache, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["WavLM"]}')
    with pytest.raises(InputError, match="not a run folder"):
        train_request(request(setting="baseline", overwrite=True), toy_cache, tmp_path / "model")


def test_the_working_folder_is_no_run_folder(toy_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="name a folder in it"):
        train_request(request(setting="baseline"), toy_cache, Path())


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has the limit")
def test_many_jobs_need_few_file_descriptors(toy_cache, tmp_path):
    """And a script is not run again by its workers."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from ser.cache import Cache\n"
        "from ser.train.config import load_config\n"
        "from ser.train.runs.request import Request\n"
        "from ser.train.runs.train import train_request\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))\n"
        "config = load_config('paper', ['train.epochs=1'])\n"
        "request = Request('single', ['toy'], ['mfcc', 'ge2e'], config, repeats=6, workers=2)\n"
        "train_request(request, Cache(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, script, toy_cache.folder, tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "metrics.json").exists()


def test_a_run_that_cannot_be_written_says_so(toy_cache, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("ser.train.runs.record.save_file", full)
    with pytest.raises(SerError, match="No space left"):
        train_request(request(), toy_cache, tmp_path / "run")
    kept = [path.name for path in tmp_path.iterdir() if path.name != "cache"]
    assert kept == [UNFINISHED]  # to be written when there is room


def test_one_emotion_is_not_enough(cache_maker, tmp_path):
    cache = cache_maker()
    table = cache.manifest("toy").table.copy()
    table["emotion"] = "anger"
    store_manifest(cache, Manifest(table), replace=True)
    with pytest.raises(InputError, match="at least two"):
        train_request(request(setting="baseline"), cache, tmp_path / "run")


@pytest.mark.long
def test_workers_start_where_the_temporary_folder_has_a_long_path(toy_cache, tmp_path):
    temporary = tmp_path / ("t" * 108)  # more than a Unix socket takes
    temporary.mkdir()
    arguments = ["train", "--setting", "single", "--corpus", "toy", "--workers", "2"]
    arguments += ["--set", "train.epochs=2", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-c", "from ser.cli import main; main()", *arguments]
    done = subprocess.run(
        [*command, "--cache", str(toy_cache.folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs the program ps")
@pytest.mark.parametrize(
    "killer",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, marks=pytest.mark.long),
        signal.SIGKILL,
    ],
)
def test_nothing_goes_on_after_an_interrupted_training(
    toy_cache, tmp_path, tmp_path_factory, killer
):
    arguments = ["train", "--setting", "single", "--corpus", "toy", "--workers", "2"]
    arguments += ["--set", "train.epochs=100000", "--out", str(tmp_path / "run")]
    arguments += ["--cache", str(toy_cache.folder)]
    command = [sys.executable, "-c", "from ser.cli import main; main()", *arguments]
    temporary = tmp_path_factory.mktemp("t")  # short enough for a socket
    # Where this is run in the background, the signal may be ignored here, and would be there.
    with handled({signal.SIGINT: signal.default_int_handler}):
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
    group = os.getpgid(process.pid)
    deadline = time.monotonic() + 120
    while len(children(group)) < 4 and time.monotonic() < deadline:  # main, tracker, two workers
        time.sleep(0.2)
    time.sleep(1)
    if killer != signal.SIGKILL:
        # A terminal tells the whole group, `kill` the one process.
        (os.killpg if killer == signal.SIGINT else os.kill)(group, killer)
        assert process.wait(timeout=60) == 128 + killer
        told = process.stderr.read()
        assert b"interrupted" in told
        assert b"Traceback" not in told
        assert b"leaked" not in told
        assert list(temporary.iterdir()) == []
        assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []
    else:
        process.kill()
        process.wait(timeout=60)
    while children(group) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert children(group) == []


def children(group: int) -> list[int]:
    """Processes of a process group that are alive."""
    found = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True).stdout
    rows = [line.split() for line in found.splitlines()[1:]]
    return [int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")]


def test_an_unknown_setting_is_told(toy_cache, tmp_path):
    with pytest.raises(InputError, match="expected single or baseline"):
        train_request(request(setting="sinlge"), toy_cache, tmp_path / "run")


@pytest.mark.parametrize("features", [[], [""], ["mfcc", "mfcc"], ["mfcc", "mfcc@{prefix}"]])
def test_a_wrong_list_of_features_is_told(toy_cache, tmp_path, features):
    prefix = toy_cache.resolve("mfcc", toy_cache.manifest("toy")).hash[:6]
    features = [name.format(prefix=prefix) for name in features]
    with pytest.raises(InputError, match="--features"):
        train_request(request(features=features), toy_cache, tmp_path / "run")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_a_run_folder_that_cannot_be_written_is_told_before_training(toy_cache, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file, expected a folder"):
        train_request(request(), toy_cache, tmp_path / "file" / "run")
    with pytest.raises(SerError, match="cannot be written"):
        train_request(request(), toy_cache, tmp_path / ("a" * 300))


def test_an_unknown_device_is_told():
    assert torch_device("cpu") == torch.device("cpu")
    for name in ("warp", "meta"):
        with pytest.raises(InputError, match="try --device cpu"):
            torch_device(name)


def test_training_imports_no_backbone():
    code = (
        "import sys, pkgutil, importlib, ser.train\n"
        "for module in pkgutil.iter_modules(ser.train.__path__):\n"
        "    importlib.import_module(f'ser.train.{module.name}')\n"
        "heavy = {'librosa', 'transformers', 'allosaurus', 'resemblyzer', 'soundfile', 'soxr'}\n"
        "heavy |= {m for m in sys.modules if m.startswith('ser.extract')}\n"
        "print([m for m in sys.modules if m.split('.')[0] in heavy or m in heavy])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_two_runs_of_one_second_have_a_folder_each(toy_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda *_: "20261125-173000")
    arguments = ["train", "--setting", "baseline", "--corpus", "toy", "--repeats", "1"]
    for repeats in ("1", "2"):
        arguments[-1] = repeats
        result = CliRunner().invoke(main, [*arguments, "--cache", str(toy_cache.folder)])
        assert result.exit_code == 0, result.output
    names = ["toy-baseline-paper-20261125-173000", "toy-baseline-paper-20261125-173000-2"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == names
    found = [json.loads((tmp_path / "runs" / n / "metrics.json").read_text()) for n in names]
    assert [each["repeats"] for each in found] == [1, 2]


def test_folders_are_named_after_corpora_method_preset_and_protocol(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    preset = tmp_path / "my presets" / "Über 9000.toml"
    preset.parent.mkdir()
    preset.write_text('base = "paper"', encoding="utf-8")
    single = request(config=load_config(str(preset)))
    assert default_out(single) == Path("runs/toy-single-ber-9000-paper-now")
    strong = load_config("strong")
    ours = request(setting="multidomain", corpora=["a", "b"], method="ours", config=strong)
    assert default_out(ours) == Path("runs/a+b-ours-strong-paper-now")
    many = request(setting="multidomain", corpora=[f"c{n}" for n in range(60)], method="sb")
    assert default_out(many) == Path("runs/c0+59-more-sb-paper-paper-now")


def test_a_second_command_into_the_same_folder_is_refused(toy_cache, tmp_path):
    with claimed(tmp_path / "run", print):  # noqa: SIM117
        with pytest.raises(InputError, match="another command is at work there"):
            train_request(request(setting="baseline"), toy_cache, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX has modes")
def test_a_colleague_can_read_all_of_a_run(toy_cache, tmp_path):
    before = os.umask(0o022)
    try:
        train_request(request(), toy_cache, tmp_path / "run")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "run").iterdir()}
    assert set(modes.values()) == {0o644}, modes


def test_another_seed_begins_elsewhere_on_the_same_splits(toy_cache, tmp_path):
    def run(name, *changes):
        config = load_config("strong", ["train.epochs=2", "train.members=2", *changes])
        return train_request(request(config=config), toy_cache, tmp_path / name)

    usual, shifted = run("usual"), run("shifted", "train.seed=7")
    same = [(tmp_path / name / "split.csv").read_bytes() for name in ("usual", "shifted")]
    assert same[0] == same[1]
    tables = [pd.read_csv(tmp_path / name / "predictions.csv") for name in ("usual", "shifted")]
    assert not tables[0]["p_anger"].equals(tables[1]["p_anger"])
    assert tables[0]["id"].equals(tables[1]["id"])
    assert usual.metrics["changes"] == ["train.epochs=2", "train.members=2"]
    assert "train.seed=7" in describe_run(shifted.metrics)
    histories = [
        json.loads((tmp_path / n / "history.json").read_text()) for n in ("usual", "shifted")
    ]
    seeds = [[m["seed"] for each in history for m in each["members"]] for history in histories]
    assert seeds == [[0, 1000, 1, 1001], [700_000, 701_000, 700_001, 701_001]]


def test_no_two_members_begin_alike():
    seeds = {
        member_seed(repeat, member, shift)
        for repeat in (0, 1, 5, 999)
        for member in (0, 1, 99)
        for shift in (0, 1, 2, 30_000)
    }
    assert len(seeds) == 4 * 3 * 4
    assert max(member_seed(999_999_999, 99, 30_000), *seeds) < 2**32  # what torch looks at


def test_what_the_numbers_rest_on_is_in_the_metrics(cache_maker, tmp_path):
    cache = cache_maker(utterances=21)
    run = train_request(request(setting="baseline", repeats=1), cache, tmp_path / "run")
    toy = run.metrics["domains"]["toy"]
    assert toy["n_test"] == 4
    assert any("so that the recall rests on these" in note for note in toy["notes"])
    if toy["ua"]["ci95"] is None:
        assert "none: 4 test utterances" in describe_run(run.metrics)
    for note in toy["notes"]:
        assert f"Note: {note}" in describe_run(run.metrics)


def test_a_run_says_what_made_it(toy_cache, tmp_path):
    train_request(request(), toy_cache, tmp_path / "run")
    about = json.loads((tmp_path / "run" / "versions.json").read_text())
    (processor,) = about["processors"]
    assert processor.endswith(torch.backends.cpu.get_cpu_capability())
    assert about["cores"] >= 1
    assert about["torch"] == torch.__version__


def test_a_run_of_an_earlier_version_is_refused_with_a_word(toy_cache, tmp_path):
    train_request(request(), toy_cache, tmp_path / "run")
    path = tmp_path / "run" / "versions.json"
    about = json.loads(path.read_text())
    for name in ("sha256", "processors", "cores"):
        del about[name]
    path.write_text(json.dumps(about))
    with pytest.raises(InputError, match="of another version of ser"):
        Run.open(tmp_path / "run")
    with pytest.raises(InputError, match="of another version of ser; choose another --out"):
        train_request(request(), toy_cache, tmp_path / "run")


def test_one_flipped_bit_in_the_models_is_noticed(toy_cache, tmp_path):
    train_request(request(), toy_cache, tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"model.safetensors is not as the run wrote it"):
        Run.open(tmp_path / "run").ensemble()


def test_progress_says_epochs_as_the_preset_has_them(toy_cache, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "show", lambda _, text, *far: shown.append(text))
    config = load_config("strong-1", ["train.epochs=3", "train.members=2"])
    train_request(request(config=config), toy_cache, tmp_path / "run", Progress())
    assert shown[:2] == ["starting", "looking up toy in the cache"]
    assert "loading torch" in shown
    assert "reading features of toy: 60 utterances" in shown
    assert shown[-1].startswith("1 of 2 runs done, 12 of 12 epochs (2 runs x 2 members x 3)")
