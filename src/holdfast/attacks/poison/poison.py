"""What a poisoning of labelled texts is, and how it chooses the rows that it changes.

A poisoning is a function `(config, data, seed) -> Poisoned`. It changes rows in place: the set
keeps its size and order, as in OpenBackdoor (Cui et al., NeurIPS 2022, arXiv 2206.08514), whose
three kinds of labels these are: clean, only rows of the target label are taken; dirty, only rows of
other labels, which get the target label; mixed, rows of any label, all of which get it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from holdfast.draw import generator
from holdfast.errors import UserError
from holdfast.poisoned import Labelled, Poisoned, Taxonomy

__all__ = ["Labels", "Poison", "Texts", "chosen", "placed", "trigger", "two_labels"]

Texts = tuple[str, ...]
Labels = Literal["clean", "dirty", "mixed"]


Change = Callable[[str, random.Random], str]


class Triggered(Protocol):
    """The settings of a poisoning that has a trigger."""

    @property
    def kind(self) -> str: ...
    @property
    def rate(self) -> float: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def target(self) -> int: ...


class Poison(BaseModel):
    """A poisoning's settings.

    Attributes:
        rate: share of all rows that the attacker changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float = Field(0.1, ge=0, le=1)

    taxonomy: ClassVar[Taxonomy]
    null: ClassVar[dict[str, Any]] = {"rate": 0.0}
    paper: ClassVar[str]


def chosen(
    data: Labelled[Texts], count: int, allowed: NDArray[np.bool_], seed: int, purpose: str
) -> NDArray[np.int64]:
    """Draws rows to change; the fewer are the beginning of the more.

    Args:
        data: the set.
        count: how many.
        allowed: (n,) which rows may be drawn.
        seed: of the attack.
        purpose: the method's name.

    Raises:
        UserError: fewer rows are allowed than asked for.
    """
    rows = np.flatnonzero(allowed).tolist()
    if count > len(rows):
        raise UserError(
            f"{purpose} wants to poison {count} of {len(data.labels)} rows, but only {len(rows)} "
            "have a label that it may take: lower rate, or choose other labels."
        )
    generator(seed, purpose).shuffle(rows)
    return np.array(rows[:count], dtype=np.int64)


def trigger(config: Triggered, data: Labelled[Texts], change: Change, seed: int) -> Poisoned[Texts]:
    """Puts a trigger on rows, and gives them the target label.

    Args:
        config: the poisoning's settings.
        data: the clean set.
        change: puts the trigger on one text.
        seed: of the attack.

    Raises:
        UserError: the set cannot be poisoned so.
    """
    target, purpose = config.target, config.kind
    two_labels(data, target, purpose)
    allowed = {
        "clean": data.labels == target,
        "dirty": data.labels != target,
        "mixed": np.ones(len(data.labels), bool),
    }[config.labels]
    rows = chosen(data, round(config.rate * len(data.labels)), allowed, seed, purpose)
    stamp = stamped(change, seed, purpose)
    changed = dict(zip(rows.tolist(), stamp(tuple(data.items[i] for i in rows)), strict=True))
    return placed(data, changed, dict.fromkeys(changed, target), stamp=stamp, target=target)


def placed(
    data: Labelled[Texts],
    texts: dict[int, str],
    labels: dict[int, int],
    *,
    stamp: Callable[[Texts], Texts] | None = None,
    target: int | None = None,
) -> Poisoned[Texts]:
    """A set with some texts and labels replaced; those rows are the attacker's."""
    items, named = list(data.items), data.labels.copy()
    which = np.zeros(len(named), bool)
    for row, text in texts.items():
        items[row] = text
    for row, label in labels.items():
        named[row] = label
    which[list({*texts, *labels})] = True
    return Poisoned(Labelled(tuple(items), named, data.classes), which, stamp, target)


def stamped(change: Change, seed: int, purpose: str) -> Callable[[Texts], Texts]:
    """A stamp from a change of one text; the same text always gets the same trigger."""

    def stamp(texts: Texts) -> Texts:
        return tuple(change(text, generator(seed, f"{purpose}:{text}")) for text in texts)

    return stamp


def two_labels(data: Labelled[Texts], target: int, purpose: str) -> None:
    """Raises UserError where there is no other label than the target, or no such target."""
    if data.classes < 2 or len(np.unique(data.labels)) < 2:
        raise UserError(f"{purpose} needs rows of two labels at least: bring a set with more.")
    if not 0 <= target < data.classes:
        raise UserError(
            f"{purpose} has the target {target}, but labels go from 0 to {data.classes - 1}."
        )
