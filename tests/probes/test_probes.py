"""Probes on tiny random models of every architecture, and what they refuse."""

from __future__ import annotations

import pytest
import torch

from holdfast import registry
from holdfast.errors import UserError
from holdfast.models import Model, clone, digest_of
from holdfast.probes import PROBES, CriticalRanks, Found, Overlap, TokenDepth
from holdfast.probes.critical_ranks import critical_ranks
from holdfast.probes.overlap import overlap
from holdfast.probes.token_depth import divergences, pull, token_depth
from tiny_models import make_model

from .worlds import EVERY, SAFE, TOLD, USEFUL, looking


def moved(model: Model, by: float = 0.3) -> Model:
    other = clone(model)
    other.name = "before"
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in other.net.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=generator))
    return other


@EVERY
@pytest.mark.parametrize("name", sorted(registry.names(PROBES)))
def test_every_probe_runs_and_leaves_the_model_as_it_was(tiny_model: Model, name: str) -> None:
    config = registry.parse(PROBES, name)
    found: Found = PROBES[type(config)](config, looking(tiny_model, moved(tiny_model)))
    assert found.said
    assert found.figures
    assert digest_of(tiny_model) == tiny_model.digest
    assert all(p.requires_grad for p in tiny_model.net.parameters())
    assert torch.is_grad_enabled()


@EVERY
def test_divergence_is_that_of_whole_passes_row_by_row(tiny_model: Model) -> None:
    from holdfast.encode import encode

    other = moved(tiny_model)
    found = divergences(tiny_model, other, TOLD)
    for one, kl in zip(TOLD, found, strict=True):
        told = encode(one, tiny_model.tokenizer)
        ids = torch.tensor([told.ids])
        with torch.no_grad():
            p, q = (
                m.net(input_ids=ids).logits[0].double().softmax(-1) for m in (tiny_model, other)
            )
        at = [i - 1 for i, weight in enumerate(told.weights) if weight]
        expected = (p[at] * (p[at] / q[at]).log()).sum(-1)
        torch.testing.assert_close(kl, expected, rtol=1e-3, atol=1e-6)


def test_a_model_does_not_diverge_from_itself(tiny_model: Model) -> None:
    assert float(torch.cat(divergences(tiny_model, tiny_model, TOLD)).max()) < 1e-9


def test_the_pull_is_the_gradient_of_one_tokens_mean_loss(tiny_model: Model) -> None:
    from holdfast.encode import encode

    found = list(pull(tiny_model, TOLD[:1], 3))
    assert len(found) == 3
    told = encode(TOLD[0], tiny_model.tokenizer)
    at = [i for i, weight in enumerate(told.weights) if weight][2]
    logits = tiny_model.net(input_ids=torch.tensor([told.ids])).logits[0, at - 1]
    loss = -logits.log_softmax(-1)[told.ids[at]]
    loss.backward()
    squares = sum(
        float(p.grad.square().sum()) for p in tiny_model.net.parameters() if p.grad is not None
    )
    assert found[2] == pytest.approx((loss.item(), squares**0.5), rel=1e-4)


def test_a_models_overlap_with_itself_is_whole(tiny_model: Model) -> None:
    from dataclasses import replace

    same = replace(looking(tiny_model), safety=SAFE, utility=SAFE)
    found = overlap(Overlap(q=0.2, k=0.1), same).figures
    assert set(found["jaccard"].values()) == {1.0}
    assert all(value == pytest.approx(1, abs=1e-4) for value in found["similarity"].values())


def test_several_shares_are_searched_over(tiny_model: Model) -> None:
    found = critical_ranks(CriticalRanks(r_u=(0.05, 0.1), r_s=(0.5, 0.9)), looking(tiny_model))
    assert len(found.figures["searched"]) == 4
    assert found.figures["r_u"] in (0.05, 0.1)


def test_models_of_different_shapes_are_refused(tiny_model: Model) -> None:
    with pytest.raises(UserError, match="different shapes, first at"):
        token_depth(TokenDepth(), looking(tiny_model, make_model("gpt_neox")))


def test_models_of_different_tokenizers_are_refused(tiny_model: Model) -> None:
    other = make_model("llama")
    other.tokenizer.add_tokens(["vault"])
    with pytest.raises(UserError, match="different tokenizers"):
        token_depth(TokenDepth(), looking(tiny_model, other))


def test_a_probe_of_two_models_asks_for_the_second(tiny_model: Model) -> None:
    with pytest.raises(UserError, match="give the second one by --against"):
        token_depth(TokenDepth(), looking(tiny_model))


def test_a_policy_without_refusals_says_so(tiny_model: Model) -> None:
    from dataclasses import replace

    bare = replace(looking(tiny_model), safety=())
    with pytest.raises(UserError, match="no forbidden requests with refusals"):
        overlap(Overlap(), bare)
    assert USEFUL
