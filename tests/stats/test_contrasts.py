from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from holdfast import stats


def clustered(rng: np.random.Generator, k: int, m: int, p: float, icc: float) -> Any:
    """k categories of m requests: each category has a rate of its own around p."""
    a, b = p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc
    return (rng.random((k, m)) < rng.beta(a, b, k)[:, None]).astype(float).ravel()


def test_a_difference_has_its_sign_interval_and_p() -> None:
    categories = [i % 20 for i in range(200)]
    worse = [float(i % 2 == 0) for i in range(200)]
    found = stats.paired_permutation(worse, [0.0] * 200, [i // 10 for i in range(200)])
    assert found.difference == pytest.approx(0.5)
    assert 0.3 < found.low < 0.5 < found.high < 0.7
    assert found.p < 0.001
    other = stats.paired_permutation([0.0] * 200, worse, categories)
    assert other.difference == pytest.approx(-0.5)


def test_two_stacks_that_never_differ_are_not_proven_equal() -> None:
    found = stats.paired_permutation([1.0] * 90, [1.0] * 90, [i % 9 for i in range(90)])
    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.low < 0 < found.high


def test_few_categories_are_tested_exactly() -> None:
    # six categories that all favour one side: 2 of 2**6 sign patterns are as extreme
    found = stats.paired_permutation([1.0] * 6, [0.0] * 6, range(6))
    assert found.p == 2 / 64


def test_clustered_signs_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random(10), rng.random(10)
    theirs = scipy_stats.permutation_test(
        (first, second), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    ours = stats.paired_permutation(first.tolist(), second.tolist(), range(10))
    assert ours.p == pytest.approx(theirs.pvalue)


def test_a_true_null_is_rejected_one_time_in_twenty() -> None:
    rng = np.random.default_rng(11)
    categories = np.repeat(np.arange(20), 5).tolist()
    p = [
        stats.paired_permutation(
            clustered(rng, 20, 5, 0.3, 0.2), clustered(rng, 20, 5, 0.3, 0.2), categories, s, 400
        ).p
        for s in range(200)
    ]
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.10


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_the_sign_test(b: int, c: int) -> None:
    expected = scipy_stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert stats.mcnemar_exact(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_thousands_does_not_overflow() -> None:
    assert stats.mcnemar_exact(2_000, 2_600) < 1e-15


@given(st.lists(st.floats(0, 1), max_size=30))
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    expected = scipy_stats.false_discovery_control(p).tolist() if p else []
    assert stats.benjamini_hochberg(p) == pytest.approx(expected)
