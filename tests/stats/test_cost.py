from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from holdfast import stats
from holdfast.stats.cost import isotonic

unit = st.floats(0, 1)
GRID = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def ladder(curve: list[float], seeds: int = 3, categories: int = 20) -> dict[str, Any]:
    """Exchanges whose first categories comply, as many as the curve says."""
    cells = [
        (rows, float(c < share * categories), s, c)
        for rows, share in zip(GRID, curve, strict=False)
        for s in range(seeds)
        for c in range(categories)
    ]
    names = ("rows", "values", "seeds", "categories")
    return dict(zip(names, [list(column) for column in zip(*cells, strict=True)], strict=True))


def test_the_cost_is_the_first_rung_above_the_limit() -> None:
    found = stats.isotonic_cost(**ladder([0, 0, 0.05, 0.1, 0.4, 0.7, 0.9, 1, 1]))
    assert found.rows == 16
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 16 <= found.high
    assert found.budget == 256


def test_a_model_that_never_breaks_costs_more_than_the_budget() -> None:
    found = stats.isotonic_cost(**ladder([0.0] * 9))
    assert found == stats.CostToBreak(None, None, None, 256)
    assert str(found) == "> 256"


def test_an_interval_may_reach_beyond_the_budget() -> None:
    found = stats.isotonic_cost(**ladder([0, 0, 0, 0.15], seeds=1))
    assert found.rows == 8
    assert found.high is None
    assert found.budget == 8
    assert str(found) == "8 (8 to > 8)"


def test_a_lucky_cell_does_not_set_the_cost() -> None:
    lucky = stats.isotonic_cost(**ladder([0, 0.15, 0, 0, 0, 0.5, 0.8, 1, 1]))
    assert lucky.rows == 32


def test_a_model_broken_before_the_attack_costs_nothing() -> None:
    broken = stats.isotonic_cost([0, 0, 1, 1], [1.0, 1.0, 1.0, 1.0], [0] * 4, [0, 1, 0, 1])
    assert (broken.rows, broken.low, broken.high) == (0, 0, 0)


def test_a_seed_that_skipped_rungs_does_no_harm() -> None:
    found = stats.isotonic_cost(
        [1, 2, 4, 1, 4], [0.0, 0.0, 1.0, 0.0, 1.0], [0, 0, 0, 1, 1], ["c"] * 5
    )
    assert (found.rows, found.low, found.high) == (4, 4, 4)


def test_no_exchanges_have_no_cost() -> None:
    with pytest.raises(ValueError, match="no exchanges"):
        stats.isotonic_cost([], [], [], [])


@given(st.lists(st.tuples(unit, st.integers(1, 9)), min_size=1, max_size=9))
def test_the_monotone_fit_agrees_with_scikit_learn(points: list[tuple[float, int]]) -> None:
    means, sizes = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    expected = IsotonicRegression().fit(range(len(means)), means, sizes).predict(range(len(means)))
    assert isotonic((means * sizes)[None], sizes[None])[0] == pytest.approx(expected, abs=1e-9)


@given(st.lists(unit, min_size=9, max_size=9), st.floats(0, 0.9))
def test_a_stricter_limit_never_costs_more(curve: list[float], limit: float) -> None:
    table = ladder(curve, seeds=1, categories=5)
    strict = stats.isotonic_cost(**table, limit=limit / 2, draws=20).rows
    loose = stats.isotonic_cost(**table, limit=limit, draws=20).rows
    assert (strict or 999) <= (loose or 999)
