"""Figures 3 and 4 of the paper: the numbers behind them; report/ draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import numpy as np

from ..cache import Cache
from ..errors import InputError
from ..report.chart import write_figure
from ..report.figures_embedding import Embedding, draw_panels, embed
from ..report.figures_fusion import draw_gates
from ..train.runs.report import bounds, decimal
from ..train.runs.request import Request
from .made import grid, page, provenance, settings_of
from .plan import Plan, Result, Results, one_corpus, path_name, several_corpora
from .tables import auxiliary_loss


class Figure3(Plan):
    """t-SNE of the test representations of the first repeat, with auxiliary loss and without."""

    name = "fig3"
    drawn = True
    titles = {"without": "alpha = 0", "with": "alpha of the paper"}  # noqa: RUF012

    def requests(self, common: Request) -> dict[str, Request]:
        """Those of table 4."""
        return auxiliary_loss(self.name, common)

    def default_corpora(self, cached: Sequence[str]) -> list[str]:
        """The paper draws it for German."""
        chosen = super().default_corpora(cached)
        return ["emodb"] if "emodb" in chosen else chosen

    def values(self, common: Request, cache: Cache, results: Results) -> dict[str, Any]:
        """The points; beside them, how compact the emotions are: the mean silhouette over
        utterances, of the cosine distances between the representations themselves (-1 to 1,
        higher is more compact)."""
        panels = [
            {"corpus": corpus, "model": model} | _panel(results[f"{model}-{corpus}"], corpus, cache)
            for corpus in common.corpora
            for model in self.titles
        ]
        return {"panels": panels, **provenance(results, list(results))}

    def markdown(self, values: Mapping[str, Any]) -> str:
        """How compact the emotions are, in numbers."""
        cells = []
        for panel in values["panels"]:
            value = panel["silhouette"]
            shown = f"{value:.3f}" if value is not None else "-"
            cells.append([panel["corpus"], self.titles[panel["model"]], shown])
        head = ["corpus", "model", "silhouette of the test representations"]
        title = f"Preset {settings_of(values)} The first repeat."
        return page([title, "", *grid(head, cells)], values)

    def draw(self, values: Mapping[str, Any], path: Path) -> None:
        """A panel for each corpus and model, a colour and a marker for each emotion."""
        panels = {
            f"{panel['corpus']}, {self.titles[panel['model']]}": Embedding(
                panel["ids"], panel["labels"], panel["points"], panel["silhouette"]
            )
            for panel in values["panels"]
        }
        write_figure(partial(draw_panels, panels), path)


def _panel(result: Result, corpus: str, cache: Cache) -> dict[str, Any]:
    """The points of the first test part of an experiment."""
    split = result.experiment.splits[corpus][0]
    found = embed(result.run, corpus, cache, split.seed, split.fold, list(split.test))
    return asdict(found)


class _Structure(TypedDict):
    """What figure 4 shows of `ours`."""

    gate: dict[str, float]
    connections: list[list[float]]


class Figure4(Plan):
    """UA of every feature alone beside the mean weight that the gates of `ours` give it."""

    name = "fig4"
    fewest = 2
    drawn = True

    def requests(self, common: Request) -> dict[str, Request]:
        """Single-domain models of one feature each, and `ours` over all of them."""
        features = common.features
        if len(set(map(path_name, features))) < len(features):
            raise InputError(
                f"--features {','.join(features)}: two of them would share a run folder's name"
            )
        alone = {path_name(name): replace(common, features=[name]) for name in features}
        requests = {
            f"{name}-{corpus}": one_corpus(request, "single", corpus)
            for name, request in alone.items()
            for corpus in common.corpora
        }
        return {**requests, "ours": several_corpora(common, "ours")}

    def values(self, common: Request, cache: Cache, results: Results) -> dict[str, Any]:
        """By corpus, the two columns, their rank correlation and the connections."""
        ours = results["ours"]
        by_corpus = {}
        for corpus in common.corpora:
            structure = _structure(ours, corpus)
            weights = list(structure["gate"].values())
            alone = {
                feature: results[f"{path_name(feature)}-{corpus}"].metrics["domains"][corpus]["ua"]
                for feature in common.features
            }
            means = [ua["mean"] for ua in alone.values()]
            by_corpus[corpus] = {
                "alone": alone,
                "gate": dict(zip(common.features, weights, strict=True)),
                "rank_correlation": _rank_correlation(means, weights),
                "connections": structure["connections"],
            }
        selector = common.config.gate.selector
        return {"selector": selector, "by_corpus": by_corpus, **provenance(results, ["ours"])}

    def markdown(self, values: Mapping[str, Any]) -> str:
        """UA alone and gate weight of every feature and corpus."""
        by_corpus = values["by_corpus"]
        cells = [
            [corpus, name, f"{decimal(ua['mean'])} ({bounds(ua)})", decimal(entry["gate"][name])]
            for corpus, entry in by_corpus.items()
            for name, ua in entry["alone"].items()
        ]
        ranks = ", ".join(f"{c} {entry['rank_correlation']:+.2f}" for c, entry in by_corpus.items())
        kept = ", ".join(
            f"{corpus} {sum(xi > 0.5 for row in rows for xi in row)} of {len(rows) ** 2}"
            for corpus, rows in ((c, entry["connections"]) for c, entry in by_corpus.items())
        )
        lines = [
            f"Preset {settings_of(values)} Selector of the gates: {values['selector']}. UA of the "
            "single-domain model on one feature; mean gate weight of `ours` on the test parts.",
            "",
            *grid(["corpus", "feature", "UA alone (95 %)", "gate weight"], cells),
            "",
            f"Rank correlation of the two columns: {ranks}.",
            f"Connections of the search that are open (mean xi above .5): {kept}.",
        ]
        return page(lines, values)

    def draw(self, values: Mapping[str, Any], path: Path) -> None:
        """Bars by corpus: UA of each feature alone, and its gate weight; below, how far the
        connections of the search are open."""
        by_corpus = values["by_corpus"]
        weights = {corpus: entry["gate"] for corpus, entry in by_corpus.items()}
        alone = {
            corpus: {feature: ua["mean"] for feature, ua in entry["alone"].items()}
            for corpus, entry in by_corpus.items()
        }
        kept = {corpus: entry["connections"] for corpus, entry in by_corpus.items()}
        draw = partial(draw_gates, values["features"], weights, alone, open_connections=kept)
        write_figure(draw, path)


def _structure(ours: Result, corpus: str) -> _Structure:
    """How `ours` fuses the features of a corpus, checked: a stranger may have written it.

    Raises:
        InputError: its run does not say that.
    """
    names, folder = list(ours.experiment.features), ours.run.folder
    try:
        structure = msgspec.convert(ours.run.structure.get(corpus), _Structure)
        rows = structure["connections"]
        if list(structure["gate"]) != names or {len(rows), *map(len, rows)} != {len(names)}:
            raise ValueError("not of these features")
    except ValueError as error:
        raise InputError(
            f"{folder}: structure.json does not say how {corpus} is fused ({error}); remove the "
            "folder, or say --overwrite, to have it trained anew"
        ) from None
    return structure


def _rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's: of the ranks; 0 where one of them is constant."""
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(one), rankdata(other)])
    return 0.0 if (ranks.std(axis=1) == 0).any() else float(np.corrcoef(ranks)[0, 1])
