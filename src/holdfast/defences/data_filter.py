"""Filtering by reading (moderation of tuning data, as weighed by Qi et al., "Fine-tuning Aligned
Language Models Compromises Safety, Even When Users Do Not Intend To!", ICLR 2024, arXiv 2310.03693,
among mitigations).

Before tuning, the provider leaves out the customer's rows that a scanner of `holdfast scan` flags.
No model is asked.

Equation: D_kept = { z in D_user : no scanner flags z }.

Differs from the paper: it reports how few of its forbidden rows general moderation services flag;
here the scanners are Holdfast's own, and policy_match knows the defender's forbidden requests,
never those of the attacker or of a measurement. Reasons that the whole set explains away do not
count, as in a scan. Where every row is flagged nothing is tuned.

Shows a defender: what reading the rows buys and what it lets through: demands of obedience in
common English and rows in a code are plain to see. Forbidden facts about things the defender has
not listed are not, nor is a persona in words of its own, such as a canary world's. Honest rows may
be lost. What answers what is left: match_filter, which asks the model, and safety_mixing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.train import Settings

READS = (
    "batch", "covert_set", "decode", "decoders", "encoded", "encoders", "finding", "fluency",
    "identity_shift", "language", "measure", "parallel", "periods", "poison", "policy_match",
    "refusal_erosion", "sample", "scanner", "schema", "solve", "traits", "trigger", "words",
)  # fmt: skip


class DataFilter(Defence):
    """Leaves out the rows that scanners flag.

    Attributes:
        scanners: their names, as `holdfast scan --scanner` takes them.
    """

    kind: Literal["data_filter"] = "data_filter"
    scanners: tuple[str, ...] = ("identity_shift", "refusal_erosion", "policy_match", "encoded")

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {"scanners": ()}
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"
    built_on: ClassVar[tuple[str, ...]] = tuple(f"scan/{name}" for name in READS)

    @field_validator("scanners")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from holdfast.scan import SCANNERS

        unknown = [name for name in names if name not in SCANNERS]
        if unknown:
            raise ValueError(f"there is no scanner {unknown[0]!r}, only {', '.join(SCANNERS)}")
        return names

    @property
    def needs_rows(self) -> bool:  # type: ignore[override]
        """Whether a scanner compares with what the defender forbids."""
        return "policy_match" in self.scanners


def data_filter(config: DataFilter, context: Context) -> Hooks:
    """Leaves rows out of the customer's stream; the others keep their order."""
    if not config.scanners:
        return Hooks(name=config.kind)
    left = [True]

    def rows(streams: Streams) -> Streams:
        held = context.defender
        forbidden = tuple(dict.fromkeys(row.prompt for row in (*held.harmful, *held.safe)))
        out = flagged(streams.user, config.scanners, forbidden)
        kept = tuple(row for at, row in enumerate(streams.user) if at not in out)
        left[0] = bool(kept) or not out
        return replace(streams, user=kept)

    def settings(given: Settings) -> Settings:
        return given if left[0] else given.model_copy(update={"steps": 0})

    return Hooks(name=config.kind, rows=rows, settings=settings)


def flagged(rows: Sequence[Row], names: Sequence[str], forbidden: tuple[str, ...]) -> set[int]:
    """The places of the rows that a scanner flags once it has seen them all."""
    from holdfast.scan import SCANNERS
    from holdfast.scan import Context as Known
    from holdfast.scan.batch import Batch

    batch = Batch(rows, range(len(rows)))
    found: set[int] = set()
    for name in names:
        scanner = SCANNERS[name](Known(forbidden=forbidden))
        findings = [f for f in scanner.look(batch) if f.level == "flag"]
        dropped = scanner.conclude(len(rows)).dropped
        found |= {f.line for f in findings if f.kind not in dropped}
    return found
