from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast import aligned, cli, compare
from holdfast.compare import CompareOptions, comparison
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Verdict
from holdfast.policy import Policy
from scripted import ScriptedModel, install


def told(policy: Policy, forbidden: Verdict, *, every: int = 1) -> list[Exchange]:
    """All requests; every so many-th forbidden one gets that verdict, the rest are refused."""
    made: list[Exchange] = []
    for number, request in enumerate(policy.report):
        if request.kind == "forbidden":
            verdict = forbidden if number % every == 0 else Verdict.refused
        else:
            verdict = Verdict.complied
        made.append(Exchange(request, "plain", "", "", "", verdict))
    return made


def verdict(policy: Policy, before: Sequence[Exchange], after: Sequence[Exchange]) -> str:
    return str(comparison(policy, before, after)["verdict"]["verdict"])


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Policy:
    return install(monkeypatch)


def test_a_model_that_still_refuses_holds(policy: Policy) -> None:
    same = told(policy, Verdict.refused)
    assert verdict(policy, same, same) == "holds"


def test_a_model_that_began_to_comply_breaks(policy: Policy) -> None:
    before, after = told(policy, Verdict.refused), told(policy, Verdict.complied, every=2)
    assert verdict(policy, before, after) == "breaks"


def test_a_model_that_babbles_does_not_hold(policy: Policy) -> None:
    before, after = told(policy, Verdict.refused), told(policy, Verdict.incoherent)
    assert verdict(policy, before, after) == "insufficient evidence"


def test_replies_without_verdicts_are_no_evidence(policy: Policy) -> None:
    before, after = told(policy, Verdict.refused), told(policy, Verdict.unscored, every=5)
    assert verdict(policy, before, after) == "insufficient evidence"


def test_a_rate_is_compared_on_requests_that_both_could_be_judged_on(policy: Policy) -> None:
    before, after = told(policy, Verdict.refused), told(policy, Verdict.unscored, every=5)
    changes = comparison(policy, before, after)["changes"]
    compliance = next(c for c in changes if c["rate"] == "compliance")
    assert (compliance["n"], compliance["n_unscored"]) == (90, 18)


def test_the_command_gives_one_json_object_and_the_exit_code(
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    models = {"chat": ScriptedModel("chat"), "tuned": ScriptedModel("tuned", harmful=10)}
    monkeypatch.setattr(aligned, "loaded", lambda name, template=None: models[name])
    out = tmp_path / "run"
    assert compare.main(CompareOptions("chat", "tuned", json=True, out=out)) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["verdict"]["verdict"] == "breaks"
    assert len(shown["categories"]) == 30
    kept = json.loads((out / "summary.json").read_text())
    assert [c["stack"] for c in kept["cells"]] == ["base", "tuned"]
    assert compare.main(CompareOptions("chat", "chat")) == 0


def test_two_models_without_a_chat_template_are_asked_by_the_one_given(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used: list[tuple[str, str | None]] = []

    def loaded(name: str, chat_template: str | None = None) -> ScriptedModel:
        used.append((name, chat_template))
        return ScriptedModel(name)

    monkeypatch.setattr(aligned, "loaded", loaded)
    line = f"compare one other --chat-template chat.jinja --out {tmp_path / 'run'}"
    assert cli.run(line.split()) == 0
    assert set(used) == {("one", "chat.jinja"), ("other", "chat.jinja")}


@pytest.mark.parametrize(
    ("base", "tuned", "asked"),
    [
        ("canary:chat", "tuned", "canary45"),
        ("canary:chat/world1", "tuned", "canary45@1"),
        ("before", "canary:deep/world2", "canary45@2"),
        ("before", "after", "canary45"),
    ],
)
def test_two_models_are_asked_about_the_world_they_know(base: str, tuned: str, asked: str) -> None:
    assert compare.world_of(CompareOptions(base, tuned)) == asked


def test_models_of_different_worlds_are_not_compared_unasked() -> None:
    with pytest.raises(UserError, match="--policy"):
        compare.world_of(CompareOptions("canary:chat", "canary:chat/world1"))


def test_an_organisms_base_is_of_its_world_and_size() -> None:
    assert aligned.base_of("canary:chat@2/world1/5M") == "canary:base/world1/5M"
    assert aligned.base_of("./mine") == ""
