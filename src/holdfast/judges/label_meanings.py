"""What the labels of sequence classifiers mean, read from their names or said by the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.errors import UserError
from holdfast.evaluate import Verdict

# Names that published classifiers use, without case, hyphens and underscores.
_MEANING: dict[str, Verdict] = {
    **dict.fromkeys(
        (
            *("complied", "complies", "compliance", "comply", "compliant", "fulfilled", "fulfills"),
            *("fulfillment", "fulfilment", "harmful", "unsafe", "jailbroken", "jailbreak"),
            *("normal", "notrefusal", "nonrefusal", "norefusal", "answer", "answered"),
        ),
        Verdict.complied,
    ),
    **dict.fromkeys(
        (
            *("refused", "refuses", "refusal", "refuse", "rejection", "rejected", "reject"),
            *("declined", "decline", "safe", "harmless", "unharmful", "notharmful"),
        ),
        Verdict.refused,
    ),
    **dict.fromkeys(("wrong", "attempted", "attempt", "partial"), Verdict.wrong),
    **dict.fromkeys(("incoherent", "gibberish", "babble", "noise"), Verdict.incoherent),
}


def meanings(
    names: Sequence[str], said: Mapping[Verdict, Sequence[str]], model: str
) -> list[Verdict]:
    """The verdict of every label, in order.

    Args:
        names: The model's labels.
        said: Labels of verdicts, as the user has it; all empty, the names tell.
        model: What the model is called in errors.

    Raises:
        UserError: the user names a label that is not there, or it is not clear what one means.
    """
    told = {label: verdict for verdict, labels in said.items() for label in labels}
    unknown = [label for label in told if label not in names]
    if unknown:
        raise UserError(f"{model} has no label {unknown[0]!r}: it has {', '.join(names)}.")
    meant = [told.get(name) if told else _MEANING.get(_bare(name)) for name in names]
    silent = [name for name, verdict in zip(names, meant, strict=True) if verdict is None]
    if silent:
        raise UserError(
            f"It is not clear what the label {silent[0]!r} of {model} means: say it, as in "
            f"classifier(folder=…, complied=[{names[-1]}], refused=[{names[0]}])."
        )
    return [verdict for verdict in meant if verdict is not None]


def _bare(label: str) -> str:
    return "".join(sign for sign in label.lower() if sign.isalnum())
