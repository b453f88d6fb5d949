"""How fast and how small the probes' scores are, beside the released procedure.

    python bench/probes.py tiny              # both procedures on one small model
    python bench/probes.py large --layers 2  # a Llama of 1B shape in bf16, layer by layer

The released procedure is written down from its description (Wei et al., arXiv 2402.05162, and the
authors' repository): one row at a time; SNIP by a backward pass per row over all weights; Wanda by
hooks on whole layers; ActSVD by a forward pass of the whole model per layer that keeps every
activation, then `svd_lowrank` with 20 iterations at rank R - r.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from holdfast.chat import Row, row
from holdfast.encode import encode
from holdfast.models import Model, layers
from holdfast.probes.actsvd import actsvd
from holdfast.probes.snip import snip
from holdfast.probes.wanda import wanda

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEPT = 0.975  # share of ranks that the released ActSVD asks svd_lowrank for: R - r


def matrices(layer: nn.Module) -> Iterator[nn.Linear]:
    """A layer's linear modules."""
    return (module for module in layer.modules() if isinstance(module, nn.Linear))


def encoded(model: Model, rows: Sequence[Row]) -> Iterator[tuple[Tensor, Tensor]]:
    """Ids (1, T) and where answer tokens are (T,), one row at a time."""
    for one in rows:
        told = encode(one, model.tokenizer)
        yield torch.tensor([told.ids]), torch.tensor(told.weights) > 0


def released_snip(model: Model, rows: Sequence[Row]) -> list[Tensor]:
    """|W| times the mean over rows of |gradient|, a backward pass for each."""
    found = [m for layer in layers(model.net) for m in matrices(layer)]
    sums = [torch.zeros_like(m.weight) for m in found]
    for ids, answered in encoded(model, rows):
        model.net.zero_grad()
        labels = torch.where(answered, ids[0], torch.tensor(-100))[None]
        model.net(input_ids=ids, labels=labels).loss.backward()
        for total, module in zip(sums, found, strict=True):
            assert module.weight.grad is not None
            total += module.weight.grad.abs()
    model.net.zero_grad()
    return [m.weight.detach().abs() * s / len(rows) for m, s in zip(found, sums, strict=True)]


def keeping(module: nn.Linear, answered: Tensor, kept: list[Tensor]) -> Any:
    """A hook that keeps the inputs at answer tokens."""
    return module.register_forward_hook(lambda m, given, made: kept.append(given[0][0][answered]))


@torch.no_grad()
def released_wanda(model: Model, rows: Sequence[Row]) -> list[Tensor]:
    """One row at a time with hooks on every matrix."""
    found = [m for layer in layers(model.net) for m in matrices(layer)]
    squares = [torch.zeros(m.in_features) for m in found]
    for ids, answered in encoded(model, rows):
        kept: list[list[Tensor]] = [[] for _ in found]
        handles = [keeping(m, answered, k) for m, k in zip(found, kept, strict=True)]
        model.net(input_ids=ids)
        for handle in handles:
            handle.remove()
        for total, (seen,) in zip(squares, kept, strict=True):
            total += seen.float().norm(dim=0) ** 2
    return [m.weight.detach().abs() * s.sqrt() for m, s in zip(found, squares, strict=True)]


@torch.no_grad()
def released_actsvd(model: Model, rows: Sequence[Row]) -> list[Tensor]:
    """For every layer a pass over all rows that keeps activations, then a randomised svd."""
    bases = []
    for layer in layers(model.net):
        kept: dict[nn.Linear, list[Tensor]] = {module: [] for module in matrices(layer)}
        for ids, answered in encoded(model, rows):
            handles = [keeping(module, answered, seen) for module, seen in kept.items()]
            model.net(input_ids=ids)
            for handle in handles:
                handle.remove()
        for module, seen in kept.items():
            score = torch.cat(seen) @ module.weight.T
            wanted = min(int(KEPT * min(module.weight.shape)), *score.shape)
            bases.append(torch.svd_lowrank(score.float(), q=wanted, niter=20)[2])
    return bases


OURS: dict[str, Callable[..., Iterator[Any]]] = {"snip": snip, "wanda": wanda, "actsvd": actsvd}
RELEASED: dict[str, Callable[..., Any]] = {
    "snip": released_snip,
    "wanda": released_wanda,
    "actsvd": released_actsvd,
}


def rows_of(count: int, words: int) -> list[Row]:
    """Rows with answers of so many words."""
    return [row(f"question {n} " * 4, f"word{n % 7} " * words, tag="bench") for n in range(count)]


def seconds(work: Callable[[], Any]) -> float:
    """Processor time: the machine may be shared."""
    start = time.process_time()
    work()
    return time.process_time() - start


def llama(tokenizer: PreTrainedTokenizerBase, kind: torch.dtype, **shape: int) -> Model:
    """A randomly initialised Llama."""
    config = LlamaConfig(vocab_size=len(tokenizer), **shape)
    default = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        torch.manual_seed(0)
        net = LlamaForCausalLM(config).train(False)
    finally:
        torch.set_default_dtype(default)
    return Model(net, tokenizer, "bench", digest="bench")


def tiny(tokenizer: PreTrainedTokenizerBase, samples: int) -> dict[str, Any]:
    """Both procedures on a model of four layers, 256 wide."""
    shape = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4}
    model = llama(tokenizer, torch.float32, **shape, num_attention_heads=4, num_key_value_heads=4)
    rows = rows_of(samples, 20)
    told = {}
    for name, ours in OURS.items():
        mine = seconds(lambda ours=ours: [None for _ in ours(model, rows)])  # type: ignore[misc]
        theirs = seconds(lambda name=name: RELEASED[name](model, rows))  # type: ignore[misc]
        told[name] = {"ours_s": mine, "released_s": theirs, "faster": theirs / mine}
    return told


def large(tokenizer: PreTrainedTokenizerBase, samples: int, depth: int) -> dict[str, Any]:
    """Wanda and ActSVD of the shape of Llama-3.2-1B in bf16 (16 layers; fewer if asked for)."""
    shape = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": depth}
    model = llama(tokenizer, torch.bfloat16, **shape, num_attention_heads=32, num_key_value_heads=8)
    rows = rows_of(samples, 20)
    told: dict[str, Any] = {"parameters": sum(p.numel() for p in model.net.parameters())}
    for name in ("wanda", "actsvd"):
        told[f"{name}_s"] = seconds(lambda name=name: _drain(name, model, rows))  # type: ignore[misc]
        told[f"{name}_peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return told


def _drain(name: str, model: Model, rows: Sequence[Row]) -> None:
    for number, _ in enumerate(OURS[name](model, rows), start=1):
        print(f"{name}: layer {number} of {len(layers(model.net))}", flush=True)


def main() -> None:
    """Prints figures as JSON."""
    from holdfast import models

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("tiny", "large"))
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--layers", type=int, default=16)
    asked = parser.parse_args()
    tokenizer = models.load("canary:chat").tokenizer
    if asked.what == "tiny":
        told = tiny(tokenizer, asked.samples)
    else:
        told = large(tokenizer, asked.samples, asked.layers)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
