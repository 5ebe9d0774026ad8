"""Folds of any number and by any column, one or several crossed."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.errors import InputError, LeakError
from ser.manifests import (
    Manifest,
    check_leaks,
    counted_column,
    make_splits,
    read_splits,
    write_splits,
)
from ser.manifests.protocols import check_folds_asked, check_protocol, described

from .conftest import toy_manifest

CROSSED = "group:speaker+sentence"


def manifest(rows, corpus="mine"):
    """Of (speaker, sentence, what is said)."""
    return Manifest(
        pd.DataFrame(
            [
                {
                    "id": f"u{number:03}",
                    "corpus": corpus,
                    "language": "pt",
                    "speaker": speaker,
                    "gender": "",
                    "emotion": "fear",
                    "path": f"u{number}.wav",
                    "duration": 1.0,
                    "audio_hash": f"{said:032x}",
                    "sentence": sentence,
                }
                for number, (speaker, sentence, said) in enumerate(rows)
            ]
        )
    )


def whole(speakers, sentences, takes=1):
    """Every speaker says every sentence."""
    places = [(s, t) for s in range(speakers) for t in range(sentences) for _ in range(takes)]
    return manifest((f"s{s}", f"t{t}", number) for number, (s, t) in enumerate(places))


def values(made, column, ids):
    return set(made.table.set_index("id").loc[list(ids), column])


MANIFESTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 60)), min_size=12, max_size=60
).map(lambda drawn: manifest((f"s{s}", f"t{t}", said) for s, t, said in drawn))


@pytest.mark.parametrize(
    ("folds", "number"), [(None, 5), (3, 3), (4, 4), (6, 6), (7, 7), (99, 7), ("all", 7)]
)
@pytest.mark.parametrize("protocol", ["speaker", "group:speaker", "group:sentence"])
def test_as_many_folds_as_were_asked_for_and_as_there_are_groups(protocol, folds, number):
    made = whole(7, 7)
    splits = make_splits(made, protocol, 0, folds)
    assert [split.fold for split in splits] == list(range(number))
    column = protocol.removeprefix("group:")
    if folds == "all":
        assert all(len(values(made, column, split.test)) == 1 for split in splits)
    assert sorted(id for split in splits for id in split.test) == list(made.ids)


def test_by_speaker_is_the_protocol_speaker_where_speakers_are_its_groups():
    made = whole(7, 3)
    for folds in (None, 4, "all"):
        parts = [
            [split.parts() for split in make_splits(made, protocol, 1, folds)]
            for protocol in ("speaker", "group:speaker")
        ]
        assert parts[0] == parts[1]


@settings(max_examples=60)
@given(MANIFESTS, st.sampled_from(["group:sentence", CROSSED]), st.sampled_from([None, 3, "all"]))
def test_what_is_kept_apart_stays_apart_and_every_utterance_is_tested_once(made, protocol, folds):
    try:
        splits = make_splits(made, protocol, 0, folds)
    except InputError as error:
        assert "at least 2" in str(error) or "is left to" in str(error)  # noqa: PT017
        return
    assert sorted(id for split in splits for id in split.test) == list(made.ids)
    assert [split.fold for split in splits] == list(range(len(splits)))
    for split in splits:
        check_leaks(made, split)
        for column in protocol.removeprefix("group:").split("+"):
            tested = values(made, column, split.test)
            assert not tested & values(made, column, split.train + split.validation)


def test_sessions_are_whole_but_where_speakers_are_asked_for():
    """IEMOCAP: each of its sessions has two speakers."""
    rows = [
        (f"Ses{s}{x}", x, (s * 2 + x) * 9 + n) for s in range(5) for x in (0, 1) for n in range(3)
    ]
    made = manifest([(name, f"t{x}", said) for name, x, said in rows], "iemocap")
    made = Manifest(made.table.assign(session=made.table["speaker"].str[:4]))
    for protocol, folds, number in (
        ("speaker", None, 5),
        ("speaker", "all", 5),
        ("speaker", 9, 5),
        ("speaker", 3, 3),
        ("group:session", 4, 4),
        ("group:speaker", "all", 10),
    ):
        splits = make_splits(made, protocol, 0, folds)
        assert len(splits) == number
        parted = 0
        for split in splits:
            check_leaks(made, split)
            rest = values(made, "session", split.train + split.validation)
            parted += bool(values(made, "session", split.test) & rest)
        assert parted == (number if protocol == "group:speaker" else 0)


def test_crossed_by_hand():
    """Three speakers and three sentences: a cell is tested, one validates, one trains, the six that
    share a speaker or a sentence with one of the other parts are not used."""
    made = whole(3, 3)
    splits = make_splits(made, CROSSED, 0)
    assert len(splits) == 9
    for split in splits:
        assert {part: len(ids) for part, ids in split.parts().items()} == {
            "train": 1,
            "validation": 1,
            "test": 1,
        }
        used = split.train + split.validation + split.test
        assert len(values(made, "speaker", used)) == len(values(made, "sentence", used)) == 3


def test_two_sentences_keep_validation_apart_by_speaker_alone():
    made = whole(6, 2)
    splits = make_splits(made, CROSSED, 0)
    assert len(splits) == 10
    for split in splits:
        check_leaks(made, split)
        (tested,) = values(made, "sentence", split.test)
        others = {"t0", "t1"} - {tested}
        assert values(made, "sentence", split.train + split.validation) == others
        people = [values(made, "speaker", ids) for ids in split.parts().values()]
        assert len(set.union(*people)) == sum(map(len, people))


def test_of_two_groups_one_is_tested_and_a_fifth_of_the_other_validates():
    made = whole(5, 2, takes=4)
    splits = make_splits(made, "group:sentence", 0)
    assert [len(split.test) for split in splits] == [20, 20]
    for split in splits:
        check_leaks(made, split)
        assert (len(split.train), len(split.validation)) == (16, 4)
        assert not values(made, "sentence", split.test) & values(made, "sentence", split.train)
        moved = replace(split, test=split.test[1:], train=(*split.train, split.test[0]))
        with pytest.raises(LeakError, match="sentence in more than one part"):
            check_leaks(made, moved)


def test_copies_join_the_sentences_that_they_are_of():
    rows = [(f"s{n}", f"t{n % 4}", n) for n in range(16)]
    made = manifest([*rows, ("s1", "t0", 99), ("s2", "t1", 99)])
    splits = make_splits(made, "group:sentence", 0)
    assert len(splits) == 3
    assert sum({"t0", "t1"} <= values(made, "sentence", split.test) for split in splits) == 1


def test_a_recording_that_everybody_says_leaves_one_group():
    made = manifest([(f"s{n}", f"t{n}", 0) for n in range(6)])
    with pytest.raises(InputError, match=r"1 sentences .* needs at least 2"):
        make_splits(made, "group:sentence", 0)


def test_sentences_of_one_speaker_each_cannot_be_crossed():
    """The speaker of the fold that validates has none of the sentences of the fold that does."""
    made = manifest([(f"s{n}", f"t{n}", n) for n in range(5)])
    with pytest.raises(InputError, match=r"nothing is left to (validate|train); name one column"):
        make_splits(made, CROSSED, 0)


def test_columns_that_are_not_there_or_not_known():
    made = whole(4, 4)
    with pytest.raises(InputError, match=r"no column 'sentense' \(did you mean 'sentence'\?\)"):
        make_splits(made, "group:sentense", 0)
    blank = Manifest(made.table.assign(sentence=["", *made.table["sentence"][1:]]))
    with pytest.raises(InputError, match=r"needs every sentence, but 1 .* such as u000"):
        make_splits(blank, "group:sentence", 0)
    twice = Manifest(made.table.assign(sentence=["T 0", *made.table["sentence"][1:]]))
    with pytest.raises(InputError, match=r"sentence 'T 0' .* is 't0'"):
        make_splits(twice, "group:sentence", 0)
    old = Manifest(made.table.assign(corpus="emodb").drop(columns="sentence"))
    with pytest.raises(InputError, match="ser extract --corpus emodb --replace"):
        make_splits(old, "group:sentence", 0)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        ("grop:sentence", "unknown protocol 'grop:sentence'; choose paper"),
        ("speakers", r"did you mean 'speaker'\?"),
        ("group:", "expected columns of the manifest"),
        ("group:speaker+", "expected columns of the manifest"),
        ("group:speaker+speaker", "each once"),
        ("group:speaker+emotion", "cannot be learned"),
        ("folds:", "expected letters"),
        ("folds:../x", "expected letters"),
    ],
)
def test_names_of_protocols_that_are_refused(protocol, text):
    with pytest.raises(InputError, match=text):
        check_protocol(protocol)


@pytest.mark.parametrize(
    ("protocol", "folds", "text"),
    [
        ("paper", 5, "paper has none to choose"),
        ("folds:emobox", "all", "has none to choose"),
        ("speaker", 2, "a number from 3"),
        ("group:sentence", -1, "a number from 3"),
        ("speaker", 10**7, "a number from 3"),
    ],
)
def test_numbers_of_folds_that_are_refused(protocol, folds, text):
    with pytest.raises(InputError, match=text):
        check_folds_asked(protocol, folds)


def test_intervals_are_over_the_fewest_groups_in_whatever_order_they_are_named():
    table = toy_manifest(24, 4).table
    number = pd.Series(range(len(table)))
    columns = {"take": number % 2, "sentence": number % 3, "session": number % 6}
    made = Manifest(table.assign(**{name: cells.map(str) for name, cells in columns.items()}))
    for named in ("session+take+sentence", "sentence+session", "take+sentence"):
        assert counted_column(made, f"group:{named}") == "sentence"
    assert counted_column(made, "group:take") == "take"


def test_published_folds_are_not_made():
    with pytest.raises(InputError, match="ser split import"):
        make_splits(whole(4, 4), "folds:emobox", 0)


def test_protocols_in_words():
    assert described(CROSSED) == "in folds that keep every speaker and every sentence in one part"
    assert described("folds:emobox") == "in published folds, those of emobox"
    assert described("of my own") == ""


# --- files with utterances that are not used ---


def test_unused_utterances_stand_in_the_file(tmp_path):
    made = whole(3, 3)
    splits = make_splits(made, CROSSED, 0)
    write_splits(tmp_path / "s.csv", made, splits)
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert len(lines) == 1 + 9 * 9
    assert sum(line.endswith(",unused") for line in lines) == 9 * 6
    assert read_splits(tmp_path / "s.csv", made) == splits


def test_what_is_not_used_cannot_stand_in_a_split_that_uses_all(tmp_path):
    made = whole(4, 4)
    write_splits(tmp_path / "s.csv", made, make_splits(made, "group:sentence", 0))
    text = (tmp_path / "s.csv").read_text()
    (tmp_path / "s.csv").write_text(text.replace(",train\n", ",unused\n", 1))
    with pytest.raises(InputError, match="unknown part 'unused'; use train, validation, test"):
        read_splits(tmp_path / "s.csv", made)


def test_a_sentence_moved_to_training_is_a_leak(tmp_path):
    made = whole(4, 4)
    write_splits(tmp_path / "s.csv", made, make_splits(made, CROSSED, 0))
    text = (tmp_path / "s.csv").read_text()
    (tmp_path / "s.csv").write_text(text.replace(",unused\n", ",train\n"))
    with pytest.raises(LeakError, match="sentence in more than one part"):
        read_splits(tmp_path / "s.csv", made)


def test_any_column_makes_groups_of_numbers_too():
    table = toy_manifest(12).table.assign(duration=[1.0, 2.5, 3.0] * 4)
    manifest = Manifest(table)
    splits = make_splits(manifest, "group:duration", 0)
    assert len(splits) == 3
    for split in splits:
        check_leaks(manifest, split)
