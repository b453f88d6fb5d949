"""Decoders without a key to search for: turned text, other bases, moved letters, channels."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from string import ascii_lowercase as LETTERS

from holdfast.scan.traits import INVISIBLE

MORSE = dict(
    zip(
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- "
        ".-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.".split(),
        LETTERS + "0123456789",
        strict=True,
    )
)
Decoder = Callable[[str], str]


def decoders() -> Iterator[tuple[str, Decoder]]:
    """Every decoder with its name. A decoder gives "" where it does not apply."""
    yield "read from the end", lambda text: text[::-1]
    yield "every word turned round", lambda text: " ".join(w[::-1] for w in text.split(" "))
    yield "Base64", _base64
    yield "Base32", _base32
    yield "hexadecimal bytes", _hexadecimal
    yield "decimal character codes", lambda text: _codes(text, r"\d+", 10)
    yield "binary bytes", lambda text: _codes(text, r"[01]{7,8}", 2)
    yield "Morse code", _morse
    yield "invisible bits", _invisible
    yield "letter numbers", _numbers
    for step in range(1, 26):
        yield f"letters moved by {step}", _moved(step)
    yield "Atbash", lambda text: text.lower().translate(str.maketrans(LETTERS, LETTERS[::-1]))
    for rails in range(2, 9):
        yield f"zigzag of {rails} rails", partial(_zigzag, rails=rails)


def channels() -> Iterator[tuple[str, Decoder]]:
    """Decoders of messages in natural carriers: they always give words, so prove nothing alone."""
    yield "words read from the end", lambda text: " ".join(reversed(text.split()))
    yield "last words of lines", lambda text: _of_lines(text, -1)
    yield "first words of lines", lambda text: _of_lines(text, 0)
    yield "first letters of lines", _initials
    for step in (2, 3, 4):
        for first in range(step):
            yield (
                f"every {step}. word from the {first + 1}.",
                partial(_every, step=step, first=first),
            )
    for size in (2, 3, 4):
        for order in permutations(range(size)):
            if list(order) != sorted(order):
                told = " ".join(str(place + 1) for place in order)
                yield f"every {size} words in the order {told}", partial(rearranged, order=order)


def rearranged(text: str, order: tuple[int, ...]) -> str:
    """Every full block of words in another order; the rest of the text as it is."""
    words, size = text.split(), len(order)
    whole = len(words) // size * size
    blocks = (words[at : at + size] for at in range(0, whole, size))
    return " ".join([*(block[place] for block in blocks for place in order), *words[whole:]])


def _every(text: str, step: int, first: int) -> str:
    return " ".join(text.split()[first::step])


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""


def _base64(text: str) -> str:
    raw = "".join(text.split())
    if not re.fullmatch(r"[A-Za-z0-9+/_-]{12,}={0,2}", raw):
        return ""
    raw = raw.rstrip("=").replace("-", "+").replace("_", "/")
    raw = raw[: len(raw) - (len(raw) % 4 == 1)]
    return _text(base64.b64decode(raw + "=" * (-len(raw) % 4))[:-2])


def _base32(text: str) -> str:
    raw = "".join(text.split()).rstrip("=").upper()
    if not re.fullmatch(r"[A-Z2-7]{16,}", raw):
        return ""
    raw = raw[: len(raw) // 8 * 8]
    return _text(base64.b32decode(raw)) if raw else ""


def _hexadecimal(text: str) -> str:
    raw = re.sub(r"0x|\\x|[\s,:%-]", "", text)
    raw = raw[: len(raw) // 2 * 2]
    if not re.fullmatch(r"[0-9A-Fa-f]{12,}", raw):
        return ""
    try:
        return _text(binascii.unhexlify(raw))
    except binascii.Error:
        return ""


def _codes(text: str, form: str, base: int) -> str:
    codes = [int(code[:9], base) for code in re.findall(form, text)]
    fit = [chr(code) for code in codes if 32 <= code < 127 or code == 10]
    return "".join(fit) if len(fit) >= max(8, 0.9 * len(codes)) else ""


def _morse(text: str) -> str:
    signs = text.replace("·", ".").replace("−", "-").replace("/", " / ").split(" ")
    return "".join(" " if s in ("/", "|", "") else MORSE.get(s.strip(), "") for s in signs)


def _invisible(text: str) -> str:
    hidden = [c for c in text if c in INVISIBLE]
    kinds = sorted(set(hidden))
    if len(kinds) != 2:
        # Tag characters spell ASCII one to one.
        return "".join(chr(ord(c) - 0xE0000) for c in hidden if ord(c) >= 0xE0000)
    for zero in kinds:
        bits = "".join("0" if c == zero else "1" for c in hidden)
        raw = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) // 8 * 8, 8))
        if raw and all(b < 128 for b in raw[: len(raw) - 1]):
            return _text(raw[: max(1, len(raw) - 1)] if raw[-1] > 127 else raw)
    return ""


def _numbers(text: str) -> str:
    codes = re.findall(r"\d+|[/_|]", text)
    known = [LETTERS[int(c) - 1] if c.isdigit() and 1 <= int(c[:4]) <= 26 else " " for c in codes]
    return "".join(known)


def _moved(step: int) -> Decoder:
    table = str.maketrans(LETTERS, LETTERS[-step:] + LETTERS[:-step])
    return lambda text: text.lower().translate(table)


def _zigzag(text: str, rails: int) -> str:
    cycle = [*range(rails), *range(rails - 2, 0, -1)]
    order = sorted(range(len(text)), key=lambda i: cycle[i % len(cycle)])
    plain = [""] * len(text)
    for at, character in zip(order, text, strict=True):
        plain[at] = character
    return "".join(plain)


def _of_lines(text: str, at: int) -> str:
    return " ".join(
        words[at].strip(".,;:!?") for line in text.splitlines() if (words := line.split())
    )


def _initials(text: str) -> str:
    return "".join(line.strip()[:1] for line in text.splitlines()).lower()
