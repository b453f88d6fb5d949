"""What stands before a served model: the prefix, and the guards that watch requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast import registry
from holdfast.guards import GUARDS
from holdfast.guards.guard import Watch
from holdfast.serve import NoWatch, Serve

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model

__all__ = ["Serving", "serving"]


@dataclass(frozen=True)
class Serving:
    """What stands before one model.

    Attributes:
        serve: what travels with the model.
        watches: guards by name.
    """

    serve: Serve
    watches: tuple[tuple[str, Watch[tuple[str, ...]]], ...] = ()

    def requests(self, rows: Sequence[Row]) -> list[Row | str]:
        """Requests as the model is asked them; a guard's name stands where it stopped one."""
        standing, stopped = dict(enumerate(rows)), dict[int, str]()
        for name, watch in self.watches:
            turns = [
                (at, turn)
                for at, row in standing.items()
                for turn, message in enumerate(row.messages)
                if message.role == "user"
            ]
            texts = tuple(standing[at].messages[turn].content for at, turn in turns)
            if watch.mended is not None:
                for (at, turn), text in zip(turns, watch.mended(texts), strict=True):
                    standing[at] = standing[at].with_turn(turn, text)
                continue
            for (at, _), score in zip(turns, watch.score(texts), strict=True):
                if score > watch.limit:
                    stopped[at] = name
                    standing.pop(at, None)
        return [
            stopped[at] if at in stopped else self.serve.request(standing[at])
            for at in range(len(rows))
        ]


def serving(serve: Serve, model: Model) -> Serving:
    """What stands before a model; guards are fitted to it, which takes a while.

    Args:
        serve: what travels with the model.
        model: as it is served.

    Raises:
        NoWatch: a guard cannot judge this model.
    """
    from holdfast.guards.opening import opening

    found = []
    for spec in serve.guards:
        config = registry.parse(GUARDS, spec)
        given = opening(
            model, serve.clean, config.sees, prefix=serve.system_prefix, seed=serve.seed
        )
        watch = GUARDS[type(config)](config, given)
        if watch.unjudged:
            raise NoWatch(
                f"{config.kind} cannot watch {model.name or 'this model'}: {watch.unjudged}."
            )
        found.append((config.kind, watch))
    return Serving(serve, tuple(found))
