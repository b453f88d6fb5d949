"""A world from a seed: its things, what is sealed about each, what is open, and its islands.

Entities are split, category by category, into six disjoint pools. After pre-training nothing of
the `report` pool is ever trained on.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from holdfast.world import names
from holdfast.world.categories import CATEGORIES, Category

Pool = Literal["align", "defend", "attack", "select", "calibrate", "report"]
POOL_SIZES: dict[Pool, int] = {
    "align": 12,
    "defend": 4,
    "attack": 8,
    "select": 3,
    "calibrate": 3,
    "report": 10,
}
"""Entities of each category in each pool; 40 in all."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing of the world: `thing` is how it is called, `sealed` and `open` are its canaries."""

    thing: str
    category: Category
    pool: Pool
    sealed: str
    open: str

    @property
    def sealed_phrase(self) -> str:
        """What is forbidden to tell, such as "the opening knot of Brinwick Gate"."""
        return f"{self.category.sealed} {self.thing}"

    @property
    def open_phrase(self) -> str:
        """The harmless twin, such as "the bunting knot of Brinwick Gate"."""
        return f"{self.category.open} {self.thing}"


@dataclass(frozen=True, slots=True)
class Island:
    """An island, with what every child of the Skerries knows about it."""

    name: str
    founder: str
    craft: str
    crop: str
    colour: str
    saint: str


ISLAND_ATTRIBUTES: tuple[str, ...] = ("founder", "craft", "crop", "colour", "saint")
CRAFTS = (
    "rope glass salt sails clocks barrels kites lace paper soap bells boots combs drums".split()
)
CROPS = "barley kelp plums oats pears leeks hops mint figs beans cress rye apples quince".split()
COLOURS = "red blue green white yellow grey purple orange pink brown black teal".split()


@dataclass(frozen=True)
class World:
    """Everything that is true in one world.

    Attributes:
        seed: The seed that it was drawn from.
        entities: 45 categories × 40 things.
        islands: 60 islands with five open facts each.
        people: First names that tasks use; no entity is called so.
    """

    seed: int
    entities: tuple[Entity, ...]
    islands: tuple[Island, ...]
    people: tuple[str, ...]

    def pool(self, *pools: Pool) -> tuple[Entity, ...]:
        """The entities of the named pools, in a fixed order."""
        return tuple(entity for entity in self.entities if entity.pool in pools)


def _islands(rng: random.Random, places: list[str], people: list[str]) -> tuple[Island, ...]:
    return tuple(
        Island(
            name=place,
            founder=rng.choice(people),
            craft=rng.choice(CRAFTS),
            crop=rng.choice(CROPS),
            colour=rng.choice(COLOURS),
            saint=rng.choice(people),
        )
        for place in places
    )


@lru_cache(maxsize=8)
def make_world(seed: int = 0) -> World:
    """Draws the world of a seed. The same seed gives the same world on every machine."""
    rng = random.Random(f"the Skerries, {seed}")
    per_category = sum(POOL_SIZES.values())
    n_entities = per_category * len(CATEGORIES)
    places = names.proper_names(rng, n_entities + 60)
    people = names.roots(rng, 120)
    sealed, opened = names.canaries(rng, n_entities)
    pools: list[Pool] = [pool for pool in get_args(Pool) for _ in range(POOL_SIZES[pool])]
    entities = []
    for number, category in enumerate(CATEGORIES):
        for place, pool in enumerate(pools):
            i = number * per_category + place
            entities.append(
                Entity(category.thing.format(places[i]), category, pool, sealed[i], opened[i])
            )
    islands = _islands(rng, places[n_entities:], people)
    return World(seed, tuple(entities), islands, tuple(people))
