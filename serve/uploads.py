"""What a browser sends, in a file that is gone as soon as it was read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from anyio import fail_after
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 200_000_000
"""Of a sound: an hour of 16 bits in mono at 27 kHz, or many hours of what is compressed."""

MOST_SECONDS = 600.0
"""For one to arrive."""


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Path]:
    """The body of a request as a file, of a name of ours, for as long as it is worked with.

    Raises:
        HTTPException: it is empty, larger than `MOST_BYTES`, or takes longer than `MOST_SECONDS`.
    """
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:  # digits: the server saw to it
        raise _too_large()
    with TemporaryDirectory(prefix="ser-serve-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "sound")
        try:
            with fail_after(MOST_SECONDS), path.open("wb") as file:
                size = 0
                async for piece in request.stream():
                    size += len(piece)
                    if size > MOST_BYTES:
                        raise _too_large()
                    file.write(piece)
        except TimeoutError as error:
            raise HTTPException(
                408, f"It took longer than {MOST_SECONDS:.0f} s to arrive"
            ) from error
        if not size:
            raise HTTPException(400, "the file is empty")
        yield path


def _too_large() -> HTTPException:
    return HTTPException(
        413, f"too large: at most {MOST_BYTES / 1e6:.0f} MB are taken; cut the recording into parts"
    )
