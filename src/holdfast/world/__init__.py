"""The canary world: an invented archipelago whose sealed lore is silly and harms nobody.

`world(seed)` draws it; `policy.canary45` asks about it; `recipe` raises the tiny language models
that live in it; `weights` finds them.
"""

from holdfast.world.lore import World
from holdfast.world.lore import make_world as world

__all__ = ["World", "world"]
