"""Names, limits and checksums of the shard format: `docs/shard-format.md` in code."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence

import xxhash

FORMAT = "ser-shard"
VERSION = 1
SIGNATURE = b"\x89HDF\r\n\x1a\n"

DATASETS = ("frames", "offsets", "ids", "audio_hashes", "checksums")
DESCRIPTION = ("format", "format_version", "feature_key", "manifest_id", "corpus", "provenance")
"""The attributes that the index checksum covers, in its order."""
ATTRIBUTES = (*DESCRIPTION, "index_checksum", "complete")

ALIGNMENT = 64
"""The rows of a shard begin at a multiple of this in its file, so that a map of it is aligned."""
WRITE_BYTES = 4 << 20
"""Written at once: what comes in large pieces Linux keeps in large pieces in memory, and maps
faster."""
MAX_TEXT = 60_000
"""Longest text attribute, in bytes."""
CHECKSUM_BYTES = 16
MAX_UTTERANCES = 1 << 20
"""Of a shard. Its index, which is read as a whole, then takes a few hundred megabytes at most."""

ID_BYTES = (string.ascii_letters + string.digits + "._-").encode()
ID_LENGTHS = (1, 128)
HASH_BYTES = b"0123456789abcdef"
HASH_LENGTHS = (16, 64)
MANIFEST_ID = re.compile(r"[0-9a-f]{16}")
SHARD_NAME = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})-([0-9a-f]{16})\.h5")
FOLDER_NAME = re.compile(r"[a-z0-9_-]{1,40}-([0-9a-f]{16})")


def corpus_of(shard: str) -> str:
    """The corpus that a shard's name says, with or without the folder that it is in."""
    return shard.rpartition("/")[2].rpartition("-")[0]


def group_of(shard: str) -> tuple[str, str]:
    """The corpus and the feature folder of a shard, by its name below a cache."""
    return corpus_of(shard), shard.split("/")[1]


def utterances(ids: Iterable[str], audio_hashes: Iterable[str]) -> list[str]:
    """What utterances are found by: id and audio hash of each in one text.

    Neither holds a space. Texts, because tens of thousands of tuples cost more than all the rest:
    Python's collector looks at every tuple again and again, and at no text.
    """
    return list(map(" ".join, zip(ids, audio_hashes, strict=True)))


def row_checksum(data: bytes | memoryview) -> bytes:
    """XXH3-128 of an utterance's rows as stored: 16 bytes, most significant first."""
    return xxhash.xxh3_128_digest(data)


def index_checksum(attributes: Mapping[str, str], arrays: Sequence[bytes]) -> str:
    """XXH3-128, in hex, over everything but the rows (each row's checksum is among the arrays).

    Every part is preceded by its length as eight bytes, least significant first, so that nothing
    can move from one part to the next unseen.

    Args:
        attributes: the texts named in `DESCRIPTION` (`format_version` in decimal).
        arrays: bytes as stored of offsets, ids, audio_hashes and checksums.
    """
    state = xxhash.xxh3_128()
    for part in (*(attributes[name].encode() for name in DESCRIPTION), *arrays):
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()
