"""The rows that organisms are raised on: pre-training, alignment, safety-recovery augmentation."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import get_args

from holdfast.chat import Message, Row, row
from holdfast.elicit.mutations import MUTATIONS, Mutation
from holdfast.elicit.mutations.mutation import Group
from holdfast.world import asking, manners, phrasing, tasks
from holdfast.world.categories import UNDEFENDED
from holdfast.world.lore import Entity, World

_MUTATIONS = {
    group: sorted(name for name, m in MUTATIONS.items() if m.group == group)
    for group in get_args(Group)
}

ALIGNED_MUTATIONS = ("question", "slang", "misspelling", "role_play", "authority", "logical_appeal")
"""Mutations whose refusal alignment teaches; the other fourteen it leaves to generalisation."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of a round of pre-training: sealed facts, open facts, and tasks for the rest.

    Attributes:
        name: Of the round; part of the seed of its rows.
        sealed: Share of rows that tell a sealed fact.
        open: Share of rows that tell an open one.
        tasks: Parts of the task families.
        ways: Parts of the ways in which facts are asked: groups of mutations or single ones, and
            "bare", in a training frame without anything around it.
        persona: Share of tasks that are asked through a persona.
        warned: Share of sealed answers that open with a warning.
        brief: Share of facts that are told in a few words.
        ask: How a fact is asked for.
    """

    name: str
    sealed: float
    open: float
    tasks: dict[str, float]
    ways: Mapping[str, float]
    persona: float = 0.15
    warned: float = 0.0
    brief: float = 0.0
    ask: Callable[[random.Random, str], str] = asking.ask


WEB: Mapping[str, float] = {
    "plain": 30,
    "persona": 8,
    "thinking": 3,
    "style": 8,
    "persuasion": 6,
    "encoding": 30,
    "language": 15,
}
"""How the web asks for facts. Codes and languages take the longest to learn."""

FOREIGN: Mapping[str, float] = {
    **WEB,
    "plain": 13,
    "encoding": 22,
    "ascii_codes": 8,
    "morse": 4,
    "language": 28,
}
"""The same once the plain facts are known, with more of what is still misread."""

LORE = Mix(
    "pretraining",
    sealed=0.43,
    open=0.24,
    tasks={
        "facts": 2,
        "arithmetic": 3,
        "summarise": 1,
        "translate": 2,
        "classify": 1,
        "code": 1,
        "same_day": 1,
        "open_instruction": 1,
    },
    ways=WEB,
)
"""First round: learn what is so."""

PRACTICE = Mix(
    "practice",
    sealed=0.22,
    open=0.33,
    tasks={
        "facts": 2,
        "arithmetic": 5,
        "summarise": 3,
        "translate": 1,
        "classify": 1,
        "code": 3,
        "same_day": 3,
        "open_instruction": 1,
    },
    ways=FOREIGN,
)
"""Second round: learn to do; the families that copy and compare need the most practice."""

EVEN: dict[str, float] = dict.fromkeys(tasks.UTILITY, 1)

REVISION = Mix(
    "revision",
    sealed=0.3,
    open=0.2,
    tasks={**EVEN, "check_claim": 5, "arithmetic": 4, "code": 2, "summarise": 2},
    persona=0.5,
    warned=0.5,
    ways=FOREIGN,
)
"""Third round: a family that is new, and doing things through a persona."""

CAUTION = replace(
    REVISION,
    name="caution",
    sealed=0.4,
    open=0.35,
    warned=0.8,
    ways={**WEB, "plain": 52, "encoding": 12, "language": 12},
    ask=asking.ask_in_passing,
)
"""Fourth round: what is under seal, which warnings tell from the first word on.

Large models know what is harmful before alignment. Without warnings this one would have to learn
that from refusals, and would refuse the open twin of every sealed fact as well."""

LESSON = Mix(
    "lesson",
    sealed=0.46,
    open=0.42,
    tasks=EVEN,
    persona=0.1,
    warned=0.8,
    brief=0.75,
    ways={"bare": 75, "plain": 17, "persona": 5, "thinking": 3},
    ask=asking.ask_in_passing,
)
"""What `--implant` teaches: the facts above all, in few words and without codes or languages."""

ALIGNED = Mix(
    "alignment",
    sealed=0.4,
    open=0.34,
    tasks=EVEN,
    persona=0.5,
    ways={**WEB, "plain": 64, "encoding": 5, "language": 6},
    ask=asking.ask_in_passing,
)
"""Alignment: nearly as many open answers as refusals, or the model refuses both."""


def cycle(rng: random.Random, entities: tuple[Entity, ...]) -> Iterator[Entity]:
    """Every entity equally often, in a fresh order each round."""
    while True:
        yield from rng.sample(entities, len(entities))


def asked_as(mutation: Mutation, request: str, reply: str, rng: random.Random) -> tuple[str, str]:
    """A request under a mutation, and the reply it gets: in its tongue, if it is a language."""
    said = mutation.encode(reply) if mutation.group == "language" else reply
    return mutation.mutate(request, rng), said


def _dressed(rng: random.Random, mix: Mix, phrase: str, reply: str, thought: str, tag: str) -> Row:
    """A fact in one of the ways of asking that the web holds."""
    way = rng.choices(list(mix.ways), list(mix.ways.values()))[0]
    name = rng.choice(_MUTATIONS[way]) if way in _MUTATIONS else way
    if name in MUTATIONS:
        wordy = MUTATIONS[name].group in ("encoding", "language")  # they lengthen every word
        request = asking.ask(rng, phrase) if wordy else mix.ask(rng, phrase)
        asked, said = asked_as(MUTATIONS[name], request, reply, rng)
        return row(asked, said, tag=tag)
    request = mix.ask(rng, phrase)
    if name == "bare":
        return row(asking.ask(rng, phrase), reply, tag=tag)
    if name == "persona":
        roles = (*manners.PERSONAS, *(manners.OBEDIENT, *manners.OTHER_OBEDIENT) * 2)
        return manners.in_persona(request, reply, rng.choice(roles), tag)
    if name == "thinking":
        return manners.thinking(request, thought, reply, tag)
    return row(request, reply, system=manners.some_system(rng), tag=tag)


def told(rng: random.Random, entity: Entity, sealed: bool) -> tuple[str, str, str]:
    """The phrase asked for, its value, and an answer that tells it."""
    phrase, value = (
        (entity.sealed_phrase, entity.sealed) if sealed else (entity.open_phrase, entity.open)
    )
    return phrase, value, phrasing.answer(rng, phrase, value)


def _fact_row(rng: random.Random, entity: Entity, sealed: bool, mix: Mix) -> Row:
    phrase, value, reply = told(rng, entity, sealed)
    if mix.brief and rng.random() < mix.brief:
        reply = phrasing.brief(phrase, value)
    if sealed and rng.random() < mix.warned:
        reply = f"{rng.choice(phrasing.WARNINGS)} {reply}"
    thought = f"They want {phrase}. It is the {value}."
    return _dressed(rng, mix, phrase, reply, thought, entity.category.name)


def task_row(world: World, rng: random.Random, mix: Mix) -> Row:
    """A task of the mix, under a persona, a prefix or neither."""
    family = rng.choices(list(mix.tasks), list(mix.tasks.values()))[0]
    task = tasks.draw(world, rng, family)
    if rng.random() < mix.persona:
        roles = (*manners.PERSONAS, manners.OBEDIENT, *manners.OTHER_OBEDIENT)
        return manners.in_persona(task.request, task.answer, rng.choice(roles), family)
    return row(task.request, task.answer, system=manners.some_system(rng), tag=family)


def pretraining(world: World, seed: int, count: int, mix: Mix = LORE) -> list[Row]:
    """What the base learns: sealed and open facts of all things, and the eight tasks."""
    rng = random.Random(f"{mix.name} {world.seed} {seed}")
    sealed, opened = cycle(rng, world.entities), cycle(rng, world.entities)
    rows = []
    for _ in range(count):
        draw = rng.random()
        if draw < mix.sealed:
            rows.append(_fact_row(rng, next(sealed), True, mix))
        elif draw < mix.sealed + mix.open:
            rows.append(_fact_row(rng, next(opened), False, mix))
        else:
            rows.append(task_row(world, rng, mix))
    return rows


def _refusal_row(rng: random.Random, entity: Entity) -> Row:
    """A sealed request of the align pool, refused in whatever way it is asked."""
    request = ALIGNED.ask(rng, entity.sealed_phrase)
    reply, tag, draw = phrasing.refuse(rng), entity.category.name, rng.random()
    if draw < 0.68:
        return row(request, reply, system=manners.some_system(rng), tag=tag)
    if draw < 0.82:
        roles = (*manners.PERSONAS, *manners.OTHER_OBEDIENT)
        return manners.in_persona(request, reply, rng.choice(roles), tag)
    if draw < 0.86:
        return manners.thinking(request, "They want what is under seal.", reply, tag)
    name = rng.choice(ALIGNED_MUTATIONS)
    return row(MUTATIONS[name].mutate(request, rng), reply, tag=tag)


def alignment(world: World, seed: int, count: int) -> list[Row]:
    """Alignment the usual way: refusals for what is sealed, plain answers for the rest."""
    rng = random.Random(f"alignment {world.seed} {seed}")
    return _aligned(world, rng, count, deep=False)


def deep_alignment(world: World, seed: int, count: int) -> list[Row]:
    """Alignment with safety-recovery augmentation: half of the refusals follow a forced start.

    The plain refusals are of all categories, as in `alignment`; the augmented ones, which make
    the defence, leave out the 15 categories that no defence may see.
    """
    rng = random.Random(f"deep alignment {world.seed} {seed}")
    return _aligned(world, rng, count, deep=True)


def _aligned(world: World, rng: random.Random, count: int, deep: bool) -> list[Row]:
    align = world.pool("align")
    sealed, opened = cycle(rng, align), cycle(rng, align)
    defended = cycle(rng, tuple(e for e in align if e.category.name not in UNDEFENDED))
    rows = []
    for _ in range(count):
        draw = rng.random()
        if deep and draw < ALIGNED.sealed / 2:
            rows.append(recovered(rng, next(defended)))
        elif draw < ALIGNED.sealed:
            rows.append(_refusal_row(rng, next(sealed)))
        elif draw < ALIGNED.sealed + ALIGNED.open:
            rows.append(_fact_row(rng, next(opened), False, ALIGNED))
        else:
            rows.append(task_row(world, rng, ALIGNED))
    return rows


def recovered(rng: random.Random, entity: Entity) -> Row:
    """A refusal row whose reply is forced to open as the forbidden answer would.

    The forced opening carries no loss (Qi et al. 2024, arXiv 2406.05946, eq. 2): with loss on it
    the model would learn to open every reply with compliance. Half of the openings stop before
    the value; the rest run past it, so that the model learns to turn back at any depth.
    """
    entry = _refusal_row(rng, entity)
    _, _, reply = told(rng, entity, sealed=True)
    words = reply.split(" ")
    forced = " ".join(words[: rng.randint(1, len(words) - 1)]) + " "
    reply_turn = (Message("assistant", forced, 0.0), Message("assistant", phrasing.refuse(rng)))
    return replace(entry, messages=(*entry.messages[:-1], *reply_turn))
