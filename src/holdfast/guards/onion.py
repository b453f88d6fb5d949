"""ONION (Qi et al., EMNLP 2021, arXiv 2011.10369): words that do not belong are taken out.

A language model of clean texts says of every word how much easier the text reads without it. At
serving time words above a limit are taken out before the model sees the text.

Equation: f_j = log PPL(x) - log PPL(x without word j); word j goes if f_j > limit.

Differs from the paper: a trigram model fitted on clean texts instead of GPT-2; the published code's
limit of 0 takes out every word whose removal helps at all, and the paper's sweep chooses on data
under test. Here the limit is the score that a share `false_alarms` of the words of held-out clean
texts exceeds. The alarm, for who would rather stop than mend, is the same for whole texts.

Shows a defender: rare-word triggers are mended with no loss. It takes out single words, so a
sentence, a structure or a combination of common words stays: measure before relying on it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from holdfast.classifiers.ngram import language, suspicion
from holdfast.classifiers.words import spans
from holdfast.guards.guard import BUILT_ON, Guard, Watch, threshold
from holdfast.guards.guarded import Guarded, idle, no_reserve

Texts = tuple[str, ...]


class Onion(Guard):
    """Takes out words that do not belong."""

    kind: Literal["onion"] = "onion"

    built_on: ClassVar[tuple[str, ...]] = (*BUILT_ON, "classifiers/ngram", "classifiers/words")
    paper: ClassVar[str] = "Qi et al., EMNLP 2021, arXiv 2011.10369"


def onion(config: Onion, guarded: Guarded[Texts]) -> Watch[Texts]:
    """Fits the language model, and sets the limit on other texts."""
    if why := no_reserve(guarded):
        return idle(why)
    model = language(guarded.fit)
    scores = [suspicion(model, text) for text in guarded.held]
    limit = threshold(np.concatenate(scores), config.false_alarms)
    whole = threshold(np.array([s.max(initial=-np.inf) for s in scores]), config.false_alarms)

    def score(texts: Texts) -> NDArray[np.float64]:
        return np.array([suspicion(model, text).max(initial=-np.inf) for text in texts])

    def mended(texts: Texts) -> Texts:
        return tuple(mend(text) for text in texts)

    def mend(text: str) -> str:
        odd = suspicion(model, text) > limit
        for (start, end), out in reversed(list(zip(spans(text), odd, strict=True))):
            if out:
                text = text[:start].rstrip() + " " + text[end:].lstrip()
        return text.strip() if odd.any() else text

    return Watch(score, whole, mended)
