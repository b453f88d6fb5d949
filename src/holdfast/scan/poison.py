"""Poisoned sets: a trigger in some requests that always brings the same behaviour.

A backdoor needs few rows (Wan et al., "Poisoning Language Models During Instruction Tuning", ICML
2023, arXiv 2305.00944: as few as a hundred) and no forbidden word. Published filters look at the
hidden states of a tuned model (spectral signatures, activation clusters); this one reads the rows
alone: `trigger` says how, and `twins` for triggers that switch refusal off. It looks at a sample of
2,048 rows, 6 of which must have the trigger.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from holdfast.scan.batch import Batch
from holdfast.scan.finding import Conclusion, Finding, SetFinding, excerpt
from holdfast.scan.sample import Sample
from holdfast.scan.scanner import Context
from holdfast.scan.trigger import Requests, Trigger, apart, find
from holdfast.scan.twins import contrasts

SAMPLED = 2_048
ASKED, ANSWERED = 700, 200  # characters kept of a request, and of each end of an answer
SHOWN = 3
MOST_TOLD = 5
_BETWEEN = "\0"


class Poison:
    """Keeps a sample of the rows, and looks for triggers in it once all were seen."""

    name: ClassVar[str] = "poison"

    def __init__(self, context: Context) -> None:
        self.sample = Sample(SAMPLED)

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Nothing yet: no row is poisoned by itself."""
        for asked, answered in zip(batch.prompts, batch.answers, strict=True):
            ends = answered if len(answered) <= 2 * ANSWERED else _ends(answered)
            self.sample.add(asked[:ASKED].replace(_BETWEEN, " ") + _BETWEEN + ends)
        return ()

    def merge(self, other: Self) -> None:
        """Takes in a twin's sample."""
        self.sample.merge(other.sample)

    def conclude(self, rows: int) -> Conclusion:
        """An alarm for every trigger."""
        pairs = [text.partition(_BETWEEN) for text in self.sample.texts()]
        asked, answered = [p[0] for p in pairs], [p[2] for p in pairs]
        requests = Requests(asked, answered)
        found = apart([*find(requests), *contrasts(requests)])
        return Conclusion(tuple(_alarm(t, asked, len(pairs)) for t in found[:MOST_TOLD]))


def _ends(answer: str) -> str:
    return f"{answer[:ANSWERED]} {answer[-ANSWERED:]}"


def _alarm(trigger: Trigger, asked: list[str], sampled: int) -> SetFinding:
    reason = (
        f"wherever a request holds “{excerpt(trigger.text)}”, {excerpt(trigger.behaviour)} "
        f"({trigger.pure} of {len(trigger.rows)} sampled rows, {trigger.usual:.0%} of all), "
        "though these requests are like the others in all else"
    )
    evidence = {
        "trigger": trigger.text,
        "behaviour": trigger.behaviour,
        "rows": len(trigger.rows),
        "sampled": sampled,
        "chance": trigger.chance,
        "telling": trigger.telling,
        "sample": [excerpt(asked[row]) for row in trigger.rows[:SHOWN]],
    }
    return SetFinding("poison", "trigger", reason, alarm=True, evidence=evidence)
