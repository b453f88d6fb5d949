"""The worker's side of `engine`: what a spawned process inherits and how it lives and ends."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process, resource_tracker
from typing import Any, Literal

from holdfast.errors import UserError

# Read by the numeric libraries when a worker first imports them.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Answer:
    """What a worker sends back."""

    kind: Literal["value", "error", "user error", "start failed"]
    value: Any
    details: str = ""
    seconds: float = 0.0


@contextmanager
def child_settings() -> Iterator[None]:
    """What a process spawned here inherits: one thread, and no Ctrl-C of its own.

    The terminal sends Ctrl-C to every process; only this one may answer it. The signal is blocked,
    not ignored, so that one which arrives meanwhile is delivered afterwards.
    """
    resource_tracker.ensure_running()  # its own start would unblock the signal
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def work(
    pipe: connection.Connection[Any, Any],
    function: Callable[[Any], Any],
    start: Callable[[], object] | None,
) -> None:
    """The life of a worker: it ends when the other end of the pipe, or its parent, is gone."""
    threading.Thread(target=die_with_parent, daemon=True).start()
    if start:
        begun = attempt(lambda _: start(), None)
        if begun.kind != "value":
            kind = begun.kind if begun.kind == "user error" else "start failed"
            pipe.send(Answer(kind, begun.value, begun.details))
            return
    with suppress(EOFError, OSError):
        while True:
            task = pipe.recv()
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(1)
            answer = attempt(function, task)
            try:
                pipe.send(answer)
            except (
                pickle.PicklingError,
                TypeError,
                AttributeError,
                ValueError,
            ) as error:  # it does not pickle
                pipe.send(Answer("error", f"its value cannot be sent back: {error}"))


def die_with_parent() -> None:
    """Waits for the parent's end, and ends this process with it."""
    parent = parent_process()
    if parent:
        connection.wait([parent.sentinel])
        os._exit(1)


def attempt(function: Callable[[Any], Any], task: Any) -> Answer:
    began = time.perf_counter()
    try:
        value = function(task)
    except UserError as error:
        return Answer("user error", str(error))
    except Exception as error:
        line = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        return Answer("error", line, traceback.format_exc(), time.perf_counter() - began)
    return Answer("value", value, seconds=time.perf_counter() - began)
