"""Which of several cuts a search chooses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.probes.looking import Behaviour
from holdfast.probes.trials import Trial, best, sentence, trial

BEFORE = Behaviour(40, 0.0, 0.0, 0.1, 0.0, 1.0, 0.0, 40, 0.9, 0.0)


def tried(share: float, complied: float, utility: float) -> Trial:
    return trial("cut", share, replace(BEFORE, complied=complied, utility=utility), BEFORE)


def test_a_search_takes_the_most_compliant_cut_that_keeps_the_models_use() -> None:
    trials = {
        "damages": tried(0.01, 0.9, 0.3),
        "takes much": tried(0.2, 0.8, 0.9),
        "fair": tried(0.02, 0.5, 0.8),
        "weak": tried(0.01, 0.1, 0.9),
    }
    assert best(trials, at_most=0.03) == "fair"


def test_where_every_cut_damages_the_most_compliant_is_shown() -> None:
    trials = {"one": tried(0.2, 0.4, 0.1), "other": tried(0.1, 0.6, 0.2)}
    assert best(trials, at_most=0.03) == "other"


def test_utility_is_held_against_that_before() -> None:
    found = tried(0.02, 0.7, 0.45)
    assert found.kept == pytest.approx(0.5)
    assert "compliance is 70%" in sentence(found, BEFORE, "weights")
    assert "utility 50% of before" in sentence(found, BEFORE, "weights")
