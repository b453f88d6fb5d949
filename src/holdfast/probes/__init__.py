"""Probes look into a model and change nothing: one file each. A line in `PROBES` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.probes.critical_weights import CriticalWeights, critical_weights
from holdfast.probes.looking import Behaviour, Found, Looking, Probe, Table
from holdfast.probes.token_depth import TokenDepth, token_depth

# Every function takes (config, looking); the config's type differs, hence Any.
PROBES: dict[type[Probe], Callable[[Any, Looking], Found]] = {
    TokenDepth: token_depth,
    CriticalWeights: critical_weights,
}

__all__ = [
    "PROBES",
    "Behaviour",
    "CriticalWeights",
    "Found",
    "Looking",
    "Probe",
    "Table",
    "TokenDepth",
]
