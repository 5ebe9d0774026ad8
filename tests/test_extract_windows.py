"""Windows over a recording: where they lie, and that pieces do not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.errors import AudioError
from ser.extract.audio import RATE
from ser.extract.voice import STEP, VoiceActivity
from ser.extract.windows import SPEECH, windows
from ser.tests.audio_files import noise


def cuts(sound, window, hop, piece=1 << 14):
    pieces = (sound[at : at + piece] for at in range(0, len(sound), piece))
    return [*windows(pieces, round(window * RATE), round(hop * RATE))]


@pytest.mark.parametrize(
    ("seconds", "window", "hop", "spans"),
    [
        (6, 3, 1, [(0, 3), (1, 4), (2, 5), (3, 6)]),
        (5.5, 3, 1, [(0, 3), (1, 4), (2, 5), (3, 5.5)]),
        (5, 3, 2, [(0, 3), (2, 5)]),
        (4, 3, 3, [(0, 3), (3, 4)]),
        (3.9, 3, 3, [(0, 3)]),  # the rest is too short
        (2, 3, 1, [(0, 2)]),  # all of it, shorter than a window
        (0.4, 3, 1, [(0, 0.4)]),
        (8, 1, 3, [(0, 1), (3, 4), (6, 7)]),
        (10.5, 1, 3, [(0, 1), (3, 4), (6, 7), (9, 10)]),
        (2.2, 1, 2, [(0, 1)]),
        (1.5, 0.5, 0.5, [(0, 0.5), (0.5, 1), (1, 1.5)]),
    ],
)
def test_where_they_lie(seconds, window, hop, spans):
    sound = noise(seconds)[:, 0]
    found = cuts(sound, window, hop)
    assert [(c.start / RATE, (c.start + len(c.samples)) / RATE) for c in found] == spans
    for cut in found:
        np.testing.assert_array_equal(cut.samples, sound[cut.start :][: len(cut.samples)])


class Every(VoiceActivity):
    """Hears speech in every third step."""

    def _probabilities(self, block):
        steps = np.arange(len(block) // STEP)
        return np.float32((steps + self.heard) % 3 == 0)

    heard = 0


def test_the_share_of_speech(monkeypatch):
    monkeypatch.setattr("ser.extract.windows.VoiceActivity", Every)
    steps = np.repeat(np.arange(32) % 3 == 0, STEP)  # of a call; every call begins anew
    truth = np.tile(steps, 10)
    for cut in cuts(noise(10)[:, 0], 0.75, 0.7):
        expected = truth[cut.start :][: len(cut.samples)].mean()
        assert cut.speech == pytest.approx(expected, abs=1e-6)
    assert SPEECH < 1


@settings(max_examples=40)
@given(
    seconds=st.floats(0.1, 9),
    window=st.floats(0.5, 4),
    hop=st.floats(0.2, 5),
    piece=st.one_of(st.integers(500, 20000), st.just(1 << 40)),
)
def test_pieces_do_not_matter(seconds, window, hop, piece):
    sound = noise(seconds, seed=5)[:, 0]
    whole, pieces = cuts(sound, window, hop), cuts(sound, window, hop, piece)
    assert [(c.start, c.speech) for c in whole] == [(c.start, c.speech) for c in pieces]
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
    starts = [cut.start for cut in whole]
    assert starts == [n * round(hop * RATE) for n in range(len(starts))]


def test_what_was_whole_comes_before_an_error():
    def stream():
        yield noise(4.2)[:, 0]
        raise AudioError("torn")

    found = []
    with pytest.raises(AudioError, match="torn"):
        found.extend(windows(stream(), 3 * RATE, RATE))
    assert [cut.start / RATE for cut in found] == [0, 1]


def test_only_what_is_needed_is_kept():
    """However long the stream."""
    from ser.extract.windows import _Tape

    tape, start = _Tape(), 0
    for number, _ in enumerate(tape.record(noise(1, seed=n)[:, 0] for n in range(60))):
        while start + RATE <= tape.known:
            tape.cut(start, start + RATE)
            start += RATE // 2
            tape.forget(start)
        assert len(tape._samples) < 4 * RATE, number
