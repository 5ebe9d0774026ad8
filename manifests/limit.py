"""How many files may be bad before it is no use to go on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError, listing
from .memory import BadFile

_PLACE = re.compile(r" \([^()]+, \w+ \d+\)$")
"""Where a table names the file, at the end of a reason."""

FIRST = 100
"""Files after which a share says something."""


@dataclass(frozen=True)
class BadFileLimit:
    """Ends a run over a corpus whose files are bad in such numbers that it is not their fault.

    Attributes:
        share: more than this share of the files may not be bad; None: any may. Where all of the
            first hundred are, it ends whatever the share.
        before: files that were found bad before, and count.
    """

    share: float | None = None
    before: Sequence[BadFile] = ()

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share <= 1:
            raise InputError(f"--fail-over {self.share:g}: expected a share of files, 0 to 1")

    def after(self, bad: Sequence[BadFile]) -> BadFileLimit:
        """The same, where these were found bad before."""
        return replace(self, before=[*self.before, *bad])

    def check(self, corpus: str, bad: Collection[BadFile], done: int, total: int) -> None:
        """Look at a run that has come so far.

        Args:
            bad: the files that were found bad.
            done: files that were looked at, the bad ones among them.
            total: how many there are.

        Raises:
            InputError: too many are bad; the message says what is wrong with them.
        """
        count, done, total = (number + len(self.before) for number in (len(bad), done, total))
        none_is_good = count == done >= FIRST
        over = False
        if self.share is not None:
            # Sooner than after a hundred only where the rest, however good, would not help.
            over = count / (done if done >= FIRST else total) > self.share
        if not (none_is_good or over):
            return
        files = (*self.before, *bad)
        reasons = Counter(_PLACE.sub("", file.reason) for file in files)
        example = {_PLACE.sub("", file.reason): file.path for file in reversed(files)}
        told = (
            f"{reason} ({number}, such as {example[reason]})"
            for reason, number in reasons.most_common()
        )
        allowed = f", more than --fail-over {self.share:g} allows" if over else ""
        raise InputError(
            f"{corpus}: {count} of {done} files cannot be used{allowed}: {listing(told, 3)}. "
            "What was finished is kept: put it right and run the same command again"
        )


ANY_MAY_BE_BAD = BadFileLimit()
"""But for one of the first hundred."""
