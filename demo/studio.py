"""Recording takes: the side of the caller, who must survive whatever espeak-ng does."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import MissingPackageError, SerError, install_command, pip_command

PROGRAM = Path(__file__).with_name("espeak.py")
REPAIR = "If the package is damaged: " + pip_command("--force-reinstall", "espeakng-loader")


@dataclass(frozen=True)
class Delivery:
    """How a text is spoken, in espeak-ng's units.

    `rate` in words per minute (80 to 450, normal 175), `pitch` and `range` of the intonation
    (0 to 99, normal 50), `volume` (0 to 200, normal 100).
    """

    rate: int
    pitch: int
    range: int
    volume: int


@dataclass(frozen=True)
class Take:
    """One WAV file to be: `text` spoken by an espeak-ng voice such as "de+m1"."""

    path: Path
    text: str
    voice: str
    delivery: Delivery


def record(takes: Sequence[Take], recorded: Callable[[], None] | None = None) -> list[float]:
    """Write every take to its path (22 050 Hz, mono, 16 bits) and return their seconds.

    The same takes in the same order give the same bytes. `recorded` is called after each one.

    Raises:
        MissingPackageError: espeakng-loader is not installed.
        SerError: espeak-ng failed; the message has its own words.
    """
    library, data = _espeak()
    for folder in {take.path.parent for take in takes}:
        folder.mkdir(parents=True, exist_ok=True)
    # Absolute paths: the program works in another folder.
    orders = [asdict(take) | {"path": str(take.path.resolve())} for take in takes]
    job = json.dumps({"library": library, "data": data, "takes": orders})
    seconds = []
    with tempfile.TemporaryFile() as jobs, tempfile.TemporaryFile() as complaints:
        jobs.write(job.encode())
        jobs.seek(0)
        with subprocess.Popen(
            # Isolated: no other module of this folder, or of the user's, gets in its way.
            [sys.executable, "-I", "-X", "utf8", str(PROGRAM)],
            stdin=jobs,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    seconds.append(float(line))
                    if recorded:
                        recorded()
            except BaseException:
                process.kill()
                raise
        complaints.seek(0)
        words = complaints.read().decode(errors="replace").strip()
    if process.returncode or len(seconds) < len(takes):
        raise SerError(
            f"Speech synthesis stopped after {len(seconds)} of {len(takes)} utterances: "
            f"{words or 'espeak-ng gave no reason'} (exit code {process.returncode}).\n{REPAIR}"
        )
    return seconds


def _espeak() -> tuple[str, str]:
    """The paths of espeak-ng's library and of its data folder."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingPackageError(
            "Synthetic speech needs the package espeakng-loader, which is not installed.\n"
            f"Install it with: {install_command('demo')}"
        ) from error
    try:
        return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    except RuntimeError as error:
        raise SerError(f"The voices of espeak-ng are missing: {error}.\n{REPAIR}") from error
