"""The child of a worker: the process in which stages run, warm from job to job, killed to stop.

Killing is what makes a cancelled job stop within a second whatever it is doing; a stage that is
run again finds what it needs on disk.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias

from holdfast.errors import UserError
from holdfast.gate.stages import STAGES, ready
from holdfast.gate.work import Told, Work
from holdfast.worker import child_settings, die_with_parent

Pipe: TypeAlias = "connection.Connection[Any, Any]"
POLL = 0.3  # seconds between two looks at whether a stage must stop


class Stopped(Exception):
    """The stage was told to stop, and has."""


class Refused(Exception):
    """The stage says in one sentence what is wrong with what it was given."""


class Crashed(Exception):
    """The stage raised what its author did not foresee, or its process died."""


class Child:
    """Runs one stage at a time in a process of its own."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._pipe: Pipe | None = None

    def run(
        self, stage: str, work: Work, *, stop: Callable[[], bool], report: Callable[[Told], None]
    ) -> Told:
        """Runs a stage to its end.

        Args:
            stage: its name.
            work: what it needs to know.
            stop: asked now and then; once it is true the process is killed.
            report: takes what the stage says of its progress.

        Raises:
            Stopped: `stop` said so.
            Refused: the stage refused its input with a sentence.
            Crashed: it raised, or its process died.
        """
        try:
            return self._followed(stage, work, stop, report)
        except (Refused, Crashed) as error:
            if isinstance(error.__cause__, OSError | EOFError):
                self.kill()
            raise
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends the process now."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if process is not None:
            process.kill()
            process.join()
        if pipe is not None:
            pipe.close()

    def start(self) -> Pipe:
        """Starts the process unless it is alive."""
        if self._process is None or not self._process.is_alive() or self._pipe is None:
            self.kill()
            context = get_context("spawn")
            self._pipe, there = context.Pipe()
            self._process = context.Process(target=_serve, args=(there,), daemon=True)
            with child_settings():
                self._process.start()
            there.close()  # so that a dead child reads as end of file
        return self._pipe

    def _followed(
        self, stage: str, work: Work, stop: Callable[[], bool], report: Callable[[Told], None]
    ) -> Told:
        looked = time.monotonic()
        try:
            pipe = self.start()
            pipe.send((stage, work))
            while True:
                if pipe.poll(POLL):
                    kind, said = pipe.recv()
                    if kind == "done":
                        told: Told = said
                        return told
                    if kind == "refused":
                        raise Refused(said)
                    if kind == "crashed":
                        raise Crashed(said)
                    report(said)
                if time.monotonic() - looked >= POLL:
                    looked = time.monotonic()
                    if stop():
                        raise Stopped
        except (EOFError, OSError) as error:
            raise Crashed("the process died; memory may have run out") from error


def _serve(pipe: Pipe) -> None:
    """The life of the child: it ends when its worker does."""
    threading.Thread(target=die_with_parent, daemon=True).start()
    _give_way()
    ready()
    while True:
        try:
            stage, work = pipe.recv()
        except EOFError:
            return
        pipe.send(_attempt(pipe, stage, work))


def _give_way() -> None:
    """Stages take what the server, which answers people, leaves of this machine."""
    if sys.platform == "linux":
        with suppress(OSError):  # some sandboxes forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            return
    os.nice(19)


def _attempt(pipe: Pipe, stage: str, work: Work) -> tuple[str, Any]:
    try:
        return "done", STAGES[stage](work, lambda told: pipe.send(("progress", told)))
    except UserError as error:
        return "refused", str(error)
    except Exception:
        return "crashed", traceback.format_exc()
