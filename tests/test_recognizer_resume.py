"""A file of results that is taken up again."""

import json

import pytest

from ser.errors import InputError
from ser.recognizer.resume import results_file

ABOUT = {"run": "0" * 64, "labels": ["anger", "calm"], "fold": None}
NAMES = ["a.wav", "b\n.wav", "c\udc8a.wav", "d.wav"]


def write(path, count=4, about=ABOUT, names=NAMES, bad=("b\n.wav",)):
    """Give results until there are `count`; how many there were before, and bad ones."""
    every = iter(names)
    with results_file(path, about, every, "file\n") as results:
        before = results.done, results.bad
        for name in list(every)[: count - results.done]:
            for part in () if name in bad else (name[:1], name[1:]):
                results.write(ascii(part))
            results.write("" if name in bad else "\n")
            results.finish(name, name in bad)
    return before


@pytest.fixture
def whole(tmp_path):
    """The bytes of all results, written without a stop."""
    write(tmp_path / "whole.csv")
    return (tmp_path / "whole.csv").read_bytes()


def refused(path, **named):
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        write(path, **named)
    assert path.read_bytes() == before
    assert "give another --out" in str(caught.value)
    return str(caught.value)


def test_it_goes_on_where_it_stopped(tmp_path, whole):
    out = tmp_path / "new" / "out.csv"
    assert [write(out, count) for count in (1, 2, 2, 4, 4)] == [
        *((0, 0), (1, 0), (2, 1), (2, 1), (4, 1)),
    ]
    assert out.read_bytes() == whole
    assert whole.splitlines() == [b"file", b"'a''.wav'", rb"'c''\udc8a.wav'", b"'d''.wav'"]
    assert sorted(path.name for path in out.parent.iterdir()) == [".out.csv.ser", "out.csv"]


@pytest.mark.parametrize("kept", range(0, 60, 7))
def test_what_was_not_recorded_is_cut_off(tmp_path, whole, kept):
    """A kill comes between any two bytes: the record of the state before is what counts."""
    out = tmp_path / "out.csv"
    write(out, 1)
    record = (tmp_path / ".out.csv.ser").read_bytes()
    before = out.read_bytes()
    write(out, 4)
    (tmp_path / ".out.csv.ser").write_bytes(record)
    out.write_bytes((before + whole[len(before) :])[: max(kept, len(before))])
    assert write(out) == (1, 0)
    assert out.read_bytes() == whole


def test_a_kill_before_the_first_result(tmp_path, whole):
    out = tmp_path / "out.csv"
    write(out, 0)
    out.unlink()  # the record is written first
    assert write(out) == (0, 0)
    assert out.read_bytes() == whole


def test_what_is_something_else_is_never_overwritten(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("path,emotion\n")
    assert "it is not known what it is" in refused(out)
    (tmp_path / ".out.csv.ser").write_text("[]")
    assert "it is not known what it is" in refused(out)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="give another --out"):
        write(tmp_path / "folder")
    out.write_text("")
    write(out)


def test_other_results_or_inputs_are_refused(tmp_path):
    out = tmp_path / "out.csv"
    write(out, 3)
    other = {**ABOUT, "labels": ["anger"], "fold": 1}
    assert "it was made with another labels and another fold" in refused(out, about=other)
    assert "it is of other files, or of these in another order" in refused(
        out, names=["b\n.wav", "a.wav", *NAMES[2:]]
    )
    assert "it is of more files than these" in refused(out, names=NAMES[:2])
    assert write(out, 5, names=[*NAMES, "e.wav"]) == (3, 1)  # a longer list is gone on with
    content = out.read_bytes()
    out.write_bytes(content.replace(b"'a'", b"'x'"))
    assert "it was changed since" in refused(out, names=[*NAMES, "e.wav"])
    out.write_bytes(content[:-9])
    assert "it was changed since" in refused(out, names=[*NAMES, "e.wav"])


def test_a_record_of_a_stranger(tmp_path):
    out = tmp_path / "out.csv"
    write(out)
    beside = tmp_path / ".out.csv.ser"
    first, second = beside.read_bytes().splitlines()
    for progress in (
        {"done": "x"},
        {"size": 10**9},
        {"size": -1},
        {"done": 10**9},
        {"other": 1},
        [],
        3,
    ):
        said = {**json.loads(second), **progress} if isinstance(progress, dict) else progress
        beside.write_bytes(first + b"\n" + json.dumps(said).encode() + b"\n")
        refused(out)


def test_one_command_writes_it(tmp_path):
    out = tmp_path / "out.csv"
    with (
        results_file(out, ABOUT, iter(NAMES)),
        pytest.raises(InputError, match="another command is writing it"),
    ):
        write(out)
