"""Imports run one way: cli -> demo, reproduce -> train, extract -> cache -> manifests."""

import ast
import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import ser

ROOT = Path(ser.__file__).parent
FOUNDATION = {"checkpoints", "errors", "files", "machine", "progress", "registry", "signals"}
GE2E = {"ge2e"}
MAY_IMPORT = {
    "manifests": FOUNDATION,
    "cache": FOUNDATION | {"manifests"},
    "extract": FOUNDATION | GE2E | {"manifests", "cache"},
    "train": FOUNDATION | GE2E | {"manifests", "cache"},
    "reproduce": FOUNDATION | {"manifests", "cache", "train"},
    "commands": FOUNDATION | {"manifests", "cache", "extract", "train", "reproduce", "demo"},
    "demo": FOUNDATION | {"manifests", "cache", "extract", "train"},
}


def rooms_imported(path: Path) -> set[str]:
    """Rooms and root modules of this package that a file of a room imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        out = len(path.relative_to(ROOT).parts)  # dots that lead out of the room
        if isinstance(node, ast.ImportFrom) and node.level == out:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {name.split(".")[0] for name in names}
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            assert node.module.split(".")[0] != "ser", f"{path}: absolute import of ser"
    return found - {"__version__"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_below_it(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert rooms_imported(path) <= MAY_IMPORT[room], path


@pytest.mark.parametrize("room", ["manifests", "cache"])
def test_no_torch_below_training(room):
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "torch" for name in names), path


def test_the_examples_in_docstrings_run():
    tried = 0
    for room in MAY_IMPORT:
        package = importlib.import_module(f"ser.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            if (room, module.name) == ("demo", "espeak"):
                continue  # a program, not a module
            result = doctest.testmod(importlib.import_module(f"ser.{room}.{module.name}"))
            assert result.failed == 0, module.name
            tried += result.attempted
    assert tried > 3
