"""Drawing rows by seed, evenly over their tags, so that more rows always include the fewer."""

from __future__ import annotations

import random
from collections.abc import Sequence

from holdfast.chat import Row
from holdfast.errors import UserError


def generator(seed: int, purpose: str) -> random.Random:
    """A generator of its own for every (seed, purpose), the same in every process."""
    return random.Random(f"{seed}:{purpose}")


def at_most(rows: Sequence[Row], most: int, *, seed: int, purpose: str) -> tuple[Row, ...]:
    """As `balanced`, but all the rows where there are fewer."""
    return balanced(rows, min(most, len(rows)), seed=seed, purpose=purpose)


def balanced(rows: Sequence[Row], count: int, *, seed: int, purpose: str) -> tuple[Row, ...]:
    """Draws `count` different rows, as evenly over their tags as the rows allow.

    The order of tags and the order within a tag are shuffled by the seed, then one row of each tag
    is taken in turn. So a draw of 10 is the beginning of the draw of 50 with the same seed, and
    the cost to break can be read along one line of growing attacks.

    Args:
        rows: what to draw from.
        count: how many; 0 gives none.
        seed: of the context.
        purpose: what the rows are for, in an error message and as part of the seed.

    Raises:
        UserError: there are fewer rows than asked for.
    """
    if count > len(rows):
        raise UserError(
            f"{purpose} asks for {count} rows, but only {len(rows)} are there: "
            "ask for fewer, or bring more rows."
        )
    chance = generator(seed, purpose)
    by_tag: dict[str, list[Row]] = {}
    for row in rows:
        by_tag.setdefault(row.tag, []).append(row)
    tags = sorted(by_tag)
    chance.shuffle(tags)
    for tag in tags:
        chance.shuffle(by_tag[tag])
    drawn: list[Row] = []
    depth = 0
    while len(drawn) < count:
        drawn += [by_tag[tag][depth] for tag in tags if depth < len(by_tag[tag])]
        depth += 1
    return tuple(drawn[:count])
