"""Text files of others, whole: plain or in gzip, with plain words for what is no text."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from ..errors import InputError
from ..files import read_regular

MOST_BYTES = 256 << 20
"""A manifest of a million utterances has less."""
MOST_PACKED = 50
"""Bytes of text that one of a compressed file may stand for; tables take to a tenth or so."""

_GZIP = b"\x1f\x8b"
_BINARY = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"PAR1": "a Parquet file",
    _GZIP: "a compressed file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_text(path: Path, remedy: str, below: Path | None = None) -> str:
    """The text of a file in UTF-8, a byte order mark left out.

    Args:
        remedy: what to do about a file that is none, for the message.
        below: a folder that it must lie in, wherever links lead.

    Raises:
        InputError: it is not there or cannot be read, is too long, or no text; with the line.
    """
    return text_of(path, read_bytes(path, below), remedy)


def read_bytes(path: Path, below: Path | None = None) -> bytes:
    """Those of a file of text; raises InputError where it cannot be read, as `read_text`."""
    try:
        return read_regular(path, MOST_BYTES, below)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def text_of(path: Path | str, data: bytes, remedy: str) -> str:
    """The text that the bytes of a file are: see `read_text`; `path` only names it."""
    if data.startswith(_GZIP):
        data = _unpacked(path, data)
    check_kind(path, data[:4], remedy)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8; {remedy}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: not a text file (it holds a zero byte)")
    return text


def check_kind(path: Path | str, begins: bytes, remedy: str) -> None:
    """Raise InputError where the first bytes of a file are those of something that is no text."""
    for start, kind in _BINARY.items():
        if begins.startswith(start):
            raise InputError(f"{path} is {kind}; {remedy}")


def _unpacked(path: Path | str, data: bytes) -> bytes:
    """What a file of gzip holds, up to what may be read."""
    most = min(MOST_BYTES, MOST_PACKED * len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: a compressed file that is damaged: {error}") from None
    if len(unpacked) > most:
        raise InputError(f"{path}: unpacks to more than {most} bytes; unpack it first")
    return unpacked
