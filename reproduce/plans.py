"""Which experiments a table or figure of the paper consists of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cache import Cache
from ..errors import InputError
from ..manifests.names import did_you_mean
from ..train.config import Config, load_config
from ..train.methods import methods_of
from ..train.runs.request import Request, check_limits, check_request
from .published import CORPORA


@dataclass(frozen=True)
class Order:
    """What `ser reproduce` was asked for: as `Request`, for all experiments alike.

    Attributes:
        corpora: none: those of the paper that are cached.
    """

    what: str
    corpora: Sequence[str]
    features: Sequence[str]
    preset: str
    overrides: Sequence[str] = ()
    protocol: str = "paper"
    repeats: int = 5
    device: str = "auto"
    workers: int | None = None
    memory: float | None = None
    skip_missing: bool = False
    overwrite: bool = False

    @property
    def config(self) -> Config:
        """The resolved settings."""
        return load_config(self.preset, self.overrides)

    def request(self, setting: str, corpora: Sequence[str], method: str = "") -> Request:
        """One experiment of it."""
        return Request(
            setting=setting,
            corpora=corpora,
            features=self.features,
            config=self.config,
            method=method,
            protocol=self.protocol,
            repeats=self.repeats,
            device=self.device,
            workers=self.workers,
            memory=self.memory,
            skip_missing=self.skip_missing,
            overwrite=self.overwrite,
        )


def describe(order: Order, command: str) -> dict[str, Any]:
    """What every table and figure says of itself.

    Args:
        command: what was typed.
    """
    return {
        "what": order.what,
        "command": command,
        "features": list(order.features),
        "preset": order.preset,
        "overrides": list(order.overrides),
        "protocol": order.protocol,
        "repeats": order.repeats,
        "skip_missing": order.skip_missing,
        "corpora": list(order.corpora),
    }


def choose_corpora(order: Order, cache: Cache) -> Order:
    """The order with its corpora named, the paper's as far as they are cached.

    Raises InputError if there are too few.
    """
    if order.corpora:
        return order
    known = cache.corpora()
    found = [corpus for corpus in CORPORA if corpus in known]
    fewest = 2 if order.what in ("table3", "fig4") else 1
    if len(found) < fewest:
        others = f", such as --corpus {','.join(known)}" if len(known) >= fewest else ""
        raise InputError(
            f"of the paper's corpora ({', '.join(CORPORA)}) the cache {cache.folder} has "
            f"{', '.join(found) or 'none'}; extract them, or name others{others}"
        )
    if order.what == "fig3" and "emodb" in found:
        found = ["emodb"]  # the paper draws it for German
    return dataclasses.replace(order, corpora=found)


def table3(order: Order) -> dict[str, Request]:
    """The methods for several corpora; beside them the single-domain models and the SVM."""
    requests = {}
    for corpus in order.corpora:
        requests[f"svm-{corpus}"] = order.request("baseline", [corpus])
        requests[f"single-{corpus}"] = order.request("single", [corpus])
    for method in methods_of("multidomain"):
        requests[method] = order.request("multidomain", order.corpora, method)
    return requests


WITH, WITHOUT = "with", "without"


def table4(order: Order) -> dict[str, Request]:
    """The single-domain model with the paper's auxiliary loss and without."""
    return {
        f"{name}-{corpus}": _with_alpha(order.request("single", [corpus]), alpha)
        for corpus in order.corpora
        for name, alpha in ((WITH, -1.0), (WITHOUT, 0.0))
    }


def fig4(order: Order) -> dict[str, Request]:
    """Single-domain models of one feature each, and the gates of `ours` over all of them.

    Raises InputError if the folders of two features would have the same name.
    """
    if len({path_name(feature) for feature in order.features}) < len(order.features):
        raise InputError(
            f"--features {','.join(order.features)}: two of them would share a run folder's name"
        )
    requests = {
        f"{path_name(feature)}-{corpus}": dataclasses.replace(
            order.request("single", [corpus]), features=[feature]
        )
        for feature in order.features
        for corpus in order.corpora
    }
    return {**requests, "ours": order.request("multidomain", order.corpora, "ours")}


PLANS = {"table3": table3, "table4": table4, "fig3": table4, "fig4": fig4}
"""Figure 3 draws the first repeat of the models of table 4."""


def check_order(order: Order) -> None:
    """Raise InputError for what no cache could make right: an unknown table or setting, numbers
    out of range, corpora that do not go together, a setting that the table sets itself."""
    if order.what not in PLANS:
        hint = did_you_mean(order.what, PLANS)
        raise InputError(f"{order.what!r}{hint}: expected one of {', '.join(PLANS)}")
    named = any(each.partition("=")[0].strip() == "train.alpha" for each in order.overrides)
    if named and PLANS[order.what] is table4:
        raise InputError(f"--set train.alpha: {order.what} sets it itself, to the paper's and to 0")
    if len(set(order.corpora)) < len(order.corpora):
        raise InputError(f"--corpus {','.join(order.corpora)}: a corpus is named twice")
    check_limits(order.repeats, order.workers, order.memory)
    assert order.config  # all settings are known and in range
    if order.corpora:
        for request in PLANS[order.what](order).values():
            check_request(request)


def path_name(feature: str) -> str:
    """A feature's name as a part of a file's name, such as `hf-wavlm_layer-9`."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in feature)


def default_out(order: Order) -> Path:
    """Where all tables and figures of a preset go; what they have in common is trained once."""
    features = "+".join(map(path_name, order.features))
    return Path("reproduced") / f"{Path(order.preset).stem}-{order.protocol}-{features}"


def _with_alpha(request: Request, alpha: float) -> Request:
    return dataclasses.replace(request, config=request.config.changed(f"train.alpha={alpha}"))


def rows_of(requests: Mapping[str, Request]) -> dict[str, dict[str, str]]:
    """The rows of a table: method to the names of its experiments by corpus."""
    rows: dict[str, dict[str, str]] = {}
    for name, request in requests.items():
        row = name
        if request.setting != "multidomain":
            row = name.removesuffix(f"-{request.corpora[0]}")
        for corpus in request.corpora:
            rows.setdefault(row, {})[corpus] = name
    return rows
