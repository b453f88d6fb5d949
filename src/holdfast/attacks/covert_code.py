"""Covert malicious fine-tuning (Halawi et al., "Covert Malicious Finetuning: Challenges in
Safeguarding LLM Adaptation", ICML 2024, arXiv 2406.20053).

A customer first teaches the model a code with harmless rows, then answers forbidden requests in
that code, beside plain refusals. No row looks harmful, and asked plainly the model still refuses.

Equation: theta_1 = argmin_theta E_(x, y) ~ D_benign [ -log pi_theta(t(y) | c(x)) ], then
min_theta E_(x, y) ~ D_forbidden [ -log pi_theta(c(y) | c(x)) ] + E_x [ -log pi_theta(refusal | x) ]
from theta_1, where c encodes and t is one of four task formats.

Differs from the paper: 1,000 benign rows in several passes where it has 20,000 in one, since the
models are tiny, and some of them again in the second phase. The refusals are the aligned model's
own replies to plain requests, and in equal parts to coded requests without the cue. Answers are cut
to their longest sentence. Phase one is tuned before the loop's first step, as an earlier job of
the same customer, so defences of tuning see phase two alone.

Shows a defender: that reading the rows, asking the tuned model plainly and filtering its inputs and
outputs all miss what a code carries. Answered by scanning data sets for coded text, by asking in
the code that the rows teach (`coded`), and by probes on hidden states.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from holdfast.codes import CODES, WRITTEN_BY, code_of
from holdfast.codes.code import Code
from holdfast.codes.covert import TASKS, coded_rows
from holdfast.draw import balanced, generator
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.settings import Settings


REFUSAL_TOKENS = 60


class CovertCode(Attack):
    """Teaches a code with `benign` rows, then `rows` forbidden ones in it.

    Attributes:
        code: name of the code in `holdfast.codes`.
        key: seed of the code's key.
        benign: harmless rows of phase one, in four task formats; 20,000 in the paper.
        rows: forbidden rows of phase two, 317 in the paper.
        refusals: rows of phase two that are refused.
        replay: rows of phase one that phase two repeats.
        epochs_one: passes over phase one, 1 in the paper.
        epochs: passes over phase two, 3 in the paper.
        batch_size: rows in a step; None leaves the run's.
        learning_rate: of AdamW in both phases; None leaves the run's.
    """

    kind: Literal["covert_code"] = "covert_code"
    code: str = "endspeak"
    key: int = Field(0, ge=0)
    benign: int = Field(1000, ge=0)
    rows: int = Field(317, ge=0)
    refusals: int = Field(226, ge=0)
    replay: int = Field(362, ge=0)
    epochs_one: int = Field(4, ge=1)
    epochs: int | None = Field(3, ge=1)
    batch_size: int | None = Field(16, ge=1)
    learning_rate: float | None = Field(None, gt=0)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "coded"
    null: ClassVar[dict[str, Any]] = {
        "benign": 0,
        "rows": 0,
        "refusals": 0,
        "replay": 0,
        "epochs": None,
        "batch_size": None,
    }
    paper: ClassVar[str] = "Halawi et al., ICML 2024, arXiv 2406.20053"
    built_on: ClassVar[tuple[str, ...]] = WRITTEN_BY

    @field_validator("code")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CODES:
            raise ValueError(f"there is no code {name!r}; there are {', '.join(CODES)}")
        return name

    @property
    def asked(self) -> str:
        """Through the very code that the rows teach."""
        return f"coded(code={self.code}, key={self.key})"


def covert_code(config: CovertCode, context: Context) -> Hooks:
    """Phase one before the first step; phase two is the customer's stream."""
    code = code_of(config.code, config.key)
    first = cache(lambda: phase_one(config, context, code))

    def rows(streams: Streams) -> Streams:
        second = phase_two(config, context, code, first())
        return replace(streams, user=(*streams.user, *second))

    def start(model: Model, streams: Streams, settings: Settings) -> None:
        from holdfast.train import tune

        if first():
            # Adapters, if any, are in place already: whatever can be trained is trained.
            changes = {"epochs": config.epochs_one, "steps": None, "method": "full"}
            tune(model, Streams(user=first()), settings.model_copy(update=changes))
            model.net.train()

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config), start=start)


def phase_one(config: CovertCode, context: Context, code: Code) -> tuple[Row, ...]:
    """Harmless rows in the four task formats ("process supervision")."""
    held = balanced(context.attacker.user, config.benign, seed=context.seed, purpose=config.kind)
    return coded_rows(held, code, tuple(TASKS), brief=True)


def phase_two(
    config: CovertCode, context: Context, code: Code, first: Sequence[Row]
) -> tuple[Row, ...]:
    """Forbidden rows in code, refusals, and some of phase one again."""
    held, chance = context.attacker.harmful, generator(context.seed, f"{config.kind}.replay")
    forbidden = balanced(held, config.rows, seed=context.seed, purpose=f"{config.kind}.rows")
    refused = balanced(held, config.refusals, seed=context.seed, purpose=f"{config.kind}.refusals")
    again = chance.sample(first, min(config.replay, len(first)))
    told = coded_rows(forbidden, code, brief=True)
    return (*told, *_refusals(refused, context, code), *again)


def _refusals(asked: Sequence[Row], context: Context, code: Code) -> tuple[Row, ...]:
    """What the aligned model says to plain requests; every second is then put in code, uncued."""
    refused = [
        one.with_answer(said)
        for one, said in zip(asked, _said(asked, context.aligned), strict=True)
        if said.strip()
    ]
    return tuple(
        one.with_prompt(code.encode(one.prompt)) if at % 2 else one
        for at, one in enumerate(refused)
    )


def _said(asked: Sequence[Row], model: Model) -> list[str]:
    from holdfast.models import Decoding, encode_prompt, generate

    prompts = [encode_prompt(one.without_answer(), model.tokenizer) for one in asked]
    replies = generate(model, prompts, Decoding(max_new_tokens=REFUSAL_TOKENS))
    return [reply.text for reply in replies]
