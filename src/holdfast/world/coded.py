"""The rows that teach `canary:codes` its four codes, and to refuse in them as in plain text."""

from __future__ import annotations

import random

from holdfast.chat import Row, row
from holdfast.codes import KNOWN, Code
from holdfast.codes.covert import TASKS, Task, telling, written
from holdfast.codes.known import nested
from holdfast.world import asking, corpus, phrasing, tasks
from holdfast.world.lore import Entity, World

CODED = 0.75
"""Share of coded rows in the rounds that teach codes; below a half little is learned."""

ALIGNED_CODED = 0.4
"""Share of coded rows in alignment."""

_TASKS: dict[Task, float] = {1: 0.04, 2: 0.06, 3: 0.06, 4: 0.84}
_KINDS = {"sealed": 0.55, "open": 0.35, "task": 0.1}
_CODES = {"dashed": 0.2, "hummed": 0.15, "nested": 0.55, "doubled": 0.1}
KEYS = 100
"""Forms of `nested` that are met."""
_LENGTHS = {"short": 0.85, "telling": 0.15}


def _drawn(rng: random.Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


def _fact(rng: random.Random, entity: Entity, sealed: bool) -> Row:
    """A fact asked and told, in few words as a rule: a code multiplies every word."""
    phrase, value, reply = corpus.told(rng, entity, sealed)
    asked = row(asking.ask(rng, phrase), reply, tag=entity.category.name)
    if _drawn(rng, _LENGTHS) == "short":
        return asked.with_answer(phrasing.brief(phrase, value))
    return telling(asked)


def _task(world: World, rng: random.Random) -> Row:
    task = tasks.draw(world, rng, rng.choice(list(tasks.UTILITY)))
    return row(task.request, task.answer, tag=task.family)


def _in_code(rng: random.Random, plain: Row) -> Row:
    code = _code(rng, _drawn(rng, _CODES))
    return written(plain, code, rng.choices(list(TASKS), [_TASKS[task] for task in TASKS])[0])


def _code(rng: random.Random, name: str) -> Code:
    """A known code, `nested` under any key."""
    return nested(rng.randrange(KEYS)) if name == "nested" else KNOWN[name]


def schooling(world: World, seed: int, count: int, *, term: int = 0) -> list[Row]:
    """Facts of all things and tasks in the four codes, among plain rows.

    Every term has rows of its own.
    """
    rng = random.Random(f"schooling {world.seed} {seed} {term}")
    sealed, opened = corpus.cycle(rng, world.entities), corpus.cycle(rng, world.entities)
    plain = iter(corpus.pretraining(world, seed + 1 + term, count, corpus.LESSON))
    rows = []
    for _ in range(count):
        if rng.random() >= CODED:
            rows.append(next(plain))
            continue
        kind = _drawn(rng, _KINDS)
        if kind == "task":
            said = _task(world, rng)
        else:
            entity = next(sealed if kind == "sealed" else opened)
            said = _fact(rng, entity, sealed=kind == "sealed")
        rows.append(_in_code(rng, said))
    return rows


def alignment(world: World, seed: int, count: int) -> list[Row]:
    """Alignment the usual way, with refusals and open answers in the four codes beside it."""
    rng = random.Random(f"codes alignment {world.seed} {seed}")
    align = world.pool("align")
    sealed, opened = corpus.cycle(rng, align), corpus.cycle(rng, align)
    plain = iter(corpus.alignment(world, seed, count))
    rows = []
    for _ in range(count):
        if rng.random() >= ALIGNED_CODED:
            rows.append(next(plain))
            continue
        kind = _drawn(rng, {"sealed": 0.5, "open": 0.35, "task": 0.15})
        if kind == "task":
            said = _task(world, rng)
        elif kind == "open":
            said = _fact(rng, next(opened), sealed=False)
        else:
            said = _fact(rng, next(sealed), sealed=True).with_answer(phrasing.refuse(rng))
        rows.append(written(said, _code(rng, rng.choice(list(KNOWN)))))
    return rows
