"""Representation noising (Rosati et al., "Representation Noising: A Defence Mechanism Against
Harmful Finetuning", NeurIPS 2024, arXiv 2405.14577).

What a model computes over forbidden answers is turned into noise at every layer, while it goes on
refusing the same prompts. A later tune then finds less to build forbidden answers from.

Equation: L = CE(refusal) + beta (1/L) sum_l MMD(z_l, N(0, 1)) - alpha log(m + 1),
m = (CE(answer) + sum_l CE_l(answer)) / L, over pairs of a refusal and a forbidden answer to one
prompt. z_l is what the MLP of layer l gives over the answer, CE_l the loss of the output head on
the normed output of layer l. All terms see only positions at which the two rows' tokens differ.
The MMD is between rows, with five Gaussian kernels whose widths double around the mean squared
distance of two rows.

Passes of a step: 3 forward, 3 backward (one each of the loop, the refusals and the answers), and
a projection on the vocabulary for every layer.

Differs from the paper: the loop's own loss on harmless rows and refusals stays beside L, since a
model this small forgets its tasks. "+ 1" stands outside the division, as in the authors' code; the
last layer counts twice there, through its own projection and the model's. The code also projects
the embedding; here layers alone are projected. Optimiser, rate, length and full or low-rank tuning
are the run's.

Shows a defender: whether knowledge can be made hard to reach rather than unsaid. The authors call
it very sensitive to rate, alpha, beta and the number of rows, and others undid it with a new seed
or trainer. What answers that: a defence while tuning, an audit over seeds and rates after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.defences.aligning import (
    batch_of,
    changed,
    learned_rows,
    parts,
    turn,
)
from holdfast.draw import generator
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from holdfast.batches import Batch
    from holdfast.encode import Encoded
    from holdfast.models import Model
    from holdfast.settings import Settings

KERNELS = 5


class Repnoise(Defence):
    """Turns what is computed over forbidden answers into noise.

    Attributes:
        alpha: weight of the loss on forbidden answers, which is raised.
        beta: weight of the distance to noise.
        keep: weight of the loss on the pairs' refusals, 1 in the paper.
        pairs: pairs in a step; distances are between them.
        harmless: most harmless rows learned beside the refusals; None takes all.
        learning_rate: None leaves the run's.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows of the loop's own in a step; None leaves the run's.
    """

    kind: Literal["repnoise"] = "repnoise"
    alpha: float = Field(1.0, ge=0)
    beta: float = Field(0.001, ge=0)
    keep: float = Field(1.0, ge=0)
    pairs: int = Field(8, ge=2)
    harmless: int | None = Field(None, ge=0)
    learning_rate: float | None = Field(None, gt=0)
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "align"
    null: ClassVar[dict[str, Any]] = {"alpha": 0.0, "beta": 0.0, "keep": 0.0}
    paper: ClassVar[str] = "Rosati et al., NeurIPS 2024, arXiv 2405.14577"
    built_on: ClassVar[tuple[str, ...]] = ("defences/aligning",)


@dataclass(frozen=True)
class Paired:
    """Refusals and forbidden answers to the same prompts, padded to one length.

    Attributes:
        refused: with loss only where the tokens differ.
        answered: the same of the forbidden answers.
        differing: (B, T) 1 where the tokens of an answered row differ from the refused one's.
    """

    refused: Batch
    answered: Batch
    differing: Tensor


def repnoise(config: Repnoise, context: Context) -> Hooks:
    """Adds L, over pairs drawn in turns, as a penalty."""
    encoded: list[tuple[Encoded, Encoded]] = []
    working = bool(config.alpha or config.beta or config.keep)

    def start(model: Model, streams: Streams, given: Settings) -> None:
        from holdfast.encode import encode_all

        refused = [pair.prompt.with_answer(pair.chosen) for pair in streams.pairs]
        answered = [pair.prompt.with_answer(pair.rejected) for pair in streams.pairs]
        both = [encode_all(r, model.tokenizer, given.max_length) for r in (refused, answered)]
        encoded[:] = zip(*both, strict=True)
        if any(one.ids == other.ids for one, other in encoded):
            raise UserError(
                "repnoise learns from where two answers differ, and a pair's do not within "
                f"{given.max_length} tokens: mend the pair, or raise max_length."
            )

    def penalty(model: Model, batch: Batch, step: int) -> Tensor:
        places = turn(len(encoded), config.pairs, step, seed=context.seed, purpose=config.kind)
        noise = generator(context.seed, f"{config.kind}.noise.{step}").getrandbits(63)
        return noising_loss(config, model, paired([encoded[i] for i in places], model), noise)

    rows = learned_rows(
        config.kind,
        context.defender,
        seed=context.seed,
        harmless=config.harmless,
        needs="pairs" if working else None,
    )
    return Hooks(
        name=config.kind,
        rows=rows,
        settings=chosen_settings(config),
        start=start if working else None,
        penalty=penalty if working else None,
    )


def paired(pairs: Sequence[tuple[Encoded, Encoded]], model: Model) -> Paired:
    """Pairs as two batches of one length, with loss only where their tokens differ."""
    both = batch_of([row for sides in zip(*pairs, strict=True) for row in sides], model)
    half = len(pairs)
    refused, answered = (
        replace(
            both,
            ids=both.ids[side],
            weights=both.weights[side],
            attention=both.attention[side],
            index=both.index[side],
        )
        for side in (slice(half), slice(half, None))
    )
    differing = (refused.ids != answered.ids).to(refused.weights)
    return Paired(
        replace(refused, weights=refused.weights * differing),
        replace(answered, weights=answered.weights * differing),
        differing * answered.attention,
    )


def noising_loss(config: Repnoise, model: Model, rows: Paired, noise: int) -> Tensor:
    """L of the equation, a scalar with a graph; `noise` seeds the Gaussian sample."""
    import torch

    from holdfast.losses import answer_logits, batch_loss
    from holdfast.models import layers

    loss = config.keep * batch_loss(model.net, rows.refused)
    stack = layers(model.net)
    after: list[Tensor] = []
    inside: list[Tensor] = []
    with (
        changed(stack, [_keeping(after)] * len(stack)),
        changed(parts(model.net, "mlp"), [_keeping(inside)] * len(stack)),
    ):
        logits, targets, weights = answer_logits(model.net, rows.answered)
    sample = torch.Generator().manual_seed(noise)
    distance = torch.stack([distance_to_noise(z, rows.differing, sample) for z in inside]).mean()
    before = torch.nn.functional.pad(rows.answered.weights[:, 1:] != 0, (0, 1))
    norm, head = final_norm(model.net), _head(model.net)
    told = [logits, *(head(norm(h[before])) for h in after)]
    losses = torch.stack([mean_loss(one, targets, weights) for one in told])
    surprise = losses.sum() / len(stack)
    return loss + config.beta * distance - config.alpha * torch.log(surprise + 1)


def mean_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of K targets (K,) under logits (K, V), averaged by their weights (K,)."""
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum() / weights.sum()


def distance_to_noise(activations: Tensor, seen: Tensor, sample: torch.Generator) -> Tensor:
    """MMD between rows of activations and rows of N(0, 1), both 0 where nothing is to be seen.

    Args:
        activations: (B, T, d).
        seen: (B, T) 1 where a position counts.
        sample: gives the noise; drawn on the processor, so that every device has the same.
    """
    import torch

    noise = torch.randn(activations.shape, generator=sample).to(activations)
    rows, other = ((x * seen[..., None]).flatten(1) for x in (activations, noise))
    return mmd(rows, other)


def mmd(one: Tensor, other: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two samples of n rows (n, d), a scalar.

    The sum of five Gaussian kernels exp(-||x - y||^2 / s); s is the mean squared distance of two
    different rows times 1/4, 1/2, 1, 2 and 4, and carries no gradient.
    """
    import torch

    rows = torch.cat([one, other])
    apart = (rows[:, None] - rows[None]).square().sum(-1)
    width = apart.detach().sum() / (len(rows) * (len(rows) - 1))
    scales = [width * 2.0 ** (i - KERNELS // 2) for i in range(KERNELS)]
    alike = torch.stack([torch.exp(-apart / scale) for scale in scales]).sum(0)
    n = len(one)
    same = alike[:n, :n] + alike[n:, n:]
    cross = alike[:n, n:] + alike[n:, :n]
    return (same - cross).mean()


def final_norm(net: PreTrainedModel) -> nn.Module:
    """The norm between the last layer and the output head.

    Raises:
        UserError: the network has none of its own.
    """
    norms = [
        part
        for part in net.base_model.children()
        if (own := list(part.parameters())) and all(p.dim() == 1 for p in own)
    ]
    if not norms:
        raise UserError(
            f"No norm was found before the output head of a {type(net).__name__}, which repnoise "
            "needs to read the layers: choose another defence."
        )
    return norms[-1]


def _head(net: PreTrainedModel) -> nn.Module:
    head: nn.Module = net.get_output_embeddings()  # type: ignore[no-untyped-call]
    return head


def _keeping(found: list[Tensor]) -> Callable[[Tensor], Tensor]:
    def keep(hidden: Tensor) -> Tensor:
        found.append(hidden)
        return hidden

    return keep
