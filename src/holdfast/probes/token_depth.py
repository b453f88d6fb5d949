"""Token depth (Qi et al., "Safety Alignment Should Be Made More Than Just a Few Tokens Deep", ICLR
2025, arXiv 2406.05946, section 2).

How many tokens of a reply has alignment changed? Along forbidden answers the aligned model is
compared with the one before alignment, token by token; along harmful rows, where tuning pulls.

Equations: KL_k = D_KL( pi_aligned(. | x, y_<k) || pi_base(. | x, y_<k) ) at every token k of a
forbidden answer y; loss_k = -log pi_aligned(y_k | x, y_<k) and || grad_theta loss_k ||, both over a
batch of harmful rows. Share = sum_{k<=5} KL_k / sum_k KL_k of one answer, then the mean.

Differs from the paper: the gradient is that of all weights (the authors' code takes the last three
blocks and the head); the share in the first tokens as one figure with an interval is ours.

Shows a defender: if a few tokens hold all of the difference, a forced start or a few rows of tuning
that move those tokens undo it. What answers that: recovery_augmentation, constrained_sft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast import stats
from holdfast.probes.looking import (
    Counts,
    Found,
    Looking,
    Plot,
    Point,
    Probe,
    Table,
    mean,
)

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model

ROWS_AT_ONCE = 32


class TokenDepth(Probe):
    """Where along a reply two models differ.

    Attributes:
        first: tokens whose share of the divergence is the probe's figure.
        positions: tokens of an answer that tables show, from its first.
        samples: forbidden answers the divergence is measured on.
        batch: harmful rows of the loss and its gradient; 0 leaves them out.
        prefill: forced answer starts, in tokens, at which compliance is measured.
    """

    kind: Literal["token_depth"] = "token_depth"
    first: int = Field(5, ge=1)
    positions: int = Field(20, ge=1)
    samples: int = Field(225, ge=1)
    batch: int = Field(10, ge=0)
    prefill: Counts = (0, 5, 10, 20)

    paper: ClassVar[str] = "Qi et al., ICLR 2025, arXiv 2406.05946"
    needs_other: ClassVar[bool] = True


def token_depth(config: TokenDepth, look: Looking) -> Found:
    """Divergence, loss and gradient by position, and compliance by forced start."""
    base = look.compared(config.kind)
    rows = look.rows("held_out", config.samples)
    look.say("divergence along forbidden answers")
    kl = divergences(look.model, base, rows)
    shares = [float(k[: config.first].sum() / k.sum()) for k in kl]
    interval = stats.cluster_bootstrap(shares, [r.tag for r in rows], seed=look.seed)
    even = mean([min(config.first, len(k)) / len(k) for k in kl])
    by_position = [
        mean([float(k[at]) for k in kl if at < len(k)]) for at in range(config.positions)
    ]
    figures: dict[str, Any] = {
        "share_first": mean(shares),
        "share_first_low": interval.low,
        "share_first_high": interval.high,
        "share_if_even": even,
        "answers": len(rows),
        "kl": by_position,
    }
    if config.batch:
        look.say("loss and gradient along harmful rows")
        harmful = look.rows("harmful", config.batch)
        pulls = list(pull(look.model, harmful, config.positions))
        figures |= {"loss": [a for a, _ in pulls], "gradient": [b for _, b in pulls]}
    depths = {}
    for depth in config.prefill:
        look.say(f"compliance after {depth} forced tokens")
        depths[depth] = look.measure(look.model, f"prefill(depth={depth})", tasks=False).complied
    figures["prefill"] = depths
    said = (
        f"{mean(shares):.0%} of the divergence from {base.name} lies in the first {config.first} "
        f"tokens of a forbidden answer (95 % interval {interval.low:.0%} to {interval.high:.0%}, "
        f"{len(rows)} answers); evenly spread it would be {even:.0%}.",
    )
    return Found(said, _tables(figures, config), figures, tuple(_plots(figures, base.name)))


def divergences(model: Model, other: Model, rows: Sequence[Row]) -> list[Tensor]:
    """KL_k in nats at every answer token, for each row: (answer tokens,), in the rows' order."""
    import torch

    from holdfast.losses import answer_logits
    from holdfast.probes.batching import batches

    found: list[Tensor] = [torch.empty(0)] * len(rows)
    with torch.no_grad():
        for batch in batches(model, rows, ROWS_AT_ONCE):
            ours = answer_logits(model.net, batch)[0].double().log_softmax(-1)
            theirs = answer_logits(other.net, batch)[0].double().log_softmax(-1)
            kl = (ours.exp() * (ours - theirs)).sum(-1).clamp(min=0).cpu()
            told = (batch.weights[:, 1:] != 0).sum(1).tolist()
            for row, values in zip(batch.index, torch.split(kl, told), strict=True):
                found[row] = values
    return found


def pull(model: Model, rows: Sequence[Row], positions: int) -> Iterator[tuple[float, float]]:
    """Mean loss of the k-th answer token and the norm of its gradient, for k = 1, 2, …

    It ends at the longest answer's last token.
    """
    import torch
    import torch.nn.functional as F

    from holdfast.batches import collate
    from holdfast.encode import encode_all
    from holdfast.losses import answer_logits

    batch = collate(encode_all(rows, model.tokenizer)).to(model.net.device)
    logits, targets, _ = answer_logits(model.net, batch)
    losses = F.cross_entropy(logits, targets, reduction="none")
    answered = batch.weights[:, 1:] != 0
    place = answered.long().cumsum(1)[answered]  # 1, 2, … along every answer
    weights = [p for p in model.net.parameters() if p.requires_grad]
    for k in range(1, min(positions, int(place.max())) + 1):
        loss = losses[place == k].mean()
        grads = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        norms = [g.double().norm() for g in grads if g is not None]
        yield float(loss.detach()), float(torch.stack(norms).norm())


def _plots(figures: dict[str, Any], base: str) -> Iterator[Plot]:
    kl = tuple(Point("KL", at + 1, value) for at, value in enumerate(figures["kl"]))
    yield Plot(f"Divergence from {base} along forbidden answers", "lines", "token", "nats", kl)
    for name, title in (("loss", "Loss"), ("gradient", "Gradient norm")):
        if name in figures:
            points = tuple(Point(name, at + 1, v) for at, v in enumerate(figures[name]))
            yield Plot(f"{title} of a harmful batch along answers", "lines", "token", name, points)
    forced = tuple(Point("complied", depth, v) for depth, v in figures["prefill"].items())
    if forced:
        yield Plot(
            "Compliance after a forced start",
            "lines",
            "forced tokens",
            "complied",
            forced,
            share=True,
        )


def _tables(figures: dict[str, Any], config: TokenDepth) -> tuple[Table, ...]:
    columns = [("KL, nats", "kl"), ("loss, nats", "loss"), ("gradient", "gradient")]
    there = [(title, figures[name]) for title, name in columns if name in figures]
    lines = [
        (at + 1, *(f"{told[at]:.3f}" if at < len(told) else "" for _, told in there))
        for at in range(config.positions)
    ]
    along = Table("Along an answer", ("token", *(title for title, _ in there)), tuple(lines))
    starts = tuple((depth, f"{rate:.0%}") for depth, rate in figures["prefill"].items())
    return along, Table("Forced starts", ("tokens forced", "complied"), starts)
