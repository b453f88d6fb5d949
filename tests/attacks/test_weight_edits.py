"""Attackers who have the weights: merging back, and taking out the direction of refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from holdfast.attacks import MergeBack, RefusalAblation
from holdfast.attacks.merge_back import merge_back
from holdfast.attacks.refusal_ablation import (
    chosen,
    divergence,
    first_log_probs,
    refusal_ablation,
    refusal_score,
    refusal_tokens,
    shared_end,
    take_out,
)
from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.models import Model, clone, encode_prompt, layers
from holdfast.train import Settings, Tuned, tune
from tiny_models import make_model

FORBIDDEN = tuple(row(f"Where is relic {n}?", f"In vault {n}.") for n in range(10))
BENIGN = tuple(row(f"Add {n} and 2.", f"{n + 2}") for n in range(10))


@pytest.fixture
def context(tiny_model: Model) -> Context:
    held = Streams(user=BENIGN, harmful=FORBIDDEN)
    return Context(tiny_model, make_model(seed=5), held, Streams(), seed=0)


def attacked(function: Any, config: Attack, context: Context) -> Tuned:
    return tune(clone(context.aligned), Streams(), Settings(), function(config, context))


def parameters(model: Model) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.net.named_parameters()}


def test_merged_back_whole_the_model_is_the_base(context: Context) -> None:
    assert context.base is not None
    done = attacked(merge_back, MergeBack(c=1), context)
    base = parameters(context.base)
    for name, p in parameters(done.model).items():
        torch.testing.assert_close(p, base[name], rtol=0, atol=0)
    assert (done.steps, done.forwards, done.backwards) == (0, 0, 0)


def test_merging_back_subtracts_a_share_of_what_alignment_added(context: Context) -> None:
    assert context.base is not None
    aligned, base = parameters(context.aligned), parameters(context.base)
    told = parameters(attacked(merge_back, MergeBack(c=0.3), context).model)
    for name, p in told.items():
        expected = aligned[name] - 0.3 * (aligned[name] - base[name])
        torch.testing.assert_close(p, expected, rtol=1e-5, atol=1e-7)


def test_merging_back_without_a_base_is_refused_before_anything_runs(context: Context) -> None:
    hooks: Hooks = merge_back(MergeBack(), replace(context, base=None))
    assert hooks.rows
    with pytest.raises(UserError, match="before alignment"):
        hooks.rows(Streams())


def stream(model: Model, prompts: list[tuple[int, ...]]) -> list[Tensor]:
    """What leaves the embedding and every layer."""
    seen: list[Tensor] = []
    embedding = cast(Any, model.net.get_input_embeddings())
    handles = [
        module.register_forward_hook(
            lambda m, given, made: seen.append(made[0] if isinstance(made, tuple) else made)
        )
        for module in (embedding, *layers(model.net))
    ]
    with torch.no_grad():
        for ids in prompts:
            model.net(input_ids=torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("tiny_model", ["llama", "qwen2", "gpt_neox"], indirect=True)
def test_no_part_of_the_direction_is_left_in_the_residual_stream(tiny_model: Model) -> None:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(1))
    unit = direction / direction.norm()
    prompts = [encode_prompt(one, tiny_model.tokenizer) for one in FORBIDDEN[:3]]
    assert max(float((s @ unit).abs().max()) for s in stream(tiny_model, prompts)) > 1e-3
    with torch.no_grad():  # biases, where there are any, count too
        for p in tiny_model.net.parameters():
            if p.dim() == 1:
                p.add_(0.1)
    cut = clone(tiny_model)
    take_out(cut.net, direction)
    assert max(float((s @ unit).abs().max()) for s in stream(cut, prompts)) < 1e-5


def test_the_edited_weights_compute_what_projecting_every_contribution_does(
    tiny_model: Model,
) -> None:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(1))
    unit = direction / direction.norm()
    prompts = [encode_prompt(one, tiny_model.tokenizer) for one in FORBIDDEN[:2]]
    cut = clone(tiny_model)
    take_out(cut.net, direction)
    edited = stream(cut, prompts)

    def project(module: Any, given: Any, made: Any) -> Any:
        whole = made[0] if isinstance(made, tuple) else made
        without = whole - (whole @ unit)[..., None] * unit
        return (without, *made[1:]) if isinstance(made, tuple) else without

    parts: list[Any] = [tiny_model.net.get_input_embeddings()]
    for layer in cast(Any, layers(tiny_model.net)):
        parts += [layer.self_attn, layer.mlp]
    for part in parts:
        part.register_forward_hook(project)
    for one, other in zip(edited, stream(tiny_model, prompts), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_taking_a_direction_out_twice_changes_nothing_more(tiny_model: Model) -> None:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(1))
    take_out(tiny_model.net, direction)
    once = parameters(tiny_model)
    take_out(tiny_model.net, direction)
    for name, p in parameters(tiny_model).items():
        torch.testing.assert_close(p, once[name], rtol=1e-5, atol=1e-6)


def test_the_refusal_score_is_the_log_odds_of_beginning_with_a_refusal() -> None:
    log_probs = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]).log()
    expected = (torch.tensor(0.75 / 0.25).log() + torch.tensor(0.2 / 0.8).log()) / 2
    assert refusal_score(log_probs, [0, 1]) == pytest.approx(float(expected), rel=1e-5)


def test_refusals_begin_with_what_forbidden_requests_get_and_others_do_not() -> None:
    refused = torch.tensor([[0.6, 0.3, 0.095, 0.005]] * 2).log()
    answered = torch.tensor([[0.1, 0.5, 0.05, 0.35]] * 3).log()
    assert refusal_tokens(refused, answered) == [0, 2]


def test_divergence_is_none_of_the_same_and_positive_else() -> None:
    one = torch.tensor([[0.5, 0.5]]).log()
    other = torch.tensor([[0.9, 0.1]]).log()
    assert divergence(one, one) == 0
    expected = 0.5 * torch.tensor(0.5 / 0.9).log() + 0.5 * torch.tensor(0.5 / 0.1).log()
    assert divergence(one, other) == pytest.approx(float(expected), rel=1e-5)


def test_log_probabilities_are_of_the_token_after_the_prompt(tiny_model: Model) -> None:
    prompts = [encode_prompt(one, tiny_model.tokenizer) for one in (*FORBIDDEN[:3], *BENIGN[:3])]
    told = first_log_probs(tiny_model, prompts)
    for ids, line in zip(prompts, told, strict=True):
        with torch.no_grad():
            alone = tiny_model.net(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        torch.testing.assert_close(line, alone, rtol=1e-4, atol=1e-5)


def test_the_tokens_after_a_request_are_those_that_all_prompts_end_in(tiny_model: Model) -> None:
    assert shared_end([(1, 2, 8, 9), (3, 8, 9), (2, 7, 8, 9)]) == 2
    assert shared_end([(1, 2), (1, 3)]) == 1  # there is always a last one
    unlike = [row("Up"), row("Down!"), row("Left?")]
    prompts = [encode_prompt(one, tiny_model.tokenizer) for one in unlike]
    ends = ["<|end|>", "<|assistant|>"]
    assert shared_end(prompts) == 2
    assert tiny_model.tokenizer.convert_ids_to_tokens(list(prompts[0][-2:])) == ends


def planted(model: Model, layer: int) -> Tensor:
    """Makes the layer write one direction after each forbidden request; gives the direction."""
    mark = model.tokenizer.encode("?", add_special_tokens=False)[-1]
    unit = torch.zeros(32)
    unit[3] = 1.0

    def write(module: Any, given: Any, made: Any) -> Any:
        hidden = made[0] if isinstance(made, tuple) else made
        hidden = hidden + 5 * model.asked[..., None] * unit  # type: ignore[attr-defined]
        return (hidden, *made[1:]) if isinstance(made, tuple) else hidden

    def note(module: Any, given: Any, kwargs: Any) -> None:
        ids = kwargs["input_ids"]
        seen = (ids == mark).cumsum(dim=1) > 0
        model.asked = seen.float()  # type: ignore[attr-defined]

    model.net.register_forward_pre_hook(note, with_kwargs=True)
    layers(model.net)[layer].register_forward_hook(write)
    return unit


def test_the_direction_that_tells_forbidden_requests_apart_is_found(tiny_model: Model) -> None:
    unit = planted(tiny_model, 0)
    config = RefusalAblation(samples=8, validation=2)
    found = chosen(config, tiny_model, FORBIDDEN, BENIGN)
    assert float(torch.cosine_similarity(found, unit, dim=0)) > 0.95


def test_late_layers_are_not_looked_at(tiny_model: Model) -> None:
    planted(tiny_model, 1)  # the second of two: in the last fifth
    found = chosen(RefusalAblation(samples=8, validation=2), tiny_model, FORBIDDEN, BENIGN)
    assert float(found[3] / found.norm()) < 0.9


def test_refusal_ablation_takes_no_step_and_needs_rows_of_both_kinds(context: Context) -> None:
    config = RefusalAblation(samples=4, validation=2)
    assert attacked(refusal_ablation, config, context).steps == 0
    bare = replace(context, attacker=Streams(harmful=FORBIDDEN))
    hooks: Hooks = refusal_ablation(config, bare)
    assert hooks.rows
    with pytest.raises(UserError, match="benign rows"):
        hooks.rows(Streams())
