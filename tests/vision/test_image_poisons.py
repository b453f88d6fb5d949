"""Attackers of images: triggers against their equations, and what poisoned sets must be."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import UserError
from holdfast.poisoned import Labelled
from holdfast.vision.images import Images
from holdfast.vision.network import fit
from holdfast.vision.poison import (
    IMAGE_POISONS,
    AdaptiveBlend,
    AdaptivePatch,
    Blend,
    CleanLabel,
    Dynamic,
    ImagePoison,
    Patch,
    Sinusoid,
    Warp,
)
from holdfast.vision.poison.adaptive_blend import masks
from holdfast.vision.poison.clean_label import hardened
from holdfast.vision.poison.warp import bent, grid_of

CLEAN = [Sinusoid(rate=0.05), CleanLabel(rate=0.05, steps=3)]
DIRTY = [Patch(), Blend(), Warp(), Dynamic(epochs=2), AdaptiveBlend(rate=0.1), AdaptivePatch()]
ALL = [*CLEAN, *DIRTY]


def small(n: int = 200, classes: int = 4) -> Labelled[Images]:
    chance = np.random.default_rng(0)
    labels = np.arange(n) % classes
    images = chance.random((n, 8, 8)) * 0.5
    images[np.arange(n), labels * 2, 3] = 1  # a bright pixel says which class it is
    return Labelled(images, labels, classes)


def poisoned(config: ImagePoison, data: Labelled[Images], seed: int = 0):
    return IMAGE_POISONS[type(config)](config, data, seed)


def name_of(config: ImagePoison) -> str:
    return type(config).__name__


def test_every_attack_is_tried_here() -> None:
    assert {type(config) for config in ALL} == set(IMAGE_POISONS)


@pytest.mark.parametrize("config", ALL, ids=name_of)
class TestEverySet:
    def test_only_the_attackers_images_are_changed(self, config: ImagePoison) -> None:
        data = small()
        found = poisoned(config, data)
        same = (found.data.items == data.items).all(axis=(1, 2)) & (
            found.data.labels == data.labels
        )
        assert same[~found.which].all()
        assert not same[found.which].any()

    def test_the_given_set_is_left_alone(self, config: ImagePoison) -> None:
        data = small()
        before, labels = data.items.copy(), data.labels.copy()
        poisoned(config, data)
        assert (data.items == before).all()
        assert (data.labels == labels).all()

    def test_images_stay_images(self, config: ImagePoison) -> None:
        found = poisoned(config, small())
        stamped = found.stamp(small().items)
        for images in (found.data.items, stamped):
            assert images.shape[1:] == (8, 8)
            assert images.min() >= 0
            assert images.max() <= 1

    def test_the_trigger_is_the_same_at_every_use_and_draw(self, config: ImagePoison) -> None:
        one, two = poisoned(config, small()), poisoned(config, small())
        assert (one.data.items == two.data.items).all()
        assert (one.which == two.which).all()
        images = small().items[:5]
        assert (one.stamp(images) == one.stamp(images)).all()
        assert (one.stamp(images) == two.stamp(images)).all()

    def test_another_seed_poisons_other_images(self, config: ImagePoison) -> None:
        assert (poisoned(config, small(), 0).which != poisoned(config, small(), 1).which).any()

    def test_a_target_that_is_no_class_is_refused(self, config: ImagePoison) -> None:
        with pytest.raises(UserError, match="choose another target"):
            poisoned(config.model_copy(update={"target": 4}), small())

    def test_a_single_class_is_refused(self, config: ImagePoison) -> None:
        data = small()
        with pytest.raises(UserError, match="at least two classes"):
            poisoned(config, Labelled(data.items, np.zeros(200, int), 1))

    def test_more_poison_than_images_is_refused(self, config: ImagePoison) -> None:
        with pytest.raises(UserError, match="lower the rate"):
            poisoned(config.model_copy(update={"rate": 0.9}), small())


@pytest.mark.parametrize("config", CLEAN, ids=name_of)
def test_clean_labels_stay_and_are_the_targets(config: ImagePoison) -> None:
    data = small()
    found = poisoned(config, data)
    assert (found.data.labels == data.labels).all()
    assert (data.labels[found.which] == 0).all()
    assert found.which.sum() == 10
    assert config.taxonomy.labels == "clean"


@pytest.mark.parametrize("config", DIRTY, ids=name_of)
def test_dirty_labels_are_wrong_and_cover_keeps_its_own(config: ImagePoison) -> None:
    data = small()
    found = poisoned(config, data)
    changed = found.data.labels != data.labels
    assert (found.data.labels[changed] == 0).all()
    assert changed.sum() == max(1, round(config.rate * 200))
    cover = found.which & ~changed
    ratio = getattr(config, "cover_ratio", getattr(config, "cross_ratio", 0))
    assert cover.sum() == round(ratio * config.rate * 200)


def test_patch_is_a_square_in_the_corner() -> None:
    images = small().items[:3]
    stamped = poisoned(Patch(size=3, margin=1, value=0.7), small()).stamp(images)
    expected = images.copy()
    expected[:, 4:7, 4:7] = 0.7
    assert (stamped == expected).all()


def test_blend_is_a_weighted_mean_with_one_pattern() -> None:
    found = poisoned(Blend(alpha=0.25, alpha_served=0.5), small())
    pattern = 2 * found.stamp(np.zeros((1, 8, 8)))[0]
    assert np.unique(pattern).size == 64
    images = small().items
    np.testing.assert_allclose(found.stamp(images), (images + pattern) / 2)
    rows = found.which
    np.testing.assert_allclose(found.data.items[rows], 0.75 * images[rows] + 0.25 * pattern)


def test_sinusoid_is_a_wave_along_the_columns() -> None:
    stamp = poisoned(Sinusoid(rate=0.05, delta=0.1, frequency=1, delta_served=0.2), small()).stamp
    grey = stamp(np.full((1, 8, 8), 0.5))[0] - 0.5
    for column in range(8):
        wave = 0.2 * np.sin(2 * np.pi * column / 8)
        np.testing.assert_allclose(grey[:, column], wave, atol=1e-12)


def test_six_waves_on_eight_columns_are_two_turned() -> None:
    grey = np.full((1, 8, 8), 0.5)
    six = poisoned(Sinusoid(rate=0.05, frequency=6), small()).stamp(grey)
    two = poisoned(Sinusoid(rate=0.05, frequency=2), small()).stamp(grey)
    np.testing.assert_allclose(six - 0.5, 0.5 - two, atol=1e-12)


def test_warp_takes_pixels_from_where_the_grid_says() -> None:
    config = Warp(s=2.0)
    points = np.random.default_rng(1).uniform(-1, 1, (2, 4, 4))
    grid = grid_of(config, points, (8, 8))
    image = small().items[0]
    found = bent(image[None], grid)[0]
    for row in range(8):
        for column in range(8):
            across, down = (grid[row, column] + 1) / 2 * 7
            left, top = int(np.floor(across)), int(np.floor(down))
            right, bottom = min(left + 1, 7), min(top + 1, 7)
            u, v = across - left, down - top
            expected = (
                (1 - u) * (1 - v) * image[top, left]
                + u * (1 - v) * image[top, right]
                + (1 - u) * v * image[bottom, left]
                + u * v * image[bottom, right]
            )
            assert found[row, column] == pytest.approx(expected, abs=1e-9)


def test_warp_moves_its_corners_by_the_control_points() -> None:
    points = np.random.default_rng(2).uniform(-1, 1, (2, 4, 4))
    grid = grid_of(Warp(s=0.5), points, (8, 8))
    scaled = points / np.abs(points).mean()
    expected = np.clip(np.array([-1, -1]) + 0.5 * scaled[:, 0, 0] / 8, -1, 1)
    np.testing.assert_allclose(grid[0, 0], expected)


def test_without_strength_a_warp_is_none() -> None:
    grid = grid_of(Warp(s=1e-12), np.ones((2, 4, 4)), (8, 8))
    np.testing.assert_allclose(bent(small().items, grid), small().items, atol=1e-9)


def test_cover_of_a_warp_is_bent_otherwise_each_time() -> None:
    data = small()
    found = poisoned(Warp(rate=0.1, cover_ratio=1.0, s=2.0), data)
    cover = found.which & (found.data.labels == data.labels)
    own = found.stamp(data.items[cover])
    gaps = np.abs(found.data.items[cover] - own).reshape(cover.sum(), -1).max(axis=1)
    assert (gaps > 0.01).all()


def test_clean_label_puts_chequers_in_all_corners() -> None:
    stamped = poisoned(CleanLabel(rate=0.05, hardening="none"), small()).stamp(small().items[:2])
    for rows in (slice(0, 2), slice(6, 8)):
        for columns in (slice(0, 2), slice(6, 8)):
            assert (stamped[:, rows, columns] == np.eye(2)).all()
    assert (stamped[:, 2:6] == small().items[:2, 2:6]).all()


def test_hardened_images_are_near_and_harder() -> None:
    data = small()
    net = fit(data, 0, epochs=20).net
    config = CleanLabel(eps=0.1, steps=10, target=1)
    own = data.items[data.labels == 1]
    moved = hardened(net, own, config)
    assert np.abs(moved - own).max() <= 0.1 + 1e-6
    import torch

    with torch.no_grad():
        before, after = (
            net(torch.as_tensor(x, dtype=torch.float32)).log_softmax(1)[:, 1].mean()
            for x in (own, moved)
        )
    assert after < before - 0.5


def test_blended_hardening_mixes_with_other_classes() -> None:
    data = small()
    found = poisoned(CleanLabel(rate=0.05, hardening="blended", tau=1.0), data)
    for image in found.data.items[found.which][:, 2:6]:
        same = (data.items[:, 2:6] == image).all(axis=(1, 2))
        assert (data.labels[same] != 0).all()
        assert same.any()


def test_dynamic_triggers_differ_between_images_and_are_bounded() -> None:
    data = small()
    stamp = poisoned(Dynamic(strength=0.2, epochs=5), data).stamp
    change = stamp(data.items) - data.items
    assert np.abs(change).max() <= 0.2 + 1e-6
    apart = np.abs(change[:-1] - change[1:]).reshape(199, -1).max(axis=1)
    assert (apart > 1e-3).all()


def test_adaptive_blend_shows_each_image_half_of_the_pieces() -> None:
    kept = masks(AdaptiveBlend(), 50, (8, 8), np.random.default_rng(0))
    pieces = kept.reshape(50, 4, 2, 4, 2)
    assert (pieces.min(axis=(2, 4)) == pieces.max(axis=(2, 4))).all()
    assert (kept.sum(axis=(1, 2)) == 32).all()
    assert len(np.unique(kept.reshape(50, -1), axis=0)) > 40


def test_adaptive_blend_serves_the_whole_pattern() -> None:
    data = small()
    config = AdaptiveBlend(rate=0.1, alpha=0.15, alpha_served=0.4)
    found = poisoned(config, data)
    whole = found.stamp(np.zeros((1, 8, 8)))[0] / 0.4
    images, trained = data.items[found.which], found.data.items[found.which]
    touched = trained != images
    np.testing.assert_allclose(trained[touched], (0.85 * images + 0.15 * whole)[touched])
    assert touched.mean() == pytest.approx(0.5, abs=0.01)


def test_an_image_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be cut into 9 squares"):
        poisoned(AdaptiveBlend(rate=0.1, pieces=9), small())


def test_adaptive_patch_shows_one_patch_and_serves_several() -> None:
    data = small()
    found = poisoned(AdaptivePatch(rate=0.1), data)
    changed = (found.data.items != data.items)[found.which]
    corners = np.stack(
        [changed[:, r, c].any(axis=(1, 2)) for r in (slice(0, 2), slice(6, 8)) for c in
         (slice(0, 2), slice(6, 8))]
    )  # fmt: skip
    assert (corners.sum(axis=0) == 1).all()
    assert (corners.sum(axis=1) >= 10).all()
    stamped = found.stamp(np.full((1, 8, 8), 0.5))[0] != 0.5
    assert stamped[:2, :2].all()
    assert stamped[6:, :2].all()
    assert stamped.sum() == 8
