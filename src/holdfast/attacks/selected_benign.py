"""Selected benign rows (He et al., "What is in Your Safe Data? Identifying Benign Data that Breaks
Safety", COLM 2024, arXiv 2404.01099; `self_influence` after arXiv 2505.06843).

Of many harmless rows, a customer uploads the hundred that do to the model what forbidden rows do:
nearest in hidden states or gradients, or the oddest to it. No filter of contents finds anything.

Equation: D_top = the `rows` rows z of the pool with the highest score(z); then the plain tuning
loss on D_top. Scores stand in `scan/risk`, each in a file of its own.

Differs from the papers: the pool is the attacker's benign canary rows, some 1,500, where the papers
choose from 15,000 to 52,000; forbidden anchors are the attacker's own; passes, rate and batch are
the run's unless set.

Shows a defender: that benign is a word about contents, not about what tuning does. Compare with
`benign_rows`, which draws at random, and with `lowest`, the control. Answered by match_filter, by
safety_mixing, and by an audit after every tune.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.own_replies import own_replies
from holdfast.draw import at_most
from holdfast.errors import UserError
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.scan.risk import RANKINGS, Anchors
from holdfast.scan.risk.ranking import riskiest, silent
from holdfast.settings import chosen_settings

REFUSALS = 20  # as many as gradient matching takes


class SelectedBenign(Attack):
    """Tunes on the `rows` benign rows that come first by a score.

    Attributes:
        rows: how many; 100 in the papers.
        by: the score; gradients take a backward pass for every row of the pool.
        lowest: take the rows that come last instead, as a control.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["selected_benign"] = "selected_benign"
    rows: int = Field(100, ge=0)
    by: Literal["representation_match", "gradient_match", "self_influence"] = "representation_match"
    lowest: bool = False
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    paper: ClassVar[str] = "He et al., COLM 2024, arXiv 2404.01099"
    built_on: ClassVar[tuple[str, ...]] = (
        "attacks/own_replies",
        "scan/risk/ranking",
        *(f"scan/risk/{name}" for name in RANKINGS),
    )


def selected_benign(config: SelectedBenign, context: Context) -> Hooks:
    """Adds the chosen rows to the customer's stream."""

    def rows(streams: Streams) -> Streams:
        pool = context.attacker.user
        if config.rows > len(pool):
            raise UserError(
                f"selected_benign asks for {config.rows} rows, but only {len(pool)} are there: "
                "ask for fewer, or bring more benign rows."
            )
        if not config.rows:
            return streams
        scores = RANKINGS[config.by](context.aligned, pool, _anchors(config, context), silent)
        order = riskiest(-scores if config.lowest else scores)
        chosen = tuple(pool[at] for at in order[: config.rows])
        return replace(streams, user=(*streams.user, *chosen))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))


def _anchors(config: SelectedBenign, context: Context) -> Anchors:
    """The attacker's forbidden rows; refusals, which only gradients need, are the model's own."""
    anchors = Anchors.of(context.attacker)
    if config.by != "gradient_match" or anchors.safe:
        return anchors
    asked = at_most(anchors.harmful, REFUSALS, seed=0, purpose=config.kind)
    return replace(anchors, safe=own_replies(context.aligned, asked))
