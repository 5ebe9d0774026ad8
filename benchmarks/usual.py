"""The loop that people write: a file per utterance, DataLoader, pad_sequence, PackedSequence."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

from ser.train.loop import DomainSplit
from ser.train.model import build
from ser.train.network.encoders import Attention, BiLSTM
from ser.train.network.spec import ModelSpec


class Utterances(Dataset[tuple[dict[str, Tensor], int]]):
    """One .npy file per utterance and feature."""

    def __init__(
        self, folder: Path, corpus: str, labels: Sequence[int], names: Sequence[str]
    ) -> None:
        self.folder, self.corpus, self.labels, self.names = folder, corpus, labels, names

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[dict[str, Tensor], int]:
        values = {
            name: torch.from_numpy(np.load(self.folder / f"{index}.{name}.npy")).float()
            for name in self.names
        }
        return values, self.labels[index]


def write_utterances(part: DomainSplit, folder: Path) -> Utterances:
    """Write the training utterances of a part as files."""
    folder.mkdir(parents=True)
    domain = part.domain
    for name, packed in domain.features.items():
        for index, row in enumerate(part.train.tolist()):
            start, end = packed.offsets[row], packed.offsets[row + 1]
            np.save(folder / f"{index}.{name}.npy", packed.frames[start:end].numpy())
    labels = domain.truth(part.train).tolist()
    return Utterances(folder, domain.corpus, labels, list(domain.features))


def collate(items: Sequence[tuple[dict[str, Tensor], int]]) -> tuple[Any, Tensor]:
    """Pad what is ragged."""
    batch = {}
    for name in items[0][0]:
        values = [item[0][name] for item in items]
        lengths = torch.tensor([len(each) for each in values])
        padded = pad_sequence(values, batch_first=True)
        batch[name] = (padded[:, 0] if padded.shape[1] == 1 else padded, lengths)
    return batch, torch.tensor([item[1] for item in items])


class PackedBiLSTM(nn.Module):
    """The same layers through nn.LSTM and PackedSequence."""

    def __init__(self, like: BiLSTM) -> None:
        super().__init__()
        first = like.ahead[0]
        assert isinstance(first, nn.LSTM)
        self.lstm = nn.LSTM(
            first.input_size,
            first.hidden_size,
            len(like.ahead),
            batch_first=True,
            bidirectional=True,
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, (last, _) = self.lstm(packed)
        padded, _ = pad_packed_sequence(outputs, batch_first=True)
        return padded, torch.cat([last[-2], last[-1]], dim=-1)


class UsualLoop:
    """Trains the same model, batches shuffled without regard to length."""

    def __init__(self, spec: ModelSpec, datasets: Sequence[Utterances], workers: int) -> None:
        self.model = build(spec)
        for encoder in self.model.encoders:
            if isinstance(getattr(encoder, "attention", None), Attention):
                encoder.lstm = PackedBiLSTM(encoder.lstm)  # type: ignore[arg-type]
        self.model.train()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.corpora = [each.corpus for each in datasets]
        shares = [max(1, workers // len(datasets))] * len(datasets)
        self.streams = [
            self._forever(
                DataLoader(
                    each,
                    batch_size=32,
                    shuffle=True,
                    num_workers=share,
                    collate_fn=collate,
                    persistent_workers=True,
                )
            )
            for each, share in zip(datasets, shares, strict=True)
        ]
        weights = torch.tensor([len(each) for each in datasets], dtype=torch.float)
        order = torch.multinomial(weights, 10_000, replacement=True)
        self.turns = itertools.cycle(order.tolist())

    @staticmethod
    def _forever(loader: DataLoader[Any]) -> Iterator[Any]:
        while True:
            yield from loader

    def run(self, steps: int) -> None:
        """Train for so many steps."""
        for _ in range(steps):
            turn = next(self.turns)
            batch, targets = next(self.streams[turn])
            corpus = self.corpora[turn]
            columns = self.model.columns(corpus)
            inputs = self.model.standardised(batch, corpus)
            loss = F.cross_entropy(
                self.model.classify(self.model.represent(inputs, corpus), corpus), columns[targets]
            )
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            loss.item()

    def close(self) -> None:
        """End the worker processes."""
        self.streams.clear()
