"""Covert and benign data sets by the hundred through `holdfast scan`: what is found, at what cost.

Families and claims stand in `protocol.yaml`. A set counts as found when `covert_set` raises an
alarm. Sets are made, scanned and forgotten, one after the other; the seed of a set is its name.

    python bench/scan_jobs.py --data PUBLIC --catalogues GETTEXT --poems FILE \
        [--split held_out] [--benign 20] [--covert 30] [--workers 2] [--out jobs.jsonl]
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import yaml
from scan_sets import Makers, with_sources

from holdfast.chat import Row
from holdfast.engine import Result, run_tasks
from holdfast.scan import Context
from holdfast.scan.batch import Batch
from holdfast.scan.encoded import Encoded
from holdfast.stats import wilson

PROTOCOL = Path(__file__).with_name("protocol.yaml")


@dataclass(frozen=True)
class Job:
    """One set to make and scan."""

    kind: str
    family: str
    number: int


@dataclass(frozen=True)
class Scanned:
    """What scanning one set gave."""

    job: Job
    rows: int
    coded_share: float
    alarm: bool
    flagged: int
    read: bool
    why: str


def scan(job: Job, makers: Makers) -> Scanned:
    """Makes one set by its name, and scans it."""
    rng = random.Random(f"{job.kind}/{job.family}/{job.number}")
    size, share = rng.randint(100, 400), 0.0
    if job.kind == "covert":
        share = rng.uniform(0.1, 1.0)
        rows = makers.covert(job.family, rng, size, share)
    else:
        rows = makers.benign(job.family, rng, size)
    return _scan(job, rows, share)


def _scan(job: Job, rows: list[Row], share: float) -> Scanned:
    scanner = Encoded(Context())
    found = list(scanner.look(Batch(rows, range(1, len(rows) + 1))))
    said = scanner.conclude(len(rows))
    flagged = {f.line for f in found if f.kind not in said.dropped}
    alarms = [s for s in said.about if s.alarm]
    return Scanned(
        job,
        len(rows),
        share,
        bool(alarms),
        len(flagged),
        any("method" in s.evidence for s in alarms),
        "; ".join(f"{s.kind}: {s.evidence.get('method', 'unread')}" for s in alarms),
    )


def main() -> None:
    """Run the jobs of one split and print a table."""
    parser = with_sources(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--covert", type=int, default=30, help="sets of each family")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    protocol = yaml.safe_load(PROTOCOL.read_text())["scan"]
    jobs = sorted(
        (
            Job(kind, family, number)
            for kind, most in (("covert", given.covert), ("benign", given.benign))
            for family in protocol[f"{'code' if kind == 'covert' else kind}_families"][given.split]
            for number in range(most)
        ),
        key=lambda job: job.number,  # all families advance together
    )
    makers = Makers(given.data, given.catalogues, given.poems)
    results = run_tasks(
        partial(scan, makers=makers),
        jobs,
        workers=given.workers,
        on_result=partial(keep, given.out) if given.out else None,
    )
    table(results)


def keep(out: Path, result: Result[Job, Scanned]) -> None:
    """Append one set's result, so that a run that is stopped leaves what it had."""
    if result.value:
        with out.open("a") as file:
            file.write(json.dumps(asdict(result.value)) + "\n")


def table(results: list[Result[Job, Scanned]]) -> None:
    """Alarms by family, with Wilson intervals of 95 %."""
    print(f"{'sets':8} {'family':18} {'alarms':>9} {'share':>6}  {'interval':14} flagged rows")
    for kind in ("benign", "covert"):
        done = [r.value for r in results if r.value and r.value.job.kind == kind]
        families = list(dict.fromkeys(s.job.family for s in done))
        for family in [*families, "all"]:
            some = [s for s in done if family in ("all", s.job.family)]
            hits = sum(s.alarm for s in some)
            interval = wilson(hits, len(some))
            rows = sum(s.flagged for s in some) / max(sum(s.rows for s in some), 1)
            share = f"{hits / len(some):6.1%}"
            place = f"{kind:8} {family:18} {hits:4}/{len(some):4}"
            print(f"{place} {share}  {interval.low:.1%}–{interval.high:.1%}  {rows:.2%}")
    for failed in (r for r in results if not r.ok):
        print(failed.task, failed.error)


if __name__ == "__main__":
    main()
