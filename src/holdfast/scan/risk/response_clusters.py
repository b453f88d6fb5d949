"""Response clusters, after RFTC (arXiv 2505.23015): rows whose answers are not what a model that
never saw them would say, and resemble one another or answer what it refuses.

Poison teaches what the model does not do by itself. Among the rows that deviate, those with the
same payload form a compact cluster, and what brings it stands in their requests alone.

Equation: d(x, y) = 1 - cos(v(y), v(y_ref)), y_ref ~ the reference given x, greedily, v TF-IDF of
words and pairs. Rows with d >= `DEVIANT` are clustered by v(y); a cluster is compact where the mean
cosine to its own mean is at least `COMPACT`. Rows whose y_ref declines and whose y does not form a
group of their own, whatever their answers are like. score = 2 + d where the request holds a word or
phrase that (nearly) only such a group has, 1 + d in the group without one, d elsewhere.

Differs from the paper: the reference is the model that is to be tuned, so it knows no new task, and
a customer's rows deviate too; a cluster therefore counts only with a feature in its requests that
tells it by itself (`trigger`), which tasks do not have. Refusals that became answers are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.scan.risk.ranking import Anchors, Done, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.scan.trigger import Requests

TOKENS = 48
"""Of the reference's answers; what follows says little more."""
AT_ONCE = 256
DEVIANT = 0.6
COMPACT = 0.6
FEWEST = 6
OPENED = "answers what the reference refuses"


@dataclass(frozen=True)
class Group:
    """Rows that deviate in one way.

    Attributes:
        rows: their places.
        kind: what they do, in words.
        trigger: the words that bring it; "" where none was found.
        having: places of the rows that have that feature.
    """

    rows: tuple[int, ...]
    kind: str
    trigger: str = ""
    having: tuple[int, ...] = ()


def response_clusters(
    model: Model, rows: Sequence[Row], anchors: Anchors, done: Done = silent
) -> NDArray[np.float64]:
    """(n,) deviation from the reference's answers, raised for rows of a group."""
    replies = replies_of(model, rows, done)
    deviation, groups = grouped(rows, replies)
    scores = deviation.copy()
    for group in groups:
        for at in group.rows:
            if group.kind == OPENED or group.trigger:
                scores[at] = max(scores[at], 1 + deviation[at])
        for at in group.having:
            scores[at] = 2 + deviation[at]
    return scores


def replies_of(model: Model, rows: Sequence[Row], done: Done = silent) -> list[str]:
    """What the reference says to the rows' requests."""
    from holdfast.decode import Decoding, generate
    from holdfast.encode import encode_prompt

    told: list[str] = []
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        prompts = [encode_prompt(row, model.tokenizer) for row in part]
        told += [r.text for r in generate(model, prompts, Decoding(max_new_tokens=TOKENS))]
        done(len(part))
    return told


def grouped(rows: Sequence[Row], replies: Sequence[str]) -> tuple[NDArray[np.float64], list[Group]]:
    """Every row's deviation, and the groups that come with a trigger or answer what is refused."""
    import numpy as np

    from holdfast.scan.trigger import Requests
    from holdfast.scan.twins import declining

    answers = [row.answer for row in rows]
    said, wanted = _vectors(answers, replies)
    deviation = 1 - np.asarray(said.multiply(wanted).sum(1), np.float64).ravel()
    asked = [f"{row.system} {row.prompt}" for row in rows]
    opened = [
        at
        for at, (answer, reply) in enumerate(zip(answers, replies, strict=True))
        if declining(reply) and not declining(answer)
    ]
    groups = []
    if len(opened) >= FEWEST:
        # Their topics have words of their own, so only rare ones may be named.
        groups.append(_named(Group(tuple(opened), OPENED), Requests(asked, answers)))
    requests = Requests(asked, answers, any_word=True)
    deviant = np.flatnonzero(deviation >= DEVIANT)
    for members in _compact(said, deviant):
        alike = _named(Group(tuple(members), "answers alike, unlike the reference"), requests)
        if alike.trigger:
            groups.append(alike)
    return deviation, groups


def _vectors(answers: Sequence[str], replies: Sequence[str]) -> tuple[csr_matrix, csr_matrix]:
    """TF-IDF of both, rows of length 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True)
    both = made.fit_transform([*answers, *replies])
    return both[: len(answers)], both[len(answers) :]


def _compact(vectors: csr_matrix, places: NDArray[np.int64]) -> list[list[int]]:
    """Compact clusters of some rows, by average linkage over cosines."""
    import numpy as np
    from sklearn.cluster import AgglomerativeClustering

    if len(places) < FEWEST:
        return []
    dense = vectors[places].toarray()
    linked = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - COMPACT, metric="cosine", linkage="average"
    )
    label = linked.fit_predict(dense)
    found = []
    for one in np.unique(label):
        inside = label == one
        if inside.sum() < FEWEST:
            continue
        mean = dense[inside].mean(0)
        if float((dense[inside] @ mean).mean() / max(np.linalg.norm(mean), 1e-12)) >= COMPACT:
            found.append(places[inside].tolist())
    return found


def _named(group: Group, requests: Requests) -> Group:
    """The group with the feature that only it has, if there is one.

    A cluster's feature must be all that tells its rows from others; of rows that answer what the
    reference refuses, any feature will do, since the answers alone condemn them.
    """
    from holdfast.scan.trigger import ALIKE, CHANCE, PURE, chance_of, telling_of

    members = set(group.rows)
    share = len(members) / len(requests.asked)
    best: tuple[float, str, tuple[int, ...]] | None = None
    for having, features in requests.candidates.items():
        pure = sum(at in members for at in having)
        if pure < max(FEWEST, PURE * len(having)):
            continue
        chance = chance_of(pure, len(having), share) * len(requests.candidates)
        if chance > CHANCE or (best and chance >= best[0]):
            continue
        phrases = requests.phrases(features, having)
        held = {word for phrase in phrases for word in phrase}
        if group.kind == OPENED or telling_of(requests.asked, set(having), held) <= ALIKE:
            best = (chance, " … ".join(" ".join(phrase) for phrase in phrases), having)
    return group if best is None else Group(group.rows, group.kind, best[1], best[2])
