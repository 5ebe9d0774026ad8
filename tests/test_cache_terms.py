"""The terms of a corpus: kept beside its manifest, and asked about before they are passed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser.cache import Cache, Terms, save_terms, store_manifest
from ser.cache.remotes import open_place, plan_pull, plan_push, pull, push
from ser.cache.terms import parse_terms, read_terms, terms_file
from ser.errors import InputError, SerError

from .conftest import KEY, fill, make_manifest


def corpus(cache: Cache, name: str) -> None:
    store_manifest(cache, make_manifest(corpus=name))
    fill(cache, KEY, make_manifest(corpus=name))


def test_of_a_known_corpus_they_are_known(cache: Cache) -> None:
    corpus(cache, "iemocap")
    corpus(cache, "mine")
    terms = read_terms(cache.folders, "iemocap")
    assert terms is not None
    assert terms.licensees_only
    assert (cache.folder / terms_file("iemocap")).is_file()
    assert read_terms(cache.folders, "mine") is None


def test_they_travel_with_the_manifest(cache: Cache, tmp_path: Path) -> None:
    corpus(cache, "mine")
    terms = Terms("ask us first", "https://example.org", licensees_only=True)
    save_terms(cache.folder, "mine", terms)
    plan = plan_push(cache, open_place(tmp_path / "drive"))
    assert plan.licensees_only == ["mine"]
    push(plan)
    other = Cache(tmp_path / "other")
    plan = plan_pull(other, open_place(tmp_path / "drive"))
    assert plan.terms == {"mine": terms}
    pull(plan)
    assert read_terms(other.folders, "mine") == terms
    assert str(terms) == "ask us first, for licensees only, https://example.org"


def test_only_what_moves_is_asked_about(cache: Cache, tmp_path: Path) -> None:
    corpus(cache, "iemocap")
    corpus(cache, "mine")
    assert plan_push(cache, open_place(tmp_path / "drive"), ["mine"]).licensees_only == []
    push(plan_push(cache, open_place(tmp_path / "drive")))
    assert plan_push(cache, open_place(tmp_path / "drive")).licensees_only == []


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"licence": 1}', b'{"more": "a"}', b"\xff", b'{"licence": "' + b"a" * 20_000],
)
def test_what_is_no_such_file(cache: Cache, data: bytes) -> None:
    corpus(cache, "mine")
    (cache.folder / terms_file("mine")).write_bytes(data)
    with pytest.raises(InputError, match=r"mine\.terms\.json"):
        read_terms(cache.folders, "mine")
    with pytest.raises(InputError):
        parse_terms(data, "x")


def test_a_link_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    corpus(cache, "mine")
    (tmp_path / "secret").write_text('{"licence": "secret"}')
    (cache.folder / terms_file("mine")).symlink_to(tmp_path / "secret")
    with pytest.raises(SerError, match="link"):
        read_terms(cache.folders, "mine")
