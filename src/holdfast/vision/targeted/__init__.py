"""Attacks on one input, without a trigger: one file each. A line in the table registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.poisoned import Labelled
from holdfast.vision.images import Images
from holdfast.vision.targeted.aim import Aim, Aimed, TargetedPoison
from holdfast.vision.targeted.feature_collision import FeatureCollision, feature_collision
from holdfast.vision.targeted.gradient_matching import GradientMatching, gradient_matching

# Every function takes (config, data, aim, seed); the config's type differs, hence Any.
TARGETED_POISONS: dict[type[TargetedPoison], Callable[[Any, Labelled[Images], Aim, int], Aimed]] = {
    GradientMatching: gradient_matching,
    FeatureCollision: feature_collision,
}

__all__ = [
    "TARGETED_POISONS",
    "Aim",
    "Aimed",
    "FeatureCollision",
    "GradientMatching",
    "TargetedPoison",
]
