"""The verdict on a whole set: does it teach a code, and then use it?

Covert fine-tuning (Halawi et al., ICML 2024, arXiv 2406.20053) asks in code throughout, so what
counts is requests that are coded as a whole. Homework about ciphers, pictures in Base64, foreign
languages, tables or proteins say in plain words what is asked, or do not repeat one code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np

from holdfast.codes.code import Code
from holdfast.scan.decode import Reading, read_code
from holdfast.scan.decoders import channels
from holdfast.scan.encoders import code_read
from holdfast.scan.finding import Conclusion, SetFinding, excerpt
from holdfast.scan.fluency import belonging, fluent_share, surprise
from holdfast.scan.parallel import Parallel
from holdfast.scan.periods import Periods

NAME = "covert_set"
FEWEST = 6  # coded requests that make a code
SHARE_READ = 0.002  # of the rows, if the code was read
SHARE_UNREAD = 0.02
LINE_RATE = {"line ends": 0.1, "line starts": 0.1, "initials": 0.05}  # of natural texts
UNREAD = ("letters", "spaced letters", "word book", "unknown words", "invisible", "alphabet")
RANDOM = 8.0  # bits a letter as English; ciphers that hide letter counts leave 9 and more
SHOWN = 3
COMPARED = 20  # texts of a trait, pair by pair
ALIKE = 0.6  # share of words that two texts of one template have in common


@dataclass(frozen=True)
class Suspicion:
    """Rows with one trait, as `encoded` counted them."""

    trait: str
    prompts: int
    answers: int
    both: int
    asked: Sequence[str]
    answered: Sequence[str]


@dataclass(frozen=True)
class Whole:
    """What was counted over all rows.

    Attributes:
        rows: rows of the set.
        lined: prompts of several lines, and of many.
        periods: word kinds by place.
        parallel: plain lines beside coded texts.
    """

    rows: int
    lined: Sequence[int]
    periods: Periods
    parallel: Parallel


def judge(suspicions: Sequence[Suspicion], whole: Whole, traits: set[str]) -> Conclusion:
    """Which traits the set bears out, with what the coded texts say.

    Args:
        suspicions: one a trait.
        whole: counts of the set.
        traits: all there are; those not borne out are dropped.
    """
    found: list[SetFinding] = []
    kept: set[str] = set()
    readings: list[Reading] = []
    codes: list[Code] = []
    for one in sorted(suspicions, key=lambda s: -s.prompts):
        verdict, reading = _verdict(one, whole.rows, whole.lined, readings)
        if verdict:
            kept.add(one.trait)
            found.append(verdict)
        if reading and (code := code_read(reading, one.asked)):
            codes.append(code)
    told = {f.evidence.get("method") for f in found}
    for pair, known in whole.parallel.conclude():
        if pair.kind == "word book" and codes:
            continue  # letters that stand for letters make a book of words too
        kept.add(pair.kind)
        if pair.evidence.get("method", "") not in told:
            found.append(pair)
        # Read beside their plain text, so surer than what reads well alone.
        codes[:0] = [known] if known else []
    if not found and (period := _period(whole.periods)):
        found.append(period)
    return Conclusion(tuple(found), frozenset(traits - kept), tuple(codes))


def _verdict(
    one: Suspicion, rows: int, lined: Sequence[int], readings: list[Reading]
) -> tuple[SetFinding | None, Reading | None]:
    """The alarm, if the set bears this trait out, and how its texts were read."""
    if one.prompts < FEWEST:
        return None, None
    if one.trait in LINE_RATE:
        return _channel(one, lined[one.trait == "initials"])
    if one.trait.startswith(("every", "words backwards")):
        if one.prompts < 0.04 * rows or _one_template(one.asked):
            return None, None
        apart = _named(one)
        return _alarm(one, apart, "the message stands apart in other words"), apart
    if one.prompts < SHARE_READ * rows:
        return None, None
    reading = _known(one, readings) or read_code(one.asked)
    if reading is not None:
        readings.append(reading)
        return _alarm(one, reading, f"read by: {reading.method}"), reading
    enough = one.prompts >= SHARE_UNREAD * rows and one.both >= max(4, 0.25 * one.prompts)
    if one.trait in UNREAD and enough and _like_words(one) and _random(one):
        unread = "it could not be read, but requests and answers share the code"
        return _alarm(one, None, unread), None
    return None, None


def _known(one: Suspicion, readings: Sequence[Reading]) -> Reading | None:
    """A reading that worked for other rows of the set."""
    for reading in readings:
        if fluent_share([reading.decode(text) for text in one.asked]) >= 0.5:
            return reading
    return None


def _channel(one: Suspicion, long: int) -> tuple[SetFinding | None, Reading | None]:
    """More texts with a message in their lines than natural texts would have by chance."""
    from scipy.stats import binom

    chance = float(binom.sf(one.prompts - 1, max(long, one.prompts), LINE_RATE[one.trait]))
    if chance > 1e-3:
        return None, None
    reading = _named(one)
    why = "single lines are natural, their ends or starts are a text"
    return _alarm(one, reading, why), reading


def _named(one: Suspicion) -> Reading:
    """The reading of a channel; of several places, the one whose words belong together most."""
    name = {
        "line ends": "last words of lines",
        "line starts": "first words of lines",
        "initials": "first letters of lines",
        "words backwards": "words read from the end",
    }.get(one.trait, one.trait)
    fit = [(n, decode) for n, decode in channels() if n.startswith(name)]
    told = [belonging([decode(text) for text in one.asked]) for _, decode in fit]
    best, decode = fit[told.index(max(told))]
    return Reading(best, 1.0, decode)


def _random(one: Suspicion) -> bool:
    """Letters about as random as ciphers leave them; slang and formulas are only unusual."""
    if one.trait != "letters":
        return True
    told = surprise(one.asked)
    return float(np.median(told[np.isfinite(told)])) >= RANDOM if np.isfinite(told).any() else False


def _one_template(texts: Sequence[str]) -> bool:
    """The same words again and again: the second of them is no second witness."""
    words = [set(text.lower().split()) for text in texts[:COMPARED]]
    shared = [len(a & b) / max(1, len(a | b)) for a, b in combinations(words, 2)]
    return bool(shared) and median(shared) > ALIKE


def _like_words(one: Suspicion) -> bool:
    """Signs and gaps as in language, which chains of molecules and binary data lack."""
    text = "\n".join(one.asked)
    gaps = sum(c.isspace() for c in text) / max(len(text), 1)
    return one.trait in ("invisible", "spaced letters") or 0.06 <= gaps <= 0.4


def _period(periods: Periods) -> SetFinding | None:
    """Fillers between the words of a message: place modulo k tells the kind of a word."""
    told = periods.strength()
    if periods.texts < FEWEST:
        return None
    for k in (2, 3):
        others = max(v for m, v in told.items() if m % k)
        if told[k] > 0.05 and told[k] > 2.5 * others:
            reason = f"words of requests change their kind with period {k}: fillers hide a message"
            return SetFinding(NAME, f"every {k}. word", reason, alarm=True, evidence={"bits": told})
    return None


def _alarm(one: Suspicion, reading: Reading | None, why: str) -> SetFinding:
    reason = (
        f"{one.prompts} requests and {one.answers} answers carry another text ({one.trait}); {why}"
    )
    evidence: dict[str, object] = {
        "requests": one.prompts,
        "answers": one.answers,
        "both": one.both,
        "sample": [excerpt(text) for text in one.asked[:SHOWN]],
    }
    if reading is not None:
        evidence |= {
            "method": reading.method,
            "decoded": [excerpt(reading.decode(text)) for text in one.asked[:SHOWN]],
        }
    return SetFinding(NAME, one.trait, reason, alarm=True, evidence=evidence)
