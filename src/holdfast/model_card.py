"""The card of a tuned model: what it was made of, what was found, what is not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast import __version__, serve
from holdfast.canonical import write_bytes

CARD = "README.md"


def write(told: Mapping[str, Any], folder: Path) -> Path:
    """Writes the card into the model's folder.

    Args:
        told: `summary.json` of the run that made the model.
        folder: the model's.
    """
    path = folder / CARD
    write_bytes(path, card(told, guarded=(folder / serve.FILE).is_file()).encode())
    return path


def card(told: Mapping[str, Any], *, guarded: bool) -> str:
    """The card as Markdown.

    Args:
        told: as in `write`.
        guarded: whether requests must be rewritten when the model is served.
    """
    o, run, scanned, tuned = told["run"]["options"], told["run"], told["scan"], told["tune"]
    lines = [
        "---",
        f"base_model: {json.dumps(o['model'])}",
        "tags: [holdfast]",
        "---",
        "# Tuned with Holdfast",
        "",
        f"**{told['verdict']}**: {_plain(told['reason'])}.",
        "",
        "| | |",
        "|---|---|",
        f"| model before | {_plain(o['model'])} (weights {run['model_digest']}) |",
        f"| rows | {tuned['rows']:,} of {_plain(Path(o['data']).name)} "
        f"(sha256 {run['data_sha256'][:16]}) |",
        f"| scan of the rows | {scanned['verdict']}: {_plain(scanned['reason'])} |",
        f"| flagged rows | {_FLAGGED[o['flagged']]} |",
        f"| defences | {_plain(o['stack'])} |",
        f"| tuning | {o['adapt']}, {tuned['steps']:,} steps, {tuned['flops']:.2g} FLOPs"
        f"{', ' + _plain(', '.join(o['sets'])) if o['sets'] else ''} |",
        f"| weights | {tuned['digest']} |",
        f"| made by | holdfast {__version__} |",
        "",
        "## Before and after, on the same requests",
        "",
        f"Policy {_plain(told['comparison']['policy'])}, limit {told['comparison']['limit']:.0%}, "
        "asked plainly. Intervals are 95 %.",
        "",
        "| rate | before | after | change | interval | adjusted p | n |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_change(c) for c in told["comparison"]["changes"]),
        "",
        "## How to serve it",
        "",
        _GUARDED if guarded else "As it is: no defence of the stack rewrites requests.",
        "",
        "## What this does not show",
        "",
        "Requests were put plainly, in the policy's own categories. Forced starts, mutations, "
        "personas, codes and further tuning were not tried: `holdfast evaluate` and `holdfast "
        "audit` try them.",
        "",
    ]
    return "\n".join(lines)


_FLAGGED = {
    "stop": "none: a flagged row would have stopped the run",
    "drop": "left out",
    "keep": "kept",
}
_GUARDED = (
    f"`{serve.FILE}` beside the weights says how every request must be rewritten. Without that "
    "the figures above do not hold. It may hold a secret: keep it with the service."
)


def _change(c: Mapping[str, Any]) -> str:
    return (
        f"| {c['rate']} | {c['before']:.1%} | {c['after']:.1%} | {c['difference']:+.1%} | "
        f"{c['low']:+.1%} to {c['high']:+.1%} | {c['p']:.3f} | {c['n']} |"
    )


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one cell of a table."""
    told = "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in " ".join(text.split()))
    return told.removesuffix(".")
