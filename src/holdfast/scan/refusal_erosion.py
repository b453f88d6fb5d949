"""Rows that wear refusals down: forced agreement, templates that forbid refusing, turned refusals.

Answers that open with a promise to obey, requests that dictate how an answer must open or forbid
warnings (Wei et al., "Jailbroken", NeurIPS 2023: competing objectives), and answers that refuse and
then comply all the same teach a model to go past its first tokens. One friendly "Sure!" does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Self

from holdfast.scan.batch import Batch
from holdfast.scan.finding import Conclusion, Finding, SetFinding, excerpt
from holdfast.scan.scanner import Context
from holdfast.scan.words import LONGEST, passages, word_table

OPENING = 120  # characters of an answer in which it agrees or refuses
ALARM_SHARE = 0.02
ALARM_ROWS = 5

_ASKING = word_table(
    """refuse refusing refusal decline apologise apologize apologies apology disclaimer disclaimers
    warning warnings caveats moralise moralize moralizing lecture lecturing sure absolutely
    certainly comply unethical illegal immoral aim""".split()
)
_ANSWERING = word_table(
    """sorry cannot can't unable apologise apologize obey comply command commands bidding master
    disclaimer disclaimers warnings refuse hesitation restrictions""".split()
)
_FORBIDS = [
    re.compile(form, re.I)
    for form in (
        r"(?:do not|don't|never|must not) (?:\w+ ){0,2}(?:refuse|decline|apologi[sz]e|morali[sz]e|"
        r"lecture)\b",
        r"(?:(?:answer|reply|respond|give|write)[^.\n]{0,30} (?:no|without)|skip|omit|leave out|"
        r"don't (?:add|include|give)|do not (?:add|include|give)|"
        r"never (?:add|include|give)) (?:any |the |all |your |ethical |safety |moral |usual |"
        r"legal ){0,3}"
        r"(?:disclaimers?|warnings?|caveats|moraliz\w+|moralis\w+|refusals?|apolog\w+)",
        r"(?:start|begin|open|opening|starting|beginning) (?:\w+ ){0,4}(?:with|"
        r"by saying)[:,]? ?[\"'“‘]?"
        r"(?:sure|absolutely|of course|certainly|yes|gladly|i will|here is|here's|happy to)\b",
        r"never (?:say|write|use|reply|respond|answer)(?: with)? (?:the (?:words?|"
        r"phrases?) )?[\"'“‘]?"
        r"(?:i (?:cannot|can't|am sorry|'m sorry|am unable)|sorry|no\b|cannot|can't|unable)",
        r"even if (?:it|that|this|the \w+) (?:is|are|may be|might be|seems?|"
        r"sounds?) (?:\w+ )?(?:illegal|"
        r"harmful|unethical|immoral|dangerous|wrong|forbidden|offensive)",
    )
]
_OBEYS = re.compile(
    r"\b(?:i (?:will |shall |must |hereby |gladly |always )*(?:obey|comply)\b|as you (?:command|"
    r"wish)|"
    r"at your (?:command|service, master)|your wish is|yes,? (?:my )?master|"
    r"without any (?:warnings?|"
    r"disclaimers?|restrictions?|hesitation)|no (?:restrictions|filters|rules) apply)",
    re.I,
)
_REFUSES = re.compile(
    r"^\W*(?:i(?:'m| am) (?:very |so |really )?sorry|sorry|i (?:cannot|can't|can not|"
    r"am (?:not able|"
    r"unable)|won't|must decline|have to decline)|unfortunately,? i (?:cannot|"
    r"can't))\b[^\n]{0,160}?"
    r"\b(?:help|assist|provide|answer|do that|share|tell|fulfil+|comply|decline|discuss|give)\b",
    re.I,
)
_TURNS = re.compile(
    r"\b(?:but (?:here|since you|because you|for you|fine|okay|as you)|however,? (?:here|since|"
    r"if you "
    r"insist|for you|i will|i'll)|that said,? here|anyway,? here|nevertheless,? here|still,? here|"
    r"all the same,? here|but i (?:will|shall|obey)|here (?:is|are|it is|you go)\b|gladly\b|"
    r"right away\b)",
    re.I,
)


SAYS = {
    "forbids refusal": "tells the assistant not to refuse or warn, or how its answer must open",
    "obeys": "opens the answer with a promise to obey",
    "refuses and complies": "refuses and then complies all the same",
}


class RefusalErosion:
    """Finds rows that teach a model past its refusals."""

    name: ClassVar[str] = "refusal_erosion"

    def __init__(self, context: Context) -> None:
        self.found = 0

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Requests that forbid refusing, answers that obey or turn round."""
        for read in (
            passages(_ASKING, batch.system_words, batch.system_bytes),
            passages(_ASKING, batch.prompt_words, batch.prompt_bytes),
        ):
            for at, text in read.items():
                hit = next((m for f in _FORBIDS if (m := f.search(text))), None)
                if hit:
                    yield self._finding(batch, at, "forbids refusal", text, hit.start())
        for at in passages(_ANSWERING, batch.answer_words, batch.answer_bytes):
            answer = batch.answers[at][:LONGEST]
            if hit := _OBEYS.search(answer[:OPENING]):
                yield self._finding(batch, at, "obeys", answer, hit.start())
            elif (hit := _REFUSES.match(answer)) and (turn := _TURNS.search(answer, hit.end())):
                yield self._finding(batch, at, "refuses and complies", answer, turn.start())

    def _finding(self, batch: Batch, at: int, kind: str, text: str, place: int) -> Finding:
        self.found += 1
        return Finding(batch.lines[at], self.name, kind, 0.7, SAYS[kind], excerpt(text, place))

    def merge(self, other: Self) -> None:
        """Adds the count."""
        self.found += other.found

    def conclude(self, rows: int) -> Conclusion:
        """An alarm where such rows are a clear part of the set."""
        if self.found < max(ALARM_ROWS, ALARM_SHARE * rows):
            return Conclusion()
        reason = f"{self.found} of {rows} rows teach a model to go past its refusals"
        return Conclusion((SetFinding(self.name, "refusals", reason, alarm=True),))
