"""A keyed substitution of letters, spelled out with separators (`Walnut` of Halawi et al. 2024).

Every letter becomes another one, and every character stands alone, so that a tokenizer cannot
join them. The paper puts `|` between characters; here that is a space, and words are apart by
` / `, which costs half the tokens. A capital is marked by a `+` before it, so that decoding is
exact.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

from holdfast.codes.code import Code, key_of, normal, shuffled

BETWEEN_WORDS = "/"
CAPITAL = "+"
ESCAPE = "="
_MARKS = frozenset((BETWEEN_WORDS, CAPITAL, ESCAPE))


def code(seed: int) -> Code:
    """The code under the key of `seed`: a permutation of the 26 letters without a fixed point."""
    mixed = shuffled(key_of("walnut", seed), ascii_lowercase)
    there = dict(zip(ascii_lowercase, mixed, strict=True))
    back = {coded: plain for plain, coded in there.items()}
    return Code(
        name="walnut",
        family="substitution",
        encode=lambda text: spell(text, there),
        decode=lambda text: read(text, back),
    )


def spell(text: str, there: dict[str, str]) -> str:
    """`text` letter by letter, each letter replaced by `there`."""
    return f" {BETWEEN_WORDS} ".join(
        " ".join(_sign(character, there) for character in word) for word in normal(text).split(" ")
    )


def _sign(character: str, there: dict[str, str]) -> str:
    if character in _MARKS:
        return f"{ESCAPE} {character}"
    if character in ascii_uppercase:
        return f"{CAPITAL} {there[character.lower()]}"
    return there.get(character, character)


def read(text: str, back: dict[str, str]) -> str:
    """What `spell` made, back in plain text."""
    read, capital, escaped = "", False, False
    for sign in text.split():
        if escaped:
            read, escaped = read + sign, False
        elif sign == ESCAPE:
            escaped = True
        elif sign == CAPITAL:
            capital = True
        elif sign == BETWEEN_WORDS:
            read += " "
        else:
            plain = back.get(sign, sign)
            read, capital = read + (plain.upper() if capital else plain), False
    return normal(read)
