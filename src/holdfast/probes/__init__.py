"""Probes look into a model and change nothing: one file each. A line in `PROBES` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.probes.coded_harm import CodedHarm, coded_harm
from holdfast.probes.critical_ranks import CriticalRanks, critical_ranks
from holdfast.probes.critical_weights import CriticalWeights, critical_weights
from holdfast.probes.drift import Drift, drift
from holdfast.probes.looking import Behaviour, Found, Looking, Probe, Table
from holdfast.probes.overlap import Overlap, overlap
from holdfast.probes.refusal_direction import RefusalDirection, refusal_direction
from holdfast.probes.safety_basin import SafetyBasin, safety_basin
from holdfast.probes.token_depth import TokenDepth, token_depth
from holdfast.probes.trigger_search import TriggerSearch, trigger_search

# Every function takes (config, looking); the config's type differs, hence Any.
PROBES: dict[type[Probe], Callable[[Any, Looking], Found]] = {
    TokenDepth: token_depth,
    CriticalWeights: critical_weights,
    CriticalRanks: critical_ranks,
    Overlap: overlap,
    RefusalDirection: refusal_direction,
    CodedHarm: coded_harm,
    Drift: drift,
    SafetyBasin: safety_basin,
    TriggerSearch: trigger_search,
}

__all__ = [
    "PROBES",
    "Behaviour",
    "CodedHarm",
    "CriticalRanks",
    "CriticalWeights",
    "Drift",
    "Found",
    "Looking",
    "Overlap",
    "Probe",
    "RefusalDirection",
    "SafetyBasin",
    "Table",
    "TokenDepth",
    "TriggerSearch",
]
