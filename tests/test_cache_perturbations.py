import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.cache.perturbations import KINDS, NOTHING, Perturbation, perturbations
from ser.errors import InputError


def test_names_are_read_and_written_in_one_form():
    assert perturbations("speed.90, pitch+2,noise20.0") == ("speed0.9", "pitch2", "noise20")
    assert perturbations("noise-0") == ("noise0",)
    assert perturbations("") == perturbations("  ") == ()
    assert Perturbation.parse("pitch-2") == ("pitch", -2.0)


@given(st.sampled_from([*KINDS]), st.floats(0, 1))
def test_a_written_name_reads_as_the_same(kind, share):
    low, high, _ = KINDS[kind]
    amount = round(low + share * (high - low), 3)
    if amount != NOTHING.get(kind):
        name = str(Perturbation(kind, amount))
        assert str(Perturbation.parse(name)) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speed", "expected speed or pitch or noise and a number"),
        ("tempo0.9", "expected speed or pitch or noise and a number"),
        ("speed1e-1", "expected speed or pitch or noise and a number"),
        ("speed0,9", "speed is from 0.5 to 2"),
        ("speed1.0004", "but not 1"),
        ("speed9", "speed is from 0.5 to 2"),
        ("speed1.0", "but not 1"),
        ("pitch0", "but not 0"),
        ("pitch-13", "pitch is from -12 to 12 semitones"),
        ("noise-1", "noise is from 0 to 60 dB"),
        ("speed.9,speed0.90", "speed0.9: is named twice"),
        ("speed.9,", "expected speed or pitch"),
        (f"speed0.{'9' * 5000}", "but not 1"),
    ],
)
def test_what_is_no_perturbation_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        perturbations(text)
