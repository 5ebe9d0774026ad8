"""The one exception family. Every message says what, where, what was expected and what to do."""

from __future__ import annotations

BAD_FILES = 3
"""Exit code of a command that did its work, but for files that cannot be used and were not known
from an earlier run. The others: 0, all is done, or what is left out was known; 1, a failure; 2,
wrong usage or input."""


class SerError(Exception):
    """A failure that the user can understand; the command line exits with `exit_code`."""

    exit_code = 1


class InputError(SerError):
    """Wrong usage or wrong input: exit code 2."""

    exit_code = 2


class AudioError(InputError):
    """One audio file that cannot be used; the message is the reason, without the path."""


class LeakError(InputError):
    """A split in which something of the test or validation part is seen in training."""


class MissingFeaturesError(InputError):
    """Features that training asks for are not in the cache."""


class CorruptShardError(SerError):
    """A shard whose bytes are not those that were written, or that was never a valid shard."""


class MissingPackageError(SerError):
    """An optional package is needed; the message names the extra that brings it."""


class MissingWeightsError(SerError):
    """Weights of a model are not on this machine; the message says how to get them."""
