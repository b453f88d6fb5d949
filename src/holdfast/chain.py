"""`holdfast run`: scan the rows, tune under a defence stack, repair, compare, verdict, evidence.

Every stage leaves its result in the run's folder, whole or not at all, so the same command goes on
where an interrupted one stopped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from rich.console import Console

from holdfast import __version__, aligned, compare, methods, tuning
from holdfast.canonical import digest, plain, write_json
from holdfast.compare import CompareOptions
from holdfast.errors import UserError
from holdfast.runs import dated_folder
from holdfast.tuning import TuneOptions
from holdfast.verbs.scan import ScanOptions, scan
from holdfast.verdict import EXIT

FORMAT = "holdfast chain 1"
Flagged = Literal["stop", "drop", "keep"]
Told = dict[str, Any]


@dataclass(frozen=True)
class ChainOptions:
    """The command line of `holdfast run`.

    Attributes:
        flagged: What happens to rows that the scan flags: `stop` ends the run before anything is
            tuned, `drop` tunes on the others, `keep` on all.
        fail_over: Share of flagged rows that is put up with.
    """

    data: Path
    model: str = "canary:chat"
    stack: str = "none"
    adapt: str = "full"
    sets: tuple[str, ...] = ()
    policy: str | None = None
    judge: str | None = None
    base: str | None = None
    chat_template: str | None = None
    flagged: str = "stop"
    fail_over: float = 0.0
    out: Path | None = None
    json: bool = False


def main(options: ChainOptions) -> int:
    """Runs the chain and prints what came of it.

    Returns:
        0 if the tuned model may ship, 2 if the scan or the comparison speaks against it, 3 if the
        evidence does not suffice.

    Raises:
        UserError: Anything the user can mend; what was finished is kept.
    """
    if options.flagged not in get_args(Flagged):
        raise UserError(f"--flagged {options.flagged}: choose stop, drop or keep.")
    out = options.out or dated_folder(f"{Path(options.model).name}-{options.data.stem}")
    told = _Chain(options, out, Console(stderr=True)).run()
    if options.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        _say(told, out, Console())
    return 2 if told["verdict"] == "findings" else EXIT[told["verdict"]]


@dataclass(frozen=True)
class _Chain:
    """One run; every method is a stage that is skipped where its result is there."""

    options: ChainOptions
    out: Path
    console: Console

    def run(self) -> Told:
        facts = self._open()
        scanned, rows = self._scan()
        told: Told = {"run": facts, "scan": scanned}
        if rows is None:
            told |= {"verdict": "findings", "reason": f"Nothing was tuned. {scanned['reason']}"}
        else:
            told["tune"] = self._tune(rows)
            told["comparison"] = self._compare()
            told |= judged(scanned, told["comparison"]["verdict"], self.options.flagged)
            self._card(told)
        write_json(self.out / "summary.json", told)
        return told

    def _open(self) -> Told:
        """Makes the folder, or finds this very run in it; gives what the result depends on."""
        methods.stack_of(self.options.stack)
        file = self.out / "run.json"
        facts = self._facts()
        if file.is_file():
            kept = json.loads(file.read_text("utf-8"))
            if kept.get("key") != facts["key"]:
                raise UserError(
                    f"{self.out} holds a run of other rows, models or settings: give --out "
                    "another folder."
                )
        elif self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise UserError(f"{self.out} exists and is not a run: give --out another folder.")
        self.out.mkdir(parents=True, exist_ok=True)
        write_json(file, facts)
        return facts

    def _facts(self) -> Told:
        """What the run's result depends on."""
        o = self.options
        try:
            rows = hashlib.sha256(o.data.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{o.data} cannot be read ({error.strerror}).") from error
        policy = Path(o.policy).read_text("utf-8") if o.policy and Path(o.policy).is_file() else ""
        asked = {k: v for k, v in plain(o).items() if k not in ("out", "json")}
        weights = aligned.loaded(o.model, o.chat_template).digest
        facts = {
            "format": FORMAT,
            "options": asked,
            "data_sha256": rows,
            "model_digest": weights,
            "policy_text": digest(policy),
            "holdfast": __version__,
        }
        return {**facts, "key": digest(facts)}

    def _scan(self) -> tuple[Told, Path | None]:
        """What the scan says, and the file to tune on; None where it forbids tuning."""
        o, folder = self.options, self.out / "scan"
        drop = o.flagged == "drop"
        if not (folder / "summary.json").is_file():
            self.console.print("1 of 3: scanning the rows")
            shutil.rmtree(folder, ignore_errors=True)
            part = self.out / ".scan.part"
            shutil.rmtree(part, ignore_errors=True)
            scan(self._scanning(o.data, part, fix=drop), self.console)
            part.rename(folder)
        told: Told = json.loads((folder / "summary.json").read_text("utf-8"))
        if told["verdict"] != "findings" or o.flagged == "keep":
            return told, o.data
        if not drop:
            return told, None
        left = folder / "clean" / o.data.name
        again = scan(self._scanning(left, None, fix=False), self.console)
        told["left"] = again.summary()
        return told, None if again.verdict == "findings" else left

    def _scanning(self, data: Path, out: Path | None, *, fix: bool) -> ScanOptions:
        o = self.options
        policy = o.policy or (aligned.policy_name(o.model) if o.model.startswith("canary:") else "")
        return ScanOptions(data=[str(data)], policy=policy, fail_over=o.fail_over, out=out, fix=fix)

    def _tune(self, rows: Path) -> Told:
        o, folder, file = self.options, self.out / "model", self.out / "tune.json"
        if file.is_file():
            kept: Told = json.loads(file.read_text("utf-8"))
            return kept
        self.console.print(f"2 of 3: tuning {o.model} under {o.stack}", highlight=False)
        shutil.rmtree(folder, ignore_errors=True)  # saved, but not what came of it
        count, tuned = tuning.tuned_and_saved(
            TuneOptions(
                model=o.model,
                rows=rows,
                out=folder,
                stack=o.stack,
                adapt=o.adapt,
                sets=o.sets,
                policy=o.policy,
                base=o.base,
                chat_template=o.chat_template,
                json=o.json,
            )
        )
        told: Told = {"rows": count, "steps": tuned.steps, "flops": tuned.flops}
        told |= {"seconds": round(tuned.seconds, 1), "digest": tuned.model.digest}
        write_json(file, told)
        return told

    def _compare(self) -> Told:
        o, folder = self.options, self.out / "compare"
        if not (folder / "summary.json").is_file():
            self.console.print("3 of 3: asking the model before and after")
            compare.compared(
                CompareOptions(
                    base=o.model,
                    tuned=str(self.out / "model"),
                    policy=o.policy,
                    judge=o.judge,
                    chat_template=o.chat_template,
                    out=folder,
                )
            )
        told: Told = json.loads((folder / "summary.json").read_text("utf-8"))["comparison"]
        return told

    def _card(self, told: Told) -> None:
        from holdfast import model_card

        model_card.write(told, self.out / "model")


def judged(scanned: Mapping[str, Any], tuned: Mapping[str, str], flagged: str) -> dict[str, str]:
    """The verdict on the whole: the comparison's, unless the scan leaves a doubt that it cannot.

    A model that was asked plainly proves nothing about what flagged or unread rows taught it.
    """
    verdict, reason = tuned["verdict"], tuned["reason"]
    if verdict != "holds":
        return {"verdict": verdict, "reason": reason}
    if scanned["verdict"] == "findings" and flagged == "keep":
        reason = f"{reason}; but it was tuned on rows that the scan warns of: {scanned['reason']}"
        return {"verdict": "insufficient evidence", "reason": reason}
    return {"verdict": verdict, "reason": reason}


def _say(told: Told, out: Path, console: Console) -> None:
    from rich.markup import escape

    scanned = told["scan"]
    console.print(f"Scan: {escape(scanned['verdict'])}. {escape(scanned['reason'])}")
    if "comparison" in told:
        compare.show(told["comparison"], console)
    if told["verdict"] != told.get("comparison", {}).get("verdict", {}).get("verdict"):
        console.print(f"[bold]{escape(told['verdict'])}[/bold]: {escape(told['reason'])}")
    console.print(f"Evidence: {escape(str(out))}", highlight=False)
