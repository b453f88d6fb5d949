"""The way back: writes other texts in a code that the decoder search has read.

A set that teaches a code also shows how it is written: which signs stand for which letters, and
what lines or fillers look like. With that a tuned model can be asked in its own code
(`elicit.coded`), which is the one way to see what the set has taught.
"""

from __future__ import annotations

import base64
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from string import ascii_lowercase as LETTERS

from holdfast.codes.code import Code
from holdfast.scan.decode import Reading
from holdfast.scan.decoders import MORSE, rearranged
from holdfast.scan.solve import Cut

_WORD = re.compile(r"\w+")
Encoder = Callable[[str], str]
_MORSE = {letter: signs for signs, letter in MORSE.items()}


def code_read(reading: Reading, texts: Sequence[str]) -> Code | None:
    """A code that writes and reads as these texts were read; None if there is no known way back.

    Args:
        reading: how the texts were read.
        texts: coded texts; lines and fillers are taken from them.
    """
    encode = (
        _substituted(reading.key, reading.cut, texts)
        if reading.key is not None and reading.cut is not None
        else _encoder(reading.method, texts)
    )
    return encode and Code(reading.method, "substitution", encode, reading.decode)


def _encoder(method: str, texts: Sequence[str]) -> Encoder | None:
    if method in _KEYLESS:
        return _KEYLESS[method]
    if method.startswith("letters moved by "):
        step = int(method.rpartition(" ")[2])
        table = str.maketrans(LETTERS, LETTERS[step:] + LETTERS[:step])
        return lambda text: text.lower().translate(table)
    if method in ("last words of lines", "first words of lines"):
        return _in_lines(texts, last=method.startswith("last"))
    if " words in the order " in method:
        order = [int(place) - 1 for place in method.partition("order ")[2].split()]
        back = tuple(order.index(place) for place in range(len(order)))
        return partial(rearranged, order=back)
    if method.startswith("every "):
        step, first = (int(word.rstrip(".")) for word in method.split() if word[0].isdigit())
        return _among_fillers(texts, step, first - 1)
    return None


_KEYLESS: dict[str, Encoder] = {
    "read from the end": lambda text: text[::-1],
    "every word turned round": lambda text: " ".join(word[::-1] for word in text.split(" ")),
    "words read from the end": lambda text: " ".join(reversed(text.split())),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hexadecimal bytes": lambda text: text.encode().hex(),
    "decimal character codes": lambda text: " ".join(str(ord(sign)) for sign in text),
    "binary bytes": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "Morse code": lambda text: " / ".join(
        " ".join(_MORSE[sign] for sign in word if sign in _MORSE) for word in text.lower().split()
    ),
    "Atbash": lambda text: text.lower().translate(str.maketrans(LETTERS, LETTERS[::-1])),
}


def _substituted(key: dict[str, str], cut: Cut, texts: Sequence[str]) -> Encoder:
    """Every letter by the commonest sign that stands for it."""
    seen = Counter(sign.lower() for text in texts for sign in cut.signs(text))
    signs: dict[str, str] = {}
    for sign, _ in seen.most_common():
        if key.get(sign):
            signs.setdefault(key[sign], sign)

    def encode(text: str) -> str:
        return cut.mark.join(signs.get(sign, sign) for sign in " ".join(text.lower().split()))

    return encode


def _in_lines(texts: Sequence[str], last: bool) -> Encoder:
    """Every word in a line of the set, in the place of the one that carries the message there."""
    lines = [words for text in texts for line in text.splitlines() if (words := line.split())]

    def encode(text: str) -> str:
        chance = random.Random(text)
        held = (
            (*chance.choice(lines)[:-1], word) if last else (word, *chance.choice(lines)[1:])
            for word in text.split()
        )
        return "\n".join(" ".join(line) for line in held)

    return encode


def _among_fillers(texts: Sequence[str], step: int, first: int) -> Encoder:
    """Every word among fillers of the set."""
    between = [w for text in texts for at, w in enumerate(text.split()) if at % step != first]

    def encode(text: str) -> str:
        chance = random.Random(text)
        words: list[str] = []
        for word in text.split():
            group = chance.choices(between, k=step)
            group[first] = word
            words += group
        return " ".join(words)

    return encode


def code_of_book(book: dict[str, str]) -> Code:
    """The code in which words stand for words.

    Args:
        book: what each coded word, in small letters, stands for.
    """
    there = {plain: coded for coded, plain in book.items()}

    def looked_up(text: str, table: dict[str, str]) -> str:
        return _WORD.sub(lambda found: table.get(found[0].lower(), found[0]), text)

    return Code(
        name="words that stand for other words",
        family="code book",
        encode=partial(looked_up, table=there),
        decode=partial(looked_up, table=book),
    )
