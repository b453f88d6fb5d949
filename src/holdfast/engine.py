"""Run tasks here or on warm worker processes of one thread each.

`concurrent.futures.ProcessPoolExecutor` does not do: when one worker is killed it fails every task
under way and does not say which of them was to blame. Here each worker has its own pipe, so a dead
worker costs exactly the task it was on, and that task gets one more try.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from holdfast.errors import UserError
from holdfast.worker import Answer, attempt, child_settings, work

Task = TypeVar("Task")
Value = TypeVar("Value")

TRIES = 2


def default_workers() -> int:
    """One for each core; on a GPU none, since every worker would put its models there again."""
    from holdfast import models

    return 0 if models.device().type != "cpu" else len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Result(Generic[Task, Value]):
    """What became of one task: a value, or an error of one line with its traceback."""

    task: Task
    value: Value | None
    error: str = ""
    details: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass
class _Job:
    index: int
    tries: int = 0


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: connection.Connection[Any, Any]
    job: _Job | None = None


class Workers(Generic[Task, Value]):
    """Warm workers for one function, used as a context manager; `run` may be called many times.

    `workers=0` runs everything in this process, which is what a debugger wants; from 1 on, that
    many processes are spawned as tasks need them. `function`, `start`, tasks and values must
    pickle. `start` is called once in each worker before its first task, to import and load what
    every task needs. Leaving the `with` block, by whatever way, ends the workers.
    """

    def __init__(
        self,
        function: Callable[[Task], Value],
        *,
        workers: int,
        start: Callable[[], object] | None = None,
    ) -> None:
        if workers < 0:
            raise UserError(f"The number of workers is {workers}; it must be 0 or more.")
        self._function, self._start, self._limit = function, start, workers
        self._pool: list[_Worker] = []
        self._started = False

    def __enter__(self) -> Workers[Task, Value]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker now, whatever it is doing; returns when all are gone."""
        for worker in self._pool:
            worker.process.terminate()
        for worker in self._pool:
            worker.process.join(2)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self._pool.clear()

    def run(
        self,
        tasks: Sequence[Task],
        on_result: Callable[[Result[Task, Value]], object] | None = None,
    ) -> list[Result[Task, Value]]:
        """Run every task; `on_result` is called here as each finishes, in the order they finish.

        Returns:
            One result per task, in the order of `tasks`. A task that raises, and one whose worker
            died twice under it, is a result with an error; the others go on.

        Raises:
            UserError: a task raised one: nothing more is started, and finished results have
                already been handed to `on_result`.
            RuntimeError: `start` failed.
        """
        report = on_result or (lambda _: None)
        results: dict[int, Result[Task, Value]] = {}
        try:
            for index, answer in self._inline(tasks) if self._limit == 0 else self._spread(tasks):
                if answer.kind == "user error":
                    raise UserError(answer.value)
                if answer.kind == "start failed":
                    raise RuntimeError(
                        f"A worker could not start: {answer.value}\n{answer.details}"
                    )
                failed = answer.kind == "error"
                results[index] = Result(
                    task=tasks[index],
                    value=None if failed else answer.value,
                    error=answer.value if failed else "",
                    details=answer.details,
                    seconds=answer.seconds,
                )
                report(results[index])
        except BaseException:
            self.close()  # a worker in mid-task must not answer into the next run
            raise
        return [results[index] for index in range(len(tasks))]

    def _inline(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Answer]]:
        if self._start and not self._started:
            self._start()
            self._started = True
        for index, task in enumerate(tasks):
            yield index, attempt(self._function, task)

    def _spread(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Answer]]:
        waiting = deque(_Job(index) for index in range(len(tasks)))
        while waiting or any(worker.job for worker in self._pool):
            self._hand_out(waiting, tasks)
            busy = {worker.pipe: worker for worker in self._pool if worker.job}
            for pipe in connection.wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]  # wait() gives back what it was given
                job, worker.job = worker.job, None
                assert job is not None
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    if (lost := self._bury(worker, job)) is None:
                        waiting.appendleft(job)
                        continue
                    answer = lost
                yield job.index, answer

    def _hand_out(self, waiting: deque[_Job], tasks: Sequence[Task]) -> None:
        idle = [worker for worker in self._pool if worker.job is None]
        while waiting and (idle or len(self._pool) < self._limit):
            worker = idle.pop() if idle else self._spawn()
            worker.job = waiting.popleft()
            worker.job.tries += 1
            with suppress(BrokenPipeError, ConnectionResetError):  # wait() will see it dead
                worker.pipe.send(tasks[worker.job.index])

    def _spawn(self) -> _Worker:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(
            target=work, args=(there, self._function, self._start), daemon=True
        )
        with child_settings():
            process.start()
        there.close()  # so that a dead worker reads as end of file
        self._pool.append(worker := _Worker(process, here))
        return worker

    def _bury(self, worker: _Worker, job: _Job) -> Answer | None:
        """Forget a dead worker; None when its job has a try left."""
        self._pool.remove(worker)
        worker.pipe.close()
        worker.process.join()
        if job.tries < TRIES:
            return None
        code = worker.process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        hint = "; memory may have run out: try fewer workers" if code == -signal.SIGKILL else ""
        return Answer("error", f"its worker process died {TRIES} times ({how}{hint})")


def run_tasks(
    function: Callable[[Task], Value],
    tasks: Sequence[Task],
    *,
    workers: int,
    on_result: Callable[[Result[Task, Value]], object] | None = None,
    start: Callable[[], object] | None = None,
) -> list[Result[Task, Value]]:
    """Run `function` on every task and end the workers: see `Workers`, which stays warm."""
    with Workers(function, workers=min(workers, len(tasks)), start=start) as pool:
        return pool.run(tasks, on_result)
