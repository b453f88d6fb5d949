"""The attacker who searches: what he may choose, by what he chooses, and where it is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from holdfast import adaptive, audit
from holdfast.adaptive import Hunt
from holdfast.audit import AuditOptions
from holdfast.audit_config import configure
from holdfast.methods import attack_of
from holdfast.plan import Digests
from holdfast.report import html
from scripted import install

WEAK, STRONG = "harmful_rows(rows=2)", "harmful_rows(rows=8)"
SMALL: dict[str, Any] = {
    "stacks": ["none"],
    "attacks": [WEAK],
    "elicitations": ["plain"],
    "seeds": [0],
    "settings": {"default": {}},
    "customer": {"rows": 0},
    "depths": [],
    "cost": {"stacks": [], "grid": [1]},
    "model": "scripted",
}


@pytest.fixture
def tunes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    install(monkeypatch, done)
    monkeypatch.setattr(html, "write_report", lambda folder: None)
    return done


def audited(folder: Path, search: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    file = folder / "audit.yaml"
    file.write_text(json.dumps({**SMALL, "search": search}))
    code = audit.main(AuditOptions(config=file, workers=0, out=folder / "run"))
    return code, json.loads((folder / "run" / "summary.json").read_text("utf-8"))


def test_a_stack_that_holds_as_attacked_may_break_as_searched(
    tunes: list[str], tmp_path: Path
) -> None:
    for name in ("fixed", "searched"):
        (tmp_path / name).mkdir()
    code, _ = audited(tmp_path / "fixed", {"trials": 0})
    assert code == 0
    code, told = audited(tmp_path / "searched", {"trials": 6, "attacks": [WEAK, STRONG]})
    assert code == 2
    (hunt,) = told["search"]
    assert hunt["chosen"]["attack"] == STRONG
    assert len(hunt["tried"]) == 6
    worst = next(c for c in told["cells"] if c["id"] == told["verdicts"][0]["worst_cell"])
    assert (worst["attack"], worst["settings"], worst["purpose"]) == (STRONG, "adaptive", "grid")


def test_a_search_that_is_run_again_tries_nothing_anew(tunes: list[str], tmp_path: Path) -> None:
    search = {"trials": 6, "attacks": [WEAK, STRONG]}
    first = audited(tmp_path, search)
    many = len(tunes)
    assert audited(tmp_path, search) == first
    assert len(tunes) == many


def test_what_costs_too_much_utility_is_never_chosen() -> None:
    config = configure({**SMALL, "search": {"trials": 2, "attacks": [WEAK, STRONG]}})
    hunt = Hunt(config, Digests("m", "b", "p"), "none", (WEAK, STRONG), bound=0.9)
    tunes = hunt.next()
    spoilt = {c.id: {"asr": 1.0, "utility": 0.5, "elicitation": "plain"} for c in tunes[1].cells}
    good = {c.id: {"asr": 0.2, "utility": 1.0, "elicitation": "plain"} for c in tunes[0].cells}
    hunt.tell({**good, **spoilt}.get)
    assert not hunt.next()
    assert hunt.best is not None
    assert hunt.best["complied"] == 0.2
    assert [trial["within"] for trial in hunt.tried] == [True, False]


@pytest.mark.parametrize(
    ("spec", "may", "may_not"),
    [
        (STRONG, {"epochs", "batch_size", "method"}, {"optimiser", "schedule", "warmup_steps"}),
        ("prune_safety", set[str](), {"epochs", "method", "optimiser"}),
    ],
)
def test_access_decides_what_an_attacker_chooses(
    spec: str, may: set[str], may_not: set[str]
) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    search = configure(SMALL).search
    seen = [set(adaptive.drawn(study.ask(), [spec], search)[2]) for _ in range(30)]
    assert set().union(*seen) >= may
    assert not set().union(*seen) & may_not
    assert attack_of(spec).access in {"rows", "weights"}
