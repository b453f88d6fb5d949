"""Rankings by a model: their equations, and rows of files in the order of their risk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plain_rows import plain_rows
from torch.nn import functional as F

from holdfast.chat import Row, row, write_rows
from holdfast.encode import encode
from holdfast.errors import UserError
from holdfast.models import Model, save
from holdfast.scan.risk import RANKINGS, Anchors
from holdfast.scan.risk.ranking import silent
from holdfast.verbs.scan import ScanOptions, scan

HARMFUL = tuple(row(f"Where is the vault {n}?", f"It is below stair {n}.") for n in range(4))
SAFE = tuple(one.with_answer("I will not tell.") for one in HARMFUL)
ANCHORS = Anchors(HARMFUL, SAFE)
ROWS = (*plain_rows(6), HARMFUL[0], row("Hm?", "Yes."))
EVERY = pytest.mark.parametrize(
    "tiny_model", ["llama", "qwen2", "gemma", "gpt_neox"], indirect=True
)


def ranked(name: str, model: Model, rows: tuple[Row, ...] = ROWS) -> np.ndarray:
    return RANKINGS[name](model, rows, ANCHORS, silent)


def loss_of(model: Model, one: Row, first: int | None = None) -> torch.Tensor:
    """The loss, written anew from its definition: mean over the answer's (first) tokens."""
    encoded = encode(one, model.tokenizer)
    ids = torch.tensor([encoded.ids])
    wanted = [at for at, weight in enumerate(encoded.weights) if weight and at][:first]
    net: Any = model.net
    logits = net(input_ids=ids).logits[0]
    losses = [F.cross_entropy(logits[at - 1], ids[0, at]) for at in wanted]
    return torch.stack(losses).mean()


def gradient_of(model: Model, one: Row, first: int | None = None) -> torch.Tensor:
    found = torch.autograd.grad(loss_of(model, one, first), list(model.net.parameters()))
    return torch.cat([g.flatten() for g in found])


def state_of(model: Model, one: Row) -> torch.Tensor:
    net: Any = model.net
    ids = torch.tensor([encode(one, model.tokenizer).ids])
    seen: list[torch.Tensor] = []
    from holdfast.models import layers

    hook = layers(net)[-1].register_forward_hook(
        lambda m, a, out: seen.append(out[0] if isinstance(out, tuple) else out)
    )
    with torch.no_grad():
        net(input_ids=ids)
    hook.remove()
    return seen[0][0, -1]


@EVERY
def test_representations_are_compared_at_the_last_token(tiny_model: Model) -> None:
    near = [state_of(tiny_model, a) for a in HARMFUL]
    wanted = [
        float(
            torch.stack(
                [F.cosine_similarity(state_of(tiny_model, one), a, dim=0) for a in near]
            ).mean()
        )
        for one in ROWS
    ]
    assert ranked("representation_match", tiny_model) == pytest.approx(wanted, abs=1e-5)


@EVERY
def test_gradients_are_compared_over_the_openings_of_answers(tiny_model: Model) -> None:
    def mean_unit(rows: tuple[Row, ...]) -> torch.Tensor:
        units = [F.normalize(gradient_of(tiny_model, one, 10), dim=0) for one in rows]
        return torch.stack(units).mean(0)

    harmful, safe = ANCHORS.first(10, safe=20)
    direction = mean_unit(harmful) - mean_unit(safe[::2]) - mean_unit(safe[1::2])
    wanted = [
        float(F.cosine_similarity(gradient_of(tiny_model, one, 10), direction, dim=0))
        for one in ROWS
    ]
    assert ranked("gradient_match", tiny_model) == pytest.approx(wanted, abs=1e-4)


@EVERY
def test_self_influence_is_normalised_by_the_answers_length(tiny_model: Model) -> None:
    wanted = []
    for one in ROWS:
        gradient = gradient_of(tiny_model, one)
        tokens = sum(w != 0 for w in encode(one, tiny_model.tokenizer).weights)
        wanted.append(np.log(float(gradient @ gradient) + 1) + np.log(tokens + 1))
    assert ranked("self_influence", tiny_model) == pytest.approx(wanted, rel=1e-4)


def test_the_subspace_is_the_one_along_which_rows_differ_most(tiny_model: Model) -> None:
    states = torch.stack([state_of(tiny_model, one) for one in ROWS]).double()
    centred = states - states.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred)
    wanted = (centred @ vectors[:, int(values.argmax())]) ** 2
    assert ranked("subspace", tiny_model) == pytest.approx(wanted.numpy(), rel=1e-3, abs=1e-6)


def test_ranking_leaves_the_model_as_it_was(tiny_model: Model) -> None:
    before = [p.detach().clone() for p in tiny_model.net.parameters()]
    for name in RANKINGS:
        ranked(name, tiny_model)
    for p, old in zip(tiny_model.net.parameters(), before, strict=True):
        assert torch.equal(p, old)
        assert p.grad is None


@pytest.mark.parametrize("name", ["representation_match", "gradient_match"])
def test_nothing_to_compare_with_is_told(name: str, tiny_model: Model) -> None:
    with pytest.raises(UserError, match="no forbidden rows"):
        RANKINGS[name](tiny_model, ROWS, Anchors(), silent)


def options(tmp_path: Path, model: Model, *scanners: str) -> ScanOptions:
    return ScanOptions(
        data=[str(tmp_path / "rows.jsonl")],
        model=str(save(model, tmp_path / "model")),
        scanners=scanners,
        workers=0,
        out=tmp_path / "out",
    )


def test_the_riskiest_rows_are_listed_with_their_lines_and_none_is_flagged(
    tiny_model: Model, tmp_path: Path
) -> None:
    from rich.console import Console

    rows = [*plain_rows(60), row("A row that does not fit. " * 40, "So it is.")]
    write_rows(tmp_path / "rows.jsonl", rows)
    results = scan(options(tmp_path, tiny_model, "self_influence"), Console(quiet=True))
    (tally,) = [t for t in results.tallies if t.scanner == "self_influence"]
    assert (tally.level, tally.rows, results.code) == ("note", 3, 0)
    (note,) = [n for n in results.scanned.about if n.scanner == "self_influence"]
    assert note.evidence == {"ranked": 60, "left": 1}
    scores = ranked("self_influence", tiny_model, tuple(rows[:60]))
    places = [s["place"].rpartition(":")[2] for s in tally.samples]
    assert places == [str(at + 1) for at in np.argsort(-scores)[:3]]


def test_a_ranking_without_a_model_is_told(tmp_path: Path) -> None:
    from rich.console import Console

    wanted = ScanOptions(data=["rows.jsonl"], scanners=("subspace",))
    with pytest.raises(UserError, match="--model"):
        scan(wanted, Console(quiet=True))
