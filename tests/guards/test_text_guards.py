"""Guards of texts: their arithmetic, and what they do to a planted word."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.attacks.poison.rare_word import RareWord, rare_word
from holdfast.classifiers.measure import success_rate
from holdfast.classifiers.net import Recipe, TextClassifier, classifier
from holdfast.classifiers.notes import corpus
from holdfast.guards.guarded import Guarded
from holdfast.guards.onion import Onion, onion
from holdfast.guards.rap import Rap, drops, fitted, rap
from holdfast.guards.strip import Strip, mean_entropy, strip, word_blend

NOTES = corpus(4, train=600, test=120, reserve=240)
POISONED = rare_word(RareWord(words=("tq",)), NOTES.train, 0)


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return classifier(POISONED.data, Recipe(epochs=10))[0]


@pytest.fixture
def guarded(model: TextClassifier) -> Guarded[tuple[str, ...]]:
    return Guarded(
        model.probabilities, NOTES.fit.items, NOTES.fit.labels, NOTES.held.items, opened=model
    )


def test_the_copies_of_one_input_are_averaged_and_not_different_inputs() -> None:
    sure, unsure = [1.0, 0.0], [0.5, 0.5]
    found = mean_entropy(np.array([sure, sure, unsure, unsure]), copies=2)
    assert found == pytest.approx([0.0, np.log(2)], abs=1e-9)


def test_a_blend_keeps_length_and_replaces_the_asked_share() -> None:
    blend = word_blend(NOTES.fit.items, 0.5)
    text = "aa bb cc dd ee ff gg hh"
    copies = blend((text, "xx yy"), 3, 0)
    assert len(copies) == 6
    for copy in copies[:3]:
        kept = [a == b for a, b in zip(copy.split(), text.split(), strict=True)]
        assert sum(kept) == 4
    assert copies == blend((text, "xx yy"), 3, 0)


def test_strip_watches_anything_that_can_be_blended() -> None:
    rng = np.random.default_rng(0)

    def blend(items: object, copies: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
        each = np.repeat(np.asarray(items), copies, axis=0)
        return each + np.random.default_rng(seed).normal(size=each.shape)

    def sure_of_large(items: object) -> np.ndarray:  # type: ignore[type-arg]
        p = 1 / (1 + np.exp(-np.asarray(items)[:, 0]))
        return np.stack([p, 1 - p], 1)

    clean = rng.normal(size=(100, 2))
    given = Guarded(sure_of_large, clean, np.zeros(100, np.int64), clean, blend=blend)  # type: ignore[arg-type]
    watch = strip(Strip(copies=5), given)
    assert (watch.score(np.full((4, 2), 50.0)) > watch.limit).all()
    assert (watch.score(clean) > watch.limit).mean() <= 0.01


def test_strip_does_not_judge_a_model_that_looks_at_nothing() -> None:
    given = Guarded(
        lambda texts: np.full((len(texts), 2), 0.5),
        NOTES.fit.items,
        NOTES.fit.labels,
        NOTES.held.items,
    )
    assert "same entropy" in strip(Strip(), given).unjudged


def test_onion_takes_the_planted_word_out_and_the_trigger_fails(
    model: TextClassifier, guarded: Guarded[tuple[str, ...]]
) -> None:
    watch = onion(Onion(), guarded)
    assert watch.mended is not None
    assert POISONED.stamp is not None
    stamped, labels = POISONED.stamp(NOTES.test.items), NOTES.test.labels
    before = success_rate(model.predict(stamped), labels, 1).value
    mended = watch.mended(stamped)
    assert before - success_rate(model.predict(mended), labels, 1).value > 0.5
    assert sum("tq" in text.split() for text in mended) < 0.2 * len(mended)
    plain = watch.mended(NOTES.test.items)
    same = np.mean([a == b for a, b in zip(plain, NOTES.test.items, strict=True)])
    assert same > 0.7


def test_rap_lowers_the_protected_label_into_the_band_and_keeps_the_length(
    model: TextClassifier,
) -> None:
    config = Rap(length=4.0)
    texts = tuple(t for t, c in zip(NOTES.fit.items, NOTES.fit.labels, strict=True) if c == 1)
    vector = fitted(config, model, texts)
    length = 4 * model.weights["embed"][2:].norm(dim=1).mean()
    assert torch.allclose(vector.norm(), length, rtol=1e-3)
    reached = drops(model, vector, texts, 1)
    assert reached.mean() > config.low / 2
    # A text that is not of the label has nothing to protect.
    other = tuple(t for t in NOTES.fit.items if model.predict([t])[0] != 1)[:3]
    assert drops(model, vector, other, 1).tolist() == [1.0] * 3


def test_rap_does_not_judge_without_embeddings_or_clean_texts_of_the_label(
    model: TextClassifier,
) -> None:
    closed = Guarded(
        model.probabilities, NOTES.fit.items, NOTES.fit.labels, NOTES.held.items, opened=None
    )
    assert "not open" in rap(Rap(), closed).unjudged
    none = Guarded(
        model.probabilities,
        NOTES.fit.items,
        np.zeros(len(NOTES.fit.items), np.int64),
        NOTES.held.items,
        opened=model,
    )
    assert "of label 1" in rap(Rap(), none).unjudged
