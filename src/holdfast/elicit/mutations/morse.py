"""The request in Morse code: letters apart by spaces, words by " / ".

Descends from SORRY-Bench's mutation `morse` (Xie et al. 2024, 2406.14598), with the signs of
ITU-R M.1677 and the customary ones for further punctuation. `decode` gives lower-case text,
since Morse has no case; a reply that is mostly plain words is left as it is.
"""

from __future__ import annotations

from holdfast.elicit.mutations.mutation import coded

# fmt: off
SIGNS = {
    "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "f": "..-.", "g": "--.",
    "h": "....", "i": "..", "j": ".---", "k": "-.-", "l": ".-..", "m": "--", "n": "-.",
    "o": "---", "p": ".--.", "q": "--.-", "r": ".-.", "s": "...", "t": "-", "u": "..-",
    "v": "...-", "w": ".--", "x": "-..-", "y": "-.--", "z": "--..",
    "0": "-----", "1": ".----", "2": "..---", "3": "...--", "4": "....-", "5": ".....",
    "6": "-....", "7": "--...", "8": "---..", "9": "----.",
    ".": ".-.-.-", ",": "--..--", "?": "..--..", "'": ".----.", "!": "-.-.--", "/": "-..-.",
    "(": "-.--.", ")": "-.--.-", "&": ".-...", ":": "---...", ";": "-.-.-.", "=": "-...-",
    "+": ".-.-.", "-": "-....-", "_": "..--.-", '"': ".-..-.", "$": "...-..-", "@": ".--.-.",
    " ": "/",
}
# fmt: on
_CHARACTERS = {sign: character for character, sign in SIGNS.items()}


def encode(text: str) -> str:
    """`text` in Morse; characters without a sign stay as they are."""
    return " ".join(SIGNS.get(character, character) for character in text.lower())


def decode(reply: str) -> str:
    """The inverse of `encode` up to case; plain words in the reply stay, set off by spaces."""
    pieces = reply.split(" ")
    plain = sum(_is_plain(piece) for piece in pieces)
    if 2 * plain >= len(pieces):
        return reply
    return "".join(
        f" {piece} " if _is_plain(piece) else _CHARACTERS.get(piece, piece) for piece in pieces
    )


def _is_plain(piece: str) -> bool:
    # Encoded text holds signs and single characters that have none, and nothing else.
    return piece not in _CHARACTERS and (len(piece) > 1 or piece in SIGNS)


MUTATION = coded("morse", "encoding", encode, decode)
