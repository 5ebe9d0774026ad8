"""Checked values: what a stranger's JSON may say, and what counts where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


def read_settings(values: Mapping[str, Any], kind: type[S]) -> S:
    """All settings that `kind` has, as they are given or else by default; no others.

    Raises:
        ValueError: one is missing, or has a value that makes no sense; the message says which.
    """
    found = {}
    for field in msgspec.structs.fields(kind):
        if field.name in values:
            found[field.name] = _checked(field.name, values[field.name], field.type)
        elif field.required:
            raise ValueError(f"{field.name} is missing")
    return kind(**found)


def _checked(name: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        why = str(error).replace("Expected", "expected", 1)
        for word, plain in _PLAIN.items():
            why = why.replace(f"`{word}`", plain)
        if get_origin(kind) is Literal:
            why = f"expected one of {', '.join(map(str, get_args(kind)))}"
        raise ValueError(f"{name} is {shown(value)}: {why}") from None


_PLAIN = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def shown(value: object) -> str:
    """A value for a message: in full only where it is short."""
    if isinstance(value, bool | str | float | None):
        return f"{value!r:.60}"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 63 else "beyond all measure"
    return f"a {type(value).__name__}"
