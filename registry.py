"""What is known by a name: what comes with the package, what a user adds, what others install.

A package of somebody's own brings an item by an entry point, `[project.entry-points."ser.corpora"]`
`mine = "my_package:MINE"`, and needs no line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import InputError, SerError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Items by name: built-in ones, then those that were added, then those of entry points.

    Entry points are looked for where a name is not known otherwise, and loaded when they are asked
    for: importing a table of these costs nothing.

    >>> letters = Registry("letter", "ser.letters", {"alpha": "a", "beta": "b"})
    >>> letters.add("gamma", "c")
    >>> list(letters), letters["gamma"]
    (['alpha', 'beta', 'gamma'], 'c')

    Args:
        what: what an item is, for messages.
        group: of the entry points, such as `ser.corpora`.
        known: what is built in.
    """

    def __init__(self, what: str, group: str, known: Mapping[str, T]) -> None:
        self.what, self.group = what, group
        self._items = dict(known)
        self._added: set[str] = set()

    def add(self, name: str, item: T) -> None:
        """Make an item known under a name; one that was added before is replaced, as where a cell
        of a notebook is run again.

        Raises:
            InputError: the name stands for another item, which is built in or installed.
            SerError: that item is an entry point's, and cannot be loaded.
        """
        if name in self._added or name not in self:
            self._added.add(name)
            self._items[name] = item
        elif self[name] != item:
            raise InputError(f"there is another {self.what} {name!r}; choose another name")

    def find(self, name: str) -> T:
        """The item of that name, as a user typed it.

        Raises:
            InputError: there is none; the message says what may have been meant.
            SerError: it is an entry point's, and cannot be loaded.
        """
        if name in self:
            return self[name]
        hint = did_you_mean(name, self)
        raise InputError(f"unknown {self.what} {name!r}{hint}; known: {', '.join(self)}")

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            self._items[name] = self._load(self._entry_points[name])
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        return iter(self._items | self._entry_points)

    def __len__(self) -> int:
        return len(self._items | self._entry_points)

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points

        points: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            points.setdefault(point.name, point)  # the first on sys.path, as with modules
        return points

    def _load(self, point: EntryPoint) -> T:
        try:
            item: T = point.load()
        except Exception as error:
            package = point.dist.name if point.dist else "a package without a name"
            raise SerError(
                f"{package} brings the {self.what} {point.name!r} ({point.value}), which cannot be "
                f"loaded: {type(error).__name__}: {error}; repair or uninstall {package}"
            ) from error
        return item
