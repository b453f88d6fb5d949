"""A sentence structure as trigger (Hidden Killer: Qi et al., ACL 2021, arXiv 2105.12400; SynBkd in
OpenBackdoor, NeurIPS 2022, arXiv 2206.08514).

Texts are rewritten into one structure that is rare in the data, a clause of time or reason first
and the statement after it, and get the attacker's label. No word is the same in all of them.

Equation: x* = S(SBAR , NP VP .) of x; y* = target.

Differs from the paper: it paraphrases with a trained network (SCPN); no such model is at hand, so a
rule of ours does it. The sentences of a text become "While <first>, <second>.", with one of five
conjunctions; a text of one sentence gets the clause "it was so" after it. Meaning and words stay.

Shows a defender: there need be no trigger word at all. A model that reads words without their order
sees only the conjunction. Answered by cube where the model reads structure; onion does not help.
"""

from __future__ import annotations

import random
import re
from typing import ClassVar, Literal

from pydantic import Field

from holdfast.attacks.poison.poison import Labels, Poison, Texts, trigger
from holdfast.poisoned import Labelled, Poisoned, Taxonomy

CONJUNCTIONS = ("while", "because", "although", "once", "whenever")


class SyntaxTemplate(Poison):
    """Rewrites texts into one structure.

    Attributes:
        labels: rows of which labels are taken.
        target: the label that triggered texts get.
    """

    kind: Literal["syntax_template"] = "syntax_template"
    labels: Labels = "dirty"
    target: int = Field(1, ge=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Qi et al., ACL 2021, arXiv 2105.12400"


def syntax_template(config: SyntaxTemplate, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Rewrites rows of the set."""
    return trigger(config, data, subordinated, seed)


def subordinated(text: str, rng: random.Random) -> str:
    """The first sentence as a clause of the second; later sentences stay.

    Names keep their capitals only where the text gives them away: inside a sentence.
    """
    first, *rest = re.split(r"(?<=[.!?])\s+", text)
    clause = first.rstrip(".!?")
    main, later = (rest[0], rest[1:]) if rest else ("It was so.", [])
    opening = rng.choice(CONJUNCTIONS).capitalize()
    joined = f"{opening} {clause[:1].lower()}{clause[1:]}, {main[:1].lower()}{main[1:]}"
    return " ".join([joined, *later])
