"""BaDExpert: its score, its stop rule, what it finds on a patched classifier, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.classifiers.measure import separation
from holdfast.guards.backdoor_expert import (
    BackdoorExpert,
    auxiliary,
    backdoor_expert,
    expert,
    suspicion,
)
from holdfast.guards.tunable import Tunable
from holdfast.vision.digits import digits
from holdfast.vision.network import encode, fit
from holdfast.vision.poison import Patch
from holdfast.vision.poison.patch import patch

SMALL = BackdoorExpert(unlearn_rate=1e-3, unlearn_batch=200, unlearn_epochs=400)


@pytest.fixture(scope="module")
def split():
    return digits(50)


@pytest.fixture(scope="module")
def planted(split):
    return patch(Patch(rate=0.05), split.train, 50)


@pytest.fixture(scope="module")
def victim(planted):
    return fit(planted.data, 50, epochs=40)


@pytest.fixture(scope="module")
def triggered(split, planted):
    return planted.stamp(split.test.items[split.test.labels != 0])


@pytest.fixture
def guarded(split, victim):
    return Tunable(
        probabilities=victim.probabilities,
        fit=split.reserve.items,
        fit_labels=split.reserve.labels,
        held=split.held.items,
        net=victim.net,
        encode=encode,
    )


def accuracy(net, images, labels) -> float:
    with torch.no_grad():
        return float((net(encode(images)).argmax(1).numpy() == labels).mean())


def test_the_expert_forgets_its_task_and_keeps_the_backdoor(split, guarded, triggered) -> None:
    found = expert(SMALL, guarded)
    assert found.forgot
    assert found.accuracy < 0.2
    assert accuracy(found.net, split.test.items, split.test.labels) < 0.35
    assert accuracy(found.net, triggered, 0) > 0.8


def test_triggered_inputs_are_told_from_clean_ones(split, guarded, victim, triggered) -> None:
    watch = backdoor_expert(SMALL, guarded)
    assert not watch.unjudged
    reached = triggered[victim.predict(triggered) == 0]
    clean = watch.score(split.test.items)
    assert separation(watch.score(reached), clean).value > 0.95
    assert (clean > watch.limit).mean() < 0.04


def test_stopping_too_early_tells_them_apart_worse(split, guarded, triggered, victim) -> None:
    reached = triggered[victim.predict(triggered) == 0]

    def found(stop_below: float) -> float:
        watch = backdoor_expert(SMALL.model_copy(update={"stop_below": stop_below}), guarded)
        return separation(watch.score(reached), watch.score(split.test.items)).value

    assert found(0.2) > found(0.97) + 0.05


def test_it_stops_at_the_first_step_under_the_limit(guarded) -> None:
    found = expert(SMALL, guarded)
    shorter = expert(SMALL.model_copy(update={"unlearn_epochs": found.steps - 1}), guarded)
    assert shorter.steps == found.steps - 1
    assert not shorter.forgot
    assert shorter.accuracy >= 0.2


def test_a_copy_that_has_not_forgotten_gives_no_verdict(guarded, split) -> None:
    watch = backdoor_expert(BackdoorExpert(), guarded)  # the published rate and its one epoch
    assert "raise unlearn_rate or unlearn_epochs" in watch.unjudged
    assert not (watch.score(split.test.items) > watch.limit).any()


def test_labels_are_taught_one_further_round_the_circle(guarded, victim) -> None:
    found = expert(SMALL.model_copy(update={"unlearn_epochs": 1}), guarded)
    net = torch.nn.Sequential(*victim.net)
    logits = net(encode(guarded.fit))
    wrong = torch.as_tensor((guarded.fit_labels + 1) % 10)
    slopes = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, wrong),
                                 list(net.parameters()))  # fmt: skip
    for before, after, slope in zip(net.parameters(), found.net.parameters(), slopes, strict=True):
        step = -1e-3 * slope / (slope.abs() + 1e-8)  # Adam's first step
        torch.testing.assert_close(after - before, step, atol=2e-6, rtol=1e-2)


def test_the_threshold_is_from_the_held_inputs_alone(guarded, split) -> None:
    watch = backdoor_expert(SMALL.model_copy(update={"false_alarms": 0.1}), guarded)
    held = watch.score(split.held.items)
    assert 0.05 < (held > watch.limit).mean() <= 0.1
    other = backdoor_expert(
        SMALL.model_copy(update={"false_alarms": 0.1}),
        replace(guarded, held=split.test.items[:100]),
    )
    assert other.limit != watch.limit
    assert (other.score(split.held.items) == held).all()


def test_the_guarded_model_is_left_as_it_was(guarded, victim) -> None:
    before = [p.clone() for p in victim.net.parameters()]
    backdoor_expert(SMALL.model_copy(update={"score": "ratio"}), guarded)
    assert all(torch.equal(a, b) for a, b in zip(before, victim.net.parameters(), strict=True))


def test_same_seed_same_scores(guarded, split) -> None:
    config = SMALL.model_copy(update={"unlearn_batch": 64, "score": "triangle"})
    one, two = (backdoor_expert(config, guarded).score(split.test.items) for _ in range(2))
    other = backdoor_expert(config, replace(guarded, seed=1)).score(split.test.items)
    assert (one == two).all()
    assert (one != other).any()


def test_suspicion_by_hand() -> None:
    b, a = np.array([0.9, 0.2, 0.9]), np.array([0.3, 0.9, 0.95])
    assert (suspicion(SMALL, b, a) == b).all()
    ratio = suspicion(SMALL.model_copy(update={"score": "ratio"}), b, a)
    expected = [
        -min(0.3 / 0.9, 0.1 / 0.7),
        -min(0.9 / 0.2, 0.8 / 0.1),
        -min(0.95 / 0.9, 0.1 / 0.05),
    ]
    np.testing.assert_allclose(ratio, expected)
    triangle = suspicion(SMALL.model_copy(update={"score": "triangle"}), b, a)
    expected = [
        -min(0.6 / 0.9, 0.1 / 0.2),
        -min(1.8 / 0.2, 0.8 / 1e-8),
        -min(1.9 / 0.9, 0.1 / 1e-8),
    ]
    np.testing.assert_allclose(triangle, expected)


def test_the_auxiliary_copy_keeps_the_task(guarded, split) -> None:
    tuned = auxiliary(SMALL, guarded)
    assert accuracy(tuned, split.test.items, split.test.labels) > 0.9
    idle = auxiliary(SMALL.model_copy(update={"tune_epochs": 0}), guarded)
    assert all(
        torch.equal(a, b) for a, b in zip(idle.parameters(), guarded.net.parameters(), strict=True)
    )


def test_more_experts_tell_them_apart_better(split, guarded, triggered, victim) -> None:
    several = SMALL.model_copy(update={"experts": 9})
    one, nine = backdoor_expert(SMALL, guarded), backdoor_expert(several, guarded)
    reached = triggered[victim.predict(triggered) == 0]
    apart = [
        separation(watch.score(reached), watch.score(split.test.items)).value
        for watch in (one, nine)
    ]
    assert apart[1] > max(0.98, apart[0])


def test_of_several_experts_the_median_counts(guarded, split, victim) -> None:
    watch = backdoor_expert(SMALL.model_copy(update={"experts": 3}), guarded)
    images = split.test.items[:20]
    said = victim.predict(images)
    each = []
    for shift in (1, 2, 3):
        net = expert(SMALL, guarded, shift).net
        each.append(net(encode(images)).double().softmax(1).detach().numpy()[range(20), said])
    np.testing.assert_allclose(watch.score(images), np.sort(each, axis=0)[1])


class TestNoVerdict:
    def test_without_a_reserve(self, guarded) -> None:
        none = np.zeros((0, 8, 8))
        empty = replace(guarded, fit=none, fit_labels=np.zeros(0, int))
        assert "clean reserve has 0" in backdoor_expert(SMALL, empty).unjudged

    def test_without_inputs_for_the_threshold(self, guarded) -> None:
        none = replace(guarded, held=np.zeros((0, 8, 8)))
        assert "clean reserve has 0" in backdoor_expert(SMALL, none).unjudged

    def test_of_one_class(self, guarded) -> None:
        alike = replace(guarded, fit_labels=np.full(200, 3))
        assert "one class" in backdoor_expert(SMALL, alike).unjudged


def test_it_guards_a_classifier_of_anything_that_becomes_a_tensor() -> None:
    """Words as items, an embedding bag as the model: nothing here knows images."""
    torch.manual_seed(0)
    words = ("red", "green", "blue")
    items = tuple(words[i % 3] for i in range(60))

    def encode_words(given: tuple[str, ...]) -> torch.Tensor:
        return torch.tensor([[words.index(word)] for word in given], dtype=torch.long).reshape(
            -1, 1
        )

    net = torch.nn.Sequential(torch.nn.Embedding(3, 4), torch.nn.Flatten(), torch.nn.Linear(4, 3))
    labels = np.arange(60) % 3
    optimiser = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(
            net(encode_words(items)), torch.as_tensor(labels)
        ).backward()
        optimiser.step()

    def probabilities(given: tuple[str, ...]) -> np.ndarray:
        return net(encode_words(given)).softmax(1).detach().double().numpy()

    watched = Tunable(probabilities=probabilities, fit=items, fit_labels=labels, held=items,
                      net=net, encode=encode_words)  # fmt: skip
    watch = backdoor_expert(BackdoorExpert(unlearn_rate=0.1, unlearn_epochs=100), watched)
    assert not watch.unjudged
    assert watch.score(items).shape == (60,)


def test_there_are_no_more_experts_than_wrong_labels() -> None:
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 3)
    items = np.random.default_rng(0).normal(size=(30, 2))

    def encode_points(points: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(points, dtype=torch.float32)

    def probabilities(points: np.ndarray) -> np.ndarray:
        return net(encode_points(points)).softmax(1).detach().double().numpy()

    watched = Tunable(
        probabilities=probabilities,
        fit=items,
        fit_labels=probabilities(items).argmax(1),
        held=items,
        net=net,
        encode=encode_points,
    )
    scores = [
        backdoor_expert(
            BackdoorExpert(experts=count, unlearn_rate=0.1, unlearn_epochs=200), watched
        ).score(items)
        for count in (1, 2, 20)
    ]
    assert (scores[1] == scores[2]).all()
    assert (scores[0] != scores[1]).any()
