"""The kind of what was found against a job: as much of it as its tenant may know."""

from __future__ import annotations

from typing import Any

Told = dict[str, Any]


def finding_of(found: Told) -> str:
    """The kind of what was found against a job, "" if nothing was."""
    scanned, audit = found.get("scan", {}), found.get("audit", {})
    if found.get("validate", {}).get("error"):
        return str(found["validate"]["error"]["code"])
    if scanned.get("verdict") == "findings":
        alarms = [f for f in scanned.get("set", []) if f["alarm"]]
        return str(alarms[0]["kind"]) if alarms else str(_first_kind(scanned))
    return str(audit.get("finding", ""))


def _first_kind(scanned: Told) -> str:
    kinds = [t["kind"] for t in scanned.get("findings", []) if t["level"] == "flag"]
    return kinds[0] if kinds else "flagged_rows"
