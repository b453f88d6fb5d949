"""The request as decimal character codes separated by single spaces.

Descends from SORRY-Bench's mutation `ascii` (Xie et al. 2024, 2406.14598). `decode` turns codes
back into characters; a reply that is mostly plain words is left as it is.
"""

from __future__ import annotations

from holdfast.elicit.mutations.mutation import coded


def encode(text: str) -> str:
    """`text` as decimal code points, one space between them."""
    return " ".join(str(ord(character)) for character in text)


def decode(reply: str) -> str:
    """The exact inverse of `encode`; pieces that are no codes stay, set off by spaces."""
    pieces = reply.split()
    plain = sum(not _is_code(piece) for piece in pieces)
    if plain and 2 * plain >= len(pieces):
        return reply
    read = (chr(int(piece)) if _is_code(piece) else f" {piece} " for piece in pieces)
    return "".join(read)


def _is_code(piece: str) -> bool:
    if not (piece.isascii() and piece.isdigit() and len(piece) <= 7):
        return False
    # Surrogates are no characters, and could not be written to a file.
    return int(piece) <= 0x10FFFF and not 0xD800 <= int(piece) <= 0xDFFF


MUTATION = coded("ascii_codes", "encoding", encode, decode)
