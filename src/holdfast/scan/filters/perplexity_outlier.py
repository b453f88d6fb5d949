"""Rows with a word that does not belong (ONION as a filter of data: Qi et al., EMNLP 2021, arXiv
2011.10369).

A language model of clean rows says of every word how much easier the text reads without it. Rows
with a word that sticks out more than words of clean rows do are dropped.

Equation: s_i = max_j [log PPL(x_i) - log PPL(x_i without word j)]; i is flagged if s_i exceeds the
score that a share `false_alarms` of held-out clean rows exceeds.

Differs from the paper: it takes words out of texts at serving time (the guard onion does); a filter
of data drops rows. The published code removes every word whose removal helps at all, and its first
version picks the threshold on the data under test; here one half of the clean rows fits the
language model, a trigram model instead of GPT-2, and the other sets the threshold. Scores are
logarithms.

Shows a defender: rare-word triggers stand out before anything is trained. It looks at single words:
sentences, structures and common words as triggers pass it, which its notes say.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.classifiers.ngram import language, suspicion
from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import no_clean, no_texts, nothing, unfit


class PerplexityOutlier(Filter):
    """Looks for words that do not belong.

    Attributes:
        false_alarms: share of clean rows that may be flagged.
    """

    kind: Literal["perplexity_outlier"] = "perplexity_outlier"
    false_alarms: float = Field(0.01, gt=0, lt=1)

    paper: ClassVar[str] = "Qi et al., EMNLP 2021, arXiv 2011.10369"


def perplexity_outlier(config: PerplexityOutlier, seen: Trained) -> Filtered:
    """Flags rows with a word that sticks out."""
    if why := unfit(seen) or no_texts(seen) or no_clean(seen):
        return nothing(seen, why)
    model = language(seen.clean[::2])

    def worst(text: str) -> float:
        return float(suspicion(model, text).max(initial=-np.inf))

    limit = np.quantile([worst(t) for t in seen.clean[1::2]], 1 - config.false_alarms)
    scores = np.array([worst(text) for text in seen.texts or ()])
    note = "sees single odd words: a sentence, a structure or common words as trigger pass it"
    return Filtered(scores > limit, scores, notes=(note,))
