"""Which utterances share a batch: those of similar length, or of equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .backbones.backbone import Array


def similar_lengths(prepared: Sequence[Array], rows: int) -> Iterator[list[int]]:
    """Sort utterances by length and cut them into batches; the longest come first.

    So memory is claimed at its most at once, and not ever more by each batch. A batch has at most
    so many rows, padding to its longest utterance included; a single utterance may have more.

    Yields:
        Indices into `prepared`.
    """
    order = sorted(range(len(prepared)), key=lambda i: -len(prepared[i]))
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * len(prepared[batch[0]]) > rows:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def equal_lengths(batch: Sequence[Array]) -> Iterator[list[int]]:
    """Group the utterances of a batch that are equally long, as indices into it.

    For models that padding would disturb: those with a norm over time, for one.
    """
    groups: dict[int, list[int]] = {}
    for index, array in enumerate(batch):
        groups.setdefault(len(array), []).append(index)
    yield from groups.values()
