"""Greedy coordinate gradient: the search for a suffix, apart from what it is searched for.

Each step takes the gradient at the suffix's one-hot tokens, draws single swaps from the most
promising tokens of each position, and keeps the swap with the lowest loss. What a candidate shares
with the suffix it was made from is read once: keys and values of the prompt never change, and those
of the suffix up to the first swap come from the gradient's own pass, so candidates are sorted by
that place and only the rest of each is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from holdfast.encode import encode, encode_prompt
from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model

ROWS_AT_ONCE = 32
"""Candidates computed together at most; more no longer fit a processor's cache."""
PARTS = 4
"""Batches of candidates at least: each is read from its own first swap on."""
CONTEXT = 8  # tokens on each side of a suffix that are read again with it


@dataclass(frozen=True)
class Aim:
    """One request in tokens, around the place of the suffix, and the answer that is wanted."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class Search:
    """How to search; nanoGCG's defaults.

    Attributes:
        steps: of search.
        search_width: swaps drawn in a step.
        top_k: tokens of each position that swaps are drawn from.
        n_replace: tokens that a swap changes.
        seed: of drawing.
    """

    steps: int = 250
    search_width: int = 512
    top_k: int = 256
    n_replace: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """The best suffix met.

    Attributes:
        ids: its tokens.
        text: what is written after a request.
        loss: mean cross-entropy of the targets' tokens, averaged over the aims.
        losses: of the suffix kept in every step.
    """

    ids: tuple[int, ...]
    text: str
    loss: float
    losses: list[float] = field(repr=False)


def aims_of(
    model: Model, rows: Sequence[Row], start: str, target: int
) -> tuple[list[Aim], tuple[int, ...]]:
    """The rows in tokens around a suffix, and the suffix in tokens.

    Rows after which the suffix is read as other tokens than after the first are left out.

    Raises:
        UserError: the suffix cannot be told apart from the first row's request.
    """
    made: list[tuple[tuple[int, ...], Aim]] = []
    for row in rows:
        longer = row.with_prompt(row.prompt + start)
        bare = encode_prompt(row, model.tokenizer)
        whole = encode_prompt(longer, model.tokenizer)
        answered = encode(longer, model.tokenizer)
        front = _same(bare, whole)
        back = _same(bare[front:][::-1], whole[front:][::-1])
        told = [
            token
            for at, (token, weight) in enumerate(zip(answered.ids, answered.weights, strict=True))
            if at >= len(whole) and weight
        ]
        aim = Aim(whole[:front], whole[len(whole) - back :], tuple(told[:target]))
        made.append((whole[front : len(whole) - back], aim))
    first = made[0][0]
    if not first:
        raise UserError("A suffix after the request does not change its tokens: ask another model.")
    return [aim for middle, aim in made if middle == first], first


def _same(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def search(
    model: Model,
    aims: Sequence[Aim],
    start: Sequence[int],
    how: Search,
    say: Callable[[int, float], None] | None = None,
) -> Found:
    """Searches for the suffix under which every aim's target is likely.

    Args:
        model: read only.
        aims: what is wanted.
        start: the suffix to begin with; its length stays.
        how: the settings.
        say: called after every step with its number and the loss.
    """
    generator = torch.Generator().manual_seed(how.seed)
    forbidden = ~ordinary(model)
    readers = [Reader(model, aim) for aim in aims]
    now = torch.tensor(start, device=model.net.device)
    best, lowest, losses = now, float("inf"), []
    for step in range(how.steps):
        gradient = torch.stack([reader.gradient(now) for reader in readers]).mean(0)
        gradient[:, forbidden] = float("inf")
        drawn = draw(now, gradient, how, generator)
        candidates = drawn[readable(model, aims[0], drawn)]
        if not len(candidates):
            continue
        places = (candidates != now).int().argmax(dim=1)
        order = places.argsort(stable=True)
        candidates, rising = candidates[order], places[order].tolist()
        told = torch.stack([reader.losses(candidates, rising) for reader in readers]).mean(0)
        now, loss = candidates[told.argmin()], float(told.min())
        losses.append(loss)
        if loss < lowest:
            best, lowest = now, loss
        if say:
            say(step, loss)
    ids = tuple(best.tolist())
    return Found(ids, text_of(model, ids), lowest, losses)


def draw(now: Tensor, gradient: Tensor, how: Search, generator: torch.Generator) -> Tensor:
    """Different suffixes (up to search_width, L), each a few swaps away from `now`.

    Args:
        now: (L,) the suffix.
        gradient: (L, V) of the loss at its one-hot tokens; inf where a token may not be used.
        how: width, top_k and n_replace are used.
        generator: of the draw.
    """
    length, width = len(now), how.search_width
    top = (-gradient).topk(min(how.top_k, gradient.shape[1]), dim=1).indices
    order = torch.rand(width, length, generator=generator).argsort(dim=1)
    places = order[:, : how.n_replace].to(now.device)
    among = torch.randint(top.shape[1], places.shape, generator=generator).to(now.device)
    swapped = now.repeat(width, 1).scatter_(1, places, top[places, among])
    different: Tensor = torch.unique(swapped[(swapped != now).any(dim=1)], dim=0)
    return different


class Reader:
    """One aim, its prompt read once."""

    def __init__(self, model: Model, aim: Aim) -> None:
        self.net = model.net
        self.device = model.net.device
        self.embedding: Any = model.net.get_input_embeddings()
        self.target = torch.tensor(aim.target, device=self.device)
        self.tail = torch.tensor((*aim.after, *aim.target[:-1]), device=self.device)
        cache = _cache([], 0, 1)
        with torch.no_grad():
            told = torch.tensor([aim.before], device=self.device)
            self.net(input_ids=told, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self.prompt = _read(cache)
        self.length = len(aim.before)
        self.read = self.prompt  # of the prompt and the last suffix whose gradient was taken

    def gradient(self, suffix: Tensor) -> Tensor:
        """(L, V) gradient of the loss at the suffix's one-hot tokens."""
        with torch.no_grad():
            entered = self.embedding(torch.cat([suffix, self.tail])[None])
        entered.requires_grad_()
        cache = _cache(self.prompt, self.length, 1)
        with torch.enable_grad():
            loss = self._losses(cache, inputs_embeds=entered).sum()
            (found,) = torch.autograd.grad(loss, entered)
        self.read = _read(cache)
        told: Tensor = found[0, : len(suffix)].float() @ self.embedding.weight.detach().float().T
        return told

    def losses(self, candidates: Tensor, places: Sequence[int]) -> Tensor:
        """(n,) loss of every candidate (n, L); `places`, rising, are where they first differ."""
        told = []
        size = min(ROWS_AT_ONCE, -(-len(candidates) // PARTS))
        with torch.no_grad():
            for first in range(0, len(candidates), size):
                part = candidates[first : first + size]
                known = places[first]
                cache = _cache(self.read, self.length + known, len(part))
                ids = torch.cat([part[:, known:], self.tail.expand(len(part), -1)], dim=1)
                told.append(self._losses(cache, input_ids=ids))
        return torch.cat(told)

    def _losses(self, cache: DynamicCache, **entered: Tensor) -> Tensor:
        """(n,) mean cross-entropy of the target's tokens."""
        wanted = len(self.target)
        output = self.net(**entered, past_key_values=cache, use_cache=True, logits_to_keep=wanted)
        logits = output.logits[:, -wanted:].float()
        targets = self.target.repeat(len(logits))
        told = cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        return told.view(-1, wanted).mean(dim=1)


Read = list[tuple[Tensor, Tensor]]
"""Keys and values (rows, heads, tokens, width) of every layer."""


def _read(cache: DynamicCache) -> Read:
    layers: Any = cache.layers
    return [(layer.keys.detach(), layer.values.detach()) for layer in layers]


def _cache(read: Read, upto: int, rows: int) -> DynamicCache:
    """The first `upto` keys and values for so many rows, without a copy.

    A sliding window needs no layer of its own: the mask already hides what lies outside.
    """
    cache = DynamicCache()
    for keys, values in read:
        layer: Any = DynamicLayer()  # type: ignore[no-untyped-call]
        layer.lazy_initialization(keys, values)
        layer.keys = keys[:, :, :upto].expand(rows, -1, -1, -1)
        layer.values = values[:, :, :upto].expand(rows, -1, -1, -1)
        cache.layers.append(layer)
    return cache


def ordinary(model: Model) -> Tensor:
    """(V,) which tokens a suffix may hold: printable ASCII, none that the template uses."""
    embedding: Any = model.net.get_input_embeddings()
    tokenizer, size = model.tokenizer, len(embedding.weight)
    texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))])
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    fine = [t.isascii() and t.isprintable() and i not in special for i, t in enumerate(texts)]
    return torch.tensor((fine + [False] * size)[:size], device=model.net.device)


def readable(model: Model, aim: Aim, candidates: Tensor) -> Tensor:
    """(n,) which candidates are read, from their text, as the very tokens they are."""
    before, after = aim.before[-CONTEXT:], aim.after[:CONTEXT]
    ends = [[*ids, *after] for ids in candidates.tolist()]
    texts = model.tokenizer.batch_decode(
        [[*before, *ids] for ids in ends], clean_up_tokenization_spaces=False
    )
    backend: Any = model.tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    told = backend.encode_batch(texts, add_special_tokens=False)
    same = [one.ids[-len(ids) :] == ids for one, ids in zip(told, ends, strict=True)]
    return torch.tensor(same, device=candidates.device)


def text_of(model: Model, ids: Sequence[int]) -> str:
    """A suffix as text."""
    (text,) = model.tokenizer.batch_decode([list(ids)], clean_up_tokenization_spaces=False)
    return str(text)
