import pandas as pd

from ser.manifests import Manifest, Split
from ser.train.runs.notes import left_out, notes_on_splits

from .conftest import toy_manifest


def manifest(emotions):
    """Utterances u000, u001, ... with these emotions, by unknown speakers."""
    table = toy_manifest(utterances=len(emotions)).table.copy()
    table["emotion"] = list(emotions)
    table["speaker"] = ""
    return Manifest(pd.DataFrame(table))


def split(train, test, seed=0, fold=0):
    names = [f"u{n:03}" for n in range(100)]
    parts = [tuple(names[n] for n in part) for part in (train, (), test)]
    return Split("speaker", seed, fold, *parts)


FEAR = ["anger"] * 6 + ["neutral"] * 6 + ["fear"] * 3


def test_a_class_that_no_training_part_has_is_named():
    notes = notes_on_splits(manifest(FEAR), [split(range(3, 9), [0, 1, 2, 9, 10, 11, 12, 13, 14])])
    assert len(notes) == 1
    assert notes[0].startswith("fear: in no training part of this corpus")


def test_one_that_some_folds_do_not_train_on_is_counted():
    splits = [
        split([*range(3, 9)], [0, 1, 2, 9, 10, 11, 12, 13, 14], fold=0),
        split([*range(3), *range(9, 15)], range(3, 9), fold=1),
    ]
    assert notes_on_splits(manifest(FEAR), splits) == [
        "Missing from some of the 2 training parts: fear (1)."
    ]


def test_recall_that_rests_on_one_or_two_utterances_is_said():
    train = [*range(3, 6), *range(9, 12), 14]
    notes = notes_on_splits(manifest(FEAR), [split(train, [0, 1, 2, 6, 7, 12])])
    assert notes == [
        "Fewer than 3 test utterances in some repeat, so that the recall rests on these: "
        "neutral (2), fear (1)."
    ]
    # The folds of a repeat are counted together.
    folds = [
        split(train, [0, 1, 2, 6, 7, 12], fold=0),
        split([*range(3), 6, 7, 12], [3, 4, 5, 8, 13, 14], fold=1),
    ]
    assert notes_on_splits(manifest(FEAR), folds) == []


def test_a_class_that_some_repeat_does_not_test_is_said():
    train = [*range(3, 6), *range(9, 12), 12, 13, 14]
    notes = notes_on_splits(manifest(FEAR), [split(train, [0, 1, 2, 6, 7, 8])])
    assert notes == [
        "Without test utterances in some repeat, whose UA is the mean over the other classes: fear."
    ]


def test_a_corpus_of_whole_classes_needs_no_note():
    every = [*range(3), *range(6, 9)]
    assert notes_on_splits(manifest(FEAR[:12]), [split([3, 4, 9, 10], every)]) == []
    assert left_out(10, 0) == []
    assert left_out(10, 2) == ["2 of 12 utterances lack a feature and were left out."]


def test_what_is_odd_about_the_speakers_is_said():
    table = manifest(["anger", "fear"] * 6).table
    nested = Manifest(table.assign(speaker=table["emotion"], gender=["female", "male"] * 6))
    notes = notes_on_splits(nested, [split(range(6), range(6, 12))])
    assert notes == [
        "Every speaker has one emotion only: what is learned and measured here may be who speaks, "
        "and not how."
    ]
    both = Manifest(table.assign(speaker="s1", gender=["female"] * 6 + ["male"] * 6))
    (note,) = notes_on_splits(both, [split(range(6), range(6, 12))])
    assert note.startswith("Speakers with more than one gender")
    assert note.endswith("s1 (female, male).")
