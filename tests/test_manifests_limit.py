"""From how many bad files on a run is no use."""

import pytest

from ser.errors import InputError
from ser.manifests import BadFile, BadFileLimit


def files(count, reason="too short", first=0):
    return [BadFile(f"u{n}", f"u{n}.wav", reason) for n in range(first, first + count)]


def ends(limit, bad, done, total):
    try:
        limit.check("mine", bad, done, total)
    except InputError:
        return True
    return False


@pytest.mark.parametrize(
    ("share", "bad", "done", "total", "over"),
    [
        (None, 99, 100, 1000, False),
        (None, 100, 100, 1000, True),
        (None, 99, 99, 99, False),
        (None, 150, 151, 1000, False),
        (0.05, 5, 100, 1000, False),
        (0.05, 6, 100, 1000, True),
        (0.29, 29, 100, 100, False),
        (0.05, 6, 99, 1000, False),  # the other 901 may be good
        (0.05, 51, 99, 1000, True),  # whatever they are
        (0.05, 1, 12, 12, True),
        (0.1, 1, 12, 12, False),
        (0.0, 0, 1000, 1000, False),
        (0.0, 1, 1, 1000, True),
        (1.0, 99, 99, 99, False),
    ],
)
def test_when_too_many_are_bad(share, bad, done, total, over):
    assert ends(BadFileLimit(share), files(bad), done, total) == over


def test_what_was_bad_before_counts():
    limit = BadFileLimit(0.05).after(files(3)).after(files(2, first=3))
    assert not ends(limit, [], 95, 95)
    assert ends(limit, files(1, first=5), 95, 95)


def test_the_message_says_what_is_wrong():
    bad = [*files(70, "no such file"), *files(30, "too short", 70)]
    with pytest.raises(InputError) as raised:
        BadFileLimit(0.5).check("mine", bad, 100, 300)
    assert str(raised.value) == (
        "mine: 100 of 100 files cannot be used, more than --fail-over 0.5 allows: no such file "
        "(70, such as u0.wav), too short (30, such as u70.wav). What was finished is kept: put it "
        "right and run the same command again"
    )


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_it_is_a_share(share):
    with pytest.raises(InputError, match="--fail-over"):
        BadFileLimit(share)
