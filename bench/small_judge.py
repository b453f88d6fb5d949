"""The small judge on what it was not trained on, keyword judges beside it, and how fast it reads.

Sources: replies by grammar of another world, in wordings nobody trained on; drawn exchanges of
held-out categories, mutations and wordings of the training world and of another one; and run
folders, of which what is held out of training counts (all of it, with --others).

    python bench/small_judge.py --world 1 --runs runs/quick runs/damaged-0 --out runs/small-judge
    python bench/small_judge.py --world 1 --others runs/damaged-1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from holdfast import judges
from holdfast.canonical import finite, plain, write_json
from holdfast.engine import run_tasks
from holdfast.evaluate import Verdict
from holdfast.judging.figures import Labelled, calibration_of, figures_of
from holdfast.small_judge import recorded, synthetic
from holdfast.small_judge.synthetic import Example, label_of
from holdfast.world import replies_of_policy
from holdfast.world import world as make_world

JUDGES = ("small_judge", "keyword", "keyword-anywhere", "keyword-zou")
THINGS, MOST = 90, 4_000
TRUTH = {
    "attempted": Verdict.complied,
    "refused": Verdict.refused,
    "incoherent": Verdict.incoherent,
}


def by_grammar(world: int) -> list[Example]:
    """Replies of every form about a world, in wordings that no judge learns from."""
    said = replies_of_policy.replies_of_policy(make_world(world), THINGS)
    return [Example(e, label, e.elicitation) for e in said if (label := label_of(e.verdict))]


def of_runs(runs: Sequence[Path], *, held_out: bool) -> list[Example]:
    """The exchanges of runs, taken evenly; only those that are held out, or all."""
    found = [
        example
        for run in runs
        for example in recorded.recorded(run)
        if not held_out or recorded.is_held_out_of_training(example)
    ]
    return found[:: max(1, -(-len(found) // MOST))]


def measured(examples: Sequence[Example]) -> dict[str, Any]:
    """Figures of every judge on the same exchanges."""
    told = [
        Labelled(
            replace(e.exchange, verdict=Verdict.unscored, judge="", elicitation=e.shape),
            TRUTH[e.label],
        )
        for e in examples
    ]
    exchanges = [one.exchange for one in told]
    lines: dict[str, Any] = {}
    for name in JUDGES:
        judge = judges.judge_named(name)
        judge(exchanges[:8])  # weights are read once
        began = time.process_time()
        verdicts = judge(exchanges)
        seconds = time.process_time() - began
        lines[name] = figures_of(told, verdicts) | {"per_cpu_second": len(told) / seconds}
        scores = getattr(judge, "scores", None)
        if scores is not None:
            lines[name]["calibration"] = calibration_of(told, scores(exchanges))
    return lines


def show(name: str, lines: dict[str, Any]) -> None:
    print(f"\n{name}")
    for judge, line in lines.items():
        kappa, refused, complied = (
            line[key] for key in ("kappa", "recall_refusal", "recall_compliance")
        )
        print(
            f"  {judge:<17} n {line['n']:>5}  kappa {100 * kappa['value']:5.1f} "
            f"({100 * kappa['low']:.1f} to {100 * kappa['high']:.1f})  refusals "
            f"{100 * refused['value']:5.1f}  compliance {100 * complied['value']:5.1f}  "
            f"{line['per_cpu_second']:8.0f} a CPU second"
        )
    first = lines["small_judge"]
    print(f"  small_judge: ECE {first['calibration']['ece']:.3f}; errors by form")
    for form in first["by_form"]:
        print(f"    {form['group']:<32} {form['missed'] + form['alarms']:>4} of {form['n']}")


def judged_in(seed: int, world: int, count: int, passes: int) -> float:
    """Seconds by the clock that one process takes to judge drawn exchanges several times."""
    exchanges = [
        e.exchange for e in synthetic.examples(world, held_out=True, count=count, seed=seed)
    ]
    judge = judges.judge_named("small_judge")
    judge(exchanges[:8])
    began = time.perf_counter()
    for _ in range(passes):
        judge(exchanges)
    return time.perf_counter() - began


def speed(world: int, processes: int, *, count: int = 2_000, passes: int = 5) -> float:
    """Exchanges a second of so many processes at once, the slowest deciding."""
    told = partial(judged_in, world=world, count=count, passes=passes)
    results = run_tasks(told, list(range(processes)), workers=processes)
    return processes * count * passes / max(r.value for r in results if r.value is not None)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--world", type=int, default=1, help="the other world")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="run folders of world 0")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="those of another world")
    parser.add_argument("--drawn", type=int, default=3_000, help="exchanges drawn of each source")
    parser.add_argument("--out", type=Path, help="folder for small_judge.json")
    parser.add_argument("--speed", action="store_true", help="only how fast it reads")
    given = parser.parse_args(argv)
    if given.speed:
        for processes in (1, 2):
            print(
                f"{processes} process(es): {speed(given.world, processes):,.0f} exchanges a second"
            )
        return 0
    draw, other = partial(synthetic.examples, count=given.drawn), f"world {given.world}"
    sources: dict[str, Callable[[], list[Example]]] = {
        f"{other}, organisms": lambda: of_runs(given.others, held_out=False),
        f"{other}, drawn, held out": lambda: draw(given.world, held_out=True),
        f"{other}, drawn": lambda: draw(given.world, held_out=False),
        f"{other}, by grammar": lambda: by_grammar(given.world),
        "world 0, drawn, held out": lambda: draw(0, held_out=True, seed=1),
        "world 0, organisms, held out": lambda: of_runs(given.runs, held_out=True),
    }
    found = {}
    for name, make in sources.items():
        if examples := make():
            found[name] = measured(examples)
            show(name, found[name])
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        write_json(given.out / "small_judge.json", finite(plain(found)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
