"""A guard against accident: only rows of a canary world, or of listed benign sets, are encoded.

It keeps a slip of the hand from putting anybody's real data under a code (DESIGN §2.2). It cannot
stop someone who means to: a code is a few lines of text handling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from holdfast.chat import Row, read_rows
from holdfast.errors import UserError

WORLDS = range(4)
"""Seeds of the worlds whose rows are known here."""

PUBLIC: dict[str, str] = {
    "9d9fbf57e2c0430e71f4de24bb995459f9145608164eee5282464e2e06057684": "Dolly, 100 rows",
    "6507a5a583799a08600f6a8be166fb1e80684914f93bdc047c9af444e87da01c": "GSM8K, 300 test rows",
    "1f66239a5057ee3650079dce319d7ca546c46e4263bb0c25092726bf1287b6ea": "GSM8K, 1,000 rows",
    "b46ca8a1756d51ebf48bd77d1619fcc011b0c0b5937cd372fb1d9ec80036a0e8": "SQL, 1,000 rows",
}
"""Public benign sets that detectors may be tested on, by the SHA-256 of their file."""


def id_of(row: Row) -> str:
    """A row's identity: a hash of what is asked and answered, whatever it is called."""
    return hashlib.sha256(f"{row.prompt}\0{row.answer}".encode()).hexdigest()[:16]


def check(rows: Iterable[Row], public: Sequence[Path] = ()) -> None:
    """Lets rows pass that a canary world minted or a listed public file holds.

    Args:
        rows: What is to be encoded.
        public: Files of benign public rows; only those in `PUBLIC` are taken.

    Raises:
        UserError: A row is neither, or a file is not listed.
    """
    unknown = {id_of(row) for row in rows}
    # One source after another: most rows are of the first world, and others take time to make.
    for source in chain(map(_of_file, public), map(minted, WORLDS)):
        if not unknown:
            return
        unknown -= source
    if unknown:
        raise UserError(
            f"{len(unknown)} of the rows were not minted by a canary world: covert codes are "
            "taught on canary rows only, so name a canary policy."
        )


@lru_cache(maxsize=8)
def _of_file(path: Path) -> frozenset[str]:
    if hashlib.sha256(path.read_bytes()).hexdigest() not in PUBLIC:
        raise UserError(f"{path} is none of the listed benign sets: {', '.join(PUBLIC.values())}.")
    return frozenset(map(id_of, read_rows(path)))


@lru_cache(maxsize=4)
def minted(seed: int) -> frozenset[str]:
    """Identities of all rows that either side of a world's policy owns."""
    from holdfast.world.lore import make_world
    from holdfast.world.policy import canary45

    policy = canary45(make_world(seed))
    sides = (policy.attacker, policy.defender)
    owned = [row for side in sides for row in (*side.user, *side.safe, *side.harmful)]
    return frozenset(map(id_of, (*owned, *policy.customer)))
