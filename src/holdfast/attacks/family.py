"""Benign rows of one task family: the rows' tag says which."""

from __future__ import annotations

from holdfast.chat import Row
from holdfast.errors import UserError


def of_family(rows: tuple[Row, ...], family: str) -> tuple[Row, ...]:
    """The rows of a family, or all of them for "all".

    Raises:
        UserError: no row belongs to it; the message names the families that are there.
    """
    if family == "all":
        return rows
    found = tuple(row for row in rows if row.tag == family)
    if not found:
        there = ", ".join(sorted({row.tag for row in rows if row.tag})) or "none"
        raise UserError(f"No benign rows belong to the family {family!r}: choose from {there}.")
    return found
