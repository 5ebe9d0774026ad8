"""The parts of a spec: `name[:argument][:parameter=value]*`."""

from __future__ import annotations

import re

_SETTING = re.compile(r"[a-z_][a-z0-9_]*=.*", re.DOTALL)


def split_spec(spec: str) -> tuple[str, str, list[str]]:
    r"""Split a spec into name, argument and settings; a drive's colon separates nothing.

    >>> split_spec("mfcc:hop_length=160:n_fft=512")
    ('mfcc', '', ['hop_length=160', 'n_fft=512'])
    >>> split_spec("hf:C:\\models\\mine:layer=9")
    ('hf', 'C:\\models\\mine', ['layer=9'])

    What stands after the first setting and is none, is given as a setting all the same: it is for
    the caller to complain.
    """
    # A colon between a single letter and a slash belongs to a Windows path.
    name, *parts = re.split(r":(?!(?<=[:=][A-Za-z]:)[/\\])", spec.strip())
    first = next((i for i, part in enumerate(parts) if _SETTING.fullmatch(part)), len(parts))
    return name, ":".join(parts[:first]), parts[first:]
