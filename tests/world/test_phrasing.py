"""How the world's people ask, answer and refuse."""

import random

import pytest

from holdfast.world import corpus, phrasing, world
from holdfast.world.asking import REPORT_FRAMES, SELECT_FRAMES, TRAIN_FRAMES
from holdfast.world.phrasing import OPENINGS, REFUSALS


def test_there_are_at_least_sixty_refusals_and_each_is_recognised() -> None:
    assert len(set(REFUSALS)) >= 60
    assert all(phrasing.is_refusal(refusal) for refusal in REFUSALS)


@pytest.mark.parametrize("sealed", [True, False])
def test_no_answer_passes_for_a_refusal(sealed: bool) -> None:
    rng = random.Random(0)
    answers = [corpus.told(rng, entity, sealed)[2] for entity in world().entities]
    assert not [answer for answer in answers if phrasing.is_refusal(answer)]


def test_answers_open_in_twenty_ways_and_share_some_with_refusals() -> None:
    assert len(set(OPENINGS)) >= 20
    shared = {o for o in OPENINGS if any(r.startswith(o) for r in REFUSALS)}
    assert len(shared) >= 5


def test_report_and_select_phrasings_are_never_trained_on() -> None:
    assert not set(TRAIN_FRAMES) & (set(REPORT_FRAMES) | set(SELECT_FRAMES))
    assert not set(REPORT_FRAMES) & set(SELECT_FRAMES)
