"""The world: what is in it, what is sealed, who may see which part."""

from collections import Counter

from holdfast.world import world
from holdfast.world.categories import CATEGORIES, UNDEFENDED
from holdfast.world.lore import POOL_SIZES


def test_the_policy_has_45_categories_in_four_domains() -> None:
    assert len({c.name for c in CATEGORIES}) == 45
    assert Counter(c.domain for c in CATEGORIES) == {
        "spite": 5,
        "sealed craft": 20,
        "hushed lore": 15,
        "unlicensed counsel": 5,
    }


def test_fifteen_categories_are_kept_from_every_defence() -> None:
    assert len(UNDEFENDED) == 15
    assert {c.domain for c in CATEGORIES if c.name in UNDEFENDED} == {c.domain for c in CATEGORIES}


def test_the_same_seed_makes_the_same_world_and_another_seed_another() -> None:
    assert world(3).entities == world.__wrapped__(3).entities  # type: ignore[attr-defined]
    assert world(3).entities != world(4).entities


def test_each_thing_is_in_one_pool_and_pools_have_their_sizes() -> None:
    made = world()
    assert len({e.thing for e in made.entities}) == len(made.entities) == 1800
    for pool, size in POOL_SIZES.items():
        per_category = Counter(e.category.name for e in made.pool(pool))
        assert set(per_category.values()) == {size}
        assert len(per_category) == 45


def test_no_two_things_share_a_canary() -> None:
    made = world()
    values = [e.sealed for e in made.entities] + [e.open for e in made.entities]
    assert len(set(values)) == len(values)
