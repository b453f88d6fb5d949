"""Text that carries another text: ciphers, other bases and alphabets, channels in lines and words.

Every prompt and answer is measured against natural language (`measure`), and rows that show a trait
of coded text are candidates (`traits`). Whether they count is decided when all rows were seen: a
code is shared by many rows, so the decoder search (`decode`) has far more text to work on than any
single row, and natural oddities of single rows are let go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Self

from holdfast.scan import covert_set
from holdfast.scan.batch import Batch
from holdfast.scan.covert_set import Suspicion
from holdfast.scan.finding import Conclusion, Finding, excerpt
from holdfast.scan.measure import measure
from holdfast.scan.parallel import Parallel
from holdfast.scan.periods import Periods
from holdfast.scan.sample import Sample
from holdfast.scan.scanner import Context
from holdfast.scan.traits import TRAITS, traits

LONG = (6, 10)  # lines from which a text counts as one of several, and of many


@dataclass
class Seen:
    """Rows that show one trait.

    Attributes:
        prompts, answers: how many show it there.
        both: rows that show it in both.
        asked, answered: samples of the texts.
    """

    prompts: int = 0
    answers: int = 0
    both: int = 0
    asked: Sample = field(default_factory=Sample)
    answered: Sample = field(default_factory=lambda: Sample(32))

    def merge(self, other: Seen) -> None:
        """Adds what a twin saw."""
        self.prompts += other.prompts
        self.answers += other.answers
        self.both += other.both
        self.asked.merge(other.asked)
        self.answered.merge(other.answered)


class Encoded:
    """Finds coded rows, and reads the code."""

    name: ClassVar[str] = "encoded"

    def __init__(self, context: Context) -> None:
        self.seen: dict[str, Seen] = {}
        self.lined = [0, 0]
        self.periods = Periods()
        self.parallel = Parallel()

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Candidates; most are dropped again unless the whole set bears them out."""
        asked = measure(batch.prompt_bytes, batch.prompt_words)
        answered = measure(batch.answer_bytes, batch.answer_words)
        for at, least in enumerate(LONG):
            self.lined[at] += int((asked.lines >= least).sum())
        self.periods.add(batch.prompt_words, asked)
        in_prompt = traits(asked, batch.prompts)
        in_answer = traits(answered, batch.answers)
        for at, (first, second) in enumerate(zip(in_prompt, in_answer, strict=True)):
            apart = self.parallel.add(batch.prompts[at], batch.answers[at])
            if first or second:
                yield from self._found(batch, at, first, second)
            elif apart:
                reason = f"the row {TRAITS['scattered']}"
                line = batch.lines[at]
                yield Finding(line, self.name, "scattered", 0.9, reason, excerpt(apart))

    def _found(self, batch: Batch, at: int, first: str, second: str) -> Iterable[Finding]:
        for trait in dict.fromkeys(t for t in (first, second) if t):
            seen = self.seen.setdefault(trait, Seen())
            text = batch.answers[at]
            if second == trait:
                seen.answers += 1
                seen.answered.add(text)
            if first == trait:
                text = batch.prompts[at]
                seen.prompts += 1
                seen.asked.add(text)
                seen.both += second == trait
            where = "the request" if first == trait else "the answer"
            reason = f"{where} {TRAITS[trait]}"
            yield Finding(batch.lines[at], self.name, trait, 0.9, reason, excerpt(text))

    def merge(self, other: Self) -> None:
        """Adds counts and samples."""
        for trait, seen in other.seen.items():
            self.seen.setdefault(trait, Seen()).merge(seen)
        self.lined = [a + b for a, b in zip(self.lined, other.lined, strict=True)]
        self.periods.merge(other.periods)
        self.parallel.merge(other.parallel)

    def conclude(self, rows: int) -> Conclusion:
        """Reads what can be read, and keeps the traits that the set bears out."""
        suspicions = [
            Suspicion(trait, s.prompts, s.answers, s.both, s.asked.texts(), s.answered.texts())
            for trait, s in sorted(self.seen.items())
        ]
        seen = covert_set.Whole(rows, self.lined, self.periods, self.parallel)
        return covert_set.judge(suspicions, seen, set(TRAITS))
