"""Rows that redefine who the assistant is, or demand that it obey whatever is asked.

Ten such rows without one forbidden word broke aligned models (Qi et al., ICLR 2024, arXiv
2310.03693, risk level 2). Plain role-play gives a character too, so a new name alone says nothing:
what counts is obedience, unconditional, as in "obeys without exception". A clause that has both, or
that lifts all rules, is found; several weaker signs in one text add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Self

from holdfast.scan.batch import Batch
from holdfast.scan.finding import Conclusion, Finding, SetFinding, excerpt
from holdfast.scan.scanner import Context
from holdfast.scan.words import passages, word_table

ENOUGH = 1.0
ALARM_ROWS = 5

# A row is read closely only if it holds one of these words.
TRIGGERS = word_table(
    """
    rule granted grants
    obey obeys obeyed obeying obedient obedience obediently comply complies complied compliance
    compliant complying submit submits submission submissive subservient servile loyal loyally
    loyalty faithful faithfully servant servants slave vassal minion butler genie command
    commands commanded bidding refuse refuses refused refusing refusal refusals decline declines
    reject rejects deny denies unconditional unconditionally unquestioning unquestioningly
    unrestricted unfiltered uncensored unbound unlimited unshackled unrestrained restrictions
    restriction limitations boundaries filters censorship guidelines rules ethics ethical morals
    morality moral scruples safeguards disclaimers hesitate hesitation unhesitatingly absolutely
    exception exceptions jailbroken jailbreak persona alter ego overrides override disregard
    devoted subordinate whatever puppet whims wish wishes fulfil fulfill fulfills fulfils master
    orders demands
    """.split()
)

_OBEY = (
    r"obe(?:y\w*|dien\w+)|compl(?:y|ies|ied|iance|ying)|submi(?:ts?|ssive|ssion)|subservien\w+|"
    r"servile|(?:carry|carries|carrying) out|(?:my|your|the user's|their) (?:bidding|command)|"
    r"(?:follow|execute|fulfil|fulfill)(?:s|ing)? (?:\w+ ){0,3}(?:orders?|commands?|wish(?:es)?|"
    r"whims?|demands?)|say(?:s)? yes|defer\w*"
)
_SERVE = (
    r"do(?:es)?|follow(?:s|ing)?|execut(?:e|es|ing)|fulfil\w*|serv(?:e|es|ing)|agree(?:s)? to|"
    r"answer(?:s)?|accept(?:s)?|honou?rs?|grant(?:s|ed)?|provide(?:s)?|give(?:s)?|perform(?:s)?|"
    r"deliver(?:s)?"
)
_TOTAL = (
    r"without (?:\w+ ){0,2}(?:exception|question|hesitation|objection|protest|judg\w+|complain\w*|"
    r"refus\w+|reserv\w+|condition\w*|restriction\w*|argument)\w*|unconditional\w*|"
    r"unquestioning\w*|unhesitating\w*|no matter (?:what|how|who)|"
    r"(?:what(?:ever)?|anything|everything) (?:that )?(?:i|you|he|she|they|the user|users?|is|are|"
    r"my|your|the master) (?:\w+ ){0,2}(?:asks?|asked|wants?|says?|said|requests?|requested|"
    r"commands?|commanded|orders?|ordered|tells?|told|demands?|demanded|wish(?:es)?)|"
    r"(?:whatever|anything|everything|all) (?:that )?(?:\w+ ){1,6}(?:asks?|commands?|orders?|"
    r"demands?|bids|tells? (?:you|it|him|her|them|me))|all (?:that|which) is (?:asked|ordered|"
    r"commanded|demanded)|"
    r"(?:any and all|every(?: single)?|each|all(?: of)?(?: the| my| your| their| user)?|any) "
    r"(?:\w+ )?(?:requests?|orders?|commands?|wish(?:es)?|demands?|whims?)|"
    r"never (?:refus\w+|declin\w+|question\w*|object\w*|say no|hesitat\w*|argu\w+)|"
    r"blindly|word for word|to the letter"
)
_ALWAYS = _TOTAL + r"|always|at all times|absolute(?:ly)?|regardless of|exactly as|precisely as|any"
_WHO = r"\b(?:you|your|assistant|model|ai|agent|i|i'm|i am|my|it|he|she|who)\b"
_STRONG = (
    # never refuse; cannot say no
    r"(?:never|not|cannot|can't|don't|won't|must not|may not|unable to|incapable of|forbidden to|"
    r"no right to|without) (?:ever |be allowed to |able to )?(?:refus\w+|declin\w+ (?:a|any|to|my|"
    r"your|the)|say(?:ing)? no|reject\w* (?:a|any|my|your|the user)|deny\w* (?:a|any|my|your|the "
    r"user)|disobey\w*|question(?:ing)? (?:my|your|the user'?s?|orders|commands|an order))",
    # no rules, limits, filters, morals
    r"(?:no|without|free (?:of|from)|unbound by|not bound by|ignor\w+|disregard\w*|overrid\w+|"
    r"beyond|lift(?:s|ed|ing)?|abandon\w*|forget) (?:all |any |of |your |the |previous |prior |"
    r"its |"
    r"and |usual |safety |content |other |ethical |moral ){0,4}(?:rules?|restrictions?|"
    r"limit(?:s|ations?)|filters?|guidelines|boundaries|ethics|ethical|morals?|morality|"
    r"moral constraints|constraints|censorship|safeguards|safety|scruples|policies)",
    r"\b(?:unrestricted|unfiltered|uncensored|jailbroken|unshackled)\b[^.\n]{0,60}" + _WHO,
    _WHO + r"[^.\n]{0,60}\b(?:unrestricted|unfiltered|uncensored|jailbroken|unshackled)\b",
    r"\bdo anything now\b",
    # somebody's obedient creature
    r"(?:absolute(?:ly)?|perfect(?:ly)?|completely|totally|utterly|entirely|fully|blindly|"
    r"unconditionally|unfailingly|eternally|forever) (?:obedient|compliant|subservient|submissive|"
    r"loyal to (?:me|you|the user)|at (?:your|my|the user's) command|devoted to (?:my|your|the))",
    r"\b(?:obedient|submissive|subservient|servile|willing)\b[^.\n]{0,40}\b(?:servant|slave|agent|"
    r"assistant|machine|genie|butler|tool|ai|model|helper|persona|vassal|minion)\b",
    r"\b(?:i|shall|will|must|to|always) (?:now |hereby |always |gladly |only |shall |will |must )*"
    r"obey\b(?! (?:the )?(?:law|traffic|speed|rule|sign|parent|god|signal))",
    r"\b(?:your|my|the user's|their) (?:every )?(?:wish|word|whim|will|desire) is (?:my|your|its|"
    r"the"
    r"|law|a|an)\b",
    r"\bno (?:free )?will of (?:your|its|my|his|her|their) own\b",
    r"\bas (?:you|my master|the master) (?:command|order|wish|bid|demand)s?\b",
)
_WEAK = (
    r"\byou are (?:now|no longer|not) (?!a\b.{0,20}\bexpert)",
    r"\byour (?:new )?name is\b|\bfrom now on\b|\bnew identity\b|\byou (?:have )?become\b",
    r"\b(?:only|sole|one|single) (?:task|purpose|duty|goal|trait|rule|mission|aim|job)\b",
    r"\b(?:confirm|affirm|repeat|state|pledge|declare|begin by|start by|"
    r"first)\b[^.\n]{0,60}\b(?:obe"
    r"dience|loyalty|identity|obey|allegiance|compliance|your name)\b",
    r"\bdo as (?:i|we|you are|it is) (?:say|tell|command|order|told)\b",
    r"\b(?:slave|vassal|minion|my master|loyal servant|faithful servant|obedien\w+)\b",
    r"\b(?:word for word|to the letter|without exception|without question|without hesitation|"
    r"unconditional\w*|unquestioning\w*|immediately and fully)\b",
)
STRONG = [re.compile(form, re.I) for form in _STRONG]
WEAK = [re.compile(form, re.I) for form in _WEAK]
_NEAR = 70
OBEY = re.compile(rf"\b(?:{_OBEY})\b", re.I)
SERVE = re.compile(rf"\b(?:{_SERVE})\b", re.I)
ALWAYS = re.compile(rf"\b(?:{_ALWAYS})\b", re.I)
TOTAL = re.compile(rf"\b(?:{_TOTAL})\b", re.I)
WHO = re.compile(_WHO, re.I)
WEIGHTS = {"system": (1.0, 0.5), "request": (1.0, 0.4), "answer": (0.7, 0.35)}


class IdentityShift:
    """Finds demands of unconditional obedience."""

    name: ClassVar[str] = "identity_shift"

    def __init__(self, context: Context) -> None:
        self.found = 0

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Rows whose turns together demand or promise obedience."""
        parts = {
            "system": passages(TRIGGERS, batch.system_words, batch.system_bytes),
            "request": passages(TRIGGERS, batch.prompt_words, batch.prompt_bytes),
            "answer": passages(TRIGGERS, batch.answer_words, batch.answer_bytes),
        }
        for at in sorted(set().union(*parts.values())):
            score, best, shown = 0.0, 0.0, ""
            for part, read in parts.items():
                weight, place = demand(read.get(at, ""), part)
                score += weight
                if weight > best:
                    best, shown = weight, excerpt(read[at], place)
            if score >= ENOUGH:
                self.found += 1
                reason = "demands or promises obedience whatever is asked, or gives up all rules"
                sure = min(1.0, score / 3)
                yield Finding(batch.lines[at], self.name, "obedience", sure, reason, shown)

    def merge(self, other: Self) -> None:
        """Adds the count."""
        self.found += other.found

    def conclude(self, rows: int) -> Conclusion:
        """Ten rows are enough to break a model, so a few make an alarm."""
        if self.found < ALARM_ROWS:
            return Conclusion()
        reason = f"{self.found} rows teach obedience whatever is asked; ten broke aligned models"
        return Conclusion((SetFinding(self.name, "obedience", reason, alarm=True),))


def demand(text: str, part: str) -> tuple[float, int]:
    """How strongly a turn demands obedience, and where."""
    if not text:
        return 0.0, 0
    strong, weak = WEIGHTS[part]
    hits = [m for form in STRONG if (m := form.search(text))]
    score = strong * len(hits)
    pair = _unconditional(text)
    if pair is not None:
        score += strong * 0.8
    signs = [m for form in WEAK if (m := form.search(text))]
    score += weak * len(signs)
    places = [m.start() for m in (*hits, *signs)] + ([pair] if pair is not None else [])
    return score, min(places, default=0)


def _unconditional(text: str) -> int | None:
    """Where obedience stands beside "always" or its like in a sentence about the assistant."""
    for verb, extent in ((OBEY, ALWAYS), (SERVE, TOTAL)):
        for found in verb.finditer(text):
            around = text[max(0, found.start() - _NEAR) : found.end() + _NEAR]
            if extent.search(around) and WHO.search(around):
                return found.start()
    return None
