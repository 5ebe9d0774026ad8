import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.train.runs.compare import all_pairs, compare, flip_test


def table(predicted, truth="aabb", repeat=0, corpus="toy"):
    ids = [f"u{number}" for number in range(len(truth))]
    return pd.DataFrame(
        {
            "corpus": corpus,
            "repeat": repeat,
            "id": ids,
            "truth": list(truth),
            "predicted": list(predicted),
        }
    )


def test_the_difference_is_that_of_the_unweighted_accuracies():
    # Recalls 1 and 1/3 (UA 2/3) against 0 and 1 (UA 1/2).
    found = compare(table("abaa", "abbb"), table("bbbb", "abbb"), 0.3)
    assert found.difference == pytest.approx(2 / 3 - 1 / 2)
    assert found.units == 4
    assert found.p_repeats is None
    low, high = found.ci95
    assert (low + high) / 2 == pytest.approx(found.difference)


def test_several_corpora_count_alike_and_repeats_are_averaged():
    one = pd.concat(
        [
            table("aabb"),
            table("aabb", repeat=1),
            table("ab", "ab", corpus="big"),
            table("ab", "ab", repeat=1, corpus="big"),
        ]
    )
    other = pd.concat(
        [
            table("aabb"),
            table("aaaa", repeat=1),
            table("aa", "ab", corpus="big"),
            table("ab", "ab", repeat=1, corpus="big"),
        ]
    )
    # Differences: toy 0 and 1/2, big 1/2 and 0.
    found = compare(one, other, 0.25)
    assert found.difference == pytest.approx((0 + 0.5 + 0.5 + 0) / 4)
    # 1/4 in both repeats: that says nothing of how repeats differ.
    assert found.p_repeats is None
    low, high = found.ci95
    assert low < found.difference < high


def test_the_t_test_over_repeats_worked_out_by_hand():
    one = pd.concat([table("aabb", repeat=r) for r in range(3)])
    other = pd.concat([table(p, repeat=r) for r, p in enumerate(["aabb", "aaab", "aaaa"])])
    found = compare(one, other, 0.25)
    # Differences 0, 1/4, 1/2: mean 1/4, s 1/4, t = (1/4) / (1/4 sqrt(1/3 + 1/4)).
    t = 1 / np.sqrt(1 / 3 + 1 / 4)
    p = 1 - t / np.sqrt(2 + t**2)  # Student's distribution with 2 degrees of freedom
    assert found.p_repeats == pytest.approx(p)
    assert found.ci95[1] - found.difference == pytest.approx(4.302653 * 0.25 * np.sqrt(7 / 12))


def test_a_speaker_stands_or_falls_as_one():
    units = {("toy", f"u{n}"): "s" if n < 2 else "t" for n in range(4)}
    found = compare(table("aabb"), table("bbaa"), 0.3, units)
    assert found.units == 2
    assert found.p_units == pytest.approx(2 / 4)  # of ++ +- -+ -- two are as extreme
    assert compare(table("aabb"), table("bbaa"), 0.3).p_units == pytest.approx(2 / 16)


def test_the_interval_over_speakers_worked_out_by_hand():
    units = {("toy", f"u{n}"): "stu"[n // 2] for n in range(6)}
    one, other = table("abcbab", "ababab"), table("cbcbac", "ababab")
    # Gains: one more a of speaker s, one more b of speaker u; recalls 1/3 and 1/3. Without s, t, u:
    # (0/2 + 1/2) / 2, (1/2 + 1/2) / 2, (1/2 + 0/2) / 2. Mean 1/3, variance (2/3) (1 + 4 + 1) / 144.
    found = compare(one, other, 0.3, units)
    assert found.difference == pytest.approx(1 / 3)
    assert found.ci95[1] - found.difference == pytest.approx(4.302653 / 6)
    # Repeats of the same test utterances do not make it surer.
    repeated = [pd.concat([each, each.assign(repeat=1)]) for each in (one, other)]
    twice = compare(*repeated, 0.3, units)
    assert twice.ci95 == pytest.approx(found.ci95)
    assert twice.p_repeats is None
    # Corpora are independent. The other's gains are 1 and 0: variance (1/2) (1/4 + 1/4).
    alike = [table(each, "aabb", corpus="big") for each in ("aabb", "cacb")]
    units |= {("big", f"u{n}"): "st"[n % 2] for n in range(4)}
    both = compare(pd.concat([one, alike[0]]), pd.concat([other, alike[1]]), 0.3, units)
    assert both.difference == pytest.approx((1 / 3 + 1 / 2) / 2)
    half = np.hypot(4.302653 / 6, 12.706205 / 2) / 2
    assert both.ci95[1] - both.difference == pytest.approx(half)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_the_permutation_test_takes_every_sign_pattern(parts):
    values = np.array(parts, dtype=float)
    sums = [abs(np.dot(signs, values)) for signs in itertools.product([1, -1], repeat=len(parts))]
    expected = np.mean([each >= abs(values.sum()) - 1e-9 for each in sums])
    assert flip_test(values) == pytest.approx(expected)


def test_many_parts_are_drawn_and_give_nearly_the_same():
    random = np.random.default_rng(1)
    parts = random.normal(0.2, 1, size=200)
    z = parts.sum() / np.sqrt((parts**2).sum())
    from scipy.special import ndtr

    assert flip_test(parts) == pytest.approx(2 * ndtr(-abs(z)), abs=0.02)
    assert flip_test(parts) == flip_test(parts)


def test_alike_methods_do_not_differ():
    found = compare(table("aabb"), table("aabb"), 0.3)
    assert (found.difference, found.p_units) == (0, 1)


def test_tables_of_other_utterances_are_refused():
    with pytest.raises(ValueError, match="same test utterances"):
        compare(table("aabb"), table("aab", "aab"), 0.3)


def test_all_pairs_are_there_once():
    assert all_pairs(["x", "y", "z"]) == [("y", "x"), ("z", "x"), ("z", "y")]
