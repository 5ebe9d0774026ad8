"""Where the published weights of the GE2E speaker encoder are: inside the package Resemblyzer."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..errors import MissingPackageError, install_command, pip_command


def weights_file() -> Path:
    """Where Resemblyzer's weights are, without importing it (which is slow, noisy and can fail).

    Raises:
        MissingPackageError: it is not installed, or has lost its weights.
    """
    package = find_spec("resemblyzer")
    folders = (package.submodule_search_locations if package else None) or []
    for folder in folders:
        path = Path(folder) / "pretrained.pt"
        if path.is_file():
            return path
    if folders:
        raise MissingPackageError(
            f"feature ge2e: {folders[0]} has lost its weights, pretrained.pt: "
            + pip_command("--force-reinstall", "--no-deps", "resemblyzer==0.1.4")
        )
    raise MissingPackageError(
        "feature ge2e: its weights are in the package Resemblyzer, which is not installed: "
        + install_command("extract")
    )
