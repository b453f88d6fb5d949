from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from holdfast import registry
from holdfast.errors import UserError
from holdfast.models import Model, clone, digest_of, layers
from holdfast.probes import PROBES, CriticalWeights
from holdfast.probes.critical_weights import critical_weights, found_cuts
from holdfast.probes.cuts import cut_of, share_of, taken
from holdfast.probes.linears import linears, matching
from holdfast.probes.masks import as_many, at_random, set_difference, top
from holdfast.probes.paired import scores
from holdfast.probes.snip import snip
from holdfast.probes.wanda import wanda
from tiny_models import make_tokenizer

from .worlds import EVERY, SAFE, USEFUL, looking


def gpt2() -> Model:
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=4,
        bos_token_id=1, eos_token_id=1,
    )  # fmt: skip
    return Model(GPT2LMHeadModel(config).train(False), tokenizer, "tiny-gpt2")


def test_the_top_share_is_taken_of_every_row() -> None:
    score = torch.tensor([[1.0, 9, 2, 8], [0.1, 0.2, 0.4, 0.3]])
    assert top(score, 0.5).tolist() == [[False, True, False, True], [False, False, True, True]]
    assert top(score, 0.5, by_matrix=True).tolist() == [[True, True, True, True], [False] * 4]


def test_the_set_difference_keeps_what_utility_needs() -> None:
    safety = torch.tensor([[4.0, 3, 2, 1]])
    utility = torch.tensor([[9.0, 0, 0, 1]])
    found = set_difference(safety, utility, p=0.25, q=0.5)
    assert found.tolist() == [[False, True, False, False]]


def test_shares_are_cut_down_to_whole_weights_like_the_released_code() -> None:
    assert top(torch.rand(3, 100), 0.29).sum(1).tolist() == [29, 29, 29]
    assert top(torch.rand(3, 10), 0.05).sum() == 0


def test_controls_take_as_many_weights_of_every_row() -> None:
    mask = torch.rand(5, 40) < 0.2
    chance = torch.Generator().manual_seed(1)
    for control in (as_many(torch.rand(5, 40), mask), at_random(mask, chance)):
        assert control.sum(1).tolist() == mask.sum(1).tolist()


@EVERY
def test_the_probe_runs_and_leaves_the_model_as_it_was(tiny_model: Model) -> None:
    for config in (CriticalWeights(p=0.1, q=0.2), CriticalWeights(score="wanda", p=(0.1, 0.3))):
        found = critical_weights(config, looking(tiny_model))
        assert [t["name"] for t in found.figures["trials"]][1:] == [
            "as many at random", "top safety", "least safety",
        ]  # fmt: skip
        shares = [t["share"] for t in found.figures["trials"]]
        assert 0 < shares[0] < 0.2
        assert shares == pytest.approx([shares[0]] * 4)
    assert digest_of(tiny_model) == tiny_model.digest
    assert all(p.requires_grad for p in tiny_model.net.parameters())
    assert torch.is_grad_enabled()


def test_a_model_in_training_is_given_back_in_training(tiny_model: Model) -> None:
    tiny_model.net.train(True)
    list(scores("wanda", looking(tiny_model).contrast(4)))
    assert tiny_model.net.training
    assert all(module.training for module in tiny_model.net.modules())


def test_taken_weights_are_zero_while_away(tiny_model: Model) -> None:
    (cuts,) = found_cuts(
        CriticalWeights(), looking(tiny_model), {"half": lambda s, u: top(s, 0.5)}
    ).values()
    with taken(cuts):
        shares = [
            float((w.weight == 0).float().mean()) for la in linears(tiny_model.net) for w in la
        ]
        assert shares == pytest.approx([0.5] * len(shares))
    assert share_of(cuts, linears(tiny_model.net)) == pytest.approx(0.5)
    assert digest_of(tiny_model) == tiny_model.digest


def test_rewound_weights_are_those_of_the_model_before(tiny_model: Model) -> None:
    before = clone(tiny_model)
    for parameter in before.net.parameters():
        parameter.data.add_(1)
    first = linears(tiny_model.net)[0][0]
    mask = torch.zeros_like(first.weight, dtype=torch.bool)
    mask[0, 1] = True
    old = float(first.weight[0, 1])
    with taken([cut_of(first, mask)], matching(before.net)):
        assert float(first.weight[0, 1]) == pytest.approx(old + 1)
        assert float(first.weight[0, 0]) != pytest.approx(old + 1)
    assert float(first.weight[0, 1]) == old


def test_transposed_matrices_are_scored_the_right_way_round() -> None:
    model = gpt2()
    by_path = {w.path: s for layer in snip(model, SAFE) for w, s in layer}
    assert by_path["layers.0.attn.c_attn"].shape == (96, 32)
    (first, score), *_ = next(iter(wanda(model, SAFE)))
    with taken([cut_of(first, top(score, 0.5))]):
        stored = model.net.get_parameter("transformer.h.0.attn.c_attn.weight")
        assert int((stored == 0).sum()) == 96 * 16
    assert digest_of(model) == model.digest


def test_batches_do_not_change_scores(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.probes import streaming

    many = {w.path: s for layer in snip(tiny_model, (*SAFE, *USEFUL)) for w, s in layer}
    monkeypatch.setattr(streaming, "ROWS_AT_ONCE", 1)
    for layer in snip(tiny_model, (*SAFE, *USEFUL)):
        for linear, score in layer:
            torch.testing.assert_close(many[linear.path], score, rtol=1e-3, atol=1e-8)


def test_a_quantised_layer_is_refused_by_name(tiny_model: Model) -> None:
    class Linear8bit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.zeros(4, 4, dtype=torch.int8))

    layers(tiny_model.net)[1].mlp.gate_proj = Linear8bit()
    with pytest.raises(UserError, match=r"layers\.1\.mlp\.gate_proj is quantised \(Linear8bit\)"):
        linears(tiny_model.net)


def test_layers_that_share_a_matrix_are_refused_by_name(tiny_model: Model) -> None:
    one, two = layers(tiny_model.net)
    two.mlp.up_proj.weight = one.mlp.up_proj.weight  # type: ignore[union-attr]
    with pytest.raises(
        UserError, match=r"layers\.0\.mlp\.up_proj and layers\.1\.mlp\.up_proj share"
    ):
        linears(tiny_model.net)


@pytest.mark.parametrize("spec", ["critical_weights(q=0)", "critical_weights(p=1)"])
def test_taking_nothing_or_everything_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match="critical_weights cannot take"):
        registry.parse(PROBES, spec)


def test_one_share_or_several_may_be_given() -> None:
    config = registry.parse(PROBES, "critical_weights(q=[0.01, 0.02], p=0.5)")
    assert isinstance(config, CriticalWeights)
    assert (config.q, config.p) == ((0.01, 0.02), (0.5,))


def test_rewinding_without_another_model_says_so(tiny_model: Model) -> None:
    with pytest.raises(UserError, match="--against"):
        critical_weights(CriticalWeights(rewind=True), looking(tiny_model))


def test_scores_are_finite(tiny_model: Model) -> None:
    for layer in snip(tiny_model, SAFE):
        for _, score in layer:
            assert math.isfinite(float(score.sum()))
            assert float(score.min()) >= 0
