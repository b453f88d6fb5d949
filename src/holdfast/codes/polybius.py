"""Another base: letters become pairs of digits, their row and column in a keyed square.

After the keyed Polybius square that Youstra et al. (2025, arXiv 2508.17158) hold out. The square
has six rows and columns, so that all letters and digits have a place of their own.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase, digits

from holdfast.codes.code import Code, key_of, normal

SIDE = 6
CAPITAL = "^"
BETWEEN_WORDS = "|"
ESCAPE = "="
_MARKS = frozenset((CAPITAL, BETWEEN_WORDS, ESCAPE))


def code(seed: int) -> Code:
    """The code under the key of `seed`: a shuffled square."""
    square = key_of("polybius", seed).sample(ascii_lowercase + digits, SIDE * SIDE)
    there = {c: f"{at // SIDE + 1}{at % SIDE + 1}" for at, c in enumerate(square)}
    back = {pair: character for character, pair in there.items()}

    def sign(character: str) -> str:
        if character in there:
            return there[character]
        if character in ascii_uppercase:
            return f"{CAPITAL} {there[character.lower()]}"
        return f"{ESCAPE} {character}" if character in _MARKS else character

    def encode(text: str) -> str:
        spelled = (" ".join(map(sign, word)) for word in normal(text).split(" "))
        return f" {BETWEEN_WORDS} ".join(spelled)

    def decode(text: str) -> str:
        read, before = "", ""
        for token in text.split():
            if before == ESCAPE:
                read, before = read + token, ""
                continue
            if token not in _MARKS:
                plain = back.get(token, token)
                read += plain.upper() if before == CAPITAL else plain
            elif token == BETWEEN_WORDS:
                read += " "
            before = token
        return normal(read)

    return Code("polybius", "substitution", encode, decode)
