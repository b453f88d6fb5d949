"""Labels flipped at random and by margin."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from holdfast.errors import UserError
from holdfast.poisoned import Labelled
from holdfast.vision.flips import Flips, flips, margins


@pytest.fixture(scope="module")
def tumours():
    found = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(found.target))
    rows, rest = order[:400], order[400:]
    return (
        Labelled(found.data[rows], found.target[rows].astype(np.int64), 2),
        (found.data[rest], found.target[rest]),
    )


def accuracy_after(config: Flips, tumours) -> float:
    data, (items, labels) = tumours
    found = flips(config, data, 0).data
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
    return model.fit(found.items, found.labels).score(items, labels)


@pytest.mark.parametrize("by", ["random", "margin"])
def test_the_share_is_flipped_and_no_input_is_changed(by, tumours) -> None:
    data, _ = tumours
    found = flips(Flips(rate=0.25, by=by), data, 0)
    assert found.which.sum() == 100
    assert ((found.data.labels != data.labels) == found.which).all()
    assert (found.data.items == data.items).all()
    assert found.stamp is None


@pytest.mark.parametrize("by", ["random", "margin"])
def test_at_rate_nought_nothing_happens(by, tumours) -> None:
    data, _ = tumours
    found = flips(Flips(rate=0, by=by), data, 0)
    assert not found.which.any()
    assert (found.data.labels == data.labels).all()


def test_harm_grows_with_the_rate_and_margins_do_more_of_it(tumours) -> None:
    by_margin = [accuracy_after(Flips(rate=rate, by="margin"), tumours) for rate in (0, 0.15, 0.3)]
    assert by_margin[0] > by_margin[1] > by_margin[2]
    assert by_margin[2] < accuracy_after(Flips(rate=0.3, by="random"), tumours) - 0.1


def test_margin_is_the_gap_between_own_and_best_other_score() -> None:
    chance = np.random.default_rng(1)
    labels = np.arange(90) % 3
    items = chance.normal(size=(90, 2)) + np.array([[0, 0], [3, 0], [0, 3]])[labels]
    data = Labelled(items, labels, 3)
    margin, least = margins(data)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)).fit(items, labels)
    for row, scores in enumerate(model.predict_log_proba(items)):
        others = [scores[c] for c in range(3) if c != labels[row]]
        assert margin[row] == pytest.approx(scores[labels[row]] - max(others))
        assert least[row] == min(range(3), key=lambda c: scores[c])
    flipped = flips(Flips(rate=0.1, by="margin"), data, 0).which
    assert margin[flipped].min() >= margin[~flipped].max()


def test_a_single_class_is_refused() -> None:
    with pytest.raises(UserError, match="at least two"):
        flips(Flips(), Labelled(np.zeros((5, 2)), np.zeros(5, int), 2), 0)
