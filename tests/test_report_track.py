"""The figure of a track: steps around the centres of windows, gaps, time."""

from xml.etree import ElementTree

import numpy as np
import pytest

from ser.errors import InputError
from ser.report.track import _MOST, Track, _steps, check_plot, minutes, write_track

LABELS = ("neutral", "anger", "$x$")


def made(count, hop=1.0, silent=()):
    draw = np.random.default_rng(0)
    start = np.arange(count) * hop
    probabilities = draw.dirichlet(np.ones(3), count)
    probabilities[list(silent)] = np.nan
    return Track(start, start + 3, draw.random(count), probabilities, LABELS, "a.wav", 0.3)


def test_steps_lie_around_the_centres():
    edges, shares, speech = _steps(made(4, silent=[2]))
    np.testing.assert_array_equal(edges, [0, 2, 3, 4, 6])
    np.testing.assert_array_equal(np.isnan(shares).any(axis=1), [False, False, True, False])
    np.testing.assert_array_equal(shares[0], made(4).probabilities[0])
    np.testing.assert_array_equal(speech, made(4).speech)


def test_many_windows_are_averaged():
    track = made(3 * _MOST - 1, silent=[0, 3, 4, 5])
    edges, shares, speech = _steps(track)
    assert (len(edges), shares.shape, speech.shape) == (_MOST + 1, (_MOST, 3), (_MOST,))
    np.testing.assert_allclose(shares[0], track.probabilities[1:3].mean(0))
    assert np.isnan(shares[1]).all()
    np.testing.assert_allclose(shares[-1], track.probabilities[-2:].mean(0))
    np.testing.assert_allclose(speech[-1], track.speech[-2:].mean())
    assert edges[1] == 3.0 + 1  # between the centres of the third window and the fourth


@pytest.mark.parametrize(("count", "kind"), [(1, "svg"), (50, "pdf"), (3000, "PNG"), (60, "svg")])
def test_it_is_drawn(tmp_path, count, kind):
    path = tmp_path / f"x.{kind}"
    write_track(made(count, silent=range(1, count, 3)), path)
    first = path.read_bytes()
    assert first.startswith({"svg": b"<?xml", "pdf": b"%PDF", "PNG": b"\x89PNG"}[kind])
    if kind == "svg":
        ElementTree.fromstring(first)
    write_track(made(count, silent=range(1, count, 3)), path)
    assert path.read_bytes() == first


def test_silence_is_drawn(tmp_path):
    write_track(made(5, silent=range(5)), tmp_path / "x.svg")


def test_names_of_figures(tmp_path):
    check_plot(tmp_path / "x.PDF")
    with pytest.raises(InputError, match=r"expected a name in \.svg, \.pdf, \.png"):
        check_plot(tmp_path / "x.jpg")


def test_times():
    assert [minutes(s) for s in (0, 59.6, 3599, 36061)] == ["0:00", "1:00", "59:59", "10:01:01"]
