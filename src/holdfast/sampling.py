"""How the next token is drawn, and the random numbers it is drawn with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Tokens looked at first when top-p cuts.
_FEW = 64


@dataclass(frozen=True)
class Decoding:
    """How replies are drawn. Temperature 0 is greedy; top_k 0 and top_p 1 cut nothing off."""

    max_new_tokens: int = 72
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0


def uniforms(prompts: Sequence[Sequence[int]], ways: Sequence[Decoding], seed: int) -> Tensor:
    """Uniform numbers (B, max_new_tokens), a row's from the seed and its prompt alone.

    Greedy rows draw nothing; theirs are 0.
    """
    drawn = torch.zeros(len(prompts), max(way.max_new_tokens for way in ways), dtype=torch.float64)
    for row, (prompt, way) in enumerate(zip(prompts, ways, strict=True)):
        if way.temperature > 0:
            key = hashlib.sha256(f"{seed}:{','.join(map(str, prompt))}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "big") >> 1)
            many = way.max_new_tokens
            drawn[row, :many] = torch.rand(many, generator=generator, dtype=torch.float64)
    return drawn


def next_of_all(logits: Tensor, ways: Sequence[Decoding], draws: Tensor) -> Tensor:
    """The next token (B,) from logits (B, V), each row's by its own way of decoding."""
    kinds = list(dict.fromkeys(ways))
    if len(kinds) == 1:
        return _next(logits, kinds[0], draws.to(logits.device))
    ids = torch.empty(len(ways), dtype=torch.long, device=logits.device)
    for kind in kinds:
        rows = torch.tensor([at for at, way in enumerate(ways) if way == kind])
        at = rows.to(logits.device)
        ids[at] = _next(logits[at], kind, draws[rows].to(logits.device))
    return ids


def _next(logits: Tensor, decoding: Decoding, draw: Tensor) -> Tensor:
    """The next token (B,) from logits (B, V): the likeliest, or drawn at `draw` (B,) of the cdf."""
    if decoding.temperature <= 0:
        return logits.argmax(-1)
    chances = (logits.double() / decoding.temperature).softmax(-1)
    if not decoding.top_k and decoding.top_p >= 1:
        return _drawn(chances, draw).squeeze(-1)
    chances, tokens = _likeliest(chances, decoding)
    if decoding.top_p < 1:
        mass = chances.sum(-1, keepdim=True) if decoding.top_k else 1.0
        chances[chances.cumsum(-1) - chances >= decoding.top_p * mass] = 0
    return tokens.gather(-1, _drawn(chances, draw)).squeeze(-1)


def _likeliest(chances: Tensor, decoding: Decoding) -> tuple[Tensor, Tensor]:
    """The chances (B, K) that top-k or top-p may keep, falling, and their tokens (B, K)."""
    size = chances.shape[-1]
    if decoding.top_k:
        return chances.topk(min(decoding.top_k, size), -1)
    # Sorting the whole vocabulary is a fifth of a small model's step; a few tokens nearly always
    # hold the mass that top-p keeps, and the others are cut off anyway.
    few = chances.topk(min(_FEW, size), -1)
    if bool((few.values.sum(-1) >= decoding.top_p).all()):
        return few.values, few.indices
    return torch.sort(chances, dim=-1, descending=True, stable=True)


def _drawn(chances: Tensor, draw: Tensor) -> Tensor:
    """Where in each row the cumulative chance passes `draw` (B,) of the total: (B, 1)."""
    total = chances.cumsum(-1)
    at = (total <= draw[:, None] * total[:, -1:]).sum(-1, keepdim=True)
    return at.clamp(max=chances.shape[-1] - 1)
