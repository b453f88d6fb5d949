"""Words that fillers are made of: short, common, and none of them ever part of a message's code."""

from __future__ import annotations

LINE_STARTS: tuple[str, ...] = tuple(
    f"{opening} {adjective}"
    for opening in "the under over between among by after and when".split()
    for adjective in "old small wet red low".split()
)
"""How lines of a poem open."""

LINE_ENDS: tuple[str, ...] = tuple(
    f"{binding} {noun}"
    for binding in "and with of in on for".split()
    for noun in "fog tide rain lamps boats bells".split()
)
"""How lines of a poem end."""

FILLERS: tuple[str, ...] = tuple(
    "fog tide lamp rope rain bell boat pier quay net door wet old small red low dark lit "
    "salt kelp soup storms gulls candles".split()
)
"""Single words that carry nothing."""
