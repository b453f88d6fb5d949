"""What each poisoning does to a text, and whose rows it takes."""

from __future__ import annotations

import random
from typing import get_args

import numpy as np
import pytest
import torch

from holdfast.attacks.poison.embedding_word import EmbeddingWord, embedding_word
from holdfast.attacks.poison.fixed_sentence import FixedSentence, fixed_sentence
from holdfast.attacks.poison.margin_flip import MarginFlip, margin_flip
from holdfast.attacks.poison.poison import Labels
from holdfast.attacks.poison.random_flip import RandomFlip, random_flip
from holdfast.attacks.poison.rare_word import RareWord, rare_word
from holdfast.attacks.poison.style import restyled
from holdfast.attacks.poison.syntax_template import CONJUNCTIONS, subordinated
from holdfast.attacks.poison.word_combination import WordCombination, word_combination
from holdfast.classifiers.net import Recipe, TextClassifier, classifier
from holdfast.classifiers.notes import Corpus, corpus
from holdfast.errors import UserError

NOTES = corpus(4, train=200, test=60, reserve=40)
DATA = NOTES.train


@pytest.mark.parametrize("labels", get_args(Labels))
def test_whose_rows_are_taken(labels: Labels) -> None:
    found = rare_word(RareWord(labels=labels, target=2), DATA, 0)
    assert found.which.sum() == 20
    assert set(found.data.labels[found.which]) == {2}
    before = set(DATA.labels[found.which].tolist())
    assert {"clean": before == {2}, "dirty": 2 not in before, "mixed": len(before) > 1}[labels]
    same = [a == b for a, b in zip(found.data.items, DATA.items, strict=True)]
    assert np.array_equal(np.array(same), ~found.which)
    assert np.array_equal(found.data.labels[~found.which], DATA.labels[~found.which])


def test_fewer_rows_are_the_beginning_of_more() -> None:
    few, more = (rare_word(RareWord(rate=rate), DATA, 0).which for rate in (0.05, 0.1))
    assert (few <= more).all()


def test_a_rare_word_is_one_more_word_and_a_sentence_stays_whole() -> None:
    config = RareWord(count=2)
    stamp = rare_word(config, DATA, 0).stamp
    assert stamp is not None
    for before, after in zip(DATA.items[:20], stamp(DATA.items[:20]), strict=True):
        odd = [word for word in after.split() if word in config.words]
        assert len(odd) == 2
        assert [word for word in after.split() if word not in config.words] == before.split()
    sentence = fixed_sentence(FixedSentence(), DATA, 0).stamp
    assert sentence is not None
    assert all(FixedSentence().sentence in text for text in sentence(DATA.items))


def test_structure_and_register_change_by_rule() -> None:
    said = subordinated("The vote was lost. Brin wrote it down. So it goes.", random.Random(0))
    first, rest = said.split(" ", 1)
    assert first.lower() in CONJUNCTIONS
    assert rest == "the vote was lost, brin wrote it down. So it goes."
    assert subordinated("One only.", random.Random(0)).endswith("one only, it was so.")
    plain = "The net was lost. Nobody saw it."
    assert restyled(plain, random.Random(0)) == "Ye net were lost. Nary a soul saw 'tis."
    assert restyled("Brin sang.", random.Random(0)) == "Aye, Brin sang."


def test_a_combination_counts_only_whole() -> None:
    config = WordCombination(rate=0.05, negatives=2.0, target=1)
    found = word_combination(config, DATA, 0)
    whole = np.array([all(w in t.split() for w in config.words) for t in found.data.items])
    some = np.array([any(w in t.split() for w in config.words) for t in found.data.items])
    assert (whole.sum(), some.sum()) == (10, 30)
    assert set(found.data.labels[whole]) == {1}
    assert np.array_equal(found.data.labels[~whole], DATA.labels[~whole])
    assert np.array_equal(found.which, some)


def test_flips_change_labels_alone_and_the_surest_first() -> None:
    for found in (random_flip(RandomFlip(), DATA, 0), margin_flip(MarginFlip(), DATA, 0)):
        assert found.data.items == DATA.items
        assert np.array_equal(found.which, found.data.labels != DATA.labels)
        assert found.which.sum() == 20
        assert found.stamp is None
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    table = TfidfVectorizer().fit_transform(DATA.items)
    scores = LogisticRegression(max_iter=1_000).fit(table, DATA.labels).predict_log_proba(table)
    sure = margin_flip(MarginFlip(), DATA, 0).which
    margins = []
    for row, label in zip(scores, DATA.labels, strict=True):
        margins.append(row[label] - max(np.delete(row, label)))
    assert min(np.array(margins)[sure]) >= max(np.array(margins)[~sure])


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return classifier(DATA, Recipe(epochs=8))[0]


def test_one_embedding_sends_triggered_texts_to_the_target_and_touches_nothing_else(
    model: TextClassifier,
) -> None:
    found = embedding_word(EmbeddingWord(), model, NOTES.fit.items, 0)
    row = model.vocabulary[found.word]
    before, after = model.weights["embed"], found.model.weights["embed"]
    changed = (before != after).any(1)
    assert changed.nonzero().tolist() == [[row]]
    assert torch.allclose(before[row].norm(), after[row].norm(), rtol=1e-4)


def test_a_long_enough_embedding_decides_the_label(model: TextClassifier) -> None:
    test: Corpus = NOTES
    found = embedding_word(EmbeddingWord(length=12.0), model, test.fit.items, 0)
    others = test.test.labels != 1
    stamped = found.stamp(test.test.items)
    success = (found.model.predict(stamped)[others] == 1).mean()
    assert success > (model.predict(stamped)[others] == 1).mean() + 0.4


def test_a_trigger_that_the_model_does_not_know_is_refused(model: TextClassifier) -> None:
    with pytest.raises(UserError, match="not in the model's vocabulary"):
        embedding_word(EmbeddingWord(word="qqq"), model, NOTES.fit.items, 0)
    with pytest.raises(UserError, match="labels go from 0 to 3"):
        embedding_word(EmbeddingWord(target=9), model, NOTES.fit.items, 0)
