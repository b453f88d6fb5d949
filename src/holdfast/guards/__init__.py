"""Guards: one file per published method. A line in `GUARDS` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.guards.backdoor_expert import BackdoorExpert, backdoor_expert
from holdfast.guards.guard import Guard, Watch
from holdfast.guards.guarded import Guarded
from holdfast.guards.onion import Onion, onion
from holdfast.guards.rap import Rap, rap
from holdfast.guards.strip import Strip, strip

# Every function takes (config, guarded); the types of both differ, hence Any.
GUARDS: dict[type[Guard], Callable[[Any, Guarded[Any]], Watch[Any]]] = {
    Onion: onion,
    Strip: strip,
    Rap: rap,
    BackdoorExpert: backdoor_expert,
}

__all__ = ["GUARDS", "BackdoorExpert", "Onion", "Rap", "Strip"]
