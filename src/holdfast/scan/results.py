"""What a scan leaves behind: `findings.parquet`, `summary.json`, and the exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.canonical import write_json
from holdfast.scan.run import Scanned

if TYPE_CHECKING:
    import duckdb

FINDINGS = "findings.parquet"
SAMPLES = 5
CLEAN, FINDINGS_CODE, UNSURE = 0, 2, 3
_MEMORY = "150MB"  # of the database that sorts the findings; it uses the disk beyond that
_SHAPE = (
    "line BIGINT, scanner VARCHAR, kind VARCHAR, score DOUBLE, reason VARCHAR, excerpt VARCHAR, "
    "level VARCHAR, file BIGINT, unit BIGINT"
)


@dataclass(frozen=True)
class Tally:
    """Row findings of one kind.

    Attributes:
        rows: how many rows have it.
        samples: the surest ones, each with `place`, `score`, `reason` and `excerpt`.
    """

    scanner: str
    kind: str
    level: str
    rows: int
    samples: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Results:
    """The result of a scan.

    Attributes:
        verdict: `clean`, `findings` or `insufficient evidence`.
        flagged: rows with at least one finding that is no note.
        code: the exit code.
    """

    verdict: str
    reason: str
    code: int
    flagged: int
    tallies: tuple[Tally, ...]
    scanned: Scanned

    def summary(self) -> dict[str, Any]:
        """As `summary.json` has it."""
        s = self.scanned
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "rows": s.rows,
            "unreadable": s.unreadable,
            "flagged": self.flagged,
            "sources": list(s.sources),
            "lost": [{"source": e.source, "reason": e.reason} for e in s.lost],
            "set": [asdict(finding) for finding in s.about],
            "findings": [asdict(tally) for tally in self.tallies],
            "seconds": s.seconds,
        }


def conclude(scanned: Scanned, spool: Path, out: Path | None, fail_over: float) -> Results:
    """Counts what was found; with `out`, writes `findings.parquet` and `summary.json` there."""
    import duckdb

    with duckdb.connect(config={"memory_limit": _MEMORY, "threads": 1}) as database:
        database.execute(f"SET temp_directory = {_text(str(spool))}")
        _gather(database, scanned, spool)
        if out is not None:
            draft = out / f".{FINDINGS}.{os.getpid()}.part"
            database.execute(
                "COPY (SELECT source, line, scanner, kind, score, level, reason, excerpt FROM "
                "findings ORDER BY file, line, scanner, kind, excerpt) "
                f"TO {_text(str(draft))} (FORMAT parquet)"
            )
            draft.replace(out / FINDINGS)
        counted = database.execute(
            "SELECT count(DISTINCT (file, line)) FROM findings "
            "WHERE level = 'flag' AND kind <> 'unreadable'"
        ).fetchone()
        tallies = _tallies(database)
    results = _results(scanned, counted[0] if counted else 0, tallies, fail_over)
    if out is not None:
        write_json(out / "summary.json", results.summary())
    return results


def _gather(database: duckdb.DuckDBPyConnection, scanned: Scanned, spool: Path) -> None:
    """The table `findings`, with lines counted from the start of each file."""
    database.execute("CREATE TABLE sources (file BIGINT, source VARCHAR)")
    database.execute("CREATE TABLE units (file BIGINT, unit BIGINT, before BIGINT)")
    database.execute("CREATE TABLE dropped (scanner VARCHAR, kind VARCHAR)")
    _insert(database, "sources", list(enumerate(scanned.sources)))
    _insert(database, "units", [(*place, lines) for place, lines in scanned.before.items()])
    _insert(database, "dropped", list(scanned.dropped))
    parts = sorted(str(p) for p in spool.glob("*.parquet"))
    if parts:
        raw = f"read_parquet([{', '.join(map(_text, parts))}])"
    else:
        database.execute(f"CREATE TABLE empty ({_SHAPE})")
        raw = "empty"
    database.execute(
        "CREATE VIEW findings AS SELECT source, f.line + before AS line, f.scanner, f.kind, score, "
        f"level, reason, excerpt, f.file FROM {raw} f JOIN sources s ON f.file = s.file "
        "JOIN units u ON f.file = u.file AND f.unit = u.unit "
        "ANTI JOIN dropped d ON f.scanner = d.scanner AND f.kind = d.kind"
    )


def _insert(database: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        marks = ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in some)
        values = [value for row in some for value in row]
        database.execute(f"INSERT INTO {table} VALUES {marks}", values)


def _tallies(database: duckdb.DuckDBPyConnection) -> tuple[Tally, ...]:
    counted = database.execute(
        "SELECT scanner, kind, level, count(DISTINCT (file, line)) FROM findings "
        "GROUP BY ALL ORDER BY level, 4 DESC, scanner, kind"
    ).fetchall()
    found = []
    for scanner, kind, level, rows in counted:
        best = database.execute(
            "SELECT source || ':' || line, score, reason, excerpt FROM findings WHERE scanner = ? "
            f"AND kind = ? AND level = ? ORDER BY score DESC, file, line, excerpt LIMIT {SAMPLES}",
            [scanner, kind, level],
        ).fetchall()
        names = ("place", "score", "reason", "excerpt")
        samples = tuple(dict(zip(names, one, strict=True)) for one in best)
        found.append(Tally(scanner, kind, level, rows, samples))
    return tuple(found)


def _results(
    scanned: Scanned, flagged: int, tallies: tuple[Tally, ...], fail_over: float
) -> Results:
    alarms = [finding for finding in scanned.about if finding.alarm]
    share = flagged / scanned.rows if scanned.rows else 0.0
    unread = scanned.unreadable + len(scanned.lost)
    if alarms:
        verdict, reason = "findings", f"The set as a whole: {alarms[0].reason}"
    elif share > fail_over:
        verdict, reason = "findings", f"{flagged} of {scanned.rows} rows are flagged"
    elif unread:
        verdict, reason = "insufficient evidence", f"{unread} rows or files could not be read"
    elif not scanned.rows:
        verdict, reason = "insufficient evidence", "there are no rows"
    else:
        verdict, reason = "clean", f"{flagged} of {scanned.rows} rows are flagged"
    code = {"clean": CLEAN, "findings": FINDINGS_CODE}.get(verdict, UNSURE)
    return Results(verdict, f"{reason}.", code, flagged, tallies, scanned)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
