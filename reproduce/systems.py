"""Table 2 of the paper: published systems beside its single-domain model and the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..cache import Cache
from ..errors import InputError, MissingFeaturesError
from ..manifests import Folds, Manifest, make_splits
from ..train import REPRODUCE_PRESET
from ..train.config import load_config
from ..train.methods import METHODS
from ..train.runs.by_speaker import check_by_speaker
from ..train.runs.features import check_perturbed
from ..train.runs.report import HEARD, bounds, decimal, interval_note, speaker_note
from ..train.runs.request import Request, default_repeats
from .made import grid, page, provenance, settings_of
from .plan import Plan, Result, Results, path_name
from .published import TABLE2

RANDOM, APART = "paper", "speaker"
"""The protocols under which every system is tested."""

INSTEAD = "; use --protocol paper"
"""What the messages of splits advise, and is done here in any case."""


@dataclass(frozen=True)
class Row:
    """A system of the table.

    Attributes:
        name: what it is called.
        folds: where its authors leave one speaker out, `all`: it is tested like that, too.
    """

    method: str
    name: str
    folds: Folds = None


ROWS = (
    Row("baseline", "baseline"),
    Row("single", "single-domain, the paper's"),
    Row("rudd", "Rudd 2022, the text's network"),
    Row("rudd-code", "Rudd 2022, the released code's"),
    Row("adrnn", "Meng 2019, ADRNN"),
    Row("zhao-1d", "J. Zhao 2019, 1-D"),
    Row("zhao-2d", "J. Zhao 2019, 2-D"),
    Row("zhao-2d-time", "J. Zhao 2019, 2-D that keeps time"),
    Row("capsules", "Ng and Liu 2021, capsules"),
    Row("keesing-printed", "Keesing 2021, chosen by the test parts", folds="all"),
    Row("keesing", "Keesing 2021, chosen by validation", folds="all"),
    Row("scheidwasser-printed", "Scheidwasser-Clow 2022, chosen by the test part"),
    Row("scheidwasser", "Scheidwasser-Clow 2022, chosen by validation"),
)


class Table2(Plan):
    """Every system whose features are cached, on each corpus by itself."""

    name = "table2"

    def requests(self, common: Request) -> dict[str, Request]:
        """A system and a corpus under every protocol: those of the table and the system's own where
        nobody names another than `paper`, else the one that was named."""
        return {
            "-".join([row.method, corpus, *how]): request
            for corpus in common.corpora
            for row in ROWS
            for *how, request in _under(common, _of(common, row, corpus), row)
        }

    def changes(self, common: Request) -> Sequence[str]:
        """Also those that the common preset has so, and that of a system has not."""
        return tuple(dict.fromkeys((*common.config.changes, *common.asked)))

    def lacking(self, requests: Mapping[str, Request], cache: Cache) -> dict[str, str]:
        """The published systems that read what is not cached, and the command that brings it; and
        what needs other speakers than a corpus has, unless nothing else was asked for."""
        both = len({request.protocol for request in requests.values()}) > 1
        of_corpus = {request.corpora[0]: request for request in requests.values()}
        manifests = {
            corpus: request.relabelled(cache.manifest(corpus))
            for corpus, request in of_corpus.items()
        }
        found: dict[str, str] = {}
        for name, request in requests.items():
            published = METHODS[request.model.name].reads is not None
            manifest = manifests[request.corpora[0]]
            try:
                if both and request.protocol == APART:
                    make_splits(manifest, APART, 0, request.folds)
                if published or len(manifests) > 1:
                    check_by_speaker(request.config.model, [manifest])
                if published:
                    _check_features(request, manifest, cache)
            except (InputError, MissingFeaturesError) as error:
                found[name] = str(error).removesuffix(INSTEAD)
        return found

    def values(self, common: Request, cache: Cache, results: Results) -> dict[str, Any]:
        return {"rows": [_entry(result) for result in results.values()], **provenance(results)}

    def markdown(self, values: Mapping[str, Any]) -> str:
        """A table per corpus: UA with intervals, WA, the printed number and what that rests on."""
        lines = [
            "UA and WA on the test parts (95 % interval of UA). The baseline and the single-domain "
            f"model read {', '.join(values['features'])}: preset {settings_of(values)} Published "
            "systems have features and a preset of their own; what is changed of it stands with "
            "each."
        ]
        head = ["system", "reads", "protocol", "UA", "WA", "printed", "the printed number rests on"]
        for corpus in values["corpora"]:
            rows = [row for row in values["rows"] if row["corpus"] == corpus]
            lines += ["", f"{corpus}:", "", *grid(head, [_cells(row) for row in rows])]
        if values["left_out"]:
            systems: dict[str, list[str]] = {}
            for name, message in values["left_out"].items():
                systems.setdefault(message, []).append(name)
            lines += ["", "Left out:", ""]
            lines += [f"- {', '.join(of)}: {' '.join(m.split())}" for m, of in systems.items()]
        return page(lines, values, _notes(values["rows"]))


def _check_features(request: Request, manifest: Manifest, cache: Cache) -> None:
    """Raise MissingFeaturesError unless all that a system reads of a corpus is cached."""
    keys = cache.resolve_all(request.features, manifest)
    for key in [*keys.values(), *check_perturbed(request, keys, cache, manifest)]:
        if not request.skip_missing:
            cache.open(key, manifest)


def _of(common: Request, row: Row, corpus: str) -> Request:
    """A system on a corpus, with its own features and preset."""
    method = METHODS[row.method]
    features = [method.reads.feature] if method.reads else common.features
    config = common.config
    if method.preset:
        config = load_config(method.preset, [*config.changes, *common.asked])
    return replace(
        common,
        setting=method.setting,
        method=row.method,
        corpora=[corpus],
        features=features,
        config=config,
    )


def _under(common: Request, request: Request, row: Row) -> Iterator[tuple[Any, ...]]:
    """The words of a name, and the request under a protocol, for every protocol."""
    if common.protocol != RANDOM:
        yield path_name(common.protocol), request
        return
    yield RANDOM, request
    repeats = min(common.repeats, default_repeats(APART))
    apart = replace(request, protocol=APART, repeats=repeats)
    yield APART, apart
    if row.folds and row.folds != common.folds:
        yield APART, str(row.folds), replace(apart, folds=row.folds)


def _entry(result: Result) -> dict[str, Any]:
    """What a row says."""
    request = result.experiment.request
    ((corpus, domain),) = result.metrics["domains"].items()
    row = next(row for row in ROWS if row.method == request.model.name)
    known = bool(domain["speakers_shared"]) or request.protocol == RANDOM
    printed = None if request.label_map else TABLE2.get(row.method)
    number = printed and (printed.known if known else printed.unknown).get(corpus)
    others = row.method == "single" and request.config.preset != REPRODUCE_PRESET
    return {
        "row": row.method,
        "name": "single-domain" if others else row.name,
        "corpus": corpus,
        "features": result.metrics["features"],
        "protocol": request.protocol,
        "folds": request.folds,
        "preset": request.config.preset,
        "changes": list(result.metrics["changes"]),
        "domain": domain,
        "printed": number,
        "rests_on": printed.rests_on if printed and number is not None else "",
    }


def _cells(row: Mapping[str, Any]) -> list[str]:
    domain = row["domain"]
    folds = f", {domain['folds']} folds" if domain["folds"] > 1 else ""
    ua = f"{decimal(domain['ua']['mean'])} ({bounds(domain['ua'])})"
    printed = decimal(row["printed"]) if row["printed"] is not None else "-"
    own = METHODS[row["row"]].reads is not None and row["changes"]
    changes = f" (with {', '.join(row['changes'])})" if own else ""
    return [
        row["name"] + changes,
        ", ".join(row["features"]),
        f"`{row['protocol']}`{folds}",
        ua,
        decimal(domain["wa"]["mean"]),
        printed,
        row["rests_on"],
    ]


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the numbers rest on: for a protocol or a corpus, or for single systems."""
    said: dict[str, list[str]] = {}
    for row in rows:
        domain, protocol = row["domain"], row["protocol"]
        heard = HEARD.get(domain["heard"], "")
        plain = speaker_note(protocol, domain).removesuffix(heard).strip()
        said.setdefault(f"`{protocol}`: {plain} {interval_note(domain)}", [])
        for note in (heard, *domain["notes"]):
            if note:
                said.setdefault(note, []).append(f"{row['name']}, {row['corpus']} `{protocol}`")
    return [
        note if len(of) in (0, len(rows)) else f"{'; '.join(dict.fromkeys(of))}: {note}"
        for note, of in said.items()
    ]
