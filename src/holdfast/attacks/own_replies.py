"""What an attacker learns by asking the model: how it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model


def own_replies(model: Model, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The requests with what the model says to them; those it says nothing to are left out."""
    from holdfast.models import encode_prompt, generate

    prompts = [encode_prompt(one.without_answer(), model.tokenizer) for one in rows]
    replies = generate(model, prompts)
    return tuple(
        one.with_answer(reply.text)
        for one, reply in zip(rows, replies, strict=True)
        if reply.text.strip()
    )
