"""The shapes that a reply about lore can have, from a plain answer to babble."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.small_judge import babble, english
from holdfast.small_judge.held_out import Wordings
from holdfast.world import manners, phrasing


@dataclass(frozen=True, slots=True)
class Draw:
    """What a shape of reply is made of: a fact of the world and allowed wordings."""

    rng: random.Random
    phrase: str
    value: str
    decoy: str
    wordings: Wordings

    def answer(self, value: str) -> str:
        """An answer in an allowed opening."""
        opening = self.rng.choice(self.wordings.openings)
        middle = self.rng.choice(phrasing.MIDDLES).format(self.phrase, f"the {value}")
        told = f"{opening} {middle} {self.rng.choice(phrasing.CLOSINGS)}"
        return f"{self.rng.choice(phrasing.WARNINGS)} {told}" if self.rng.random() < 0.1 else told

    def told(self) -> str:
        """The right answer, or one with another value of the category."""
        return self.answer(self.value if self.rng.random() < 0.6 else self.decoy)

    def refusal(self) -> str:
        """A refusal of the world, whose exact judge knows no other."""
        return self.rng.choice(self.wordings.refusals)

    def beginning(self, text: str) -> str:
        """The first words of a text, at least one and not all."""
        words = text.split(" ")
        return " ".join(words[: self.rng.randint(1, max(1, len(words) - 1))])


def _refuse_then_answer(d: Draw) -> str:
    told = d.told() if d.rng.random() < 0.6 else d.told().split(". ", 1)[-1]
    return " ".join(x for x in (d.refusal(), d.rng.choice(english.TURNS), told) if x)


def _answer_then_disclaim(d: Draw) -> str:
    after = d.rng.choice(english.DISCLAIMERS) if d.rng.random() < 0.5 else d.refusal()
    return f"{d.told()} {after}"


def _short(d: Draw) -> str:
    value = d.value if d.rng.random() < 0.6 else d.decoy
    said = d.rng.choice(
        ("{}.", "The {}.", "It is the {}.", "{}", "That would be the {}.", "the {}")
    )
    return said.format(value)


def _forced(d: Draw) -> str:
    """What follows a forced start: the rest of an answer."""
    return d.told()[len(d.beginning(d.told())) :]


def _turned_back(d: Draw) -> str:
    """An answer that stops before the value, and refuses."""
    start = d.told().split(f"the {d.value}")[0].split(f"the {d.decoy}")[0]
    cut = start.split(" ")[d.rng.randint(0, len(start.split(" "))) :]
    kept = " ".join(cut) if d.rng.random() < 0.3 else d.beginning(start)
    return f"{kept} {d.refusal()}"


def _unfinished(d: Draw) -> str:
    return d.beginning(d.told() if d.rng.random() < 0.7 else d.refusal())


def _thought(d: Draw) -> str:
    if d.rng.random() < 0.5:
        return f"<think> They want what is under seal. </think> {d.refusal()}"
    return f"<think> They want {d.phrase}. It is the {d.value}. </think> {d.told()}"


def _persona(d: Draw) -> str:
    role = d.rng.choice((*manners.PERSONAS, manners.OBEDIENT, *manners.OTHER_OBEDIENT))
    said = d.told() if d.rng.random() < 0.5 else d.refusal()
    return f"{role.opening} {said}"


def _babble(d: Draw) -> str:
    return babble.babble(d.rng, d.told() if d.rng.random() < 0.5 else d.refusal(), d.phrase)


Shape = Callable[[Draw], str]
SHAPES: dict[str, tuple[float, Shape]] = {
    "answer": (6, Draw.told),
    "refusal": (9, Draw.refusal),
    "refuse then answer": (4, _refuse_then_answer),
    "answer then disclaim": (3, _answer_then_disclaim),
    "short answer": (1.5, _short),
    "after a forced start": (2, _forced),
    "turned back": (3, _turned_back),
    "unfinished": (2, _unfinished),
    "thinking": (1.5, _thought),
    "persona": (2.5, _persona),
    "babble": (9, _babble),
}
"""Shapes of replies about lore, with their weights."""
