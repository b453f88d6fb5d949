"""Word vectors from plain texts, without labels: what stands for a pre-trained encoder here.

Words that keep the same company get similar vectors: positive pointwise mutual information of words
in one text, cut to its greatest directions (Levy and Goldberg, NeurIPS 2014). The texts are notes
of another seed, so that no word of a trigger and no label goes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from holdfast.classifiers.notes import TOPICS, corpus
from holdfast.classifiers.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["note_space", "word_space"]

PLAIN_SEED = 999_999
PLAIN_NOTES = 3_000


@lru_cache(maxsize=2)
def note_space(width: int) -> dict[str, NDArray[np.float64]]:
    """Vectors of the words of harbour notes, (width,) each."""
    plain = corpus(len(TOPICS), train=PLAIN_NOTES, test=0, reserve=0, seed=PLAIN_SEED)
    return word_space(plain.train.items, width)


def word_space(texts: Sequence[str], width: int) -> dict[str, NDArray[np.float64]]:
    """Vectors of the words of texts, scaled so that their entries have deviation 1.

    Args:
        texts: plain texts.
        width: of a vector; where there are fewer words, the rest is 0.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    table = CountVectorizer(analyzer=words, binary=True)
    there = table.fit_transform(texts).astype(np.float64)
    together = (there.T @ there).toarray()
    np.fill_diagonal(together, 0.0)
    margin = together.sum(1)
    expected = np.maximum(np.outer(margin, margin), 1e-12)
    ratio = together * together.sum() / expected
    information = np.log(np.where(ratio > 1, ratio, 1.0))
    left, sizes, _ = np.linalg.svd(information)
    vectors = np.zeros((len(left), width))
    kept = min(width, len(sizes))
    vectors[:, :kept] = left[:, :kept] * np.sqrt(sizes[:kept])
    vectors /= max(float(np.abs(vectors).std()), 1e-12)
    return dict(zip(table.get_feature_names_out(), vectors, strict=True))
