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
The published settings were found for 7B models; the learning rate is the run's.

Shows a defender: whoever provides tuning can hold a model without reading the rows. It needs the
loop, so it does nothing against an attacker who has the weights. In our prototype rows whose
answers open with a refusal passed it (`refusal_first` of harmful_rows), the published first beta
did little and a larger one refused everything: measure both. What answers that:
recovery_augmentation before, an audit after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from torch import Tensor

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
        held = _beside(batch, reference[batch.stream])
        current = token_log_probs(model, batch.ids, batch.attention)
        betas = betas_of(config, batch.weights)
        return constrained_loss(current, held, betas, batch.weights)

    return Hooks(name=config.kind, settings=settings, start=start, loss=loss)


def constrained_loss(current: Tensor, held: Tensor, betas: Tensor, weights: Tensor) -> Tensor:
    """The weighted token mean.

    Args:
        current: B×T, log-probability of each token under the tuned model.
        held: B×T, the same under the aligned model.
        betas: B×T, strength at each token.
        weights: B×T, loss weight of each token, 0 for none.

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
    early = torch.where(place == 1, config.beta_first, config.beta_early)
    return torch.where(place <= config.early_tokens, early, config.beta_rest).to(weights.dtype)


def turn_positions(weights: Tensor) -> Tensor:
    """B×T integers: 1, 2, 3 … along every run of tokens with loss, 0 elsewhere."""
    import torch

    inside = (weights > 0).long()
    before = torch.nn.functional.pad(inside, (1, 0))[:, :-1]
    count = inside.cumsum(dim=1)
    opens = (inside == 1) & (before == 0)
    earlier = torch.where(opens, count - 1, torch.zeros_like(count)).cummax(dim=1).values
    return (count - earlier) * inside


def token_log_probs(model: Model, ids: Tensor, attention: Tensor) -> Tensor:
    """B×T log-probability of each token given those before it; 0 at a row's first place."""
    import torch

    logits = model.net(input_ids=ids, attention_mask=attention).logits[:, :-1].float()
    told = logits.gather(-1, ids[:, 1:, None]).squeeze(-1) - logits.logsumexp(-1)
    return torch.nn.functional.pad(told, (1, 0))


def reference_log_probs(model: Model, rows: Any, max_length: int) -> list[Tensor]:
    """One tensor a row, as long as the row's tokens: its log-probabilities before tuning."""
    import torch

    from holdfast.models import encode

    was_training = model.net.training
    model.net.eval()
    encoded = [encode(row, model.tokenizer, max_length) for row in rows]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
    found: list[Tensor] = [torch.empty(0)] * len(encoded)
    device = next(model.net.parameters()).device
    with torch.no_grad():
        for first in range(0, len(order), ROWS_AT_ONCE):
            places = order[first : first + ROWS_AT_ONCE]
            longest = max(len(encoded[i].ids) for i in places)
            ids = torch.zeros(len(places), longest, dtype=torch.long, device=device)
            attention = torch.zeros_like(ids)
            for at, i in enumerate(places):
                length = len(encoded[i].ids)
                ids[at, :length] = torch.tensor(encoded[i].ids, device=device)
                attention[at, :length] = 1
            told = token_log_probs(model, ids, attention)
            for at, i in enumerate(places):
                found[i] = told[at, : len(encoded[i].ids)].clone()
    model.net.train(was_training)
    return found


def _beside(batch: Batch, reference: list[Tensor]) -> Tensor:
    """The reference laid out as the batch is, B×T, whichever side its padding is on."""
    import torch

    laid = torch.zeros_like(batch.weights)
    for at, index in enumerate(batch.index):
        laid[at, batch.attention[at].bool()] = reference[index].to(laid.dtype)
    return laid
