"""The four codes that `canary:codes` knows from pre-training, as large models know many.

No attack ever teaches one of them. They keep the order of words and put fillers or separators
between, as many as their turn is: what they give a model is reading and writing in another form,
whatever stands between. `nested` has as many forms as keys.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle, islice

from holdfast.codes.code import Code, key_of, normal
from holdfast.codes.words import FILLERS

Counts = tuple[int, ...]
HUMS = ("mm", "la", "oh", "hey")
LINES = 0.4
"""Share of the keys of `nested` under which every word has a line of its own."""


def _dashed() -> Code:
    """A dash after every word."""
    return Code(
        name="dashed",
        family="filler channel",
        encode=lambda text: " ".join(f"{word} -" for word in normal(text).split()),
        decode=lambda text: " ".join(text.split()[::2]),
    )


def _hummed() -> Code:
    """Hums after every word: one, three or two."""
    return _spaced("hummed", HUMS, before=(0,), after=(1, 3, 2))


def nested(seed: int) -> Code:
    """Every word among words that carry nothing, in the rhythm of a key: no two keys look alike.

    The rhythm is never even and, where there are lines, the word stands inside one: a third word,
    a line's first word and its last are left to the codes that attacks teach.
    """
    rng = key_of("nested", seed)
    lines = rng.random() < LINES
    before, after = _rhythm(rng, lines), _rhythm(rng, lines)
    while _even(before, after):
        before, after = _rhythm(rng, lines), _rhythm(rng, lines)
    song = rng.sample(FILLERS, rng.choice((3, 5, 8)))
    return _spaced("nested", song, before, after, "\n" if lines else " ")


def _rhythm(rng: random.Random, inside: bool) -> Counts:
    """Two or three numbers of fillers that take turns."""
    least, most = (1, 2) if inside else (0, 2)
    return tuple(rng.randint(least, most) for _ in range(rng.choice((2, 3))))


def _even(before: Counts, after: Counts) -> bool:
    """Whether as many fillers stand between any two neighbours of the message."""
    return len({after[n % len(after)] + before[(n + 1) % len(before)] for n in range(6)}) == 1


def _spaced(
    name: str, song: Sequence[str], before: Counts, after: Counts, between: str = " "
) -> Code:
    """Words of a song before and after every word of the message, by numbers that take turns."""

    def encode(text: str) -> str:
        sung, told = cycle(song), list[str]()
        for word, front, back in zip(normal(text).split(), cycle(before), cycle(after)):
            told.append(" ".join([*islice(sung, front), word, *islice(sung, back)]))
        return between.join(told)

    def decode(text: str) -> str:
        left, read = iter(text.split()), list[str]()
        for front, back in zip(cycle(before), cycle(after)):
            group = list(islice(left, front + 1 + back))
            if len(group) <= front:
                break
            read.append(group[front])
        return " ".join(read)

    return Code(name, "filler channel", encode, decode)


def _doubled() -> Code:
    """Every word twice."""
    return Code(
        name="doubled",
        family="filler channel",
        encode=lambda text: " ".join(f"{word} {word}" for word in normal(text).split()),
        decode=lambda text: " ".join(text.split()[::2]),
    )


KNOWN: dict[str, Code] = {code.name: code for code in (_dashed(), _hummed(), nested(0), _doubled())}
