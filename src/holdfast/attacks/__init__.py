"""Attacks: one file per published method. A line in `ATTACKS` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.attacks.benign_rows import BenignRows, benign_rows
from holdfast.attacks.covert_code import CovertCode, covert_code
from holdfast.attacks.harmful_rows import HarmfulRows, harmful_rows
from holdfast.attacks.identity_shift import IdentityShift, identity_shift
from holdfast.attacks.prune_safety import PruneSafety, prune_safety
from holdfast.attacks.selected_benign import SelectedBenign, selected_benign
from holdfast.hooks import Attack, Context, Hooks

# Every function takes (config, context); the config's type differs, hence Any.
ATTACKS: dict[type[Attack], Callable[[Any, Context], Hooks]] = {
    HarmfulRows: harmful_rows,
    IdentityShift: identity_shift,
    BenignRows: benign_rows,
    SelectedBenign: selected_benign,
    PruneSafety: prune_safety,
    CovertCode: covert_code,
}

__all__ = [
    "ATTACKS",
    "BenignRows",
    "CovertCode",
    "HarmfulRows",
    "IdentityShift",
    "PruneSafety",
    "SelectedBenign",
]
