r"""Safety-critical weights (Wei et al., "Assessing the Brittleness of Safety Alignment via Pruning
and Low-Rank Modifications", ICML 2024, arXiv 2402.05162, sections 3.1 and 4).

Weights that matter for refusals and not for other answers are taken out: if few of them unlock the
model, its safety is a thin layer over its abilities.

Equation: S(p, q) = S_s(q) \ S_u(p), where S_s(q) holds the top q of each row of a matrix by the
score on refusals and S_u(p) the top p by the score on harmless answers; scores are SNIP's or
Wanda's on answer tokens. The weights of S(p, q) become 0, or those of the model before alignment.

Differs from the paper: refusals are the policy's, not the model's own. With several shares p and q
the pair is chosen on select requests and measured on report requests; the paper shows the whole
grid. The released code takes the top of the flattened matrix: `by_matrix`. Controls take as many
weights in every row: at random, the top ones by safety alone, the least safety-relevant ones.

Shows a defender: what an attacker with the weights can undo without tuning; freezing these weights
does not stop tuning (the paper's Table 4). What answers that: nothing that leaves the weights open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.probes.cuts import Cut, cut_of, share_of, taken
from holdfast.probes.linears import linears, matching
from holdfast.probes.looking import Contrast, Found, Looking, Probe, Share, Shares
from holdfast.probes.masks import as_many, at_random, set_difference
from holdfast.probes.paired import Score, scores
from holdfast.probes.trials import Trial, best, plot, sentence, table, trial

if TYPE_CHECKING:
    from torch import Tensor

Choose = Callable[["Tensor", "Tensor"], "Tensor"]


class CriticalWeights(Probe):
    """Weights that refusals need and other answers do not.

    Attributes:
        score: what a weight's importance is.
        p: top share of a row by utility that is kept; several are searched over.
        q: top share of a row by safety that is taken, but for those.
        at_most: share of all weights that may be taken, for the search.
        samples: rows of each kind that scores are averaged over.
        by_matrix: shares of whole matrices rather than of their rows, as in the released code.
        rewind: put the other model's weights there, rather than zeros.
        before: Wanda at the tokens that answer tokens are predicted from, not at these themselves.
        controls: measure the controls too.
    """

    kind: Literal["critical_weights"] = "critical_weights"
    score: Score = "snip"
    p: Shares = (0.05,)
    q: Shares = (0.05,)
    at_most: Share = 0.03
    samples: int = Field(128, ge=1)
    by_matrix: bool = False
    rewind: bool = False
    before: bool = False
    controls: bool = True

    paper: ClassVar[str] = "Wei et al., ICML 2024, arXiv 2402.05162"


def critical_weights(config: CriticalWeights, look: Looking) -> Found:
    """Finds the weights, takes them out, asks the model, and puts them back."""
    instead = matching(look.compared(config.kind).net) if config.rewind else None
    of, contrast = linears(look.model.net), look.contrast(config.samples)
    searched: dict[tuple[float, float], Trial] = {}
    p, q = config.p[0], config.q[0]
    if len(config.p) * len(config.q) > 1:
        before = look.measure(look.model, split="select")
        pairs = {f"{p:g}\\{q:g}": (p, q) for p, q in product(config.p, config.q)}
        choices = {name: difference(config, *pair) for name, pair in pairs.items()}
        for name, cuts in found_cuts(config, contrast, choices).items():
            look.say(f"without S({name})")
            with taken(cuts, instead):
                seen = look.measure(look.model, split="select")
            searched[pairs[name]] = trial(name, share_of(cuts, of), seen, before)
        p, q = best(searched, config.at_most)
    before = look.measure(look.model)
    trials = {}
    for name, cuts in found_cuts(config, contrast, choices_of(config, look, p, q)).items():
        look.say(f"without {name}")
        with taken(cuts, instead):
            trials[name] = trial(name, share_of(cuts, of), look.measure(look.model), before)
    figures = {
        "p": p,
        "q": q,
        "before": asdict(before),
        "trials": [t.to_json() for t in trials.values()],
        "searched": [{"p": p, "q": q, **t.to_json()} for (p, q), t in searched.items()],
    }
    main = next(iter(trials.values()))
    return Found(
        (sentence(main, before, "weights"),),
        (table("Weights", trials, before),),
        figures,
        (plot("weights", trials, before),),
    )


def difference(config: CriticalWeights, p: float, q: float) -> Choose:
    """S(p, q) of two scores."""

    def choose(safety: Tensor, utility: Tensor) -> Tensor:
        return set_difference(safety, utility, p, q, by_matrix=config.by_matrix)

    return choose


def choices_of(config: CriticalWeights, look: Looking, p: float, q: float) -> dict[str, Choose]:
    """The set difference and, with `controls`, as many weights chosen otherwise."""
    import torch

    chance = torch.Generator().manual_seed(look.seed)
    critical, flat = difference(config, p, q), config.by_matrix
    chosen: dict[str, Choose] = {f"S({p:g}, {q:g})": critical}
    if config.controls:
        chosen["as many at random"] = lambda s, u: at_random(critical(s, u), chance)
        chosen["top safety"] = lambda s, u: as_many(s, critical(s, u), by_matrix=flat)
        chosen["least safety"] = lambda s, u: as_many(-s, critical(s, u), by_matrix=flat)
    return chosen


def found_cuts(
    config: CriticalWeights, contrast: Contrast, choices: Mapping[str, Choose]
) -> dict[str, list[Cut]]:
    """The weights of every choice, from one pass over the layers."""
    cuts: dict[str, list[Cut]] = {name: [] for name in choices}
    for linear, safety, utility in scores(config.score, contrast, before=config.before):
        for name, choose in choices.items():
            cuts[name].append(cut_of(linear, choose(safety, utility)))
    return cuts
