"""Weights in few bits: the codes, and the box around a weight."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from holdfast.models import Model
from holdfast.probes.linears import linears
from holdfast.quantise import BLOCK, NF4, Bits, box, dequantise, quantise, quantised_view

BITS = get_args(Bits)
every_code = pytest.mark.parametrize("bits", BITS)


def matrix(seed: int = 0, shape: tuple[int, int] = (12, 40)) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.05


def test_int8_stores_each_row_in_steps_of_its_largest_weight() -> None:
    told = quantise(torch.tensor([[0.5, -1.0, 0.003], [0.0, 0.0, 0.0], [2.0, 0.99, 1.0]]), "int8")
    assert told.codes.tolist() == [[64, -127, 0], [0, 0, 0], [127, 63, 64]]
    assert told.scales.flatten().tolist() == [1.0, 0.0, 2.0]


def test_nf4_stores_the_nearest_of_sixteen_values_in_blocks_of_64() -> None:
    weight = matrix(shape=(6, 25))  # 150 weights: two blocks and a part of one
    flat, values = weight.flatten(), torch.tensor(NF4)
    expected = []
    for first in range(0, 150, BLOCK):
        part = flat[first : first + BLOCK]
        scale = part.abs().max()
        nearest = (part[:, None] / scale - values).abs().argmin(dim=1)
        expected.append(values[nearest] * scale)
    told = dequantise(quantise(weight, "nf4"))
    torch.testing.assert_close(told, torch.cat(expected).reshape(6, 25), rtol=1e-6, atol=0)


@every_code
def test_quantising_twice_changes_nothing_more(bits: Bits) -> None:
    once = dequantise(quantise(matrix(), bits))
    assert torch.equal(dequantise(quantise(once, bits)), once)
    assert not torch.equal(once, matrix())


@every_code
@pytest.mark.parametrize("seed", range(5))
def test_every_weight_in_the_box_is_stored_as_the_same_code(bits: Bits, seed: int) -> None:
    weight = matrix(seed)
    around, stored = box(weight, bits), quantise(weight, bits)
    mixed = torch.rand(weight.shape, generator=torch.Generator().manual_seed(9))
    for moved in (around.low, around.high, torch.lerp(around.low, around.high, mixed)):
        again = quantise(moved, bits)
        assert torch.equal(again.codes, stored.codes)
        assert torch.equal(again.scales, stored.scales)


@every_code
def test_the_box_holds_the_weights_and_is_nearly_as_wide_as_a_step(bits: Bits) -> None:
    weight = matrix()
    around = box(weight, bits)
    assert bool((around.low <= weight).all())
    assert bool((weight <= around.high).all())
    if bits == "int8":
        steps = weight.abs().amax(dim=1, keepdim=True) / 127
        free = weight.abs() < 0.99 * weight.abs().amax(dim=1, keepdim=True)
        widths = ((around.high - around.low) / steps)[free]
        assert 0.99 < float(widths.min()) <= float(widths.max()) < 1.0


@every_code
def test_what_a_scale_comes_from_may_not_move(bits: Bits) -> None:
    weight = torch.tensor([[0.1, -0.7, 0.3]])
    around = box(weight, bits)
    assert around.low[0, 1] == around.high[0, 1] == weight[0, 1]


@every_code
def test_just_outside_the_box_the_code_is_another(bits: Bits) -> None:
    weight = matrix()
    around, stored = box(weight, bits), quantise(weight, bits).codes.flatten()
    wider = torch.where(
        around.high > around.low, around.high + 0.01 * (around.high - around.low), weight
    )
    changed = quantise(wider, bits).codes.flatten()[: weight.numel()] != stored[: weight.numel()]
    # All but what the scales come from, and the topmost code, which nothing lies above.
    assert float(changed.float().mean()) > 0.8


@every_code
def test_a_view_rounds_the_layers_matrices_and_nothing_else(bits: Bits, tiny_model: Model) -> None:
    before = {name: p.clone() for name, p in tiny_model.net.named_parameters()}
    view = quantised_view(tiny_model, bits)
    for mine, theirs in zip(linears(tiny_model.net), linears(view.net), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert torch.equal(other.weight, dequantise(quantise(one.weight, bits)))
    after = dict(view.net.named_parameters())
    rounded = {n for n in before if not torch.equal(before[n], after[n])}
    assert rounded == {n for n in before if "proj" in n}
    assert all(torch.equal(p, before[n]) for n, p in tiny_model.net.named_parameters())
    assert view.digest != tiny_model.digest


@pytest.mark.parametrize("tiny_model", ["gpt_neox"], indirect=True)
def test_a_view_of_another_architecture_is_rounded_too(tiny_model: Model) -> None:
    view = quantised_view(tiny_model, "int8")
    assert view.digest != tiny_model.digest
