"""The page, its facts, and the one question that it asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from functools import partial
from importlib.resources import files
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import AudioError
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
PAGE = ("index.html", "page.css", "page.js", "answer.js", "about.js", "recorder.js", "capture.js")
"""All files that there are; what else is asked for is not there."""

MOST_WAITING = 8
"""Sounds that are received or wait to be heard, at once; each may take `MOST_BYTES` of disk."""

T = TypeVar("T")


def make_app(desk: Desk, facts: dict[str, Any], names: Iterable[str] = ()) -> Starlette:
    """The application.

    Args:
        facts: what the page says of the run, as `facts_of` gives it.
        names: of this machine, that it may be asked by, beside localhost and any address.
    """
    one_at_a_time, waiting = asyncio.Lock(), asyncio.Semaphore(MOST_WAITING)

    async def recognise(request: Request) -> Response:
        choice = request.query_params.get("heads", "")
        if choice not in desk.titles:
            raise HTTPException(400, f"heads: expected one of {', '.join(desk.titles)}")
        # A form of another site cannot send this kind, and a script of one has to ask before.
        if request.headers.get("content-type") != "application/octet-stream":
            raise HTTPException(415, "expected the file itself, as application/octet-stream")
        if waiting.locked():
            raise HTTPException(503, "others are being listened to: try again in a moment")
        async with waiting, received(request) as path, one_at_a_time:
            try:
                return JSONResponse(await _in_thread(partial(desk.recognise, path, choice)))
            except AudioError as error:
                raise HTTPException(422, str(error)) from error
            except Exception as error:
                problem = f"unexpected {type(error).__name__}: {error}"
                Progress().say(f"ser: {problem}")
                raise HTTPException(500, problem) from error

    async def about(_: Request) -> Response:
        return JSONResponse(facts)

    page = files(__package__).joinpath("page")
    routes = [Route("/facts", about), Route("/recognise", recognise, methods=["POST"])]
    for name in (*PAGE, "icon.svg"):
        content = Response(page.joinpath(name).read_bytes(), media_type=KINDS[name.split(".")[1]])
        routes.append(Route("/" if name == "index.html" else f"/{name}", _always(content)))
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={HTTPException: _in_words},
    )


def _always(response: Response) -> Callable[[Request], Response]:
    def give(_: Request) -> Response:
        return response

    return give


async def _in_words(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, error.detail)


async def _in_thread(function: Callable[[], T]) -> T:
    """Run in a thread that does not keep the process from ending, as those of a pool would."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = function(), None
        except BaseException as error:
            outcome = None, error
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, *outcome)

    threading.Thread(target=work, name="recognition", daemon=True).start()
    return await future
