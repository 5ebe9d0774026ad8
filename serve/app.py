"""The page, its facts, and the one question that it asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from importlib.resources import files
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import AudioError, SerError
from ..progress import Progress
from .desk import Desk
from .guard import Guard, refusal
from .uploads import received

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE = (
    *("index.html", "page.css", "icon.svg"),
    *("page.js", "element.js", "about.js", "answer.js", "track.js", "recorder.js", "capture.js"),
)
"""All files that there are; what else is asked for is not there."""

MOST_WAITING = 8
"""Sounds that are received or wait to be heard, at once; each may take `MOST_BYTES` of disk."""

Line = dict[str, Any]


def make_app(desk: Desk, facts: dict[str, Any], names: Iterable[str] = ()) -> Starlette:
    """The application.

    Args:
        facts: what the page says of the run, as `facts_of` gives it.
        names: of this machine, that it may be asked by, beside localhost and any address.
    """
    one_at_a_time, waiting = CapacityLimiter(1), asyncio.Semaphore(MOST_WAITING)

    async def recognise(request: Request) -> ASGIApp:
        choice = request.query_params.get("heads", "")
        if choice not in desk.titles:
            raise HTTPException(400, f"heads: expected one of {', '.join(desk.titles)}")
        # A form of another site cannot send this kind, and a script of one has to ask before.
        if request.headers.get("content-type") != "application/octet-stream":
            raise HTTPException(415, "expected the file itself, as application/octet-stream")
        if waiting.locked():
            raise HTTPException(503, "others are being listened to: try again in a moment")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(waiting)
            lines = desk.tell(await stack.enter_async_context(received(request)), choice)
            stack.callback(lines.close)  # first: Windows keeps a file that is open
            first = await _next(lines, one_at_a_time)
            if first and "error" in first:
                raise HTTPException(first.pop("status"), first["error"])
            left = stack.pop_all()

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            async with left:
                written = _written(first, lines, one_at_a_time)
                answer = StreamingResponse(written, media_type="application/x-ndjson")
                await answer(scope, receive, send)

        return respond

    async def about(_: Request) -> Response:
        return JSONResponse(facts)

    page = files(__package__).joinpath("page")
    routes = [Route("/facts", about), Route("/recognise", recognise, methods=["POST"])]
    for name in PAGE:
        content = Response(page.joinpath(name).read_bytes(), media_type=KINDS[name.split(".")[1]])
        routes.append(Route("/" if name == "index.html" else f"/{name}", _always(content)))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={HTTPException: _in_words},
    )


async def _written(
    line: Line | None, lines: Iterator[Line], limiter: CapacityLimiter
) -> AsyncIterator[str]:
    """Lines of JSON, until there are no more, or nobody is there to read them."""
    while line:
        yield json.dumps(line) + "\n"
        line = None if "error" in line else await _next(lines, limiter)


async def _next(lines: Iterator[Line], limiter: CapacityLimiter) -> Line | None:
    """The next line, or the `error` that ends them, with the HTTP `status` that it stands for.

    Where who asked has left, whoever is next still waits until the thread is done.
    """
    try:
        return await to_thread.run_sync(next, lines, None, limiter=limiter)
    except SerError as error:
        return {"error": str(error), "status": 422 if isinstance(error, AudioError) else 500}
    except Exception as error:
        problem = f"unexpected {type(error).__name__}: {error}"
        Progress().say(f"ser: {problem}")
        return {"error": problem, "status": 500}


def _always(response: Response) -> Callable[[Request], Response]:
    def give(_: Request) -> Response:
        return response

    return give


async def _in_words(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, error.detail)
