"""Speaking with espeak-ng in a process of its own."""

from __future__ import annotations

import shutil
import sys
import wave
from pathlib import Path

import pytest

from ser.demo import studio, synthesise
from ser.demo.studio import Delivery, Take, record
from ser.errors import MissingPackageError, SerError

PLAIN = Delivery(rate=165, pitch=42, range=46, volume=75)


def take(path: Path, voice: str = "de+m1", delivery: Delivery = PLAIN) -> Take:
    return Take(path, "Die Katze schläft auf der Treppe.", voice, delivery)


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingPackageError, match=r"pip install .*\[demo\]"):
        synthesise(tmp_path, speakers=1, sentences=1)
    assert list(tmp_path.iterdir()) == []


def test_take_is_a_readable_file_of_the_seconds_reported(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    path = tmp_path / "Dégoût" / "eins.wav"
    (seconds,) = record([take(path)])
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22050)
        assert file.getnframes() / file.getframerate() == pytest.approx(seconds)
    assert 1 < seconds < 5


def test_relative_paths_mean_the_callers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espeakng_loader")
    monkeypatch.chdir(tmp_path)
    record([take(Path("here.wav"))])
    assert (tmp_path / "here.wav").is_file()


def test_faster_is_shorter(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    slow, fast = record(
        [take(tmp_path / f"{rate}.wav", delivery=Delivery(rate, 42, 46, 75)) for rate in (110, 260)]
    )
    assert slow > 1.5 * fast


def test_data_in_a_very_deep_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """espeak-ng, given such a path as it is, ends its process or finds nothing."""
    loader = pytest.importorskip("espeakng_loader")
    folder = tmp_path
    while len(str(folder)) < 180:
        folder /= "eine-tiefe-Ebene"
    data = folder / "espeak-ng-data"

    def unneeded(_: str, names: list[str]) -> set[str]:
        return {name for name in names if name.endswith("_dict") and name != "de_dict"}

    shutil.copytree(loader.get_data_path(), data, ignore=unneeded)
    monkeypatch.setattr(loader, "get_data_path", lambda: str(data))
    record([take(tmp_path / "deep.wav")])
    deep = (tmp_path / "deep.wav").read_bytes()
    monkeypatch.undo()
    record([take(tmp_path / "usual.wav")])
    assert deep == (tmp_path / "usual.wav").read_bytes()


def test_unknown_voice_is_an_error_with_its_name(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    with pytest.raises(SerError, match=r"after 1 of 2 utterances.*'xx\+m1'"):
        record([take(tmp_path / "a.wav"), take(tmp_path / "b.wav", voice="xx+m1")])


def test_missing_data_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = pytest.importorskip("espeakng_loader")
    monkeypatch.setattr(loader, "get_data_path", lambda: str(tmp_path / "espeak-ng-data"))
    with pytest.raises(SerError, match=r"no voice data in .*espeak-ng-data"):
        record([take(tmp_path / "a.wav")])


def test_sudden_end_of_the_process_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espeakng_loader")
    program = tmp_path / "dies.py"
    program.write_text("import os\nprint(1.5, flush=True)\nos._exit(9)\n")
    monkeypatch.setattr(studio, "PROGRAM", program)
    with pytest.raises(SerError, match=r"after 1 of 2 utterances.*exit code 9"):
        record([take(tmp_path / "a.wav"), take(tmp_path / "b.wav")])


def test_an_exception_in_the_callback_reaches_the_caller(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record([take(tmp_path / f"{n}.wav") for n in range(50)], stop)
    assert not (tmp_path / "49.wav").exists()
