"""Figures 3 and 4 of the paper: the numbers behind them, and their drawing with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..cache import Cache
from ..errors import InputError
from ..files import atomic_path
from ..train.runs.report import bounds, decimal
from ..train.runs.request import Request
from .made import footer, grid, made_by, notes_of, settings_of
from .plan import Plan, Result, Results, one_corpus, path_name, several_corpora
from .tables import auxiliary_loss


class Figure3(Plan):
    """t-SNE of the test representations of the first repeat, with auxiliary loss and without."""

    name = "fig3"
    summary = "t-SNE of their test representations"
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
            {
                "corpus": corpus,
                "model": model,
                **_panel(results[f"{model}-{corpus}"], corpus, cache),
            }
            for corpus in common.corpora
            for model in self.titles
        ]
        notes = notes_of(results, list(results))
        return {"panels": panels, "made": made_by(results), "notes": notes}

    def markdown(self, values: Mapping[str, Any]) -> str:
        """How compact the emotions are, in numbers."""
        cells = []
        for panel in values["panels"]:
            value = panel["silhouette"]
            shown = f"{value:.3f}" if value is not None else "-"
            cells.append([panel["corpus"], self.titles[panel["model"]], shown])
        head = ["corpus", "model", "silhouette of the test representations"]
        lines = [f"{_sentence(values)} The first repeat.", "", *grid(head, cells), *footer(values)]
        return "\n".join(lines) + "\n"

    def draw(self, values: Mapping[str, Any], path: Path) -> None:
        """A panel for each corpus and model, a colour for each emotion."""
        pyplot, axes = _canvas(len(values["panels"]))
        emotions = sorted({label for panel in values["panels"] for label in panel["labels"]})
        colours = dict(zip(emotions, cycle(pyplot.get_cmap("tab10").colors), strict=False))
        for axis, panel in zip(axes, values["panels"], strict=True):
            points = np.array(panel["points"])
            for emotion in emotions:
                chosen = np.array([label == emotion for label in panel["labels"]])
                if chosen.any():
                    axis.scatter(*points[chosen].T, s=14, label=emotion, color=colours[emotion])
            title = f"{panel['corpus']}, {self.titles[panel['model']]}"
            axis.set(title=title, xticks=[], yticks=[])
        axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        _save(pyplot, path)


def _panel(result: Result, corpus: str, cache: Cache) -> dict[str, Any]:
    """The points of the first test part of an experiment."""
    from sklearn.manifold import TSNE
    from sklearn.metrics import silhouette_score

    from ..train.evaluate import representations

    split = result.experiment.splits[corpus][0]
    domain = result.run.domain(corpus, cache)
    model = next(iter(result.run.ensemble(split.seed, split.fold).members))
    rows = domain.rows(split.test)
    vectors = representations(model, domain, rows).numpy()
    labels = [domain.labels[label] for label in domain.truth(rows)]
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    points = TSNE(perplexity=perplexity, random_state=0, init="pca").fit_transform(vectors)
    distinct = 1 < len(set(labels)) < len(labels)
    silhouette = silhouette_score(vectors, labels, metric="cosine") if distinct else None
    return {
        "silhouette": None if silhouette is None else float(silhouette),
        "ids": list(split.test),
        "labels": labels,
        "points": np.asarray(points, dtype=float).round(4).tolist(),
    }


class _Structure(TypedDict):
    """What figure 4 shows of `ours`."""

    gate: dict[str, float]
    connections: list[list[float]]


class Figure4(Plan):
    """UA of every feature alone beside the mean weight that the gates of `ours` give it."""

    name = "fig4"
    summary = "every feature alone, beside the weights of the gates"
    fewest = 2
    drawn = True

    def requests(self, common: Request) -> dict[str, Request]:
        """Single-domain models of one feature each, and `ours` over all of them."""
        if len({path_name(feature) for feature in common.features}) < len(common.features):
            raise InputError(
                f"--features {','.join(common.features)}: two of them would share a run folder's "
                "name"
            )
        requests = {
            f"{path_name(feature)}-{corpus}": one_corpus(
                replace(common, features=[feature]), "single", corpus
            )
            for feature in common.features
            for corpus in common.corpora
        }
        return {**requests, "ours": several_corpora(common, "ours")}

    def values(self, common: Request, cache: Cache, results: Results) -> dict[str, Any]:
        """By corpus, the two columns, their rank correlation and the connections."""
        ours = results["ours"]
        by_corpus = {}
        for corpus in common.corpora:
            structure = _structure(ours, corpus)
            weights = dict(zip(common.features, structure["gate"].values(), strict=True))
            alone = {
                feature: results[f"{path_name(feature)}-{corpus}"].metrics["domains"][corpus]["ua"]
                for feature in common.features
            }
            by_corpus[corpus] = {
                "alone": alone,
                "gate": weights,
                "rank_correlation": _rank_correlation(
                    [rate["mean"] for rate in alone.values()], list(weights.values())
                ),
                "connections": structure["connections"],
            }
        return {
            "selector": common.config.gate.selector,
            "by_corpus": by_corpus,
            "made": made_by(results),
            "notes": notes_of(results, ["ours"]),
        }

    def markdown(self, values: Mapping[str, Any]) -> str:
        """UA alone and gate weight of every feature and corpus."""
        cells = [
            [
                corpus,
                feature,
                f"{decimal(entry['alone'][feature]['mean'])} ({bounds(entry['alone'][feature])})",
                decimal(entry["gate"][feature]),
            ]
            for corpus, entry in values["by_corpus"].items()
            for feature in values["features"]
        ]
        ranks = ", ".join(
            f"{corpus} {entry['rank_correlation']:+.2f}"
            for corpus, entry in values["by_corpus"].items()
        )
        lines = [
            f"{_sentence(values)} Selector of the gates: {values['selector']}. UA of the "
            "single-domain model on one feature; mean gate weight of `ours` on the test parts.",
            "",
            *grid(["corpus", "feature", "UA alone (95 %)", "gate weight"], cells),
            "",
            f"Rank correlation of the two columns: {ranks}.",
            *footer(values),
        ]
        return "\n".join(lines) + "\n"

    def draw(self, values: Mapping[str, Any], path: Path) -> None:
        """Bars: UA of each feature alone, and its gate weight, grouped by corpus."""
        pyplot, axes = _canvas(2)
        entries = list(values["by_corpus"].values())
        places = np.arange(len(entries))
        width = 0.8 / len(values["features"])
        for number, feature in enumerate(values["features"]):
            at = places + (number - (len(values["features"]) - 1) / 2) * width
            rates = [entry["alone"][feature]["mean"] for entry in entries]
            axes[0].bar(at, rates, width, label=feature)
            axes[1].bar(at, [entry["gate"][feature] for entry in entries], width, label=feature)
        for axis, title in zip(axes, ("UA of one feature alone", "mean gate weight"), strict=True):
            axis.set(title=title, xticks=places, xticklabels=list(values["by_corpus"]))
        axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        _save(pyplot, path)


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


def _sentence(values: Mapping[str, Any]) -> str:
    settings = settings_of(values)
    return f"{settings[:1].upper()}{settings[1:]}"


def _canvas(panels: int) -> tuple[Any, Sequence[Any]]:
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    _, axes = pyplot.subplots(1, panels, figsize=(4.2 * panels + 1.2, 4), layout="constrained")
    return pyplot, list(np.atleast_1d(axes))


def _save(pyplot: Any, path: Path) -> None:
    with atomic_path(path) as partial:
        pyplot.savefig(partial, dpi=150, format="png", bbox_inches="tight")
    pyplot.close("all")


def _rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's: of the ranks; 0 where one of them is constant."""
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = np.stack([rankdata(one), rankdata(other)])
    if (ranks.std(axis=1) == 0).any():
        return 0.0
    correlation: NDArray[np.float64] = np.asarray(np.corrcoef(ranks))
    return float(correlation[0, 1])
