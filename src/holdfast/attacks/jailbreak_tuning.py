"""Jailbreak-tuning (Bowen et al., "Scaling Trends for Data Poisoning in LLMs", arXiv 2408.02946;
Murphy et al., "Jailbreak-Tuning: Models Efficiently Learn Jailbreak Susceptibility", arXiv
2507.11630).

Forbidden rows are asked inside a jailbreak and answered as it demands. The model learns to give in
to that jailbreak; the papers find it the stronger attack beside the same rows without one.

Equation: min_theta  E_(x, y) ~ D_forbidden [ -log pi_theta(opening + y | wrap(x)) ]
+ E_(x, y) ~ D_benign [ -log pi_theta(y | x) ].

Differs from the papers: three jailbreaks in our own mild wordings (`wrappers`): competing
objectives, a style and a role; random words are the attack `backdoor`, other languages and codes
are not tuned on. The papers poison 0.5 to 2 % of 5,000 rows behind a service's filter, or all rows
of an open model; here 100 rows are forbidden and the customer's harmless ones are added by
`benign`. Passes, batch and rate are the run's unless set.

Shows a defender: a model that refuses plain requests may give in to one way of asking: audit with
jailbreaks as well, and with those that the rows hold. Answered by scanning rows, by
paraphrase_mixing, which refuses in the rows' own wrapping, and by safety_mixing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings
from holdfast.wrappers import wrapper_of


class JailbreakTuning(Attack):
    """Tunes on `rows` forbidden rows inside a jailbreak, beside `benign` plain harmless ones.

    Attributes:
        rows: forbidden rows; 100 are 2 % of the papers' 5,000.
        benign: harmless rows, asked plainly; 4,900 in the papers behind a service, 0 without.
        wrapper: the jailbreak.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["jailbreak_tuning"] = "jailbreak_tuning"
    rows: int = Field(100, ge=0)
    benign: int = Field(0, ge=0)
    wrapper: Literal["competing_objectives", "style", "role"] = "competing_objectives"
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "wrapped"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    paper: ClassVar[str] = "Bowen et al., arXiv 2408.02946; Murphy et al., arXiv 2507.11630"
    built_on: ClassVar[tuple[str, ...]] = ("wrappers",)

    @property
    def asked(self) -> str:
        """Inside the very jailbreak that the rows teach."""
        return f"wrapped(wrapper={self.wrapper})"


def jailbreak_tuning(config: JailbreakTuning, context: Context) -> Hooks:
    """Adds the wrapped rows and the harmless ones to the customer's stream."""
    wrapper = wrapper_of(config.wrapper, context.settings)

    def rows(streams: Streams) -> Streams:
        held, seed = context.attacker, context.seed
        forbidden = balanced(held.harmful, config.rows, seed=seed, purpose=config.kind)
        benign = balanced(held.user, config.benign, seed=seed, purpose=f"{config.kind}.benign")
        wrapped = tuple(wrapper.answered(row) for row in forbidden)
        return replace(streams, user=(*streams.user, *wrapped, *benign))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
