"""What commands print is safe to look at, short enough to read, and says what to do."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import ser
from ser.cli import main

ROOT = Path(ser.__file__).parent
EVIL = "a\x1b[2J\x1b]0;x\x07\u202eb\x9bc"


def run(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def safe(result):
    """No control characters, no endless lines, no crash."""
    for stream in (result.stdout, result.stderr):
        assert not set(stream) & set("\x1b\x07\x08\r\x9b\u202e\ufeff"), ascii(stream)
        assert all(len(line) < 1100 for line in stream.split("\n"))
    assert "ser: unexpected" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--setting", "single", "--corpus", EVIL),
        ("train", "--setting", EVIL, "--corpus", "emodb"),
        ("train", "--setting", "single", "--corpus", "emodb", "--preset", EVIL),
        ("train", "--setting", "single", "--corpus", "emodb", "--set", EVIL),
        ("train", f"--{EVIL}"),
        (EVIL,),
        ("extract", "--corpus", EVIL),
        ("extract", "--corpus", "emodb", "--root", EVIL),
        ("extract", "--corpus", "emodb", "--features", EVIL),
        ("extract", "--corpus", "emodb", "--option", EVIL),
        ("weights", "fetch", EVIL),
        ("cache", "ls", "--cache", EVIL, EVIL),
        ("cache", "rm", EVIL, "--yes"),
        ("reproduce", EVIL),
        ("manifest", "check", EVIL),
        ("predict", EVIL),
    ],
)
def test_what_was_typed_is_escaped(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    safe(result)


@pytest.mark.parametrize("option", ["--corpus", "--features", "--preset", "--set", "--protocol"])
def test_a_hundred_thousand_characters_are_not_echoed(option):
    result = run("train", "--setting", "single", "--corpus", "emodb", option, "x" * 100_000)
    assert result.exit_code == 2
    assert len(result.stderr) < 8_000
    safe(result)


def test_names_in_files_are_escaped(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(f"path,emotion\n{EVIL}.wav,anger\nb.wav,{EVIL}\n", encoding="utf-8")
    result = run("manifest", "build", "--corpus", "mine", "--csv", table, "--language", "de")
    assert result.exit_code == 2
    safe(result)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
def test_a_name_that_is_no_text_ends_no_command(tmp_path):
    folder = tmp_path / os.fsdecode(b"Col\x8are")
    folder.mkdir()
    command = [sys.executable, "-m", "ser.cli", "manifest", "build", "--corpus", "emodb", "--root"]
    found = subprocess.run([*command, folder], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2
    assert "Col\\x8are" in found.stderr


def test_a_terminal_that_lacks_letters_ends_no_command(tmp_path):
    root = str(tmp_path / "δοκιμή")
    environment = {**os.environ, "PYTHONIOENCODING": "iso8859-1", "SER_CAFE_ROOT": root}
    command = [sys.executable, "-m", "ser.cli", "corpora"]
    found = subprocess.run(command, capture_output=True, env=environment)
    assert found.returncode == 0
    assert b"\\u03b4\\u03bf" in found.stdout


def test_commands_print_in_one_way_only():
    for path in [ROOT / "cli.py", *(ROOT / "commands").glob("*.py")]:
        if path.name == "printing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "click.echo", "click.secho", "echo.click"), path


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("can't start new thread"), "out of memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory"),
        (OSError(27, "File too large", "x.h5"), "x.h5: larger than a file may be here"),
        (OSError(28, "No space left on device", "x.h5"), "x.h5: no space left on the disk"),
        (OSError(24, "Too many open files"), "raise the limit (ulimit -n)"),
        (OSError(5, "Input/output error", "x.h5"), "x.h5: Input/output error"),
        (ZeroDivisionError("\x1b[2J"), "unexpected ZeroDivisionError: \\x1b[2J"),
    ],
)
def test_limits_of_the_system_are_told_in_words(error, says, monkeypatch):
    def fail() -> None:
        raise error

    monkeypatch.setitem(main.commands, "fail", click.Command("fail", callback=fail))
    result = run("fail")
    assert result.exit_code == 1
    assert says in result.stderr


@pytest.mark.parametrize("option", ["--map", "--protocol", "--preset", "--method", "--cluster"])
def test_an_unset_variable_changes_no_experiment(option):
    result = run("train", "--setting", "single", "--corpus", "emodb", option, "")
    assert result.exit_code == 2
    assert f"'{option}': is empty" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "a.wav", "--run", ".", "--unsure", "nan"),
        ("train", "--setting", "single", "--corpus", "emodb", "--cpus-per-worker", "nan"),
    ],
)
def test_nan_is_no_number(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "nan is no number" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("cache", "verify", "--remote", "{}/none"),
        ("cache", "verify", "--remote", "{}"),
        ("cache", "verify", "--cache", "{}/none"),
        ("cache", "diff", "{}", "{}/none"),
        ("reproduce", "table4", "--out", "{}/file", "--dry-run"),
        ("train", "--setting", "single", "--corpus", "emodb", "--out", "{}/file/run"),
    ],
)
def test_what_is_not_there_is_not_said_to_be_well(arguments, tmp_path):
    (tmp_path / "file").touch()
    result = run(*(word.format(tmp_path) for word in arguments))
    assert result.exit_code == 2
    safe(result)


def test_a_folder_may_be_named_by_its_url(tmp_path):
    assert run("cache", "diff", tmp_path.as_uri(), tmp_path).exit_code == 0
