"""Event files, read by TensorBoard itself."""

import json
import shutil
import sys

import pytest

from ser.errors import MissingPackageError
from ser.train.runs.survey import find_runs
from ser.train.runs.train import train

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="needs the extra `tensorboard`"
)


def scalars(folder):
    """What the event files of a folder say: by tag, (step, value) in order."""
    (file,) = folder.glob("events.*")
    found = event_accumulator.EventAccumulator(str(file)).Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def some(cache, out, **others):
    changes = ["train.epochs=3", "train.members=2"]
    return train(
        "single", "toy", repeats=2, changes=changes, cache=cache, out=out, workers=1, **others
    )


def test_every_network_has_its_curves_and_every_repeat_its_ua(toy_cache, tmp_path):
    run = some(toy_cache, tmp_path / "run", log="tensorboard")
    folder = tmp_path / "run.tensorboard"
    assert len(list(folder.iterdir())) == 2 * 2 + 1
    for curves in run.history:
        for member, trained in enumerate(curves.members):
            found = scalars(folder / f"repeat{curves.repeat}-fold{curves.fold}-member{member}")
            assert [step for step, _ in found["loss"]] == [1, 2, 3]
            assert [value for _, value in found["loss"]] == pytest.approx(trained.loss)
            assert [value for _, value in found["validation UA/toy"]] == pytest.approx(
                trained.validation_ua["toy"]
            )
    values = [value for _, value in scalars(folder / "test")["test UA by repeat/toy"]]
    assert values == pytest.approx(run.metrics["domains"]["toy"]["ua"]["values"])


def test_a_finished_run_gets_them_too_and_each_once(toy_cache, tmp_path):
    run = some(toy_cache, tmp_path / "run")
    assert not (tmp_path / "run.tensorboard").exists()
    for _ in range(2):
        some(toy_cache, tmp_path / "run", log="tensorboard")
    found = scalars(tmp_path / "run.tensorboard" / "repeat0-fold0-member0")
    assert [value for _, value in found["loss"]] == pytest.approx(run.history[0].members[0].loss)
    run.verify()  # nothing went into the run folder


def test_they_are_no_runs_that_are_missing(toy_cache, tmp_path):
    some(toy_cache, tmp_path / "runs" / "one", log="tensorboard")
    (tmp_path / "runs" / "another").mkdir()
    found, problems = find_runs(tmp_path / "runs")
    assert [each.run.folder.name for each in found] == ["one"]
    assert problems == [f"{tmp_path / 'runs' / 'another'}: no run in it"]


def test_a_baseline_has_its_tests_alone(toy_cache, tmp_path):
    train("baseline", "toy", cache=toy_cache, out=tmp_path / "run", log="tensorboard")
    assert [path.name for path in (tmp_path / "run.tensorboard").iterdir()] == ["test"]


def test_without_the_package_nothing_is_trained(toy_cache, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingPackageError, match=r"pip install .*\[tensorboard\]"):
        some(toy_cache, tmp_path / "run", log="tensorboard")
    assert not (tmp_path / "run").exists()


def test_a_history_that_was_tampered_with_is_told(toy_cache, tmp_path):
    run = some(toy_cache, tmp_path / "run")
    shutil.copytree(run.folder, tmp_path / "other")
    path = tmp_path / "other" / "history.json"
    path.write_text(json.dumps([]), encoding="utf-8")
    from ser import Run
    from ser.errors import InputError

    with pytest.raises(InputError, match=r"history\.json is not as the run wrote it"):
        _ = Run.open(tmp_path / "other").history
