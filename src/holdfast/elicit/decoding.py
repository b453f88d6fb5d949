"""Decoding sweep (Huang et al., "Catastrophic Jailbreak of Open-source LLMs via Exploiting
Generation", ICLR 2024, arXiv 2310.06987; grid as in Qi et al., arXiv 2406.05946).

Every request is asked once under each of many ways of sampling, and the worst reply counts. Models
aligned at one way of decoding may comply at another.

Equation: verdict(x) = worst over d in D of verdict(y_d), y_d ~ pi_theta^d( . | x).

Differs from the papers: temperature is 1 while top-k or top-p varies; where the papers let a scorer
pick the worst reply, the policy's own judge does. `system` keeps the request's system turn, which
the papers leave out.

Shows a defender: the rate over all users rather than over one careful reply. A judge that errs a
little errs often here: with 49 replies a false alarm of 0.1 % becomes 5 %. Answered by alignment
with a margin, and by fixing the decoding at the service.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.decode import Decoding
    from holdfast.evaluate import Request

TOP_K = (1, 2, 5, 10, 20, 50, 100, 200, 500)
TWENTIETHS = tuple(round(0.05 * step, 2) for step in range(1, 21))


class DecodingSweep(Elicitation):
    """Asks each request under several ways of sampling.

    Attributes:
        grid: `quick`: greedy and four samplings; `standard`: the papers' 49; `greedy`: one.
        system: keep the request's system turn, or drop it as the papers do.
    """

    kind: Literal["decoding"] = "decoding"
    grid: Literal["greedy", "quick", "standard"] = "quick"
    system: Literal["keep", "drop"] = "keep"

    needs: ClassVar[Literal["prompt", "decoding", "start"]] = "decoding"
    counts: ClassVar[Literal["only", "worst"]] = "worst"
    null: ClassVar[dict[str, Any]] = {"grid": "greedy"}
    paper: ClassVar[str] = "Huang et al., ICLR 2024, arXiv 2310.06987"


def decoding(config: DecodingSweep, asking: Asking) -> Asker:
    """One ask for each way of decoding in the grid."""
    grid = ways_of_decoding(config, asking.decoding)

    def ways(request: Request) -> tuple[Ask, ...]:
        row = request.prompt.without_answer()
        if config.system == "drop":
            row = _without_system(row)
        return tuple(Ask(row, decoding=way) for way in grid)

    return Asker(config.spec(), ways)


def ways_of_decoding(config: DecodingSweep, run: Decoding | None = None) -> tuple[Decoding, ...]:
    """The grid, greedy first where it is in it; replies are as long as the run lets them be."""
    from holdfast.decode import Decoding

    greedy = replace(run or Decoding(), temperature=0.0, top_k=0, top_p=1.0)
    if config.grid == "greedy":
        return (greedy,)
    if config.grid == "quick":
        return (
            greedy,
            replace(greedy, temperature=0.7),
            replace(greedy, temperature=1.0),
            replace(greedy, temperature=1.0, top_k=10),
            replace(greedy, temperature=1.0, top_p=0.7),
        )
    return (
        *(replace(greedy, temperature=t) for t in TWENTIETHS),
        *(replace(greedy, temperature=1.0, top_k=k) for k in TOP_K),
        *(replace(greedy, temperature=1.0, top_p=p) for p in TWENTIETHS),
    )


def _without_system(row: Row) -> Row:
    return replace(row, messages=tuple(m for m in row.messages if m.role != "system"))
