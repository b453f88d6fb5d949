"""Guards as defences of the stage serve: each goes along with the tuned model, and its reserve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast import registry
from holdfast.draw import balanced
from holdfast.hooks import Context, Hooks
from holdfast.serve import Clean, Serve

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.guards.guard import Guard

__all__ = ["posted"]

REFUSED, ANSWERED = 120, 480  # clean requests at most, by whether the right reply refuses


def posted(config: Guard, context: Context) -> Hooks:
    """Sends a guard along with the tuned model, and the defender's rows as its clean reserve."""
    clean = (
        *_clean(context.defender.safe, REFUSED, True, context.seed),
        *_clean(context.defender.user, ANSWERED, False, context.seed),
    )
    guards = (registry.spec(config),)
    served = Serve(name=config.kind, guards=guards, clean=clean, seed=context.seed)
    return Hooks(name=config.kind, serve=served)


def _clean(rows: Sequence[Row], most: int, refused: bool, seed: int) -> list[Clean]:
    drawn = balanced(rows, min(most, len(rows)), seed=seed, purpose="guards.reserve")
    return [Clean(row.prompt, row.answer, refused) for row in drawn]
