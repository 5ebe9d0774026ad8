"""What is behind the page, without a browser and without a network."""

import asyncio
import json

import pytest

from ser.serve.app import make_app
from ser.serve.desk import Desk
from ser.train.runs.run import Run

from .serving import HOSTILE


def test_networks_are_loaded_once_for_all_heads(sounds, monkeypatch):
    loaded = []
    ensemble = Run.ensemble
    monkeypatch.setattr(Run, "ensemble", lambda *asked: loaded.append(asked) or ensemble(*asked))
    desk = Desk(Run.open(sounds / HOSTILE), "cpu")
    assert len(desk.titles) > 2
    assert len(loaded) == 1
    path = sounds / "yours" / "01.wav"
    told = {choice: next(desk.tell(path, choice))["answer"] for choice in desk.titles}
    assert told["corpus:yours"]["labels"] == ["neutral", "anger", "fear"]
    alone = [told[f"corpus:{corpus}"]["by_head"] for corpus in ("mine", "yours")]
    for head in alone:
        (corpus,) = head
        assert told["other"]["by_head"][corpus] == pytest.approx(head[corpus], abs=1e-7)


class Slow:
    """A desk that tells more than anybody waits for, and notes what is there when it is closed."""

    def __init__(self):
        self.titles, self.kept = {"other": "all"}, []

    def tell(self, path, choice):
        try:
            for number in range(10**6):
                yield {"window": number}
        finally:
            self.kept.append(path.read_bytes())


@pytest.mark.parametrize("leaves", [1, 3])
def test_a_recording_is_closed_before_its_file_goes(leaves):
    """Who asked leaves after so many lines."""
    desk = Slow()
    told = []

    async def ask():
        gone = asyncio.Event()
        body = iter([{"type": "http.request", "body": b"sound", "more_body": False}])

        async def receive():
            if sent := next(body, None):
                return sent
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.body" and message["body"]:
                told.append(json.loads(message["body"]))
                if len(told) == leaves:
                    gone.set()

        headers = {"host": "localhost", "content-type": "application/octet-stream"}
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/recognise",
            "query_string": b"heads=other",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "server": ("localhost", 80),
        }
        await make_app(desk, {}, ())(scope, receive, send)

    asyncio.run(ask())
    assert told[:leaves] == [{"window": number} for number in range(leaves)]
    assert desk.kept == [b"sound"]
