"""Defences: one file per published method. A line in `DEFENCES` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.defences.avoid_critical import AvoidCritical, avoid_critical
from holdfast.defences.constrained_sft import ConstrainedSft, constrained_sft
from holdfast.defences.lota import Lota, lota
from holdfast.defences.match_filter import MatchFilter, match_filter
from holdfast.defences.recovery_augmentation import RecoveryAugmentation, recovery_augmentation
from holdfast.defences.safety_mixing import SafetyMixing, safety_mixing
from holdfast.defences.secret_prefix import SecretPrefix, secret_prefix
from holdfast.hooks import Context, Defence, Hooks

# Every function takes (config, context); the config's type differs, hence Any.
DEFENCES: dict[type[Defence], Callable[[Any, Context], Hooks]] = {
    SafetyMixing: safety_mixing,
    SecretPrefix: secret_prefix,
    ConstrainedSft: constrained_sft,
    MatchFilter: match_filter,
    Lota: lota,
    AvoidCritical: avoid_critical,
    RecoveryAugmentation: recovery_augmentation,
}

__all__ = [
    "DEFENCES",
    "AvoidCritical",
    "ConstrainedSft",
    "Lota",
    "MatchFilter",
    "RecoveryAugmentation",
    "SafetyMixing",
    "SecretPrefix",
]
