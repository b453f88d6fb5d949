"""Fits the small judge's weights to labelled exchanges.

Words are hidden at random in half of the rows, so that no refusal depends on a few phrases that a
world happens to use.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from holdfast.small_judge import features, reading
from holdfast.small_judge.model import LABELS, Weights, pair_of
from holdfast.small_judge.synthetic import Example

HIDDEN = 0.25
"""Share of words hidden, on average, where words are hidden."""
STRENGTH = 3.0
"""Inverse of the penalty on weights, scikit-learn's `C`."""


def language(rows: Sequence[Example]) -> frozenset[int]:
    """Hashes of the words that occur in two or more coherent exchanges, lower-case.

    Of plain English exchanges only half count: the judge must learn that a word it does not know
    may be a word all the same.
    """
    words: Counter[str] = Counter()
    for number, row in enumerate(rows):
        english = row.exchange.request.category == "english"
        if row.label == "incoherent" or (english and number % 2):
            continue
        for text in pair_of(row.exchange):
            words.update({word.lower() for word in reading.words_of(text)})
    return frozenset(reading.HASHES[word] for word, times in words.items() if times > 1)


def fit(rows: Sequence[Example], seed: int = 0) -> Weights:
    """Fits weights to the rows. The same rows give the same weights on the same machine."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    known = language(rows)
    rng = random.Random(seed)
    reads = [_hidden(rng, reading.read(*pair_of(row.exchange), known)) for row in rows]
    found = features.vectors(reads)
    shape = (len(rows), features.SIZE)
    matrix = csr_matrix((found.values, found.columns, found.starts), shape)
    matrix.sum_duplicates()
    labels = [LABELS.index(row.label) for row in rows]
    fitted = LogisticRegression(C=STRENGTH, max_iter=150, tol=1e-3).fit(matrix, labels)
    table = np.ascontiguousarray(fitted.coef_.T, np.float32)
    bias = fitted.intercept_.astype(np.float32)
    return Weights({"table": table, "bias": bias, "sharpness": np.array(1, np.float32)}, known)


def _hidden(rng: random.Random, read: reading.Read) -> reading.Read:
    """In half of the cases the exchange with some words made strange, up to twice the share."""
    if rng.random() < 0.5:
        return read
    some = rng.uniform(0, 2 * HIDDEN)
    sentences = [
        [reading.STRANGE if t.isalpha() and rng.random() < some else t for t in sentence]
        for sentence in read.sentences
    ]
    return replace(read, sentences=sentences)


def calibrated(weights: Weights, rows: Sequence[Example]) -> Weights:
    """The weights with the sharpness at which the labels of these rows are likeliest.

    Source: temperature scaling, Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(weights.probabilities([pair_of(r.exchange) for r in rows]), 1e-30))
    truth = np.array([LABELS.index(row.label) for row in rows])

    def unlikelihood(log_sharpness: float) -> float:
        scaled = np.exp(log_sharpness) * logs
        total = np.log(np.exp(scaled).sum(1))
        return float(np.mean(total - scaled[np.arange(len(rows)), truth]))

    best = minimize_scalar(unlikelihood, bounds=(-3, 3), method="bounded").x
    sharpness = weights.arrays["sharpness"] * np.float32(np.exp(best))
    return replace(weights, arrays={**weights.arrays, "sharpness": sharpness})
