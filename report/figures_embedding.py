"""Representations of test utterances in the plane: t-SNE (figure 3 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..cache import Cache
from ..train.runs.run import Run
from .chart import Chart, Table, Value, file_name
from .look import MARKERS, Look, blank, series_color, short
from .subject import Subject, one_line

FEWEST, MOST = 4, 1500
"""Utterances that can be laid out; of more, every second, third, ... is."""


@dataclass(frozen=True)
class Embedding:
    """Test utterances of one model.

    Attributes:
        labels: their true emotions.
        points: (utterances, 2).
        silhouette: how compact the emotions are: the mean silhouette over utterances, of the cosine
            distances between the representations themselves (-1 to 1, higher is more compact); None
            where it is not defined.
    """

    ids: list[str]
    labels: list[str]
    points: list[list[float]]
    silhouette: float | None


def embed(run: Run, corpus: str, cache: Cache, repeat: int, fold: int, ids: list[str]) -> Embedding:
    """Lay out what enters the tower of the first model of a repeat and fold, by t-SNE.

    Args:
        ids: of the utterances.

    Raises:
        InputError: the run has no such model, or the cache another corpus.
        MissingFeaturesError: the cache lacks the corpus, or a feature as the run read it.
    """
    from sklearn.manifold import TSNE
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    from ..train.evaluate import representations

    domain = run.domain(corpus, cache)
    model = run.ensemble(repeat, fold).recognisers[0]
    rows = domain.rows(ids)
    vectors = representations(model, domain, rows).numpy()
    labels = [domain.labels[label] for label in domain.truth(rows)]
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # for so few points, threads wait for one another most of the time
        points = TSNE(perplexity=perplexity, random_state=0, init="pca").fit_transform(vectors)
    distinct = 1 < len(set(labels)) < len(labels)
    silhouette = silhouette_score(vectors, labels, metric="cosine") if distinct else None
    return Embedding(
        list(ids),
        labels,
        np.asarray(points, dtype=float).round(4).tolist(),
        None if silhouette is None else float(silhouette),
    )


def embedding(subject: Subject, corpus: str, cache: Cache) -> Chart | None:
    """The first test part of a network; None of the baseline, or where there is too little.

    Raises as `embed`.
    """
    if not subject.is_network:
        return None
    table = subject.run.predictions
    table = table[table["corpus"] == corpus]
    table = table[table["repeat"] == table["repeat"].min()]
    table = table[table["fold"] == table["fold"].min()]
    if len(table) < FEWEST:
        return None
    table = table.iloc[:: -(-len(table) // MOST)]
    place = int(table["repeat"].iloc[0]), int(table["fold"].iloc[0])
    found = embed(subject.run, corpus, cache, *place, table["id"].tolist())
    rows: list[list[Value]] = [
        [one_line(id), one_line(label), *point]
        for id, label, point in zip(found.ids, found.labels, found.points, strict=True)
    ]
    compact = ""
    if found.silhouette is not None:
        compact = f" Silhouette of the emotions {found.silhouette:.3f} (-1 to 1)."
    return Chart(
        file_name("tsne", subject.letter, corpus),
        f"t-SNE, {subject.on(corpus)}",
        f"Representations of {len(found.ids)} test utterances of the first repeat, laid out by "
        f"t-SNE; near means alike, axes have no unit.{compact}",
        Table(("id", "emotion", "x", "y"), rows),
        partial(draw_panels, {"": found}),
        of=subject.on(corpus),
    )


def draw_panels(panels: Mapping[str, Embedding], look: Look) -> Any:
    """Panels one below the other, by their titles; a marker and a colour for every emotion."""
    emotions = sorted({label for found in panels.values() for label in found.labels})
    rows = (len(emotions) + 3) // 4
    figure, axes = blank(len(panels), height=2.9 * len(panels) + 0.1 + 0.17 * rows)
    legend: dict[str, Any] = {}
    for axis, (title, found) in zip(axes[:, 0], panels.items(), strict=True):
        _scatter(axis, found, emotions, look)
        axis.set_title(title)
        handles, names = axis.get_legend_handles_labels()
        legend |= dict(zip(names, handles, strict=True))
    figure.legend(
        legend.values(),
        legend.keys(),
        loc="outside lower left",
        ncols=4,
        handletextpad=0.1,
        columnspacing=0.8,
    )
    return figure


def _scatter(axis: Any, found: Embedding, emotions: list[str], look: Look) -> None:
    """The points of an embedding, the emotions as they are numbered in a legend."""
    points, labels = np.array(found.points), np.array(found.labels)
    for number, emotion in enumerate(emotions):
        chosen = points[labels == emotion]
        if len(chosen):
            axis.scatter(
                *chosen.T,
                s=13,
                marker=MARKERS[number % len(MARKERS)],
                color=series_color(look, number),
                edgecolor=look.paper,
                linewidth=0.3,
                label=short(one_line(emotion)),
            )
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(True)
