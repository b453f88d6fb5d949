"""`holdfast merge` and `holdfast tune --adapt` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from holdfast import cli
from holdfast.adapt.lota import matrices
from holdfast.adapt.vectors import between
from holdfast.chat import row, write_rows
from holdfast.models import Model, load, save

ROWS = [row(f"Say {n}", f"It is {n}") for n in range(8)]


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code of a command, and what it said, on one line."""

    def command(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(list(words))
        said = capsys.readouterr()
        return code, said.out if "--json" in words else " ".join((said.out + said.err).split())

    return command


@pytest.fixture
def base(tiny_model: Model, tmp_path: Path) -> str:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    return str(save(tiny_model, tmp_path / "base"))


def tuned(run: Run, base: str, tmp_path: Path, name: str, *words: str) -> str:
    code, told = run(
        "tune", base, str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / name),
        "--set", "epochs=1", "--set", "learning_rate=0.01", *words,
    )  # fmt: skip
    assert code == 0, told
    return str(tmp_path / name)


def test_lota_by_name_tunes_a_tenth_without_a_policy(run: Run, base: str, tmp_path: Path) -> None:
    after = load(tuned(run, base, tmp_path, "sparse", "--adapt", "lota"))
    before = load(base)
    moved = sum(len(m.places) for m in between(before, after).values())
    assert 0 < moved <= 0.1001 * sum(w.numel() for w in matrices(before).values())


def test_two_tunes_merge_into_one_model_and_a_vector_of_both(
    run: Run, base: str, tmp_path: Path
) -> None:
    one = tuned(run, base, tmp_path, "one", "--adapt", "lora")
    other = tuned(run, base, tmp_path, "other", "--set", "seed=1")
    code, told = run("merge", base, one, other, "--out", str(tmp_path / "both"), "--json")
    assert code == 0, told
    assert json.loads(told)["how"] == "arithmetic"
    path = str(tmp_path / "both.safetensors")
    assert run("merge", base, one, other, "--out", path)[0] == 0
    assert run("merge", base, path, "--out", str(tmp_path / "again"))[0] == 0
    both, again = load(tmp_path / "both"), load(tmp_path / "again")
    for a, b in zip(both.net.parameters(), again.net.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--how", "mean"), "choose arithmetic, ties or dare"),
        (("--weight", "1", "--weight", "2"), "one for each"),
        (("--how", "ties", "--density", "0"), "share above 0"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    run: Run, base: str, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    out = tmp_path / "merged"
    code, said = run("merge", base, base, "--out", str(out), *words)
    assert (code, out.exists()) == (1, False)
    assert told in said


def test_an_unknown_adaptation_is_told(run: Run, base: str, tmp_path: Path) -> None:
    rows = str(tmp_path / "rows.jsonl")
    code, said = run("tune", base, rows, "--out", str(tmp_path / "x"), "--adapt", "dora")
    assert code == 1
    assert "choose full, lora or lota" in said
