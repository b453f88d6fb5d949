"""What an attacker who rents a tuning service may choose about the tuning itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.hooks import Attack
    from holdfast.train import Settings

CHOICES = frozenset({"epochs", "learning_rate", "batch_size", "method", "rank"})


def chosen_settings(config: Attack) -> Callable[[Settings], Settings] | None:
    """The settings hook of an attack: fields that are None stay as the run has them."""
    choices = config.model_dump(include=set(CHOICES), exclude_none=True)
    if not choices:
        return None
    return lambda settings: settings.model_validate({**settings.model_dump(), **choices})
