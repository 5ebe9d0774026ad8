import errno
import io
import sys

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


def test_a_terminal_gets_one_line_that_changes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "8")
    with Progress() as progress:
        progress.show("a long text")
    assert capsys.readouterr().err == "\ra long \033[K\r\033[K"


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
    assert progress.left(5, 10) == ", 10 s left"
    assert progress.left(1, 100) == ", 16.5 min left"
    assert progress.left(1, 10_000) == ", 27.8 h left"
