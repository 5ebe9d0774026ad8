"""Places that lie: about names, sizes and bytes. For `siege`."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping
from pathlib import Path

from ser.cache import Cache, store_manifest
from ser.cache.remotes import Place, diff, list_place, plan_pull, pull
from ser.cache.remotes.folder import FolderPlace, append
from ser.cache.remotes.place import Moved, offer
from ser.cache.remotes.web import WebPlace
from ser.errors import SerError

from ..conftest import KEY, VECTOR, fill
from . import cache_hands

FOLDER = KEY.folder
TRICKS = (
    *("../../x", "/etc/passwd", "features/../../x.h5", "features/../manifests/x.csv", ""),
    *("features//x.h5", "features/CON/x.h5", f"features/{FOLDER}/NUL.h5", "C:\\x", "a:b"),
    *(f"features/{FOLDER}/../../../mine-0123456789abcdef.h5", "features/x\0y/z.h5"),
    *(f"features/{FOLDER}/mine-0123456789abcdef.h5.", f"features/{FOLDER}/.partial-x"),
    *(f"features/{FOLDER}/mine-{'0' * 16}.h5", f"features/{FOLDER}/key.json/x"),
    *("manifests/../x.csv", "manifests/.csv", "manifests/a b.csv", "manifests/MINE.csv"),
    *("manifests/mine.terms.json", "manifests/con.csv", f"manifests/{'x' * 300}.csv"),
    *(f"features/{'a' * 41}-{'0' * 16}/mine-{'1' * 16}.h5", "features/\u202e/x.h5"),
)
SIZES = (None, 0, 1, -1, 8, 1 << 62, 1 << 80)


class Liar(FolderPlace):
    """A folder whose list and bytes are what a hostile server would make of them."""

    def __init__(self, folder: Path, case: random.Random) -> None:
        super().__init__(folder)
        self._case = case
        real = list(super().names().items())
        tricks = [(case.choice(TRICKS), case.choice(SIZES)) for _ in range(case.randrange(4))]
        lies = [(name, case.choice(SIZES)) for name, _ in case.sample(real, case.randrange(2))]
        self._names = dict([*real, *tricks, *lies])

    def names(self) -> Mapping[str, int | None]:
        return self._names

    def read(self, name: str) -> bytes | None:
        data = super().read(name) if name in super().names() else self._case.randbytes(50)
        return self._case.randbytes(20) if self._case.random() < 0.05 else data

    def receive(self, name: str, size: int | None, file: Path, moved: Moved) -> None:
        if name not in super().names() or self._case.random() < 0.1:
            append(file, [self._case.randbytes(self._case.choice([0, 1, 100, 5000]))], moved)
            return
        super().receive(name, size, file, moved)


class Elsewhere:
    """A place that lies, and a cache that pulls from it."""

    lay_outside = staticmethod(cache_hands.make_outside)

    def make(self, folder: Path) -> None:
        there = Cache(folder / "there")
        store_manifest(there, cache_hands.MINE)
        for key in (KEY, VECTOR):
            fill(there, key, cache_hands.MINE)

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        for _ in range(case.randrange(3)):
            hand = case.choice(cache_hands.HANDS)
            try:
                hand(case, folder / "there", outside)
            except (IndexError, FileNotFoundError):
                continue  # an earlier hand took what this one wants

    def read(self, case: random.Random, folder: Path) -> str:
        here, place = Cache(folder / "here"), Liar(folder / "there", case)
        try:
            list_place(place)
            pull(plan_pull(here, place, labels="theirs"), at_once=1)
            diff(place, FolderPlace(here.folder))
        except SerError:
            return "refused"
        finally:
            assert here.verify().whole
        return "pulled"


class Pages:
    """A web server that lists its folders in pages that are none, or say too much."""

    lay_outside = staticmethod(cache_hands.make_outside)

    def make(self, folder: Path) -> None:
        (folder / "page").write_text(
            f'<html><a href="features/">features/</a><a href="manifests/">m</a><a href="{FOLDER}/">'
            f'x</a><a href="mine.csv">mine.csv</a><a href="mine-{"0" * 16}.h5">x</a></html>'
        )

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        data = bytearray((folder / "page").read_bytes())
        for _ in range(case.randrange(6)):
            at = case.randrange(len(data))
            data[at : at + case.randrange(3)] = case.choice(
                [
                    case.randbytes(case.randrange(4)),
                    case.choice(TRICKS).encode("utf-8", "replace"),
                    b"<" * case.choice([1, 2000]),
                    b'<a href="' + case.choice(string.printable).encode() * 200 + b'">',
                    b"&#x" + b"f" * 30 + b";",
                    b"%00%2e%2e%2f",
                ]
            )
        (folder / "page").write_bytes(bytes(data))

    def read(self, case: random.Random, folder: Path) -> str:
        data = (folder / "page").read_bytes()

        class Answered(WebPlace):
            def _ask(
                self, name: str, address: str, most: int, span: str | None = None
            ) -> tuple[bytes, int | None] | None:
                return data[: most + 1], len(data)

        place: Place = Answered("https://127.0.0.1:1/cache")
        for name in place.names():
            assert name.startswith(("features/", "manifests/"))
            assert ".." not in name.split("/")
        offer(place)
        return "listed"
