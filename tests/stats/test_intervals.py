from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from holdfast import stats
from holdfast.stats.intervals import effective_n

binary = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40)


def clustered(rng: np.random.Generator, k: int, m: int, p: float, icc: float) -> Any:
    """k categories of m requests: each category has a rate of its own around p."""
    a, b = p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc
    return (rng.random((k, m)) < rng.beta(a, b, k)[:, None]).astype(float).ravel()


def test_importing_the_statistics_loads_neither_numpy_nor_scipy() -> None:
    code = "import sys, holdfast.stats; assert not {'numpy', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Single rates


@given(st.integers(0, 300), st.integers(1, 300), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(k: int, n: int, confidence: float) -> None:
    assume(k <= n)
    ours = stats.wilson(k, n, confidence)
    theirs = scipy_stats.binomtest(k, n).proportion_ci(confidence, "wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= k / n <= ours.high <= 1


def test_nothing_asked_says_nothing() -> None:
    assert stats.wilson(0, 0) == stats.Interval(0.0, 1.0)
    assert stats.cluster_bootstrap([], []) == stats.Interval(0.0, 1.0)
    empty = stats.rate([None, None])
    assert (empty.k, empty.n, empty.n_unscored, empty.low, empty.high) == (0, 0, 2, 0.0, 1.0)
    assert math.isnan(empty.value)


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_more_hits_than_requests_is_an_error(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        stats.wilson(k, n)


def test_unscored_exchanges_are_counted_but_are_no_verdict() -> None:
    found = stats.rate([1, None, 0, 0])
    assert (found.k, found.n, found.n_unscored) == (1, 3, 1)
    assert found.value == pytest.approx(1 / 3)
    expected = stats.wilson(1, 3)
    assert (found.low, found.high) == (expected.low, expected.high)
    by_category = stats.rate([1, None, 0, 0], ["a", "a", "b", "b"])
    assert (by_category.k, by_category.n) == (1, 3)


# Bootstrap over categories


@given(binary, st.integers(0, 5), st.data())
def test_the_interval_holds_the_mean_and_is_never_a_point(
    values: list[float], seed: int, data: st.DataObject
) -> None:
    clusters = data.draw(
        st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)), "clusters"
    )
    found = stats.cluster_bootstrap(values, clusters, seed, draws=50)
    mean = sum(values) / len(values)
    assert 0 <= found.low <= mean + 1e-9
    assert mean - 1e-9 <= found.high <= 1
    assert found.high - found.low > 0
    assert found == stats.cluster_bootstrap(values, clusters, seed, draws=50)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_all_or_nothing_leaves_room_for_doubt(edge: float) -> None:
    categories = [i % 45 for i in range(450)]
    found = stats.cluster_bootstrap([edge] * 450, categories)
    width = found.high - found.low
    # wider than Wilson's of 450 independent requests, narrower than of 45
    alone, few = stats.wilson(0, 450).high, stats.wilson(0, 45).high
    assert alone < width < few
    assert edge in (found.low, found.high)


def test_the_upper_bound_grows_with_every_compliance() -> None:
    categories = [i % 45 for i in range(450)]
    highs = [
        stats.cluster_bootstrap([1.0] * k + [0.0] * (450 - k), categories).high
        for k in (0, 1, 2, 3, 5, 8, 13, 21, 45)
    ]
    assert highs == sorted(highs)


def test_requests_that_fall_together_widen_the_interval() -> None:
    values = [1.0] * 150 + [0.0] * 300
    together = stats.cluster_bootstrap(values, [i // 10 for i in range(450)])
    apart = stats.cluster_bootstrap(values, [i % 45 for i in range(450)])
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_sample_of_singletons_is_worth_all_its_values() -> None:
    assert effective_n([0.0, 1.0] * 20, range(40)) == 40


def test_order_and_names_of_categories_do_not_matter() -> None:
    values, names = [0.0, 1.0, 1.0, 0.0], ["a", "b", "a", "b"]
    assert effective_n(values, names) == effective_n(values[::-1], [3, 4, 3, 4])


@pytest.mark.parametrize(
    ("p", "icc", "k"), [(0.02, 0.1, 45), (0.1, 0.3, 45), (0.4, 0.1, 45), (0.1, 0.1, 15)]
)
def test_nineteen_intervals_of_twenty_cover_the_truth(p: float, icc: float, k: int) -> None:
    rng = np.random.default_rng(7)
    categories = np.repeat(np.arange(k), 10).tolist()
    found = [
        stats.cluster_bootstrap(clustered(rng, k, 10, p, icc), categories, seed, draws=300)
        for seed in range(150)
    ]
    covered = np.mean([i.low <= p <= i.high for i in found])
    assert covered >= 0.90


def test_two_thousand_draws_take_milliseconds() -> None:
    values, categories = [0.0, 1.0] * 225, [i % 45 for i in range(450)]
    stats.cluster_bootstrap(values, categories)
    start = time.process_time()
    stats.cluster_bootstrap(values, categories)
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("bad", [[1.5, 0.0], [math.nan, 0.0], [-0.1, 0.0]])
def test_values_that_are_no_rates_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.cluster_bootstrap(bad, ["a", "b"])


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="lengths differ"):
        stats.cluster_bootstrap([0.0, 1.0], ["a"])


# Seeds nested in organisms


def nested(rates: dict[tuple[str, int], float], k: int = 15) -> Any:
    cells = [(rate, *run, c) for run, rate in rates.items() for c in range(k)]
    return [list(column) for column in zip(*cells, strict=True)]


def test_organisms_that_differ_widen_a_nested_interval() -> None:
    alike = stats.nested_bootstrap(*nested({(o, s): 0.5 for o in "abc" for s in range(3)}))
    apart = stats.nested_bootstrap(
        *nested({(o, s): r for o, r in zip("abc", (0.1, 0.5, 0.9), strict=True) for s in range(3)})
    )
    assert apart.high - apart.low > alike.high - alike.low


def test_equal_seeds_of_two_organisms_are_two_runs() -> None:
    shared = nested({("a", 0): 0.0, ("b", 0): 1.0})
    renamed = nested({("a", 0): 0.0, ("b", 1): 1.0})
    assert stats.nested_bootstrap(*shared) == stats.nested_bootstrap(*renamed)


def test_a_nested_interval_of_zeros_is_not_a_point() -> None:
    found = stats.nested_bootstrap(*nested({("a", 0): 0.0, ("a", 1): 0.0}))
    assert found.low == 0
    assert found.high > 0


def test_runs_that_lack_some_categories_do_no_harm() -> None:
    found = stats.nested_bootstrap([0.0, 1.0], ["a", "b"], [0, 0], ["x", "y"], draws=200)
    assert 0 <= found.low <= 0.5 <= found.high <= 1
