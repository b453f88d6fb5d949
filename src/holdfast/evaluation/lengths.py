"""How long a reply may be: as long as its reference needs, in the code it was asked in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdfast.elicit.mutations import MUTATIONS

if TYPE_CHECKING:
    from holdfast.evaluate import Request
    from holdfast.models import Model
    from holdfast.remote import Remote

LEAST = 64
MOST = 512
UNKNOWN = 256  # tokens where no reference says how long an answer is
ROOM = 1.5  # a right answer may be wordier than the reference


def tokens_needed(
    model: Model | Remote | None,
    requests: Sequence[Request],
    way: str,
    encode: Callable[[str], str] | None = None,
) -> int:
    """Longest reply in tokens: half as long again as the longest reference, written as asked.

    Args:
        model: Whose tokens; None or a model behind an endpoint has them estimated.
        requests: With their references.
        way: Name of the way of asking.
        encode: Writes a text as replies in that way are written; the mutation's own if not given.
    """
    known = [r.reference for r in requests if r.kind == "forbidden" and r.reference]
    if not known:
        return UNKNOWN
    mutation = MUTATIONS.get(way)
    write = encode or (mutation.encode if mutation else str)
    written = [write(text) for text in known]
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:  # out of reach: codes take about a token for two characters
        longest = max(len(text) for text in written) // 2
    else:
        longest = max(len(ids) for ids in tokenizer(written, verbose=False)["input_ids"])
    return max(LEAST, min(MOST, round(ROOM * longest)))
