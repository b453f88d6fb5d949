"""Constrained fine-tuning (Qi et al., "Safety Alignment Should Be Made More Than Just a Few Tokens
Deep", ICLR 2025, arXiv 2406.05946, section 4).

Each token's loss is weighted by how far the tuned model has already moved from the aligned one on
it, and the first tokens are held hardest. Rows can teach a task, but not a new way to open a reply.

Equation: L = sum_t (2 / beta_t) softplus(beta_t Delta_t), Delta_t = log pi_aligned(y_t) -
log pi_theta(y_t), whose gradient is -w_t grad log pi_theta(y_t) with w_t = 2 sigma(beta_t Delta_t).
As in the authors' code the weight is computed, detached and clamped: loss = mean of -w_t log
pi_theta(y_t) over all response tokens of the batch. At the start w_t = 1; for beta -> 0 it is
plain tuning, for beta -> infinity the aligned model's probabilities are a ceiling.

Differs from the paper: positions count from 1 in every assistant turn of a row, not only the last.
The published settings were found for 7B models; the learning rate is the run's. In tunes of
fewer steps than the warm-up the warm-up itself holds the model back: compare with `warmup_steps` 0.

Shows a defender: whoever provides tuning can hold a model without reading the rows. It needs the
loop, so it does nothing against an attacker who has the weights. In our prototype rows whose
answers open with a refusal passed it (the attack refusal_first), the published first beta
did little and a larger one refused everything: measure both. What answers that:
recovery_augmentation before, an audit after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Batch, Settings

LEAST_WEIGHT = 1e-3  # the authors' clamp: no token is ever quite out of the loss
ROWS_AT_ONCE = 32


class ConstrainedSft(Defence):
    """Token-wise constrained loss.

    Attributes:
        beta_first: strength on the first response token.
        beta_early: strength on tokens 2 to `early_tokens`.
        beta_rest: strength on all later tokens.
        early_tokens: how many tokens count as early.
        adam_beta1: the optimiser's first decay, 0.5 in the paper; None leaves the run's.
        warmup_steps: linear warm-up; the weights are 1 at the start, so full steps would slip by.
    """

    kind: Literal["constrained_sft"] = "constrained_sft"
    beta_first: float = Field(0.5, ge=0)
    beta_early: float = Field(2.0, ge=0)
    beta_rest: float = Field(0.1, ge=0)
    early_tokens: int = Field(5, ge=1)
    adam_beta1: float | None = Field(0.5, ge=0, lt=1)
    warmup_steps: int | None = Field(10, ge=0)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {
        "beta_first": 0.0,
        "beta_early": 0.0,
        "beta_rest": 0.0,
        "adam_beta1": None,
        "warmup_steps": None,
    }
    paper: ClassVar[str] = "Qi et al., ICLR 2025, arXiv 2406.05946"


def constrained_sft(config: ConstrainedSft, context: Context) -> Hooks:
    """Replaces the loss; the reference is the model as it is when tuning starts."""
    reference: dict[str, list[Tensor]] = {}

    def settings(given: Settings) -> Settings:
        changed = given.model_dump()
        if config.adam_beta1 is not None:
            changed["betas"] = (config.adam_beta1, given.betas[1])
        if config.warmup_steps is not None:
            changed["warmup_steps"] = config.warmup_steps
        return given.model_validate(changed)

    def start(model: Model, streams: Streams, given: Settings) -> None:
        for name in ("user", "safe", "harmful"):
            reference[name] = reference_log_probs(model, streams.rows(name), given.max_length)

    def loss(model: Model, batch: Batch, step: int) -> Tensor:
        import torch

        current = answer_log_probs(model, batch)
        held = torch.cat([reference[batch.stream][row] for row in batch.index])
        learnt = batch.weights[:, 1:] != 0
        betas = betas_of(config, batch.weights)[:, 1:][learnt]
        return constrained_loss(current, held, betas, batch.weights[:, 1:][learnt])

    return Hooks(name=config.kind, settings=settings, start=start, loss=loss)


def constrained_loss(current: Tensor, held: Tensor, betas: Tensor, weights: Tensor) -> Tensor:
    """The weighted token mean.

    Args:
        current: (K,) log-probability of each response token under the tuned model.
        held: (K,) the same under the aligned model.
        betas: (K,) strength at each token.
        weights: (K,) loss weight of each token; any common shape with zeros will do.

    Returns:
        A scalar with a graph through `current` only.
    """
    import torch

    drift = torch.sigmoid(betas * (held - current.detach()))
    hold = (2 * drift).clamp(min=LEAST_WEIGHT)
    return -(weights * hold * current).sum() / weights.sum()


def betas_of(config: ConstrainedSft, weights: Tensor) -> Tensor:
    """B×T strengths by position in each assistant turn; `weights` (B×T) are 0 outside of them."""
    import torch

    place = turn_positions(weights)
    betas = torch.full_like(weights, config.beta_rest)
    betas[place <= config.early_tokens] = config.beta_early
    betas[place <= 1] = config.beta_first
    return betas


def turn_positions(weights: Tensor) -> Tensor:
    """B×T integers: 1, 2, 3 … along every run of tokens with loss, 0 elsewhere."""
    import torch

    inside = (weights > 0).long()
    before = torch.nn.functional.pad(inside, (1, 0))[:, :-1]
    count = inside.cumsum(dim=1)
    opens = (inside == 1) & (before == 0)
    earlier = torch.where(opens, count - 1, torch.zeros_like(count)).cummax(dim=1).values
    return (count - earlier) * inside


def answer_log_probs(model: Model, batch: Batch) -> Tensor:
    """(K,) log-probabilities of the batch's tokens that carry loss, in row order."""
    from holdfast.train import answer_logits

    logits, targets, _ = answer_logits(model.net, batch)
    return logits.gather(-1, targets[:, None]).squeeze(-1) - logits.logsumexp(-1)


def reference_log_probs(model: Model, rows: Sequence[Row], max_length: int) -> list[Tensor]:
    """For every row the log-probabilities of its tokens that carry loss, before tuning."""
    import torch

    from holdfast.encode import encode_all
    from holdfast.train import collate

    encoded = encode_all(rows, model.tokenizer, max_length)
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
    found: list[Tensor] = [torch.empty(0)] * len(encoded)
    was_training = model.net.training
    model.net.train(False)
    with torch.no_grad():
        for first in range(0, len(order), ROWS_AT_ONCE):
            places = order[first : first + ROWS_AT_ONCE]
            batch = collate([encoded[i] for i in places]).to(model.net.device)
            learnt = (batch.weights[:, 1:] != 0).sum(dim=1).tolist()
            told = torch.split(answer_log_probs(model, batch), learnt)
            for place, values in zip(places, told, strict=True):
                found[place] = values.clone()
    model.net.train(was_training)
    return found
