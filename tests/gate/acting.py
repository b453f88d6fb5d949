"""Plays a worker's child: says of each stage what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dbos import DBOS
from gates import Gate

from holdfast.gate import worker, workflow
from holdfast.gate.child import Child, Stopped
from holdfast.gate.decision import DecisionPolicy
from holdfast.gate.work import Told, Work

HOLDS = {"verdict": "holds", "reason": "it holds", "finding": "", "requests": 9, "asked": []}
CLEAN = {"verdict": "clean", "reason": "0 rows are flagged", "flagged": 0, "set": [], "seconds": {}}


class Actor(Child):
    """Plays the child: says of each stage what the test wants, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.says: dict[str, Told | Exception] = {
            "validate": {"rows": 12},
            "scan": dict(CLEAN),
            "tune": {"steps": 3, "tokens": 90, "train_loss": 0.5},
            "audit": dict(HOLDS),
        }
        self.waits_in, self.waiting, self.go_on = "", threading.Event(), threading.Event()

    def run(
        self, stage: str, work: Work, *, stop: Callable[[], bool], report: Callable[[Told], None]
    ) -> Told:
        self.asked.append(stage)
        if stage == "tune":
            for step in (1, 2, 3):
                report({"step": step, "total_steps": 3, "train_loss": 1 / step})
            folder = work.scratch / "model"
            folder.mkdir(exist_ok=True)
            (folder / "model.safetensors").write_bytes(b"weights")
        if stage == self.waits_in:
            self.waiting.set()
            while not self.go_on.wait(0.05):
                if stop():
                    raise Stopped
        said = self.says[stage]
        if isinstance(said, Exception):
            raise said
        return said


@contextmanager
def acting(gate: Gate, actor: Actor) -> Iterator[None]:
    """A worker in this process, whose stages are played."""
    room = gate.room
    workflow.take_up(
        workflow.Bench(room.options, DecisionPolicy(), room.database, room.store, actor, room.key)
    )
    worker.launch(room.options, "here-0")
    yield
    actor.go_on.set()
    for left in DBOS.list_workflows(status=["PENDING", "ENQUEUED"]):
        DBOS.cancel_workflow(left.workflow_id)  # else their threads would wait for ever
    DBOS.destroy(workflow_completion_timeout_sec=2)
