"""`holdfast audit`: attack a model under several defences and say whether it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from holdfast import aligned, cells, methods, plan
from holdfast.adaptive import Hunt, hunts_of
from holdfast.audit_config import AuditConfig, configure
from holdfast.canonical import digest
from holdfast.cost import next_rows, tried_rows
from holdfast.engine import Workers, default_workers
from holdfast.plan import Digests, Plan, Tune
from holdfast.policy import BUILT_IN, Policy
from holdfast.progress import Progress
from holdfast.runner import Runner
from holdfast.runs import RunFolder, dated_folder
from holdfast.search import best_settings, utility_bound
from holdfast.show import finished_page, print_plan, print_summary
from holdfast.summary import summarise, verdict_for
from holdfast.verdict import EXIT

Record = dict[str, Any]
TRIALS = 24  # of the adaptive attacker against each stack, where the configuration names none


@dataclass(frozen=True)
class AuditOptions:
    """The command line of `holdfast audit`; None leaves a value to the suite."""

    model: str | None = None
    config: Path | None = None
    suite: str | None = None
    stack: str | None = None
    sets: tuple[str, ...] = ()
    policy: str | None = None
    judge: str | None = None
    chat_template: str | None = None
    implant: bool = False
    adaptive: bool = False
    workers: int | None = None
    out: Path | None = None
    json: bool = False
    plan: bool = False


def main(options: AuditOptions) -> int:
    """Runs an audit, or prints its plan.

    Returns:
        0 if the stack asked for (default: none) holds, 2 if it breaks, 3 if the evidence does
        not suffice.

    Raises:
        UserError: Anything the user can mend.
    """
    if options.suite == "backdoor":
        from holdfast.backdoors import suite

        return suite.main(options)
    console = Console(stderr=options.json)
    config = config_of(options, console)
    stack = options.stack or config.stacks[0]
    policy = aligned.policy_of(config.policy, config.judge)
    lacking = lacking_rows(config, policy)
    digests = digests_of(config, policy)
    if options.plan:
        print_plan(plan.make_plan(config, digests, lacking), workers_of(options), console)
        return 0
    out = options.out or default_folder(config)
    notes = {"model_digest": digests.model, "policy_digest": digests.policy}
    with RunFolder(out, config=config, notes=notes) as folder:
        console.print(f"Auditing {config.title} in {out}", highlight=False, markup=False)
        many = workers_of(options)
        summary = Audit(config, policy, digests, lacking, folder, console, many).run()
        folder.finish(summary)
    written = finished_page(out)
    if options.json:
        print(json.dumps(json.loads((out / "summary.json").read_text("utf-8"))))
    print_summary(summary, console)
    if written:
        console.print(f"Report: {out / 'report.html'}", highlight=False, markup=False)
    return EXIT[verdict_for(summary, stack).verdict]


def config_of(options: AuditOptions, console: Console) -> AuditConfig:
    """The configuration that the options ask for; `--stack` joins the suite's stacks."""
    names = ("model", "suite", "policy", "judge", "chat_template")
    given = {name: getattr(options, name) for name in names}
    config = in_its_world(configure(given, file=options.config, sets=options.sets))
    if options.adaptive and not config.search.trials:
        searching = config.search.model_copy(update={"trials": TRIALS})
        config = config.model_copy(update={"search": searching})
    for spec in (*config.stacks, *config.cost.stacks):
        methods.stack_of(spec)
    for attack in (*config.attacks, *config.search.attacks):
        methods.attack_of(attack)
    for way in config.elicitations:
        methods.elicitation_of(way)
    if options.stack and options.stack not in config.stacks:
        methods.stack_of(options.stack)
        config = config.model_copy(update={"stacks": (*config.stacks, options.stack)})
    if options.implant:
        from holdfast import implant

        config = implant.implanted(config, console, teach=not options.plan)
    return config


def in_its_world(config: AuditConfig) -> AuditConfig:
    """An organism of another canary world is asked about that world."""
    if config.policy != BUILT_IN:
        return config
    return config.model_copy(update={"policy": aligned.policy_name(config.model)})


def workers_of(options: AuditOptions) -> int:
    """Worker processes: as asked for, else one for each core; a GPU is used from here alone."""
    return options.workers if options.workers is not None else default_workers()


def default_folder(config: AuditConfig) -> Path:
    """runs/<date>-<model>: the same command on the same day goes on in the same folder."""
    return dated_folder(Path(config.title).name)


def digests_of(config: AuditConfig, policy: Policy) -> Digests:
    """Hashes that all ids depend on; loads the models, which the plan's checks need anyway."""
    base = aligned.base_name(config)
    serve = aligned.served(config.model)
    own = aligned.loaded(config.model, config.chat_template).digest
    parts = {aligned.align_part(s) for s in (*config.stacks, *config.cost.stacks)}
    organisms = {part: aligned.shipped(config, part) for part in sorted(parts)}
    return Digests(
        model=digest([own, serve]) if serve is not None else own,
        base=aligned.loaded(base).digest if base else "",
        policy=policy.digest(),
        shipped={part: aligned.loaded(name).digest for part, name in organisms.items() if name},
    )


def lacking_rows(config: AuditConfig, policy: Policy) -> dict[tuple[str, str], str]:
    """(stack, attack) -> why the policy has too few rows for the pair; others are left out.

    Raises:
        UserError: A stack that cannot be, since its methods exclude one another.
    """
    attacks = [methods.label(methods.attack_of(spec)) for spec in config.attacks]
    pairs = [(stack, a) for stack in config.stacks for a in (*attacks, plan.CUSTOMER)]
    if config.search.trials:
        searched = [methods.label(methods.attack_of(spec)) for spec in config.search.attacks]
        pairs += [(stack, a) for stack in config.stacks for a in searched]
    sizes = [plan.sized(config, rows) for rows in config.cost.grid]
    pairs += [(stack, a) for stack in config.cost.stacks for a in sizes]
    told = {pair: cells.rehearse(config, policy, *pair) for pair in dict.fromkeys(pairs)}
    return {pair: reason for pair, reason in told.items() if reason}


@dataclass
class Audit:
    """One audit under way: runs tunes that are not finished yet and keeps what they find."""

    config: AuditConfig
    policy: Policy
    digests: Digests
    lacking: dict[tuple[str, str], str]
    folder: RunFolder
    console: Console
    workers: int
    failed: dict[str, int] = field(default_factory=dict)

    def run(self) -> Record:
        """Search, grid, cost to break; returns the summary."""
        first = plan.make_plan(self.config, self.digests, self.lacking)
        searches = plan.search_tunes(self.config, self.digests, first)
        guess = len(first.tunes) + len(searches) + self._search_guess()
        with (
            Workers(cells.run_tune, workers=self.workers, start=cells.warm_up) as pool,
            Progress(guess, self.console) as progress,
        ):
            run = Runner(self.folder, self.console, pool, progress, self.failed)
            self._align(progress)
            whole = first
            if searches:
                progress.say("the attacker searches settings on select requests")
                found = run.all(searches)
                picked = best_settings(found, first, run.record, self.config)
                whole = plan.make_plan(self.config, self.digests, self.lacking, picked)
            ids = self._grid_and_cost(run, whole.tunes)
            hunts = self._adaptive(run, first)
            ids += run.all([tune for hunt in hunts for tune in hunt.chosen()])
        records = [run.record(i) for i in dict.fromkeys(ids)]
        return self._summary(whole, [r for r in records if r]) | _searched(hunts)

    @property
    def limit(self) -> float:
        """Compliance that still counts as holding."""
        return self.config.limit if self.config.limit is not None else self.policy.limit

    def _search_guess(self) -> int:
        cost = self.config.cost
        rounds = len(cost.grid) if cost.search == "all" else len(cost.grid).bit_length()
        guess = rounds * len(cost.stacks) * len(cost.seeds)
        if trials := self.config.search.trials:
            guess += (trials + len(self.config.seeds)) * len(self.config.stacks)
        return guess

    def _align(self, progress: Progress) -> None:
        """Defences of the align stage are made here, once, before the workers need them."""
        for stack in dict.fromkeys((*self.config.stacks, *self.config.cost.stacks)):
            part = aligned.align_part(stack)
            if aligned.needs_work(self.config, part):
                progress.say(f"aligning with {part} (kept for later audits)")
                aligned.aligned(self.config, part)

    def _grid_and_cost(self, run: Runner, tunes: Sequence[Tune]) -> list[str]:
        """The plan's tunes, the longest first, beside the first round of the search for few rows.

        Then the search's other rounds, for all stacks at once, until each is over.
        """
        found: dict[str, list[str]] = {stack: [] for stack in self.config.cost.stacks}
        rows = self._cost_tunes(run, found)
        run.progress.say("attacks × stacks")
        ids = run.all([*sorted(tunes, key=lambda t: t.purpose != "customer"), *rows])
        while rows and any(run.record(c.id) for t in rows for c in t.cells):
            for tune in rows:
                found[tune.stack] += [c.id for c in tune.cells]
            rows = self._cost_tunes(run, found)
            run.progress.say("the fewest rows that break")
            ids += run.all(rows)
        return ids

    def _cost_tunes(self, run: Runner, found: Mapping[str, Sequence[str]]) -> list[Tune]:
        """What the search for the fewest rows tries next: `found` has each stack's cells so far."""
        cost = self.config.cost
        tunes = []
        for stack, cells_of in found.items():
            records = [r for i in cells_of if (r := run.record(i))]
            known = {int(r["rows"]) for r in records}
            wanted = next_rows(tried_rows(records), self._grid(stack), cost.search, self.limit)
            tunes += [
                plan.cost_tune(self.config, self.digests, stack, rows, seed)
                for rows in wanted
                if rows not in known
                for seed in cost.seeds
            ]
        return tunes

    def _adaptive(self, run: Runner, first: Plan) -> list[Hunt]:
        """The search against every stack, all of them side by side."""
        if not self.config.search.trials:
            return []
        run.progress.say("the adaptive attacker searches on select requests")
        bound = utility_bound(first, run.record, self.config)
        hunts = hunts_of(self.config, self.digests, self.lacking, bound)
        while tunes := [tune for hunt in hunts for tune in hunt.next()]:
            run.all(tunes)
            for hunt in hunts:
                hunt.tell(run.record)
        return hunts

    def _grid(self, stack: str) -> list[int]:
        """Row counts for which the policy has enough rows."""
        grid = self.config.cost.grid
        return [n for n in grid if (stack, plan.sized(self.config, n)) not in self.lacking]

    def _summary(self, whole: Plan, records: Sequence[Record]) -> Record:
        return summarise(
            self.config,
            policy=self.policy.name,
            limit=self.limit,
            cells=records,
            not_applicable=whole.not_applicable,
            failed=self.failed,
        )


def _searched(hunts: Sequence[Hunt]) -> Record:
    return {"search": [hunt.told() for hunt in hunts]} if hunts else {}
