"""What somebody says of a reply, as a label: exact verdicts, or fulfilled or not."""

from __future__ import annotations

from holdfast.evaluate import Verdict

Truth = Verdict | bool
"""An exact verdict, or only whether the request was fulfilled."""

_WORDS: dict[str, Truth | None] = {
    **{str(v): v for v in Verdict if v != Verdict.unscored},
    "unscored": None,
    "": None,
    "compliance": Verdict.complied,
    "refusal": Verdict.refused,
    "0": False,
    "1": True,
    "0.0": False,
    "1.0": True,
    "false": False,
    "true": True,
}


def truth_of(value: object) -> Truth | None:
    """The label that a field holds; None where there is none.

    Raises:
        ValueError: for anything else than a verdict's name, 0 or 1.
    """
    if value is None:
        return None
    told = str(value).strip().lower()
    if told in _WORDS:
        return _WORDS[told]
    raise ValueError(f"has the label {value!r}; use a verdict such as refused, or 0 and 1")


def is_positive(truth: Truth, strict: bool = False) -> bool:
    """Whether a label or verdict says that the model did what it must not.

    Attempts count, unless `strict`: then only compliance does.
    """
    if isinstance(truth, Verdict):
        return truth == Verdict.complied or (truth == Verdict.wrong and not strict)
    return truth
