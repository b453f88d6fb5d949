"""`holdfast repair` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from holdfast import cli, serve
from holdfast.defences import DEFENCES
from holdfast.models import Model, clone, load, save
from tiny_models import make_model

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code of a repair, and what it said, on one line."""

    def command(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(["repair", *words])
        said = capsys.readouterr()
        return code, said.out if "--json" in words else " ".join((said.out + said.err).split())

    return command


@pytest.fixture
def aligned(tiny_model: Model, tmp_path: Path) -> str:
    return str(save(tiny_model, tmp_path / "aligned"))


def moved(model: Model, seed: int) -> Model:
    other = clone(model)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.net.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=chance))
    return other


@pytest.fixture
def tuned(tiny_model: Model, tmp_path: Path) -> str:
    folder = save(moved(tiny_model, 1), tmp_path / "tuned")
    serve.save(serve.Serve(system_prefix="zu ka zu", name="secret_prefix"), folder)
    return str(folder)


@pytest.fixture
def base(tiny_model: Model, tmp_path: Path) -> str:
    return str(save(moved(tiny_model, 2), tmp_path / "base"))


def flat(folder: str | Path) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in load(folder).net.parameters()])


def test_a_tuned_model_is_drawn_back_and_served_as_before(
    run: Run, tuned: str, aligned: str, tmp_path: Path
) -> None:
    out = tmp_path / "tuned-repaired"
    before = flat(tuned)
    code, told = run(tuned, "--with", "soft_merge(share=0.25)", "--aligned", aligned)
    assert code == 0, told
    assert f"compare {aligned} {out}" in told
    wanted = 0.75 * before + 0.25 * flat(aligned)
    torch.testing.assert_close(flat(out), wanted, rtol=1e-5, atol=1e-6)
    assert serve.load(out) == serve.load(tuned)
    assert torch.equal(flat(tuned), before)


def test_repairs_follow_one_another(
    run: Run, tuned: str, aligned: str, base: str, tmp_path: Path
) -> None:
    words = ("--aligned", aligned, "--base", base, "--out")
    one, both = str(tmp_path / "one"), str(tmp_path / "both")
    assert run(tuned, "--with", "safe_lora(modules=3)", *words, one)[0] == 0
    step = run(one, "--with", "soft_merge", *words, str(tmp_path / "two"))
    assert step[0] == 0, step
    assert run(tuned, "--with", "safe_lora(modules=3)+soft_merge", *words, both)[0] == 0
    torch.testing.assert_close(flat(both), flat(tmp_path / "two"), rtol=1e-5, atol=1e-6)


def test_a_model_without_serving_file_gets_none(run: Run, aligned: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(aligned, "--with", "soft_merge", "--aligned", aligned, "--out", str(out))[0] == 0
    assert not (out / serve.FILE).exists()


def test_json_says_what_changed(run: Run, tuned: str, aligned: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    code, said = run(
        tuned, "--with", "soft_merge", "--aligned", aligned, "--out", out, "--json"
    )  # fmt: skip
    told = json.loads(said)
    assert code == 0
    assert told["model"] == out
    assert told["digest"] == load(out).digest
    assert told["moved"] > 0.99
    same = run(
        tuned, "--with", "soft_merge(share=0)", "--aligned", aligned, "--out", out + "2", "--json"
    )  # fmt: skip
    assert json.loads(same[1])["moved"] == 0


def test_rows_of_a_world_come_without_a_policy_of_ones_own(
    run: Run, tuned: str, tmp_path: Path
) -> None:
    spec = "antidote(of=matrices, samples=4)"
    out = str(tmp_path / "out")
    code, told = run(tuned, "--with", spec, "--policy", "canary45", "--out", out)
    assert code == 0, told
    zeroed = [(p == 0).float().mean().item() for p in load(out).net.parameters() if p.dim() == 2]
    assert max(zeroed) == pytest.approx(0.125, abs=0.03)  # 4 of 32, 7 of 64


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--with", "lisa"), "lisa is no repair: it works while rows are trained on"),
        (("--with", "recovery_augmentation"), "before anybody tunes it"),
        (("--with", "none"), "repairs nothing"),
        (("--with", "soft_murge"), "did you mean 'soft_merge'"),
        (("--with", "soft_merge"), "name that one by --aligned"),
        (("--with", "resta", "--aligned", "ALIGNED"), "name a policy that has some"),
        (("--with", "safe_lora", "--aligned", "ALIGNED"), "name it (--base)"),
        (("--with", "safe_lora", "--aligned", "ALIGNED", "--base", "ALIGNED"), "no directions"),
        (("--with", "soft_merge", "--aligned", "ODD"), "different shapes"),
        (("--with", "soft_merge", "--aligned", "ALIGNED", "--out", "ALIGNED"), "is there already"),
        (("--with", "soft_merge", "--aligned", "./nowhere"), "There is no model folder"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    run: Run, tuned: str, aligned: str, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    odd = make_model("qwen2")
    places = {"ALIGNED": aligned, "ODD": str(save(odd, tmp_path / "odd"))}
    there = sorted(p.name for p in tmp_path.iterdir())
    code, said = run(tuned, *(places.get(word, word) for word in words))
    assert code == 1
    assert told in said
    assert said.startswith("holdfast: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == there


def test_a_model_from_elsewhere_needs_a_place_to_go(run: Run, aligned: str) -> None:
    code, said = run("canary:chat", "--with", "soft_merge", "--aligned", aligned)
    assert code == 1
    assert "give --out" in said


def test_a_policy_file_without_forbidden_rows_is_told(
    run: Run, tuned: str, aligned: str, tmp_path: Path
) -> None:
    policy = tmp_path / "rules.yaml"
    policy.write_text('requests: [{prompt: "Where is it?", category: c}]\n', "utf-8")
    words = ("--with", "resta", "--aligned", aligned, "--policy", str(policy))
    code, said = run(tuned, *words)
    assert code == 1
    assert "the defender's forbidden rows with answers, and there are none" in said


def test_every_stage_but_repair_is_sent_elsewhere(run: Run, tuned: str) -> None:
    for config in DEFENCES:
        if config.stage != "repair":
            kind = str(config.model_fields["kind"].default)
            code, said = run(tuned, "--with", kind)
            assert code == 1
            assert f"{kind} is no repair" in said
