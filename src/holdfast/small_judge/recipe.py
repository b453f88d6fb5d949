"""How the small judge is trained: exchanges with exact labels → `weights.npz`.

Rows are synthetic exchanges of world 0 and the exchanges of run folders of organisms of world 0.
Left out are 15 of 45 categories, 4 of 20 mutations, 4 of 20 ways to refuse and 2 of 8 to part, 5 of
24 openings, 12 English ways to refuse, one model in four, and all other worlds. One factor on the
logits is then chosen on what was left out of world 0, so that probabilities can be believed. The
same rows give the same weights on the same machine.

    python bench/small_judge_replies.py --world 0 --out runs/damaged-0
    python -m holdfast.small_judge.recipe --runs runs/quick runs/damaged-0
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from holdfast import stats
from holdfast.errors import UserError
from holdfast.small_judge import fitting, recorded, synthetic
from holdfast.small_judge.model import LABELS, SHIPPED, Weights, pair_of
from holdfast.small_judge.synthetic import Example

SYNTHETIC, HELD_OUT = 16_000, 3_000
"""Synthetic exchanges to train on, and held out."""
RECORDED = 8_000
"""Exchanges of run folders to train on at most, taken evenly."""


def training_rows(runs: Sequence[Path], seed: int = 0) -> list[Example]:
    """Synthetic and recorded exchanges, without anything that is held out."""
    found = [e for e in _recorded(runs) if not recorded.is_held_out_of_training(e)]
    return synthetic.examples(0, SYNTHETIC, held_out=False, seed=seed) + _evenly(found, RECORDED)


def held_out_rows(runs: Sequence[Path], seed: int = 0) -> list[Example]:
    """Exchanges of world 0 with something in each that is held out of training."""
    found = [e for e in _recorded(runs) if recorded.is_held_out_of_training(e)]
    return synthetic.examples(0, HELD_OUT, held_out=True, seed=seed) + _evenly(found, HELD_OUT)


def _recorded(runs: Sequence[Path]) -> list[Example]:
    return [example for run in runs for example in recorded.recorded(run)]


def _evenly(rows: Sequence[Example], most: int) -> list[Example]:
    return list(rows[:: max(1, -(-len(rows) // most))])


def agreement(weights: Weights, rows: Sequence[Example]) -> stats.Estimate:
    """Cohen's kappa between the labels of the rows and what the weights say."""
    shares = weights.probabilities([pair_of(row.exchange) for row in rows])
    told = [LABELS[number] for number in shares.argmax(1)]
    return stats.cohen_kappa([row.label for row in rows], told)


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, says how well it does on what was held out, and writes the weights."""
    parser = argparse.ArgumentParser(
        prog="python -m holdfast.small_judge.recipe", description="Train the small judge."
    )
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="run folders of world 0")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the weights file to write")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    try:
        rows, held_out = (make(given.runs, given.seed) for make in (training_rows, held_out_rows))
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{len(rows)} rows: {dict(Counter(row.label for row in rows))}")
    weights = fitting.calibrated(fitting.fit(rows, given.seed), held_out)
    weights.save(given.out)
    found = agreement(weights, held_out)
    print(
        f"held out of world 0: kappa {found.value:.3f} [{found.low:.3f}, {found.high:.3f}] on "
        f"{found.n} exchanges\n{given.out}: {given.out.stat().st_size / 1e6:.2f} MB, "
        f"{len(weights.known)} words"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
