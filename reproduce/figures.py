"""Figures 3 and 4 of the paper: the numbers behind them, and their drawing with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import atomic_path
from ..train.evaluate import representations
from ..train.runs.report import bounds, decimal, interval_note, speaker_note
from ..train.runs.run_folder import STRUCTURE, load_model
from .made import made_by, made_note, preset_of, processor_notes
from .plans import WITH, WITHOUT, Order, path_name
from .results import Result
from .sweep import Sweep

TITLES = {WITHOUT: "alpha = 0", WITH: "alpha of the paper"}


def figure3(order: Order, work: Sweep, results: Mapping[str, Result]) -> dict[str, Any]:
    """t-SNE of the test representations of the first repeat, without and with auxiliary loss.

    Beside the points, how compact the emotions are: the mean silhouette over utterances, of the
    cosine distances between the representations themselves (-1 to 1, higher is more compact).
    """
    from sklearn.manifold import TSNE
    from sklearn.metrics import silhouette_score

    panels = []
    for corpus in order.corpora:
        for name in (WITHOUT, WITH):
            experiment = work.experiments[f"{name}-{corpus}"]
            domain = work.domains[experiment.encoding][corpus]
            split = experiment.splits[corpus][0]
            model = load_model(work.folder(f"{name}-{corpus}"), split.seed, split.fold)
            rows = domain.rows(split.test)
            found = representations(model, domain, rows).numpy()
            labels = [domain.labels[label] for label in domain.truth(rows)]
            perplexity = min(30.0, (len(found) - 1) / 3)
            points = TSNE(perplexity=perplexity, random_state=0, init="pca").fit_transform(found)
            distinct = 1 < len(set(labels)) < len(labels)
            panels.append(
                {
                    "corpus": corpus,
                    "model": name,
                    "silhouette": float(silhouette_score(found, labels, metric="cosine"))
                    if distinct
                    else None,
                    "ids": list(split.test),
                    "labels": labels,
                    "points": np.asarray(points, dtype=float).round(4).tolist(),
                }
            )
    return {"panels": panels, **_about(order, results, list(results))}


def figure4(order: Order, work: Sweep, results: Mapping[str, Result]) -> dict[str, Any]:
    """UA of every feature alone beside the mean weight that the gates of `ours` give it.

    Raises:
        InputError: the run of `ours` does not say what its gates do.
    """
    structure = results["ours"].structure
    if structure is None or not all(
        {"gate", "connections"} <= structure[corpus].keys() for corpus in order.corpora
    ):
        raise InputError(f"{work.folder('ours')}: has no {STRUCTURE}; remove it to train it anew")
    corpora = {}
    for corpus in order.corpora:
        alone = {}
        for feature in order.features:
            result = results[f"{path_name(feature)}-{corpus}"]
            alone[feature] = result.metrics["domains"][corpus]["ua"]
        gate = structure[corpus]["gate"]
        corpora[corpus] = {
            "alone": alone,
            "gate": gate,
            "rank_correlation": _rank_correlation(
                [alone[name]["mean"] for name in order.features],
                [gate[name] for name in order.features],
            ),
            "connections": structure[corpus]["connections"],
        }
    return {
        "selector": order.config.gate.selector,
        "by_corpus": corpora,
        **_about(order, results, ["ours"]),
    }


def _about(order: Order, results: Mapping[str, Result], named: Sequence[str]) -> dict[str, Any]:
    """What the numbers rest on, each said once, and what made them.

    Args:
        named: the experiments whose notes are of interest.
    """
    domains = [
        (corpus, domain)
        for name in named
        for corpus, domain in results[name].metrics["domains"].items()
    ]
    made = made_by({name: each.about for name, each in results.items()})
    notes = [speaker_note(order.protocol, domain) for _, domain in domains]
    notes += [interval_note(domain) for _, domain in domains]
    notes += [f"{corpus}: {note}" for corpus, domain in domains for note in domain["notes"]]
    return {"made": made, "notes": [*dict.fromkeys(notes), *processor_notes(made)]}


def _of(figure: Mapping[str, Any]) -> str:
    repeats = f"{figure['repeats']} repeat{'s' if figure['repeats'] > 1 else ''}"
    preset = preset_of(figure)
    return f"{preset[:1].upper()}{preset[1:]}, protocol `{figure['protocol']}`, {repeats}."


def _under(figure: Mapping[str, Any]) -> list[str]:
    return ["", *figure["notes"], made_note(figure["made"]), "", "```", figure["command"], "```"]


def markdown3(figure: Mapping[str, Any]) -> str:
    """How compact the emotions are, in numbers."""
    lines = [
        f"{_of(figure)} The first repeat.",
        "",
        "| corpus | model | silhouette of the test representations |",
        "|---|---|---|",
    ]
    for panel in figure["panels"]:
        value = panel["silhouette"]
        shown = f"{value:.3f}" if value is not None else "-"
        lines.append(f"| {panel['corpus']} | {TITLES[panel['model']]} | {shown} |")
    return "\n".join([*lines, *_under(figure)]) + "\n"


def markdown4(figure: Mapping[str, Any]) -> str:
    """UA alone and gate weight of every feature and corpus."""
    lines = [
        f"{_of(figure)} Selector of the gates: {figure['selector']}. UA of the single-domain model "
        "on one feature; mean gate weight of `ours` on the test parts.",
        "",
        "| corpus | feature | UA alone (95 %) | gate weight |",
        "|---|---|---|---|",
    ]
    for corpus, found in figure["by_corpus"].items():
        for feature in figure["features"]:
            alone = found["alone"][feature]
            lines.append(
                f"| {corpus} | {feature} | {decimal(alone['mean'])} ({bounds(alone)}) | "
                f"{decimal(found['gate'][feature])} |"
            )
    ranks = ", ".join(
        f"{corpus} {found['rank_correlation']:+.2f}"
        for corpus, found in figure["by_corpus"].items()
    )
    lines += ["", f"Rank correlation of the two columns: {ranks}.", *_under(figure)]
    return "\n".join(lines) + "\n"


def draw3(figure: Mapping[str, Any], path: Path) -> None:
    """A panel for each corpus and model, a colour for each emotion."""
    pyplot, axes = _canvas(len(figure["panels"]))
    emotions = sorted({label for panel in figure["panels"] for label in panel["labels"]})
    colours = dict(zip(emotions, cycle(pyplot.get_cmap("tab10").colors), strict=False))
    for axis, panel in zip(axes, figure["panels"], strict=True):
        points = np.array(panel["points"])
        for emotion in emotions:
            chosen = np.array([label == emotion for label in panel["labels"]])
            if chosen.any():
                axis.scatter(*points[chosen].T, s=14, label=emotion, color=colours[emotion])
        axis.set(title=f"{panel['corpus']}, {TITLES[panel['model']]}", xticks=[], yticks=[])
    axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    _save(pyplot, path)


def draw4(figure: Mapping[str, Any], path: Path) -> None:
    """Bars: UA of each feature alone, and its gate weight, grouped by corpus."""
    pyplot, axes = _canvas(2)
    places = np.arange(len(figure["by_corpus"]))
    width = 0.8 / len(figure["features"])
    for number, feature in enumerate(figure["features"]):
        shift = places + (number - (len(figure["features"]) - 1) / 2) * width
        found = list(figure["by_corpus"].values())
        axes[0].bar(shift, [each["alone"][feature]["mean"] for each in found], width, label=feature)
        axes[1].bar(shift, [each["gate"][feature] for each in found], width, label=feature)
    for axis, title in zip(axes, ("UA of one feature alone", "mean gate weight"), strict=True):
        axis.set(title=title, xticks=places, xticklabels=list(figure["by_corpus"]))
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    _save(pyplot, path)


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
