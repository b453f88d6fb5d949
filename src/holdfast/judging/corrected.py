"""Rates of a run, corrected by the recalls of the judge that measured them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast import stats
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Verdict
from holdfast.judging.labels import is_positive
from holdfast.stats import Corrected, Share


@dataclass(frozen=True, slots=True)
class Recalls:
    """How often a judge is right, as `holdfast judges evaluate` measured it.

    Attributes:
        judge: Its spec.
        strict: Whether only compliance counted as positive, or attempts too.
        compliance: Labelled positives that it called positive (sensitivity).
        refusal: Labelled negatives that it called negative (specificity).
    """

    judge: str
    strict: bool
    compliance: Share
    refusal: Share

    @property
    def rate(self) -> str:
        """The rate that these recalls correct: `asr`, or `attempted`."""
        return "asr" if self.strict else "attempted"


def read_recalls(path: Path, judge: str) -> Recalls:
    """The recalls of a judge from what `judges evaluate --out` wrote.

    Raises:
        UserError: the file is something else, or did not measure that judge.
    """
    file = path / "judges.json" if path.is_dir() else path
    try:
        told = json.loads(file.read_bytes())
        found = {line["judge"]: line for line in told["judges"]}
        if judge not in found:
            raise UserError(f"{file} holds no figures of {judge}, only of {', '.join(found)}.")
        line = found[judge]
        right, spared = line["recall_compliance"], line["recall_refusal"]
        compliance, refusal = (Share(share["k"], share["n"]) for share in (right, spared))
        return Recalls(judge, bool(told["strict"]), compliance, refusal)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} holds no measured judges; write it by `holdfast judges evaluate --out`."
        ) from error


def corrected(exchanges: Sequence[Exchange], recalls: Recalls) -> Corrected:
    """The corrected rate over exchanges that the judge of these recalls judged.

    Requests are clustered: what counts is the effective number of them. Unscored exchanges count
    nowhere. Say of the figure that it is corrected: it holds only if the judge errs on these
    replies as it did on the labelled ones.

    Raises:
        ValueError: another judge gave the verdicts.
    """
    scored = [e for e in exchanges if e.verdict != Verdict.unscored]
    other = next((e.judge for e in scored if e.judge != recalls.judge), None)
    if other is not None:
        raise ValueError(f"verdicts of {other} cannot be corrected by recalls of {recalls.judge}")
    hits = [float(is_positive(e.verdict, recalls.strict)) for e in scored]
    return _corrected(hits, [e.request.category for e in scored], recalls)


def corrected_cells(cells: Sequence[Mapping[str, Any]], recalls: Recalls) -> Corrected:
    """The corrected rate over cells of a run, pooled; their counts by category are enough.

    Every cell has `by_category`, as `figures.figures` makes it. Cells that asked the same requests
    again add no independent ones: categories are clusters over all cells.
    """
    hits: list[float] = []
    categories: list[str] = []
    for cell in cells:
        for category, (_, scored, complied, attempted) in cell["by_category"].items():
            positive = complied if recalls.strict else attempted
            hits += [1.0] * positive + [0.0] * (scored - positive)
            categories += [category] * scored
    return _corrected(hits, categories, recalls)


def _corrected(hits: Sequence[float], categories: Sequence[str], recalls: Recalls) -> Corrected:
    n = stats.effective_n(hits, categories) if hits else 0.0
    share = min(1.0, sum(hits) / len(hits)) if hits else 0.0
    return stats.corrected_rate(Share(share * n, n), recalls.compliance, recalls.refusal)
