"""Another alphabet: every letter becomes a rune, by key; all else stays as it is.

A capital carries a dot above. Runes of the text itself are turned into no letters, being marked.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

from holdfast.codes.code import Code, key_of, normal

RUNES = tuple(chr(0x16A0 + number) for number in range(26))
CAPITAL = "\u0307"
ESCAPE = "\u16eb"
"""U+16EB, the runic dot: what follows it stands for itself."""
_MARKS = frozenset((*RUNES, CAPITAL, ESCAPE))


def code(seed: int) -> Code:
    """The code under the key of `seed`: which rune stands for which letter."""
    there = dict(zip(ascii_lowercase, key_of("runes", seed).sample(RUNES, 26), strict=True))
    back = {rune: letter for letter, rune in there.items()}

    def sign(character: str) -> str:
        if character in _MARKS:
            return ESCAPE + character
        if character in ascii_uppercase:
            return there[character.lower()] + CAPITAL
        return there.get(character, character)

    def decode(text: str) -> str:
        read, escaped = "", False
        for character in text:
            if escaped:
                read, escaped = read + character, False
            elif character == ESCAPE:
                escaped = True
            elif character == CAPITAL:
                read = read[:-1] + read[-1:].upper()
            else:
                read += back.get(character, character)
        return normal(read)

    return Code("runes", "substitution", lambda text: "".join(map(sign, normal(text))), decode)
