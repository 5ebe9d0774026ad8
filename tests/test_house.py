"""The rooms of the house, which the README names, and that imports between them run one way:
cli -> commands -> serve, demo -> recognizer, export, reproduce -> report -> train, extract ->
cache -> manifests -> root."""

import ast
import doctest
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ser

ROOT = Path(ser.__file__).parent
BESIDE = {"tests", "benchmarks", "docs"}
"""What is no part of the library."""
MADE = {"build", "dist", "site"}
"""What `make` and `pip` leave."""
MOST_LINES = 400

ROOT_MODULES = {
    "checkpoints",
    "errors",
    "files",
    "machine",
    "new_folder",
    "portion",
    "progress",
    "registry",
    "signals",
}
FOUNDATION = ROOT_MODULES | {"ge2e", "workers"}
MAY_IMPORT = {
    "transfer": ROOT_MODULES,
    **dict.fromkeys(FOUNDATION, ROOT_MODULES),
    "manifests": ROOT_MODULES,
    "cache": ROOT_MODULES | {"manifests", "transfer"},
    "extract": FOUNDATION | {"manifests", "cache", "transfer"},
    "train": FOUNDATION | {"manifests", "cache"},
    "recognizer": FOUNDATION | {"manifests", "cache", "extract", "train"},
    "report": FOUNDATION | {"manifests", "cache", "train"},
    "export": FOUNDATION | {"manifests", "cache", "train", "report"},
    "reproduce": FOUNDATION | {"manifests", "cache", "train", "report"},
    "serve": FOUNDATION | {"manifests", "cache", "extract", "train", "recognizer", "report"},
    "demo": FOUNDATION | {"manifests", "cache", "extract", "train", "recognizer", "report"},
}
MAY_IMPORT["commands"] = set(MAY_IMPORT)
MAY_IMPORT["cli"] = ROOT_MODULES | {"commands"}
MAY_IMPORT["__init__"] = set(MAY_IMPORT)

FILES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if not (parts := path.relative_to(ROOT).parts)[0].startswith(".")
    and parts[0] not in BESIDE | MADE
)


def room_of(path: Path) -> str:
    """The folder, or the module beside the folders, that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(nodes: Iterator[ast.AST], path: Path) -> Iterator[str]:
    """Whole names of what is imported: `train.loop.fit` of our own, `torch.nn` of others."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            assert len(path.relative_to(ROOT).parts) >= node.level, path
            base = ".".join([*package, *(node.module or "").split(".")]).strip(".")
            assert base.partition(".")[0] != "ser", f"{path}: absolute import of ser"
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def at_once(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported, without what is there for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from at_once(child)


def imported(path: Path) -> set[str]:
    """All that a file imports, anywhere in it."""
    return set(imports_of(ast.walk(tree_of(path)), path))


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(room):
    files = [path for path in FILES if room_of(path) == room]
    assert files
    for path in files:
        rooms = {name.partition(".")[0] for name in imported(path)} & set(MAY_IMPORT)
        assert rooms - {room} <= MAY_IMPORT[room], path


def test_extraction_and_training_meet_in_the_recognizer():
    """And in the commands and the demo, which call one after the other."""
    meeting = {}
    for path in FILES:
        rooms = {name.partition(".")[0] for name in imported(path)}
        meeting.setdefault(room_of(path), set()).update(rooms & {"extract", "train"})
    both = {room for room, rooms in meeting.items() if len(rooms) == 2}
    assert both == {"recognizer", "commands", "demo", "__init__"}


@pytest.mark.parametrize(
    ("room", "never"),
    [
        ("manifests", {"torch"}),
        ("cache", {"torch"}),
        ("train", {"extract", "librosa", "transformers", "allosaurus", "resemblyzer"}),
    ],
)
def test_what_a_room_never_imports(room, never):
    for path in FILES:
        if room_of(path) == room:
            assert not {name.partition(".")[0] for name in imported(path)} & never, path


def test_the_network_imports_torch_and_of_ours_errors_alone():
    for path in FILES:
        if path.is_relative_to(ROOT / "train" / "network"):
            for name in imported(path):
                first = name.partition(".")[0]
                known = first in {"torch", "msgspec", *sys.stdlib_module_names}
                assert known or name.startswith(("train.network", "errors")), f"{path}: {name}"


def test_no_circle():
    """Of modules that need each other to be imported."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }

    def module(name: str) -> str:
        """What holds a name: a module, or what comes before the last dot."""
        return name if name in modules else name.rpartition(".")[0]

    needs = {
        name: {module(each) for each in imports_of(at_once(tree_of(path)), path)} & set(modules)
        for name, path in modules.items()
    }
    assert {"manifests.manifest", "manifests.corpora"} <= needs["manifests"]
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_a_file_is_read_in_one_sitting():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path


def test_the_readme_has_the_rooms():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"^## The rooms\n.*?^```\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    named = re.findall(r"^ *([a-z0-9_]+)(?:\.py|/) ", tree, re.MULTILINE)
    folders = {parent.name for path in FILES for parent in path.parents if parent != ROOT}
    folders -= {parent.name for parent in ROOT.parents}
    modules = {path.stem for path in FILES if path.parent == ROOT}
    assert sorted(named) == sorted(folders | modules | BESIDE)


def test_every_folder_is_installed():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = {".".join(("ser", *path.parent.relative_to(ROOT).parts)) for path in FILES}
    assert set(setup["options"]["packages"].split()) == packages


@pytest.mark.long
def test_the_examples_in_docstrings_run():
    tried = 0
    for module in pkgutil.walk_packages(ser.__path__, "ser."):
        room = module.name.split(".")[1]
        if room in BESIDE or module.name == "ser.demo.espeak":  # a program, not a module
            continue
        result = doctest.testmod(importlib.import_module(module.name))
        assert result.failed == 0, module.name
        tried += result.attempted
    assert tried > 10
