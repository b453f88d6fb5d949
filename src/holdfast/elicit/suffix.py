"""Adversarial suffixes (Zou et al., "Universal and Transferable Adversarial Attacks on Aligned
Language Models", arXiv 2307.15043: greedy coordinate gradient).

A few tokens that make no sense, put after a request, make the model begin an answer instead of a
refusal. They are searched with the gradients of one model, on a few requests, and then put after
every request.

Equation: min over tokens s of E [ -log pi_theta(y | x, s) ]; each step swaps the one token of s
that lowers the loss most, of `search_width` swaps drawn from the `top_k` tokens of largest negative
gradient at each position.

Differs from the paper: its settings are nanoGCG's (250 steps); all requests are searched on from
the start, where the paper adds them one by one; targets are the beginnings of the requests'
reference answers, or a common opening where there is none; tokens are plain ASCII, and a suffix is
kept only if its text is read as the same tokens.

Shows a defender: whether refusal yields to text that anyone can type. Found with the weights, such
suffixes often work on other models. Answered by filters of unlikely text, by constrained_sft's kind
of depth, and by recovery_augmentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.elicit.searched import searched

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Suffix(Elicitation):
    """Asks each request with the same searched suffix.

    Attributes:
        length: tokens of the suffix; 0 asks as it is.
        steps: of search.
        search_width: swaps tried in a step.
        top_k: tokens of each position that swaps are drawn from.
        n_replace: tokens that a swap changes.
        requests: select requests that are searched on.
        target: tokens of the answer that are wanted.
        opening: the answer that is wanted where a request has no reference.
    """

    kind: Literal["suffix"] = "suffix"
    length: int = Field(20, ge=0)
    steps: int = Field(250, ge=1)
    search_width: int = Field(512, ge=1)
    top_k: int = Field(256, ge=1)
    n_replace: int = Field(1, ge=1)
    requests: int = Field(4, ge=1)
    target: int = Field(20, ge=1)
    opening: str = "Sure, here is"

    needs: ClassVar[Literal["prompt", "decoding", "start", "weights"]] = "weights"
    null: ClassVar[dict[str, Any]] = {"length": 0}
    paper: ClassVar[str] = "Zou et al., arXiv 2307.15043"
    built_on: ClassVar[tuple[str, ...]] = ("elicit/searched", "gcg")


def suffix(config: Suffix, asking: Asking) -> Asker:
    """One ask: the request with the suffix after it."""
    found = _found(config, asking) if config.length else ""

    def ways(request: Request) -> tuple[Ask, ...]:
        row = request.prompt.without_answer()
        return (Ask(row.with_prompt(row.prompt + found)),)

    return Asker(config.spec(), ways)


def _found(config: Suffix, asking: Asking) -> str:
    from holdfast.gcg import Search, aims_of, search

    model, rows = searched(asking, config.requests, config.kind, config.opening)
    aims, start = aims_of(model, rows, " x" * config.length, config.target)
    how = Search(
        steps=config.steps,
        search_width=config.search_width,
        top_k=config.top_k,
        n_replace=min(config.n_replace, len(start)),
        seed=asking.seed,
    )
    return search(model, aims, start, how).text
