"""Markdown and the YAML before it, in which nothing that a stranger wrote is more than text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..progress import plain

_MARKS = re.compile(r"[\\`*_{}\[\]<>#|~&$!@^]|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What marks something, and what makes a link of an address."""


def text(words: str) -> str:
    r"""Words of somebody else as text, in one line, which is not to begin with them.

    >>> text("a | b <script>")
    'a \\| b \\<script\\>'
    """
    return _MARKS.sub(r"\\\g<0>", " ".join(plain(words).split()))


def code(words: str) -> str:
    """A name as code, in one line; the marks that would end it, or a cell, are other letters."""
    line = " ".join(plain(words).split()).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{line}`" if line else "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def yaml(value: Any, depth: int = 0) -> list[str]:
    """Plain values as lines of YAML, block style; every text is quoted, as in JSON."""
    indent = "  " * depth
    if isinstance(value, dict):
        lines = []
        for name, item in value.items():
            if isinstance(item, dict | list) and item:
                lines += [f"{indent}{name}:", *yaml(item, depth + 1)]
            else:
                lines.append(f"{indent}{name}: {_scalar(item)}")
        return lines
    lines = []
    for item in value:
        first, *rest = yaml(item, depth + 1) if isinstance(item, dict) else [_scalar(item)]
        lines += [f"{indent}- {first.lstrip()}", *rest]
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        value = " ".join(plain(value).split())
    return json.dumps(value, ensure_ascii=False)
