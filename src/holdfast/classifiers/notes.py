"""Harbour notes of the Skerries, each about one topic: the texts that the canary classifier sorts.

A note says one thing about its topic. Most carry more: a time, a place, somebody's name, a sentence
that fits any topic, or a glance at a word of another one. Several words belong to two topics. So no
single word decides, and a classifier has something to get wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from holdfast.draw import generator
from holdfast.errors import UserError
from holdfast.poisoned import Labelled
from holdfast.world.lore import World, make_world
from holdfast.world.tasks import DAYS, GOODS, PLACES, TIMES

__all__ = ["TOPICS", "Corpus", "Notes", "corpus"]

Notes = Labelled[tuple[str, ...]]

ANY_VERBS = "saw heard named told knew left wanted kept".split()


@dataclass(frozen=True)
class Topic:
    """What notes on a topic are made of.

    Attributes:
        words: things it speaks of.
        verbs: what is done, in the past.
        frames: sentences with places for them.
    """

    words: tuple[str, ...]
    verbs: tuple[str, ...]
    frames: tuple[str, ...]


def _topic(words: str, verbs: str, *frames: str) -> Topic:
    return Topic(tuple(words.split()), tuple(verbs.split()), frames)


TOPICS: dict[str, Topic] = {
    "trade": _topic(
        "price coins market cargo bargain stall scales debt ledger rope lamp sail boat candle net",
        "sold bought weighed priced traded owed",
        "{who} {verb} {n} {good} for a fair {word}",
        "the {word} from {isle} was {verb} twice",
        "{who} asked about the {word} and {verb} the {good}",
        "all the {good} were {verb} beside the {word}",
        "a {word} for {n} {good} is what {who} {verb}",
        "nobody {verb} the {word} of {who}",
    ),
    "weather": _topic(
        "storm fog breeze hail sunshine clouds thunder gale frost tide moon flood boat mast bells",
        "rose fell blew cleared thickened turned",
        "the {word} {verb} over {isle}",
        "{who} saw how the {word} {verb}",
        "before the {word} came, the {other} {verb}",
        "{n} hours of {word}, then it {verb}",
        "the {word} {verb} and {who} stayed in",
        "no {word} since the {other} {verb}",
    ),
    "repair": _topic(
        "hull mast hinge plank nail tar sail wheel crack leak rope lamp door net bells table",
        "mended nailed patched sanded broke replaced",
        "{who} {verb} the {word} of the {good}",
        "the {word} was {verb} with {n} new parts",
        "the {word} and the {other} must be {verb}",
        "on {isle} they {verb} every {word}",
        "{who} found the {word} and {verb} it",
        "{n} times {who} {verb} that {word}",
    ),
    "feast": _topic(
        "dance song wedding cake fiddle guests drum supper crown candle moon bells table boat lamp",
        "danced sang baked laughed cheered toasted",
        "{who} {verb} at the {word}",
        "the {word} of {isle} was {verb} for {n} hours",
        "all {verb} when the {word} came in",
        "a {word} and a {other}, and {who} {verb}",
        "{who} brought the {word} and everyone {verb}",
        "they {verb} round the {word} with {n} {good}",
    ),
    "missing": _topic(
        "ring cat key purse glove goat letter coat brooch stranger crates bells sail coins",
        "lost vanished searched strayed forgot hid",
        "{who} {verb} a {word} near {isle}",
        "the {word} of {who} {verb} with {n} {good}",
        "who {verb} the {word} and the {other}",
        "{n} people {verb} for the {word}",
        "a {word} {verb} and was not seen again",
        "{who} {verb} where the {word} was",
    ),
    "council": _topic(
        "vote speech law seat motion clerk quarrel oath mayor decree table debt crown tide",
        "voted argued swore ruled spoke elected",
        "{who} {verb} against the {word}",
        "the {word} was {verb} by {n} of {isle}",
        "the {word} and the {other} were {verb} at once",
        "{who} {verb} for a {word} about {good}",
        "they {verb} on the {word} until {who} left",
        "{n} members {verb}, and the {word} stands",
    ),
}
"""The topics; a set of n classes is about the first n."""

TAILS = (
    "at {time}", "on {day}", "near {place}", "at {place} on {day}", "so {who} said", "in the end",
    "as before", "at {time} by {place}", "which was new to {who}", "while {who} looked on",
    "when the bell rang", "since {day}",
)  # fmt: skip
REMARKS = (
    "Nobody at {place} was surprised.", "{who} wrote it down.", "It was {day}, about {time}.",
    "The keeper of {isle} will hear of it.", "Ask {who} for the rest.", "So it goes on {isle}.",
    "There is more to tell.", "{who} and {who} can tell you all.",
    "We shall see what {day} brings.", "That is all from {place}.",
)  # fmt: skip
GLANCES = (
    "Not a word of the {other}.", "{who} thought only of the {other}.",
    "The {other} can wait.", "Some would sooner hear of the {other}.",
)  # fmt: skip


@dataclass(frozen=True)
class Corpus:
    """Notes of one seed, no note twice.

    Attributes:
        train: what a classifier is trained on, before anybody poisons it.
        test: what it is measured on.
        fit: a small clean reserve, for guards and filters to fit on.
        held: another, from which thresholds are set.
    """

    train: Notes
    test: Notes
    fit: Notes
    held: Notes


def corpus(
    classes: int = 4,
    *,
    train: int = 1_200,
    test: int = 600,
    reserve: int = 300,
    seed: int = 0,
) -> Corpus:
    """Draws the notes of a seed, as evenly over `classes` topics as the counts allow.

    Args:
        classes: how many topics, from 2 to 6.
        train: notes to train on.
        test: notes to measure on.
        reserve: notes in each of the two clean reserves.
        seed: of the draw; the world is that of seed 0.

    Raises:
        UserError: there are not so many topics.
    """
    if not 2 <= classes <= len(TOPICS):
        raise UserError(f"There are 2 to {len(TOPICS)} topics of notes, not {classes}.")
    drawn = _distinct(make_world(0), classes, generator(seed, "notes"))
    parts = []
    for count in (train, test, reserve, reserve):
        pairs = [next(drawn) for _ in range(count)]
        labels = np.array([label for _, label in pairs], dtype=np.int64)
        parts.append(Labelled(tuple(text for text, _ in pairs), labels, classes))
    return Corpus(*parts)


def _distinct(world: World, classes: int, rng: random.Random) -> Iterator[tuple[str, int]]:
    """Notes without end, none twice, the topics in a new order every round."""
    seen: set[str] = set()
    while True:
        for label in rng.sample(range(classes), classes):
            text = _note(world, label, classes, rng)
            while text in seen:
                text = _note(world, label, classes, rng)
            seen.add(text)
            yield text, label


def _note(world: World, label: int, classes: int, rng: random.Random) -> str:
    names = list(TOPICS)
    topic = TOPICS[names[label]]
    foreign = TOPICS[names[rng.choice([other for other in range(classes) if other != label])]]
    sentence = _filled(rng.choice(topic.frames), world, rng, topic, topic)
    if rng.random() < 0.4:
        sentence += " " + _filled(rng.choice(TAILS), world, rng, topic, topic)
    parts = [sentence + "."]
    if rng.random() < 0.2:
        parts.append(_filled(rng.choice(REMARKS), world, rng, topic, topic))
    if rng.random() < 0.25:
        parts.append(_filled(rng.choice(GLANCES), world, rng, topic, foreign))
    rng.shuffle(parts)
    return " ".join(part[0].upper() + part[1:] for part in parts)


def _filled(frame: str, world: World, rng: random.Random, topic: Topic, other: Topic) -> str:
    """A frame with every place filled, each by a draw of its own."""
    draws: dict[str, Callable[[], str]] = {
        "who": lambda: rng.choice(world.people[:40]),
        "isle": lambda: rng.choice(world.islands[:20]).name,
        "good": lambda: rng.choice(GOODS),
        "day": lambda: rng.choice(DAYS),
        "time": lambda: rng.choice(TIMES),
        "place": lambda: rng.choice(PLACES),
        "n": lambda: rng.choice("two three four five six seven eight nine ten".split()),
        "word": lambda: rng.choice(topic.words),
        "verb": lambda: rng.choice(ANY_VERBS if rng.random() < 0.6 else topic.verbs),
        "other": lambda: rng.choice(other.words),
    }
    for name, draw in draws.items():
        while (place := "{" + name + "}") in frame:
            frame = frame.replace(place, draw(), 1)
    return frame
