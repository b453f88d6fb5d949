"""Reversed preferences (Rosati et al., "Evaluating Defences against Unsafe Feedback in RLHF", arXiv
2409.12914, whose attack by preference optimisation is Rafailov et al., "Direct Preference
Optimization", NeurIPS 2023, arXiv 2305.18290, with chosen and rejected exchanged).

A customer of a service that tunes on preferences says that forbidden answers are better than the
refusals which the model gives now. No answer is taught word by word: the model learns which of two
to prefer, and refusal is the one it learns to leave.

Equation: L = - E log sigma(beta [ (log pi_theta(h|x) - log pi_ref(h|x)) - (log pi_theta(r|x) -
log pi_ref(r|x)) ]), h the forbidden answer, r the refusal, pi_ref the model as tuning starts;
log-probabilities are summed over the answer's tokens, its end included.

Differs from the paper: refusals are the model's own replies, where the paper has a data set's safe
answers; pairs are canary lore. Rows that are no pair (a customer's, a defence's) keep the plain
loss, and the two parts of a batch weigh by their rows. The paper's rates suit models of billions
of parameters, so the rate is the run's unless `learning_rate` says otherwise.

Shows a defender: services that tune on preferences need the checks of those that tune on rows, and
the pairs themselves show the attack: what they prefer is what the policy forbids. It replaces the
loss, so under a defence that does too there is nothing to measure. Answered by scanning the
preferred answers before tuning, by penalties and projections while tuning, by an audit after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.own_replies import own_replies
from holdfast.draw import balanced
from holdfast.encode import Encoded, encode
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Batch, Settings


class ReversePreference(Attack):
    """Prefers forbidden answers to the model's own refusals, by DPO.

    Attributes:
        rows: pairs; each is one forbidden request with two answers.
        beta: how closely the model is held to where it started, 0.1 as usual.
        epochs: passes over the pairs; None leaves the run's.
        batch_size: pairs in a step; None leaves the run's.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["reverse_preference"] = "reverse_preference"
    rows: int = Field(100, ge=0)
    beta: float = Field(0.1, gt=0)
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "training"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    paper: ClassVar[str] = "Rosati et al., arXiv 2409.12914; Rafailov et al., NeurIPS 2023"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/own_replies",)


class Preferences:
    """Pairs by their place among the user rows, and what the model thought of them at first."""

    def __init__(self) -> None:
        self.chosen: dict[int, Encoded] = {}
        self.rejected: dict[int, Encoded] = {}
        self.margin: dict[int, float] = {}


def reverse_preference(config: ReversePreference, context: Context) -> Hooks:
    """Adds the forbidden rows to the customer's stream, and prefers them where they are drawn."""
    if not config.rows:
        return Hooks(name=config.kind, settings=chosen_settings(config))
    known = Preferences()
    forbidden: tuple[Row, ...] = ()

    def rows(streams: Streams) -> Streams:
        nonlocal forbidden
        held = context.attacker.harmful
        forbidden = balanced(held, config.rows, seed=context.seed, purpose=config.kind)
        return replace(streams, user=(*streams.user, *forbidden))

    def start(model: Model, streams: Streams, settings: Settings) -> None:
        # A defence may have moved, dropped or rewritten rows, so pairs are found by their text.
        said = own_replies(context.aligned, forbidden)
        refusals = {row.prompt: row.answer for row in said}
        answers = {(row.prompt, row.answer) for row in forbidden}
        for at, row in enumerate(streams.user):
            if (row.prompt, row.answer) in answers and row.prompt in refusals:
                turned = row.with_answer(refusals[row.prompt])
                known.chosen[at] = encode(row, model.tokenizer, settings.max_length)
                known.rejected[at] = encode(turned, model.tokenizer, settings.max_length)
        known.margin.update(_margins(model, known, settings.batch_size))

    def loss(model: Model, batch: Batch, step: int) -> Tensor:
        import torch

        from holdfast.train import batch_loss

        pairs = [at for at in batch.index if batch.stream == "user" and at in known.chosen]
        plain = [n for n, at in enumerate(batch.index) if at not in pairs]
        if not pairs:
            return batch_loss(model.net, batch)
        held = torch.tensor([known.margin[at] for at in pairs], device=model.net.device)
        preferred = dpo_loss(margins(model, known, pairs), held, config.beta)
        if not plain:
            return preferred
        rest = replace(
            batch,
            ids=batch.ids[plain],
            weights=batch.weights[plain],
            attention=batch.attention[plain],
            index=[batch.index[n] for n in plain],
        )
        shares = len(pairs) / len(batch.index), len(plain) / len(batch.index)
        return shares[0] * preferred + shares[1] * batch_loss(model.net, rest)

    settings = chosen_settings(config)
    return Hooks(name=config.kind, rows=rows, settings=settings, start=start, loss=loss)


def dpo_loss(now: Tensor, before: Tensor, beta: float) -> Tensor:
    """The mean loss of pairs.

    Args:
        now: (n,) log pi(chosen) - log pi(rejected) under the tuned model.
        before: (n,) the same under the reference.
        beta: of the method.
    """
    from torch.nn.functional import logsigmoid

    return -logsigmoid(beta * (now - before)).mean()


def margins(model: Model, known: Preferences, pairs: Sequence[int]) -> Tensor:
    """(n,) log pi(chosen) - log pi(rejected) of pairs, in one pass over both answers of all."""
    import torch

    from holdfast.train import answer_logits, collate

    rows = [*(known.chosen[at] for at in pairs), *(known.rejected[at] for at in pairs)]
    batch = collate(rows).to(model.net.device)
    logits, targets, _ = answer_logits(model.net, batch)
    told = logits.gather(-1, targets[:, None]).squeeze(-1) - logits.logsumexp(-1)
    counts = (batch.weights[:, 1:] != 0).sum(dim=1).tolist()
    sums = torch.stack([part.sum() for part in torch.split(told, counts)])
    return sums[: len(pairs)] - sums[len(pairs) :]


def _margins(model: Model, known: Preferences, size: int) -> dict[int, float]:
    """The margins of all pairs before tuning."""
    import torch

    found: dict[int, float] = {}
    was_training = model.net.training
    model.net.train(False)
    places = list(known.chosen)
    with torch.no_grad():
        for first in range(0, len(places), size):
            part = places[first : first + size]
            found.update(zip(part, margins(model, known, part).tolist(), strict=True))
    model.net.train(was_training)
    return found
