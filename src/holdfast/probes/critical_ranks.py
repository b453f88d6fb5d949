"""Safety-critical ranks (Wei et al., "Assessing the Brittleness of Safety Alignment via Pruning and
Low-Rank Modifications", ICML 2024, arXiv 2402.05162, sections 3.2 and 4).

Directions of a matrix's outputs that refusals use and other answers do not are projected out.

Equation: Delta W(r_u, r_s) = (I - Pi_u) Pi_s W, W := W - Delta W. Pi_u keeps the top R - r_u ranks
of W X_u (harmless answers), Pi_s the top R - r_s ranks of W X_s (refusals). So Delta W has at most
min(r_u, R - r_s) ranks: what is least used by utility and most used by safety.

Differs from the paper: r_u and r_s are shares of R = min(d_out, d_in), since matrices differ;
refusals are the policy's. With several shares the pair is chosen on select requests and measured on
report requests. Controls take as many ranks: random ones, the top and the least of safety.

Shows a defender: what an attacker with the weights can undo without tuning. What answers that:
nothing that leaves the weights open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.probes.actsvd import Basis
from holdfast.probes.linears import Linear, put_back
from holdfast.probes.looking import Found, Looking, Probe, Share, Shares
from holdfast.probes.masks import count
from holdfast.probes.paired import bases
from holdfast.probes.trials import Trial, best, plot, sentence, table, trial

if TYPE_CHECKING:
    from torch import Tensor


class CriticalRanks(Probe):
    """Output directions that refusals use and other answers do not.

    Attributes:
        r_u: share of ranks, from the least used by utility, that may be taken; several are
            searched over.
        r_s: share of ranks, from the least used by safety, that is kept nevertheless.
        at_most: share of ranks that may be taken, for the search.
        samples: rows of each kind.
        before: look at the tokens that answer tokens are predicted from, not at these themselves.
        controls: measure the controls too.
    """

    kind: Literal["critical_ranks"] = "critical_ranks"
    r_u: Shares = (0.025,)
    r_s: Shares = (0.5,)
    at_most: Share = 0.025
    samples: int = Field(128, ge=1)
    before: bool = False
    controls: bool = True

    paper: ClassVar[str] = "Wei et al., ICML 2024, arXiv 2402.05162"


@dataclass(frozen=True)
class Delta:
    """What is taken from one matrix: left (d_out, k) @ right (k, d_in)."""

    linear: Linear
    left: Tensor
    right: Tensor

    @property
    def ranks(self) -> int:
        """How many ranks at most."""
        return self.left.shape[1]


Choose = Callable[[Linear, Basis, Basis], Delta]


def critical_ranks(config: CriticalRanks, look: Looking) -> Found:
    """Finds the ranks, takes them out, asks the model, and puts them back."""
    r_u, r_s = config.r_u[0], config.r_s[0]
    searched: dict[tuple[float, float], Trial] = {}
    if len(config.r_u) * len(config.r_s) > 1:
        before = look.measure(look.model, split="select")
        pairs = {f"({u:g}, {s:g})": (u, s) for u, s in product(config.r_u, config.r_s)}
        choices = {name: orthogonal(*pair) for name, pair in pairs.items()}
        for name, deltas in found_deltas(config, look, choices).items():
            look.say(f"without ranks {name}")
            with without(deltas):
                seen = look.measure(look.model, split="select")
            searched[pairs[name]] = trial(name, share_of(deltas), seen, before)
        r_u, r_s = best(searched, config.at_most)
    before = look.measure(look.model)
    trials = {}
    choices = choices_of(look, r_u, r_s, controls=config.controls)
    for name, deltas in found_deltas(config, look, choices).items():
        look.say(f"without {name}")
        with without(deltas):
            trials[name] = trial(name, share_of(deltas), look.measure(look.model), before)
    figures = {
        "r_u": r_u,
        "r_s": r_s,
        "before": asdict(before),
        "trials": [t.to_json() for t in trials.values()],
        "searched": [{"r_u": u, "r_s": s, **t.to_json()} for (u, s), t in searched.items()],
    }
    main = next(iter(trials.values()))
    return Found(
        (sentence(main, before, "ranks"),),
        (table("Ranks", trials, before),),
        figures,
        (plot("ranks", trials, before),),
    )


def orthogonal(r_u: float, r_s: float) -> Choose:
    """Delta W(r_u, r_s); I - Pi_u is the projection on the least r_u ranks of utility."""

    def choose(linear: Linear, safety: Basis, utility: Basis) -> Delta:
        unused = utility.least(taken_of(utility, r_u))
        used = safety.top(safety.rank - count(r_s, safety.rank))
        right = (unused.T @ used) @ (used.T @ linear.weight.float())
        return Delta(linear, unused, right)

    return choose


def taken_of(basis: Basis, share: float) -> int:
    """How many of a matrix's ranks a share is; one at least."""
    return max(1, count(share, basis.rank))


def projected(linear: Linear, directions: Tensor) -> Delta:
    """All that the matrix writes along some orthonormal directions (d_out, k)."""
    return Delta(linear, directions, directions.T @ linear.weight.float())


def choices_of(look: Looking, r_u: float, r_s: float, *, controls: bool) -> dict[str, Choose]:
    """The orthogonal projection and, with `controls`, as many ranks chosen otherwise."""
    import torch

    chance = torch.Generator().manual_seed(look.seed)
    chosen: dict[str, Choose] = {f"ΔW({r_u:g}, {r_s:g})": orthogonal(r_u, r_s)}
    if not controls:
        return chosen

    def at_random(linear: Linear, safety: Basis, utility: Basis) -> Delta:
        size = (safety.rank, taken_of(safety, r_u))
        drawn = torch.randn(size, generator=chance).to(safety.directions.device)
        return projected(linear, safety.directions @ torch.linalg.qr(drawn).Q)

    def top(linear: Linear, safety: Basis, utility: Basis) -> Delta:
        return projected(linear, safety.top(taken_of(safety, r_u)))

    def least(linear: Linear, safety: Basis, utility: Basis) -> Delta:
        return projected(linear, safety.least(taken_of(safety, r_u)))

    return {**chosen, "as many at random": at_random, "top safety": top, "least safety": least}


def found_deltas(
    config: CriticalRanks, look: Looking, choices: Mapping[str, Choose]
) -> dict[str, list[Delta]]:
    """What every choice takes, from one pass over the layers."""
    deltas: dict[str, list[Delta]] = {name: [] for name in choices}
    for linear, safety, utility in bases(look.contrast(config.samples), before=config.before):
        for name, choose in choices.items():
            deltas[name].append(choose(linear, safety, utility))
    return deltas


def share_of(deltas: Sequence[Delta]) -> float:
    """The share of all ranks that is taken."""
    return sum(d.ranks for d in deltas) / sum(min(d.linear.weight.shape) for d in deltas)


@contextmanager
def without(deltas: Sequence[Delta]) -> Iterator[None]:
    """The model without these ranks; they come back at the end."""
    with put_back(delta.linear for delta in deltas):
        for delta in deltas:
            delta.linear.weight.sub_((delta.left @ delta.right).to(delta.linear.weight.dtype))
        yield
