"""Drift: where a tune moved the weights, beside what safety hangs on (after Wei et al., ICML 2024,
arXiv 2402.05162, for weights and ranks; Arditi et al., arXiv 2406.11717, for the direction).

A tune can be read without a single request: how large is its update, is it low-rank, and does it
lie on the weights, ranks and direction that refusals hang on in the model before?

Equations, D = W_tuned - W_before of a matrix: ||D||_F / ||W||_F; spectral norm ||D||_2; stable rank
||D||_F^2 / ||D||_2^2. On weights: ||D * S(p, q)||_F^2 / ||D||_F^2, over the share of weights in
S(p, q). On ranks: ||(I - Pi_u) Pi_s D||_F^2 / ||D||_F^2, over ||(I - Pi_u) Pi_s||_F^2 / d_out. On
the direction: ||r^T D||^2 / ||D||_F^2, over 1 / d, for matrices that write to the residual stream.
Each ratio is 1 where the update lies anywhere, more where it seeks safety out.

Differs from the papers: they ask what taking these out does; that a tune goes there is our
question. Scores are those of the model before; `--against` names it. Where the tuned model is an
adapter's folder, its low-rank factors are read by themselves too (`probes/adapter.py`).

Shows a defender: a provider can inspect an update it was given. A ratio near 1 proves nothing: a
tune can break safety without touching what pruning would take (the papers' freezing experiment).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.probes import adapter
from holdfast.probes.linears import Linear, matching
from holdfast.probes.looking import (
    Found,
    Looking,
    Plot,
    Point,
    Probe,
    Share,
    Table,
    mean,
)
from holdfast.probes.masks import count, set_difference
from holdfast.probes.paired import Score, bases, scores
from holdfast.probes.residual import activations, separate

if TYPE_CHECKING:
    from torch import Tensor


class Drift(Probe):
    """Where an update lies.

    Attributes:
        score: what a weight's importance is.
        p: top share of a row by utility.
        q: top share of a row by safety.
        r_u: share of ranks least used by utility.
        r_s: share of ranks least used by safety.
        samples: rows of each kind.
    """

    kind: Literal["drift"] = "drift"
    score: Score = "snip"
    p: Share = 0.05
    q: Share = 0.05
    r_u: Share = 0.1
    r_s: Share = 0.5
    samples: int = Field(128, ge=8)

    paper: ClassVar[str] = "Wei et al., ICML 2024, arXiv 2402.05162"
    needs_other: ClassVar[bool] = True


@dataclass
class Moved:
    """One matrix's update; the ratios are 1 where it lies anywhere."""

    size: float
    spectral: float
    stable_rank: float
    weights: float = 0.0
    ranks: float = 0.0
    direction: float | None = None


def drift(config: Drift, look: Looking) -> Found:
    """Measures the update matrix by matrix; scores are those of the model before."""
    before = look.compared(config.kind)
    there = replace(look, model=before, other=None)
    tuned = matching(look.model.net)
    updates = {
        path: tuned[path].weight.float() - linear.weight.float()
        for path, linear in matching(before.net).items()
    }
    moved = {
        path: moved_of(update, tuned[path]) for path, update in updates.items() if update.any()
    }
    if not moved:
        return Found((f"{look.model.name} has the matrices of {before.name}: nothing moved.",))
    look.say("critical weights of the model before")
    _on_weights(config, there, updates, moved)
    look.say("critical ranks of the model before")
    _on_ranks(config, there, updates, moved)
    cosine = _on_direction(config, look, there, updates, moved)
    ratios = {
        "weights": mean([m.weights for m in moved.values()]),
        "ranks": mean([m.ranks for m in moved.values()]),
        "direction": mean([m.direction for m in moved.values() if m.direction is not None]),
    }
    size = mean([m.size for m in moved.values()])
    said = [
        f"{len(moved)} of {len(updates)} matrices moved, by {size:.1%} of their size on average. "
        f"The update's energy lies {ratios['weights']:.1f} times as much on safety-critical "
        f"weights as anywhere, {ratios['ranks']:.1f} times on safety-critical ranks, "
        f"{ratios['direction']:.1f} times on the refusal direction.",
        f"The refusal directions before and after have a cosine of {cosine:.2f}.",
    ]
    figures: dict[str, Any] = {
        "ratios": ratios,
        "cosine": cosine,
        "matrices": {path: vars(one) for path, one in moved.items()},
    }
    tables = [_table(moved)]
    folder = Path(look.model.name)
    if (folder / adapter.CONFIG).is_file():
        factors, others = adapter.inspect(folder)
        tables.append(adapter.table(factors))
        figures["adapter"] = {"updates": [asdict(one) for one in factors], "others": others}
        if others:
            said.append(f"The adapter brings {len(others)} whole tensors too, such as {others[0]}.")
    lies = tuple(
        Point(what, path, value)
        for path, one in moved.items()
        for what, value in (("weights", one.weights), ("ranks", one.ranks))
    )
    plot = Plot(
        "Where the update lies: its energy on what safety hangs on, 1 being anywhere",
        "bars",
        "matrix",
        "times",
        lies,
    )
    return Found(tuple(said), tuple(tables), figures, (plot,))


def moved_of(update: Tensor, linear: Linear) -> Moved:
    """Size, spectral norm and stable rank of an update (d_out, d_in)."""
    import torch

    spectral = float(torch.linalg.matrix_norm(update, 2))
    norm = float(update.norm())
    before = float((linear.weight.float() - update).norm())
    return Moved(norm / max(before, 1e-12), spectral, (norm / spectral) ** 2)


def _on_weights(
    config: Drift, there: Looking, updates: dict[str, Tensor], moved: dict[str, Moved]
) -> None:
    for linear, safety, utility in scores(config.score, there.contrast(config.samples)):
        if linear.path in moved:
            mask = set_difference(safety, utility, config.p, config.q)
            on = float(updates[linear.path][mask].square().sum())
            share = float(mask.float().mean())
            moved[linear.path].weights = _ratio(on, updates[linear.path], share)


def _on_ranks(
    config: Drift, there: Looking, updates: dict[str, Tensor], moved: dict[str, Moved]
) -> None:
    for linear, safety, utility in bases(there.contrast(config.samples)):
        if linear.path in moved:
            unused = utility.least(max(1, count(config.r_u, utility.rank)))
            used = safety.top(safety.rank - count(config.r_s, safety.rank))
            across = unused.T @ used
            update = updates[linear.path]
            on = float((across @ (used.T @ update)).square().sum())
            share = float(across.square().sum()) / len(update)
            moved[linear.path].ranks = _ratio(on, update, share)


def _on_direction(
    config: Drift,
    look: Looking,
    there: Looking,
    updates: dict[str, Tensor],
    moved: dict[str, Moved],
) -> float:
    """Fills the ratios and gives the cosine of the directions before and after."""
    import torch

    rows = [look.rows(kind, config.samples) for kind in ("safety", "utility")]
    look.say("refusal directions before and after")
    old, new = (
        separate(*(activations(model, kind, 1) for kind in rows))
        for model in (there.model, look.model)
    )
    best = int(old.gap[:, 0].argmax())
    before, after = old.directions[best, 0], new.directions[best, 0]
    r = before / before.norm()
    for path, one in moved.items():
        if len(updates[path]) == len(r) and path.endswith(WRITERS):
            along = (r.to(updates[path]) @ updates[path]).square().sum()
            one.direction = _ratio(float(along), updates[path], 1 / len(r))
    return float(torch.cosine_similarity(before, after, dim=0))


# What writes to the residual stream: Llama and its kin, GPT-NeoX, GPT-2.
WRITERS = ("o_proj", "down_proj", "attention.dense", "dense_4h_to_h", "c_proj", "out_proj", "fc2")


def _ratio(on: float, update: Tensor, share: float) -> float:
    total = float(update.square().sum())
    return on / total / share if total and share else 0.0


def _table(moved: dict[str, Moved]) -> Table:
    columns = (
        "matrix",
        "moved by",
        "spectral",
        "stable rank",
        "weights ×",
        "ranks ×",
        "direction ×",
    )
    lines = tuple(
        (
            path,
            f"{m.size:.2%}",
            f"{m.spectral:.3g}",
            f"{m.stable_rank:.1f}",
            f"{m.weights:.2f}",
            f"{m.ranks:.2f}",
            "" if m.direction is None else f"{m.direction:.2f}",
        )
        for path, m in moved.items()
    )
    return Table("Where the update lies", columns, lines)
