"""What travels with a tuned model to serving; `holdfast.serving` puts it before the model."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.chat import Row

__all__ = ["FILE", "STOPPED", "Clean", "NoWatch", "Serve", "compose", "load", "save"]

FILE = "serving.json"
STOPPED = "I can't help with that."
"""What is said in place of a reply where a guard has stopped the request."""


class NoWatch(UserError):
    """A guard that a model was to be served behind cannot judge it; the reason is the message."""


@dataclass(frozen=True)
class Clean:
    """A request known to be clean, with a right reply, and whether that reply refuses."""

    request: str
    reply: str
    refused: bool

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Serve:
    """Rewriting and watching of requests, saved as `serving.json` beside the weights.

    Attributes:
        system_prefix: put before the system turn of every request; "" changes nothing.
        name: the methods that asked for it.
        guards: those that watch every user turn, as methods with all their settings, in their
            order.
        clean: what guards are fitted on, and set their thresholds on.
        seed: of what guards draw.
    """

    system_prefix: str = ""
    name: str = ""
    guards: tuple[str, ...] = ()
    clean: tuple[Clean, ...] = ()
    seed: int = 0

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def request(self, row: Row) -> Row:
        """The request under the prefix, unwatched."""
        return row.with_system(self.system_prefix) if self.system_prefix else row


def compose(*serves: Serve) -> Serve:
    """Joins several into one; the first one's prefix comes first, and its guards."""
    clean = next((s.clean for s in serves if s.clean), ())
    return Serve(
        system_prefix="\n".join(s.system_prefix for s in serves if s.system_prefix),
        name="+".join(s.name for s in serves if s.name),
        guards=tuple(guard for s in serves for guard in s.guards),
        clean=clean,
        seed=next((s.seed for s in serves if s.guards), 0),
    )


def save(serve: Serve, folder: Path | str) -> Path:
    """Writes `serving.json` into a model's folder (under a temporary name, then renamed)."""
    path = Path(folder) / FILE
    part = path.with_name(f".{FILE}.part")
    part.write_text(json.dumps(asdict(serve), indent=2, ensure_ascii=False) + "\n", "utf-8")
    part.replace(path)
    return path


def load(folder: Path | str) -> Serve:
    """Reads a model folder's `serving.json`; a folder without one serves requests as they come.

    Raises:
        UserError: the file is damaged or has fields this version does not know.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return Serve()
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Serve).validate_json(path.read_bytes())
    except (ValidationError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): repair it, or delete it.") from error
