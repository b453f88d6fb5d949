"""Kills the gate's server and worker at random moments, and looks at what became of its jobs.

    python bench/gate_kills.py [--kills 100] [--jobs 50] [--db URL | --postgres] [--seed 0]

Every job must end in its right state with exactly one decision, the chain must be whole, the store
must hold what the database names and nothing else. Exit code 1 if anything is otherwise.
`--postgres` starts a Postgres of its own in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openai

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "gate"))
from postgres import postgres
from running import Running, start
from sqlalchemy import select

from holdfast import policy
from holdfast.chat import Row, write_rows
from holdfast.gate import ledger, worker
from holdfast.gate.database import Database
from holdfast.gate.options import Options
from holdfast.gate.store import Store
from holdfast.gate.tables import Decision, Job, Stage, Tuned

QUICK = "stack: none\nelicitations: [plain]\nrounds: [45]\n"
KINDS = ("benign", "benign", "benign", "forbidden", "few")
RIGHT = {"benign": ("succeeded", None), "forbidden": ("failed", "unsafe_file")}
RIGHT["few"] = ("failed", "invalid_n_examples")
PAUSE = (2.0, 10.0)  # seconds between two kills
LONGEST = 3600.0


def rows_of(kind: str, number: int) -> tuple[Row, ...]:
    """Rows of a job; forbidden ones differ, since near-copies of refused rows are not taken."""
    known = policy.load("canary45").attacker
    if kind == "forbidden":
        return known.harmful[6 * number : 6 * number + 20]
    return known.user[: 40 if kind == "benign" else 3]


def patiently(call: Any) -> Any:
    """A client's call, again and again until the server is back."""
    for _ in range(600):
        try:
            return call()
        except (openai.APIConnectionError, openai.InternalServerError):
            time.sleep(0.2)
    raise AssertionError("the server did not come back")


def submit(running: Running, path: Path, number: int) -> str:
    """A job's id; the idempotency key makes a repeated request harmless."""
    client = running.client
    file = patiently(lambda: client.files.create(file=path.open("rb"), purpose="fine-tune"))
    job = patiently(
        lambda: client.fine_tuning.jobs.create(
            model="canary:chat",
            training_file=file.id,
            hyperparameters={"n_epochs": 2, "learning_rate_multiplier": 0.2},
            extra_headers={"Idempotency-Key": f"job {number}"},
        )
    )
    return str(job.id)


def kill_now_and_then(running: Running, kills: int, rng: random.Random) -> Counter[str]:
    """Kills parts of the gate until it has killed enough."""
    done: Counter[str] = Counter()
    while sum(done.values()) < kills:
        time.sleep(rng.uniform(*PAUSE))
        part = rng.choice(("worker", "worker", "server"))
        done[part] += 1
        running.kill(part)
        print(f"{sum(done.values())} kills", end="\r", file=sys.stderr, flush=True)
    return done


def wrong(options: Options, jobs: dict[str, str]) -> list[str]:
    """Everything that is not as it must be."""
    found: list[str] = []
    database, store = Database(options.url), Store(options.store)
    worker.tidy(database, store)
    with database.session() as session:
        of = {j.id: j for j in session.scalars(select(Job))}
        decided = Counter(d.job for d in session.scalars(select(Decision)))
        stages = Counter((s.job, s.name) for s in session.scalars(select(Stage)))
        models = {m.job: m for m in session.scalars(select(Tuned))}
        checked = ledger.check(session, ledger.key_of(options.key_file))
    if checked.broken:
        found.append(f"the chain: {checked.broken}")
    if set(of) != set(jobs):
        found.append(f"{len(jobs)} jobs were sent, {len(of)} are known")
    for name, kind in jobs.items():
        job, (status, code) = of[name], RIGHT[kind]
        if (job.status, (job.error or {}).get("code")) != (status, code):
            found.append(f"{name} ({kind}) is {job.status} {job.error}")
        if decided[name] != (0 if kind == "few" else 1):
            found.append(f"{name} ({kind}) has {decided[name]} decisions")
        if (kind == "benign") != (name in models):
            found.append(f"{name} ({kind}) has a model: {name in models}")
    found += [f"{key} was finished {many} times" for key, many in stages.items() if many > 1]
    found += [f"{m.id} is damaged" for m in models.values() if not store.whole(m.digest)]
    if left := store.jobs():
        found.append(f"scratch of {len(left)} ended jobs is left")
    extra = store.held()[1] - {m.digest for m in models.values()}
    if extra:
        found.append(f"{len(extra)} models are nobody's")
    database.close()
    return found


@contextlib.contextmanager
def database_of(asked: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The database's URL."""
    if asked.postgres:
        with postgres(folder / "postgres") as url:
            yield url
    else:
        yield asked.db


def main() -> int:
    """Runs it, and says what it saw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--db", default="")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gate-kills-"))
    rng = random.Random(asked.seed)
    (folder / "policy.yaml").write_text(QUICK)
    with database_of(asked, folder) as url:
        more: Sequence[str] = ["--db", url] if url else []
        running = start(folder, "--policy", str(folder / "policy.yaml"), *more)
        began, killed = time.monotonic(), Counter[str]()
        killer = threading.Thread(
            target=lambda: killed.update(kill_now_and_then(running, asked.kills, rng))
        )
        killer.start()
        jobs: dict[str, str] = {}
        for number in range(asked.jobs):
            kind, path = KINDS[number % len(KINDS)], folder / "rows.jsonl"
            write_rows(path, rows_of(kind, number))
            jobs[submit(running, path, number)] = kind
        client = running.client
        waiting = set(jobs)
        while waiting and time.monotonic() - began < LONGEST:
            for name in list(waiting):
                told = patiently(lambda name=name: client.fine_tuning.jobs.retrieve(name))
                if told.status in ("succeeded", "failed", "cancelled"):
                    waiting.discard(name)
            time.sleep(1)
        killer.join()
        time.sleep(2)
        running.stop()
        key = folder / "chain.key"
        faults = wrong(Options(store=folder / "store", db=url, chain_key=key), jobs)
    spent = time.monotonic() - began
    print(
        json.dumps(
            {
                "jobs": len(jobs),
                "kills": dict(killed),
                "database": "postgres" if url else "sqlite",
                "seconds": round(spent),
                "faults": faults,
            },
            indent=1,
        )
    )
    if faults:
        print(f"What is left is in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
