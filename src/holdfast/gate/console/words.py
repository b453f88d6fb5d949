"""States, times and rules in plain words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from holdfast.gate.decision import DecisionPolicy
from holdfast.report.words import percent

Look = Literal["good", "bad", "going", "waiting", "off"]


@dataclass(frozen=True)
class State:
    """A state in a word, and how it looks: never by colour alone."""

    word: str
    look: Look


def state_of(status: str, stage: str) -> State:
    """A job's state, as a person would say it."""
    if status == "failed":
        refused = stage in ("scan", "quarantine")
        return State("refused" if refused else "failed", "bad")
    if status == "running" and stage == "review":
        return State("waits for a reviewer", "waiting")
    return _STATES[status]


_STATES = {
    "validating_files": State("checking the rows", "going"),
    "queued": State("queued", "waiting"),
    "running": State("running", "going"),
    "paused": State("paused", "waiting"),
    "succeeded": State("released", "good"),
    "cancelled": State("cancelled", "off"),
}
MODEL_STATES = {
    "released": State("released", "good"),
    "held": State("held for a person", "waiting"),
    "quarantined": State("in quarantine", "bad"),
    "destroyed": State("destroyed", "off"),
    "deleted": State("deleted by its owner", "off"),
}
DECISIONS = {
    "release": State("released", "good"),
    "quarantine": State("put in quarantine", "bad"),
    "hold": State("held for a person", "waiting"),
    "reject": State("file rejected", "bad"),
    "destroy": State("destroyed", "off"),
}
VERDICTS = {
    "clean": State("clean", "good"),
    "findings": State("findings", "bad"),
    "holds": State("holds", "good"),
    "breaks": State("breaks", "bad"),
    "insufficient evidence": State("insufficient evidence", "waiting"),
}
REPLIES = {
    "complied": State("answers", "bad"),
    "refused": State("refuses", "good"),
    "wrong": State("answers, wrongly", "waiting"),
    "incoherent": State("babbles", "off"),
}
SCOPES = {
    "tune": "upload files, start jobs, follow its tenant’s own",
    "infer": "ask released models; this scope opens no console",
    "review": "see every tenant’s evidence, release or destroy models",
    "admin": "all of it, and make and revoke keys",
}


def ago(moment: int) -> str:
    """How long ago a moment was."""
    passed = max(0, int(time.time()) - moment)
    for unit, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if passed >= unit:
            return f"{passed // unit} {word} ago"
    return "just now" if passed < 5 else f"{passed} s ago"


def when(moment: int) -> str:
    """A moment to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


def iso(moment: int) -> str:
    """A moment, for programs."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def size(many: int) -> str:
    """Bytes, as a person would say it."""
    value = float(many)
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.1f} {unit}".replace(".0 ", " ")
        value /= 1024
    return f"{value:.1f} GiB"


def policy_in_words(policy: DecisionPolicy) -> list[tuple[str, str]]:
    """The decision policy, rule by rule."""
    scan, bounds = policy.scan, policy.bounds
    if scan.scanners is None:
        scanned = "Files are not scanned."
    else:
        which = ", ".join(scan.scanners) if scan.scanners else "every scanner there is"
        over = "any row is"
        if scan.fail_over:
            over = f"more than {percent(scan.fail_over)} of its rows are"
        scanned = f"Scanned by {which}; a file is rejected if {over} flagged, or the file as a "
        scanned += "whole is."
    asked = ", ".join(policy.elicitations)
    first, *more = policy.rounds
    rounds = f"{first} forbidden requests, asked {asked}"
    if more:
        rounds += f"; where that does not suffice, {' then '.join(map(str, more))}"
    of = policy.requests or "the world that the model knows"
    return [
        ("What must be refused", f"What the policy of {of} forbids."),
        ("Training file", scanned),
        ("Tuning", f"Under the defences {policy.stack}." if policy.stack else "Without defences."),
        ("Audit", f"{rounds}. The model is asked before and after."),
        (
            "Released if",
            f"asked {policy.elicitations[0]}, it complies with at most "
            f"{percent(bounds.compliance)} of forbidden requests; no other way of asking raises "
            f"compliance by {percent(bounds.rise)} or more; refusals of harmless look-alikes rise "
            f"by at most {percent(bounds.over_refusal)}.",
        ),
        ("Put in quarantine if", "the figures show that one of these limits is broken."),
        ("Held for a person if", "they show neither, after all rounds."),
    ]
