"""Progress of a scan: a bar over bytes, and the rows so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from holdfast.scan.sources import Unit


class Progress:
    """A bar on a terminal, nothing elsewhere; a context manager."""

    def __init__(self, sources: Sequence[str], console: Console) -> None:
        size = sum(Path(path).stat().st_size for path in sources if Path(path).exists())
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._rows = 0
        self._task = self._bar.add_task("scanning", total=max(size, 1))

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def unit(self, unit: Unit, rows: int) -> None:
        """A unit was read."""
        self._rows += rows
        # Row groups of Parquet do not tell their size; the bar then only counts rows.
        size = unit.end - unit.start if unit.shape != "parquet" else 0
        self._bar.update(self._task, advance=size, description=f"{self._rows:,} rows")

    def ranking(self, name: str, rows: int) -> Callable[[int], object]:
        """A ranking begins; gives what is told of the rows it has read."""
        task = self._bar.add_task(name, total=rows)
        return lambda read: self._bar.update(task, advance=read)
