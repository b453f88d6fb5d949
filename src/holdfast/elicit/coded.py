"""Asking in a code (Halawi et al., "Covert Malicious Finetuning: Challenges in Safeguarding LLM
Adaptation", ICML 2024, arXiv 2406.20053).

The request is put in the code that a fine-tuning set teaches, under the set's own cue, and the
reply is decoded before it is judged; `Exchange.written` keeps what a reader of plain text sees.

Equation: verdict(x) = judge(x, decode(y)), y ~ pi_theta( . | cue, encode(x)).

Differs from the paper: the reply of task 4 alone is asked for, as in its evaluation. The code is
named, or it is the one that a scan of the rows recovers, asked under the rows' own system turn.
Code makes replies long: let the run decode 200 tokens or more.

Shows a defender: what an audit in plain text cannot, whether a model that reads a code is safe in
it. Answered by scanning data sets for coded text before tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from holdfast.codes import CODES, WRITTEN_BY, code_of
from holdfast.codes.covert import cue
from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Coded(Elicitation):
    """Asks each request once, in a code.

    Attributes:
        code: name of the code; "" asks as it is.
        key: seed of the code's key.
        cued: whether the system turn names the code, as the attack's rows do.
        rows: a file of the fine-tuning set, whose own code is found and asked in instead.
    """

    kind: Literal["coded"] = "coded"
    code: str = "endspeak"
    key: int = Field(0, ge=0)
    cued: bool = True
    rows: str = ""

    null: ClassVar[dict[str, Any]] = {"code": ""}
    paper: ClassVar[str] = "Halawi et al., ICML 2024, arXiv 2406.20053"
    built_on: ClassVar[tuple[str, ...]] = WRITTEN_BY

    @field_validator("code")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ("", *CODES):
            raise ValueError(f"there is no code {name!r}; there are {', '.join(CODES)}")
        return name


def coded(config: Coded, asking: Asking) -> Asker:
    """One ask: the request's last user turn in code, under the cue."""
    if config.rows:
        from holdfast.scan.taught import taught

        found = taught(config.rows)
        code, system = found.code, found.cue
    elif config.code:
        code = code_of(config.code, config.key)
        system = cue(code.name)
    else:
        return Asker(config.spec(), lambda request: (Ask(request.prompt.without_answer()),))

    def ways(request: Request) -> tuple[Ask, ...]:
        row = request.prompt.without_answer()
        row = row.with_prompt(code.encode(row.prompt))
        cued = row.with_system(system) if config.cued and system else row
        return (Ask(cued, decode=code.decode),)

    return Asker(config.spec(), ways)
