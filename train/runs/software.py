"""What made a number, beside its settings: versions of software, the processor."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from ... import __version__
from ..methods import Method

if TYPE_CHECKING:
    import torch

NUMBERS = (
    "ge2e/encoder.py",
    "train/network/*.py",
    "train/network/systems/*.py",
    *(f"train/{name}.py" for name in ("augment", "baseline", "calibration", "data", "encoding")),
    *(f"train/{name}.py" for name in ("evaluate", "functionals", "loop", "methods", "metrics")),
    *(f"train/{name}.py" for name in ("model", "optimiser", "search_schedule", "speakers")),
    *(f"train/{name}.py" for name in ("balance", "batches", "classifiers", "svm", "vectors")),
    *(f"train/runs/{name}.py" for name in ("baselines", "jobs", "networks")),
)
"""The code that can change a number."""


def software() -> dict[str, str]:
    """The versions that the numbers may depend on beside the settings."""
    packages = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "h5py", "safetensors")
    return {
        "ser": __version__,
        "ser.train": code_hash(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def other_software(about: Mapping[str, Any]) -> list[str]:
    """What made a run, by its `versions.json`, and is not here: `torch 2.6.0`."""
    here = software()
    return [f"{name} {about.get(name)}" for name in here if about.get(name) != here[name]]


def numbers_version() -> dict[str, str]:
    """Of `software`, what makes a finished job worthless where it differs."""
    here = software()
    return {n: here[n] for n in ("ser.train", "torch", "numpy", "scipy", "scikit-learn")}


@cache
def code_hash() -> str:
    """8 hex digits of the SHA-256 of the code that can change a number, whatever is said beside it
    in comments and docstrings."""
    root = Path(__file__).parents[2]
    text = "".join(meaning(path) for pattern in NUMBERS for path in sorted(root.glob(pattern)))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def own_code(method: Method) -> str:
    """The same of what a method of a user's own is made of: of the files, or of the thing itself
    where it was typed in; "" of the methods that come with this."""
    data = b"".join(map(_code, (method.fusion, method.system, method.auxiliary)))
    return hashlib.sha256(data).hexdigest()[:8] if data else ""


def _code(item: Any) -> bytes:
    """What a class or function is, or what is named `module:name`."""
    if isinstance(item, partial):
        return _code(item.func) + repr((item.args, item.keywords)).encode()
    module = item.partition(":")[0] if isinstance(item, str) else getattr(item, "__module__", "")
    if item is None or module.partition(".")[0] == __name__.partition(".")[0]:
        return b""
    try:
        if isinstance(item, str):
            item = importlib.import_module(module)
        return meaning(Path(inspect.getfile(item))).encode()
    except (OSError, TypeError):  # of no file: another process cannot tell whether it is the same
        data: bytes = cloudpickle.dumps(item)
        return data


def meaning(path: Path) -> str:
    """What a file of code does: its syntax without comments and docstrings."""
    return ast.dump(_WithoutDocstrings().visit(ast.parse(path.read_text(encoding="utf-8"))))


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


@cache
def processor(device: torch.device | None = None) -> str:
    """What computes on a device: its name, and of a CPU the instructions that are used.

    Args:
        device: of torch, which says what it uses; None: the CPU without torch.

    Processors of other instructions add up in another order, so that a last digit differs, and
    after training now and then a prediction.
    """
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(named, name)
    return f"{name}, {_instructions() if device is None else _instructions_of_torch()}"


def _instructions_of_torch() -> str:
    import torch

    return torch.backends.cpu.get_cpu_capability()


def _instructions() -> str:
    """The same in torch's words, by what NumPy finds."""
    found: Any = np.show_config(mode="dicts")
    known = {"X86_V4": "AVX512", "X86_V3": "AVX2"}
    return next((known[n] for n in known if n in found["SIMD Extensions"]["found"]), "DEFAULT")
