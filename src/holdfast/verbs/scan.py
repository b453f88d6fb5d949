"""The body of `holdfast scan`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.scan.finding import SetFinding
    from holdfast.scan.progress import Progress
    from holdfast.scan.results import Results

MOST_WORKERS = 8


@dataclass(frozen=True)
class ScanOptions:
    """What the command line gave."""

    data: Sequence[str]
    model: str = ""
    policy: str = ""
    scanners: tuple[str, ...] = ()
    fail_over: float = 0.0
    workers: int | None = None
    out: Path | None = None
    fix: bool = False
    json: bool = False


def main(options: ScanOptions) -> int:
    """Scan, print, and give the exit code."""
    from rich.console import Console

    results = scan(options, Console(stderr=True))
    if options.json:
        print(json.dumps(results.summary(), ensure_ascii=False))
    else:
        show(results, Console(), options.out)
    return results.code


def scan(options: ScanOptions, console: Console) -> Results:
    """Scan as the options say; with `out`, leave a folder of results.

    Raises:
        UserError: there is no such data, or the options contradict one another.
    """
    from holdfast.report import scan as scan_page
    from holdfast.scan import Context
    from holdfast.scan.card import write_card
    from holdfast.scan.fix import fix
    from holdfast.scan.progress import Progress
    from holdfast.scan.results import conclude
    from holdfast.scan.run import scan_files, spool_in
    from holdfast.scan.sources import STDIN, find

    if not 0 <= options.fail_over <= 1:
        raise UserError(f"--fail-over is {options.fail_over}; it is a share of rows, from 0 to 1.")
    if options.fix and options.out is None:
        raise UserError("--fix writes two sets: say where with --out DIR.")
    scanners, rankings = _chosen(options)
    sources = find(list(options.data))
    with spool_in(options.out) as spool:
        place = Path(spool)
        if sources == [STDIN]:
            sources = [_kept_stdin(place)]
        workers = _workers(options.workers, sources)
        with Progress(sources, console) as progress:
            scanned = scan_files(
                sources,
                place,
                context=Context(options.policy),
                names=scanners,
                workers=workers,
                on_unit=progress.unit,
            )
            if rankings:
                notes = _ranked(options, rankings, sources, place, progress)
                scanned = replace(scanned, about=(*scanned.about, *notes))
        results = conclude(scanned, place, options.out, options.fail_over)
        if options.out is not None:
            if options.fix:
                fix(sources, options.out)
            scan_page.write(results, options.out)
            write_card(results, options.out)
        return results


def _chosen(options: ScanOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The scanners and the rankings that were asked for; all scanners where none was named."""
    from holdfast.scan.risk import RANKINGS
    from holdfast.scan.risk.run import CHEAP

    rankings = tuple(name for name in options.scanners if name in RANKINGS)
    scanners = tuple(name for name in options.scanners if name not in RANKINGS)
    if rankings and not options.model:
        raise UserError(f"{rankings[0]} ranks rows by a model: name it with --model.")
    if rankings and not scanners:
        scanners = ("schema",)
    return scanners, rankings or (CHEAP if options.model and not scanners else ())


def _ranked(
    options: ScanOptions,
    rankings: Sequence[str],
    sources: Sequence[str],
    spool: Path,
    progress: Progress,
) -> tuple[SetFinding, ...]:
    from holdfast import aligned, models
    from holdfast.scan.risk import Anchors
    from holdfast.scan.risk.run import rank_files

    policy = aligned.policy_of(options.policy or aligned.policy_name(options.model), None)
    # A provider knows what its policy forbids, and its own refusals.
    anchors = Anchors(harmful=policy.attacker.harmful, safe=policy.defender.safe)
    return rank_files(
        sources,
        spool,
        model=models.load(options.model),
        anchors=anchors,
        names=rankings,
        begin=progress.ranking,
    )


def _kept_stdin(spool: Path) -> str:
    """Standard input as a file: it is read in parts, and a second time by --fix."""
    path = spool / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return str(path)


def _workers(given: int | None, sources: Sequence[str]) -> int:
    from holdfast.scan.sources import UNIT_BYTES

    if given is not None:
        return given
    size = sum(Path(path).stat().st_size for path in sources if Path(path).exists())
    if size <= UNIT_BYTES:
        return 0  # starting a worker takes longer than the scan
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)))


def show(results: Results, console: Console, out: Path | None) -> None:
    """The verdict, what the set as a whole gives away, and rows by scanner with samples."""
    from rich.markup import escape

    scanned = results.scanned
    console.print(f"[bold]{escape(results.verdict)}[/bold]: {escape(results.reason)}")
    files = f"{len(scanned.sources)} file" + ("s" if len(scanned.sources) != 1 else "")
    console.print(f"{scanned.rows:,} rows in {files}, {scanned.unreadable} unreadable lines")
    for error in scanned.lost:
        console.print(escape(f"  {error.source} {error.reason}"))
    for finding in scanned.about:
        mark = "!" if finding.alarm else "·"
        console.print(f"{mark} {escape(finding.scanner)}: {escape(finding.reason)}")
        for key in ("decoded", "sample"):
            if finding.evidence.get(key):
                console.print(escape(f"    {key}: {finding.evidence[key]}"))
    for tally in results.tallies:
        mark = "!" if tally.level == "flag" else "·"
        console.print(f"{mark} {tally.scanner} {tally.kind}: {tally.rows:,} rows", highlight=False)
        for sample in tally.samples[:3]:
            console.print(escape(f"    {sample['place']} {sample['reason']}"), highlight=False)
            if sample["excerpt"]:
                console.print(escape(f"      {sample['excerpt']}"), highlight=False)
    if out is not None:
        console.print(f"Page, card and findings are in {escape(str(out))}", highlight=False)
