"""Attackers of image classifiers: one file each. A line in `IMAGE_POISONS` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.poisoned import Labelled, Poisoned
from holdfast.vision.images import Images
from holdfast.vision.poison.adaptive_blend import AdaptiveBlend, adaptive_blend
from holdfast.vision.poison.adaptive_patch import AdaptivePatch, adaptive_patch
from holdfast.vision.poison.blend import Blend, blend
from holdfast.vision.poison.clean_label import CleanLabel, clean_label
from holdfast.vision.poison.dynamic import Dynamic, dynamic
from holdfast.vision.poison.patch import Patch, patch
from holdfast.vision.poison.planting import ImagePoison
from holdfast.vision.poison.sinusoid import Sinusoid, sinusoid
from holdfast.vision.poison.warp import Warp, warp

# Every function takes (config, data, seed); the config's type differs, hence Any.
IMAGE_POISONS: dict[type[ImagePoison], Callable[[Any, Labelled[Images], int], Poisoned[Images]]] = {
    Patch: patch,
    Blend: blend,
    Sinusoid: sinusoid,
    Warp: warp,
    CleanLabel: clean_label,
    Dynamic: dynamic,
    AdaptiveBlend: adaptive_blend,
    AdaptivePatch: adaptive_patch,
}

__all__ = [
    "IMAGE_POISONS",
    "AdaptiveBlend",
    "AdaptivePatch",
    "Blend",
    "CleanLabel",
    "Dynamic",
    "ImagePoison",
    "Patch",
    "Sinusoid",
    "Warp",
]
