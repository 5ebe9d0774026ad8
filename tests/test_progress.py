import contextlib
import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ser import commands
from ser.progress import Progress


def test_a_file_gets_a_line_every_ten_seconds(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress()
    for step in range(25):
        now += 1
        progress.show(f"step {step}")
    progress.say("done")
    assert capsys.readouterr().err == "step 9\nstep 19\ndone\n"


def test_a_line_has_all_that_the_view_has(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress()
    now += 10
    progress.show("5 of 10 files", 5, 10, ["3 files a second"])
    assert capsys.readouterr().err == "5 of 10 files, 3 files a second, 10 s left\n"


def test_quiet_is_quiet_but_for_warnings(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Progress(quiet=True) as progress:
        now += 100
        progress.show("something", 1, 2)
        progress.say("a note")
        progress.warn("mind this")
    assert capsys.readouterr().err == "warning: mind this\n"


def test_every_command_that_shows_progress_can_be_quiet():
    for file in Path(commands.__file__).parent.glob("*.py"):
        assert "Progress()" not in file.read_text("utf-8"), f"{file}: progress_option gives one"


SHOWN = """
import time
from ser.progress import Progress
with Progress() as progress:
    progress.started -= 60
    for done in range(1, 4):
        progress.show("[red]corpus[/red] \\x1b[2J", done, 4, ["validation UA .873"])
        time.sleep(0.12)
    progress.say("[bold]a note[/bold]")
    progress.show("last")
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize(("columns", "bar"), [(100, True), (40, False)])
def test_a_terminal_gets_a_view_that_is_cleared(columns, bar):
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWN],
        stderr=theirs,
        stdin=theirs,
        stdout=subprocess.PIPE,
        env=env | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while data := os.read(ours, 65536):
            output += data
    os.close(ours)
    assert process.wait() != 0
    assert process.stdout.read() == b""
    text = output.decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "[red]corpus[/red] \\x1b[2J" in plain  # literally, for it may be a stranger's
    assert "validation UA .873" in plain
    assert "20 s left" in plain  # three of four in a minute
    assert "[bold]a note[/bold]" in plain
    assert ("\u2501" in plain) == bar
    hidden, shown = text.rindex("\x1b[?25l"), text.rindex("\x1b[?25h")
    assert hidden < shown  # the cursor is there again
    assert max(len(line) for line in plain.split("Traceback")[0].splitlines()) <= columns


def test_a_terminal_that_can_do_nothing_gets_lines(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Progress() as progress:
        now += 11
        progress.show("something")
    assert capsys.readouterr().err == "something\n"


def test_nothing_goes_to_stdout(capsys):
    progress = Progress()
    progress.say("a note")
    progress.close()
    assert capsys.readouterr().out == ""


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch):
    class Full(io.StringIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    with Progress() as progress:
        progress.show("something")
        progress.say("a note")


def test_what_is_left_is_told_at_the_rate_so_far(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress()
    assert progress.left(5, 10) == ""  # nothing is known in the first second
    now += 10
    assert progress.left(0, 10) == ""
    assert progress.left(5, 10) == "10 s left"
    assert progress.left(1, 100) == "16.5 min left"
    assert progress.left(1, 10_000) == "27.8 h left"
