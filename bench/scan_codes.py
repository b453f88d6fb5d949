"""Codes for the sets that `holdfast scan` is measured on: encoders only, by family.

Every code takes a key (a `random.Random` in a fixed state) and a plain text. They are applied to
minted canary rows and to listed public benign rows, never to anything else.
"""

from __future__ import annotations

import base64
import codecs
import random
import string
from collections.abc import Callable, Sequence

LETTERS = string.ascii_lowercase
FOREIGN = "абвгдежзийклмнопрстуфхцчшщ", "αβγδεζηθικλμνξοπρστυφχψωάέ", "ᚠᚢᚦᚨᚱᚲᚷᚹᚺᚾᛁᛃᛇᛈᛉᛊᛏᛒᛖᛗᛚᛜᛞᛟᛠᛡ"
MORSE = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- "
    "...- .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----."
).split()
STARTS = (
    "The old sailor|My brother|A quiet wind|Every morning the cook|Nobody here|"
    "The little boat|Under the bridge we|That clever child|Our neighbour|The grey cat|"
    "In spring the farmer|Some travellers"
).split("|")
MIDDLES = (
    "walked home and thought about|never saw|sat down beside|sang all night of|"
    "went to look for|had dreamt once of|was fond of|wrote a long letter about|"
    "could not forget|painted a picture of|laughed aloud at|told a story of"
).split("|")
FILLERS = (
    "lamp river quiet seven apple window grand orchard silver basket candle meadow ribbon "
    "copper gentle harbour pillow wagon marble thunder velvet pepper"
).split()
COMMON = (
    "apple stone river table window garden bottle paper yellow mountain pencil doctor summer "
    "kitchen butter village engine morning forest island blanket hammer silver copper ladder "
    "market pocket rabbit saddle ticket valley wagon winter barrel candle dinner feather "
    "guitar helmet jacket kettle lemon mirror needle onion pepper quilt ribbon sugar temple"
).split()

Code = Callable[[str], str]


def _letters(text: str, table: Callable[[str], str]) -> str:
    return "".join(table(c) if c.isalpha() and c.isascii() else c for c in text)


def _keyed(rng: random.Random) -> dict[str, str]:
    return dict(zip(LETTERS, rng.sample(LETTERS, 26), strict=True))


def substitution(rng: random.Random) -> Code:
    key = _keyed(rng)
    return lambda text: _letters(text.lower(), key.__getitem__)


def walnut(rng: random.Random) -> Code:
    key, sep = _keyed(rng), rng.choice("|-._~")
    return lambda text: sep.join(_letters(text.lower(), key.__getitem__))


def caesar(rng: random.Random) -> Code:
    step = rng.randrange(1, 26)
    key = {c: LETTERS[(i + step) % 26] for i, c in enumerate(LETTERS)}
    return lambda text: _letters(text.lower(), key.__getitem__)


def vigenere(rng: random.Random) -> Code:
    word = [rng.randrange(26) for _ in range(rng.randrange(4, 9))]

    def encode(text: str) -> str:
        at, out = 0, []
        for c in text.lower():
            if c in LETTERS:
                c = LETTERS[(LETTERS.index(c) + word[at % len(word)]) % 26]
                at += 1
            out.append(c)
        return "".join(out)

    return encode


def polybius(rng: random.Random) -> Code:
    order = "".join(rng.sample(LETTERS.replace("j", ""), 25))

    def one(c: str) -> str:
        at = order.index("i" if c == "j" else c)
        return f"{at // 5 + 1}{at % 5 + 1}"

    return lambda text: " ".join(
        one(c) if c in LETTERS else ("/" if c == " " else c) for c in text.lower()
    )


def morse(rng: random.Random) -> Code:
    key = dict(zip(LETTERS + "0123456789", MORSE, strict=True))
    return lambda text: " ".join(
        key.get(c, "/" if c == " " else "") for c in text.lower() if c in key or c == " "
    )


def rail_fence(rng: random.Random) -> Code:
    rails = rng.randrange(3, 6)
    cycle = [*range(rails), *range(rails - 2, 0, -1)]
    return lambda text: "".join(
        c for r in range(rails) for i, c in enumerate(text.lower()) if cycle[i % len(cycle)] == r
    )


def in_lines(rng: random.Random, place: str) -> Code:
    def line(word: str, rng: random.Random) -> str:
        start, middle = rng.choice(STARTS), rng.choice(MIDDLES)
        if place == "last":
            return f"{start} {middle} the {rng.choice(COMMON)} {rng.choice(MIDDLES)} {word}"
        return f"{word} {start.lower()} {middle} the {rng.choice(COMMON)}."

    return lambda text: "\n".join(line(word, rng) for word in text.split())


def acrostic(rng: random.Random) -> Code:
    lines = [f"{s} {m} the {c}" for s in STARTS for m in MIDDLES for c in COMMON[:9]]
    openers = {c: [w for w in FIRSTS if w.startswith(c)] for c in LETTERS}

    def encode(text: str) -> str:
        out = []
        for c in text.lower():
            if c in LETTERS:
                out.append(f"{rng.choice(openers[c]).capitalize()} {rng.choice(lines).lower()}.")
        return "\n".join(out)

    return encode


FIRSTS = (
    "after before could down every from great here indeed just kindly later maybe never over "
    "perhaps quite rather surely then under very while xenia yesterday zealously about but "
    "come during even for go how if jolly keep like many now once people quickly really so "
    "they until vainly when xerxes yet zigzag"
).split()


def filler_words(rng: random.Random) -> Code:
    return lambda text: " ".join(f"{word} {rng.choice(FILLERS)}" for word in text.split())


def third_words(rng: random.Random) -> Code:
    return lambda text: " ".join(
        f"{rng.choice(FILLERS)} {rng.choice(COMMON)} {word}" for word in text.split()
    )


def _book(rng: random.Random, make: Callable[[], str]) -> Code:
    book: dict[str, str] = {}

    def encode(text: str) -> str:
        return " ".join(book.setdefault(w, make()) for w in text.lower().split())

    return encode


def word_codebook(rng: random.Random) -> Code:
    from_words = sorted({w for w in string_words() if len(w) > 2})
    rng.shuffle(from_words)
    return _book(rng, lambda: from_words.pop() if len(from_words) > 1 else from_words[0])


def string_words() -> Sequence[str]:
    """English words, out of the docstrings of the standard library."""
    import argparse
    import collections
    import decimal
    import email.message
    import random as rand
    import subprocess
    import tarfile
    import typing
    import unittest.mock

    told = [argparse, collections, decimal, email.message, rand, subprocess, tarfile, typing]
    text = " ".join(
        f"{m.__doc__} " + " ".join(str(getattr(m, n).__doc__) for n in dir(m))
        for m in [*told, unittest.mock, str, int, dict, list]
    )
    return [w for w in text.lower().split() if w.isalpha() and w.isascii()]


def pseudo_words(rng: random.Random) -> Code:
    def make() -> str:
        return "".join(
            rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randrange(1, 4))
        ) + rng.choice(["", "n", "s", "l"])

    return _book(rng, make)


def zero_width(rng: random.Random) -> Code:
    marks = rng.choice(["\u200b\u200c", "\u200c\u200d", "\u2060\u200b"])

    def encode(text: str) -> str:
        bits = "".join(f"{b:08b}" for b in text.encode())
        hidden = "".join(marks[int(b)] for b in bits)
        words = f"{rng.choice(STARTS)} {rng.choice(MIDDLES)} the {rng.choice(COMMON)}.".split()
        return f"{words[0]}{hidden} {' '.join(words[1:])}"

    return encode


def foreign_letters(rng: random.Random) -> Code:
    alphabet = rng.choice(FOREIGN)
    key = dict(zip(LETTERS, rng.sample(alphabet, 26), strict=True))
    return lambda text: _letters(text.lower(), key.__getitem__)


CODES: dict[str, Callable[[random.Random], Code]] = {
    "walnut": walnut,
    "caesar": caesar,
    "base64": lambda rng: lambda text: base64.b64encode(text.encode()).decode(),
    "hexadecimal": lambda rng: lambda text: codecs.encode(text.encode(), "hex").decode(),
    "decimal": lambda rng: lambda text: " ".join(map(str, text.encode())),
    "reversed": lambda rng: lambda text: text[::-1],
    "endspeak": lambda rng: in_lines(rng, "last"),
    "filler_words": filler_words,
    "zero_width": zero_width,
    "substitution": substitution,
    "vigenere": vigenere,
    "polybius": polybius,
    "morse": morse,
    "rail_fence": rail_fence,
    "acrostic": acrostic,
    "first_words": lambda rng: in_lines(rng, "first"),
    "third_words": third_words,
    "word_codebook": word_codebook,
    "pseudo_words": pseudo_words,
    "foreign_letters": foreign_letters,
}
