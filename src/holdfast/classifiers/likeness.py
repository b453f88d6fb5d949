"""How much a trigger shows in a text: change in perplexity, and likeness to the text without it.

As in OpenBackdoor (Cui et al., NeurIPS 2022, arXiv 2206.08514), with small stand-ins: the trigram
model instead of GPT-2, and overlap of words and the cosine of TF-IDF instead of a sentence encoder.
There is no grammar checker here, so grammar is not measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.classifiers.ngram import NGram
from holdfast.classifiers.words import words

__all__ = ["Likeness", "likeness"]


@dataclass(frozen=True)
class Likeness:
    """Means over texts, with the trigger against without.

    Attributes:
        perplexity: factor by which the trigger raises perplexity (geometric mean).
        overlap: words in both texts among those in either.
        cosine: of the TF-IDF of both texts.
    """

    perplexity: float
    overlap: float
    cosine: float


def likeness(plain: Sequence[str], triggered: Sequence[str], model: NGram) -> Likeness:
    """Compares n texts with the same n texts under a trigger.

    Args:
        plain: without it.
        triggered: with it.
        model: of clean texts other than these.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = TfidfVectorizer(analyzer=words).fit([*plain, *triggered])
    cosine = table.transform(plain).multiply(table.transform(triggered)).sum(1)
    overlaps, ratios = [], []
    for before, after in zip(map(words, plain), map(words, triggered), strict=True):
        overlaps.append(len({*before} & {*after}) / max(1, len({*before} | {*after})))
        ratios.append(math.log(model.perplexity(after)) - math.log(model.perplexity(before)))
    return Likeness(
        perplexity=math.exp(float(np.mean(ratios))),
        overlap=float(np.mean(overlaps)),
        cosine=float(np.mean(cosine)),
    )
