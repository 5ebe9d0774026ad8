"""What is written down of weights when they arrive, and what is compared with it later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import SerError
from ...files import atomic_text, read_json
from .known import Weights, digest, git_blob, is_folder, record_path

_MOST_RECORD = 1 << 16


def read_record(path: Path) -> dict[str, str]:
    """What was recorded of weights when they were fetched; empty where nothing was.

    Raises:
        SerError: there is a record that cannot be read.
    """
    record = record_path(path)
    try:
        values = read_json(record, dict[str, Any], record.parent, _MOST_RECORD)
        return {name: text for name, text in values.items() if isinstance(text, str)}
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = error.strerror or "unknown"
    except ValueError:
        reason = "it is damaged"
    raise SerError(
        f"{record}: what was recorded of {path.name} cannot be read ({reason}). Without it nobody "
        "knows whether the weights are those that were fetched: remove both, and fetch again"
    )


def write_record(
    weights: Weights,
    path: Path,
    *,
    sha256: str | None,
    size: int | None,
    revision: str | None = None,
    licence: str | None = None,
) -> None:
    """Write down where weights came from and what their bytes were."""
    record = {
        "name": weights.name,
        "url": weights.url,
        "licence": licence or weights.licence,
        "size": size,
        "sha256": sha256,
        "digest": digest(path),
        "revision": revision,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    atomic_text(record_path(path), json.dumps(record, indent=2) + "\n")


def find_problem(weights: Weights, path: Path, found: str, record: Mapping[str, str]) -> str | None:
    """What is wrong with weights that are here; None where nothing is.

    Args:
        found: their digest.
    """
    if path.is_dir() != is_folder(weights):
        return f"expected a {'folder' if is_folder(weights) else 'file'}"
    if not path.is_dir():
        return wrong_bytes(weights, path, found, record.get("sha256"))
    same = record.get("digest") in (None, found)
    return None if same else f"its files are not those that were fetched ({found})"


def wrong_bytes(weights: Weights, path: Path, found: str, recorded: str | None) -> str | None:
    """What is wrong with the bytes of a file that was fetched."""
    if path.stat().st_size == 0:
        return "it is empty"
    if weights.sha256 is not None:
        return _differs("sha256", weights.sha256, found)
    if weights.git_blob is not None:
        return _differs("git blob id", weights.git_blob, git_blob(path))
    if recorded is not None:
        return _differs("sha256 recorded at the first fetch", recorded, found)
    return None


def _differs(what: str, expected: str, found: str) -> str | None:
    return None if found == expected else f"wrong bytes: {what} {expected} expected, got {found}"


def first_seen(weights: Weights, record: dict[str, str]) -> str | None:
    """The day on which weights were seen first, where nothing public says what their bytes are.

    None where there is a published hash, or the hub stated one.
    """
    if weights.sha256 or weights.git_blob or record.get("revision"):
        return None
    return record.get("fetched", "")[:10] or None
