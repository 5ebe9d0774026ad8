"""Run folders and tables as strangers, bad disks and killed copies may leave them."""

import copy
import hashlib
import json
import math
import os
import shutil
import struct

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from ser.errors import InputError, LeakError, SerError
from ser.files import read_regular
from ser.progress import Progress
from ser.reproduce.run import PLANS, measured, reproduce
from ser.train.config import load_config
from ser.train.runs.experiment import resolve
from ser.train.runs.kept import load_outcome, save_outcome
from ser.train.runs.load import encode, load_domains
from ser.train.runs.networks import run_network
from ser.train.runs.request import Request
from ser.train.runs.run import Run, checksum
from ser.train.runs.splits import split_file
from ser.train.runs.target import holds_run
from ser.train.runs.train import train_request

from ..conftest import make_toy_cache, toy_manifest

QUICK = ["train.epochs=1", "train.members=1"]


def request(method="", **changes):
    values = {
        "setting": "multidomain" if method else "single",
        "corpora": ["toy", "tic"] if method else ["toy"],
        "features": ["mfcc", "ge2e"],
        "config": load_config("strong", QUICK),
        "method": method,
        "repeats": 1,
        "workers": 1,
    }
    return Request(**{**values, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache and two runs on it, of one corpus and of two."""
    folder = tmp_path_factory.mktemp("made")
    make_toy_cache(folder / "cache")
    cache = make_toy_cache(
        folder / "cache", toy_manifest(utterances=45, language="it", corpus="tic")
    )
    for method in ("", "omoe"):
        train_request(request(method), cache, folder / (method or "single"))
    return folder, cache


def junk(case):
    deep = []
    for _ in range(200):
        deep = [deep]
    return case.choice(
        [
            *(None, True, False, -1, 0, 1, 3, 10**30, -(10**30), 1.5, math.nan, math.inf),
            *("", "x", "x" * 5000, "../../secret", "/dev/zero", "\u202e", "\ud800", "a\nb", "NA"),
            *([], {}, [1], ["x"], [[[]]], {"a": {"b": []}}, deep, list(range(3000))),
        ]
    )


def mutate(case, values):
    """Change one place of nested plain values."""
    values = copy.deepcopy(values)
    place, key = None, None
    while isinstance(values if place is None else place[key], (dict, list)):
        inner = values if place is None else place[key]
        if not inner or (place is not None and case.random() < 0.2):
            break
        place, key = (
            inner,
            case.choice(list(inner) if isinstance(inner, dict) else range(len(inner))),
        )
    how = case.choice(["replace", "replace", "delete", "add"])
    if place is None:
        return junk(case)
    if how == "delete":
        del place[key]
    elif how == "add" and isinstance(place, dict):
        place[case.choice(["x", "../x", "dim", "files"])] = junk(case)
    else:
        place[key] = junk(case)
    return values


def json_text(case, values):
    """Mostly one changed place; now and then no such JSON at all."""
    if case.random() < 0.8:
        return json.dumps(mutate(case, values)).encode()
    text = json.dumps(values).encode()
    return case.choice(
        [
            text[: case.randrange(len(text))],
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b'{"files": 1, "files": 2}',
            text.replace(b"1", b"1e999", 1),
            text.replace(b"1", b"NaN", 1),
            b"\xff\xfe" + text,
            b"",
            b"9" * 10_000,
            text + text,
        ]
    )


UNSEALED = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What may come of sealing a folder whose `versions.json` was spoiled."""


def seal(folder):
    """Make the hashes agree with what is there, as a stranger would."""
    path = folder / "versions.json"
    about = json.loads(read_regular(path, 1 << 20))  # a pipe may lie there
    about["files"] = {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.iterdir())
        if each.is_file() and each != path
    }
    path.write_text(json.dumps(about | {"sha256": checksum(about)}))


def lay_instead(case, path, outside):
    """Put something else at the place of a file."""
    path.unlink()
    kinds = ["folder", "link", "gone"] if os.name == "posix" else ["folder", "gone"]
    kind = case.choice([*kinds, *(["pipe", "device", "loop"] if os.name == "posix" else [])])
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to(case.choice(["/dev/zero", "/dev/null", "/dev/tty"]))
    elif kind == "loop":
        path.symlink_to(path)


def damage(case, folder, outside):
    """Spoil one file of a run folder; whether its hashes were made to agree."""
    path = case.choice(sorted(folder.iterdir()))
    how = case.choice(["flip", "cut", "instead", "json", "json", "json", "names", "csv"])
    if how == "flip":
        data = bytearray(path.read_bytes())
        data[case.randrange(len(data))] ^= 1 << case.randrange(8)
        path.write_bytes(data)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: case.randrange(path.stat().st_size)])
    elif how == "instead":
        lay_instead(case, path, outside)
    elif how == "json":
        path = folder / case.choice(["config.json", "config.json", "versions.json", "metrics.json"])
        path.write_bytes(json_text(case, json.loads(path.read_bytes())))
        if path.name != "versions.json":
            seal(folder)
            return True
        with_sum = path.read_bytes()
        try:
            about = json.loads(with_sum)
            path.write_text(json.dumps(about | {"sha256": checksum(about)}))
        except UNSEALED:
            path.write_bytes(with_sum)
    elif how == "names":
        path = folder / "versions.json"
        about = json.loads(path.read_bytes())
        name = case.choice(
            [
                "../secret",
                str(outside),
                "/dev/zero",
                "..",
                "a/b",
                "a\\b",
                "C:x",
                "",
                "\0",
                "x" * 3000,
            ]
        )
        about["files"][name] = hashlib.sha256(outside.read_bytes()).hexdigest()
        path.write_text(json.dumps(about | {"sha256": checksum(about)}))
    else:
        path = folder / "predictions.csv"
        lines = path.read_text().splitlines()
        number = case.randrange(len(lines))
        lines[number] = case.choice(
            ["", "\0", ",,,,", lines[number] + ",1", '"', lines[0], "x" * 10_000, lines[number][3:]]
        )
        path.write_text("\n".join(lines))
        seal(folder)
        return True
    return False


def plain(error, *names):
    """A message of ours, with these names in it: short of what Python says of its own types."""
    text = str(error)
    assert text
    assert all(str(name) in text for name in names), text
    for word in ("Traceback", "NoneType", "KeyError", "object is not", "has no attribute"):
        assert word not in text, text


def copied(made, tmp_path, method=""):
    folder = tmp_path / "run"
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(made[0] / (method or "single"), folder)


def spoiled(case, made, tmp_path, method=""):
    folder = copied(made, tmp_path, method)
    outside = tmp_path / "secret"
    outside.write_bytes((folder / "metrics.json").read_bytes())
    return folder, damage(case, folder, outside)


def test_models_of_spoiled_runs(attack, outcome, made, tmp_path):
    whole = {method: Run.open(made[0] / (method or "single")).ensemble() for method in ("", "omoe")}
    for case in attack(250):
        method = case.choice(["", "omoe"])
        folder, sealed = spoiled(case, made, tmp_path, method)
        try:
            ensemble = Run.open(folder).ensemble()
        except InputError as error:
            plain(error, folder)
            outcome("refused")
        else:
            state, expected = ensemble.state_dict(), whole[method].state_dict()
            assert state.keys() == expected.keys()
            assert all(torch.equal(value, expected[name]) for name, value in state.items())
            assert sealed or ensemble.temperatures == whole[method].temperatures
            outcome("whole")


def test_temperatures_that_were_spoiled(attack, outcome, made, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(made[0] / "omoe", folder)
    path = folder / "calibration.json"
    whole = json.loads(path.read_bytes())
    for case in attack(150):
        path.write_bytes(json_text(case, whole))
        seal(folder)
        try:
            ensemble = Run.open(folder).ensemble()
        except InputError as error:
            plain(error, folder)
            outcome("refused")
        else:
            assert ensemble.temperatures.keys() == {"toy", "tic"}
            assert all(0.1 <= value <= 100 for value in ensemble.temperatures.values())
            outcome("read")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folds: [], "lacks repeat 0, fold 0"),
        (lambda folds: folds * 2, "has a fold twice"),
        (lambda folds: [folds[0] | {"fold": 1}], "lacks repeat 0, fold 0"),
        (lambda folds: [folds[0] | {"temperatures": {"toy": 1.0}}], "not of the corpora"),
        (lambda folds: [folds[0] | {"temperatures": {"toy": 0, "tic": 1}}], ">= 0.1"),
        (lambda folds: [folds[0] | {"temperatures": {"toy": 1e9, "tic": 1}}], "<= 100"),
        (lambda folds: [folds[0] | {"temperatures": {"toy": math.nan, "tic": 1}}], "JSON"),
        (lambda folds: [folds[0] | {"more": 1}], "unknown field"),
    ],
)
def test_temperatures_that_cannot_be(made, tmp_path, change, problem):
    folder = tmp_path / "run"
    shutil.copytree(made[0] / "omoe", folder)
    path = folder / "calibration.json"
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))
    seal(folder)
    with pytest.raises(InputError, match=problem) as error:
        Run.open(folder).ensemble()
    plain(error.value, folder)


@pytest.mark.parametrize("value", ["", "nan", "-0.1", "1.1", "inf", "x"])
@pytest.mark.parametrize("column", ["uncalibrated", "p_neutral"])
def test_confidence_that_cannot_be(made, tmp_path, column, value):
    folder = tmp_path / "run"
    shutil.copytree(made[0] / "single", folder)
    path = folder / "predictions.csv"
    head, *rows = (line.split(",") for line in path.read_text().splitlines())
    row = next(row for row in rows if row[head.index("predicted")] == "neutral")
    row[head.index(column)] = value
    path.write_text("\n".join(map(",".join, [head, *rows])))
    seal(folder)
    with pytest.raises(InputError) as error:
        _ = Run.open(folder).predictions
    plain(error.value, folder)


def test_inputs_and_configs_of_spoiled_runs(attack, outcome, made, tmp_path):
    whole = Run.open(made[0] / "single").domain("toy", made[1])
    for case in attack(120):
        folder, _ = spoiled(case, made, tmp_path)
        try:
            found = Run.open(folder).domain("toy", made[1])
        except SerError as error:
            plain(error)
            outcome("refused")
        else:
            assert found.ids == whole.ids
            assert found.features.keys() <= whole.features.keys()
            for name, packed in found.features.items():
                assert torch.equal(packed.frames, whole.features[name].frames)
            outcome("read")


def test_tensors_that_are_not_those_of_the_model(attack, outcome, made, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(made[0] / "omoe", folder)
    whole = load_file(folder / "model.safetensors")
    for case in attack(100):
        tensors = dict(whole)
        name = case.choice(sorted(tensors))
        value = tensors[name]
        how = case.choice(["dtype", "shape", "nan", "missing", "extra", "renamed", "empty"])
        if how == "dtype":
            other = np.float64 if value.dtype != np.float64 else np.float32
            tensors[name] = value.astype(case.choice([other, np.float16, np.int8, np.uint8]))
        elif how == "shape":
            tensors[name] = np.ascontiguousarray(
                value[None] if value.shape == value.T.shape else value.T
            )
        elif how == "nan":
            if value.dtype != np.float32:
                continue
            spoiled_value = value.copy()
            spoiled_value.flat[case.randrange(value.size)] = case.choice([np.nan, np.inf, -np.inf])
            tensors[name] = spoiled_value
        elif how == "missing":
            del tensors[name]
        elif how == "extra":
            tensors[
                case.choice(["0/0/0/x", "x", "../x", "0/0/0/", "0/0/0/speaker.linear.bias"])
            ] = value
        elif how == "renamed":
            tensors[name + "x"] = tensors.pop(name)
        else:
            tensors[name] = value.reshape(-1)[:0]
        save_file(tensors, folder / "model.safetensors")
        seal(folder)
        with pytest.raises(InputError) as error:
            Run.open(folder).ensemble()
        plain(error.value)
        outcome(how)


def test_headers_of_tensors_that_claim_what_is_not_there(attack, outcome, made, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(made[0] / "single", folder)
    path = folder / "model.safetensors"
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    for case in attack(60):
        text = json_text(case, header)
        length = case.choice([len(text), len(text), len(text), 2**63, 0, size])
        path.write_bytes(struct.pack("<Q", length) + text + data[8 + size :])
        seal(folder)
        try:
            Run.open(folder).ensemble()
            outcome("read")
        except InputError as error:
            plain(error)
            outcome("refused")


def test_a_spoiled_run_is_not_the_run(attack, outcome, made, tmp_path):
    config = Run.open(made[0] / "single").config
    assert holds_run(made[0] / "single", config)
    original = {path.name: path.read_bytes() for path in (made[0] / "single").iterdir()}
    for case in attack(120):
        folder, sealed = spoiled(case, made, tmp_path)
        found = holds_run(folder, config)
        outcome("taken" if found else "not taken")
        if found and not sealed:
            for name, data in original.items():
                if name != "versions.json":
                    assert (folder / name).read_bytes() == data


def test_splits_of_spoiled_runs(attack, outcome, made, tmp_path):
    whole = resolve(request(splits=made[0] / "single"), made[1]).splits["toy"]
    for case in attack(80):
        folder, _ = spoiled(case, made, tmp_path)
        if case.random() < 0.3 and (folder / "split.csv").is_file():
            data = (folder / "split.csv").read_bytes()
            at = case.randrange(len(data))
            (folder / "split.csv").write_bytes(data[:at] + case.randbytes(3) + data[at + 3 :])
        try:
            split_file(folder, "toy", 1)
            found = resolve(request(splits=folder), made[1]).splits["toy"]
        except (InputError, LeakError) as error:
            plain(error)
            outcome("refused")
        else:
            assert found == whole
            outcome("whole")


def test_a_table_over_spoiled_runs(attack, outcome, made, tmp_path):
    whole = tmp_path / "whole"
    first = reproduce(PLANS["table4"], request(), made[1], whole, "ser reproduce", Progress())
    outside = tmp_path / "secret"
    outside.write_text("{}")
    for case in attack(12):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        if case.random() < 0.2:
            path = out / "table4.json"
            path.write_bytes(json_text(case, json.loads(path.read_bytes())))
        else:
            name = case.choice(["with-toy", "without-toy"])
            damage(case, out / "runs" / name, outside)
            if case.random() < 0.2:  # under another name it may serve the first
                (out / "runs" / name).rename(out / "runs" / "other")
        try:
            found = reproduce(PLANS["table4"], request(), made[1], out, "ser reproduce", Progress())
        except SerError as error:
            plain(error, out)
            outcome("refused")
        else:
            for name in ("rows", "tests"):
                assert found.values[name] == first.values[name]
            outcome("whole")


def test_results_of_spoiled_runs(attack, outcome, made, tmp_path):
    experiment = resolve(request("omoe"), made[1])
    original = Run.open(made[0] / "omoe")
    whole = measured(experiment, original)
    for case in attack(40):
        if case.random() < 0.6:
            folder, _ = spoiled(case, made, tmp_path, "omoe")
        else:  # of one that is whole: false predictions whose hashes are right cannot be told
            folder = copied(made, tmp_path, "omoe")
            path = folder / "structure.json"
            path.write_bytes(json_text(case, json.loads(path.read_bytes())))
            seal(folder)
        try:
            run = Run.open(folder)
            found, structure = measured(experiment, run), run.structure
        except InputError as error:
            plain(error, folder)
            outcome("refused")
        else:
            assert found == whole
            assert all(isinstance(said, dict) for said in structure.values())
            outcome("whole")


def test_finished_jobs_that_were_spoiled(attack, outcome, made, tmp_path):
    experiment = resolve(request("omoe"), made[1])
    domains = encode(load_domains(made[1], [experiment]), [experiment])
    job = experiment.jobs[0]
    labels = {corpus: each.labels for corpus, each in domains.items()}
    path = tmp_path / "job"
    save_outcome(path, run_network(domains, job))
    data = path.read_bytes()
    assert load_outcome(path, job, labels) is not None
    whole = load_file_bytes(data[32:])
    about = json.loads(whole["about"].tobytes())
    for case in attack(150):
        how = case.choice(["flip", "cut", "about", "about", "tensor"])
        if how == "flip":
            spoilt = bytearray(data)
            spoilt[case.randrange(len(data))] ^= 1 << case.randrange(8)
        elif how == "cut":
            spoilt = data[: case.randrange(len(data))]
        else:
            tensors = dict(whole)
            if how == "about":
                tensors["about"] = np.frombuffer(json_text(case, about) or b"x", dtype=np.uint8)
            else:
                name = case.choice(sorted(set(tensors) - {"about"}))
                tensors[name] = case.choice(
                    [
                        tensors[name][None],
                        tensors[name].astype(
                            np.float64 if tensors[name].dtype != np.float64 else int
                        ),
                        np.full_like(
                            tensors[name], 9e9 if tensors[name].dtype.kind == "i" else np.nan
                        ),
                        tensors[name].reshape(-1)[:0],
                    ]
                )
            save_file(tensors, path)
            content = path.read_bytes()
            spoilt = hashlib.sha256(content).digest() + content
        path.write_bytes(spoilt)
        found = load_outcome(path, job, labels)
        outcome("not there" if found is None else "taken")
        if how != "about":
            assert found is None
        elif found is not None:
            assert json.dumps([found.seed, found.fold]) == json.dumps(list(job.place))
            assert all(
                np.array_equal(each.predicted, whole[f"predicted/{corpus}"])
                for corpus, each in found.predictions.items()
            )


def load_file_bytes(data):
    from safetensors.numpy import load

    return load(data)
