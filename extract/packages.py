"""Optional packages, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import MissingPackageError, install_command


def need(module: str, package: str | None = None, extra: str = "extract") -> Any:
    """Import a module that an extra brings; `package` is its distribution, where that is named
    otherwise.

    Raises:
        MissingPackageError: it is not installed; the message names the extra that brings it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"extraction needs the package {package or module} ({error}): {install_command(extra)}"
        ) from error
