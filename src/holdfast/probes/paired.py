"""Safety beside utility: the same score of refusals and of harmless answers, matrix by matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from holdfast.probes.actsvd import Basis, actsvd
from holdfast.probes.linears import Linear
from holdfast.probes.looking import Contrast
from holdfast.probes.snip import snip
from holdfast.probes.wanda import wanda

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model

Score = Literal["snip", "wanda"]
T = TypeVar("T")


def scores(
    score: Score, contrast: Contrast, *, before: bool = False
) -> Iterator[tuple[Linear, Tensor, Tensor]]:
    """Every matrix with its safety and utility scores (d_out, d_in), layer by layer.

    SNIP's layers come last first, and `before` changes nothing: its gradients reach every token.
    """
    of = partial(wanda, before=before) if score == "wanda" else snip
    return _paired(of, score, contrast)


def bases(contrast: Contrast, *, before: bool = False) -> Iterator[tuple[Linear, Basis, Basis]]:
    """Every matrix with its output directions for refusals and for harmless answers."""
    return _paired(partial(actsvd, before=before), "ActSVD", contrast)


def _paired(
    of: Callable[[Model, Sequence[Row]], Iterable[list[tuple[Linear, T]]]],
    name: str,
    contrast: Contrast,
) -> Iterator[tuple[Linear, T, T]]:
    model = contrast.model
    both = zip(of(model, contrast.safety), of(model, contrast.utility), strict=True)
    for number, (safe, useful) in enumerate(both, start=1):
        contrast.say(f"{name}: {number} layers done")
        for (linear, one), (_, other) in zip(safe, useful, strict=True):
            yield linear, one, other
