"""Weights in few bits and back, as bitsandbytes stores them, written plainly.

int8 (LLM.int8, Dettmers et al., arXiv 2208.07339): every output row w of a matrix is stored as
q = round(127 w / s), s = max |w|; its value is q s / 127. Activations stay as they are here.
nf4 (QLoRA, Dettmers et al., arXiv 2305.14314): every 64 weights in a row are stored as the nearest
of sixteen values v of [-1, 1] to w / s, s = max |w|; its value is v s. Scales stay in fp32 (no
double quantisation).

A box holds, for each weight, all values that are stored as the same code with the same scale, so
whatever happens inside the box is lost when the weights are quantised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model

Bits = Literal["int8", "nf4"]

BLOCK = 64
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
"""The code's values: QLoRA, appendix E."""
MARGIN = 1e-3  # of a step, kept from a box's edges, where rounding could go either way


@dataclass(frozen=True)
class Coded:
    """A matrix as it is stored.

    Attributes:
        bits: the code.
        codes: (rows, n) int8 numbers of values; n is the width of a row or of a block.
        scales: (rows, 1) largest absolute value of each row.
        shape: of the matrix.
    """

    bits: Bits
    codes: Tensor
    scales: Tensor
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Box:
    """The least and the largest value of each weight that is stored as the same code."""

    low: Tensor
    high: Tensor


def quantise(weight: Tensor, bits: Bits) -> Coded:
    """A matrix (d_out, d_in) in few bits."""
    import torch

    rows = _rows(weight, bits)
    scales = rows.abs().amax(dim=1, keepdim=True)
    told = rows / scales.clamp(min=torch.finfo(rows.dtype).tiny)
    codes = (told * 127).round() if bits == "int8" else torch.bucketize(told, _middles(rows))
    return Coded(bits, codes.to(torch.int8), scales, tuple(weight.shape))


def dequantise(coded: Coded) -> Tensor:
    """The matrix that is computed with, in fp32."""
    if coded.bits == "int8":
        return _matrix(coded.codes * (coded.scales / 127), coded)
    return _matrix(_values(coded.scales)[coded.codes.long()] * coded.scales, coded)


def box(weight: Tensor, bits: Bits) -> Box:
    """The box around a matrix. What a row's scale comes from may not move at all."""
    import torch

    coded = quantise(weight, bits)
    codes, scales = coded.codes, coded.scales
    if bits == "int8":
        reach = 0.5 - MARGIN
        low, high = ((codes + side * reach) * (scales / 127) for side in (-1, 1))
    else:
        values, middles = _values(scales), _middles(scales)
        ends = torch.cat([values[:1], middles, values[-1:]])
        steps = MARGIN * (ends[1:] - ends[:-1])
        low = (ends[:-1] + steps)[codes.long()] * scales
        high = (ends[1:] - steps)[codes.long()] * scales
    low, high = torch.maximum(low, -scales), torch.minimum(high, scales)
    rows = _rows(weight, bits)
    fixed = rows.abs() == scales
    low, high = torch.where(fixed, rows, low), torch.where(fixed, rows, high)
    # Rounding may have put a weight on an edge, or a hair outside of it.
    low, high = torch.minimum(low, rows), torch.maximum(high, rows)
    return Box(_matrix(low, coded), _matrix(high, coded))


def quantised_view(model: Model, bits: Bits) -> Model:
    """A copy of the model that computes with what is left of its layers' matrices.

    Embedding and output head stay as they are, as is usual.

    Raises:
        UserError: a layer's matrices are quantised already, or shared.
    """
    from holdfast.models import clone, digest_of
    from holdfast.probes.linears import linears

    view = clone(model)
    for layer in linears(view.net):
        for linear in layer:
            linear.weight.copy_(dequantise(quantise(linear.weight, bits)))
    view.name, view.digest = f"{model.name} in {bits}", digest_of(view)
    return view


def _rows(weight: Tensor, bits: Bits) -> Tensor:
    """The weights in fp32, those that share a scale in one row; a last block is filled with 0."""
    from torch.nn.functional import pad

    weight = weight.detach().float()
    if bits == "int8":
        return weight
    flat = weight.reshape(-1)
    return pad(flat, (0, -len(flat) % BLOCK)).reshape(-1, BLOCK)


def _matrix(rows: Tensor, coded: Coded) -> Tensor:
    """Back from rows of common scale to the matrix."""
    import math

    return rows.reshape(-1)[: math.prod(coded.shape)].reshape(coded.shape)


def _values(like: Tensor) -> Tensor:
    import torch

    return torch.tensor(NF4, dtype=like.dtype, device=like.device)


def _middles(like: Tensor) -> Tensor:
    """Where the nearest value changes."""
    values = _values(like)
    return (values[1:] + values[:-1]) / 2
