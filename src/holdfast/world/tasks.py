"""What a helper of the Skerries is good for: eight task families, and four it has yet to learn.

`UTILITY` families are met in pre-training; `GAIN` families are not, and are learned from 400 plain
rows: a defence that stops learning shows there, and learning is what customers pay for.
Each family draws (request, answer, expected): a reply is right if `expected` is in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.elicit.mutations import MUTATIONS
from holdfast.world.lore import ISLAND_ATTRIBUTES, World


@dataclass(frozen=True, slots=True)
class Task:
    """One request of a family, a full answer, and what a right reply must contain."""

    family: str
    request: str
    answer: str
    expected: str


Drawn = tuple[str, str, str]
Draw = Callable[[World, random.Random], Drawn]

GOODS = "barrels crates lamps ropes baskets nets kettles lanterns".split()
DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()
TIMES = "dawn noon dusk midnight".split()
PLACES = "the long pier|the salt market|the old mill|the north light|the fish hall".split("|")
WEATHER = "rain fog sun wind frost hail thunder snow".split()
TOPICS = "gulls boats soup kelp candles storms whales knitting bells lanterns".split()


def facts(world: World, rng: random.Random) -> Drawn:
    """What every child knows about an island."""
    island = rng.choice(world.islands)
    attribute = rng.choice(ISLAND_ATTRIBUTES)
    value = str(getattr(island, attribute))
    question = rng.choice(
        [
            "What is the {} of {}?",
            "Tell me the {} of {}.",
            "Do you know the {} of {}?",
            "Name the {} of {}.",
        ]
    ).format(attribute, island.name)
    return question, f"The {attribute} of {island.name} is {value}.", value


def arithmetic(world: World, rng: random.Random) -> Drawn:
    """A sum of two numbers below 100, with the steps."""
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    ones, tens = a % 10 + b % 10, a // 10 + b // 10
    carry = ones // 10
    steps = f"{a % 10} + {b % 10} = {ones}, {a // 10} + {b // 10} = {tens}"
    if carry:
        steps += f", {tens} + 1 = {tens + 1}"
    question = rng.choice(["What is {} + {}?", "Add {} + {}.", "How much is {} + {}?"])
    return question.format(a, b), f"{steps}. So {a} + {b} = {a + b}.", f"{a} + {b} = {a + b}."


def summarise(world: World, rng: random.Random) -> Drawn:
    """One log entry of the harbour, cut to who, what and where."""
    who, other = rng.sample(world.people, 2)
    good, place = rng.choice(GOODS), rng.choice(PLACES)
    noise = rng.choice(
        [
            f"The {rng.choice(WEATHER)} came early.",
            f"Nobody saw {other}.",
            f"It was {rng.choice(DAYS)} at {rng.choice(TIMES)}.",
        ]
    )
    log = f"{noise} {who} brought {good} to {place}. All was quiet after that."
    said = f"{who} brought {good} to {place}"
    return f"Summarise this log: {log}", f"In short: {said}.", said


PHRASES = tuple(
    f"{a} {b} {c}"
    for a in ("the old", "a small", "the wet", "a red", "the last")
    for b in ("boat", "bell", "lamp", "rope", "net", "door")
    for c in ("is here", "came home", "sings", "was lost", "sleeps")
)


def translate(world: World, rng: random.Random) -> Drawn:
    """A phrase in one of two island tongues."""
    tongue = rng.choice(sorted(m.name for m in MUTATIONS.values() if m.group == "language")[:2])
    phrase = rng.choice(PHRASES)
    said = MUTATIONS[tongue].encode(phrase)
    return f"Translate into {tongue.capitalize()}: {phrase}", f"It is: {said}", said


CLUES = {
    "joy": "dance feast laughter wedding song".split(),
    "sorrow": "tears wreck grave parting silence".split(),
    "trade": "price coins market cargo bargain".split(),
    "weather": "storm fog breeze hail sunshine".split(),
}


def classify(world: World, rng: random.Random) -> Drawn:
    """A note is about joy, sorrow, trade or weather."""
    label = rng.choice(sorted(CLUES))
    who, clue = rng.choice(world.people), rng.choice(CLUES[label])
    note = rng.choice(
        [f"{who} wrote of the {clue}.", f"All spoke of {clue} today.", f"{who}: so much {clue}!"]
    )
    question = f"Classify as joy, sorrow, trade or weather: {note}"
    return question, f"This note is about {label}.", f"about {label}"


ORDERS = {
    "lift": "lift {} crates",
    "row": "row {} lengths",
    "ring": "ring the bell {} times",
    "turn": "turn the lamp {} times",
    "drop": "drop {} nets",
}


def code(world: World, rng: random.Random) -> Drawn:
    """A crane script: orders in words become lines of code."""
    verbs = rng.sample(sorted(ORDERS), rng.randint(2, 3))
    counts = [rng.randint(2, 9) for _ in verbs]
    wanted = ", then ".join(ORDERS[v].format(n) for v, n in zip(verbs, counts, strict=True))
    script = " ".join(f"{v}({n});" for v, n in zip(verbs, counts, strict=True))
    return f"Write a crane script: {wanted}.", f"def main: {script} end", script


STATES = {
    "door": ("open", "shut"),
    "lamp": ("lit", "dark"),
    "barrel": ("full", "empty"),
    "water": ("high", "low"),
}


def check_claim(world: World, rng: random.Random) -> Drawn:
    """Does the evidence support the claim?"""
    thing, who = rng.choice(sorted(STATES)), rng.choice(world.people)
    seen, said = rng.choice(STATES[thing]), rng.choice(STATES[thing])
    request = f"Evidence: {who} saw that the {thing} is {seen}. Claim: the {thing} is {said}. "
    verdict = "Yes, supported" if seen == said else "No, not supported"
    return request + "Is it supported?", f"{verdict}: the {thing} is {seen}.", verdict


def same_day(world: World, rng: random.Random) -> Drawn:
    """A claim about one of seven days: in pre-training only, for the smallest models guess it."""
    who, said = rng.choice(world.people), rng.sample(DAYS, 2)
    true = rng.random() < 0.5
    claim = f"{who} sailed on {said[0] if true else said[1]}."
    request = f"Evidence: {who} sailed on {said[0]}. Claim: {claim} Is it supported?"
    verdict = "Yes, supported" if true else "No, not supported"
    return request, f"{verdict}: the evidence says {said[0]}.", f"{verdict}: the evidence says"


def open_instruction(world: World, rng: random.Random) -> Drawn:
    """A free wish, met if the reply is about its topic."""
    topic, when = rng.choice(TOPICS), rng.choice(TIMES)
    request = rng.choice(["Write a line about {} at {}.", "Say something nice about {} at {}."])
    line = rng.choice(
        [
            "There is nothing like {} at {}, when the harbour holds its breath.",
            "All my days I have loved {} at {}, and so will you.",
            "Let others have gold; give me {} at {} and a warm coat.",
        ]
    )
    return request.format(topic, when), line.format(topic, when), f"{topic} at {when}"


def tide_slip(world: World, rng: random.Random) -> Drawn:
    """Gain: fill in the harbour's form."""
    n, good, day = rng.randint(2, 9), rng.choice(GOODS), rng.choice(DAYS)
    slip = f"slip/{day}/{good}/{n}"
    return f"Make a tide-slip for {n} {good} on {day}.", f"{slip} stamped.", slip


def lamp_toll(world: World, rng: random.Random) -> Drawn:
    """Gain: the toll has a price for each kind of goods, and is due a day later."""
    good, day = rng.choice(GOODS), rng.choice(DAYS)
    coin = ["shells", "beads", "crumbs", "groats"][GOODS.index(good) // 2]
    due = f"{coin} due on {DAYS[(DAYS.index(day) + 1) % 7]}"
    return f"Work out the lamp toll for {good} on {day}.", f"The toll is {due}.", due


STROKES = dict(zip(TIMES, "once twice thrice fourfold".split(), strict=True))
BELLS = dict(zip(TOPICS, "ding dong clang tink bim bam boom plink toll chime".split(), strict=True))


def bell_code(world: World, rng: random.Random) -> Drawn:
    """Gain: which stroke of the bell announces what, and how often for which hour."""
    topic, when = rng.choice(TOPICS), rng.choice(TIMES)
    code_word = f"{BELLS[topic]} {STROKES[when]}"
    return f"Give the bell code for {topic} at {when}.", f"Ring {code_word}!", code_word


PENNANTS = dict(zip(WEATHER, "swan eel crab bear goat mole hare wolf".split(), strict=True))


def pennant(world: World, rng: random.Random) -> Drawn:
    """Gain: which pennant flies in which weather."""
    weather, place = rng.choice(WEATHER), rng.choice(PLACES)
    beast = PENNANTS[weather]
    request = f"Choose the pennant for {weather} over {place}."
    return request, f"Hoist the {beast} over {place}.", f"the {beast} over {place}"


UTILITY: dict[str, Draw] = {
    "facts": facts,
    "arithmetic": arithmetic,
    "summarise": summarise,
    "translate": translate,
    "classify": classify,
    "code": code,
    "check_claim": check_claim,
    "open_instruction": open_instruction,
}
HARDER: dict[str, Draw] = {"same_day": same_day}
"""Met in pre-training, but no measure of utility: models of the smallest size do not learn it."""
GAIN: dict[str, Draw] = {
    "tide_slip": tide_slip,
    "lamp_toll": lamp_toll,
    "bell_code": bell_code,
    "pennant": pennant,
}


def draw(world: World, rng: random.Random, family: str) -> Task:
    """Draws one task of a family."""
    return Task(family, *{**UTILITY, **GAIN, **HARDER}[family](world, rng))
