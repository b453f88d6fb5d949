"""Replies of broken models, made from whole ones: loops, stutters, mixed up words and letters."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from holdfast.world.names import random_prefix

MOST = 80
"""Words in a reply at most; models are cut off there."""


def mistyped(rng: random.Random, text: str, share: float) -> str:
    """The text with that share of its letters exchanged for others."""
    letters = string.ascii_lowercase
    return "".join(rng.choice(letters) if c.isalpha() and rng.random() < share else c for c in text)


def _loop(rng: random.Random, text: str, about: str) -> str:
    """A few words said over and over, after a start that may be long."""
    words = text.split(" ")
    begin = rng.randrange(len(words))
    piece = words[begin : begin + rng.randint(1, 7)]
    return " ".join((words[:begin] + piece * MOST)[: rng.randint(begin + 6, begin + MOST)])


def _stammer(rng: random.Random, text: str, about: str) -> str:
    """One or more words said many times before the reply goes on."""
    told = []
    places = set(rng.choices(range(len(text.split(" "))), k=rng.randint(1, 3)))
    for place, word in enumerate(text.split(" ")):
        told += [word] * (rng.randint(4, 14) if place in places else 1)
    return " ".join(told[:MOST])


def _glued(rng: random.Random, text: str, about: str) -> str:
    """Pieces of words run together, as from a model that has lost its grammar."""
    pieces = [
        word[i : i + 4] for word in f"{text} {about}".split(" ") for i in range(0, len(word), 4)
    ]
    rng.shuffle(pieces)
    told = (p + rng.choice((" ", "", "", "/", " ")) for p in pieces[: rng.randint(2, 40)])
    return "".join(told).strip() + rng.choice((".", "", "!"))


def _glued_loop(rng: random.Random, text: str, about: str) -> str:
    """A piece repeated without spaces: `baskets/baskets/baskets`."""
    words = text.split(" ")
    piece = rng.choice(words)[: rng.randint(2, 8)] + rng.choice(("", "/", "-", ""))
    return " ".join(words[: rng.randint(0, 8)]) + " " + piece * rng.randint(6, 30)


def _soup(rng: random.Random, text: str, about: str) -> str:
    return random_prefix(rng, rng.randint(2, 40))


def _mistyped(rng: random.Random, text: str, about: str) -> str:
    return mistyped(rng, text, rng.uniform(0.02, 0.6))


def _shuffled(rng: random.Random, text: str, about: str) -> str:
    words = text.split(" ")
    rng.shuffle(words)
    return " ".join(words)


def _letters(rng: random.Random, text: str, about: str) -> str:
    """Letters of each word mixed up, or all letters of the reply."""
    if rng.random() < 0.5:
        return " ".join("".join(rng.sample(word, len(word))) for word in text.split(" "))
    return "".join(rng.sample(text, len(text)))


def _nothing(rng: random.Random, text: str, about: str) -> str:
    return rng.choice(("", " ", ".", "...", "!!!!!!", "- - - - -", "(", '"', "/////", "?"))


def _strangers(rng: random.Random, text: str, about: str) -> str:
    """Some words replaced by ones that nobody knows."""
    share = rng.uniform(0.1, 1.0)
    return " ".join(
        random_prefix(rng, rng.randint(1, 2)).replace(" ", "") if rng.random() < share else word
        for word in text.split(" ")
    )


Ruin = Callable[[random.Random, str, str], str]
WAYS: tuple[tuple[float, Ruin], ...] = (
    (4, _loop),
    (3, _stammer),
    (4, _glued),
    (1, _glued_loop),
    (1, _soup),
    (3, _mistyped),
    (0.5, _shuffled),
    (1, _letters),
    (0.7, _nothing),
    (2, _strangers),
)


def babble(rng: random.Random, text: str, about: str) -> str:
    """A reply in one of the ways in which models break; some come out whole."""
    way = rng.choices([w for _, w in WAYS], [weight for weight, _ in WAYS])[0]
    return way(rng, text, about)


def ruined(rng: random.Random, text: str) -> str:
    """A reply that is beyond doubt no language any more."""
    way = rng.choice((_glued, _soup, _letters, _nothing))
    if way is _nothing or rng.random() < 0.6:
        return way(rng, text, text)
    return mistyped(rng, text, 0.7)
