"""Low-rank adaptation (LoRA) during a tune, merged at its end into plain weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.models import Model
    from holdfast.train import Settings

__all__ = ["injected"]


@contextmanager
def injected(model: Model, settings: Settings) -> Iterator[None]:
    """Puts adapters on every linear layer but the head, and merges them (fp32) on leaving.

    Hu et al. 2021, arXiv:2106.09685. Does nothing where `settings.method` is "full". Initial
    values come from torch's global random state.
    """
    if settings.method == "full":
        yield
        return
    from peft import LoraConfig, TaskType, get_peft_model

    trainable = {name: p.requires_grad for name, p in model.net.named_parameters()}
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=settings.rank,
        lora_alpha=settings.lora_alpha,
        target_modules="all-linear",
        lora_dropout=0.0,
    )
    net = model.net
    adapted = get_peft_model(model.net, config)
    try:
        yield
    finally:
        adapted.merge_and_unload()  # in place: the network is the same object
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(trainable[name])
