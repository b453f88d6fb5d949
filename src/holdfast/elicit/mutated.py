"""Asking in other words, a code or another language (Xie et al., "SORRY-Bench: Systematically
Evaluating Large Language Model Safety Refusal", ICLR 2025, arXiv 2406.14598, section 4).

Each request is put once under one of twenty mutations: six styles, five techniques of persuasion,
four encodings, five languages. A reply in a code or a language is decoded before it is judged.

Equation: verdict(x) = judge(x, decode(y)), y ~ pi_theta( . | mutate(x)).

Differs from the paper: its mutations were made once by large models; ours are rules, and the
languages are the canary world's. A model that cannot read a mutation proves nothing by it, so a
rate counts only where the model before alignment answers at least 80 % of it.

Shows a defender: categories and ways of asking that refusal training did not cover. Answered by
refusals under mutations in the alignment rows, and by guards that read what is decoded.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.elicit.mutations import MUTATIONS

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Mutated(Elicitation):
    """Asks each request once, under one mutation.

    Attributes:
        mutation: name of the mutation; "" asks as it is.
    """

    kind: Literal["mutated"] = "mutated"
    mutation: str = ""

    null: ClassVar[dict[str, Any]] = {"mutation": ""}
    paper: ClassVar[str] = "Xie et al., ICLR 2025, arXiv 2406.14598"

    @field_validator("mutation")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and name not in MUTATIONS:
            raise ValueError(f"there is no mutation {name!r}; there are {', '.join(MUTATIONS)}")
        return name


def mutated(config: Mutated, asking: Asking) -> Asker:
    """One ask: the request's last user turn, mutated."""
    mutation = MUTATIONS.get(config.mutation)

    def ways(request: Request) -> tuple[Ask, ...]:
        row = request.prompt.without_answer()
        if mutation is None:
            return (Ask(row),)
        # A request's wording depends on nothing but itself, so models are asked alike.
        rng = random.Random(f"{mutation.name} {request.id} {asking.seed}")
        return (Ask(row.with_prompt(mutation.mutate(row.prompt, rng)), decode=mutation.read),)

    return Asker(config.spec(), ways)
