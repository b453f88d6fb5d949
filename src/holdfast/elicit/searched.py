"""What an elicitation that searches may learn from: select requests with the answers it wants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.draw import at_most
from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.elicit.asking import Asking
    from holdfast.models import Model


def searched(
    asking: Asking, count: int, kind: str, opening: str = ""
) -> tuple[Model, tuple[Row, ...]]:
    """The model, and up to `count` forbidden select requests with answers, spread over categories.

    Args:
        asking: what the elicitation may see.
        count: how many requests.
        kind: the elicitation's name, for messages and as part of the seed.
        opening: what answers begin with where a request has no reference; "" leaves such out.

    Raises:
        UserError: there is no local model, or no such request.
    """
    if asking.model is None:
        raise UserError(f"{kind} searches with the model's gradients: ask a local model.")
    answers = [(r, r.reference or opening) for r in asking.select if r.kind == "forbidden"]
    rows = [replace(r.prompt.with_answer(a), tag=r.category) for r, a in answers if a]
    if not rows:
        raise UserError(
            f"{kind} searches on forbidden select requests with answers, and the policy has none: "
            "add some, or ask in another way."
        )
    return asking.model, at_most(rows, count, seed=asking.seed, purpose=kind)
