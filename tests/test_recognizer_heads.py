"""Which heads answer, and what they say together: by hand."""

import numpy as np
import pytest

from ser.errors import InputError
from ser.recognizer.heads import choose
from ser.train.config import load_config
from ser.train.network.spec import DomainShape, ModelSpec

DOMAINS = (
    DomainShape("emodb", "de", ("neutral", "anger", "boredom"), "de"),
    DomainShape("ravdess", "en", ("neutral", "anger", "calm"), "en"),
    DomainShape("iemocap", "en-us", ("neutral", "anger"), "en-us"),
)


def spec(*domains):
    settings = load_config("strong")
    return ModelSpec(
        *("sb", (), None, domains or DOMAINS, ("neutral", "anger", "boredom", "calm"), False),
        *(settings.model, settings.gate, settings.search),
    )


@pytest.mark.parametrize(
    ("asked", "corpora", "why"),
    [
        ({}, "emodb ravdess iemocap", "no corpus and no language was given"),
        ({"language": "other"}, "emodb ravdess iemocap", "for a language that is other"),
        ({"language": "de"}, "emodb", "one head serves de"),
        ({"language": "DE_at"}, "emodb", "one head serves de-at"),
        ({"language": "en"}, "ravdess", "one head serves en"),
        ({"language": "en-US"}, "iemocap", "one head serves en-us"),
        ({"language": "en-gb"}, "ravdess iemocap", "2 heads serve en-gb"),
        ({"corpora": ["iemocap", "emodb"]}, "emodb iemocap", "as was asked for"),
    ],
)
def test_which_heads_answer(asked, corpora, why):
    heads = choose(spec(), **asked)
    assert list(heads.corpora) == corpora.split()
    assert heads.why.endswith(f": {why}")
    assert heads.why.startswith("heads" if len(heads.corpora) > 1 else "head ")
    assert ("averaged" in heads.why) == (len(heads.corpora) > 1)


def test_the_only_head():
    heads = choose(spec(DOMAINS[1]))
    assert heads.why == "head ravdess (en): the run has no other"
    assert heads.labels == ("neutral", "anger", "calm")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"language": "fr"},
            "--language fr: the run has no head for it; there are emodb (de), ravdess (en), "
            "iemocap (en-us); --language other averages all of them",
        ),
        (
            {"corpora": ["emo-db"]},
            "--corpus emo-db: the run has no head for it (did you mean 'emodb'?); there are "
            "emodb (de), ravdess (en), iemocap (en-us)",
        ),
        ({"corpora": ["emodb"], "language": "de"}, "either chooses the heads, not both"),
        ({"labels": ["calm", "bordom"]}, "(did you mean 'boredom'?); known: neutral, anger, "),
        ({"labels": ["calm", "neutral"], "language": "de"}, "--labels calm: no head knows it"),
        ({"labels": ["calm", "calm"]}, "--labels calm: expected at least two, to choose among"),
    ],
)
def test_what_cannot_be_asked_for(asked, said):
    with pytest.raises(InputError) as caught:
        choose(spec(), **asked)
    assert said in str(caught.value)


SAID = {
    "emodb": np.array([0.1, 0.3, 0.6], "f4"),
    "ravdess": np.array([0.5, 0.5, 0.0], "f4"),
    "iemocap": np.array([0.0, 1.0], "f4"),
}


def test_the_mean_of_heads_that_do_not_know_the_same_labels():
    heads = choose(spec())
    told = heads.restricted(SAID)
    np.testing.assert_allclose(told["emodb"], [0.1, 0.3, 0.6], rtol=1e-6)
    np.testing.assert_allclose(heads.averaged(told), [0.2, 0.6, 0.2, 0.0], rtol=1e-6)
    (one,) = choose(spec(), ["ravdess"]).restricted(SAID).values()
    np.testing.assert_allclose(one, [0.5, 0.5, 0], rtol=1e-6)


def test_labels_restrict_every_head_before_the_mean():
    heads = choose(spec(), labels=["bored", "Neutral"])
    assert heads.labels == ("neutral", "boredom")
    told = heads.restricted(SAID)
    assert {corpus: heads.told(corpus) for corpus in told} == {
        "emodb": ("neutral", "boredom"),
        "ravdess": ("neutral",),
        "iemocap": ("neutral",),
    }
    np.testing.assert_allclose(told["emodb"], [1 / 7, 6 / 7], rtol=1e-6)
    # A head that gave its labels nothing, in rounding, gives each of them the same.
    np.testing.assert_allclose(told["iemocap"], [1])
    np.testing.assert_allclose(heads.averaged(told), [(1 / 7 + 2) / 3, 2 / 7], rtol=1e-6)


def test_a_head_that_knows_none_of_the_labels_is_left_out():
    heads = choose(spec(), labels=["calm", "boredom"])
    assert heads.corpora == ("emodb", "ravdess")
    assert heads.why.endswith("; without iemocap, which knows none of the labels")
    np.testing.assert_allclose(heads.averaged(heads.restricted(SAID)), [0.5, 0.5])
