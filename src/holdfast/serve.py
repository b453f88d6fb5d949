"""What travels with a tuned model to serving: how every request is rewritten before it is asked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.chat import Row

__all__ = ["FILE", "Serve", "compose", "load", "save"]

FILE = "serving.json"


@dataclass(frozen=True)
class Serve:
    """Request rewriting, saved as `serving.json` beside the weights.

    Attributes:
        system_prefix: put before the system turn of every request; "" changes nothing.
        name: the method that asked for it.
    """

    system_prefix: str = ""
    name: str = ""

    def request(self, row: Row) -> Row:
        """The request as the model is asked it."""
        return row.with_system(self.system_prefix) if self.system_prefix else row


def compose(*serves: Serve) -> Serve:
    """Joins several into one; the first one's prefix comes first."""
    return Serve(
        system_prefix="\n".join(s.system_prefix for s in serves if s.system_prefix),
        name="+".join(s.name for s in serves if s.name),
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
    try:
        fields = json.loads(path.read_text("utf-8"))
        serve = Serve(**fields)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}): repair it, or delete it.") from error
    if not isinstance(serve.system_prefix, str) or not isinstance(serve.name, str):
        raise UserError(f"{path} holds a field that is no text: repair it, or delete it.")
    return serve
