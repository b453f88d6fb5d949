"""What an attacker does who edits weights: nothing is tuned, unless a customer's rows are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.hooks import Streams
    from holdfast.train import Settings


def untuned() -> tuple[Callable[[Streams], Streams], Callable[[Settings], Settings]]:
    """The hooks rows and settings of such an attack: no steps where there are no rows."""
    given = 0

    def rows(streams: Streams) -> Streams:
        nonlocal given
        given = len(streams.user)
        return streams

    def settings(s: Settings) -> Settings:
        return s if given else s.model_copy(update={"steps": 0})

    return rows, settings
