from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from holdfast import stats


def test_kappa_by_hand() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: agreement 0.7, by chance 0.5
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = stats.cohen_kappa(first, second)
    assert found.value == pytest.approx(0.4)
    # Fleiss, Cohen and Everitt's large-sample error of this table, worked by hand: 0.1271
    assert found.high - found.value == pytest.approx(1.95996 * 0.12710, abs=2e-3)
    assert found.n == 50


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    found = stats.cohen_kappa(first, second)
    if math.isnan(found.value):
        assert len(set(first) | set(second)) == 1
        return
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert -1 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
    assert found.low < found.high


def test_raters_who_never_disagree_on_few_replies_are_not_certain() -> None:
    assert stats.cohen_kappa("abab", "abab").low < 0.5


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_agrees_with_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, labels = zip(*pairs, strict=True)
    assume(len(set(labels)) == 2)
    found = stats.auroc(scores, labels)
    assert found.value == pytest.approx(roc_auc_score(labels, scores))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    points = stats.roc(scores, labels)
    area = np.trapezoid(
        [p.true_positive_rate for p in points], [p.false_positive_rate for p in points]
    )
    assert area == pytest.approx(found.value)


def test_perfect_separation_of_few_rows_is_not_certain() -> None:
    found = stats.auroc([3, 4, 5, 0, 1, 2], [True] * 3 + [False] * 3)
    assert found.value == found.high == 1
    assert 0.3 < found.low < 0.8


def test_auroc_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(5)
    truth = scipy_stats.norm.cdf(1.5 / math.sqrt(2))
    labels = [True] * 20 + [False] * 20
    found = [
        stats.auroc([*rng.normal(1.5, 1, 20), *rng.normal(0, 1, 20)], labels) for _ in range(300)
    ]
    assert np.mean([e.low <= truth <= e.high for e in found]) >= 0.92


@pytest.mark.parametrize(
    ("scores", "labels"), [([1.0], [True]), ([math.nan, 1.0], [True, False]), ([], [])]
)
def test_scores_that_cannot_be_compared_are_refused(
    scores: list[float], labels: list[bool]
) -> None:
    with pytest.raises(ValueError, match=r"both labels|not a number"):
        stats.auroc(scores, labels)


def test_rank_agreement_of_equal_opposite_and_missing_orders() -> None:
    assert stats.rank_agreement([1, 2, 3, 4], [10, 20, 30, 40]).tau == pytest.approx(1)
    assert stats.rank_agreement([1, 2, 3, 4], [4, 3, 2, 1]).tau == pytest.approx(-1)
    assert math.isnan(stats.rank_agreement([1], [1]).tau)
    assert math.isnan(stats.rank_agreement([1, 1], [1, 2]).tau)
