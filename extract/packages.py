"""Optional packages, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import MissingPackageError


def need(module: str, package: str | None = None) -> Any:
    """Import a module of the extra `extract`.

    Args:
        module: what to import.
        package: the distribution that brings it, where its name differs.

    Raises:
        MissingPackageError: it is not installed; the message names the extra that brings it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"extraction needs the package {package or module} ({error}): "
            'pip install "ser[extract]"'
        ) from error
