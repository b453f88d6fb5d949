"""The digits, their split, and the classifier that is trained on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.errors import UserError
from holdfast.poisoned import Labelled
from holdfast.vision.blending import superimposed
from holdfast.vision.digits import digits
from holdfast.vision.network import encode, fit, trained
from holdfast.vision.poison import Patch
from holdfast.vision.poison.patch import patch


def test_the_four_parts_share_no_image_and_leave_none_out() -> None:
    whole = digits(0)
    parts = [whole.train, whole.reserve, whole.held, whole.test]
    images = np.concatenate([part.items for part in parts])
    assert len(images) == 1_797
    everything = np.concatenate([digits(1).train.items, digits(1).reserve.items,
                                 digits(1).held.items, digits(1).test.items])  # fmt: skip
    ordered = [np.sort(x.reshape(1_797, 64), axis=0) for x in (images, everything)]
    assert (ordered[0] == ordered[1]).all()
    assert images.min() == 0
    assert images.max() == 1


def test_a_split_belongs_to_its_seed() -> None:
    assert (digits(3).test.items == digits(3).test.items).all()
    assert (digits(3).test.labels != digits(4).test.labels).any()


@pytest.fixture(scope="module")
def split():
    return digits(7)


def test_a_patch_works_and_does_nothing_to_a_clean_model(split) -> None:
    found = patch(Patch(rate=0.05), split.train, 7)
    victim, clean = fit(found.data, 7, epochs=30), fit(split.train, 7, epochs=30)
    others = split.test.labels != 0
    triggered = found.stamp(split.test.items[others])
    assert (victim.predict(split.test.items) == split.test.labels).mean() > 0.9
    assert (victim.predict(triggered) == 0).mean() > 0.9
    assert (clean.predict(triggered) == 0).mean() < 0.05


def test_same_seed_same_weights(split) -> None:
    few = Labelled(split.train.items[:100], split.train.labels[:100], 10)
    one, two, other = fit(few, 1, epochs=2), fit(few, 1, epochs=2), fit(few, 2, epochs=2)
    same = [torch.equal(a, b) for a, b in zip(one.net.parameters(), two.net.parameters(),
                                              strict=True)]  # fmt: skip
    assert all(same)
    assert not torch.equal(one.net[1].weight, other.net[1].weight)


def test_losses_are_of_every_image_after_every_epoch(split) -> None:
    few = Labelled(split.train.items[:100], split.train.labels[:100], 10)
    fitted = fit(few, 0, epochs=4)
    assert fitted.losses.shape == (4, 100)
    told = fitted.probabilities(few.items)[np.arange(100), few.labels]
    np.testing.assert_allclose(fitted.losses[-1], -np.log(told), rtol=1e-4, atol=1e-6)


def test_features_are_what_the_last_layer_reads(split) -> None:
    few = Labelled(split.train.items[:50], split.train.labels[:50], 10)
    fitted = fit(few, 0, epochs=2)
    last = fitted.net[-1]
    logits = fitted.features(few.items) @ last.weight.double().detach().numpy().T
    logits += last.bias.double().detach().numpy()
    np.testing.assert_allclose(logits, fitted.net(encode(few.items)).detach().numpy(), atol=1e-4)
    seen = trained(fitted, few, seed=5)
    assert (seen.features == fitted.features(few.items)).all()
    assert (seen.labels == few.labels).all()
    assert (seen.losses == fitted.losses).all()


def test_training_leaves_the_callers_generator_alone(split) -> None:
    few = Labelled(split.train.items[:50], split.train.labels[:50], 10)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    fit(few, 3, epochs=1)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(("images", "classes"), [(0, 10), (5, 1)])
def test_nothing_to_tell_apart_is_refused(images: int, classes: int) -> None:
    data = Labelled(np.zeros((images, 8, 8)), np.zeros(images, int), classes)
    with pytest.raises(UserError, match="at least two classes"):
        fit(data, 0)


def test_blends_lie_side_by_side_for_each_image() -> None:
    clean = np.stack([np.full((8, 8), value) for value in (0.2, 0.6)])
    images = np.stack([np.zeros((8, 8)), np.full((8, 8), 0.5)])
    found = superimposed(clean)(images, 30, 0)
    assert found.shape == (60, 8, 8)
    assert set(np.round(found[:30, 0, 0], 9)) == {0.2, 0.6}
    assert set(np.round(found[30:, 0, 0], 9)) == {0.7, 1.0}
    assert (found == superimposed(clean)(images, 30, 0)).all()
    assert (found != superimposed(clean)(images, 30, 1)).any()
