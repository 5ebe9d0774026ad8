from ser.progress import Progress


def test_a_file_gets_lines_only_now_and_then(capsys):
    progress = Progress()
    for step in range(1000):
        progress.show(f"step {step}")
    progress.say("done")
    assert capsys.readouterr().err == "done\n"


def test_a_terminal_gets_one_line_that_changes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = Progress()
    progress.show("first")
    progress.close()
    assert capsys.readouterr().err == "\rfirst\033[K\r\033[K"


def test_nothing_goes_to_stdout(capsys):
    progress = Progress()
    progress.say("a note")
    progress.close()
    assert capsys.readouterr().out == ""
