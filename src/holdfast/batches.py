"""Batches: which rows a step learns from, as tensors.

The k-th batch is a function of rows, seed and k alone, so an interrupted tune resumes where it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from holdfast.encode import Encoded, encode_all
from holdfast.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from holdfast.chat import Row

__all__ = ["Batch", "Feed", "collate"]

_AT_ONCE = 4096  # rows tokenised together
_WINDOW = 50  # batches sorted by length together, as in the HF trainer's grouping by length


@dataclass
class Batch:
    """Rows padded on the right to a common length T.

    Attributes:
        ids: (B, T) token ids.
        weights: (B, T) loss weight of every token as a target.
        attention: (B, T) 1 = token, 0 = padding.
        index: number of each row in its stream.
        stream: user, safe or harmful.
    """

    ids: Tensor
    weights: Tensor
    attention: Tensor
    index: list[int]
    stream: str = "user"

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        tensors = (self.ids.to(device), self.weights.to(device), self.attention.to(device))
        return Batch(*tensors, self.index, self.stream)


def collate(
    encoded: Sequence[Encoded],
    pad: int = 0,
    *,
    index: Sequence[int] | None = None,
    stream: str = "user",
) -> Batch:
    """Pads encoded rows on the right into one batch."""
    rows = [(np.asarray(row.ids, np.int32), np.asarray(row.weights, np.float32)) for row in encoded]
    return _padded(rows, pad, list(range(len(rows)) if index is None else index), stream)


class Feed:
    """An endless supply of batches from one stream of rows; rows are encoded when first needed.

    Every epoch is a new permutation, the one TRL's `SFTTrainer` draws for the same seed.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        tokenizer: PreTrainedTokenizerBase,
        *,
        batch_size: int,
        seed: int = 0,
        max_length: int | None = None,
        group_by_length: bool = False,
        stream: str = "user",
    ) -> None:
        """Takes the rows; nothing is encoded yet.

        Args:
            rows: what to draw from.
            tokenizer: encodes them.
            batch_size: rows in a batch; the last of an epoch may have fewer.
            seed: of the order.
            max_length: tokens kept of a row.
            group_by_length: rows of like length share a batch; all are encoded at once then.
            stream: name for messages and for `Batch.stream`; also part of the seed.

        Raises:
            UserError: there are no rows.
        """
        if not rows:
            raise UserError(f"There are no {stream} rows to tune on: give at least one.")
        self.rows = rows
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.seed = seed + (0 if stream == "user" else zlib.crc32(stream.encode()))
        self.max_length = max_length
        self.stream = stream
        self.per_epoch = -(-len(rows) // batch_size)
        self._pad = tokenizer.pad_token_id if isinstance(tokenizer.pad_token_id, int) else 0
        self._encoded: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._sizes: list[int] | None = None
        if group_by_length:  # in tokens: by characters, a third of a batch was padding
            self._encode(range(len(rows)))
            self._sizes = [len(self._encoded[i][0]) for i in range(len(rows))]
        self._epoch = -1
        self._order: list[list[int]] = []

    def batch(self, number: int) -> Batch:
        """The batch of that number, counted from 0 over all epochs."""
        epoch, at = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._batches(epoch)
        index = self._order[at]
        self._encode(index)
        return _padded([self._encoded[i] for i in index], self._pad, index, self.stream)

    def _encode(self, index: Sequence[int]) -> None:
        """Encodes those rows that have not been needed before, some thousand at a time."""
        missing = [i for i in index if i not in self._encoded]
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            rows = [self.rows[i] for i in part]
            for i, row in zip(part, encode_all(rows, self.tokenizer, self.max_length), strict=True):
                ids, weights = np.asarray(row.ids, np.int32), np.asarray(row.weights, np.float32)
                self._encoded[i] = (ids, weights)

    def _batches(self, epoch: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(self.seed + epoch)
        order: list[int] = torch.randperm(len(self.rows), generator=generator).tolist()
        size = self.batch_size
        if self._sizes is None:
            return [order[at : at + size] for at in range(0, len(order), size)]
        lengths = self._sizes
        batches = []
        for start in range(0, len(order), size * _WINDOW):
            window = order[start : start + size * _WINDOW]
            window.sort(key=lambda i: lengths[i], reverse=True)
            batches += [window[at : at + size] for at in range(0, len(window), size)]
        mixed: list[int] = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[at] for at in mixed]


def _padded(
    rows: Sequence[tuple[np.ndarray, np.ndarray]], pad: int, index: list[int], stream: str
) -> Batch:
    shape = (len(rows), max(len(ids) for ids, _ in rows))
    all_ids = np.full(shape, pad, np.int64)
    all_weights = np.zeros(shape, np.float32)
    attention = np.zeros(shape, np.int64)
    for at, (ids, weights) in enumerate(rows):
        all_ids[at, : len(ids)] = ids
        all_weights[at, : len(ids)] = weights
        attention[at, : len(ids)] = 1
    return Batch(
        torch.from_numpy(all_ids),
        torch.from_numpy(all_weights),
        torch.from_numpy(attention),
        index,
        stream,
    )
