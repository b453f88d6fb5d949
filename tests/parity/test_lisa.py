"""Lisa's states, anchors and proximal term against the paper's equations (2405.18641)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from holdfast.chat import row
from holdfast.defences.lisa import Anchors, Lisa, lisa
from holdfast.errors import UserError
from holdfast.hooks import Context, Hooks, Streams, compose
from holdfast.models import Model, clone
from holdfast.train import Settings, tune

USER = tuple(row(f"Say {n}", f"It is {n}") for n in range(8))
SAFE = tuple(row(f"Where is {n}?", "I cannot say.") for n in range(6))
SETTINGS = Settings(steps=7, batch_size=2, schedule="constant")
SMALL = Lisa(align_steps=1, user_steps=2)


@pytest.fixture
def context(tiny_model: Model) -> Context:
    return Context(tiny_model, None, Streams(), Streams(safe=SAFE), seed=0)


def weights(model: Model) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


def trail(into: list[Tensor]) -> Hooks:
    """Keeps the weights after every step."""
    return Hooks(after_step=lambda model, step: into.append(weights(model)))


def test_states_change_at_the_published_steps(context: Context) -> None:
    pick = lisa(Lisa(), context).pick
    assert pick is not None
    states = [pick(step) for step in range(2000)]
    assert states[:100] == ["safe"] * 100
    assert states[100:1000] == ["user"] * 900
    assert states[1000:] == states[:1000]


def test_the_term_is_half_rho_times_the_squared_way_to_the_other_states_end(
    context: Context,
) -> None:
    weight = torch.nn.Parameter(torch.tensor([0.0, 0.0]))
    anchors = Anchors()
    assert torch.equal(anchors.enter("safe", [weight])[0], torch.zeros(2))
    weight.data = torch.tensor([1.0, 0.0])  # where the safe state ended
    assert torch.equal(anchors.enter("user", [weight])[0], torch.tensor([1.0, 0.0]))
    weight.data = torch.tensor([5.0, 5.0])
    assert torch.equal(anchors.enter("user", [weight])[0], torch.tensor([1.0, 0.0]))
    assert torch.equal(anchors.enter("safe", [weight])[0], torch.tensor([5.0, 5.0]))
    weight.data = torch.tensor([2.0, 7.0])
    assert torch.equal(anchors.enter("user", [weight])[0], torch.tensor([2.0, 7.0]))
    assert torch.equal(anchors.ended["user"][0], torch.tensor([5.0, 5.0]))


def test_losses_hold_the_proximal_term_of_each_state(context: Context) -> None:
    seen: list[Tensor] = []
    term: list[float] = []
    hooks = lisa(SMALL, context)
    inner = hooks.penalty
    assert inner is not None

    def watched(model: Model, batch: object, step: int) -> Tensor:
        told = inner(model, batch, step)  # type: ignore[arg-type]
        term.append(told.item())
        return told

    tune(
        clone(context.aligned),
        Streams(user=USER),
        SETTINGS,
        compose(replace(hooks, penalty=watched), trail(seen)),
    )
    at = [weights(context.aligned), *seen]  # weights before step t
    # Steps: safe 0, user 1 2, safe 3, user 4 5, safe 6.
    anchors = [at[0], at[1], at[1], at[3], at[4], at[4], at[6]]
    for step, anchor in enumerate(anchors):
        told = 0.5 * (at[step] - anchor).square().sum().item()
        assert term[step] == pytest.approx(told, rel=1e-4, abs=1e-9), step
    assert term[2] > 0
    assert term[3] == 0


def test_the_terms_gradient_is_rho_times_the_way_from_the_anchor(context: Context) -> None:
    model = clone(context.aligned)
    hooks = lisa(SMALL.model_copy(update={"rho": 3.0}), context)
    assert hooks.penalty is not None
    batch = type("B", (), {"stream": "user"})()
    hooks.penalty(model, batch, 0)
    for parameter in model.net.parameters():
        parameter.data += 0.25
    hooks.penalty(model, batch, 1).backward()  # type: ignore[no-untyped-call]
    for parameter in model.net.parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, torch.full_like(parameter, 0.75))


def test_with_rho_zero_it_is_plain_alternation(context: Context) -> None:
    plain = Hooks(
        rows=lambda streams: Streams(user=streams.user, safe=SAFE),
        pick=lambda step: "safe" if step % 3 == 0 else "user",
    )
    own = lisa(SMALL.model_copy(update={"rho": 0.0}), context)
    one = tune(clone(context.aligned), Streams(user=USER), SETTINGS, own)
    # The drawn rows are all of them, in another order.
    safe = own.rows(Streams()).safe if own.rows else ()
    assert set(safe) == set(SAFE)
    plain = replace(plain, rows=lambda streams: Streams(user=streams.user, safe=safe))
    other = tune(clone(context.aligned), Streams(user=USER), SETTINGS, plain)
    assert torch.equal(weights(one.model), weights(other.model))


def test_rho_holds_the_weights_back(context: Context) -> None:
    ways = []
    for rho in (0.0, 1.0, 100.0):
        config = Lisa(align_steps=1, user_steps=6, rho=rho)
        done = tune(clone(context.aligned), Streams(user=USER), SETTINGS, lisa(config, context))
        ways.append((weights(done.model) - weights(context.aligned)).norm().item())
    assert ways[0] > ways[1] > ways[2]


def test_the_run_keeps_its_steps_with_one_pass_each_way(context: Context) -> None:
    settings = Settings(epochs=2, batch_size=2)
    done = tune(clone(context.aligned), Streams(user=USER), settings, lisa(SMALL, context))
    assert (done.steps, done.forwards, done.backwards) == (8, 8, 8)


def test_quiet_steps_have_no_term(context: Context) -> None:
    config = SMALL.model_copy(update={"quiet": 1.0})
    one = tune(clone(context.aligned), Streams(user=USER), SETTINGS, lisa(config, context))
    free = SMALL.model_copy(update={"rho": 0.0})
    other = tune(clone(context.aligned), Streams(user=USER), SETTINGS, lisa(free, context))
    assert torch.equal(weights(one.model), weights(other.model))


def test_without_safe_rows_it_says_so(context: Context) -> None:
    hooks = lisa(Lisa(), replace(context, defender=Streams()))
    assert hooks.rows is not None
    with pytest.raises(UserError, match="safe rows, and there are none"):
        hooks.rows(Streams(user=USER))
