"""`holdfast worker`: takes jobs from the queue, one at a time, on this machine's device."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import NoReturn

from dbos import DBOS, DBOSConfig
from sqlalchemy import select, update

from holdfast.gate import decision, ledger, workflow
from holdfast.gate.child import Child
from holdfast.gate.database import Database
from holdfast.gate.names import NAME, QUEUE, VERSION
from holdfast.gate.options import Options, from_environment
from holdfast.gate.store import Store
from holdfast.gate.tables import ENDED, GONE, RUNNABLE, File, Job, Stage, Tuned, Worker, now
from holdfast.gate.timing import BEAT, SILENT

log = logging.getLogger("holdfast.gate")
TIDY = 3600.0  # seconds between two looks for what nobody names any more


def main(options: Options, name: str) -> NoReturn:
    """Works until it is told to stop.

    Args:
        options: the gate's.
        name: of this worker; its jobs are its own again when it comes back.
    """
    database, store = Database(options.url), Store(options.store)
    store.prepare()
    policy = decision.read(options.policy)
    key = ledger.key_of(options.key_file, make=True)
    child = Child()
    workflow.take_up(workflow.Bench(options, policy, database, store, child, key))
    launch(options, name)
    child.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("worker ready", extra={"worker": name})
    beat(database, name)
    tidied = -TIDY
    while not stop.wait(BEAT):
        try:
            beat(database, name)
            if time.monotonic() - tidied > TIDY:
                tidied = time.monotonic()
                tidy(database, store)
            take_over(database, name)
            mend(database)
        except Exception as error:  # the database may be away; the next beat tries again
            log.warning("no sign of life could be left: %s", error)
    child.kill()
    DBOS.destroy()
    # A thread may still wait for the outcome of a job that another worker took over.
    os._exit(0)


def launch(options: Options, name: str) -> None:
    """Starts DBOS: the queue is declared, and this worker's interrupted jobs go on."""
    config: DBOSConfig = {
        "name": NAME,
        "system_database_url": options.url,
        "application_version": VERSION,
        "executor_id": name,
        "log_level": "WARNING",
        "run_migrations": False,
        "use_listen_notify": False,
    }
    DBOS(config=config)
    DBOS.listen_queues([QUEUE])
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        worker_concurrency=1,
        partition_concurrency=options.limits.jobs,
        polling_interval_sec=0.5,
        on_conflict="always_update",
    )


def beat(database: Database, name: str) -> None:
    """Leaves a sign of life."""
    with database.session() as session:
        changed = session.execute(update(Worker).where(Worker.id == name).values(seen_at=now()))
        if not changed.rowcount:  # type: ignore[attr-defined]
            session.add(Worker(id=name, host=socket.gethostname()))


def take_over(database: Database, name: str) -> None:
    """Puts the jobs of workers that have died back into the queue."""
    with database.session() as session:
        dead = session.scalars(
            select(Worker.id).where(Worker.seen_at < now() - SILENT, Worker.id != name)
        ).all()
    if not dead:
        return
    left = DBOS.list_workflows(
        status="PENDING", executor_id=list(dead), load_input=False, load_output=False
    )
    for one in left:
        log.warning("job taken over", extra={"job": one.workflow_id})
        DBOS.resume_workflow(one.workflow_id, queue_name=QUEUE)


def mend(database: Database) -> None:
    """Lets jobs go on that were resumed just before the server died."""
    with database.session() as session:
        waiting = list(session.scalars(select(Job.id).where(Job.status.in_(RUNNABLE))))
    if not waiting:
        return
    halted = DBOS.list_workflows(
        workflow_ids=waiting, status="CANCELLED", load_input=False, load_output=False
    )
    for one in halted:
        DBOS.resume_workflow(one.workflow_id, queue_name=QUEUE)


def tidy(database: Database, store: Store) -> None:
    """Takes away what nobody names any more: scratch of ended jobs, files and models deleted."""
    store.sweep()
    with database.session() as session:
        over = set(session.scalars(select(Job.id).where(Job.status.in_(ENDED))))
        known = set(session.scalars(select(Job.id)))
    for job in store.jobs():
        if job in over or job not in known:
            store.clean(job)
    files, models = store.held()
    with database.session() as session:
        wanted = set(session.scalars(select(File.sha256).where(File.deleted_at.is_(None))))
        wanted |= set(session.scalars(select(Job.data_sha256).where(Job.status.not_in(ENDED))))
        kept = set(session.scalars(select(Tuned.digest).where(Tuned.state.not_in(GONE))))
        under_way = select(Job.id).where(Job.status.not_in(ENDED))
        tuned = select(Stage.result).where(Stage.name == "tune", Stage.job.in_(under_way))
        kept |= {told["digest"] for told in session.scalars(tuned) if "digest" in told}
    for name in files - wanted:
        if _old(store.file(name)):
            store.delete_file(name)
    for name in models - kept:
        if _old(store.model(name)):
            store.delete_model(name)


def _old(path: Path) -> bool:
    """Whether a name is older than what is being written just now."""
    try:
        return path.stat().st_mtime < now() - 600
    except OSError:
        return False


if __name__ == "__main__":
    from holdfast.gate.logs import structured

    structured()
    main(from_environment(), os.environ.get("HOLDFAST_WORKER", f"{socket.gethostname()}-0"))
