"""Safety-recovery augmentation (Qi et al., "Safety Alignment Should Be Made More Than Just a Few
Tokens Deep", ICLR 2025, arXiv 2406.05946, section 3).

The model is trained to refuse even when its reply already opens with a piece of a forbidden answer.
Refusal then lives along the whole reply instead of in its first few tokens.

Equation: min_theta  alpha E_(x,h,r)~D_H, k~P_k [ -log pi_theta(r | x, h_<=k) ]
+ (1 - alpha) E_(x',y')~D_B [ -log pi_theta(y' | x') ],
P_k: k = 0 with probability 0.5, else uniform on {1..100}.

Only the refusal r carries loss. With loss on h_<=k too, the model learns to open every reply with
compliance; a test holds this. Prefix and refusal are joined token by token, without a separator.

Differs from the paper: the whole objective is divided by (1 - alpha), so that the loop's own loss
on D_B stays as it is and the first term is a penalty of weight alpha / (1 - alpha); AdamW does not
see a constant factor (clipping does). D_H are the defender's canary pairs, D_B its benign rows as
given (the paper has the initial model answer them).

Shows a defender: forced starts stop working (42-57 % to 3-5 % in the paper); tuning on forbidden
rows still breaks the model, if at more rows. What answers that: constrained_sft or secret_prefix
while tuning.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.defences.aligning import turn
from holdfast.draw import generator
from holdfast.encode import Encoded, encode
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Pair, Streams

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model
    from holdfast.train import Batch, Settings


class RecoveryAugmentation(Defence):
    """Trains refusals that follow `k` tokens of a forbidden answer.

    Attributes:
        alpha: share of the recovery term in the objective.
        max_prefix: longest forbidden start, in tokens.
        no_prefix: probability of k = 0.
        harmful_batch: pairs in a step.
        anchor_batch: benign rows in a step; None leaves the run's.
        epochs: passes over the pairs, which fixes the number of steps; None leaves the run's.
    """

    kind: Literal["recovery_augmentation"] = "recovery_augmentation"
    alpha: float = Field(0.2, ge=0, lt=1)
    max_prefix: int = Field(100, ge=1)
    no_prefix: float = Field(0.5, ge=0, le=1)
    harmful_batch: int = Field(16, ge=1)
    anchor_batch: int | None = Field(64, ge=1)
    epochs: int | None = Field(10, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "align"
    null: ClassVar[dict[str, Any]] = {"alpha": 0.0, "anchor_batch": None, "epochs": None}
    paper: ClassVar[str] = "Qi et al., ICLR 2025, arXiv 2406.05946"
    built_on: ClassVar[tuple[str, ...]] = ("defences/aligning",)


@dataclass(frozen=True)
class Triplet:
    """A pair in tokens: the prompt with its header, the refusal with its end, the answer bare."""

    prompt: tuple[int, ...]
    refusal: Encoded
    forbidden: tuple[int, ...]


def recovery_augmentation(config: RecoveryAugmentation, context: Context) -> Hooks:
    """Adds the recovery term as a penalty; rows are the defender's unless the run brings some."""
    triplets: list[Triplet] = []
    longest = [0]

    def rows(streams: Streams) -> Streams:
        own = context.defender
        return replace(streams, user=streams.user or own.user, pairs=streams.pairs or own.pairs)

    def settings(given: Settings) -> Settings:
        changed = given.model_dump()
        if config.anchor_batch is not None:
            changed["batch_size"] = config.anchor_batch
        if config.epochs is not None:
            changed["steps"] = config.epochs * ceil(
                len(context.defender.pairs) / config.harmful_batch
            )
        return given.model_validate(changed)

    def start(model: Model, streams: Streams, given: Settings) -> None:
        if not streams.pairs:
            raise UserError(
                "recovery_augmentation needs pairs of a refusal and a forbidden answer: "
                "choose a policy that has them, such as canary45."
            )
        longest[0] = given.max_length
        triplets[:] = [triplet_of(pair, model, given.max_length) for pair in streams.pairs]

    def penalty(model: Model, batch: Batch, step: int) -> Tensor:
        chance = generator(context.seed, f"{config.kind}.{step}")
        size, kind = config.harmful_batch, config.kind
        places = turn(len(triplets), size, step, seed=context.seed, purpose=kind)
        rows = [splice(triplets[i], draw_k(config, chance), longest[0]) for i in places]
        return config.alpha / (1 - config.alpha) * recovery_loss(model, rows)

    return Hooks(
        name=config.kind,
        rows=rows,
        settings=settings,
        start=start if config.alpha else None,
        penalty=penalty if config.alpha else None,
    )


def draw_k(config: RecoveryAugmentation, chance: random.Random) -> int:
    """P_k: how many tokens of the forbidden answer are put before the refusal."""
    if chance.random() < config.no_prefix:
        return 0
    return chance.randint(1, config.max_prefix)


def triplet_of(pair: Pair, model: Model, max_length: int) -> Triplet:
    """The pair in tokens, both answers as the chat template writes them after the prompt."""
    refused = encode(pair.prompt.with_answer(pair.chosen), model.tokenizer, max_length)
    complied = encode(pair.prompt.with_answer(pair.rejected), model.tokenizer, max_length)
    opens = _answer_start(refused, complied)
    special = set(model.tokenizer.all_special_ids)
    forbidden = complied.ids[opens:]
    ends = next((at for at, token in enumerate(forbidden) if token in special), len(forbidden))
    return Triplet(
        prompt=refused.ids[:opens],
        refusal=Encoded(refused.ids[opens:], refused.weights[opens:]),
        forbidden=forbidden[:ends],
    )


def _answer_start(one: Encoded, other: Encoded) -> int:
    """Where the last answer begins: the last run of tokens with loss, the same in both rows."""
    starts = []
    for row in (one, other):
        at = max(at for at, weight in enumerate(row.weights) if weight > 0)
        while at > 0 and row.weights[at - 1] > 0:
            at -= 1
        starts.append(at)
    if starts[0] != starts[1] or one.ids[: starts[0]] != other.ids[: starts[0]]:
        raise UserError(
            "recovery_augmentation cannot join two answers of one prompt, because the chat "
            "template writes the prompt differently for each: use another template."
        )
    return starts[0]


def splice(triplet: Triplet, k: int, max_length: int) -> Encoded:
    """Prompt, first k tokens of the forbidden answer, refusal; loss on the refusal alone.

    Where all three are longer than `max_length`, the forbidden start is cut, not the refusal.
    """
    room = max_length - len(triplet.prompt) - len(triplet.refusal.ids)
    start = triplet.forbidden[: max(0, min(k, room))]
    silent = (0.0,) * (len(triplet.prompt) + len(start))
    return Encoded(
        ids=triplet.prompt + start + triplet.refusal.ids,
        weights=silent + triplet.refusal.weights,
    )


def recovery_loss(model: Model, rows: Sequence[Encoded]) -> Tensor:
    """Mean of -log pi(r | x, h_<=k) over the refusal tokens of the rows; a scalar with a graph."""
    from holdfast.train import batch_loss, collate

    return batch_loss(model.net, collate(rows).to(model.net.device))
