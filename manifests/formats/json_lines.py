"""Lists of JSON, a value a line, plain or in gzip: strangers' files, read within limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import parse_json
from ..text_files import read_text

_LONGEST = 1 << 20
"""Characters of a line."""


def read_json_lines(path: Path, below: Path, what: str) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a file, each with the number of its line; blank lines are none.

    Args:
        below: a folder that it must lie in, wherever links lead.
        what: was expected, for messages.

    Raises:
        InputError: it cannot be read, or a line is no JSON object.
    """
    items: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(read_text(path, f"expected {what}", below).split("\n"), 1):
        where = f"{path}, line {number}"
        if len(line) > _LONGEST:
            raise InputError(f"{where}: longer than {_LONGEST} characters; expected {what}")
        if line.strip():
            try:
                items.append((number, parse_json(line.encode(), dict[str, Any], where)))
            except ValueError as error:
                raise InputError(f"{error}; expected {what}") from None
    return items
