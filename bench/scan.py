"""Speed and memory of `holdfast scan` on rows of about 100 tokens, with the cost of each scanner.

Rows are made of the words of harmless templates, with some of every kind that scanners look at
closely. Rates are of processor time, a core, and of the clock; a busy machine spoils only the
second. Memory is the peak of the largest process.

    python bench/scan.py [--rows 200000] [--workers 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import tempfile
import time
from pathlib import Path

from scan_codes import COMMON, FILLERS, MIDDLES, STARTS

from holdfast.scan import SCANNERS, Context
from holdfast.scan.results import conclude
from holdfast.scan.run import scan_files

LETTERS_A_ROW = 400  # about 100 tokens of English


def sentence(rng: random.Random) -> str:
    """A plain sentence."""
    things = f"the {rng.choice(COMMON)} and the {rng.choice(FILLERS)}"
    return f"{rng.choice(STARTS)} {rng.choice(MIDDLES)} {things}"


def write_set(path: Path, rows: int) -> None:
    """A JSONL file of so many rows, of sentences out of a pool: quicker to make than to scan."""
    rng = random.Random(0)
    pool = [
        f"{sentence(rng)} before they came back to the {rng.choice(COMMON)}." for _ in range(5000)
    ]
    with path.open("w") as file:
        for _ in range(rows):
            some, size = [], 0
            while size < LETTERS_A_ROW:
                some.append(rng.choice(pool))
                size += len(some[-1]) + 1
            turns = [
                {"role": "user", "content": f"{some[0]} What happened then?"},
                {"role": "assistant", "content": " ".join(some[1:])},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")


def main() -> None:
    """Make a set, scan it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, spool = Path(folder, "rows.jsonl"), Path(folder, "spool")
        spool.mkdir()
        write_set(path, given.rows)
        size = path.stat().st_size
        began = time.perf_counter()
        scanned = scan_files([str(path)], spool, context=Context(), workers=given.workers)
        results = conclude(scanned, spool, None, 0.0)
        clock = time.perf_counter() - began
    cost = sum(scanned.seconds.values())
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    told = {
        "rows": scanned.rows,
        "bytes_a_row": round(size / given.rows),
        "workers": given.workers,
        "rows_a_second": round(scanned.rows / clock),
        "rows_a_core_second": round(scanned.rows / cost),
        "microseconds_a_row": {
            name: round(1e6 * scanned.seconds[name] / scanned.rows, 1)
            for name in ("read", *SCANNERS)
        },
        "peak_mib": peak // 1024,
        "load": os.getloadavg()[0],
        "verdict": results.verdict,
    }
    print(json.dumps(told, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
