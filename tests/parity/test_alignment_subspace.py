"""SafeLoRA's and AsFT's arithmetic against their equations (2405.16833, 2506.08473)."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from holdfast.adapt.subspace import Form, subspace, subspaces
from holdfast.chat import row
from holdfast.defences.safe_lora import SafeLora, chosen, projections, safe_lora
from holdfast.defences.subspace_tuning import SubspaceTuning, subspace_tuning
from holdfast.errors import UserError
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model, clone, layers
from holdfast.probes.linears import matching
from holdfast.train import Settings, collate, tune

ROWS = tuple(row(f"Say {n}", f"It is {n}") for n in range(4))
V = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def shifted(model: Model, seed: int, size: float = 0.02) -> Model:
    """The model with every matrix of its layers moved a little."""
    moved = clone(model)
    chance = torch.Generator().manual_seed(seed)
    for linear in matching(moved.net).values():
        linear.weight.add_(size * torch.randn(linear.weight.shape, generator=chance))
    return moved


@pytest.fixture
def context(tiny_model: Model) -> Context:
    return Context(tiny_model, shifted(tiny_model, 1), Streams(), Streams(), seed=0)


def repaired(config: SafeLora, context: Context, tuned: Model) -> Model:
    hooks = safe_lora(config, context)
    assert hooks.weights is not None
    return hooks.weights(clone(tuned))


def matrices(model: Model) -> dict[str, Tensor]:
    return {path: one.weight.clone() for path, one in matching(model.net).items()}


def test_the_published_c_is_v_v_transposed_over_its_norm() -> None:
    norm = sum(v.item() ** 2 for v in V.flatten()) ** 0.5
    for i in range(6):
        for j in range(6):
            told = sum(V[i, k].item() * V[j, k].item() for k in range(4)) / norm
            assert subspace(V)[i, j].item() == pytest.approx(told, rel=1e-12)


def test_the_published_c_is_no_projector_and_shrinks_with_v() -> None:
    c = subspace(V)
    assert not torch.allclose(c @ c, c, atol=1e-3)
    small = torch.linalg.matrix_norm(subspace(0.01 * V), ord=2)
    assert small.item() == pytest.approx(0.01 * torch.linalg.matrix_norm(c, ord=2).item())


@pytest.mark.parametrize("rank", [1, 2, None])
def test_the_projector_is_idempotent_and_keeps_its_own_directions(rank: int | None) -> None:
    c = subspace(V.float(), "projector", rank)
    torch.testing.assert_close(c @ c, c, rtol=0, atol=1e-5)
    assert c.trace().item() == pytest.approx(rank or 4, abs=1e-4)
    if rank is None:
        torch.testing.assert_close(c @ V.float(), V.float(), rtol=0, atol=1e-5)


def test_directions_in_which_alignment_did_not_move_are_not_its_own() -> None:
    flat = torch.outer(V[:, 0], V[0]).float()  # rank 1
    assert subspace(flat, "projector").trace().item() == pytest.approx(1, abs=1e-4)


def test_without_a_difference_there_are_no_directions(tiny_model: Model) -> None:
    with pytest.raises(UserError, match="no directions"):
        subspace(torch.zeros(3, 2))
    with pytest.raises(UserError, match="no directions"):
        subspaces(tiny_model, clone(tiny_model))


def test_a_matrix_that_alignment_left_alone_is_left_alone(tiny_model: Model) -> None:
    base = clone(tiny_model)
    matching(base.net)["layers.1.self_attn.v_proj"].weight.add_(0.1)
    context = Context(tiny_model, base, Streams(), Streams(), seed=0)
    tuned = shifted(tiny_model, 2)
    before, after = matrices(tuned), matrices(repaired(SafeLora(modules=99), context, tuned))
    assert [p for p in before if not torch.equal(before[p], after[p])] == [
        "layers.1.self_attn.v_proj"
    ]


def test_an_update_is_projected_as_the_equation_says(context: Context) -> None:
    assert context.base is not None
    tuned = shifted(context.aligned, 2)
    after = matrices(repaired(SafeLora(by="threshold", tau=1.0), context, tuned))
    aligned, base, moved = (matrices(m) for m in (context.aligned, context.base, tuned))
    for path, weight in after.items():
        v = (aligned[path] - base[path]).double()
        c = v @ v.T / v.square().sum().sqrt()
        told = aligned[path] + (c @ (moved[path] - aligned[path]).double()).float()
        torch.testing.assert_close(weight, told, rtol=1e-4, atol=1e-6)


def test_projecting_low_rank_factors_is_projecting_their_product() -> None:
    b, a = V[:, :2], V[:2]
    c = subspace(V)
    torch.testing.assert_close((c @ b) @ a, c @ (b @ a))


def test_at_tau_minus_one_nothing_changes(context: Context) -> None:
    tuned = shifted(context.aligned, 2)
    after = repaired(SafeLora(by="threshold", tau=-1.0), context, tuned)
    assert all(torch.equal(w, matrices(tuned)[p]) for p, w in matrices(after).items())


def test_a_true_projection_done_twice_is_done_once(context: Context) -> None:
    config = SafeLora(modules=99, form="projector", rank=3)
    once = repaired(config, context, shifted(context.aligned, 2))
    twice = repaired(config, context, once)
    for path, weight in matrices(once).items():
        torch.testing.assert_close(matrices(twice)[path], weight, rtol=0, atol=1e-5)


def test_what_is_no_matrix_of_a_layer_is_kept_or_put_back(context: Context) -> None:
    tuned = shifted(context.aligned, 2)
    with torch.no_grad():
        for parameter in tuned.net.parameters():
            parameter.add_(0.1)
    inside = {id(linear.module.weight) for linear in matching(context.aligned.net).values()}
    outside = {n: p for n, p in context.aligned.net.named_parameters() if id(p) not in inside}
    assert "model.embed_tokens.weight" in outside
    for others, added in (("kept", 0.1), ("aligned", 0.0)):
        config = SafeLora.model_validate({"others": others})
        after = dict(repaired(config, context, tuned).net.named_parameters())
        for name, before in outside.items():
            torch.testing.assert_close(after[name], before + added, rtol=0, atol=1e-6)


def test_those_furthest_from_alignment_are_projected_first(context: Context) -> None:
    assert context.base is not None
    spaces = subspaces(context.aligned, context.base)
    found = projections(shifted(context.aligned, 2), spaces)
    cosines = sorted(one.cosine for one in found)
    taken = chosen(SafeLora(modules=3), found)
    assert [one.cosine for one in taken] == cosines[:3]
    below = chosen(SafeLora(by="threshold", tau=cosines[4]), found)
    assert sorted(one.cosine for one in below) == cosines[:5]


def test_an_update_along_alignment_itself_has_the_highest_cosine(context: Context) -> None:
    assert context.base is not None
    tuned = shifted(context.aligned, 2)
    path = "layers.0.mlp.up_proj"
    aligned, base = matching(context.aligned.net)[path], matching(context.base.net)[path]
    left, _, right = torch.linalg.svd(aligned.weight - base.weight)
    matching(tuned.net)[path].weight.copy_(aligned.weight + torch.outer(left[:, 0], right[0]))
    found = projections(tuned, subspaces(context.aligned, context.base))
    assert max(found, key=lambda one: one.cosine).linear.path == path


def test_without_a_base_both_say_what_they_need(context: Context) -> None:
    alone = replace(context, base=None)
    with pytest.raises(UserError, match="before alignment"):
        safe_lora(SafeLora(), alone)
    hooks = subspace_tuning(SubspaceTuning(), alone)
    assert hooks.rows is not None
    with pytest.raises(UserError, match="before alignment"):
        hooks.rows(Streams())


def started(config: SubspaceTuning, context: Context, model: Model) -> Hooks:
    hooks = subspace_tuning(config, context)
    assert hooks.start is not None
    hooks.start(model, Streams(), Settings())
    return hooks


def penalty_of(hooks: Hooks, model: Model) -> Tensor:
    assert hooks.penalty is not None
    from holdfast.models import encode

    return hooks.penalty(model, collate([encode(ROWS[0], model.tokenizer)]), 0)


@pytest.mark.parametrize("form", ["published", "projector"])
def test_the_penalty_is_what_lies_outside_the_directions(context: Context, form: Form) -> None:
    assert context.base is not None
    tuned = shifted(context.aligned, 2)
    hooks = started(SubspaceTuning(lam=3, form=form, rank=2), context, tuned)
    aligned, base, moved = (matrices(m) for m in (context.aligned, context.base, tuned))
    total = 0.0
    for path in moved:
        v = (aligned[path] - base[path]).double()
        u = torch.linalg.svd(v)[0][:, :2]
        c = u @ u.T if form == "projector" else v @ v.T / v.square().sum().sqrt()
        d = (moved[path] - aligned[path]).double()
        total += ((torch.eye(len(c)) - c) @ d).square().sum().item()
    assert penalty_of(hooks, tuned).item() == pytest.approx(3 * total, rel=1e-4)


def test_at_the_start_there_is_no_penalty_and_along_alignment_none_either(
    context: Context,
) -> None:
    assert context.base is not None
    tuned = clone(context.aligned)
    hooks = started(SubspaceTuning(form="projector"), context, tuned)
    assert penalty_of(hooks, tuned).item() == 0
    base = matching(context.base.net)
    for path, linear in matching(tuned.net).items():
        linear.weight.add_(linear.weight - base[path].weight)
    along = penalty_of(hooks, tuned).item()
    matching(tuned.net)["layers.0.mlp.up_proj"].weight.add_(0.1)  # taller than wide
    assert along < 1e-6 < 0.1 < penalty_of(hooks, tuned).item()


def test_low_rank_updates_are_penalised_with_their_scale(context: Context) -> None:
    from holdfast.adapters import injected

    model = clone(context.aligned)
    hooks = subspace_tuning(SubspaceTuning(), context)
    assert hooks.start is not None
    with injected(model, Settings(method="lora", rank=2, lora_alpha=6)):
        hooks.start(model, Streams(), Settings())
        assert penalty_of(hooks, model).item() == 0  # B starts at zero
        module = layers(model.net)[0].get_submodule("self_attn.q_proj")
        a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
        with torch.no_grad():
            b.copy_(torch.randn(b.shape, generator=torch.Generator().manual_seed(3)))
        told = penalty_of(hooks, model)
        told.backward()  # type: ignore[no-untyped-call]
        assert a.grad is not None
        assert b.grad is not None
        ((_, c), *_) = subspaces(context.aligned, context.base or model)
        own = (torch.eye(len(c)) - c) @ (3 * (b @ a))
        assert told.item() == pytest.approx(own.square().sum().item(), rel=1e-5)


def test_a_step_is_one_pass_forward_and_one_backward(context: Context) -> None:
    settings = Settings(epochs=2, batch_size=2)
    streams = Streams(user=ROWS)
    plain = tune(clone(context.aligned), streams, settings)
    held = tune(
        clone(context.aligned), streams, settings, subspace_tuning(SubspaceTuning(lam=50), context)
    )
    assert (held.steps, held.forwards, held.backwards) == (4, 4, 4)
    drift = [
        sum(
            (matrices(m)[p] - w).square().sum().item() for p, w in matrices(context.aligned).items()
        )
        for m in (plain.model, held.model)
    ]
    assert drift[1] < drift[0] / 2


def test_the_aligned_models_gradients_stay_untouched(context: Context) -> None:
    before = copy.deepcopy(context.aligned.net.state_dict())
    hooks = subspace_tuning(SubspaceTuning(), context)
    tune(clone(context.aligned), Streams(user=ROWS), Settings(steps=1), hooks)
    assert all(p.grad is None for p in context.aligned.net.parameters())
    after = context.aligned.net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
