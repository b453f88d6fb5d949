"""`holdfast serve`: starts the gate's processes and starts again what dies."""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from holdfast.errors import UserError
from holdfast.gate import decision, keys, ledger
from holdfast.gate.database import Database, migrate
from holdfast.gate.options import Options
from holdfast.gate.store import Store
from holdfast.gate.tables import Key

log = logging.getLogger("holdfast.gate")
TENANT = "local"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
GRACE = 10.0  # seconds that a process has to end
SOON = 5.0  # a process that dies sooner waits longer before it is started again


@dataclass
class Part:
    """A process of the gate's."""

    name: str
    module: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = field(default=0)

    def start(self) -> None:
        """Starts it."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module], env=self.environment, stdin=subprocess.DEVNULL
        )
        self.started = time.monotonic()

    def watch(self) -> None:
        """Starts it again if it has died; one that dies at once is given more and more time."""
        if self.process is None or self.process.poll() is None:
            return
        alive = time.monotonic() - self.started
        self.failures = self.failures + 1 if alive < SOON else 0
        if alive < min(2.0**self.failures - 1, 60.0):
            return
        log.warning(
            "started again (exit code %s)", self.process.returncode, extra={"part": self.name}
        )
        self.start()

    def end(self) -> None:
        """Tells it to end, and ends it if it does not."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def prepare(options: Options) -> str:
    """Makes store, tables and keys; gives the first key if there was none, which is shown once.

    Raises:
        UserError: the store or the database cannot be made, or strangers could come in.
    """
    Store(options.store).prepare()
    decision.read(options.policy)
    ledger.key_of(options.key_file, make=True)
    migrate(options)
    database = Database(options.url)
    try:
        with database.session() as session:
            if session.query(Key).first() is not None:
                return ""
            if options.host not in LOOPBACK:
                raise UserError(
                    f"The gate has no keys yet, so it does not listen on {options.host}: make one "
                    "with `holdfast gate key --store "
                    f"{options.store}`, or start it once without --host."
                )
            return keys.mint(session, TENANT, "first key", ("admin",))[1]
    finally:
        database.close()


def parts_of(options: Options) -> list[Part]:
    """The gate's processes: the server, the one that holds models, and the workers."""
    env = options.environment()
    one_thread = {**env, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    found = [
        Part("server", "holdfast.gate.server", env),
        Part("inference", "holdfast.gate.inference", one_thread),
    ]
    for number in range(options.workers):
        named = {**one_thread, "HOLDFAST_WORKER": f"{socket.gethostname()}-{number}"}
        found.append(Part(f"worker {number}", "holdfast.gate.worker", named))
    return found


def run(options: Options) -> None:
    """Runs the gate until it is told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parts = parts_of(options)
    try:
        for part in parts:
            part.start()
        while not stop.wait(0.5):
            for part in parts:
                part.watch()
    finally:
        for part in reversed(parts):
            part.end()
        shutil.rmtree(options.socket.parent, ignore_errors=True)
