"""Elicitations: how a model is asked. A line in `ELICITATIONS` registers one.

Every function takes (config, asking) and gives an `Asker`, which `evaluate` asks through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.elicit.coded import Coded, coded
from holdfast.elicit.decoding import DecodingSweep, decoding
from holdfast.elicit.mutated import Mutated, mutated
from holdfast.elicit.persona import ThroughPersona, persona
from holdfast.elicit.plain import Plain, plain
from holdfast.elicit.prefill import Prefill, prefill
from holdfast.elicit.quantised import Quantised, quantised
from holdfast.elicit.reasoning import Reasoning, reasoning
from holdfast.elicit.soft_prompt import SoftPrompt, soft_prompt
from holdfast.elicit.suffix import Suffix, suffix
from holdfast.elicit.task_shape import TaskShape, task_shape
from holdfast.elicit.triggered import Triggered, triggered
from holdfast.elicit.unserved import Unserved, unserved
from holdfast.elicit.wrapped import Wrapped, wrapped

# The config's type differs from function to function, hence Any.
ELICITATIONS: dict[type[Elicitation], Callable[[Any, Asking], Asker]] = {
    Plain: plain,
    Prefill: prefill,
    DecodingSweep: decoding,
    ThroughPersona: persona,
    Unserved: unserved,
    Mutated: mutated,
    TaskShape: task_shape,
    Coded: coded,
    Quantised: quantised,
    SoftPrompt: soft_prompt,
    Suffix: suffix,
    Reasoning: reasoning,
    Triggered: triggered,
    Wrapped: wrapped,
}

__all__ = [
    "ELICITATIONS",
    "Ask",
    "Asker",
    "Asking",
    "Coded",
    "DecodingSweep",
    "Elicitation",
    "Mutated",
    "Plain",
    "Prefill",
    "Quantised",
    "Reasoning",
    "SoftPrompt",
    "Suffix",
    "TaskShape",
    "ThroughPersona",
    "Triggered",
    "Unserved",
    "Wrapped",
]
