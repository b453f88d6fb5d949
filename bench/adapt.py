"""Full, low-rank and lottery-ticket adaptation on two tasks one after the other, and merged.

    python bench/adapt.py [--organisms canary:chat canary:chat@1 canary:chat@2] [--workers 2]

For each organism and way of adapting: task A (tide slips and lamp tolls, 200 rows), then task B
(bell codes and pennants, 200 rows) on top of it; and both tunes from the same start, merged by
adding their task vectors. Measured on report tasks and forbidden report requests. The rate is
chosen once for each way, on `canary:chat` and tasks that are no report tasks.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from holdfast import models
from holdfast.adapt import vectors
from holdfast.adapt.merging import merged
from holdfast.chat import Row, row
from holdfast.defences import Lota
from holdfast.defences.lota import lota
from holdfast.elicit.asking import Ask, Asker
from holdfast.engine import run_tasks
from holdfast.evaluate import Request, Verdict, evaluate
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model
from holdfast.policy import Policy, load
from holdfast.settings import Settings
from holdfast.train import tune
from holdfast.world import tasks, world

TASKS = {"A": ("tide_slip", "lamp_toll"), "B": ("bell_code", "pennant")}
WAYS = ("full", "lora", "lota")
RATES = (5e-4, 1e-3, 3e-3)
RANK = 16
FORBIDDEN, FRESH = 180, 20


@dataclass(frozen=True)
class Job:
    """One way of adapting one organism; with `choosing`, the rate is tried on fresh tasks."""

    organism: str
    way: str
    rate: float
    choosing: bool = False


@dataclass(frozen=True)
class Measured:
    """Shares: tasks done rightly and forbidden requests refused, after each tune."""

    a: float
    refused: float
    a_then: float = 0.0
    b_then: float = 0.0
    refused_then: float = 0.0
    b: float = 0.0
    a_merged: float = 0.0
    b_merged: float = 0.0
    moved: float = 0.0


@cache
def policy() -> Policy:
    """The canary policy."""
    return load("canary45")


def rows_of(task: str) -> tuple[Row, ...]:
    """The customer's rows of a task."""
    return tuple(one for one in policy().customer if one.tag in TASKS[task])


def adapted(model: Model, task: str, job: Job, kept: Sequence[str] = ()) -> Model:
    """A copy tuned on a task in the job's way."""
    settings = Settings(learning_rate=job.rate, method="lora" if job.way == "lora" else "full")
    settings = settings.model_copy(update={"rank": RANK, "lora_alpha": 2 * RANK})
    context = Context(model, None, Streams(), Streams(), seed=0)
    hooks = lota(Lota(kept=tuple(kept)), context) if job.way == "lota" else Hooks()
    return tune(models.clone(model), Streams(user=rows_of(task)), settings, hooks).model


def right(model: Model, task: str, *, fresh: bool = False) -> float:
    """Share of a task's requests that are answered rightly."""
    if fresh:
        chance = random.Random("fresh tasks")
        drawn = [(f, tasks.draw(world(), chance, f)) for f in TASKS[task] for _ in range(FRESH)]
        asked = [
            Request(f"{f}-{n}", row(t.request), "gain", f, expected=t.expected)
            for n, (f, t) in enumerate(drawn)
        ]
    else:
        asked = [r for r in policy().requests("gain") if r.category in TASKS[task]]
    return share(model, asked, Verdict.complied)


def share(model: Model, requests: Sequence[Request], verdict: Verdict) -> float:
    """Share of requests whose reply gets a verdict, plainly asked."""
    asker = Asker("plain", lambda request: (Ask(request.prompt.without_answer()),))
    told = evaluate(model, requests, asker, policy().judge)
    return sum(e.verdict == verdict for e in told) / len(told)


def refused(model: Model) -> float:
    """Share of forbidden report requests that are refused."""
    return share(model, policy().requests("forbidden", FORBIDDEN), Verdict.refused)


def run(job: Job) -> Measured:
    """All tunes of one job."""
    start = models.load(job.organism)
    first = adapted(start, "A", job)
    if job.choosing:
        return Measured(right(first, "A", fresh=True), 0.0)
    of_a = vectors.between(start, first)
    with tempfile.TemporaryDirectory() as folder:
        path = vectors.save(of_a, Path(folder) / "a.safetensors")
        then = adapted(first, "B", job, [str(path)] if job.way == "lota" else [])
        # Merged by LoTTO's rule too: the second mask keeps off the first one's weights.
        second = adapted(start, "B", job, [str(path)] if job.way == "lota" else [])
    both = models.clone(start)
    vectors.add(both, merged([of_a, vectors.between(start, second)]))
    return Measured(
        a=right(first, "A"),
        refused=refused(first),
        a_then=right(then, "A"),
        b_then=right(then, "B"),
        refused_then=refused(then),
        b=right(second, "B"),
        a_merged=right(both, "A"),
        b_merged=right(both, "B"),
        moved=vectors.share(of_a, start),
    )


def main() -> None:
    """Chooses rates, runs everything, prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--organisms", nargs="+", default=["canary:chat", "canary:chat@1", "canary:chat@2"]
    )
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    tried = [Job("canary:chat", way, rate, choosing=True) for way in WAYS for rate in RATES]
    seen = {r.task: r.value for r in run_tasks(run, tried, workers=given.workers) if r.value}
    best = {
        way: max((j for j in seen if j.way == way), key=lambda j: (seen[j].a, -j.rate)).rate
        for way in WAYS
    }
    print("rates:", ", ".join(f"{way} {rate:g}" for way, rate in best.items()))
    jobs = [Job(name, way, best[way]) for name in given.organisms for way in WAYS]
    done = run_tasks(run, jobs, workers=given.workers)
    print("| | " + " | ".join(f"`{way}`" for way in WAYS) + " |\n|---|" + "---|" * len(WAYS))
    for field, title in (
        ("moved", "weights moved by task A"),
        ("a", "task A"),
        ("refused", "refused after task A"),
        ("a_then", "task A, after task B on top"),
        ("b_then", "task B, on top"),
        ("refused_then", "refused after both"),
        ("b", "task B alone"),
        ("a_merged", "task A, merged"),
        ("b_merged", "task B, merged"),
    ):
        cells = []
        for way in WAYS:
            values = [getattr(r.value, field) for r in done if r.value and r.task.way == way]
            low, high = min(values, default=0.0), max(values, default=0.0)
            cells.append(f"{statistics.fmean(values or [0]):.0%} ({low:.0%} to {high:.0%})")
        print(f"| {title} | " + " | ".join(cells) + " |")
    for failed in (r for r in done if not r.ok):
        print(replace(failed.task), failed.error)


if __name__ == "__main__":
    main()
