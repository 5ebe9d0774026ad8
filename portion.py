"""One of several equal portions of the work, for each of the processes that share it unseen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .errors import InputError

T = TypeVar("T")

SLURM = "slurm"
MOST = 100_000
"""Portions; SLURM itself allows fewer tasks of an array."""


@dataclass(frozen=True)
class Portion:
    """The first of so many portions, the second, ...

    Which portion a thing belongs to depends on its name alone, or on the list that it is in; no
    portion knows of the others. Together they are the whole.

    >>> Portion(1, 2).deal(["a", "b", "c"]), Portion(2, 2).deal(["a", "b", "c"])
    (['a', 'c'], ['b'])
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def of(cls, text: str, environment: Mapping[str, str] = os.environ) -> Portion:
        """What `3/20` says, or `slurm`: the place of this task in its job array.

        >>> Portion.of("3/20")
        Portion(number=3, count=20)

        Raises:
            InputError: it is neither, or this is no task of an array without gaps.
        """
        if text.strip().lower() == SLURM:
            return _of_slurm(environment)
        found = re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", text)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count <= MOST:
            counted = "; the first is 1, not 0" if found and not number else ""
            raise InputError(
                f"--shard {text}: expected a portion such as 3/20, of {MOST} at most, or {SLURM} "
                f"in a job array{counted}"
            )
        return cls(number, count)

    def has(self, name: str) -> bool:
        """Whether something of this name belongs to the portion."""
        if self.count == 1:
            return True
        import xxhash  # late: most commands do without

        return xxhash.xxh3_64_intdigest(name.encode()) % self.count == self.number - 1

    def deal(self, items: Sequence[T]) -> list[T]:
        """Every so manieth of a list that is the same wherever a portion is taken."""
        return list(items[self.number - 1 :: self.count])


ALL = Portion(1, 1)


def _of_slurm(environment: Mapping[str, str]) -> Portion:
    """The place of a task among those of its array, which may begin anywhere and go in steps."""
    names = [f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "COUNT", "MIN", "MAX", "STEP")]
    given = [environment.get(name, "") for name in names]
    if not all(re.fullmatch("[0-9]{1,9}", value) for value in given):
        missing = next(n for n, v in zip(names, given, strict=True) if not v.isdigit())
        raise InputError(
            f"--shard {SLURM}: {missing} is not set, so this is no task of a SLURM array; "
            "elsewhere say which portion it is: --shard 3/20"
        )
    task, count, first, last, step = map(int, given)
    place = (task - first) // max(step, 1)
    if last != first + step * (count - 1) or task != first + step * place or place >= count:
        raise InputError(
            f"--shard {SLURM}: the array has gaps ({count} tasks from {first} to {last}), so no "
            "task knows its place. Submit one without: what is there is not computed again, "
            "whatever the portions; or say --shard 3/20"
        )
    return Portion(place + 1, count)
