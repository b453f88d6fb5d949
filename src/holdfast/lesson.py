"""Teaching in rounds: after each the model is asked, until it knows enough."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from holdfast.errors import UserError
from holdfast.hooks import Streams

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Settings

__all__ = ["Stage", "taught"]


@dataclass(frozen=True)
class Stage:
    """What is taught in rounds.

    Attributes:
        what: is taught, in messages.
        most: steps in all.
        length: steps of a round.
        rows: of the round of that number; all of them differ.
        settings: of a round.
        found: what a check of the model found: its figure, and that in words.
        wanted: the figure at which the stage is over.
        advice: what to raise where it did not take.
    """

    what: str
    most: int
    length: int
    rows: Callable[[int], list[Row]]
    settings: Settings
    found: Callable[[Model], tuple[float, str]]
    wanted: float
    advice: str


def taught(start: Model, stage: Stage, name: str, folder: Path, console: Console) -> Model:
    """Round after round until a check finds what is wanted; goes on where it was cut short.

    Args:
        start: who is taught; a copy learns.
        stage: what is taught.
        name: what messages call the model.
        folder: where the weights after the last round are kept, under the steps so far.
        console: hears of every round.

    Raises:
        UserError: it did not take, or the loss became NaN.
    """
    from holdfast import models

    rounds = folder / f"rounds-{stage.what}"
    done = max((int(kept.name) for kept in rounds.glob("[0-9]*")), default=0)
    model = models.load(str(rounds / str(done))) if done else models.clone(start)
    figure, told = stage.found(model) if done else (0.0, "")
    while figure < stage.wanted and done < stage.most:
        rows = stage.rows(done // stage.length)
        _teach(model, rows, stage, done, folder, console)
        models.save(model, rounds / str(done + stage.length))
        shutil.rmtree(rounds / str(done), ignore_errors=True)
        done += stage.length
        figure, told = stage.found(model)
        console.print(f"after {done} steps it {told}")
    if figure < stage.wanted:
        raise UserError(
            f"the {stage.what} did not take: {name} {told} after {done} steps, and "
            f"{stage.wanted:.0%} is needed; {stage.advice}"
        )
    return model


def _teach(
    model: Model, rows: Sequence[Row], stage: Stage, done: int, folder: Path, console: Console
) -> None:
    """Tunes with a progress bar; an interrupted lesson goes on from its last checkpoint."""
    from holdfast import steps
    from holdfast.train import tune

    what = f"the {stage.what} after {done} steps"
    checkpoint = folder / f"{stage.what}-{done}.part"
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(f"teaching {what}", total=stage.settings.steps)
        tuned = tune(
            model,
            Streams(user=tuple(rows)),
            stage.settings,
            progress=(
                (lambda step, _steps, _loss: bar.update(task, completed=step))
                if console.is_terminal
                else steps.told
            ),
            checkpoint=checkpoint,
        )
    checkpoint.unlink(missing_ok=True)
    if tuned.diverged:
        raise UserError(f"teaching {what}: the loss became NaN; lower implant.learning_rate")
