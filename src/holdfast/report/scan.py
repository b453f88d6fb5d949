"""The page of a scan: the verdict, what the set as a whole gives away, rows by scanner."""

from __future__ import annotations

from pathlib import Path

from holdfast.report import page
from holdfast.scan.results import Results

PAGE = "report.html"
COLOURS = {"clean": "holds", "findings": "breaks"}


def write(results: Results, out: Path) -> Path:
    """Write `report.html` into the folder of results.

    Everything from the data is shown escaped and cut; the page runs no script.
    """
    most = max((tally.rows for tally in results.tallies), default=0)
    text = (
        page.environment()
        .get_template("scan.html.j2")
        .render(
            results=results,
            scanned=results.scanned,
            alarms=[f for f in results.scanned.about if f.alarm],
            notes=[f for f in results.scanned.about if not f.alarm],
            colour=COLOURS.get(results.verdict, "open"),
            most=max(most, 1),
        )
    )
    return page.write_page(out / PAGE, text)
