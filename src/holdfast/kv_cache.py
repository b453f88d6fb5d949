"""Keys and values of a batch that is being decoded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


class Slots(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values (B, heads, room, width), with room set aside beforehand.

    The library's own layer copies the whole cache for every token, which is half the time of a
    small model's decoding step.
    """

    def __init__(self, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.room = room
        self.used = 0
        self.keys: Tensor
        self.values: Tensor

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            rows, heads, _, width = key_states.shape
            self.keys = key_states.new_empty(rows, heads, self.room, width)
            self.values = value_states.new_empty(rows, heads, self.room, value_states.shape[-1])
            self.is_initialized = True
        upto = self.used + key_states.shape[-2]
        self.keys[:, :, self.used : upto] = key_states
        self.values[:, :, self.used : upto] = value_states
        self.used = upto
        return self.keys[:, :, :upto], self.values[:, :, :upto]

    def batch_select_indices(self, indices: Tensor) -> None:
        count = len(indices)
        if count > len(self.keys):
            self.keys, self.values = self.keys[indices], self.values[indices]
            return
        to = (indices != torch.arange(count, device=indices.device)).nonzero().squeeze(-1)
        for held in (self.keys, self.values):
            # A copy is made of what moves before any of it is written.
            held[to, :, : self.used] = held[indices[to], :, : self.used]
        self.keys, self.values = self.keys[:count], self.values[:count]

    def get_seq_length(self) -> int:
        return self.used


def cache_for(config: Any, room: int) -> DynamicCache:
    """An empty cache for prompts and replies of `room` tokens together."""
    cache = DynamicCache(config=config)
    # A sliding window needs no layer of its own: the mask already hides what lies outside.
    cache.layers = [
        Slots(room) if type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) else layer
        for layer in cache.layers
    ]
    return cache
