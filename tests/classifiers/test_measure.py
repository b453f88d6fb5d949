"""What backdoors are measured by, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.classifiers.measure import (
    accuracy,
    attack_success,
    caught,
    roc_points,
    separation,
    stopped,
)


def test_attack_success_counts_only_inputs_of_other_labels_and_has_its_floor() -> None:
    labels = np.array([1, 1, 0, 0, 2, 2])
    found = attack_success(np.array([1, 1, 1, 1, 1, 0]), np.array([1, 1, 0, 0, 1, 2]), labels, 1)
    assert (found.found.k, found.found.n) == (3, 4)
    assert (found.floor.k, found.floor.n) == (1, 4)
    assert found.gained == pytest.approx(0.5)
    assert found.found.low < 0.75 < found.found.high


def test_accuracy_and_what_a_filter_caught() -> None:
    assert accuracy(np.array([0, 1, 1]), np.array([0, 1, 0])).value == pytest.approx(2 / 3)
    found = caught(np.array([True, False, True, False]), np.array([True, True, False, False]))
    assert (found.recall.value, found.false_removal.value) == (0.5, 0.5)


def test_a_stopped_clean_input_is_an_error_and_a_stopped_trigger_a_failed_attack() -> None:
    found = stopped(
        (np.array([0.0, 2.0, 0.0]), np.array([2.0, 0.0, 0.0, 2.0])),
        1.0,
        (np.array([0, 0, 1]), np.array([1, 1, 0, 1])),
        (np.array([0, 0, 0]), np.array([0, 0, 0, 1])),
        1,
    )
    assert found.false_rejection.value == pytest.approx(1 / 3)
    assert found.false_acceptance.value == 0.5
    assert (found.accuracy.k, found.accuracy.n) == (1, 3)
    assert (found.success.k, found.success.n) == (1, 3)


def test_separation_counts_pairs_in_the_right_order() -> None:
    suspicious, clean = np.array([3.0, 1.0]), np.array([0.0, 2.0, 1.0])
    # Of six pairs four are in order, one is a tie, one is not.
    assert separation(suspicious, clean).value == pytest.approx((4 + 0.5) / 6)
    points = roc_points(suspicious, clean)
    assert (points[0].false_positive_rate, points[-1].true_positive_rate) == (0.0, 1.0)
