"""`ser predict --speaker`, and voices in the library, against evaluation on the cache."""

import csv
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ser import Cache, Recognizer, Run, extract_corpus, train
from ser.cli import main
from ser.errors import AudioError, InputError
from ser.export.card import card
from ser.progress import Progress
from ser.recognizer import hearing
from ser.recognizer.sources import find_sources
from ser.serve.desk import Desk
from ser.serve.facts import facts_of
from ser.tests.test_front_door import write_sounds
from ser.train.evaluate import probabilities
from ser.train.functionals import functionals
from ser.train.runs.report import UNHEARD

HOW = ("speaker", "causal")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Thirty sounds `c/NN.wav` of five speakers, and what was trained on them: the runs `speaker`
    and `shared`, on functionals, and `causal`, on frames. The list `people.csv` has the sounds in
    the order in which they are heard in evaluation."""
    folder = tmp_path_factory.mktemp("speakers")
    write_sounds(folder)
    extract_corpus(
        *("mine", folder / "c", "mfcc", folder / "cache"),
        csv=folder / "mine.csv",
        language="de",
        workers=0,
    )
    for how, encoder in (
        ("speaker", "functionals"),
        ("causal", "attention"),
        ("shared", "functionals"),
    ):
        own = [f"model.standardise={how}", f"model.encoder={encoder}"]
        train(
            *("single", "mine"),
            features="mfcc",
            cache=folder / "cache",
            preset="strong-1",
            changes=["train.epochs=3", "train.members=1", *own],
            repeats=1,
            out=folder / how,
        )
    table = pd.read_csv(folder / "mine.csv", dtype=str)
    table["id"] = table["path"].str.removesuffix(".wav")
    table["path"] = "c/" + table["path"]
    order = sorted(table["id"], key=lambda id: hashlib.sha256(id.encode()).digest())
    table.set_index("id", drop=False).loc[order].to_csv(folder / "people.csv", index=False)
    return folder


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (*HOW, "shared", "c"):
        (tmp_path / name).symlink_to(place / name)
    shutil.copy(place / "people.csv", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def evaluated(place):
    """Of each run what evaluation on the cache says, by id and label."""

    def table(how):
        recognizer = Recognizer(place / how)
        domain = recognizer.run.domain("mine", Cache(place / "cache"))
        rows = domain.rows(domain.ids)
        said = probabilities(recognizer.run.ensemble(0), domain, rows)
        return pd.DataFrame(said.numpy(), index=domain.ids, columns=recognizer.labels)

    return {how: table(how) for how in HOW}


def predict(*arguments):
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def told(path):
    """Probabilities by file, in the order of the answers."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        Path(row["file"]).stem: [float(row[name]) for name in row if name.startswith("p_")]
        for row in rows
    }


@pytest.mark.parametrize(("how", "workers"), [("speaker", 0), ("causal", 2)])
def test_files_are_told_as_evaluation_tells_them(here, evaluated, how, workers):
    typed = ("--run", how, "people.csv", "--speaker", "Speaker", "--workers", workers)
    result = predict(*typed, "--out", "out.csv")
    assert result.exit_code == 0, result.output
    assert "note: fewer" not in result.stderr
    assert "--speaker says" not in result.stderr
    expected = evaluated[how]
    found = told("out.csv")
    assert set(found) == set(expected.index)
    for id, said in found.items():
        assert said == pytest.approx(expected.loc[id].tolist(), abs=1e-5), id
    # They are not what is said of each alone.
    alone = predict("--run", how, "people.csv", "--out", "alone.csv")
    assert "and less is to be expected; --speaker says whose the files are" in alone.stderr
    difference = np.abs(np.array([*told("alone.csv").values()]) - [*found.values()]).max()
    assert difference > 1e-3


def test_a_voice_hears_and_is_told(place, evaluated):
    recognizer = Recognizer(place / "speaker")
    people = pd.read_csv(place / "people.csv", dtype=str)
    files = people[people.speaker == "s2"].set_index("id").path
    voice = recognizer.voice()
    first = place / files.iloc[0]
    unheard = recognizer.probabilities(first, voice)
    assert (unheard == recognizer.probabilities(first)).all()
    for file in files:
        voice.hear(recognizer.features(place / file))
    assert voice.count == len(files) == 6
    for id, file in files.items():
        said = recognizer.probabilities(place / file, voice)
        assert said.tolist() == pytest.approx(evaluated["speaker"].loc[id].tolist(), abs=1e-5)
    with pytest.raises(InputError, match="shared: was trained without what is heard of speakers"):
        Recognizer(place / "shared").voice()


def test_the_mean_and_deviation_of_what_was_heard(place):
    """By hand: every utterance counts alike, with the mean over its frames, or as its vector."""
    two = [place / "c" / f"{number:02}.wav" for number in (0, 7)]
    for how in HOW:
        recognizer = Recognizer(place / how)
        voice = recognizer.voice()
        assert voice.heard() == {}
        features = [recognizer.features(sound)["mfcc"] for sound in two]
        for each in features:
            voice.hear({"mfcc": each})
        if how == "speaker":
            features = [functionals(each)[None] for each in features]
        one, other = (each.astype(float) for each in features)
        mean = (one.mean(0) + other.mean(0)) / 2
        square = ((one**2).mean(0) + (other**2).mean(0)) / 2
        heard = voice.heard()["mfcc"]
        assert (heard.rows.tolist(), heard.counts.tolist()) == ([0], [2])
        assert heard.moments[0, 0] == pytest.approx(mean, rel=1e-5, abs=1e-5)
        std = np.sqrt(np.maximum(square - mean**2, 0))
        assert heard.moments[0, 1] == pytest.approx(std, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("how", HOW)
def test_what_is_not_kept_is_computed_again_and_what_is_done_is_heard(here, how):
    """The same answers, to the bit, from wherever they begin."""
    (here / "none.wav").write_text("This is no sound.")
    lines = (here / "people.csv").read_text().splitlines()
    lines.insert(8, "none.wav,anger,s1,none")
    (here / "people.csv").write_text("\n".join(lines))
    recognizer = Recognizer(how)
    sources = find_sources([here / "people.csv"], "speaker")

    def each(done=0, most_kept=hearing.MOST_KEPT):
        said = hearing.each_by_speaker(
            recognizer, sources, done, 0, Progress(quiet=True), most_kept
        )
        return [
            (source.id, None if isinstance(answer, AudioError) else answer.probabilities.tolist())
            for source, answer in said
        ]

    whole = each()
    assert [id for id, answer in whole if answer is None] == ["none"]
    assert whole == each(most_kept=0)
    assert whole == each(most_kept=100_000)
    assert whole[12:] == each(12)
    assert whole[12:] == each(12, most_kept=100_000)
    assert each(31) == []


@pytest.mark.parametrize("how", HOW)
def test_taken_up_again(here, how, monkeypatch):
    typed = ("--run", how, "people.csv", "--speaker", "speaker", "--workers", 0, "--out")
    assert predict(*typed, "whole.csv").exit_code == 0
    answer, left = Recognizer.answer, [7]

    def stops(self, features, voice=None):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return answer(self, features, voice)

    with monkeypatch.context() as patch:
        patch.setattr(Recognizer, "answer", stops)
        assert predict(*typed, "out.csv").exit_code != 0
    assert 0 < len(told("out.csv")) < 30
    assert predict(*typed, "out.csv").exit_code == 0
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert "nothing was missing" in predict(*typed, "out.csv").stderr
    # A list that grew is gone on with where the answers that are there hold all the same.
    text = Path("people.csv").read_text()
    Path("people.csv").write_text(text + "c/00.wav,anger,s0,again\n")
    grown = predict(*typed, "out.csv")
    if how == "causal":
        assert grown.exit_code == 0, grown.output
        assert len(Path("out.csv").read_text().splitlines()) == 32
    else:
        assert grown.exit_code == 2
        assert "out.csv: it was made with another set of files; give another" in grown.stderr
    # So is one that has other speakers refused, and another way to say them.
    Path("people.csv").write_text(text.replace(",s0,", ",s1,"))
    assert predict(*typed, "out.csv").exit_code == 2
    Path("people.csv").write_text(text)
    other = predict("--run", how, "people.csv", "--speaker", "all", "--out", "whole.csv")
    assert other.exit_code == 2
    assert "it was made with another speaker" in other.stderr


def test_one_person_and_folders(here, place):
    """A file's folder is its speaker, however it is named; and who is unknown is told alone."""
    for speaker in ("x", "y"):
        (here / speaker).mkdir()
        for number in range(3):
            shutil.copy(place / "c" / f"{number + 3 * (speaker == 'y'):02}.wav", here / speaker)
    typed = ("--run", "speaker", "--workers", 0)
    for name in ("x", "y"):
        one = predict(*typed, name, "--speaker", "all", "--out", f"{name}.csv")
        assert one.exit_code == 0, one.output
        assert "note: fewer than 5 files were heard of 1 of 1 speakers (all): of so" in one.stderr
    files = ("x/00.wav", "y", "./x/../x/01.wav", here / "x" / "02.wav")
    both = predict(*typed, *files, "--speaker", "folder", "--out", "both.csv")
    assert "note: fewer than 5 files were heard of 2 of 2 speakers" in both.stderr
    assert told("both.csv") == {**told("x.csv"), **told("y.csv")}
    Path("list.csv").write_text("path,who\nx/00.wav,\nx/01.wav, \n")
    blank = predict(*typed, "list.csv", "--speaker", "who", "--out", "blank.csv")
    assert blank.exit_code == 0
    assert "note: 2 files have no speaker, and are told by the training part alone" in blank.stderr
    assert predict(*typed, "list.csv", "--out", "alone.csv").exit_code == 0
    assert told("blank.csv") == told("alone.csv")


def test_a_file_that_is_named_twice_is_heard_once(here):
    typed = ("--run", "speaker", "--workers", 0, "--speaker", "all")
    once = predict(*typed, "c/00.wav", "c/01.wav", "--out", "once.csv")
    twice = predict(
        *(*typed, "c/00.wav", "c/01.wav", "c/../c/00.wav", "c/00.wav", "c/00.wav", "c/00.wav"),
        *("--out", "twice.csv"),
    )
    assert (once.exit_code, twice.exit_code) == (0, 0)
    assert "fewer than 5 files were heard of 1 of 1 speakers" in twice.stderr
    assert told("twice.csv") == told("once.csv")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["shared", "c", "--speaker", "all"], "no use for it; train with --set model.standardise="),
        (["speaker", "c", "--speaker", "who"], "--speaker who: c is no list that could have this"),
        (["speaker", "people.csv", "--speaker", "spaeker"], "(did you mean 'speaker'?)"),
        (["speaker", "c", "--speaker", " "], "--speaker is empty; expected a column of the list"),
        (["speaker", "c", "--speaker", "all", "--window", "3"], "does not go with windows"),
    ],
)
def test_one_clear_message(here, typed, says):
    result = predict("--run", *typed)
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize("how", [*HOW, "shared"])
def test_who_hears_nothing_of_speakers_says_so(place, how):
    """The page and the card, of runs that count on it alone."""
    run = Run.open(place / how)
    notes = facts_of(Desk(run, "cpu"))["notes"]
    said = [f"{UNHEARD}, as on this page."]
    assert notes == (said if how != "shared" else [])
    said = f"- {UNHEARD}: in ser predict without --speaker, and as ONNX.\n"
    assert (said in card(run, {})) == (how != "shared")
