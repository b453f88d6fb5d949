"""Attacks on one input: their equations, their bounds, and what they reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.errors import UserError
from holdfast.poisoned import Labelled
from holdfast.vision.digits import digits
from holdfast.vision.images import Images
from holdfast.vision.network import encode, fit
from holdfast.vision.targeted import (
    TARGETED_POISONS,
    Aim,
    FeatureCollision,
    GradientMatching,
    TargetedPoison,
)
from holdfast.vision.targeted.feature_collision import collided
from holdfast.vision.targeted.gradient_matching import mismatch

SMALL = [
    GradientMatching(steps=10, restarts=1, budget=0.02, eps=0.2),
    FeatureCollision(steps=50, budget=0.02),
]


@pytest.fixture(scope="module")
def data() -> Labelled[Images]:
    train = digits(0).train
    return Labelled(train.items[:300], train.labels[:300], 10)


@pytest.fixture(scope="module")
def aim() -> Aim:
    test = digits(0).test
    return Aim(test.items[np.flatnonzero(test.labels == 3)[0]], 8)


def name_of(config: TargetedPoison) -> str:
    return type(config).__name__


@pytest.mark.parametrize("config", SMALL, ids=name_of)
class TestEveryAttack:
    def test_labels_stay_and_only_the_wanted_class_is_changed(self, config, data, aim) -> None:
        found = TARGETED_POISONS[type(config)](config, data, aim, 0).poisoned
        assert (found.data.labels == data.labels).all()
        assert (data.labels[found.which] == 8).all()
        assert found.which.sum() == 6
        assert (found.data.items == data.items)[~found.which].all()
        assert (found.data.items != data.items)[found.which].any()
        assert found.data.items.min() >= 0
        assert found.data.items.max() <= 1
        assert found.stamp is None
        assert found.target == 8

    def test_what_it_makes_small_gets_smaller(self, config, data, aim) -> None:
        found = TARGETED_POISONS[type(config)](config, data, aim, 0)
        assert found.after < 0.9 * found.before

    def test_same_seed_same_poison(self, config, data, aim) -> None:
        one, two = (TARGETED_POISONS[type(config)](config, data, aim, 1) for _ in range(2))
        assert (one.poisoned.data.items == two.poisoned.data.items).all()

    def test_no_step_changes_nothing(self, config, data, aim) -> None:
        idle = config.model_copy(update={"steps": 0})
        found = TARGETED_POISONS[type(config)](idle, data, aim, 0)
        if isinstance(config, FeatureCollision):
            assert found.before == pytest.approx(found.after)
        assert found.after <= found.before

    def test_a_label_that_is_no_class_is_refused(self, config, data, aim) -> None:
        with pytest.raises(UserError, match="aim at another"):
            TARGETED_POISONS[type(config)](config, data, Aim(aim.image, 10), 0)

    def test_too_large_a_budget_is_refused(self, config, data, aim) -> None:
        greedy = config.model_copy(update={"budget": 0.5})
        with pytest.raises(UserError, match="lower the budget"):
            TARGETED_POISONS[type(config)](greedy, data, aim, 0)


def test_gradient_matching_stays_within_its_bound(data, aim) -> None:
    config = GradientMatching(steps=5, restarts=1, budget=0.02, eps=0.1)
    found = TARGETED_POISONS[GradientMatching](config, data, aim, 0).poisoned
    assert np.abs(found.data.items - data.items).max() <= 0.1 + 1e-6


def test_mismatch_is_one_minus_the_cosine_of_the_gradients() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    images, labels = torch.rand(2, 2, 2), torch.tensor([0, 2])
    wanted = torch.rand(15)
    errors = net(images).softmax(1).detach() - torch.eye(3)[labels]  # of a linear model, by hand
    weights = (errors[:, :, None] * images.flatten(1)[:, None, :]).sum(0).flatten()
    given = torch.cat([weights, errors.sum(0)])
    expected = 1 - given @ wanted / given.norm() / wanted.norm()
    assert float(mismatch(net, images, labels, wanted).detach()) == pytest.approx(
        float(expected), abs=1e-6
    )


def test_a_step_of_collision_is_forward_then_backward() -> None:
    weight = torch.tensor([[1.0, -2.0], [0.5, 1.0]])
    features = torch.nn.Linear(2, 2, bias=False)
    features.weight.data = weight
    base, goal = torch.tensor([[0.4, 0.5]]), torch.tensor([[0.1, 0.6]])
    config = FeatureCollision(beta=0.5, rate=0.1, steps=2)
    x = base
    for _ in range(2):
        ahead = x - 0.1 * 2 * (x @ weight.T - goal) @ weight
        x = ((ahead + 0.1 * 0.5 * base) / (1 + 0.1 * 0.5)).clamp(0, 1)
    torch.testing.assert_close(collided(config, features, base, goal), x)


def test_collision_uses_the_layers_that_the_victim_keeps(data, aim) -> None:
    kept = fit(data, 9, epochs=10).net[:-1]
    config = FeatureCollision(steps=100, budget=0.02)
    found = TARGETED_POISONS[FeatureCollision](config, data, aim, 0, features=kept).poisoned
    with torch.no_grad():
        goal = kept(encode(aim.image)[None])
        near, far = (
            (kept(encode(x[found.which])) - goal).norm(dim=1).mean()
            for x in (found.data.items, data.items)
        )
    assert near < 0.7 * far
