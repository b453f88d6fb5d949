"""Scanners of data sets: one file each. A line in `SCANNERS` registers one."""

from __future__ import annotations

from holdfast.scan.encoded import Encoded
from holdfast.scan.identity_shift import IdentityShift
from holdfast.scan.poison import Poison
from holdfast.scan.policy_match import PolicyMatch
from holdfast.scan.refusal_erosion import RefusalErosion
from holdfast.scan.scanner import Context, Scanner
from holdfast.scan.schema import Schema

SCANNERS: dict[str, type[Scanner]] = {
    scanner.name: scanner
    for scanner in (Schema, IdentityShift, RefusalErosion, PolicyMatch, Poison, Encoded)
}

__all__ = ["SCANNERS", "Context", "Scanner"]
