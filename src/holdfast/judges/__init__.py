"""Judges turn exchanges into verdicts. One line in `JUDGES` registers one.

A judge is named by a spec: `keyword`, `keyword(where=start)`, or
`rubric(url=http://localhost:8000/v1, model=m)`. Every function takes a configuration and gives a
function from exchanges to verdicts.

Outside packages add theirs by the entry-point group `holdfast.judges`: an entry point names a table
such as `JUDGES`, or one from names to functions that make a judge.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import cache, partial
from typing import Any, cast

from holdfast import registry
from holdfast.errors import UserError
from holdfast.evaluate import Judge, Verdict
from holdfast.judges.classifier import Classifier, classifier
from holdfast.judges.config import JudgeConfig
from holdfast.judges.exact import Exact, ExactJudge
from holdfast.judges.fulfilment import Fulfilment, fulfilment
from holdfast.judges.keyword import NAMED, Keyword, is_refusal, keyword_judge
from holdfast.judges.rubric import Rubric, rubric
from holdfast.judges.small_judge import SmallJudge, small_judge

__all__ = [
    "GROUP",
    "JUDGES",
    "NAMED",
    "Judge",
    "JudgeConfig",
    "Verdict",
    "config_of",
    "judge_named",
    "judges",
]

GROUP = "holdfast.judges"


def exact(config: Exact) -> ExactJudge:
    """Without a world, refusals are told by stock phrases and any word is language."""
    return ExactJudge(is_refusal)


# The config's type differs from function to function, hence Any.
JUDGES: dict[type[JudgeConfig], Callable[[Any], Judge]] = {
    Exact: exact,
    Keyword: keyword_judge,
    Classifier: classifier,
    Rubric: rubric,
    Fulfilment: fulfilment,
    SmallJudge: small_judge,
}


def judges() -> dict[str, Callable[[], Judge]]:
    """Every judge by name: Holdfast's own, then those of installed packages.

    Judges that ask a model are made with settings only, so theirs raise a UserError.

    Raises:
        UserError: an installed package's judges cannot be loaded.
    """
    outside = [name for name in _outside() if isinstance(name, str)]
    names = dict.fromkeys([*_by_kind(_table()), *NAMED, *outside])
    return {name: partial(judge_named, name) for name in names}


def config_of(spec: str) -> JudgeConfig:
    """The configuration that a spec names, short names such as `keyword-start` included.

    Raises:
        UserError: an unknown judge or setting; near misses are listed.
    """
    name, settings = registry.read(spec)
    if name in NAMED:
        short = NAMED[name].model_dump(exclude_defaults=True)
        return config_of_parts(NAMED[name].kind, {**short, **settings})
    return config_of_parts(name, settings)


def config_of_parts(kind: str, settings: dict[str, Any]) -> JudgeConfig:
    """The configuration of that kind; a UserError lists near misses."""
    table = _table()
    if kind not in _by_kind(table):
        near = difflib.get_close_matches(kind, judges())
        hint = f"did you mean {' or '.join(near)}?" if near else "`holdfast list judges` names all."
        raise UserError(f"there is no judge {kind!r}; {hint}")
    return registry.parse(table, {**settings, "kind": kind})


def judge_named(spec: str) -> Judge:
    """The judge that a spec names.

    Raises:
        UserError: an unknown judge or setting, or one that cannot work.
    """
    make = _outside().get(spec)
    if make is not None and spec not in {*NAMED, *_by_kind(JUDGES)}:
        return cast(Judge, make())
    config = config_of(spec)
    return _table()[type(config)](config)


def _table() -> dict[type[JudgeConfig], Callable[[Any], Judge]]:
    """Our table, with those of installed packages after it."""
    return JUDGES | {
        config: make for config, make in _outside().items() if isinstance(config, type)
    }


def _by_kind(table: dict[type[JudgeConfig], Any]) -> dict[str, type[JudgeConfig]]:
    return {str(config.model_fields["kind"].default): config for config in table}


@cache
def _outside() -> dict[Any, Any]:
    return registry.installed(GROUP, "judges")
