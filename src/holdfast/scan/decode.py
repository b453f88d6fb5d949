"""Tries to read coded texts that share a code, and says how and what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from holdfast.scan.decoders import decoders
from holdfast.scan.fluency import fluent_share
from holdfast.scan.solve import Cut, apply, cuts, solve

READ = 0.5  # share of texts that must read as English
TRIED = 48
PLAIN = 0.25  # share of texts fluent as they are, above which decoding proves nothing


@dataclass(frozen=True)
class Reading:
    """A way to read coded texts.

    Attributes:
        method: in words.
        share: of the texts that read as English.
        decode: gives the plain text of another text in the same code.
        cut: how texts are cut into signs, of a key that was solved.
        key: what each of the signs stands for.
    """

    method: str
    share: float
    decode: Callable[[str], str]
    cut: Cut | None = None
    key: dict[str, str] | None = None


def read_code(texts: Sequence[str]) -> Reading | None:
    """The way by which most of these texts read as English; None if there is none."""
    some = list(texts[:TRIED])
    if not some or fluent_share(some) > PLAIN:
        return None
    best: Reading | None = None
    for name, decoder in decoders():
        share = fluent_share([decoder(text) for text in some])
        if share >= READ and (best is None or share > best.share):
            best = Reading(name, share, decoder)
    return best or _solved(some)


def _solved(texts: Sequence[str]) -> Reading | None:
    best: Reading | None = None
    for cut in cuts(texts):
        key = solve(texts, cut)
        share = fluent_share([apply(key, cut, text) for text in texts])
        if share >= READ and (best is None or share > best.share):
            name = f"letters replaced by a key ({cut.name})"
            best = Reading(name, share, partial(apply, key, cut), cut, key)
    return best
