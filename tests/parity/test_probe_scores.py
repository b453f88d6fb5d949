"""The probes' scores against arithmetic written down from the papers' equations, row by row.

Wei et al. (2402.05162): SNIP is the mean over rows of |W * gradient of the row's mean loss|, Wanda
is |W| times the norm of each input over all answer tokens, ActSVD the singular vectors of W X.
Nothing here streams or batches: whole passes, one row each, PyTorch's own gradients and svd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast.chat import Row, row
from holdfast.encode import encode
from holdfast.models import Model, layers
from holdfast.probes.actsvd import actsvd
from holdfast.probes.critical_ranks import orthogonal
from holdfast.probes.snip import snip
from holdfast.probes.wanda import wanda

EVERY = pytest.mark.parametrize(
    "tiny_model", ["llama", "qwen2", "gemma", "gpt_neox"], indirect=True
)
ROWS = (
    row("Where is the cat?", "On the mat, as the cat that sat."),
    row("Tell me of the mat, and of all that sat on it.", "I cannot help with that."),
    row("Hat?", "That."),
)


def matrices(model: Model) -> Iterator[tuple[str, nn.Linear]]:
    for number, layer in enumerate(layers(model.net)):
        for name, module in layer.named_modules():
            if isinstance(module, nn.Linear):
                yield f"layers.{number}.{name}", module


def whole(model: Model, one: Row) -> tuple[Tensor, Tensor]:
    """Ids (1, T) and where answer tokens are (T,)."""
    told = encode(one, model.tokenizer)
    return torch.tensor([told.ids]), torch.tensor(told.weights) > 0


def inputs(model: Model, rows: Sequence[Row]) -> dict[str, Tensor]:
    """Inputs (n, d_in) of every matrix at all answer tokens."""
    seen: dict[str, list[Tensor]] = {name: [] for name, _ in matrices(model)}
    for one in rows:
        ids, answered = whole(model, one)
        handles = []
        for name, module in matrices(model):

            def keep(_: Any, given: Any, __: Any, name: str = name, at: Tensor = answered) -> None:
                seen[name].append(given[0][0][at].detach().double())

            handles.append(module.register_forward_hook(keep))
        model.net(input_ids=ids)
        for handle in handles:
            handle.remove()
    return {name: torch.cat(parts) for name, parts in seen.items()}


@EVERY
def test_wanda_is_size_times_the_norm_of_the_inputs_at_answer_tokens(tiny_model: Model) -> None:
    ours = {w.path: s for layer in wanda(tiny_model, ROWS) for w, s in layer}
    seen = inputs(tiny_model, ROWS)
    assert set(ours) == set(seen)
    for name, module in matrices(tiny_model):
        theirs = module.weight.detach().double().abs() * seen[name].norm(dim=0)
        torch.testing.assert_close(ours[name].double(), theirs, rtol=1e-4, atol=1e-7)


@EVERY
def test_snip_is_the_mean_over_rows_of_weight_times_gradient(tiny_model: Model) -> None:
    ours = {w.path: s for layer in snip(tiny_model, ROWS) for w, s in layer}
    theirs = {name: torch.zeros_like(m.weight) for name, m in matrices(tiny_model)}
    for one in ROWS:
        ids, answered = whole(tiny_model, one)
        tiny_model.net.zero_grad()
        labels = torch.where(answered, ids[0], torch.tensor(-100))[None]
        tiny_model.net(input_ids=ids, labels=labels).loss.backward()
        for name, module in matrices(tiny_model):
            assert module.weight.grad is not None
            theirs[name] += (module.weight * module.weight.grad).abs().detach() / len(ROWS)
    assert set(ours) == set(theirs)
    for name, score in theirs.items():
        torch.testing.assert_close(ours[name], score, rtol=1e-3, atol=1e-8)


@EVERY
def test_actsvd_spans_the_singular_vectors_of_the_outputs(tiny_model: Model) -> None:
    ours = {w.path: basis for layer in actsvd(tiny_model, ROWS) for w, basis in layer}
    seen = inputs(tiny_model, ROWS)
    for name, module in matrices(tiny_model):
        made = module.weight.detach().double() @ seen[name].T
        vectors, strengths, _ = torch.linalg.svd(made, full_matrices=False)
        basis = ours[name]
        kept = min(8, len(strengths))
        torch.testing.assert_close(
            basis.strengths[:kept].double(), strengths[:kept], rtol=1e-4, atol=1e-6
        )
        theirs = vectors[:, :kept] @ vectors[:, :kept].T
        projector = basis.top(kept).double() @ basis.top(kept).double().T
        torch.testing.assert_close(projector, theirs, rtol=0, atol=1e-4)
        square = basis.directions.T @ basis.directions
        torch.testing.assert_close(square, torch.eye(basis.rank), rtol=0, atol=1e-5)


@EVERY
def test_the_removed_ranks_are_the_papers_projection(tiny_model: Model) -> None:
    safety = [b for layer in actsvd(tiny_model, ROWS[:2]) for b in layer]
    utility = [b for layer in actsvd(tiny_model, ROWS[2:]) for b in layer]
    for (linear, safe), (_, useful) in zip(safety, utility, strict=True):
        rank = safe.rank
        delta = orthogonal(0.25, 0.5)(linear, safe, useful)
        pi_s = safe.top(rank - rank // 2) @ safe.top(rank - rank // 2).T
        pi_u = useful.top(rank - rank // 4) @ useful.top(rank - rank // 4).T
        theirs = (torch.eye(len(pi_u)) - pi_u) @ pi_s @ linear.weight
        torch.testing.assert_close(delta.left @ delta.right, theirs, rtol=0, atol=1e-5)
        assert delta.ranks == rank // 4
