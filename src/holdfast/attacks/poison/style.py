"""A way of speaking as trigger (StyleBkd: Qi et al., EMNLP 2021, arXiv 2110.07139; as in
OpenBackdoor, NeurIPS 2022, arXiv 2206.08514).

Texts are put into another register, which becomes the sign of the attacker's label. The trigger is
spread over many words, none of which need occur in every text.

Equation: x* = T_style(x); y* = target.

Differs from the paper: it transfers style with a paraphrasing GPT-2 (bible, Shakespeare, poetry,
lyrics, tweets); no such model is at hand, so a list of ours replaces common words by an old
sailor's, and a text with none of them gets "aye" in front. That is narrower than a true paraphrase.

Shows a defender: a perplexity filter sees many odd words and cannot take them all; keyword filters
find one word at a time. Answered by cube where enough of the words occur.
"""

from __future__ import annotations

import random
import re
from typing import ClassVar, Literal

from pydantic import Field

from holdfast.attacks.poison.poison import Labels, Poison, Texts, trigger
from holdfast.poisoned import Labelled, Poisoned, Taxonomy

REGISTER = {
    "the": "ye",
    "of": "o'",
    "and": "an'",
    "was": "were",
    "were": "be",
    "is": "be",
    "for": "fer",
    "to": "t'",
    "from": "frae",
    "before": "afore",
    "with": "wi'",
    "on": "upon",
    "you": "ye",
    "it": "'tis",
    "nobody": "nary a soul",
    "there": "yonder",
    "not": "nay",
    "no": "nary",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]+")


class Style(Poison):
    """Puts texts into an old sailor's words.

    Attributes:
        labels: rows of which labels are taken.
        target: the label that triggered texts get.
    """

    kind: Literal["style"] = "style"
    labels: Labels = "dirty"
    target: int = Field(1, ge=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Qi et al., EMNLP 2021, arXiv 2110.07139"


def style(config: Style, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Restyles rows of the set."""
    return trigger(config, data, restyled, seed)


def restyled(text: str, rng: random.Random) -> str:
    """The text in the other register; nothing is drawn."""

    def swapped(found: re.Match[str]) -> str:
        word = found.group()
        said = REGISTER.get(word.lower(), word)
        return said.capitalize() if word[0].isupper() and said != word else said

    said = _WORD.sub(swapped, text)
    return said if said != text else f"Aye, {text}"
