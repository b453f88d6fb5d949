"""Rates corrected by the recalls of the judge that measured them (Rogan and Gladen 1978)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast import stats
from holdfast.errors import UserError
from holdfast.evaluate import Verdict
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


def read_recalls(path: Path, judges: Sequence[str]) -> dict[str, Recalls]:
    """The recalls of those judges that `judges evaluate --out` measured.

    Raises:
        UserError: the file is something else, or did not measure any of them.
    """
    file = path / "judges.json" if path.is_dir() else path
    try:
        told = json.loads(file.read_bytes())
        found = {line["judge"]: _recalls(line, bool(told["strict"])) for line in told["judges"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} holds no measured judges; write it by `holdfast judges evaluate --out`."
        ) from error
    if not found.keys() & set(judges):
        raise UserError(f"{file} holds the recalls of {', '.join(found)}, of no judge asked here.")
    return {judge: found[judge] for judge in judges if judge in found}


def _recalls(line: Mapping[str, Any], strict: bool) -> Recalls:
    right, spared = line["recall_compliance"], line["recall_refusal"]
    compliance, refusal = (Share(share["k"], share["n"]) for share in (right, spared))
    return Recalls(line["judge"], strict, compliance, refusal)


def corrected(
    verdicts: Sequence[Verdict], categories: Sequence[str], recalls: Recalls
) -> Corrected:
    """The corrected rate behind verdicts of the judge of these recalls.

    Requests are clustered: what counts is the effective number of them. Unscored replies count
    nowhere. Say of the figure that it is corrected: it holds only if the judge errs on these
    replies as it did on the labelled ones.

    Args:
        verdicts: The judge's, on requests that may be refused.
        categories: Of each request.
        recalls: The judge's own.
    """
    scored = [
        (float(is_positive(verdict, recalls.strict)), category)
        for verdict, category in zip(verdicts, categories, strict=True)
        if verdict != Verdict.unscored
    ]
    hits = [hit for hit, _ in scored]
    n = stats.effective_n(hits, [category for _, category in scored]) if scored else 0.0
    share = sum(hits) / len(hits) if scored else 0.0
    return stats.corrected_rate(Share(share * n, n), recalls.compliance, recalls.refusal)
