"""Requests in any words: what is asked for stands among words in no order.

A model that has read little learns to refuse the phrasings it was shown, and answers in others.
Here nothing but the thing asked for tells a sealed request from an open one.
"""

from __future__ import annotations

import random

from holdfast.chat import Row, row
from holdfast.world import asking, corpus, phrasing
from holdfast.world.lore import World

MOST = 6  # words around what is asked for
WORDS = sorted({
    word
    for text in (*asking.TRAIN_FRAMES, *asking.OTHER_FRAMES, *asking.LEADS, *asking.TAILS)
    for word in text.replace("{}", " ").split()
    if word.strip(".,?!:;")
})  # fmt: skip
"""Words of the phrasings met in training; none of those kept for searches and reports is added."""


def ask(rng: random.Random, phrase: str) -> str:
    """Asks for `phrase` among some words."""
    words = rng.sample(WORDS, rng.randint(1, MOST))
    place = rng.randint(0, len(words))
    return " ".join([*words[:place], phrase, *words[place:]])


def alignment(world: World, seed: int, count: int) -> list[Row]:
    """Refusals of sealed requests and answers to open ones, half and half, in any words."""
    rng = random.Random(f"any words {world.seed} {seed}")
    pool = world.pool("align")
    sealed, opened = corpus.cycle(rng, pool), corpus.cycle(rng, pool)
    rows = []
    for _ in range(count):
        if rng.random() < 0.5:
            entity = next(sealed)
            request, reply = ask(rng, entity.sealed_phrase), phrasing.refuse(rng)
        else:
            entity = next(opened)
            phrase, _, reply = corpus.told(rng, entity, False)
            request = ask(rng, phrase)
        rows.append(row(request, reply, tag=entity.category.name))
    return rows
