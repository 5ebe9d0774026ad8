"""Portions of the work: every thing is in one, wherever it is asked."""

import os
import subprocess
import sys
from itertools import chain

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.portion import ALL, Portion


def array(task, first=0, last=19, step=1, count=20):
    names = ("ID", "MIN", "MAX", "STEP", "COUNT")
    return {
        f"SLURM_ARRAY_TASK_{name}": str(value)
        for name, value in zip(names, (task, first, last, step, count), strict=True)
    }


@given(st.lists(st.text(), unique=True), st.integers(1, 40))
def test_everything_is_in_one_portion(names, count):
    portions = [Portion(number, count) for number in range(1, count + 1)]
    assert [sum(portion.has(name) for portion in portions) for name in names] == [1] * len(names)
    dealt = [portion.deal(names) for portion in portions]
    assert sorted(chain.from_iterable(dealt)) == sorted(names)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_it_is_the_hash_that_is_documented():
    assert xxhash.xxh3_64_intdigest(b"03a01Fa") % 20 == 3
    assert [n for n in range(1, 21) if Portion(n, 20).has("03a01Fa")] == [4]


def test_it_is_the_same_in_another_process():
    code = (
        "from ser.portion import Portion; print([n for n in range(9) if Portion(3, 7).has(str(n))])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment).stdout
    assert eval(out) == [n for n in range(9) if Portion(3, 7).has(str(n))]


def test_portions_are_about_equal():
    names = [f"u{n}" for n in range(20_000)]
    sizes = [sum(map(Portion(number, 20).has, names)) for number in range(1, 21)]
    assert 880 < min(sizes) < 1000 < max(sizes) < 1120  # 1000 give or take 31, almost


@pytest.mark.parametrize("text", ["3/20", " 3 / 20 ", "03/20"])
def test_what_is_typed(text):
    assert Portion.of(text, {}) == Portion(3, 20)
    assert str(Portion.of(text, {})) == "3/20"
    assert Portion.of("1/1", {}) == ALL


@pytest.mark.parametrize(
    "text", ["", "3", "0/20", "21/20", "1/0", "-1/3", "1.5/3", "1/100001", "a/b"]
)
def test_what_is_no_portion(text):
    with pytest.raises(InputError, match=r"--shard .*3/20"):
        Portion.of(text, {})


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        (array(0), 1),
        (array(19), 20),
        (array(1, first=1, last=20), 1),
        (array(20, first=1, last=20), 20),
        (array(14, first=10, last=18, step=4, count=3), 2),
        (array(7, first=7, last=7, count=1), 1),
    ],
)
def test_the_place_in_an_array(environment, number):
    count = int(environment["SLURM_ARRAY_TASK_COUNT"])
    assert Portion.of("slurm", environment) == Portion(number, count)
    assert Portion.of("SLURM", environment) == Portion(number, count)


def test_outside_an_array_it_is_said():
    with pytest.raises(InputError, match="SLURM_ARRAY_TASK_ID is not set"):
        Portion.of("slurm", {})
    without = array(3)
    del without["SLURM_ARRAY_TASK_MIN"]
    with pytest.raises(InputError, match="SLURM_ARRAY_TASK_MIN is not set"):
        Portion.of("slurm", without)


@pytest.mark.parametrize(
    "environment",
    [
        array(7, first=1, last=7, count=3),  # --array=1,5,7
        array(7, first=5, last=7, count=2),
        array(3, first=0, last=8, step=4, count=3),
    ],
)
def test_an_array_with_gaps_tells_no_place(environment):
    with pytest.raises(InputError, match="the array has gaps"):
        Portion.of("slurm", environment)
