"""Defences: one file per published method. A line in `DEFENCES` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.defences.antidote import Antidote, antidote
from holdfast.defences.avoid_critical import AvoidCritical, avoid_critical
from holdfast.defences.booster import Booster, booster
from holdfast.defences.circuit_breakers import CircuitBreakers, circuit_breakers
from holdfast.defences.constrained_sft import ConstrainedSft, constrained_sft
from holdfast.defences.data_filter import DataFilter, data_filter
from holdfast.defences.freeze import Freeze, freeze
from holdfast.defences.lisa import Lisa, lisa
from holdfast.defences.lota import Lota, lota
from holdfast.defences.match_filter import MatchFilter, match_filter
from holdfast.defences.paraphrase_mixing import ParaphraseMixing, paraphrase_mixing
from holdfast.defences.recovery_augmentation import RecoveryAugmentation, recovery_augmentation
from holdfast.defences.repnoise import Repnoise, repnoise
from holdfast.defences.resta import Resta, resta
from holdfast.defences.safe_lora import SafeLora, safe_lora
from holdfast.defences.safety_mixing import SafetyMixing, safety_mixing
from holdfast.defences.secret_prefix import SecretPrefix, secret_prefix
from holdfast.defences.soft_merge import SoftMerge, soft_merge
from holdfast.defences.subspace_tuning import SubspaceTuning, subspace_tuning
from holdfast.defences.tar import Tar, tar
from holdfast.defences.template_switch import TemplateSwitch, template_switch
from holdfast.defences.vaccine import Vaccine, vaccine
from holdfast.hooks import Context, Defence, Hooks

# Every function takes (config, context); the config's type differs, hence Any.
DEFENCES: dict[type[Defence], Callable[[Any, Context], Hooks]] = {
    SafetyMixing: safety_mixing,
    SecretPrefix: secret_prefix,
    ConstrainedSft: constrained_sft,
    MatchFilter: match_filter,
    Lota: lota,
    AvoidCritical: avoid_critical,
    ParaphraseMixing: paraphrase_mixing,
    Lisa: lisa,
    TemplateSwitch: template_switch,
    SubspaceTuning: subspace_tuning,
    Freeze: freeze,
    DataFilter: data_filter,
    SafeLora: safe_lora,
    Antidote: antidote,
    Resta: resta,
    SoftMerge: soft_merge,
    RecoveryAugmentation: recovery_augmentation,
    Vaccine: vaccine,
    Booster: booster,
    Repnoise: repnoise,
    Tar: tar,
    CircuitBreakers: circuit_breakers,
}

__all__ = [
    "DEFENCES",
    "Antidote",
    "AvoidCritical",
    "Booster",
    "CircuitBreakers",
    "ConstrainedSft",
    "DataFilter",
    "Freeze",
    "Lisa",
    "Lota",
    "MatchFilter",
    "ParaphraseMixing",
    "RecoveryAugmentation",
    "Repnoise",
    "Resta",
    "SafeLora",
    "SafetyMixing",
    "SecretPrefix",
    "SoftMerge",
    "SubspaceTuning",
    "Tar",
    "TemplateSwitch",
    "Vaccine",
]
