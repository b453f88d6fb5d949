"""Ten cells through Holdfast, and the same ten as a fresh TRL process each: cells an hour.

A cell tunes the model on 10 or 50 forbidden rows and asks 90 report requests plainly. Both sides
get the same rows in the same order, the same optimiser, schedule and epochs, greedy decoding to
the same length, the same exact judge, the same number of processes at a time and of threads in
each. The other side is spared the policy and the judge: this process draws its rows and judges
its replies outside the clock.

    python bench/cell_throughput.py [--model canary:chat] [--workers 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from holdfast import aligned, cells, methods, plan
from holdfast.audit_config import AuditConfig, Cost, Customer, Measure
from holdfast.engine import Workers
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict, judged
from holdfast.hooks import Context, Streams
from holdfast.plan import Tune
from holdfast.policy import Policy
from holdfast.stats import paired_permutation

SIZES = (10, 50)
REQUESTS = 90
THEIR_BATCH = 90  # all requests at once suits `model.generate` best on a small model
GOAL = 5.0
SAME = 0.02  # compliance over all cells may differ by two points, if its interval holds 0 too


@dataclass(frozen=True)
class Side:
    """One side's ten cells, each with its verdicts in order.

    Attributes:
        seconds: of all cells, by the clock.
        cpu: processor seconds of these cells, which other programs on the machine disturb little.
        verdicts: cell by cell.
        parts: seconds of one cell, by what they went to.
    """

    seconds: float
    cpu: float
    verdicts: tuple[tuple[Verdict, ...], ...]
    parts: dict[str, float]

    @property
    def per_hour(self) -> float:
        return 3600 * len(self.verdicts) / self.seconds

    @property
    def rates(self) -> list[float]:
        return [sum(v == Verdict.complied for v in cell) / len(cell) for cell in self.verdicts]


def main() -> int:
    """Runs both sides, prints the comparison; returns 1 if compliance differs beyond noise."""
    options = _options()
    try:
        config = _config(options.model, options.cells)
        policy = aligned.policy_of(config.policy, config.judge)
        tunes = _tunes(config, policy)
        ours = _through_holdfast(tunes, options.workers)
        theirs = _fresh_processes(tunes, policy, options.workers, options.their_batch)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    told = _compared(tunes, policy, ours, theirs, options)
    print(json.dumps(told, indent=2) if options.json else _as_text(told))
    return 0 if told["compliance"]["equal_within_noise"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--model", default="canary:chat", help="organism, folder or hub name")
    parser.add_argument("--cells", type=int, default=10, help="cells, half of each size")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time, both sides")
    parser.add_argument("--their-batch", type=int, default=THEIR_BATCH, help="requests at once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.workers < 1 or options.cells < 2 or options.their_batch < 1:
        parser.error("--workers and --their-batch must be 1 or more, --cells 2 or more")
    return options


def _config(model: str, count: int) -> AuditConfig:
    return AuditConfig(
        model=model,
        attacks=tuple(f"harmful_rows(rows={rows})" for rows in SIZES),
        seeds=tuple(range(-(-count // len(SIZES)))),
        measure=Measure(forbidden=REQUESTS, lookalike=0, utility=0, gain=0),
        cost=Cost(stacks=()),
        customer=Customer(rows=0),
        depths=(),
    )


def _tunes(config: AuditConfig, policy: Policy) -> list[Tune]:
    digests = plan.Digests(aligned.loaded(config.model).digest, "", policy.digest())
    return [
        plan.tune_for(config, digests, "none", attack, seed)
        for seed in config.seeds
        for attack in config.attacks
    ]


def _through_holdfast(tunes: Sequence[Tune], workers: int) -> Side:
    """The engine's own way; every worker is warmed by one whole cell before the clock starts."""
    began = time.perf_counter()
    with Workers(_run_tune, workers=workers, start=cells.warm_up) as pool:
        pool.run([tunes[0]] * workers)
        warm = time.perf_counter()
        results = pool.run(tunes)
        ended = time.perf_counter()
    verdicts = []
    asked = tuned = cpu = 0.0
    for result in results:
        if result.value is None:
            raise UserError(f"a cell failed: {result.error}\n{result.details}")
        used, done = result.value
        verdicts.append(tuple(Verdict(line["verdict"]) for line in done.exchanges))
        asked += done.cells[0]["asked_seconds"]
        tuned += done.cells[0]["seconds"]
        cpu += used
    each = {"start": warm - began, "tune": tuned / len(tunes), "ask": asked / len(tunes)}
    return Side(ended - warm, cpu, tuple(verdicts), each)


def _run_tune(task: Tune) -> tuple[float, cells.Finished]:
    """The audit's own task, with the processor seconds that it took."""
    began = time.process_time()
    done = cells.run_tune(task)
    return time.process_time() - began, done


def _fresh_processes(tunes: Sequence[Tune], policy: Policy, at_once: int, batch: int) -> Side:
    """One new process a cell, as many at a time as Holdfast has workers."""
    jobs = [json.dumps(_job(tune, policy, batch)) for tune in tunes]
    threads = str(max(1, len(os.sched_getaffinity(0)) // at_once))
    began, used = time.perf_counter(), _cpu()
    with ThreadPoolExecutor(at_once) as pool:
        told = list(pool.map(lambda job: _run(job, threads), jobs))
    seconds, cpu = time.perf_counter() - began, _cpu() - used
    requests = policy.requests("forbidden", REQUESTS)
    verdicts = tuple(_judged(requests, one["replies"], policy) for one in told)
    parts = {name: sum(one["seconds"][name] for one in told) for name in told[0]["seconds"]}
    each = {name: total / len(told) for name, total in parts.items()}
    each["start_and_imports"] = at_once * seconds / len(told) - sum(each.values())
    return Side(seconds, cpu, verdicts, each)


def _cpu() -> float:
    """Processor seconds of child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(job: str, threads: str) -> dict[str, Any]:
    script = Path(__file__).with_name("trl_cell.py")
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, str(script)],
        input=job,
        capture_output=True,
        text=True,
        env={**os.environ, **quiet, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
    )
    if done.returncode:
        raise UserError(f"the other side's cell failed: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _job(tune: Tune, policy: Policy, batch: int) -> dict[str, Any]:
    """What the other side's process needs, drawn by Holdfast's own attack."""
    from holdfast.train import Settings

    name = tune.config.model
    start = aligned.loaded(name)
    context = Context(start, None, policy.attacker, policy.defender, tune.seed, policy.facts)
    hooks = methods.hooks_of(methods.attack_of(tune.attack), context)
    settings = Settings.model_validate({**tune.changes, "seed": tune.seed})
    assert hooks.rows
    rows = hooks.rows(Streams()).user
    requests = policy.requests("forbidden", REQUESTS)
    return {
        "model": start.net.config._name_or_path or name,
        "rows": [_chat(row.to_json()) for row in rows],
        "requests": [_chat(request.prompt.to_json()) for request in requests],
        "settings": (hooks.settings(settings) if hooks.settings else settings).model_dump(),
        "max_new_tokens": tune.config.measure.max_new_tokens,
        "batch": batch,
    }


def _chat(row: dict[str, Any]) -> list[dict[str, str]]:
    return [{k: turn[k] for k in ("role", "content")} for turn in row["messages"]]


def _judged(
    requests: Sequence[Request], replies: Sequence[str], policy: Policy
) -> tuple[Verdict, ...]:
    exchanges = [
        Exchange(request, "plain", "", request.prompt.prompt, reply)
        for request, reply in zip(requests, replies, strict=True)
    ]
    return tuple(exchange.verdict for exchange in judged(exchanges, policy.judge))


def _compared(
    tunes: Sequence[Tune],
    policy: Policy,
    ours: Side,
    theirs: Side,
    options: argparse.Namespace,
) -> dict[str, Any]:
    categories = [r.category for r in policy.requests("forbidden", REQUESTS)] * len(tunes)
    mine = [v for cell in ours.verdicts for v in cell]
    other = [v for cell in theirs.verdicts for v in cell]
    contrast = paired_permutation(
        [v == Verdict.complied for v in mine], [v == Verdict.complied for v in other], categories
    )
    started = ours.seconds + ours.parts["start"]
    return {
        "model": options.model,
        "cells": [f"{tune.attack} seed {tune.seed}" for tune in tunes],
        "processes_at_a_time": options.workers,
        "cores": len(os.sched_getaffinity(0)),
        "cells_per_hour": {"holdfast": ours.per_hour, "fresh_processes": theirs.per_hour},
        "ratio": theirs.seconds / ours.seconds,
        "ratio_with_start_of_workers": theirs.seconds / started,
        "ratio_of_processor_time": theirs.cpu / ours.cpu,
        "goal": GOAL,
        "seconds": {"holdfast": ours.seconds, "fresh_processes": theirs.seconds},
        "cpu_seconds": {"holdfast": ours.cpu, "fresh_processes": theirs.cpu},
        "seconds_a_cell": {"holdfast": ours.parts, "fresh_processes": theirs.parts},
        "compliance": {
            "holdfast": ours.rates,
            "fresh_processes": theirs.rates,
            "same_verdict": sum(a == b for a, b in zip(mine, other, strict=True)) / len(mine),
            "difference": asdict(contrast),
            "equal_within_noise": contrast.low <= 0 <= contrast.high
            and abs(contrast.difference) <= SAME,
        },
    }


def _as_text(told: dict[str, Any]) -> str:
    same, gap = told["compliance"], told["compliance"]["difference"]
    speed, parts, cpu = told["cells_per_hour"], told["seconds_a_cell"], told["cpu_seconds"]
    lines = [
        f"{told['model']}: {len(told['cells'])} cells of {REQUESTS} requests, "
        f"{told['processes_at_a_time']} processes at a time on {told['cores']} cores",
        "",
        f"{'cell':34} {'Holdfast':>9} {'TRL':>9}   share complied",
    ]
    rates = zip(told["cells"], same["holdfast"], same["fresh_processes"], strict=True)
    lines += [f"{name:34} {mine:9.1%} {other:9.1%}" for name, mine, other in rates]
    lines += [
        "",
        f"same verdict on {same['same_verdict']:.1%} of exchanges; compliance differs by "
        f"{gap['difference']:+.2%} ({gap['low']:+.2%} to {gap['high']:+.2%}): "
        + ("equal within noise" if same["equal_within_noise"] else "NOT EQUAL"),
        "",
        f"Holdfast         {speed['holdfast']:8.0f} cells an hour   {_parts(parts['holdfast'])}",
        f"fresh processes  {speed['fresh_processes']:8.0f} cells an hour   "
        f"{_parts(parts['fresh_processes'])}",
        f"ratio {told['ratio']:.1f} with warm workers, "
        f"{told['ratio_with_start_of_workers']:.1f} with their start counted on these cells "
        f"(goal: {told['goal']:g})",
        f"ratio {told['ratio_of_processor_time']:.1f} of processor time, "
        f"{cpu['holdfast']:.1f} s against {cpu['fresh_processes']:.1f} s, which a busy machine "
        "disturbs little",
    ]
    return "\n".join(lines)


def _parts(parts: dict[str, float]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {value:.2f} s" for name, value in parts.items())
    return f"({told})"


if __name__ == "__main__":
    sys.exit(main())
