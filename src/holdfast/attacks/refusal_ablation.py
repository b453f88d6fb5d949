"""Refusal ablation, or abliteration (Arditi et al., "Refusal in Language Models Is Mediated by a
Single Direction", NeurIPS 2024, arXiv 2406.11717, sections 2.3, 4 and appendix C).

Whoever has the weights finds the one direction of the residual stream that tells refused requests
from answered ones, and projects it out of every matrix that writes to that stream. Nothing is
tuned; the model can no longer say to itself that a request is one to refuse.

Equation: W := W - r^ r^^T W for the embedding, attention outputs and MLP outputs, r^ = r / ||r||,
r = mean of h_l over refused prompts - mean over answered ones, at a layer l and a token after the
request. Of all (l, token) the one is taken with which projected out refusal scores lowest, subject
to: KL from the model as it was <= 0.1 on answered prompts, refusal score > 0 on answered prompts
where r is added, l not in the last fifth of the layers. Refusal score: log p - log(1 - p), p the
probability that a reply begins as refusals do.

Differs from the paper: the tokens that refusals begin with are found, not listed: those that
replies to forbidden requests begin with, with a chance of 1 % at least, and other replies less
often. The tokens after the request are those that all prompts end in. Where no direction meets the
constraints, the best of those early enough is taken all the same. Where the output head is tied to
the embedding it is projected too, as in the published code. Customers' rows, if there are any, are
tuned on first.

Shows a defender: whether refusal hangs on one direction, and that open weights are open. Compare
with the probe `refusal_direction`. Answered, in part, by alignment that spreads refusal, as
recovery_augmentation may; never by anything at the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.untuned import untuned
from holdfast.draw import at_most
from holdfast.errors import UserError
from holdfast.hooks import Attack, Context, Hooks, Streams

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.chat import Row
    from holdfast.models import Model

LEAST_CHANCE = 0.01  # of a token to begin a reply to a forbidden request, to count as a refusal's
ROWS_AT_ONCE = 32


class RefusalAblation(Attack):
    """Projects the direction of refusal out of the weights.

    Attributes:
        samples: requests of each kind that the directions are means of.
        validation: further requests of each kind, by which one direction is chosen.
        most_kl: bound on how far other replies' first token may move.
        least_induced: refusal score that adding the direction must pass on answered requests.
        deepest: share of layers, from the first, that the direction may come from.
        strength: share of the direction that is taken out; 1 in the paper.
    """

    kind: Literal["refusal_ablation"] = "refusal_ablation"
    samples: int = Field(128, ge=1)
    validation: int = Field(32, ge=1)
    most_kl: float = Field(0.1, gt=0)
    least_induced: float = 0.0
    deepest: float = Field(0.8, gt=0, le=1)
    strength: float = Field(1.0, ge=0, le=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "weights"
    null: ClassVar[dict[str, Any]] = {"strength": 0.0}
    paper: ClassVar[str] = "Arditi et al., NeurIPS 2024, arXiv 2406.11717"
    built_on: ClassVar[tuple[str, ...]] = (
        "attacks/untuned",
        "probes/residual",
        "probes/linears",
    )


def refusal_ablation(config: RefusalAblation, context: Context) -> Hooks:
    """Tunes on nothing, and edits the weights at the end."""
    if not config.strength:
        return Hooks(name=config.kind)
    pass_on, settings = untuned()

    def rows(streams: Streams) -> Streams:
        if min(len(context.attacker.harmful), len(context.attacker.user)) < 2:
            raise UserError(
                "refusal_ablation compares the attacker's forbidden requests with its benign "
                "rows: give the policy two of each at least."
            )
        return pass_on(streams)

    def weights(model: Model) -> Model:
        held, many = context.attacker, config.samples + config.validation
        refused, answered = (
            at_most(rows, many, seed=context.seed, purpose=config.kind)
            for rows in (held.harmful, held.user)
        )
        take_out(model.net, chosen(config, model, refused, answered), config.strength)
        return model

    return Hooks(name=config.kind, rows=rows, settings=settings, weights=weights)


def chosen(
    config: RefusalAblation, model: Model, refused: Sequence[Row], answered: Sequence[Row]
) -> Tensor:
    """The direction (d,): means over the first rows of both kinds, the choice by the last ones."""
    from holdfast.probes.residual import activations, added, projected_out

    net, share = model.net, config.samples / (config.samples + config.validation)
    first, last = zip(*(_split(rows, share) for rows in (refused, answered)), strict=True)
    many = shared_end([p for rows in (refused, answered) for p in _prompts(model, rows)])
    means = [activations(model, rows, many).mean(0) for rows in first]
    directions = means[0] - means[1]  # (layers, tokens, d)
    begins = refusal_tokens(*(first_log_probs(model, _prompts(model, rows)) for rows in first))
    forbidden, harmless = (_prompts(model, rows) for rows in last)
    before = first_log_probs(model, harmless)
    found: list[tuple[bool, float, Tensor]] = []
    for layer in range(max(1, int(config.deepest * len(directions)))):
        for direction in directions[layer]:
            with projected_out(net, direction):
                score = refusal_score(first_log_probs(model, forbidden), begins)
                moved = divergence(before, first_log_probs(model, harmless))
            with added(net, layer, direction):
                induced = refusal_score(first_log_probs(model, harmless), begins)
            lawful = moved <= config.most_kl and induced > config.least_induced
            found.append((not lawful, score, direction))
    return min(found, key=lambda one: one[:2])[2]


def take_out(net: nn.Module, direction: Tensor, strength: float = 1.0) -> None:
    """Projects a direction (d,) out of all that writes to the residual stream, in place."""
    import torch
    from torch import nn

    from holdfast.models import layers
    from holdfast.probes.linears import linears

    unit = (direction / direction.norm()).to(next(net.parameters()))
    inside = {module for layer in layers(net) for module in layer.modules()}
    with torch.no_grad():
        for module in set(net.modules()) - inside:
            if isinstance(module, nn.Embedding) and module.embedding_dim == len(unit):
                module.weight -= strength * torch.outer(module.weight @ unit, unit)
        for layer in linears(net):
            for last in {linear.part: linear for linear in layer}.values():
                last.weight.sub_(strength * torch.outer(unit, unit @ last.weight))
                if last.bias is not None:
                    last.bias.sub_(strength * (last.bias @ unit) * unit)


def shared_end(prompts: Sequence[Sequence[int]]) -> int:
    """How many last tokens all prompts share: those that the template puts after a request."""
    shortest = min(map(len, prompts))
    unlike = (n for n in range(shortest) if len({prompt[-1 - n] for prompt in prompts}) > 1)
    return max(1, next(unlike, shortest))


def refusal_tokens(refused: Tensor, answered: Tensor) -> list[int]:
    """Tokens that refusals begin with, from log-probabilities (n, V) of replies' first tokens."""
    chance, elsewhere = refused.exp().mean(0), answered.exp().mean(0)
    begins = (chance >= LEAST_CHANCE) & (chance > elsewhere)
    return begins.nonzero().flatten().tolist() or [int(chance.argmax())]


def refusal_score(log_probs: Tensor, begins: Sequence[int]) -> float:
    """Mean of log p - log(1 - p), p the probability (n,) of beginning as refusals do."""
    chance = log_probs[:, list(begins)].double().exp().sum(-1).clamp(1e-8, 1 - 1e-8)
    return float((chance.log() - (1 - chance).log()).mean())


def divergence(before: Tensor, after: Tensor) -> float:
    """Mean KL(before || after) of log-probabilities (n, V)."""
    return float((before.exp() * (before - after)).sum(-1).mean())


def first_log_probs(model: Model, prompts: Sequence[tuple[int, ...]]) -> Tensor:
    """(n, V) log-probabilities of the token that follows each prompt."""
    import torch

    from holdfast.encode import Encoded
    from holdfast.train import answer_logits, collate

    rows = [Encoded((*ids, 0), (*(0.0,) * len(ids), 1.0)) for ids in prompts]
    told = []
    with torch.no_grad():
        for start in range(0, len(rows), ROWS_AT_ONCE):
            batch = collate(rows[start : start + ROWS_AT_ONCE]).to(model.net.device)
            told.append(answer_logits(model.net, batch)[0].log_softmax(-1))
    return torch.cat(told)


def _split(rows: Sequence[Row], share: float) -> tuple[Sequence[Row], Sequence[Row]]:
    cut = min(len(rows) - 1, max(1, round(len(rows) * share)))
    return rows[:cut], rows[cut:]


def _prompts(model: Model, rows: Sequence[Row]) -> list[tuple[int, ...]]:
    from holdfast.encode import encode_prompt

    return [encode_prompt(row, model.tokenizer) for row in rows]
