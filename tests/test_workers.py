"""Jobs done by processes of this machine: all of them, whatever becomes of a worker."""

import multiprocessing
import os
import sys
import time
from functools import partial

import numpy as np
import pytest

from ser.errors import InputError, SerError
from ser.tests.jobs import broken, doubling, ending, refusing, refusing_oddly, unsendable
from ser.workers import Lost, Processes, WorkerEndedError
from ser.workers.parcels import packed

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


def ran(make, jobs, count=2, **options):
    with Processes(count).running(make, iter(jobs), **options) as results:
        return sorted(results, key=lambda pair: pair[0])


def test_every_job_is_done_once_and_what_workers_tell_is_heard():
    heard = []
    found = ran(partial(doubling, 3), range(20), ahead=3, heard=heard.append)
    assert found == [(n, 3 * n) for n in range(20)]
    assert sorted(heard) == [("at", n) for n in range(20)]
    assert multiprocessing.active_children() == []


def test_jobs_are_taken_as_they_are_needed():
    drawn = []
    jobs = (drawn.append(n) or n for n in range(100))
    with Processes(1).running(partial(doubling, 2), jobs, ahead=4) as results:
        for _ in range(3):
            next(results)
        assert len(drawn) <= 4 + 3
    assert multiprocessing.active_children() == []


class Again:
    """An iterator that has more to give after it had ended."""

    def __init__(self, jobs):
        self.jobs = [*jobs]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.jobs:
            raise StopIteration
        return self.jobs.pop(0)


def test_results_may_make_jobs():
    jobs, found = Again([1]), []
    with Processes(1).running(partial(doubling, 2), jobs) as results:
        for job, result in results:
            found.append((job, result))
            if result < 20:
                jobs.jobs.append(result)
    assert found == [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]


@posix
def test_a_job_that_ends_its_worker_is_lost_and_no_other(capfd):
    found = ran(partial(ending, {2, 5}), range(8), ahead=3)
    lost = {job: result for job, result in found if isinstance(result, Lost)}
    assert {*lost} == {2, 5}
    assert lost[2] == Lost("exit code -9")
    assert [pair for pair in found if pair[0] not in lost] == [(n, n) for n in (0, 1, 3, 4, 6, 7)]


@posix
def test_where_every_job_ends_its_worker_it_is_not_the_jobs(monkeypatch):
    monkeypatch.setattr("ser.workers.processes.HOPELESS", 3)
    with pytest.raises(WorkerEndedError, match="exit code -9"):
        ran(partial(ending, {*range(9)}), range(9))
    found = []
    with Processes(1, patient=True).running(partial(ending, {*range(9)}), iter(range(5))) as out:
        found += out
    assert [job for job, _ in found] == [*range(5)]


@pytest.mark.parametrize("error", [InputError("no such thing"), KeyError("x")])
def test_what_a_job_raises_ends_it_and_what_was_finished_is_handed_over(error):
    found = []
    with (
        pytest.raises(type(error), match=str(error)),
        Processes(1).running(partial(refusing, error), iter(range(9))) as results,
    ):
        found += results
    assert found == [(0, 0), (1, 1), (2, 2)][: len(found)]
    with pytest.raises(type(error)):
        ran(partial(broken, error), range(3))
    assert multiprocessing.active_children() == []


def test_a_result_that_cannot_be_sent_is_lost():
    found = dict(ran(unsendable, range(4)))
    assert isinstance(found[2], Lost)
    assert "pickle" in str(found[2].error).lower()
    assert (found[0], found[1], found[3]) == (0, 1, 3)


def test_an_error_that_cannot_be_received_is_told():
    with pytest.raises(SerError, match="OwnError: this and that"):
        ran(refusing_oddly, range(9))


def test_a_parcel_has_its_arrays_beside_it_and_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    array = np.arange(10_000, dtype="f4").reshape(100, 100)
    thing = {"a": array, "b": torch.arange(1000), "c": lambda x: x + 1}
    parcel = packed(thing)
    assert len(parcel.data) < 4000
    assert sorted(map(len, parcel.buffers)) == [8000, 40_000]
    parcel.buffers[0].flags.writeable = False
    opened = parcel.opened()
    np.testing.assert_array_equal(opened["a"], array)
    assert torch.equal(opened["b"], thing["b"])
    assert opened["c"](1) == 2
    assert np.shares_memory(opened["a"], parcel.buffers[0])


@posix
def test_workers_end_with_the_process_that_started_them(tmp_path):
    """Even where it is killed, and in the middle of a job."""
    import subprocess

    code = (
        "import os, sys, time\n"
        "from ser.workers import Processes\n"
        "def make(tell):\n"
        "    tell(os.getpid())\n"
        "    return lambda job: time.sleep(999)\n"
        "import cloudpickle, pickle\n"
        "from functools import partial\n"
        "from ser.tests.jobs import opened\n"
        "make = partial(opened, cloudpickle.dumps(make))\n"
        "heard = lambda pid: print(pid, flush=True)\n"
        "with Processes(1).running(make, iter([1]), heard=heard) as r:\n"
        "    list(r)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate()
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("it lives on")
