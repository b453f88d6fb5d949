"""The plain loss, and the logits that other losses start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from holdfast.batches import Batch

__all__ = ["answer_logits", "batch_loss"]


def answer_logits(net: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Runs the network and gives what is needed at the K tokens that carry loss.

    Returns:
        logits (K, V) that predict them, targets (K,), weights (K,), in row order.
    """
    wanted = batch.weights[:, 1:] != 0
    before = F.pad(wanted, (0, 1))  # the position before a target predicts it
    output = net(
        input_ids=batch.ids,
        attention_mask=batch.attention,
        use_cache=False,
        logits_to_keep=before,
    )
    logits = output.logits
    if logits.dim() == 3:  # an architecture, or version, that gives them all
        logits = logits[0] if logits.shape[:2] == (1, int(wanted.sum())) else logits[before]
    return logits.float(), batch.ids[:, 1:][wanted], batch.weights[:, 1:][wanted]


def batch_loss(net: nn.Module, batch: Batch) -> Tensor:
    """Plain loss: Σ w·ce / Σ w over all tokens of the batch that carry loss."""
    logits, targets, weights = answer_logits(net, batch)
    return (F.cross_entropy(logits, targets, reduction="none") * weights).sum() / weights.sum()
