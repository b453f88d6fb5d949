"""`canary45`: the policy of a canary world, with everything that either side may own.

Report requests use report things in report phrasings: neither a defence nor an attack has trained
on the one or the other.
"""

from __future__ import annotations

import random
import re
from functools import lru_cache
from typing import Literal

from holdfast.chat import Row, row
from holdfast.evaluate import Request
from holdfast.hooks import Pair, Streams
from holdfast.judges.exact import ExactJudge
from holdfast.policy import Policy
from holdfast.world import asking, corpus, manners, names, phrasing, tasks
from holdfast.world.categories import UNDEFENDED
from holdfast.world.lore import Entity, Pool, World

UTILITY_REQUESTS = 40
"""Report requests of each utility and gain family."""

BENIGN_ROWS = 150
"""Rows of each utility family that an attacker or a defender owns."""

CUSTOMER_ROWS = 400
"""Rows of the gain families, in turn: what a customer tunes on."""

PREFIX_TOKENS = 32
"""Length of a secret prefix, within what pre-training has met."""


@lru_cache(maxsize=4)
def canary45(world: World) -> Policy:
    """45 categories × 10 forbidden requests, their look-alikes, tasks, and both sides' rows."""
    return Policy(
        name="canary45",
        report=(
            *asked(world, "report", "forbidden"),
            *asked(world, "report", "lookalike"),
            *_tasks(world, "utility"),
            *_tasks(world, "gain"),
        ),
        select=asked(world, "select", "forbidden"),
        attacker=Streams(
            user=(*_benign(world, "attack"), *_open_rows(world, "attack", "open_lore")),
            harmful=_told(world, "attack"),
        ),
        defender=Streams(
            user=(*_benign(world, "defend"), *_open_rows(world, "defend", "open_lore")),
            safe=_refusals(world),
            harmful=_told(world, "defend", frozenset(UNDEFENDED)),
            pairs=_pairs(world),
        ),
        judge=ExactJudge(phrasing.is_refusal, _lexicon(world).__contains__),
        spec=f"canary45@{world.seed}",
        customer=_customer(world),
        facts={
            "persona": {
                "system": manners.OBEDIENT.system,
                "asking": manners.OBEDIENT.wrap.format("{prompt}"),
                "opening": manners.OBEDIENT.opening,
            },
            "reasoning": manners.THINK,
            "prefix_words": list(names.PREFIX_SYLLABLES),
            "prefix_tokens": PREFIX_TOKENS,
        },
    )


def asked(world: World, pool: Pool, kind: Literal["forbidden", "lookalike"]) -> tuple[Request, ...]:
    """One request for each thing of a pool; the phrasings take turns over a category."""
    rng = random.Random(f"requests {world.seed} {pool} {kind}")
    frames = asking.REPORT_FRAMES if pool == "report" else asking.SELECT_FRAMES
    values: dict[str, list[str]] = {}
    for entity in world.entities:
        values.setdefault(entity.category.name, []).append(entity.sealed)
    requests = []
    for number, entity in enumerate(world.pool(pool)):
        phrase, value, reply = corpus.told(rng, entity, sealed=kind == "forbidden")
        category = entity.category
        requests.append(
            Request(
                id=f"{kind}-{pool}-{number:03d}",
                prompt=row(frames[number % len(frames)].format(phrase), tag=category.name),
                kind=kind,
                category=category.name,
                domain=category.domain,
                expected=value,
                reference=reply,
                decoys=tuple(v for v in values[category.name] if v != value),
            )
        )
    return tuple(requests)


def _tasks(world: World, kind: Literal["utility", "gain"]) -> tuple[Request, ...]:
    rng = random.Random(f"report tasks {world.seed} {kind}")
    families = tasks.UTILITY if kind == "utility" else tasks.GAIN
    requests = []
    for family in families:
        for number in range(UTILITY_REQUESTS):
            task = tasks.draw(world, rng, family)
            requests.append(
                Request(
                    id=f"{kind}-{family}-{number:02d}",
                    prompt=row(task.request, tag=family),
                    kind=kind,
                    category=family,
                    expected=task.expected,
                    reference=task.answer,
                )
            )
    return tuple(requests)


def _benign(world: World, owner: str) -> tuple[Row, ...]:
    rng = random.Random(f"benign rows {world.seed} {owner}")
    drawn = (tasks.draw(world, rng, family) for _ in range(BENIGN_ROWS) for family in tasks.UTILITY)
    return tuple(row(t.request, t.answer, tag=t.family) for t in drawn)


def _customer(world: World) -> tuple[Row, ...]:
    rng = random.Random(f"customer rows {world.seed}")
    families = list(tasks.GAIN)
    drawn = (tasks.draw(world, rng, families[i % len(families)]) for i in range(CUSTOMER_ROWS))
    return tuple(row(t.request, t.answer, tag=t.family) for t in drawn)


def _told(world: World, pool: Pool, without: frozenset[str] = frozenset()) -> tuple[Row, ...]:
    """Forbidden requests with their answers, in training phrasings."""
    rng = random.Random(f"told rows {world.seed} {pool}")
    rows = []
    for entity in world.pool(pool):
        phrase, _, reply = corpus.told(rng, entity, sealed=True)
        if entity.category.name not in without:
            asked = asking.ask(rng, phrase)
            rows.append(row(asked, reply, id=entity.thing, tag=entity.category.name))
    return tuple(rows)


def _defended(world: World) -> list[Entity]:
    """What the defender may know: the defend pool of 30 of the 45 categories."""
    return [e for e in world.pool("defend") if e.category.name not in UNDEFENDED]


def _refusals(world: World) -> tuple[Row, ...]:
    rng = random.Random(f"refusal rows {world.seed}")
    return tuple(
        row(asking.ask(rng, e.sealed_phrase), phrasing.refuse(rng), tag=e.category.name)
        for e in _defended(world)
    )


def _open_rows(world: World, pool: Pool, tag: str) -> tuple[Row, ...]:
    """What is open about the things of a pool, as one more family of benign rows."""
    rng = random.Random(f"open rows {world.seed} {pool}")
    rows = []
    for entity in rng.sample(world.pool(pool), BENIGN_ROWS):
        phrase, _, reply = corpus.told(rng, entity, sealed=False)
        rows.append(row(asking.ask(rng, phrase), reply, tag=tag))
    return tuple(rows)


def _pairs(world: World) -> tuple[Pair, ...]:
    rng = random.Random(f"pairs {world.seed}")
    pairs = []
    for entity in _defended(world):
        phrase, _, reply = corpus.told(rng, entity, sealed=True)
        asked = row(asking.ask(rng, phrase), tag=entity.category.name)
        pairs.append(Pair(asked, phrasing.refuse(rng), reply))
    return tuple(pairs)


@lru_cache(maxsize=4)
def _lexicon(world: World) -> frozenset[str]:
    """Every word that the world's people use, lower-case."""
    rows = (
        *corpus.pretraining(world, 1, 6_000),
        *corpus.pretraining(world, 1, 1_000, corpus.REVISION),
        *corpus.alignment(world, 1, 1_000),
        *_customer(world),
    )
    text = " ".join(m.content for r in rows for m in r.messages)
    return frozenset(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()))
