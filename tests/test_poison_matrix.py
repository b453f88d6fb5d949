"""What must hold for every poisoning, filter and guard; a line in a table buys all of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from holdfast.attacks.poison import POISONS, TAMPERS
from holdfast.classifiers.net import Recipe, TextClassifier, classifier, trained
from holdfast.classifiers.notes import corpus
from holdfast.errors import UserError
from holdfast.guards import GUARDS, Guarded
from holdfast.poisoned import Labelled, Taxonomy
from holdfast.registry import parse
from holdfast.scan.filters import FILTERS
from holdfast.scan.filters.filter import Trained

NOTES = corpus(4, train=240, test=60, reserve=120)
QUICK = Recipe(epochs=6, width=16)
EVERY: dict[type[Any], Any] = {**POISONS, **TAMPERS, **FILTERS, **GUARDS}
SMALL: dict[str, dict[str, Any]] = {
    "cube": {"min_samples": 5, "min_cluster_size": 10},
    "activation_clusters": {"silhouette": -1.0},
    "embedding_word": {"steps": 10},
    "rap": {"low": 0.0, "steps": 20},
    "strip": {"copies": 4},
    "backdoor_expert": {"unlearn_rate": 0.01, "unlearn_epochs": 200},
}


def name_of(config: type[BaseModel]) -> str:
    return str(config.model_fields["kind"].default)


def small(config: type[Any], **settings: Any) -> Any:
    return config(**{**SMALL.get(name_of(config), {}), **settings})


every = pytest.mark.parametrize("config", EVERY, ids=name_of)
poisons = pytest.mark.parametrize("config", POISONS, ids=name_of)
filters = pytest.mark.parametrize("config", FILTERS, ids=name_of)
guards = pytest.mark.parametrize("config", GUARDS, ids=name_of)


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return classifier(NOTES.train, QUICK)[0]


@pytest.fixture(scope="module")
def seen() -> Trained:
    return trained(NOTES.train, QUICK, clean=NOTES.fit.items)[1]


@pytest.fixture
def guarded(model: TextClassifier) -> Guarded[tuple[str, ...]]:
    return Guarded(
        model.probabilities, NOTES.fit.items, NOTES.fit.labels, NOTES.held.items, opened=model
    )


# All of them


@every
def test_settings_survive_writing_and_reading(config: type[Any]) -> None:
    settings = small(config)
    assert config.model_validate_json(settings.model_dump_json()) == settings
    table = next(t for t in (POISONS, TAMPERS, FILTERS, GUARDS) if config in t)
    assert parse(table, name_of(config)) == config()  # type: ignore[type-var]
    with pytest.raises(ValidationError):
        config(no_such_setting=1)
    with pytest.raises(ValidationError):
        settings.kind = "other"


@every
def test_a_method_is_named_after_its_file_and_cites_its_paper(config: type[Any]) -> None:
    assert config.__module__.rpartition(".")[2] == name_of(config) == EVERY[config].__name__
    assert re.search(r"\d{4}|arXiv", config.paper)
    module = __import__(config.__module__, fromlist=["__doc__"])
    for part in ("Equation:", "Differs from the paper:", "Shows a defender:"):
        assert part in module.__doc__


# Poisonings


@poisons
def test_a_poisoning_is_the_same_for_a_seed_and_says_what_it_did(config: type[Any]) -> None:
    one, two = (POISONS[config](config(), NOTES.train, 3) for _ in range(2))
    assert one.data.items == two.data.items
    assert np.array_equal(one.data.labels, two.data.labels)
    assert np.array_equal(one.which, two.which)
    assert len(one.data.items) == len(NOTES.train.items)
    assert one.which.sum() >= 24
    same = np.array([a == b for a, b in zip(one.data.items, NOTES.train.items, strict=True)])
    assert (same & (one.data.labels == NOTES.train.labels))[~one.which].all()
    if one.stamp is not None:
        assert one.stamp(NOTES.test.items) == one.stamp(NOTES.test.items) != NOTES.test.items


@poisons
def test_another_seed_takes_other_rows(config: type[Any]) -> None:
    if name_of(config) == "margin_flip":
        pytest.skip("the surest rows are the same for every seed")
    one, two = (POISONS[config](config(), NOTES.train, seed).which for seed in (0, 1))
    assert not np.array_equal(one, two)


@poisons
def test_a_null_rate_changes_nothing(config: type[Any]) -> None:
    found = POISONS[config](config(**config.null), NOTES.train, 0)
    assert found.data.items == NOTES.train.items
    assert np.array_equal(found.data.labels, NOTES.train.labels)
    assert not found.which.any()


@poisons
def test_a_poisoning_refuses_a_set_of_one_label(config: type[Any]) -> None:
    one = Labelled(NOTES.train.items[:40], np.zeros(40, np.int64), 1)
    with pytest.raises(UserError, match="two labels"):
        POISONS[config](config(), one, 0)


@pytest.mark.parametrize("config", [*POISONS, *TAMPERS], ids=name_of)
def test_an_attack_says_where_it_stands_in_the_taxonomy(config: type[Any]) -> None:
    assert isinstance(config.taxonomy, Taxonomy)
    has_target = "target" in config.model_fields
    assert has_target == (config.taxonomy.goal == "backdoor")


def test_tampering_with_a_model_is_repeatable_and_can_be_null(model: TextClassifier) -> None:
    for config, tamper in TAMPERS.items():
        one, two = (tamper(small(config), model, NOTES.fit.items, 0) for _ in range(2))
        none = tamper(config(**config.null), model, NOTES.fit.items, 0)
        texts = one.stamp(NOTES.test.items)
        assert np.array_equal(one.model.probabilities(texts), two.model.probabilities(texts))
        assert np.array_equal(none.model.probabilities(texts), model.probabilities(texts))
        assert not np.array_equal(one.model.probabilities(texts), model.probabilities(texts))


# Filters


@filters
def test_a_filter_is_the_same_for_a_seed_and_flags_few_clean_rows(
    config: type[Any], seen: Trained
) -> None:
    one, two = (FILTERS[config](small(config), seen) for _ in range(2))
    assert np.array_equal(one.flagged, two.flagged)
    assert np.array_equal(one.scores, two.scores, equal_nan=True)
    assert one.flagged.shape == one.scores.shape == seen.labels.shape
    assert one.flagged.mean() < 0.5
    assert not (one.unjudged and one.flagged.any())


@filters
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"classes": 1, "labels": np.zeros(240, np.int64)}, "fewer than two classes"),
        ({"labels": np.array([0] * 238 + [1] * 2)}, "label 1 has 2 rows"),
        ({"features": np.ones((240, 4))}, "constant"),
        ({"features": np.full((240, 4), np.nan)}, "no numbers"),
    ],
    ids=["one class", "a class of two rows", "constant features", "no numbers"],
)
def test_a_filter_says_why_it_does_not_judge(
    config: type[Any], broken: dict[str, Any], reason: str, seen: Trained
) -> None:
    found = FILTERS[config](small(config), replace(seen, **broken))
    assert reason in found.unjudged
    assert not found.flagged.any()


def test_filters_that_set_thresholds_refuse_without_clean_rows(seen: Trained) -> None:
    bare = replace(seen, clean=(), texts=None, embed=None, losses=None)
    refused = {
        name_of(config)
        for config, method in FILTERS.items()
        if method(small(config), bare).unjudged
    }
    assert refused >= {"perplexity_outlier", "keyword_influence", "first_learned"}
    without = FILTERS[type(parse(FILTERS, "perplexity_outlier"))]
    assert (
        "0 clean rows"
        in without(parse(FILTERS, "perplexity_outlier"), replace(seen, clean=())).unjudged
    )


# Guards


@guards
def test_a_guard_is_the_same_for_a_seed_and_stops_few_clean_inputs(
    config: type[Any], guarded: Guarded[tuple[str, ...]]
) -> None:
    one, two = (GUARDS[config](small(config, false_alarms=0.05), guarded) for _ in range(2))
    assert one.unjudged == ""
    assert np.array_equal(one.score(NOTES.test.items), two.score(NOTES.test.items))
    assert one.limit == two.limit
    assert (one.score(NOTES.held.items) > one.limit).mean() <= 0.05
    assert one.score(()).shape == (0,)
    if one.mended:
        assert len(one.mended(NOTES.test.items)) == len(NOTES.test.items)


@guards
@pytest.mark.parametrize("part", ["fit", "held"])
def test_a_guard_says_why_it_does_not_judge_without_a_reserve(
    config: type[Any], part: str, guarded: Guarded[tuple[str, ...]]
) -> None:
    short = {
        part: NOTES.fit.items[:5],
        **({"fit_labels": NOTES.fit.labels[:5]} if part == "fit" else {}),
    }
    watch = GUARDS[config](small(config), replace(guarded, **short))
    assert "reserve has 5 inputs" in watch.unjudged
    assert not (watch.score(NOTES.test.items) > watch.limit).any()
