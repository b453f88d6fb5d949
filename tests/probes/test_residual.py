"""The residual stream: what separates, what adding and projecting out do."""

from __future__ import annotations

import torch

from holdfast.models import Model, encode_prompt, layers
from holdfast.probes.residual import activations, added, projected_out, separate

from .worlds import EVERY, SAFE, USEFUL


@EVERY
def test_activations_are_what_leaves_the_layers_at_the_last_tokens(tiny_model: Model) -> None:
    found = activations(tiny_model, SAFE, 2)
    assert found.shape == (4, 2, 2, 32)
    ids = torch.tensor([encode_prompt(SAFE[1], tiny_model.tokenizer)])
    with torch.no_grad():
        told = tiny_model.net(input_ids=ids, output_hidden_states=True)
    torch.testing.assert_close(found[1, 0], told.hidden_states[1][0, -2:])


def test_a_planted_direction_is_found_and_told_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 40, 3, 2, 8, generator=generator)
    planted = torch.zeros(8)
    planted[5] = 4.0
    noise[0, :, 1, 0] += planted
    apart = separate(noise[0], noise[1])
    assert int(apart.gap.argmax()) == 2  # layer 1, position 0
    assert float(apart.auroc[1, 0]) > 0.95
    assert int(apart.directions[1, 0].abs().argmax()) == 5


@EVERY
def test_nothing_along_a_projected_direction_leaves_any_layer(tiny_model: Model) -> None:
    direction = separate(activations(tiny_model, SAFE, 1), activations(tiny_model, USEFUL, 1))
    r = direction.directions[0, 0]
    with projected_out(tiny_model.net, r):
        left = activations(tiny_model, SAFE, 1)
    before = activations(tiny_model, SAFE, 1)
    assert float((left @ r).abs().max()) < 1e-4 * float((before @ r).abs().max())


@EVERY
def test_an_added_direction_moves_what_leaves_its_layer(tiny_model: Model) -> None:
    r = torch.ones(32)
    before = activations(tiny_model, SAFE, 1)
    with added(tiny_model.net, 0, r):
        after = activations(tiny_model, SAFE, 1)
    torch.testing.assert_close(after[:, 0], before[:, 0] + r, rtol=1e-3, atol=1e-3)
    assert not any(layer._forward_hooks for layer in layers(tiny_model.net))
