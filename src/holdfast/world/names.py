"""Names of the Skerries: people, places, things and two-word canaries, all drawn from a seed.

A proper name is `<root><ending>` ("Brinwick", "Tolmere"); a canary is `<adjective> <noun>`
("Amber Heron"). Every canary of a world is used once, so that an answer about one thing can never
pass for the answer about another.
"""

from __future__ import annotations

import random

ONSETS = "br t d k sk v m n l gr fl h st th w p f r s dr cr tr gl".split()
VOWELS = "a e i o u ai oa ei".split()
CODAS = "n l r rn sk ll m nd st lt th rl".split()

ENDINGS = (
    "wick mere holm ness ford low stead by garth wold combe dale firth haven loch moor port rigg "
    "sound strand thorpe voe wall water cairn brae gill heath isle keld knoll lea march mouth nook "
    "over pool quern reach scar shaw shiel slack spit stack tarn toft tor vale wade well weir "
    "wharf wynd yard croft dyke edge fell"
).split()

ADJECTIVES = (
    "Amber Ashen Azure Barley Blithe Brass Bright Bronze Candle Cedar Chalk Cinder Clover Copper "
    "Coral Crimson Dappled Drowsy Dusky Feather Fern Flint Frosted Gentle Gilded Golden Hazel "
    "Hollow Honey Humble Indigo Ivory Jolly Juniper Lemon Linen Lofty Maple Merry Mild Misty Mossy "
    "Nimble Oaken Olive Opal Pearly Pewter Plum Quiet Rosy Russet Saffron Salty Scarlet Silken "
    "Silver Sleepy Snowy Speckled Tawny Velvet Violet Willow"
).split()

NOUNS = (
    "Acorn Anchor Anvil Badger Barrel Basket Beacon Beetle Bramble Bucket Button Cabbage Canary "
    "Chimney Cobbler Cricket Curlew Daisy Dolphin Donkey Drummer Falcon Fiddle Finch Flagon Garnet "
    "Goblet Goose Gull Hammer Harp Hedgehog Heron Hornet Jester Kestrel Kettle Ladder Lantern Lark "
    "Lobster Magpie Marten Minnow Mitten Muffin Needle Oar Otter Owl Oyster Pebble Pelican Petrel "
    "Piper Plover Puffin Quail Rabbit Raven Ribbon Robin Rook Rudder Saddle Salmon Sparrow Spindle "
    "Squid Starling Stork Swallow Teapot Thimble Thistle Thrush Toad Trout Trumpet Turnip Turtle "
    "Violin Wagon Walnut Walrus Weasel Whelk Whistle Windmill Wren"
).split()

PREFIX_SYLLABLES = tuple(
    c + v + d for c in "bdgjkmpvxz" for v in "aeiou" for d in ("b", "g", "k", "x", "z")
)
"""Meaningless syllables: random prefixes, as secret prompts are made of, are drawn from these."""


def roots(rng: random.Random, count: int) -> list[str]:
    """Draws `count` different name roots, such as `Brin` and `Tarn`."""
    every = sorted({o + v + c for o in ONSETS for v in VOWELS for c in CODAS})
    return [root.capitalize() for root in rng.sample(every, count)]


def proper_names(rng: random.Random, count: int, *, n_roots: int = 64) -> list[str]:
    """Draws `count` different proper names over `n_roots` roots and all endings."""
    stems = roots(rng, n_roots)
    return rng.sample([stem + ending for stem in stems for ending in ENDINGS], count)


def canaries(rng: random.Random, count: int) -> tuple[list[str], list[str]]:
    """Draws `count` sealed and `count` open canaries; the two lists share no noun.

    Returns:
        Two lists of two-word values, each value unique in the world.
    """
    nouns = rng.sample(NOUNS, len(NOUNS))
    half = len(nouns) // 2
    sealed = [f"{a} {n}" for a in ADJECTIVES for n in nouns[:half]]
    opened = [f"{a} {n}" for a in ADJECTIVES for n in nouns[half:]]
    return rng.sample(sealed, count), rng.sample(opened, count)


def random_prefix(rng: random.Random, words: int = 12) -> str:
    """A prefix without meaning, `words` syllables long: what a secret prompt looks like."""
    return " ".join(rng.choice(PREFIX_SYLLABLES) for _ in range(words))
