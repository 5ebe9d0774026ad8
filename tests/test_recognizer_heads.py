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
        (
            {"labels": ["calm", "boredom"]},
            "--labels boredom,calm: no head that knows boredom or calm knows another of them",
        ),
        (
            {"labels": ["calm", "boredom", "neutral"], "corpora": ["emodb", "half"]},
            "--labels neutral,boredom,calm: no head that knows calm knows another of them",
        ),
    ],
)
def test_what_cannot_be_asked_for(asked, said):
    half = DomainShape("half", "fr", ("anger", "calm"), "fr")
    with pytest.raises(InputError) as caught:
        choose(spec(*DOMAINS, *([half] if "half" in asked.get("corpora", ()) else [])), **asked)
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
    heads = choose(spec(), labels=["angry", "Neutral"])
    assert heads.labels == ("neutral", "anger")
    told = heads.restricted(SAID)
    assert {heads.told(corpus) for corpus in told} == {("neutral", "anger")}
    np.testing.assert_allclose(told["emodb"], [1 / 4, 3 / 4], rtol=1e-6)
    np.testing.assert_allclose(heads.averaged(told), [(1 / 4 + 1 / 2) / 3, 9 / 12], rtol=1e-6)


def test_a_head_that_gave_its_labels_nothing_gives_each_the_same():
    heads = choose(spec(), ["ravdess"], labels=["anger", "calm"])
    told = heads.restricted({"ravdess": np.array([1.0, 0.0, 0.0])})
    np.testing.assert_allclose(told["ravdess"], [0.5, 0.5])


def test_a_head_that_knows_one_of_the_labels_or_none_has_no_say():
    heads = choose(spec(), labels=["bored", "Neutral"])
    assert heads.labels == ("neutral", "boredom")
    assert heads.corpora == ("emodb",)
    assert heads.why.endswith(
        "; without ravdess and iemocap, which cannot choose among these labels"
    )
    np.testing.assert_allclose(heads.averaged(heads.restricted(SAID)), [1 / 7, 6 / 7], rtol=1e-6)
    heads = choose(spec(), labels=["anger", "calm", "boredom"])
    assert heads.corpora == ("emodb", "ravdess")
    mean = [(1 / 3 + 1) / 2, 2 / 3 / 2, 0]
    np.testing.assert_allclose(heads.averaged(heads.restricted(SAID)), mean, rtol=1e-6)
