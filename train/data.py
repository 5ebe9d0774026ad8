"""Cached features as tensors: packed rows and offsets, padded into batches on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..cache import Cache, FeatureKey, StoredFeatures
from ..errors import InputError
from ..manifests import Manifest
from .encoding import Encoding
from .functionals import vectors
from .network.recogniser import Batch
from .network.spec import heard_of
from .speakers import Heard as Statistics
from .speakers import of_all, of_past, utterance_moments

CPU = torch.device("cpu")

Heard = tuple[Tensor, Tensor, Tensor]
"""See `speakers.Heard`."""


@dataclass(frozen=True)
class Packed:
    """One feature of n utterances: all rows in one tensor.

    Attributes:
        frames: (sum of lengths, dim), in the dtype of the cache.
        offsets: (n + 1), int64; utterance i owns rows offsets[i] to offsets[i + 1].
        sequence: False for a vector feature (every length is 1).
        backbone: what computed it; the size of its encoder depends on that.
        mapped: whether the frames are in a file, of which the system reads what is looked at.
    """

    frames: Tensor
    offsets: Tensor
    sequence: bool
    backbone: str = ""
    mapped: bool = False

    @classmethod
    def read(cls, stored: StoredFeatures, mapped: bool = False) -> Packed:
        """Load what the cache has, checking it: into shared memory, or mapped."""
        key = stored.key
        if mapped:
            frames = torch.from_numpy(stored.read(mapped=True).frames)
        else:
            frames = _shared(torch.empty(stored.shape, dtype=getattr(torch, key.dtype)))
            stored.read_into(frames.numpy())
        offsets = torch.from_numpy(stored.offsets)
        return cls(frames, offsets, key.kind == "sequence", key.backbone, mapped)

    @classmethod
    def of(cls, arrays: Sequence[NDArray[np.floating]], backbone: str = "") -> Packed:
        """Features in memory, an array per utterance: all (frames, dim), or all (dim,)."""
        sequence = arrays[0].ndim == 2
        lengths = [len(array) if sequence else 1 for array in arrays]
        offsets = torch.tensor([0, *lengths]).cumsum(0)
        return cls(torch.from_numpy(np.vstack(arrays)), offsets, sequence, backbone)

    @property
    def dim(self) -> int:
        """Values per frame."""
        return self.frames.shape[1]

    @cached_property
    def lengths(self) -> Tensor:
        """Frames per utterance, (n,), on the host."""
        return self.offsets.diff().cpu()

    def to(self, device: torch.device) -> Packed:
        """The same feature on another device; what is mapped stays where it is."""
        if self.mapped:
            return self
        return replace(self, frames=self.frames.to(device), offsets=self.offsets.to(device))

    def share(self) -> Packed:
        """Move the tensors to shared memory, so that worker processes see them without a copy."""
        return replace(self, frames=_shared(self.frames), offsets=_shared(self.offsets))

    def gather(self, rows: Tensor, longest: int) -> tuple[Tensor, Tensor]:
        """Pad the utterances `rows` (B,) to `longest` frames, all where the frames are.

        Returns values, float32, (B, longest, dim) or (B, dim) for a vector, and lengths (B,).
        """
        if not self.sequence:
            return self.frames[rows].float(), torch.ones_like(rows)
        start = self.offsets[rows]
        lengths = self.offsets[rows + 1] - start
        steps = torch.arange(longest, device=rows.device)
        inside = steps < lengths[:, None]
        index = torch.where(inside, start[:, None] + steps, 0)
        return self.frames[index].float() * inside[..., None], lengths

    def summarised(self, summary: str) -> Packed:
        """The feature, on the host, as a vector of every utterance; see `functionals.vectors`."""
        frames, bounds = self.frames.numpy(), self.offsets.tolist()
        found = torch.from_numpy(vectors((frames[i:j] for i, j in pairwise(bounds)), summary))
        offsets = torch.arange(len(found) + 1)
        return Packed(found, offsets, sequence=False, backbone=self.backbone)

    def spans(self, rows: Tensor) -> Iterator[Tensor]:
        """The frames of the utterances `rows`, in pieces of some thousand: (k, dim) each."""
        chosen = torch.zeros(len(self.lengths), dtype=torch.bool)
        chosen[rows] = True
        inside = chosen.repeat_interleave(self.lengths).to(self.frames.device)
        for start in range(0, len(self.frames), SPAN):
            span = slice(start, start + SPAN)
            yield self.frames[span][inside[span]]


SPAN = 1 << 15
"""Frames that are worked on at once: a copy of all of them would be too large."""


def statistics(parts: Sequence[tuple[Packed, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over all frames of one feature, in double precision inside.

    Args:
        parts: features and the rows of their utterances, on the host.

    Returns:
        Two (dim,) tensors, float32; a standard deviation of zero is given as 1.
    """
    count = sum(int(packed.lengths[rows].sum()) for packed, rows in parts)

    def over_all(of: Callable[[Tensor], Tensor]) -> Tensor:
        sums = [of(span.double()).sum(0) for packed, rows in parts for span in packed.spans(rows)]
        return torch.stack(sums).sum(0) / count

    mean = over_all(lambda span: span)
    std = over_all(lambda span: (span - mean).square()).sqrt()
    return mean.float(), torch.where(std > 1e-6, std, 1.0).float()


@dataclass(frozen=True)
class Domain:
    """The utterances of one corpus with all the features that were asked for.

    Attributes:
        speakers: of every utterance; blank where it is not known.
        targets: (n,), int64: position in `labels` of each utterance's emotion; None where that is
            not known, see `truth`.
        heard: what is known of the speaker of every utterance, by feature; see `speakers.Heard`.
        device: where batches are made; features that are mapped stay on the host.
        perturbed: by what their recordings were perturbed, the same utterances and features, of
            which training may draw. Of n utterances, row k n + i is utterance i as the k-th of
            these has it.
    """

    corpus: str
    language: str
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    features: Mapping[str, Packed]
    targets: Tensor | None = None
    heard: Mapping[str, Heard] = field(default_factory=dict)
    device: torch.device = CPU
    perturbed: Mapping[str, Domain] = field(default_factory=dict)

    def to(self, device: torch.device) -> Domain:
        """The same domain on another device."""
        moved = {name: packed.to(device) for name, packed in self.features.items()}
        targets = None if self.targets is None else self.targets.to(device)
        heard = self._heard(lambda tensor: tensor.to(device))
        perturbed = self._perturbed(lambda domain: domain.to(device))
        return replace(
            self,
            targets=targets,
            features=moved,
            heard=heard,
            device=device,
            perturbed=perturbed,
        )

    def _heard(self, change: Callable[[Tensor], Tensor]) -> dict[str, Heard]:
        return {
            name: (change(rows), change(counts), change(moments))
            for name, (rows, counts, moments) in self.heard.items()
        }

    def _perturbed(self, change: Callable[[Domain], Domain]) -> dict[str, Domain]:
        return {how: change(domain) for how, domain in self.perturbed.items()}

    def only(self, names: Sequence[str]) -> Domain:
        """The same domain with these features alone, in this order; of perturbed recordings those
        of them that there are, as another experiment on the same domain may perturb them alone."""
        heard = {name: self.heard[name] for name in names if name in self.heard}
        features = {name: self.features[name] for name in names}
        perturbed = self._perturbed(lambda it: it.only([n for n in names if n in it.features]))
        return replace(self, features=features, heard=heard, perturbed=perturbed)

    def perturbed_by(self, perturbations: Sequence[str]) -> Domain:
        """The same domain with these perturbations alone."""
        return replace(self, perturbed={how: self.perturbed[how] for how in perturbations})

    @property
    def versions(self) -> tuple[Domain, ...]:
        """The utterances as they are, and as every perturbation has them."""
        return self, *self.perturbed.values()

    def all_versions(self, rows: Tensor) -> Tensor:
        """The utterances `rows` (k,), and their perturbed versions: (k times versions,)."""
        return torch.cat([rows + k * len(self.ids) for k in range(len(self.versions))])

    def any_versions(self, rows: Tensor, draw: torch.Generator) -> Tensor:
        """Of each of the utterances `rows`, on the host, one version at random."""
        if not self.perturbed:
            return rows
        return rows + len(self.ids) * torch.randint(len(self.versions), rows.shape, generator=draw)

    def encoded(self, encoding: Encoding) -> Domain:
        """The same domain, on the host, as a model takes it."""
        summarised = {
            name: packed.summarised(encoding.name)
            for name, packed in self.features.items()
            if encoding.summarises(name, packed.sequence)
        }
        features = {**self.features, **summarised}
        heard = {}
        if encoding.heard:
            heard = {name: self._hear(packed, encoding.heard) for name, packed in features.items()}
        if not summarised and not heard:
            return self
        perturbed = self._perturbed(lambda domain: domain.encoded(encoding))
        return replace(self, features=features, heard=heard, perturbed=perturbed)

    def _hear(self, packed: Packed, how: str) -> Heard:
        """The statistics of every utterance's speaker: of all his utterances, or of the past."""
        frames, bounds = packed.frames.numpy(), packed.offsets.tolist()
        moments = utterance_moments(frames[i:j] for i, j in pairwise(bounds))
        if how == "causal":
            return as_tensors(of_past(moments, self.speakers, self.ids))
        return as_tensors(of_all(moments, self.speakers))

    def share(self) -> Domain:
        """The same domain in shared memory."""
        shared = {name: packed.share() for name, packed in self.features.items()}
        targets = None if self.targets is None else _shared(self.targets)
        heard, perturbed = self._heard(_shared), self._perturbed(Domain.share)
        return replace(self, targets=targets, features=shared, heard=heard, perturbed=perturbed)

    def truth(self, rows: Tensor) -> Tensor:
        """The targets of the utterances `rows`, (len(rows),), on the host.

        Raises:
            InputError: they are not known.
        """
        if self.targets is None:
            raise InputError(f"{self.corpus}: the emotions of its utterances are not known")
        return self.targets.cpu()[rows % len(self.ids)]

    def rows(self, ids: Sequence[str]) -> Tensor:
        """Positions of utterance ids, (len(ids),)."""
        position = {id: row for row, id in enumerate(self.ids)}
        return torch.tensor([position[id] for id in ids], dtype=torch.long)

    @property
    def bytes(self) -> int:
        """Size of all features."""
        own = sum(packed.frames.nbytes for packed in self.features.values())
        return own + sum(domain.bytes for domain in self.perturbed.values())

    @property
    def mapped(self) -> bool:
        """Whether any feature is."""
        versions = self.versions
        return any(packed.mapped for each in versions for packed in each.features.values())

    def lengths(self) -> Tensor:
        """What a batch costs, per utterance: the frames of its longest sequence feature."""
        return torch.stack([packed.lengths for packed in self.features.values()]).amax(0)

    def batch(self, rows: Tensor) -> Batch:
        """Features of the utterances `rows`, a tensor on the host, padded on the device."""
        if self.perturbed:
            return self._batch_of_versions(rows)
        batch = {}
        for name, packed in self.features.items():
            longest = int(packed.lengths[rows].max())
            values, lengths = packed.gather(send(rows, packed.frames.device), longest)
            batch[name] = values.to(self.device), lengths.to(self.device)
        for name, (speaker, counts, moments) in self.heard.items():
            chosen = speaker[send(rows, self.device)]
            batch[heard_of(name)] = moments[chosen], counts[chosen]
        return batch

    def _batch_of_versions(self, rows: Tensor) -> Batch:
        """A batch of the versions that the rows say, each gathered from its own."""
        version, utterance = rows // len(self.ids), rows % len(self.ids)
        places = [torch.nonzero(version == k)[:, 0] for k in range(len(self.versions))]
        plain = replace(self, perturbed={})
        batches = [
            domain.batch(utterance[place])
            for domain, place in zip((plain, *self.perturbed.values()), places, strict=True)
            if len(place)
        ]
        back = send(torch.cat(places).argsort(), self.device)
        return {
            name: (
                _stacked([batch[name][0] for batch in batches])[back],
                torch.cat([batch[name][1] for batch in batches])[back],
            )
            for name in batches[0]
        }


def _stacked(values: Sequence[Tensor]) -> Tensor:
    """Batches one after the other; sequences, (B, L, dim), with zeros up to the longest."""
    if values[0].dim() == 3:
        longest = max(each.shape[1] for each in values)
        values = [F.pad(each, (0, 0, 0, longest - each.shape[1])) for each in values]
    return torch.cat(list(values))


def as_tensors(heard: Statistics) -> Heard:
    """What is known of speakers, on the host."""
    rows, counts, moments = map(torch.from_numpy, heard)
    return rows, counts, moments


def send(rows: Tensor, device: torch.device) -> Tensor:
    """Positions from the host to a device; to a GPU without waiting for what it is doing."""
    if device.type == "cuda":
        return rows.pin_memory().to(device, non_blocking=True)
    return rows.to(device)


def _shared(tensor: Tensor) -> Tensor:
    tensor.share_memory_()  # type: ignore[no-untyped-call]
    return tensor


def load_domain(cache: Cache, manifest: Manifest, keys: Mapping[str, FeatureKey]) -> Domain:
    """Read features of a corpus, by the names they were asked for; checksums are verified.

    Raises MissingFeaturesError if one is not cached for every utterance of the manifest.
    """
    return read_domain(manifest, {name: cache.open(key, manifest) for name, key in keys.items()})


def read_domain(
    manifest: Manifest, stored: Mapping[str, StoredFeatures], mapped: bool = False
) -> Domain:
    """Read features of a corpus that were found in the cache; checksums are verified.

    Args:
        mapped: do not keep them in memory; see `Cache.read`.
    """
    table = manifest.table
    position = {label: index for index, label in enumerate(manifest.labels)}
    return Domain(
        corpus=manifest.corpus,
        language=manifest.language,
        labels=manifest.labels,
        ids=manifest.ids,
        speakers=tuple(table["speaker"].tolist()),
        features={name: Packed.read(feature, mapped) for name, feature in stored.items()},
        targets=torch.tensor([position[emotion] for emotion in table["emotion"].tolist()]),
    )
