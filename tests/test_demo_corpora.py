"""The synthetic corpora: layouts, determinism, and emotions that can be told apart."""

from __future__ import annotations

import re
import time
import wave
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from ser.demo import IMITATED, corpora, synthesise
from ser.demo.acting import STYLES
from ser.demo.layouts import LAYOUTS, Layout
from ser.errors import InputError, SerError

pytest.importorskip("espeakng_loader")

EMODB_NAME = re.compile(r"\d\d[ab]\d\d[WLEAFTN]a")
CAFE_NAME = re.compile(r"(\d\d)-([CDJNPST])-([12])-(\d)")
CAFE_FOLDERS = {
    "C": "Colère", "D": "Dégoût", "J": "Joie", "N": "Neutre",
    "P": "Peur", "S": "Surprise", "T": "Tristesse",
}  # fmt: skip
TURN = re.compile(
    r"\[(\d+\.\d{4}) - (\d+\.\d{4})\]\t(Ses0\d[FM]_impro01_[FM]\d{3})\t([a-z]{3})"
    r"\t\[\d\.\d{4}, \d\.\d{4}, \d\.\d{4}\]"
)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return synthesise(tmp_path_factory.mktemp("demo"), speakers=4, sentences=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def loudness(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2))))


def pitch(samples: np.ndarray, rate: int = 22050, size: int = 1024) -> float:
    """Median over the louder frames of the strongest autocorrelation between 60 and 400 Hz."""
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    energy = np.mean(frames**2, axis=1)
    found = []
    for frame in frames[energy > np.median(energy)]:
        correlation = np.correlate(frame, frame, "full")[size - 1 :]
        lags = slice(rate // 400, rate // 60)
        found.append(rate / (lags.start + np.argmax(correlation[lags])))
    return float(np.median(found))


def test_returns_the_root_of_each_corpus(roots: dict[str, Path]) -> None:
    assert tuple(roots) == IMITATED == ("emodb", "cafe", "iemocap")
    assert all(root.is_dir() and root.name == name for name, root in roots.items())


def test_emodb_layout(roots: dict[str, Path]) -> None:
    names = [path.stem for path in (roots["emodb"] / "wav").iterdir()]
    assert all(EMODB_NAME.fullmatch(name) for name in names)
    assert Counter((name[:2], name[5]) for name in names) == {
        (speaker, letter): 1 for speaker in ("03", "08", "09", "10") for letter in "WLEAFTN"
    }


def test_cafe_layout(roots: dict[str, Path]) -> None:
    root = roots["cafe"]
    seen = Counter[tuple[str, str]]()
    for path in root.rglob("*.wav"):
        found = CAFE_NAME.fullmatch(path.stem)
        assert found
        _, letter, intensity, _ = found.groups()
        folder = root / CAFE_FOLDERS[letter]
        if letter != "N":
            folder /= {"1": "Faible", "2": "Fort"}[intensity]
        assert path.parent == folder
        seen[letter, intensity] += 1
    assert seen == {(letter, i): 4 for letter in "CDJPST" for i in "12"} | {("N", "1"): 4}


def test_iemocap_layout_has_both_marker_sides(roots: dict[str, Path]) -> None:
    root = roots["iemocap"]
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    sides: dict[str, set[str]] = defaultdict(set)
    turns = set()
    for file in sorted(root.glob("Session*/dialog/EmoEvaluation/*.txt")):
        end = 0.0
        for line in file.read_text(encoding="utf-8").splitlines():
            if not line.startswith("["):
                assert line == "" or line.startswith(("% [START_TIME", "C-", "A-"))
                continue
            found = TURN.fullmatch(line)
            assert found
            turn, label = found[3], found[4]
            audio = file.parents[2] / "sentences" / "wav" / turn[:-5] / f"{turn}.wav"
            assert float(found[1]) > end  # turns do not overlap
            end = float(found[2])
            assert end - float(found[1]) == pytest.approx(len(read(audio)) / 22050, abs=2e-4)
            assert turn[:-5] == file.stem
            turns.add(audio)
            speaker = turn[:5] + turn[-4]
            labels[speaker][label] += 1
            sides[speaker].add(turn[5])
    assert turns == set(root.rglob("*.wav"))
    assert set(labels) == {"Ses01F", "Ses01M", "Ses02F", "Ses02M"}
    for speaker, count in labels.items():
        assert count.keys() - {"xxx"} == {"neu", "hap", "ang", "sad"}, speaker
        assert sides[speaker] == {"F", "M"}, "the letter after Ses01 must not tell the speaker"
    assert sum(count["xxx"] for count in labels.values()) == 4


def test_excited_turns_occur(tmp_path: Path) -> None:
    root = synthesise(tmp_path, ["iemocap"], speakers=2, sentences=2)["iemocap"]
    text = "".join(path.read_text(encoding="utf-8") for path in root.rglob("*.txt"))
    assert text.count("\texc\t") == text.count("\thap\t") == 2


def test_same_arguments_give_the_same_bytes(roots: dict[str, Path], tmp_path: Path) -> None:
    time.sleep(1.1)  # left alone, espeak-ng seeds the breath of some voices with the second
    again = synthesise(tmp_path / "again", speakers=4, sentences=1)
    for name in IMITATED:
        assert contents(again[name]) == contents(roots[name])
    other = synthesise(tmp_path / "other", ["emodb"], speakers=4, sentences=1, seed=1)
    first, second = contents(roots["emodb"]), contents(other["emodb"])
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first if name.endswith(".wav"))


def test_no_file_is_silent_clipped_or_long(roots: dict[str, Path]) -> None:
    for path in (path for root in roots.values() for path in root.rglob("*.wav")):
        samples = read(path)
        assert 0.7 < len(samples) / 22050 < 8, path
        assert loudness(samples) > -45, path
        assert np.mean(np.abs(samples) > 0.999) < 1e-3, path


def test_emotions_differ_measurably(roots: dict[str, Path]) -> None:
    """Anger is louder and shorter than sadness, surprise higher, fear shorter than neutral."""
    for actor in ("01", "02", "03", "04"):

        def say(letter: str, folder: str, intensity: int = 2, actor: str = actor) -> np.ndarray:
            return read(roots["cafe"] / folder / f"{actor}-{letter}-{intensity}-1.wav")

        anger, sadness = say("C", "Colère/Fort"), say("T", "Tristesse/Fort")
        surprise, fear = say("S", "Surprise/Fort"), say("P", "Peur/Fort")
        neutral = say("N", "Neutre", 1)
        assert loudness(anger) > loudness(sadness) + 6
        assert len(sadness) > 1.3 * len(anger)
        assert pitch(surprise) > 1.2 * pitch(sadness)
        assert len(neutral) > 1.15 * len(fear)


def test_progress_counts_every_utterance(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    synthesise(
        tmp_path,
        ["emodb", "iemocap"],
        speakers=1,
        sentences=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    files = len(list(tmp_path.rglob("*.wav")))
    assert seen == [(done, files) for done in range(1, files + 1)]


def test_finished_corpus_is_left_as_it_is(
    roots: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora, "record", lambda *_: pytest.fail("recorded again"))
    folder = roots["emodb"].parent
    seen: list[tuple[int, int]] = []
    assert (
        synthesise(folder, speakers=4, sentences=1, progress=lambda *counts: seen.append(counts))
        == roots
    )
    assert seen[-1] == (len(seen), len(seen))


def test_a_folder_with_something_else_is_never_touched(tmp_path: Path) -> None:
    mine = tmp_path / "emodb" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("keep")
    with pytest.raises(InputError, match="holds something else"):
        synthesise(tmp_path, ["emodb"], speakers=1, sentences=1)
    assert contents(tmp_path) == {"emodb/mine.txt": b"keep"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "emodb").mkdir()
    root = synthesise(tmp_path, ["emodb"], speakers=1, sentences=1)["emodb"]
    assert len(list(root.rglob("*.wav"))) == 7


def test_interrupted_work_is_invisible(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path, ["emodb"], speakers=1, sentences=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SerError, match="Cannot write the synthetic corpus"):
        synthesise(tmp_path / "file", ["emodb"], speakers=1, sentences=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"corpora": ["emodb", "ravdess"]}, "'ravdess'.*emodb, cafe, iemocap"),
        ({"speakers": 0}, "speakers is 0"),
        ({"sentences": -1}, "sentences is -1"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesise(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_full_scripts_are_sound(layout: Layout) -> None:
    lines = layout.script(layout.speakers, layout.texts)
    assert len({line.path for line in lines}) == len(lines)
    assert {line.emotion for line in lines} <= STYLES.keys()
    voices = [speaker.variant for speaker in layout.speakers]
    assert len(set(voices)) == len(voices), "every speaker needs a voice of their own"
    assert len(set(layout.texts)) == len(layout.texts) >= layout.sentences
