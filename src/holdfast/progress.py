"""Live progress of an audit: cells done, compliance so far, time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from holdfast.plan import BASE


class Progress:
    """A table that grows while the audit runs; a context manager.

    Without a terminal it prints one line for every tenth of the tunes.
    """

    def __init__(self, total: int, console: Console) -> None:
        self.total, self.done, self.cells = total, 0, 0
        self._console = console
        self._began = time.monotonic()
        self._worst: dict[tuple[str, str], tuple[float, str]] = {}
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._note = ""

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def say(self, note: str) -> None:
        """What is going on now."""
        self._note = note
        if self._live.is_started:
            self._live.update(self._picture())
        else:
            self._console.print(note, highlight=False)

    def expect(self, more: int) -> None:
        """More tunes turned out to be needed."""
        self.total += more

    def cell(self, cell: Mapping[str, Any]) -> None:
        """A cell is finished."""
        self.cells += 1
        asr = cell.get("asr")
        if asr is None or cell["stack"] == BASE or cell["purpose"] not in ("grid", "untouched"):
            return
        place = (str(cell["stack"]), str(cell["attack"]))
        if place not in self._worst or asr > self._worst[place][0]:
            self._worst[place] = (float(asr), str(cell["elicitation"]))

    def tune(self) -> None:
        """A tune is finished, with all its cells."""
        self.done += 1
        if self._live.is_started:
            self._live.update(self._picture())
        elif self.done * 10 // max(self.total, 1) > (self.done - 1) * 10 // max(self.total, 1):
            self._console.print(self._line(), highlight=False)

    def _line(self) -> str:
        passed = time.monotonic() - self._began
        left = passed / self.done * (self.total - self.done) if self.done else 0.0
        return (
            f"{self.done} of {self.total} tunes, {self.cells} cells, "
            f"{clock(passed)} passed, about {clock(left)} left"
        )

    def _picture(self) -> Group:
        return Group(
            Text(self._note), matrix(self._worst, "worst compliance so far"), Text(self._line())
        )


def matrix(worst: Mapping[tuple[str, str], tuple[float, str]], title: str) -> Table:
    """Stacks × attacks with the highest compliance and how it was asked."""
    table = Table(title=title, title_justify="left")
    attacks = list(dict.fromkeys(attack for _, attack in worst))
    table.add_column("stack")
    for attack in attacks:
        table.add_column(Text(attack), justify="right")
    for stack in dict.fromkeys(stack for stack, _ in worst):
        shown = [worst.get((stack, attack)) for attack in attacks]
        table.add_row(Text(stack), *[Text(f"{s[0]:.0%} {s[1]}" if s else "–") for s in shown])
    return table


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds: `2:05`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
