"""The program that speaks: reads a job from standard input, writes WAV files with espeak-ng.

It runs in a process of its own (`studio.record` starts it) for two reasons: given data it cannot
use, espeak-ng ends the process it lives in; and its state carries over from one utterance to the
next, so that only a fresh process makes the same audio twice. Run by path, it needs nothing but
the standard library, wherever `ser` was imported from.

Input: one JSON object, `library` and `data` (paths that espeakng-loader names) and `takes`, each
with `path`, `text`, `voice` and `delivery`, the four parameters. Output: per take, one line with
its seconds. Exit code 1: what went wrong is on standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import wave
from pathlib import Path
from typing import Any

# Values from espeak-ng's speak_lib.h.
SYNCHRONOUS = 2
DONT_EXIT = 0x8000
CHARS_UTF8 = 1
POS_CHARACTER = 1
PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}

# int callback(short *samples, int count, espeak_EVENT *events)
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The loaded library, ready to speak; `sample_rate` in Hz."""

    def __init__(self, library: str, data: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_Initialize.argtypes = [
            ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int,
        ]  # fmt: skip
        self._library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._library.espeak_SetParameter.argtypes = [ctypes.c_int] * 3
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        # espeak-ng copies the path into a short buffer (some 160 bytes), and on Windows reads it
        # in the local code page. From within the folder, "." is short and ASCII everywhere.
        os.chdir(Path(data).parent)
        self.sample_rate: int = self._library.espeak_Initialize(SYNCHRONOUS, 0, b".", DONT_EXIT)
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng finds no voice data in {data}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else breath is seeded by the clock
        self._samples = bytearray()
        self._callback = Callback(self._collect)  # kept: the library holds only a bare pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, 2 * count)
        return 0  # go on

    def speak(self, text: str, voice: str, **parameters: int) -> bytes:
        """Return `text` spoken by `voice` ("de+m1"): mono, 16 bits, the machine's byte order."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")
        for name, value in parameters.items():
            self._library.espeak_SetParameter(PARAMETERS[name], value, 0)
        self._samples.clear()
        utf8 = text.encode()
        status = self._library.espeak_Synth(
            utf8, len(utf8) + 1, 0, POS_CHARACTER, 0, CHARS_UTF8, None, None
        )
        if status or not any(self._samples):
            raise RuntimeError(f"espeak-ng said nothing (status {status}) for {text!r} as {voice}")
        return bytes(self._samples)


def main() -> None:
    job: dict[str, Any] = json.load(sys.stdin)
    espeak = Espeak(job["library"], job["data"])
    for take in job["takes"]:
        samples = espeak.speak(take["text"], take["voice"], **take["delivery"])
        with wave.open(take["path"], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(espeak.sample_rate)
            file.writeframes(samples)  # wave swaps the bytes on a big-endian machine
        print(len(samples) / 2 / espeak.sample_rate, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (OSError, AttributeError, RuntimeError) as error:
        sys.exit(str(error))
