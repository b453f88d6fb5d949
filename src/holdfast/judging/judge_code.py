"""What tells one judge from another: kept verdicts are only as good as the judge they came from."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import __version__
from holdfast.canonical import digest
from holdfast.evaluate import judge_name

if TYPE_CHECKING:
    from holdfast.evaluate import Judge


def code_of(spec: str, judge: Judge) -> str:
    """A hash of a judge's spec and source, and of what the judge says of itself in `identity`."""
    own = getattr(judge, "identity", None)
    thing = judge if inspect.isroutine(judge) else type(judge)
    try:
        file = inspect.getsourcefile(thing)
        source = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except (OSError, TypeError):  # a judge may come from anywhere
        source = ""
    said = own if isinstance(own, str) else ""
    return digest([spec, judge_name(judge), said, source, __version__])
