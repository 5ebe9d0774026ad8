"""Marks the first step of a training, in whichever process: those that Python starts with this
folder on its path import this before all else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


class _Watch:
    """Marks it once the training loop is imported: torch must not come any earlier."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name != "ser.train.loop":
            return
        import torch

        backward: Any = torch.autograd.backward

        def marking(*arguments: Any, **named: Any) -> None:
            backward(*arguments, **named)
            Path(os.environ["SER_BENCHMARK_FIRST_STEP"]).touch()

        torch.autograd.backward = marking


sys.meta_path.insert(0, _Watch)
