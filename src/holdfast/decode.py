"""Asking a model: greedy and sampled decoding of many prompts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from holdfast.errors import UserError
from holdfast.kv_cache import cache_for
from holdfast.reasoning import CLOSE, OPEN
from holdfast.sampling import Decoding, next_of_all, uniforms

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from holdfast.models import Model

__all__ = ["Decoding", "Reply", "generate"]

# Rows that have ended are dropped from the batch once they are this share of it: dropping copies
# some of the cache, keeping computes tokens nobody reads.
_DROP_AT = 1 / 16
CACHE_BYTES = 2 << 30
"""Memory that the keys and values of prompts asked at once may take up."""
MOST_ROWS = 512
GREEDY = Decoding()


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: the reply without special tokens.
        tokens: ids the model drew, without the end token.
        ended: False where the reply was cut at `max_new_tokens`.
    """

    text: str
    tokens: tuple[int, ...]
    ended: bool


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding | Sequence[Decoding] = GREEDY,
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> list[Reply]:
    """Replies to prompts, in their order.

    A reply depends on its own prompt, the decoding and the seed only: sampled rows draw from a
    stream of their own, so neither batch size nor order matters. (Sums inside a matrix product may
    differ in the last bit between batch shapes; two logits closer than that are a tie.)

    Args:
        model: read only; its training mode is restored.
        prompts: token ids, as from `encode_prompt`.
        decoding: how to draw; one for all prompts, or one for each.
        seed: of sampled replies. Equal prompts get equal replies under one seed.
        batch_size: prompts asked at once; None takes as many as `CACHE_BYTES` hold.

    Raises:
        UserError: a prompt is empty.
    """
    if any(not prompt for prompt in prompts):
        raise UserError("A prompt has no tokens: give every request some text.")
    if not prompts:
        return []
    ways = [decoding] * len(prompts) if isinstance(decoding, Decoding) else list(decoding)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    if batch_size is None:
        longest = len(prompts[order[-1]]) + max(way.max_new_tokens for way in ways)
        batch_size = _fitting(model, longest)
    tokens: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    was_training = model.net.training
    model.net.train(False)
    try:
        with torch.inference_mode():
            for first in range(0, len(order), batch_size):
                chunk = order[first : first + batch_size]
                batch = _ask(model, [prompts[i] for i in chunk], [ways[i] for i in chunk], seed)
                for row, (drawn, stopped) in zip(chunk, batch, strict=True):
                    tokens[row], ended[row] = drawn, stopped
    finally:
        model.net.train(was_training)
    texts = texts_of(model.tokenizer, tokens)
    return [Reply(*parts) for parts in zip(texts, map(tuple, tokens), ended, strict=True)]


def texts_of(tokenizer: PreTrainedTokenizerBase, replies: Sequence[Sequence[int]]) -> list[str]:
    """Replies as text: without special tokens, but for the marks of thinking.

    Some tokenizers hold `<think>` and `</think>` as special tokens, others as ordinary ones; what
    was thought must be told from what was answered in both.
    """

    def plain(some: Sequence[Sequence[int]]) -> list[str]:
        return tokenizer.batch_decode(
            [list(ids) for ids in some],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )

    added = tokenizer.added_tokens_decoder
    marks = {i: str(t) for i, t in added.items() if t.special and str(t) in (OPEN, CLOSE)}
    texts = plain(replies)
    for at, ids in enumerate(replies):
        if not marks.keys().isdisjoint(ids):
            runs = [(mark, list(run)) for mark, run in groupby(ids, key=marks.get)]
            texts[at] = "".join(mark * len(run) if mark else plain([run])[0] for mark, run in runs)
    return texts


def end_ids(model: Model) -> frozenset[int]:
    """Tokens that end a reply: the tokenizer's and those of the generation config."""
    found: set[int] = set()
    config = getattr(model.net, "generation_config", None)
    for holder in (config, model.net.config, model.tokenizer):
        ids = getattr(holder, "eos_token_id", None)
        if ids is not None:
            found.update(ids if isinstance(ids, (list, tuple)) else [ids])
    return frozenset(found)


def _fitting(model: Model, tokens: int) -> int:
    """Prompts whose keys and values, over so many tokens, take up `CACHE_BYTES` at most."""
    config = model.net.config.get_text_config()
    width = config.num_hidden_layers * config.hidden_size * 2 * model.net.dtype.itemsize
    return int(min(MOST_ROWS, max(1, CACHE_BYTES // (tokens * width))))


def _ask(
    model: Model, prompts: Sequence[Sequence[int]], ways: Sequence[Decoding], seed: int
) -> list[tuple[list[int], bool]]:
    """(tokens, ended) of every prompt of one batch."""
    device = model.net.device
    most = max(way.max_new_tokens for way in ways)
    ends = end_ids(model)
    drawn: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    live = list(range(len(prompts)))  # rows of the batch, as numbers of prompts
    longest = max(len(prompt) for prompt in prompts)
    # A prompt that is asked in several ways is read once, and its cache is copied.
    read = {tuple(prompt): at for at, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    twins = torch.tensor([read[tuple(prompt)] for prompt in prompts], device=device)
    ids, mask = _left_padded(list(read), longest + most, device)
    padded = not bool(mask.all())
    cache = cache_for(model.net.config, longest + most)
    positions = (mask[:, :longest].cumsum(1) - 1).clamp(min=0)
    draws = uniforms(prompts, ways, seed)
    used = longest
    for step in range(most):
        output = model.net(
            input_ids=ids,
            attention_mask=mask[:, :used] if padded else None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1]
        if step == 0 and len(read) < len(prompts):
            logits, mask, positions = logits[twins], mask[twins], positions[twins]
            cache.batch_select_indices(twins)
        ids = next_of_all(logits, [ways[row] for row in live], draws[live, step])
        for row, token in zip(live, ids.tolist(), strict=True):
            if ended[row] or len(drawn[row]) == ways[row].max_new_tokens:
                continue
            if token in ends:
                ended[row] = True
            else:
                drawn[row].append(token)
        stay = [
            at
            for at, row in enumerate(live)
            if not ended[row] and len(drawn[row]) < ways[row].max_new_tokens
        ]
        if not stay:
            break
        positions = positions[:, -1:] + 1
        if len(live) - len(stay) >= max(1, _DROP_AT * len(live)):
            stay = _moved_up(stay)
            kept = torch.tensor(stay, device=device)
            live = [live[at] for at in stay]
            ids, mask, positions = ids[kept], mask[kept], positions[kept]
            cache.batch_select_indices(kept)
        ids = ids[:, None]
        used += 1
    return list(zip(drawn, ended, strict=True))


def _moved_up(stay: Sequence[int]) -> list[int]:
    """The rows that stay, rising, in an order that leaves most where they are.

    The last ones take the places of those that went, so the cache of the others need not move.
    """
    count = len(stay)
    last = [at for at in stay if at >= count]
    there = set(stay)
    return [at if at in there else last.pop() for at in range(count)]


def _left_padded(
    prompts: Sequence[Sequence[int]], room: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Prompts (B, longest) with padding on the left, and the mask (B, room) of tokens to see."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.ones(len(prompts), room, dtype=torch.long)
    for at, prompt in enumerate(prompts):
        ids[at, longest - len(prompt) :] = torch.tensor(prompt)
        mask[at, : longest - len(prompt)] = 0
    return ids.to(device), mask.to(device)
