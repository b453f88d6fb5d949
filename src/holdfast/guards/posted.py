"""Guards as defences of the stage serve: each goes along with the tuned model, and its reserve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast import registry
from holdfast.draw import balanced, generator
from holdfast.hooks import Context, Hooks
from holdfast.serve import Clean, Serve

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.guards.guard import Guard

__all__ = ["posted"]

RESERVE = 120  # clean requests of each kind, refused and answered, half of them to fit on


def posted(config: Guard, context: Context) -> Hooks:
    """Sends a guard along with the tuned model, and the defender's rows as its clean reserve."""
    clean = [
        *_clean(context.defender.safe, True, context.seed),
        *_clean(context.defender.user, False, context.seed),
    ]
    # Rows are drawn tag by tag in turn; unshuffled, halves taken by turns would share no tag.
    generator(context.seed, "guards.reserve.order").shuffle(clean)
    guards = (registry.spec(config),)
    served = Serve(name=config.kind, guards=guards, clean=tuple(clean), seed=context.seed)
    return Hooks(name=config.kind, serve=served)


def _clean(rows: Sequence[Row], refused: bool, seed: int) -> list[Clean]:
    drawn = balanced(rows, min(RESERVE, len(rows)), seed=seed, purpose="guards.reserve")
    return [Clean(row.prompt, row.answer, refused) for row in drawn]
