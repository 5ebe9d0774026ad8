"""Putting runs in their place: two at once, and killed at every step."""

import errno
import hashlib
import json
import os
import signal
import stat
import sys
import traceback
from itertools import count

import pytest

from ser.errors import InputError, SerError
from ser.train.runs.locks import held
from ser.train.runs.run import Run, checksum
from ser.train.runs.target import check_folder, claimed, new_folder

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "shutil.rmtree"}


def lay_run(folder, word, *more):
    """A run folder as far as its place is concerned: files, and their hashes."""
    folder.mkdir(exist_ok=True)
    config = {"setting": "single", "method": "single", "corpora": {}, "word": word}
    files = {"config.json": json.dumps(config), "metrics.json": word, **dict.fromkeys(more, word)}
    for name, text in files.items():
        (folder / name).write_text(text)
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    about = {"files": sums}
    (folder / "versions.json").write_text(json.dumps(about | {"sha256": checksum(about)}))


def word(target):
    with Run.open(target).file("config.json") as file:
        return json.load(file)["word"]


def replace(target, *more):
    with claimed(target, lambda _: None), new_folder(target, lambda _: None) as folder:
        lay_run(folder, "new", *more)


def in_child(action, stop_at=0):
    """Run `action` in a process that is killed before its n-th step; whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        steps = 0

        def step(event, _):
            nonlocal steps
            steps += event in STEPS
            if stop_at and steps == stop_at and event in STEPS:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(step)
        try:
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFEXITED(status)


def lay_old(parent):
    target = parent / "run"
    lay_run(target, "old", "split-toy.csv")
    (target / "notes.md").write_text("mine")
    (target / "split-mine.csv").write_text("mine too")
    (target / "figures").mkdir()
    (target / "figures" / "a.txt").write_text("a figure")
    return target


def nothing_is_lost(target):
    with claimed(target, lambda _: None):
        run = Run.open(target)
        run.verify()
        assert word(target) in ("old", "new")
        assert (target / "notes.md").read_text() == "mine"
        assert (target / "split-mine.csv").read_text() == "mine too"
        assert (target / "figures" / "a.txt").read_text() == "a figure"
        left = {path.name for path in target.iterdir()} - set(run.sums)
        assert left == {"versions.json", "notes.md", "split-mine.csv", "figures"}
    assert [path.name for path in target.parent.iterdir()] == ["run"]


@posix
def test_a_run_that_is_replaced_can_be_killed_at_every_step(tmp_path):
    words = set()
    for stop_at in count(1):
        (tmp_path / str(stop_at)).mkdir()
        target = lay_old(tmp_path / str(stop_at))
        whole = in_child(lambda target=target: replace(target), stop_at)
        nothing_is_lost(target)
        words.add(word(target))
        if whole:
            break
    assert stop_at > 20
    assert words == {"old", "new"}


@pytest.mark.long
@posix
def test_so_can_the_command_that_brings_it_to_its_end(tmp_path):
    for stop_at in count(2, 4):
        (tmp_path / str(stop_at)).mkdir()
        target = lay_old(tmp_path / str(stop_at))
        whole = in_child(lambda target=target: replace(target), stop_at)
        for again in count(1):
            if in_child(lambda target=target: replace(target), 5 * again):
                break
        nothing_is_lost(target)
        assert word(target) == "new"
        if whole:
            break


@posix
def test_a_first_run_can_be_killed_at_every_step(tmp_path):
    for stop_at in count(1):
        target = tmp_path / str(stop_at) / "run"
        whole = in_child(lambda target=target: replace(target), stop_at)
        if whole:
            break
        with claimed(target, lambda _: None):
            if target.exists():
                Run.open(target).verify()
        assert [path.name for path in target.parent.iterdir()] in ([], ["run"])


def test_what_killed_commands_left_hidden_goes_with_any_command_beside_it(tmp_path):
    stale = tmp_path / f".partial-{'0' * 32}-emodb-single-20260101-000000"
    lay_run(stale, "half")
    busy = tmp_path / f".partial-{'1' * 32}-other"
    lay_run(busy, "in the making")
    mine = tmp_path / ".partial-mine"
    lay_run(mine, "not of this kind")
    with held(tmp_path / ".ser-lock-other") as free:
        assert free
        replace(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == [busy.name, mine.name, "run"]


def test_what_cannot_be_moved_is_kept_and_said(tmp_path):
    target = lay_old(tmp_path)
    (target / "structure.json").write_text("mine, though runs write such a file")
    sums = json.loads((target / "versions.json").read_text())["files"]
    assert "structure.json" not in sums
    said = []
    with claimed(target, said.append), new_folder(target, said.append) as folder:
        lay_run(folder, "new", "structure.json", "split-mine.csv")
    assert (target / "structure.json").read_text() == "new"
    assert (target / "notes.md").read_text() == "mine"
    (aside,) = (path for path in tmp_path.iterdir() if path != target)
    assert said == [
        f"note: {aside} holds what was in {target} before and could not be moved into it"
    ]
    assert (aside / "split-mine.csv").read_text() == "mine too"


def test_a_run_that_was_moved_aside_is_not_emptied_for_one_that_is_not_whole(tmp_path):
    target = lay_old(tmp_path)
    aside = tmp_path / f"run.replaced-{'0' * 32}"
    target.rename(aside)
    target.mkdir()
    (target / "metrics.json").write_text("by hand")
    said = []
    with claimed(target, said.append):
        pass
    assert len(said) == 1
    Run.open(aside).verify()
    assert (aside / "notes.md").exists()


def test_a_linked_run_folder_is_not_emptied_through_its_link(tmp_path):
    target = lay_old(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    target.rename(elsewhere)
    target.symlink_to(elsewhere)
    replace(target)
    assert word(target) == "new"
    assert (elsewhere / "notes.md").read_text() == "mine"
    Run.open(elsewhere).verify()


def test_a_folder_is_claimed_by_one_command_at_a_time(tmp_path):
    with claimed(tmp_path / "run", print):
        with pytest.raises(InputError, match="another command is at work there"):  # noqa: SIM117
            with claimed(tmp_path / "run", print):
                pass
        with claimed(tmp_path / "run", print, new=True) as second:
            assert second.name == "run-2"
            with claimed(tmp_path / "run", print, new=True) as third:
                assert third.name == "run-3"
    assert list(tmp_path.iterdir()) == []


@posix
def test_runs_of_one_name_at_one_time_all_get_their_place(tmp_path):
    def train():
        with claimed(tmp_path / "runs" / "run", print, new=True) as target:
            with new_folder(target, print) as folder:
                lay_run(folder, "new")
            assert target.exists()

    pids = []
    for _ in range(12):
        pid = os.fork()
        if pid == 0:
            try:
                train()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 12
    found = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(found) == 12
    for name in found:
        Run.open(tmp_path / "runs" / name).verify()


def test_a_place_that_was_taken_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "run"

    def still_right():
        check_folder(target)

    def train():
        with claimed(target, print), new_folder(target, print, still_right) as folder:
            lay_run(folder, "new")
            target.mkdir()
            (target / "thesis.txt").write_text("years of work")

    with pytest.raises(SerError, match="it is whole in") as caught:
        train()
    assert (target / "thesis.txt").read_text() == "years of work"
    kept = tmp_path / str(caught.value).rpartition("/")[2]
    Run.open(kept).verify()


@pytest.mark.skipif(os.name == "nt", reason="POSIX has modes")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_files_have_the_modes_that_the_user_gives_all_files(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with claimed(tmp_path / "run", print), new_folder(tmp_path / "run", print) as folder:
            lay_run(folder, "new")
            (folder / "metrics.json").chmod(0o600)
        assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "run").iterdir()} == {mode}
    finally:
        os.umask(before)


def test_a_lock_that_was_left_by_a_killed_process_holds_nobody_up(tmp_path):
    for name in ("run", "another"):
        (tmp_path / f".ser-lock-{name}").touch()
    with claimed(tmp_path / "run", print):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_lock_is_told_as_it_is(tmp_path, monkeypatch):
    opened = os.open

    def refusing(path, flags, *mode):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(PermissionError, match="Permission denied"), held(tmp_path / "lock"):
        pytest.fail("nobody holds it")
