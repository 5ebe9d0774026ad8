"""Calls of models: shared or not, failing, and what is done where memory does not suffice."""

import threading

import numpy as np
import pytest
import torch

from ser.errors import AudioError, SerError
from ser.extract import models
from ser.extract.models import Models
from ser.extract.prepare import Task

CPU = torch.device("cpu")


class Heard:
    """A sink that remembers."""

    def __init__(self):
        self.stored, self.refused, self.put_off = {}, {}, {}

    def store(self, spec, task, feature):
        self.stored[task.id] = feature

    def refuse(self, spec, task, fault):
        (self.put_off if fault.again else self.refused)[task.id] = fault.reason


class Doubler:
    """A stand-in for a backbone with a model; `calls` are the lengths that each call got."""

    spec = "doubler"
    batch_rows = 10
    exact_batches = False

    def __init__(self):
        self.calls = []

    def memory(self, rows):
        return 0

    def forward(self, batch):
        self.calls.append([len(array) for array in batch])
        return [2 * array for array in batch]


def task(name, length):
    return Task(name, f"{name}.wav", "0" * 32, ("doubler",), float(length))


def run(backbone, lengths, together, alone=False):
    """Send an utterance of every length, named a, b, c, ...; gives what the sink heard."""
    heard = Heard()
    backbone.exact_batches = together
    with Models(heard, CPU, alone) as running:
        for number, length in enumerate(lengths):
            name = chr(ord("a") + number)
            running.add(backbone, task(name, length), np.full(length, length, "f4"))
        running.finish()
    return heard


def test_shared_calls_gather_by_rows_and_are_of_similar_lengths():
    backbone = Doubler()
    heard = run(backbone, (4, 5, 2, 30, 1, 9, 3), together=True)
    # The first four are more than 4 x 10 rows; [5, 4] with padding is 10.
    assert sorted(backbone.calls) == sorted([[30], [5, 4], [2], [9], [3, 1]])
    assert sorted(heard.stored) == list("abcdefg")
    assert all((feature == 2 * len(feature)).all() for feature in heard.stored.values())


def test_or_every_utterance_has_a_call_to_itself():
    backbone = Doubler()
    heard = run(backbone, (4, 5, 2, 30), together=False)
    assert sorted(backbone.calls) == [[2], [4], [5], [30]]
    assert sorted(heard.stored) == list("abcd")


class HasNoStringError(Exception):
    def __str__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("of the model"), "RuntimeError: of the model"),
        (AudioError("too quiet"), "too quiet"),
        (SystemExit(3), "SystemExit: 3"),
        (RecursionError("deep"), "RecursionError: deep"),
        (GeneratorExit(), "GeneratorExit"),
        (HasNoStringError(), "HasNoStringError"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_whatever_a_model_raises_is_the_fault_of_one_utterance(error, reason, together):
    class Failing(Doubler):
        def forward(self, batch):
            if any(len(array) == 5 for array in batch):
                raise error
            return super().forward(batch)

    heard = run(Failing(), (9, 5, 4, 3, 2, 1), together)
    assert sorted(heard.stored) == ["a", "c", "d", "e", "f"]
    assert heard.refused == {"b": reason}


@pytest.mark.parametrize("answer", [None, [], 3, [1, 2, 3]])
def test_a_model_that_does_not_answer_for_each(answer):
    class Odd(Doubler):
        def forward(self, batch):
            return answer if len(batch[0]) == 5 else super().forward(batch)

    heard = run(Odd(), (9, 5, 2), together=False)
    assert sorted(heard.stored) == ["a", "c"]
    assert list(heard.refused) == ["b"]


@pytest.mark.parametrize(
    "error",
    [
        SerError("weights are gone"),
        ModuleNotFoundError("No module named 'x'"),
        OSError(28, "No space left on device"),
    ],
)
def test_what_no_file_is_to_blame_for_ends_the_run(error):
    class Failing(Doubler):
        def forward(self, batch):
            if len(batch[0]) == 5:
                raise error
            return super().forward(batch)

    heard = Heard()
    with Models(heard, CPU) as running:
        for name, length in zip("abcd", (9, 5, 8, 30), strict=True):
            running.add(Failing(), task(name, length), np.zeros(length))
        with pytest.raises(SerError):
            running.finish()
    assert heard.refused == {}


class Hungry(Doubler):
    """Runs out of memory in calls of more than 12 rows."""

    errors = (
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:130] DefaultCPUAllocator: can't allocate memory"
        ),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        OSError(12, "Cannot allocate memory"),
        MemoryError("std::bad_alloc"),
    )

    def forward(self, batch):
        if sum(map(len, batch)) > 12:
            raise self.errors[len(self.calls) % len(self.errors)]
        return super().forward(batch)


def test_a_call_that_runs_out_of_memory_is_halved_down_to_one_utterance(monkeypatch):
    monkeypatch.setattr(Hungry, "batch_rows", 100)
    backbone = Hungry()
    heard = run(backbone, (5, 20, 5, 5, 5, 3), together=True)
    assert sorted(heard.stored) == ["a", "c", "d", "e", "f"]
    assert heard.put_off == {"b": "not enough memory for its 20 s"}
    assert max(map(len, backbone.calls)) == 2
    alone = run(Hungry(), (20,), together=False, alone=True)
    assert alone.refused == {"a": "not enough memory for its 20 s"}
    assert alone.put_off == {}


class Estimated(Doubler):
    """Needs a gigabyte for each row, and says so."""

    def memory(self, rows):
        return rows * 10**9


def test_memory_is_asked_for_before_a_call(monkeypatch):
    monkeypatch.setattr(models, "free_on_host", lambda: 10 * 10**9)
    backbone = Estimated()
    heard = run(backbone, (2, 7, 4, 11), together=False)
    assert sorted(heard.stored) == ["a", "c"]  # half is kept back while others may be lost
    assert sorted(backbone.calls) == [[2], [4]]
    assert heard.put_off["b"] == "not enough memory for its 7 s (about 7.0 GB)"
    last = run(backbone, (7, 11), together=False, alone=True)
    assert list(last.stored) == ["a"]
    assert last.refused == {"b": "not enough memory for its 11 s (about 11.0 GB)"}


def test_a_batch_that_would_not_fit_is_halved(monkeypatch):
    monkeypatch.setattr(models, "free_on_host", lambda: 10 * 10**9)
    backbone = Estimated()
    heard = run(backbone, (2, 2, 2, 2, 2), together=True)
    assert sorted(heard.stored) == list("abcde")
    assert max(map(sum, backbone.calls)) <= 5


def test_calls_that_would_not_fit_side_by_side_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(models, "free_on_host", lambda: 12 * 10**9)
    monkeypatch.setattr(models, "cores", lambda: 4)
    lock, now, most = threading.Lock(), [0], [0]

    class Counting(Estimated):
        def forward(self, batch):
            with lock:
                now[0] += len(batch[0])
                most[0] = max(most[0], now[0])
            found = super().forward(batch)
            with lock:
                now[0] -= len(batch[0])
            return found

    heard = run(Counting(), [2, 3] * 10, together=False)
    assert len(heard.stored) == 20
    assert most[0] <= 6


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(Doubler(), (1, 2, 3), together=False)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert (torch.get_num_threads(), seen) == (2, [2])
    finally:
        torch.set_num_threads(before)
