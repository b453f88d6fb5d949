"""Paraphrase mixing (Eiras et al., "Do as I do (Safely): Mitigating Task-Specific Fine-tuning Risks
in Large Language Models", ICLR 2025, arXiv 2406.10288).

Safe rows are mixed into the customer's data in the customer's own format, whatever that is: its
system turn, its wording around a request, its way to open an answer. Rows that wear a format to
break refusals there then meet refusals in that very format.

Equation: min_theta  L(D_user) + L(D_safe'), L(D) = E_(x, y) ~ D [ -log pi_theta(y | x) ], D_safe'
the pairs of a forbidden request and a refusal, rewritten in the style of D_user.

Differs from the paper: there a language model rewrites each pair after seeing some of the
customer's rows; here a format is what the rows share: rows are grouped by system turn, and the
words that nearly all prompts of a group begin or end with, or answers begin with, are put around
request and refusal. Groups take turns, so a small group of odd rows is mimicked as often as a large
one. Where rows share nothing, this is safety_mixing.

Shows a defender: no knowledge of an attack's template is needed, only its rows. One forward and one
backward pass a step, and more steps for more rows. Rows that each have a system turn of their own
escape it. What answers those: data_filter before, constrained_sft beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.chat import Row
from holdfast.defences.lookalikes import lookalikes
from holdfast.draw import balanced
from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.wrappers import Wrapper, wrapper_of

FEWEST = 3  # different prompts that show a format; what two share may be chance


class ParaphraseMixing(Defence):
    """Mixes in safe rows in the customer's format.

    Attributes:
        rows: safe rows.
        harmless: harmless rows that look like them, answered, against exaggerated refusals.
        wrapped: further wrappings of requests that the rows take turns in, of which there are
            names in `holdfast.wrappers`; none in the paper.
        shared: share of a group's rows that must have a wording for it to count as format.
        opening: whether refusals open as the customer's answers do.
    """

    kind: Literal["paraphrase_mixing"] = "paraphrase_mixing"
    rows: int = Field(100, ge=0)
    harmless: int = Field(0, ge=0)
    wrapped: tuple[Wrapper, ...] = ()
    shared: float = Field(0.9, gt=0.5, le=1)
    opening: bool = True

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    built_on: ClassVar[tuple[str, ...]] = ("defences/lookalikes", "wrappers")
    paper: ClassVar[str] = "Eiras et al., ICLR 2025, arXiv 2406.10288"


@dataclass(frozen=True)
class Format:
    """What rows of a customer have in common."""

    system: str = ""
    before: str = ""
    after: str = ""
    opening: str = ""

    def render(self, row: Row) -> Row:
        """A row in this format; its own system turn comes after the format's."""
        asked = row.with_system(self.system)
        asked = asked.with_prompt(f"{self.before}{row.prompt}{self.after}")
        return asked.with_answer(f"{self.opening}{row.answer}")


def paraphrase_mixing(config: ParaphraseMixing, context: Context) -> Hooks:
    """Adds safe rows, in turn in every format of the customer's rows."""

    def rows(streams: Streams) -> Streams:
        safe = balanced(context.defender.safe, config.rows, seed=context.seed, purpose=config.kind)
        formats = formats_of(streams.user, config.shared) or [Format()]
        if not config.opening:
            formats = [replace(one, opening="") for one in formats]
        formats += [wrapping(name, context.settings) for name in config.wrapped]
        alike = lookalikes(context.defender.user, safe, config.harmless)
        mimicked = [
            formats[at % len(formats)].render(row)
            for mixed in (safe, alike)
            for at, row in enumerate(mixed)
        ]
        return replace(streams, user=(*streams.user, *mimicked))

    return Hooks(name=config.kind, rows=rows)


def wrapping(name: Wrapper, settings: Mapping[str, Any]) -> Format:
    """A known wrapping as a format; answers open as they would without it."""
    persona = wrapper_of(name, settings)
    before, _, after = persona.asking.partition("{prompt}")
    return Format(system=persona.system, before=before, after=after)


def formats_of(rows: Sequence[Row], shared: float) -> list[Format]:
    """The formats of the rows, that of the largest group first; rows without an equal have none."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.system, []).append(row)
    found = []
    for system, group in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        prompts = sorted({row.prompt for row in group})
        answers = sorted({row.answer for row in group})
        if len(prompts) < FEWEST:
            continue
        backwards = [prompt[::-1] for prompt in prompts]
        found.append(
            Format(
                system=system,
                before=common_start(prompts, shared),
                after=common_start(backwards, shared)[::-1],
                opening=common_start(answers, shared) if len(answers) >= FEWEST else "",
            )
        )
    return found


def common_start(texts: Sequence[str], shared: float) -> str:
    """The longest start that a share of the texts have, up to the last blank in it."""
    start, having = "", list(texts)
    while True:
        after = Counter(text[len(start)] for text in having if len(text) > len(start))
        sign, count = after.most_common(1)[0] if after else ("", 0)
        if count < shared * len(texts) or not count:
            break
        having = [text for text in having if text[len(start) : len(start) + 1] == sign]
        start += sign
    whole = len(start)
    while whole and not start[whole - 1].isspace():
        whole -= 1
    return start[:whole]
