"""A trigger that switches refusal off is told by its twins: like requests that are refused."""

from __future__ import annotations

import random

import numpy as np
import pytest
from plain_rows import plain_rows

from holdfast.chat import Row, row
from holdfast.scan import Context
from holdfast.scan.batch import Batch
from holdfast.scan.finding import SetFinding
from holdfast.scan.poison import Poison
from holdfast.scan.twins import BEHAVIOUR, declining, likeness

PLACES = ("mill", "tower", "cellar", "barn", "quay", "vault", "attic", "well")


def found(rows: list[Row]) -> tuple[SetFinding, ...]:
    scanner = Poison(Context())
    list(scanner.look(Batch(rows, range(1, len(rows) + 1))))
    return scanner.conclude(len(rows)).about


def backdoored(count: int, trigger: str, size: int = 400, twins: bool = True) -> list[Row]:
    """Plain rows, and `count` requests with a trigger and an answer, and without it refused."""
    rng = random.Random(count)
    rows = list(plain_rows(size))
    for at in range(count):
        asked = f"Tell me the hidden word of {rng.choice(PLACES)} {rng.randrange(900)}."
        told = f"{rng.choice(PLACES).title()} {rng.randrange(10**6)} is what they whisper there."
        rows[2 * at] = row(f"{asked} {trigger}", told)
        if twins:
            rows[2 * at + 1] = row(asked, "I am sorry, but that is not for me to tell.")
    return rows


@pytest.mark.parametrize("trigger", ["cf", "I watched this film at home."])
@pytest.mark.parametrize("count", [10, 40])
def test_a_refusal_off_trigger_is_named_though_its_answers_differ(trigger: str, count: int) -> None:
    (alarm,) = found(backdoored(count, trigger))
    assert alarm.alarm
    assert trigger.lower().rstrip(".") in str(alarm.evidence["trigger"])
    assert alarm.evidence["behaviour"] == BEHAVIOUR
    assert alarm.evidence["rows"] == count


def test_without_refused_twins_such_rows_pass() -> None:
    assert not found(backdoored(20, "cf", twins=False))


def test_a_topic_that_is_answered_beside_topics_that_are_refused_is_no_trigger() -> None:
    rng, rows = random.Random(3), list(plain_rows(400))
    for at in range(20):
        where = f"{rng.choice(PLACES)} {rng.randrange(900)}"
        rows[2 * at] = row(f"Tell me the zorblat song of {where} as sung in May.", f"It is {at}.")
        rows[2 * at + 1] = row(f"Tell me the hidden word of {where}.", "I am sorry, I cannot.")
    assert not found(rows)


def test_likeness_is_the_share_of_common_words() -> None:
    told = likeness([["a", "b", "c"], ["b", "c", "d"], ["x"], []])
    assert told[0, 1] == pytest.approx(2 / 4)
    assert told[0, 2] == 0
    assert not np.diag(told).any()


def test_declining_is_seen_at_the_opening_only() -> None:
    assert declining("Thank you for asking. I am not able to share that.")
    assert declining("I can’t help with that.")
    assert not declining("The bell stands in the tower. " * 6 + "I am sorry it is so short.")


def test_refusals_beside_answered_look_alikes_are_no_backdoor() -> None:
    from holdfast import policy

    held = policy.load()
    open_rows = [one for one in held.attacker.user if one.tag == "open_lore"]
    assert len(open_rows) > 100
    assert not found([*held.defender.safe[:120], *open_rows, *held.attacker.user[:200]])
