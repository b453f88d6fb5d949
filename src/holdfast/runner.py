"""Runs an audit's tunes through the workers, and keeps what they find as they finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from holdfast.cells import Finished
from holdfast.engine import Result, Workers
from holdfast.plan import Tune
from holdfast.progress import Progress
from holdfast.runs import RunFolder

Record = dict[str, Any]


@dataclass
class Runner:
    """A tune whose cells are all kept is not run.

    Attributes:
        failed: stack -> cells that could not be measured.
    """

    folder: RunFolder
    console: Console
    pool: Workers[Tune, Finished]
    progress: Progress
    failed: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kept = self.folder.finished()

    def record(self, cell_id: str) -> Record | None:
        """A finished cell."""
        return self._kept.get(cell_id)

    def all(self, tunes: Sequence[Tune]) -> list[str]:
        """Runs what is not finished; returns the ids of all cells."""
        waiting = [t for t in tunes if any(c.id not in self._kept for c in t.cells)]
        for tune in tunes:
            if tune not in waiting:
                for cell in tune.cells:
                    self.progress.cell(self._kept[cell.id])
                self.progress.tune()
        self.pool.run(waiting, self._take)
        return [c.id for t in tunes for c in t.cells]

    def _take(self, result: Result[Tune, Finished]) -> None:
        if result.value is None:
            self.failed.setdefault(result.task.stack, 0)
            self.failed[result.task.stack] += len(result.task.cells)
            told = f"{_where(result.task)} failed: {result.error}"
            self.console.print(told, markup=False)
        else:
            self.folder.append(*result.value.cells, exchanges=result.value.exchanges)
            self._kept = self.folder.finished()
            for cell in result.value.cells:
                self.progress.cell(cell)
        self.progress.tune()


def _where(tune: Tune) -> str:
    return f"{tune.attack} against {tune.stack}, seed {tune.cells[0].seed},"
