"""Feature keys: identity, hashing, strict parsing."""

import dataclasses
import json
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.cache import FeatureKey
from ser.errors import InputError

KEY = FeatureKey(
    feature="mfcc:hop_length=160",
    backbone="mfcc",
    version=1,
    weights=None,
    parameters={"n_mfcc": 24, "center": True, "fmin": 0.5},
    audio={"rate": 16000, "resampler": "soxr"},
    dtype="float32",
    kind="sequence",
    dim=24,
    frame_rate=100.0,
)

settings = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=8),
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(categories=["L", "N", "P"]), max_size=20),
    ),
    max_size=5,
)


def test_canonical_form_and_hash_are_those_of_the_format() -> None:
    # Written out: a change of either would orphan every cache there is.
    assert KEY.canonical == (
        '{"audio":{"rate":16000,"resampler":"soxr"},"backbone":"mfcc","dim":24,"dtype":"float32",'
        '"feature":"mfcc:hop_length=160","frame_rate":100.0,"kind":"sequence",'
        '"parameters":{"center":true,"fmin":0.5,"n_mfcc":24},"version":1,"weights":null}'
    )
    assert KEY.hash == "b94a0f9547e8b5ab"
    assert KEY.folder == "mfcc-hop_length-160-b94a0f9547e8b5ab"


@given(settings, settings)
def test_json_round_trip(parameters: dict[str, str], audio: dict[str, str]) -> None:
    key = dataclasses.replace(KEY, parameters=parameters, audio=audio)
    for text in (key.to_json(), key.canonical):
        again = FeatureKey.from_json(text)
        assert again == key
        assert again.hash == key.hash
        assert hash(again) == hash(key)


def test_every_field_is_part_of_the_identity() -> None:
    others = {
        "feature": "mfcc",
        "backbone": "librosa",
        "version": 2,
        "weights": "abc",
        "parameters": {"n_mfcc": 24.0, "center": True, "fmin": 0.5},  # 24.0 is not 24
        "audio": {"rate": 16000, "resampler": "sox"},
        "dtype": "float16",
        "kind": "vector",
        "dim": 25,
        "frame_rate": 50.0,
    }
    assert set(others) == {field.name for field in dataclasses.fields(FeatureKey)}
    for name, value in others.items():
        extra = {"frame_rate": None} if name == "kind" else {}
        other = dataclasses.replace(KEY, **{name: value}, **extra)
        assert other != KEY
        assert other.hash != KEY.hash


def test_order_of_parameters_and_type_of_frame_rate_do_not_matter() -> None:
    turned = dict(reversed(KEY.parameters.items()))
    assert dataclasses.replace(KEY, parameters=turned, frame_rate=100) == KEY


def test_later_changes_of_the_callers_mapping_do_not_reach_the_key() -> None:
    parameters = {"n": 1}
    key = dataclasses.replace(KEY, parameters=parameters)
    parameters["n"] = 2
    assert key.parameters == {"n": 1}


def test_keys_travel_to_worker_processes() -> None:
    assert pickle.loads(pickle.dumps(KEY)) == KEY


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("feature", ""),
        ("feature", "two words"),
        ("feature", "x" * 201),
        ("backbone", "a\nb"),
        ("version", True),
        ("version", -1),
        ("version", "1"),
        ("weights", 3),
        ("parameters", []),
        ("parameters", {"x": None}),
        ("parameters", {"x": float("nan")}),
        ("parameters", {"x": [1]}),
        ("parameters", {1: 1}),
        ("parameters", {"": 1}),
        ("audio", {"x": "\ud800"}),
        ("audio", {"x": "y" * 20_000}),
        ("dtype", "float64"),
        ("kind", "matrix"),
        ("dim", 0),
        ("dim", 1 << 40),
        ("dim", 2.0),
        ("frame_rate", 0),
        ("frame_rate", float("inf")),
        ("frame_rate", "100"),
    ],
)
def test_impossible_values_are_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match="feature key"):
        dataclasses.replace(KEY, **{field: value})


def test_a_vector_has_no_frame_rate() -> None:
    with pytest.raises(InputError, match="frame_rate"):
        dataclasses.replace(KEY, kind="vector")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 50_000,
        " " * 100_000,
        json.dumps(json.loads(KEY.canonical) | {"extra": 1}),
        KEY.canonical.replace('"dim":24', '"dim":24,"dim":25'),
        KEY.canonical.replace("100.0", "NaN"),
        KEY.canonical.replace("100.0", "1e999"),
        KEY.canonical.replace('"dim":24', '"dim":' + "9" * 5000),
        KEY.canonical.replace('"dim":24', '"dim":[24]'),
        KEY.canonical[:-1],
    ],
)
def test_json_of_strangers_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="feature key"):
        FeatureKey.from_json(text)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200))
def test_folder_names_are_safe_everywhere(feature: str) -> None:
    folder = dataclasses.replace(KEY, feature=feature).folder
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,39}-[0-9a-f]{16}", folder)
