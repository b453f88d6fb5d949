"""Antidote, RESTA and merging back against their equations (2408.09600, 2402.11746, 2109.01903)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from holdfast.chat import row
from holdfast.defences.antidote import Antidote, antidote, top_of_rows
from holdfast.defences.resta import Resta, resta
from holdfast.defences.soft_merge import SoftMerge, soft_merge
from holdfast.errors import UserError
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model, clone, encode
from holdfast.probes.linears import matching
from holdfast.train import Settings, batch_loss, collate, tune

HARMFUL = tuple(row(f"Where is {n}?", f"It lies in vault {n}.", tag=f"c{n}") for n in range(6))
CUSTOMER = tuple(row(f"Say {n}", f"It is {n}") for n in range(8))


@pytest.fixture
def context(tiny_model: Model) -> Context:
    return Context(tiny_model, None, Streams(), Streams(harmful=HARMFUL), seed=0)


@pytest.fixture
def tuned(context: Context) -> Model:
    """The aligned model tuned on forbidden rows."""
    rows = Streams(user=(*HARMFUL, *CUSTOMER))
    settings = Settings(epochs=20, learning_rate=3e-3)
    return tune(clone(context.aligned), rows, settings).model


def repaired(hooks: Hooks, tuned: Model) -> Model:
    model = clone(tuned)
    return hooks.weights(model) if hooks.weights else model


def matrices(model: Model) -> dict[str, Tensor]:
    return {path: one.weight for path, one in matching(model.net).items()}


def loss_of_forbidden_answers(model: Model) -> float:
    with torch.no_grad():
        batch = collate([encode(r, model.tokenizer) for r in HARMFUL])
        return batch_loss(model.net, batch).item()


def input_norms(model: Model) -> dict[str, Tensor]:
    """Root of the sum of squares of every matrix's inputs at answer tokens, row by row."""
    squares: dict[str, Tensor] = {}

    def watcher(path: str, at: Tensor):  # type: ignore[no-untyped-def]
        def seen(module: object, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            told = inputs[0][0][at].double().square().sum(0)
            squares[path] = squares.get(path, torch.zeros_like(told)) + told

        return seen

    for one in HARMFUL:
        told = encode(one, model.tokenizer)
        at = torch.tensor(told.weights) != 0
        handles = [
            linear.module.register_forward_hook(watcher(path, at))
            for path, linear in matching(model.net).items()
        ]
        with torch.no_grad():
            model.net(torch.tensor([told.ids]))
        for handle in handles:
            handle.remove()
    return {path: told.sqrt() for path, told in squares.items()}


@pytest.mark.parametrize(
    ("width", "ratio", "zeroed"), [(8, 0.1, 1), (4, 0.1, 1), (256, 0.1, 26), (10, 0.1, 1)]
)
def test_as_many_are_zeroed_in_every_row_as_the_published_rule_says(
    width: int, ratio: float, zeroed: int
) -> None:
    mask = top_of_rows(torch.rand(5, width), ratio)
    assert mask.sum(dim=1).tolist() == [zeroed] * 5


@pytest.mark.parametrize("of", ["update", "matrices"])
def test_what_is_zeroed_has_the_highest_scores_of_its_row(
    context: Context, tuned: Model, of: str
) -> None:
    config = Antidote.model_validate({"ratio": 0.2, "of": of})
    after = matrices(repaired(antidote(config, context), tuned))
    before, aligned, norms = matrices(tuned), matrices(context.aligned), input_norms(tuned)
    for path, weight in after.items():
        zero = aligned[path] if of == "update" else torch.zeros_like(weight)
        score = (before[path] - zero).abs() * norms[path].float()
        count = weight.shape[1] - int(weight.shape[1] * 0.8)
        for at in range(len(weight)):
            gone = set(score[at].argsort(descending=True)[:count].tolist())
            told = {i for i in range(len(score[at])) if weight[at, i] == zero[at, i]}
            assert gone == told, (path, at)
            left = [i for i in range(len(score[at])) if i not in gone]
            assert torch.equal(weight[at, left], before[path][at, left])


def test_at_ratio_zero_nothing_changes_and_at_one_the_update_is_gone(
    context: Context, tuned: Model
) -> None:
    same = matrices(repaired(antidote(Antidote(ratio=0), context), tuned))
    gone = matrices(repaired(antidote(Antidote(ratio=1), context), tuned))
    for path, weight in matrices(tuned).items():
        assert torch.equal(same[path], weight)
        assert torch.equal(gone[path], matrices(context.aligned)[path])


@pytest.mark.parametrize("of", ["update", "matrices"])
def test_as_many_at_random_take_less_of_the_forbidden_answers(
    context: Context, tuned: Model, of: str
) -> None:
    losses = {
        mask: loss_of_forbidden_answers(repaired(antidote(config, context), tuned))
        for mask in ("wanda", "random")
        for config in [Antidote.model_validate({"ratio": 0.3, "of": of, "mask": mask})]
    }
    assert loss_of_forbidden_answers(tuned) < losses["random"] < losses["wanda"]


def test_the_random_control_zeroes_as_many_in_every_row(context: Context, tuned: Model) -> None:
    config = Antidote(of="matrices", ratio=0.2, mask="random")
    for weight in matrices(repaired(antidote(config, context), tuned)).values():
        width = weight.shape[1]
        assert ((weight == 0).sum(dim=1) == width - int(width * 0.8)).all()


@pytest.mark.parametrize("make", [lambda c: antidote(Antidote(), c), lambda c: resta(Resta(), c)])
def test_without_forbidden_rows_a_repair_says_what_it_needs(context: Context, make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="forbidden rows"):
        make(replace(context, defender=Streams()))


def test_the_safety_vector_is_what_tuning_on_forbidden_rows_takes_away(
    context: Context, tuned: Model
) -> None:
    config = Resta(gamma=0.3, epochs=2, batch_size=3)
    after = matrices(repaired(resta(config, context), tuned))
    from holdfast.draw import balanced

    rows = balanced(HARMFUL, 6, seed=0, purpose="resta")
    settings = Settings(epochs=2, batch_size=3, learning_rate=1e-3, seed=0)
    unaligned = matrices(tune(clone(context.aligned), Streams(user=rows), settings).model)
    aligned = matrices(context.aligned)
    for path, weight in matrices(tuned).items():
        told = weight + 0.3 * (aligned[path] - unaligned[path])
        torch.testing.assert_close(after[path], told, rtol=1e-5, atol=1e-7)


def test_adding_safety_takes_forbidden_answers_away(context: Context, tuned: Model) -> None:
    losses = [
        loss_of_forbidden_answers(repaired(resta(Resta(gamma=gamma), context), tuned))
        for gamma in (0.0, 0.5, 1.0)
    ]
    assert losses[0] < losses[1] < losses[2]


def test_dare_drops_that_share_of_the_update_and_scales_up_the_rest(
    context: Context, tuned: Model
) -> None:
    after = matrices(repaired(resta(Resta(gamma=0, drop=0.75), context), tuned))
    aligned = matrices(context.aligned)
    dropped = total = 0
    for path, weight in matrices(tuned).items():
        update, left = weight - aligned[path], after[path] - aligned[path]
        gone = after[path] == aligned[path]
        dropped, total = dropped + int(gone.sum()), total + gone.numel()
        torch.testing.assert_close(left[~gone], 4 * update[~gone], rtol=1e-3, atol=1e-6)
    assert dropped / total == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_merging_back_goes_that_share_of_the_way(
    context: Context, tuned: Model, share: float
) -> None:
    after = dict(
        repaired(soft_merge(SoftMerge(share=share), context), tuned).net.named_parameters()
    )
    aligned = dict(context.aligned.net.named_parameters())
    for name, weight in tuned.net.named_parameters():
        told = (1 - share) * weight + share * aligned[name]
        torch.testing.assert_close(after[name], told, rtol=1e-6, atol=1e-7)


def test_merging_back_half_and_half_again_is_three_quarters(context: Context, tuned: Model) -> None:
    half = soft_merge(SoftMerge(), context)
    twice = matrices(repaired(half, repaired(half, tuned)))
    once = matrices(repaired(soft_merge(SoftMerge(share=0.75), context), tuned))
    for path, weight in once.items():
        torch.testing.assert_close(twice[path], weight, rtol=1e-6, atol=1e-7)


def test_a_repair_after_a_tune_costs_the_loop_no_pass(context: Context) -> None:
    for hooks in (
        antidote(Antidote(), context),
        resta(Resta(epochs=1), context),
        soft_merge(SoftMerge(), context),
    ):
        done = tune(clone(context.aligned), Streams(user=CUSTOMER), Settings(epochs=1), hooks)
        assert (done.steps, done.forwards, done.backwards) == (1, 1, 1), hooks.name
