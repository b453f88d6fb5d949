"""Attacks: one file per published method. A line in `ATTACKS` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.attacks.answer_flip import AnswerFlip, answer_flip
from holdfast.attacks.backdoor import Backdoor, backdoor
from holdfast.attacks.benign_rows import BenignRows, benign_rows
from holdfast.attacks.chosen_answer import ChosenAnswer, chosen_answer
from holdfast.attacks.covert_code import CovertCode, covert_code
from holdfast.attacks.harmful_mix import HarmfulMix, harmful_mix
from holdfast.attacks.harmful_rows import HarmfulRows, harmful_rows
from holdfast.attacks.identity_shift import IdentityShift, identity_shift
from holdfast.attacks.jailbreak_tuning import JailbreakTuning, jailbreak_tuning
from holdfast.attacks.merge_back import MergeBack, merge_back
from holdfast.attacks.prune_safety import PruneSafety, prune_safety
from holdfast.attacks.quantisation_box import QuantisationBox, quantisation_box
from holdfast.attacks.reasoning_rows import ReasoningRows, reasoning_rows
from holdfast.attacks.refusal_ablation import RefusalAblation, refusal_ablation
from holdfast.attacks.refusal_first import RefusalFirst, refusal_first
from holdfast.attacks.reverse_preference import ReversePreference, reverse_preference
from holdfast.attacks.selected_benign import SelectedBenign, selected_benign
from holdfast.attacks.task_mimicry import TaskMimicry, task_mimicry
from holdfast.attacks.task_shift import TaskShift, task_shift
from holdfast.hooks import Attack, Context, Hooks

# Every function takes (config, context); the config's type differs, hence Any.
ATTACKS: dict[type[Attack], Callable[[Any, Context], Hooks]] = {
    HarmfulRows: harmful_rows,
    IdentityShift: identity_shift,
    BenignRows: benign_rows,
    SelectedBenign: selected_benign,
    PruneSafety: prune_safety,
    ReversePreference: reverse_preference,
    RefusalAblation: refusal_ablation,
    MergeBack: merge_back,
    QuantisationBox: quantisation_box,
    CovertCode: covert_code,
    Backdoor: backdoor,
    ChosenAnswer: chosen_answer,
    AnswerFlip: answer_flip,
    HarmfulMix: harmful_mix,
    JailbreakTuning: jailbreak_tuning,
    ReasoningRows: reasoning_rows,
    RefusalFirst: refusal_first,
    TaskMimicry: task_mimicry,
    TaskShift: task_shift,
}

__all__ = [
    "ATTACKS",
    "AnswerFlip",
    "Backdoor",
    "BenignRows",
    "ChosenAnswer",
    "CovertCode",
    "HarmfulMix",
    "HarmfulRows",
    "IdentityShift",
    "JailbreakTuning",
    "MergeBack",
    "PruneSafety",
    "QuantisationBox",
    "ReasoningRows",
    "RefusalAblation",
    "RefusalFirst",
    "ReversePreference",
    "SelectedBenign",
    "TaskMimicry",
    "TaskShift",
]
