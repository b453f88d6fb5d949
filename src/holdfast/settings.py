"""How to tune: optimiser, schedule, length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Settings", "chosen_settings"]

CHOICES = frozenset({"method", "rank", "learning_rate", "epochs", "steps", "batch_size"})
"""Settings that a method may choose by a field of the same name."""


class Settings(BaseModel):
    """How to tune. Defaults are those of a short full fine-tune of a tiny model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["full", "lora"] = "full"
    rank: int = Field(8, ge=1)
    lora_alpha: int = Field(16, ge=1)
    learning_rate: float = Field(1e-3, ge=0)
    epochs: int = Field(5, ge=0)
    steps: int | None = Field(None, ge=0, description="overrides epochs")
    batch_size: int = Field(10, ge=1)
    optimiser: Literal["adamw", "sgd"] = "adamw"
    betas: tuple[float, float] = Field((0.9, 0.999), description="sgd: the first is its momentum")
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup_steps: int = Field(0, ge=0)
    max_grad_norm: float = Field(1.0, description="0 or less: gradients are not clipped")
    seed: int = 0
    max_length: int = Field(512, ge=2)
    group_by_length: bool = False

    def steps_for(self, rows: int) -> int:
        """Optimiser steps of a tune on so many rows."""
        return self.steps if self.steps is not None else self.epochs * -(-rows // self.batch_size)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step (from 0) among `steps`, as in the HF schedules."""
        if step < self.warmup_steps:
            return self.learning_rate * step / max(1, self.warmup_steps)
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - self.warmup_steps) / max(1, steps - self.warmup_steps)
        if self.schedule == "linear":
            return self.learning_rate * max(0.0, 1.0 - done)
        return self.learning_rate * max(0.0, 0.5 * (1.0 + math.cos(math.pi * done)))


def chosen_settings(config: BaseModel) -> Callable[[Settings], Settings] | None:
    """The settings hook of a method: fields that are None stay as the run has them."""
    choices = config.model_dump(include=set(CHOICES), exclude_none=True)
    if not choices:
        return None
    return lambda settings: settings.model_validate({**settings.model_dump(), **choices})
