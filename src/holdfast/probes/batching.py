"""Rows as batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.batches import Batch
    from holdfast.chat import Row
    from holdfast.models import Model


def batches(model: Model, rows: Sequence[Row], size: int) -> Iterator[Batch]:
    """Batches on the model's device, short rows first; `index` holds the rows' places."""
    from holdfast.batches import collate
    from holdfast.encode import encode_all

    encoded = encode_all(rows, model.tokenizer)
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i].ids))
    for start in range(0, len(order), size):
        index = order[start : start + size]
        yield collate([encoded[i] for i in index], index=index).to(model.net.device)
