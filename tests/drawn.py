"""Cases that are drawn anew at every run: from which seed, and how many.

`SER_TEST_SEED=<seed>` draws those of an earlier run again; every run names its own at its start,
and a case that fails names its own.
"""

from __future__ import annotations

import os
import secrets

import pytest

if not os.environ.get("SER_TEST_SEED"):
    os.environ["SER_TEST_SEED"] = secrets.token_hex(4)  # for the processes that share the tests too
SEED = os.environ["SER_TEST_SEED"]


def cases(count: int) -> pytest.MarkDecorator:
    """Give a test `count` in `make soak`, and a tenth of it in `make test`."""
    whole = pytest.param(count, marks=pytest.mark.soak)
    return pytest.mark.parametrize("count", [count // 10, whole])
