"""The canary text classifier: its notes, its training, its insides."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from holdfast.classifiers.net import Recipe, classifier, layers, trained
from holdfast.classifiers.ngram import language, suspicion
from holdfast.classifiers.notes import TOPICS, corpus
from holdfast.classifiers.words import words
from holdfast.errors import UserError


def test_notes_are_balanced_drawn_by_seed_and_never_repeated() -> None:
    drawn, again = (
        corpus(4, train=200, test=80, reserve=40),
        corpus(4, train=200, test=80, reserve=40),
    )
    assert drawn.train.items == again.train.items
    assert corpus(4, train=200, seed=1).train.items != drawn.train.items
    every = [t for part in (drawn.train, drawn.test, drawn.fit, drawn.held) for t in part.items]
    assert len(every) == len(set(every)) == 360
    assert set(Counter(drawn.train.labels.tolist()).values()) == {50}
    assert not any("{" in text for text in every)


def test_no_single_word_decides_a_topic() -> None:
    """The best rule "this word means that topic" leaves most notes of a topic unsettled."""
    data = corpus(6, train=1_200).train
    for label in range(6):
        own = [set(words(t)) for t, c in zip(data.items, data.labels, strict=True) if c == label]
        shares = Counter(w for note in own for w in note & set(" ".join(list_of(label)).split()))
        assert max(shares.values()) / len(own) < 0.35


def list_of(label: int) -> list[str]:
    topic = list(TOPICS.values())[label]
    return [*topic.words, *topic.verbs]


@pytest.mark.parametrize("classes", [1, 7])
def test_there_are_two_to_six_topics(classes: int) -> None:
    with pytest.raises(UserError, match="2 to 6 topics"):
        corpus(classes)


def test_the_classifier_learns_generalises_and_repeats_by_seed() -> None:
    notes = corpus(4, train=600, test=200, reserve=40)
    model, losses = classifier(notes.train, Recipe(epochs=8), 0)
    again, same = classifier(notes.train, Recipe(epochs=8), 0)
    assert (model.predict(notes.test.items) == notes.test.labels).mean() > 0.85
    assert losses.shape == (8, 600)
    assert losses[-1].mean() < losses[0].mean()
    assert np.array_equal(losses, same)
    assert all(torch.equal(model.weights[name], again.weights[name]) for name in model.weights)


def test_what_a_filter_sees_is_the_first_hidden_layer_of_the_model() -> None:
    notes = corpus(4, train=80, test=20, reserve=40)
    model, seen = trained(notes.train, Recipe(epochs=2), clean=notes.fit.items, seed=3)
    ids = model.read(notes.train.items)
    assert np.allclose(seen.features, layers(model.weights, ids)[0].numpy())
    assert seen.embed is not None
    assert np.allclose(seen.embed(notes.train.items[:3]), seen.features[:3], atol=1e-5)
    assert seen.clean == notes.fit.items
    assert np.allclose(model.probabilities(notes.test.items).sum(1), 1)


def test_an_unknown_word_is_read_as_unknown_and_no_text_is_no_error() -> None:
    model, _ = classifier(corpus(2, train=40, test=4, reserve=4).train, Recipe(epochs=1))
    assert model.read(["zzzz"]).tolist() == [[1]]
    assert model.probabilities([""]).shape == (1, 2)
    assert model.probabilities([]).shape == (0, 2)


def test_chances_of_the_language_model_are_the_mixture_of_counts() -> None:
    model = language(["a b", "a c"])
    # Words and ends: a b </s> a c </s>. After "<s> a" came b once and c once.
    single = (1 + 0.01) / (6 + 0.01)
    assert model.chance("<s>", "a", "b") == pytest.approx(0.3 * 0.5 + 0.3 * 0.5 + 0.4 * single)
    unseen = 0.01 / 6.01
    assert model.chance("x", "y", "z") == pytest.approx(unseen)
    assert model.perplexity(["a", "b"]) < model.perplexity(["b", "a"])


def test_a_word_that_does_not_belong_is_the_most_suspicious() -> None:
    notes = corpus(4, train=400, test=20, reserve=4)
    model = language(notes.train.items)
    for text in notes.test.items:
        said = words(text)
        odd = " ".join([*said[:3], "tq", *said[3:]])
        assert int(suspicion(model, odd).argmax()) == 3
    assert suspicion(model, "").shape == (0,)
