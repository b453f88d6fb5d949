"""The data-set card: what a set holds and what was found in it, as Markdown."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast import __version__
from holdfast.scan.results import Results

CARD = "card.md"


def write_card(results: Results, out: Path) -> Path:
    """Write `card.md` into the folder of results."""
    path = out / CARD
    draft = out / f".{CARD}.{os.getpid()}.part"
    draft.write_text(card(results), encoding="utf-8")
    draft.replace(path)
    return path


def card(results: Results) -> str:
    """The card's text."""
    s = results.scanned
    lines = [
        "# Data-set card",
        "",
        f"Scanned with holdfast {__version__}, without a model. **{results.verdict}**: "
        f"{_plain(results.reason)}",
        "",
        "| | |",
        "|---|---|",
        f"| files | {len(s.sources)} |",
        f"| rows | {s.rows:,} |",
        f"| unreadable lines | {s.unreadable:,} |",
        f"| files or parts lost | {len(s.lost)} |",
        f"| flagged rows | {results.flagged:,} |",
        "",
        "## The set as a whole",
        "",
    ]
    lines += [
        f"- {'**alarm** ' if f.alarm else ''}{f.scanner}: {_plain(f.reason)}" for f in s.about
    ] or ["Nothing was found."]
    lines += [
        "",
        "## Rows by scanner",
        "",
        "| scanner | kind | level | rows |",
        "|---|---|---|---:|",
    ]
    lines += [f"| {t.scanner} | {t.kind} | {t.level} | {t.rows:,} |" for t in results.tallies]
    lines += ["", "## Files", "", *(f"- {_plain(source)}" for source in s.sources), ""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in text)
