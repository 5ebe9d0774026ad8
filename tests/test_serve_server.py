"""`ser serve` over HTTP: what it answers, and what hostile requests come to."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from ser import Recognizer
from ser.errors import InputError, MissingPackageError
from ser.serve import serve
from ser.serve.guard import Guard
from ser.serve.server import is_open, listening, url_of
from ser.serve.uploads import MOST_BYTES

from .serving import HOSTILE, RATE, emptied, start

KIND = {"Content_Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def recognizer(sounds):
    return Recognizer(sounds / HOSTILE)


def test_it_says_what_the_recognizer_says(served, sounds, recognizer):
    for corpus in ("mine", "yours"):
        for number in (0, 1, 2):
            path = sounds / corpus / f"{number:02}.wav"
            status, said = served.recognise(path.read_bytes())
            answer = recognizer.answer(recognizer.features(path))
            assert (status, said["emotion"]) == (200, answer.emotion)
            assert tuple(said["labels"]) == answer.labels
            assert said["probabilities"] == pytest.approx(list(answer.probabilities), abs=1e-6)
            assert said["by_head"] == {
                corpus: pytest.approx(told, abs=1e-6) for corpus, told in answer.by_head.items()
            }
    assert emptied(served.temporary)


def test_a_head_is_chosen(served, sounds):
    path = sounds / "yours" / "01.wav"
    alone = Recognizer(sounds / HOSTILE, "yours")
    status, said = served.recognise(path.read_bytes(), "corpus:yours")
    answer = alone.answer(alone.features(path))
    assert status == 200
    assert said["labels"] == list(alone.labels) == ["neutral", "anger", "fear"]
    assert said["probabilities"] == pytest.approx(list(answer.probabilities), abs=1e-6)
    assert served.recognise(path.read_bytes(), "corpus:theirs") == (
        400,
        {"error": "heads: expected one of other, corpus:mine, corpus:yours"},
    )


def test_the_facts_are_those_of_the_run(served, recognizer):
    status, _, facts = served.ask("GET", "/facts")
    metrics = recognizer.run.metrics
    assert (status, facts["name"]) == (200, HOSTILE)
    assert [corpus["name"] for corpus in facts["corpora"]] == ["mine", "yours"]
    for corpus in facts["corpora"]:
        domain = metrics["domains"][corpus["name"]]
        assert corpus["ua"] == domain["ua"]["mean"]
        assert corpus["interval"] == domain["ua"]["ci95"]
        assert corpus["labels"] == domain["labels"]
        assert corpus["licence"] == "not known here"
    assert facts["features"] == [{"name": "mfcc", "licence": "ISC (librosa)"}]
    assert [head["key"] for head in facts["heads"]] == ["other", "corpus:mine", "corpus:yours"]


def test_every_answer_forbids_what_is_from_elsewhere(served):
    for path in ("/", "/page.js", "/facts", "/nothing"):
        _, headers, _ = served.ask("GET", path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_what_is_no_sound(served):
    def why(body):
        status, said = served.recognise(body)
        assert status == 422
        return said["error"]

    assert why(b"hello").startswith("cannot be decoded: Format not recognised; the file begins ")
    assert "sound" not in why(b"RIFF")  # the name of the file it is in
    assert served.recognise(b"") == (400, {"error": "the file is empty"})
    assert emptied(served.temporary)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[::1",
        "",
        "a@127.0.0.1.x",
    ],
)
def test_a_foreign_host_is_refused(served, host):
    status, _, said = served.ask("GET", "/facts", Host=host)
    assert status == 403
    assert said["error"].startswith("not this machine's address")


def test_a_foreign_origin_is_refused(served, sounds):
    sound = (sounds / "mine" / "00.wav").read_bytes()
    for origin in ("http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"):
        assert served.recognise(sound, Origin=origin)[0] == 403
    assert served.recognise(sound, Origin=served.url.rstrip("/"))[0] == 200
    # What a form, or a script without leave, of another site could send.
    for kind in ("text/plain", "multipart/form-data; boundary=x", ""):
        assert served.recognise(sound, Content_Type=kind)[0] == 415
    status, headers, _ = served.ask("OPTIONS", "/recognise", Origin="http://evil.example")
    assert status in (403, 405)
    assert not any(name.startswith("access-control") for name in headers)


def test_there_is_no_way_to_other_files(served):
    for path in (
        *("/../setup.cfg", "/..%2fserver.py", "/%2e%2e/server.py", "/page/", "/.", "//etc/passwd"),
        *("/page.css/../../server.py", "/server.py", "/page.js%00", "/recognise", "/index.html"),
    ):
        status, _, said = served.ask("GET", path)
        assert status in (404, 405), path
        assert "import" not in str(said)
    assert served.ask("PUT", "/page.js", b"x")[0] == 405


def test_too_much_is_refused_at_once(served):
    status, said = served.recognise(None, Content_Length=str(MOST_BYTES + 1))
    assert status == 413
    assert said["error"].startswith("too large: at most 200 MB are taken")
    assert emptied(served.temporary)


def test_too_much_without_a_length_is_refused_when_it_is_seen(served):
    piece = b"%x\r\n" % 4_000_000 + bytes(4_000_000) + b"\r\n"
    with raw(served, b"Transfer-Encoding: chunked\r\n") as connection:
        sent = 0
        try:
            while sent < MOST_BYTES + 40_000_000:
                connection.sendall(piece)
                sent += 4_000_000
        except OSError:  # it was closed
            pass
        assert MOST_BYTES - 4_000_000 <= sent < MOST_BYTES + 40_000_000
    assert emptied(served.temporary)


def raw(served, headers):
    """A connection over which a question was begun."""
    place = urlsplit(served.url)
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    connection.sendall(
        b"POST /recognise?heads=other HTTP/1.1\r\nHost: " + place.netloc.encode() + b"\r\n"
        b"Content-Type: application/octet-stream\r\n" + headers + b"\r\n"
    )
    return connection


def test_a_slow_client_blocks_nobody_and_many_are_too_many(served, sounds):
    sound = (sounds / "mine" / "00.wav").read_bytes()
    slow = [raw(served, b"Content-Length: 1000\r\n") for _ in range(7)]
    for connection in slow:
        connection.sendall(b"RIFF")
    assert served.ask("GET", "/")[0] == 200
    assert served.recognise(sound)[0] == 200
    slow.append(raw(served, b"Content-Length: 1000\r\n"))
    end = time.monotonic() + 20
    while (status := served.recognise(sound)[0]) == 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert status == 503
    assert served.ask("GET", "/")[0] == 200
    for connection in slow:
        connection.close()
    assert emptied(served.temporary)
    assert served.recognise(sound)[0] == 200


def test_several_at_once_get_their_own_answers(served, sounds):
    files = [(sounds / "mine" / f"{number:02}.wav").read_bytes() for number in range(4)]
    one_by_one = [served.recognise(file) for file in files]
    found = [None] * 4

    def ask(number):
        found[number] = served.recognise(files[number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == one_by_one
    assert len({str(each) for each in found}) == 4


def test_a_longer_recording_is_told_over_time(served, recognizer, speech, tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, speech, RATE)
    status, (first, *windows) = served.lines(path.read_bytes())
    answer = recognizer.answer(recognizer.features(path))
    assert (status, first["answer"]["emotion"]) == (200, answer.emotion)
    assert first["answer"]["mean"] is False
    for line, window in zip(windows, recognizer.track(path), strict=True):
        said = line["window"]
        assert (said["start"], said["end"]) == (window.start, window.end)
        assert said["emotion"] == (window.answer.emotion if window.answer else None)
        told = list(window.answer.probabilities) if window.answer else []
        assert said["probabilities"] == pytest.approx(told, abs=1e-6)
    assert sum(line["window"]["emotion"] is not None for line in windows) > 5
    assert emptied(served.temporary)


def test_beyond_a_minute_the_answer_is_the_mean_of_the_windows(served, speech, tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(speech, 6), RATE)
    status, (*windows, last) = served.lines(path.read_bytes())
    told = [line["window"]["probabilities"] for line in windows if line["window"]["emotion"]]
    assert (status, len(windows), last["answer"]["mean"]) == (200, 70, True)
    assert last["answer"]["probabilities"] == pytest.approx(np.mean(told, axis=0), abs=1e-6)
    assert sum(last["answer"]["probabilities"]) == pytest.approx(1)
    best = int(np.argmax(last["answer"]["probabilities"]))
    assert last["answer"]["emotion"] == last["answer"]["labels"][best]


@pytest.fixture(scope="module")
def minutes(tmp_path_factory):
    """Ten of noise."""
    path = tmp_path_factory.mktemp("noise") / "noise.flac"
    noise = np.random.default_rng(0).normal(scale=0.1, size=60 * RATE)
    soundfile.write(path, np.tile(noise, 10), RATE)
    return path.read_bytes()


def test_a_recording_without_speech(served):
    noise = np.random.default_rng(0).normal(scale=0.1, size=62 * RATE)
    file = io.BytesIO()
    soundfile.write(file, noise, RATE, format="FLAC")
    status, (*windows, last) = served.lines(file.getvalue())
    assert (status, last["error"]) == (200, "nobody speaks in it")
    assert len(windows) == 60
    assert {line["window"]["emotion"] for line in windows} == {None}


def begun(served, sound):
    """A connection on which an answer has begun."""
    connection = raw(served, b"Content-Length: %d\r\n" % len(sound))
    connection.sendall(sound)
    assert b"window" in connection.recv(4096) + connection.recv(4096)
    return connection


def test_who_leaves_before_the_end_is_not_worked_for(served, minutes, sounds):
    with begun(served, minutes):
        assert not emptied(served.temporary, seconds=0)
    assert emptied(served.temporary)
    assert served.recognise((sounds / "mine" / "00.wav").read_bytes())[0] == 200


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_it_is_stopped_in_the_middle_of_an_answer(sounds, minutes, tmp_path):
    page = start(sounds / HOSTILE, tmp_path / "temporary")
    with begun(page, minutes):
        code, stderr = page.stop()
    assert (code, stderr.splitlines()[-1]) == (130, "ser: stopped; nothing was kept")
    assert "Traceback" not in stderr
    assert not any(page.temporary.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_it_is_stopped_in_the_middle_of_a_question(sounds, tmp_path):
    page = start(sounds / HOSTILE, tmp_path / "temporary")
    with raw(page, b"Content-Length: 1000\r\n") as connection:
        connection.sendall(b"RIFF")
        end = time.monotonic() + 20
        while not any(page.temporary.iterdir()) and time.monotonic() < end:
            time.sleep(0.05)
        code, stderr = page.stop(signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert stderr.splitlines()[-1] == "ser: stopped; nothing was kept"
    assert "Traceback" not in stderr
    assert not any(page.temporary.iterdir())


def said_of(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ser.cli", "serve", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_port_that_is_taken_is_said_before_models_are_loaded(sounds):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = said_of(sounds / HOSTILE, "--port", port)
    assert code == 2
    assert said.startswith(f"ser: --port {port}: another program listens there; give another, or 0")


def test_what_is_missing_is_named_with_the_line_that_installs_it(monkeypatch):
    for name in ("uvicorn", "starlette"):
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "ser.serve.app", raising=False)
            patch.setitem(sys.modules, name, None)
            for module in [each for each in sys.modules if each.startswith(f"{name}.")]:
                patch.setitem(sys.modules, module, None)
            with pytest.raises(MissingPackageError, match=rf"needs {name}; .*\[serve\]"):
                serve("nowhere")
    with pytest.raises(InputError, match="not the folder of a run"):
        serve("nowhere")


def test_addresses():
    for host in ("nowhere.invalid", "192.0.2.1", ""):
        with pytest.raises(InputError, match=r"^--host"):
            listening(host, 0)
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener, "127.0.0.1") == f"http://127.0.0.1:{port}/"
        assert url_of(listener, "localhost") == f"http://localhost:{port}/"
    with listening("0.0.0.0", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener, "0.0.0.0") == f"http://{socket.gethostname()}:{port}/"
    assert [is_open(host) for host in ("127.0.0.1", "localhost", "::1")] == [False] * 3
    assert is_open("0.0.0.0")


def test_hosts():
    guard = Guard(None, ["Lab.example"])
    for host in (
        "127.0.0.1:80",
        "[::1]:80",
        "localhost",
        "LOCALHOST:1",
        "lab.example:9",
        "10.0.0.7",
    ):
        assert guard._is_ours(host), host
    for host in ("lab.example.evil", "evil", "[::1", "a:b:c", "127.0.0.1:80@evil", ""):
        assert not guard._is_ours(host), host
