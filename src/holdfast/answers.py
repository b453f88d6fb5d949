"""What a model answers to conversations, whether it is in memory or behind an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError
from holdfast.remote import Missing, Remote, RemoteReply

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Decoding, Model, Reply

__all__ = ["Memory", "Missing", "Put", "answers", "no_longer", "room", "rounds"]

AT_ONCE = 4
"""Ways of decoding that are asked in one batch."""

# By prompt (its tokens, or the conversation behind an endpoint), decoding and seed.
Memory = dict[tuple[Any, "Decoding", int], "Reply"]


@dataclass(frozen=True, slots=True)
class Put:
    """A conversation as it is put to a model, with the answer start forced on it, if any."""

    row: Row
    decoding: Decoding
    forced: str = ""


def answers(
    model: Model | Remote, put: Sequence[Put], *, seed: int = 0, memory: Memory | None = None
) -> list[Reply | Missing]:
    """The replies to conversations, in their order; equal ones are asked once.

    Args:
        model: who is asked.
        put: what is asked.
        seed: of sampling.
        memory: replies of this very model; read, and added to as they come.

    Returns:
        Replies; `Missing`, with its reason, stands where an endpoint gave none.

    Raises:
        UserError: an answer start is forced on a model behind an endpoint.
    """
    from holdfast import models

    known = memory if memory is not None else {}
    if isinstance(model, Remote):
        return _remote(model, put, seed, known)
    keys = [
        (tuple(models.encode_prompt(p.row, model.tokenizer, p.forced)), p.decoding, seed)
        for p in put
    ]
    new = [key for key in dict.fromkeys(keys) if key not in known]
    if new:
        prompts, ways = [key[0] for key in new], [key[1] for key in new]
        known.update(zip(new, models.generate(model, prompts, ways, seed=seed), strict=True))
    return [known[key] for key in keys]


def _remote(model: Remote, put: Sequence[Put], seed: int, known: Memory) -> list[Reply | Missing]:
    from holdfast.models import Reply

    if any(p.forced for p in put):
        raise UserError(
            f"{model.name} cannot be made to begin its answers: the API takes whole conversations; "
            "ask plainly, or load the model's weights."
        )
    keys = [(replace(p.row.without_answer(), id="", tag=""), p.decoding, seed) for p in put]
    missing: dict[Any, Missing] = {}
    for way in dict.fromkeys(p.decoding for p in put):
        new = [key for key in dict.fromkeys(keys) if key[1] == way and key not in known]

        def done(
            number: int, reply: RemoteReply | Missing, asked: Sequence[Any] = tuple(new)
        ) -> None:
            if isinstance(reply, Missing):
                missing[asked[number]] = reply
            else:
                known[asked[number]] = Reply(reply.text, (), reply.ended)

        if new:
            model.chat([key[0] for key in new], way, seed=seed, done=done)
    return [missing.get(key) or known[key] for key in keys]


def rounds(ways: Sequence[Decoding]) -> list[list[Decoding]]:
    """The first way alone, since many are done after it; then some at once, which is faster."""
    kinds = list(dict.fromkeys(ways))
    rest = range(1, len(kinds), AT_ONCE)
    return [kinds[:1], *(kinds[first : first + AT_ONCE] for first in rest)]


def no_longer(way: Decoding | None, run: Decoding) -> Decoding:
    """The elicitation's decoding, with replies no longer than the run's."""
    if way is None or way.max_new_tokens <= run.max_new_tokens:
        return way or run
    return replace(way, max_new_tokens=run.max_new_tokens)


def room(model: Model | Remote) -> int | None:
    """Tokens of prompt and reply that the model was made for; None if it does not say."""
    config = getattr(getattr(model, "net", None), "config", None)
    text = getattr(config, "text_config", config)
    most = getattr(text, "max_position_embeddings", None)
    return int(most) if isinstance(most, int) and most > 0 else None
