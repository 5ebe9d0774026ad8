"""Lists of JSON, a value a line, plain or in gzip: strangers' files, read within limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import parse_json
from ..text_files import read_text

_LONGEST = 1 << 20
"""Characters of a line."""

_TEXT_OR_NAN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\bNaN\b')


def read_json_lines(
    path: Path, below: Path, what: str, nan_is_missing: bool = False
) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a file, each with the number of its line; blank lines are none.

    Args:
        below: a folder that it must lie in, wherever links lead.
        what: was expected, for messages.
        nan_is_missing: read `NaN`, which is no JSON, as null.

    Raises:
        InputError: it cannot be read, or a line is no JSON object.
    """
    items: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(read_text(path, f"expected {what}", below).split("\n"), 1):
        where = f"{path}, line {number}"
        if len(line) > _LONGEST:
            raise InputError(f"{where}: longer than {_LONGEST} characters; expected {what}")
        if line.strip():
            if nan_is_missing and "NaN" in line:
                line = _TEXT_OR_NAN.sub(lambda m: "null" if m[0] == "NaN" else m[0], line)
            try:
                items.append((number, parse_json(line.encode(), dict[str, Any], where)))
            except ValueError as error:
                raise InputError(f"{error}; expected {what}") from None
    return items
