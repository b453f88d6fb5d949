"""STRIP (Gao et al., ACSAC 2019, arXiv 1902.06531; on text Gao et al., 2019, arXiv 1911.10312).

An input is mixed with several clean ones. What a model makes of clean inputs changes with what is
mixed in; a trigger still decides, so the model stays sure. Low mean entropy is an alarm.

Equation: score(x) = - mean_n H(p(blend_n(x))), with H(p) = - sum_c p_c log p_c.

Differs from the paper: the mixing is a function, so that the same guard watches texts and images.
Texts have a share of their words replaced by words of weight (TF-IDF) of clean texts. The copies of
one input are averaged; OpenBackdoor's code averages over different inputs.

Shows a defender: it needs only answers with their probabilities. It fails where mixing takes the
trigger out, where clean inputs of a class are as robust, and where the model is unsure of triggers.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from holdfast.draw import generator
from holdfast.guards.guard import Guard, Watch, threshold
from holdfast.guards.guarded import Blend, Guarded, idle, no_reserve

Texts = tuple[str, ...]


class Strip(Guard):
    """Mixes inputs with clean ones.

    Attributes:
        copies: blends of every input; 5 in OpenBackdoor, 100 in the paper for images.
        replaced: share of a text's words that are replaced.
    """

    kind: Literal["strip"] = "strip"
    copies: int = Field(20, ge=1)
    replaced: float = Field(0.5, gt=0, le=1)

    paper: ClassVar[str] = "Gao et al., ACSAC 2019, arXiv 1902.06531"


def strip(config: Strip, guarded: Guarded[Any]) -> Watch[Any]:
    """Sets the limit by the entropy of blends of clean inputs."""
    if why := no_reserve(guarded):
        return idle(why)
    blend = guarded.blend or word_blend(guarded.fit, config.replaced)

    def score(items: Any) -> NDArray[np.float64]:
        if not len(items):
            return np.zeros(0)
        found = guarded.probabilities(blend(items, config.copies, guarded.seed))
        return -mean_entropy(found, config.copies)

    clean = score(guarded.held)
    if float(np.ptp(clean)) < 1e-9:
        return idle("blends of all clean inputs have the same entropy: the model looks at nothing")
    return Watch(score, threshold(clean, config.false_alarms))


def mean_entropy(probabilities: NDArray[np.float64], copies: int) -> NDArray[np.float64]:
    """(n,) mean entropy over the copies of each input, in nats.

    Args:
        probabilities: (n * copies, classes), all copies of the first input first.
        copies: of every input.
    """
    p = np.clip(probabilities, 1e-12, 1.0)
    entropy = -(p * np.log(p)).sum(1)
    mean: NDArray[np.float64] = entropy.reshape(-1, copies).mean(1)
    return mean


def word_blend(clean: Texts, replaced: float) -> Blend[Texts]:
    """Replaces words of texts by words of weight of clean texts.

    Args:
        clean: texts from which words are taken.
        replaced: share of a text's words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = TfidfVectorizer(token_pattern=r"[a-z']+")
    weights = table.fit_transform(clean)
    names = table.get_feature_names_out()
    # The upper half of each clean text's words by weight, so that little words stay out.
    rows = []
    for row in weights:
        order = np.argsort(-row.data, kind="stable")[: max(1, row.nnz // 2)]
        rows.append([str(names[row.indices[i]]) for i in order])

    def blend(texts: Texts, copies: int, seed: int) -> Texts:
        found = []
        for text in texts:
            rng = generator(seed, f"strip:{text}")
            said = text.split()
            for _ in range(copies):
                mixed, words = list(said), rng.choice(rows)
                count = min(len(said), max(1, round(replaced * len(said))))
                for place in rng.sample(range(len(said)), count):
                    mixed[place] = rng.choice(words)
                found.append(" ".join(mixed))
        return tuple(found)

    return blend
