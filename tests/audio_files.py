"""Audio files of every kind that soundfile writes here, as bytes, and what breaks them."""

from __future__ import annotations

import io
import struct
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[Any]

ACCEPTED = (
    *("AIFF", "AU", "CAF", "FLAC", "HTK", "MP3", "NIST", "OGG", "RF64", "SVX", "W64", "WAV"),
    "WAVEX",
)
"""Containers whose promises are checked; soundfile's names."""

REFUSED = ("AVR", "IRCAM", "MAT4", "MAT5", "MPC2K", "PAF", "PVF", "SDS", "VOC", "WVE", "XI")
"""The others that it writes into memory. SD2 is two files, RAW has no header."""


def noise(seconds: float = 0.5, rate: int = 16000, channels: int = 1, seed: int = 0) -> Samples:
    """Noise, float32, frames x channels."""
    shape = (round(seconds * rate), channels)
    return np.random.default_rng(seed).normal(scale=0.1, size=shape).astype("f4")


def encoded(
    container: str,
    subtype: str | None = None,
    sound: Samples | None = None,
    rate: int = 16000,
    endian: str = "FILE",
) -> bytes:
    """The bytes of a file; of half a second of noise, unless told otherwise."""
    file = io.BytesIO()
    sound = noise() if sound is None else sound
    soundfile.write(file, sound, rate, format=container, subtype=subtype, endian=endian)
    return file.getvalue()


def writable(containers: tuple[str, ...]) -> list[tuple[str, str]]:
    """All pairs of container and subtype that this libsndfile can write."""
    found = []
    for container in containers:
        if container in soundfile.available_formats():
            for subtype in soundfile.available_subtypes(container):
                try:
                    encoded(container, subtype)
                except soundfile.LibsndfileError:
                    continue  # listed, and not built in
                found.append((container, subtype))
    return found


def with_number(data: bytes, position: int, form: str, *values: int) -> bytes:
    """A copy with numbers, as `struct` has them, written over what is there."""
    return data[:position] + struct.pack(form, *values) + data[position + struct.calcsize(form) :]


def broken(case: Random, files: list[bytes]) -> bytes:
    """A file of a list, hurt in one of the ways that files are, or that attackers find."""
    data = bytearray(case.choice(files))
    near = case.choice((64, 256, len(data)))  # headers are hurt more often than sound
    position = case.randrange(min(near, len(data)))
    how = case.randrange(9)
    if how == 0:
        data = data[: case.randrange(len(data))]
    elif how == 1:
        for _ in range(case.choice((1, 2, 20))):
            data[case.randrange(min(near, len(data)))] ^= 1 << case.randrange(8)
    elif how == 2:
        giant = case.choice((0, 1, 0x7F, 0x80, 0xFF))
        length = case.choice((1, 2, 4, 8))
        data[position : position + length] = bytes([giant]) * length
    elif how == 3:
        form = case.choice(("<I", ">I", "<H", ">H", "<Q", ">Q", "<i", ">i"))
        value = case.choice((-1, -8, 0, 1, 4, 12, len(data), len(data) * 2, 2**16, 2**31, 2**60))
        number = struct.pack(form[0] + form[1].upper(), value % (1 << 8 * struct.calcsize(form)))
        data[position : position + len(number)] = number
    elif how == 4:
        other = case.choice(files)
        data[position:] = other[case.randrange(len(other)) :]
    elif how == 5:
        piece = data[position : position + case.randrange(1, 500)]
        data[position:position] = piece * case.choice((1, 3, 30))
    elif how == 6:
        del data[position : position + case.randrange(1, 500)]
    elif how == 7:
        other = case.choice(files)
        data[:12] = other[:12]
    else:
        data[position:position] = b"LIST" + struct.pack("<I", case.choice((0, 8, 2**31, 2**32 - 1)))
    return bytes(data)
