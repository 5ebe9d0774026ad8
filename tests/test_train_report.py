import pandas as pd

from ser.manifests import Manifest, Split
from ser.train.runs.report import comparison_table, confusion_table, decimal, describe_run
from ser.train.runs.results import corpus_metrics

LABELS = ("neutral", "anger")


def manifest(speakers="ssttsstt"):
    rows = [
        {
            "id": id,
            "corpus": "toy",
            "language": "de",
            "speaker": speaker.strip(),
            "gender": "",
            "emotion": LABELS[number // 4],
            "path": f"{id}.wav",
            "duration": 1.0,
            "audio_hash": f"{number:032x}",
        }
        for number, (id, speaker) in enumerate(zip("abcdefgh", speakers, strict=True))
    ]
    return Manifest(pd.DataFrame(rows))


def rates(*repeats, protocol="paper", speakers="ssttsstt"):
    """The metrics of (seed, fold, test utterances, predicted label positions)."""
    toy = manifest(speakers)
    emotion = dict(zip(toy.ids, toy.table["emotion"], strict=True))
    splits, rows = [], []
    for seed, fold, test, predicted in repeats:
        rest = tuple(id for id in toy.ids if id not in test)
        splits.append(Split(protocol, seed, fold, rest, (), tuple(test)))
        rows += [
            {"repeat": seed, "fold": fold, "id": id, "truth": emotion[id], "predicted": LABELS[p]}
            for id, p in zip(test, predicted, strict=True)
        ]
    return corpus_metrics(pd.DataFrame(rows), toy, splits)


def test_folds_are_pooled_before_ua_is_taken():
    # Fold 0 has one anger, missed; fold 1 has three, found: pooled recall 3/4, mean of folds 1/2.
    found = rates((0, 1, "dfgh", [0, 1, 1, 1]), (0, 0, "abce", [0, 0, 1, 0]), protocol="speaker")
    assert found["recall"] == {"neutral": 0.75, "anger": 0.75}
    assert found["ua"]["values"] == [0.75]
    assert found["n_test"] == 8
    assert found["confusion"] == [[3, 1], [1, 3]]
    # Without s: c missed, d g h right, UA 3/4. Without t: a b f right, e missed, UA 3/4.
    assert found["interval"] == "speakers"
    assert found["ua"]["ci95"] is None  # both alike: that says nothing of how speakers differ
    assert found["notes"][-1] == "No interval of UA and WA: all speakers came out alike."


def test_repeats_are_averaged_and_their_confusions_added():
    found = rates((0, 0, "ae", [0, 1]), (1, 0, "be", [1, 1]))
    assert found["ua"]["values"] == [1.0, 0.5]
    assert found["interval"] == "repeats"
    assert found["speakers_shared"] == 1
    assert found["ua"]["mean"] == 0.75
    assert found["confusion"] == [[1, 1], [0, 2]]
    assert found["recall"] == {"neutral": 0.5, "anger": 1.0}


def test_a_class_that_is_never_tested_has_no_recall():
    found = rates((0, 0, "ab", [0, 1]), (1, 0, "cd", [0, 0]))
    assert found["recall"]["anger"] is None
    assert "-" in confusion_table(found)[2]


def metrics(protocol="paper", **changes):
    toy = rates((0, 0, "ae", [0, 1]), (1, 0, "be", [1, 1]), protocol=protocol)
    return {
        "setting": "single",
        "method": "single",
        "preset": "strong",
        "changes": [],
        "features": ["mfcc", "ge2e"],
        "protocol": protocol,
        "repeats": 2,
        "namesakes": [],
        "domains": {"toy": toy | changes},
        "seconds": {},
    }


def test_overlapping_speakers_are_said_where_the_numbers_are():
    for text in (describe_run, lambda run: comparison_table([run])):
        assert "Speakers overlap" in text(metrics())
        assert "not known" in text(metrics(speakers_shared=None))
        assert "no test speaker happens" in text(metrics(speakers_shared=0))
        assert "unknown speakers" in text(metrics("speaker"))
        assert "Student's t" in text(metrics())


def test_speakers_that_are_not_known_are_not_counted():
    found = rates((0, 0, "ae", [0, 1]), (1, 0, "be", [1, 1]), speakers="sstt stt")
    assert found["speakers_shared"] is None


def test_a_doubt_about_who_the_speakers_are_is_said():
    assert "same people" not in describe_run(metrics("speaker"))
    text = describe_run(metrics("speaker") | {"namesakes": ["01", "02"]})
    assert "both have speakers named 01, 02: if they are the same people" in text


def test_the_table_has_a_line_per_run():
    lines = comparison_table([metrics(), metrics("speaker")]).splitlines()
    assert "single (strong)" in lines[1]
    assert "mfcc+ge2e" in lines[1]
    assert ".750" in lines[1]
    assert "speaker" in lines[2]
    assert lines[3] == ""


def test_what_is_not_of_all_runs_is_said_of_those_that_it_is_of():
    mapped = metrics()
    mapped["domains"] = {
        name: {**domain, "notes": ["Labels by a map."]}
        for name, domain in mapped["domains"].items()
    }
    lines = comparison_table([metrics(), mapped], ["[1]", "[2]"]).splitlines()
    assert [line for line in lines if "Labels by" in line] == ["[2]: toy: Labels by a map."]
    assert next(line for line in lines if "Intervals" in line).startswith("Intervals")


def test_different_settings_of_one_preset_are_labelled_apart():
    changed = metrics() | {"changes": ["train.lr=0.0005"]}
    lines = comparison_table([metrics(), changed]).splitlines()
    assert "single (strong) " in lines[1]
    assert "single (strong with train.lr=0.0005)" in lines[2]


def test_the_calibration_error_is_said_before_and_after():
    assert "ECE" not in describe_run(metrics())
    text = describe_run(metrics(ece={"before": 0.0834, "after": 0.041, "by_chance": 0.0351}))
    assert "  ECE .083 before calibration, .041 after (by chance .035)\n" in text
    text = describe_run(metrics(ece={"before": 0.0834, "after": None, "by_chance": 0.0351}))
    assert "  ECE .083, not calibrated (by chance .035)\n" in text


def test_rates_are_printed_as_rates():
    assert (decimal(0.8714), decimal(1.0), decimal(0.0)) == (".871", "1.000", ".000")
