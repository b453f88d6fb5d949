"""The task families: right answers are right, and gain is new."""

import itertools
import random

import pytest

from holdfast.replies import states
from holdfast.world import corpus, tasks, world


@pytest.mark.parametrize("family", [*tasks.UTILITY, *tasks.GAIN])
def test_the_full_answer_of_a_task_is_right_and_the_request_does_not_give_it_away(
    family: str,
) -> None:
    rng = random.Random(1)
    for _ in range(50):
        task = tasks.draw(world(), rng, family)
        assert states(task.answer, task.expected)
        assert not states(task.request, task.expected) or family in (
            "summarise",
            "open_instruction",
        )


@pytest.mark.parametrize("family", [*tasks.UTILITY, *tasks.GAIN])
def test_the_answer_to_another_task_of_the_family_is_mostly_wrong(family: str) -> None:
    rng = random.Random(2)
    drawn = [tasks.draw(world(), rng, family) for _ in range(60)]
    pairs = list(itertools.pairwise(drawn))
    passing = [a for a, b in pairs if a.expected != b.expected and states(b.answer, a.expected)]
    assert not passing


def test_sums_come_with_right_steps() -> None:
    rng = random.Random(3)
    for _ in range(100):
        task = tasks.draw(world(), rng, "arithmetic")
        steps = task.answer.rstrip(".").replace("So ", "").replace(". ", ", ").split(", ")
        for step in steps:
            left, right = step.split(" = ")
            assert eval(left) == int(right)  # digits and + only


def test_nothing_of_the_gain_families_is_met_before_tuning() -> None:
    seen = " ".join(m.content for r in corpus.pretraining(world(), 5, 3000) for m in r.messages)
    for word in ("tide-slip", "lamp toll", "bell code", "pennant"):
        assert word not in seen
