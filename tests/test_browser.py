"""That the checks of pages see what is wrong: a page with every fault, and one without."""

import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .browser import DESKTOP, PHONE

GOOD = """<!doctype html><html lang="en"><title>Good</title><meta name="viewport"
content="width=device-width"><style>body{background:#fff;color:#111;margin:0}
.scroll{overflow-x:auto}.wide{width:2000px}
@media (prefers-color-scheme:dark){body{background:#111;color:#fff}}</style>
<main><h1>Good</h1><div class="scroll" tabindex="0"><p class="wide">scrolls</p></div>
<img alt="dot"
src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="></main>
"""

BAD = """<!doctype html><html><title>Bad</title><style>
.wide{width:2000px;color:#ccc;background:#fff}
.cut{overflow:hidden;width:50px;white-space:nowrap}</style>
<p class="wide">pale</p><p class="cut">what does not fit is cut off</p>
<img src="https://example.org/x.png"><script>console.error("said");throw Error("thrown")</script>
"""


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_found_where_nothing_is_wrong(visit, tmp_path, width, scheme):
    (tmp_path / "good.html").write_text(GOOD, encoding="utf-8")
    seen = visit(tmp_path / "good.html", width, scheme)
    assert seen.requests == seen.errors == seen.overflowing() == seen.violations() == []
    colour = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 17, 17)"}[scheme]
    assert seen.page.evaluate("innerWidth") == width


def test_every_fault_is_found(visit, tmp_path):
    (tmp_path / "bad.html").write_text(BAD, encoding="utf-8")
    seen = visit(tmp_path / "bad.html")
    assert seen.requests == ["https://example.org/x.png"]
    assert any("said" in error for error in seen.errors)
    assert any("thrown" in error for error in seen.errors)
    found = seen.overflowing()
    assert any("the page" in each for each in found)
    assert any("p.wide" in each for each in found)
    assert any("p.cut" in each and "cuts off" in each for each in found)
    rules = {each.partition(":")[0] for each in seen.violations()}
    assert {"html-has-lang", "image-alt", "color-contrast"} <= rules


def test_a_server_s_own_files_are_no_requests(visit, tmp_path):
    (tmp_path / "good.html").write_text(GOOD + '<script src="own.js"></script>', encoding="utf-8")
    (tmp_path / "own.js").write_text("document.title = 'ran'", encoding="utf-8")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        seen = visit(f"http://{host}:{port}/good.html")
        assert (seen.requests, seen.page.title()) == ([], "ran")
        server.shutdown()
