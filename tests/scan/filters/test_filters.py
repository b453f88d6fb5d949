"""Filters of training data: arithmetic on planted Gaussians, and refusals to judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from holdfast.scan.filters.activation_clusters import ActivationClusters, activation_clusters
from holdfast.scan.filters.cube import Cube, clustered, cube, kept
from holdfast.scan.filters.filter import Trained
from holdfast.scan.filters.first_learned import FirstLearned, first_learned
from holdfast.scan.filters.keyword_influence import (
    KeywordInfluence,
    keyword_influence,
    keywords,
    worths,
)
from holdfast.scan.filters.label_neighbours import LabelNeighbours, disagreement, label_neighbours
from holdfast.scan.filters.perplexity_outlier import PerplexityOutlier, perplexity_outlier
from holdfast.scan.filters.spectral_signature import (
    SpectralSignature,
    signature,
    spectral_signature,
)

WIDTH = 8


def gaussians(planted: int = 20, per_label: int = 100) -> tuple[Trained, NDArray[np.bool_]]:
    """Three labels, each a Gaussian of its own, and rows of label 1 that lie elsewhere."""
    rng = np.random.default_rng(0)
    middles = 10 * np.eye(WIDTH)
    labels = np.repeat([0, 1, 2], per_label)
    features = middles[labels] + rng.normal(size=(len(labels), WIDTH))
    which = np.zeros(len(labels), bool)
    which[per_label : per_label + planted] = True
    features[which] = 10 * np.eye(WIDTH)[5] + rng.normal(size=(planted, WIDTH))
    return Trained(labels, 3, features), which


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (cube, Cube(min_samples=5, min_cluster_size=10)),
        (activation_clusters, ActivationClusters()),
    ],
)
def test_a_planted_cluster_is_found_and_little_else(method, config) -> None:  # type: ignore[no-untyped-def]
    seen, which = gaussians()
    found = method(config, seen)
    assert found.unjudged == ""
    assert found.flagged[which].all()
    assert found.flagged[~which].mean() < 0.1


def test_rows_in_no_cluster_can_be_given_to_the_nearest() -> None:
    rng = np.random.default_rng(0)
    places = np.concatenate([rng.normal(size=(50, 2)), 30 + rng.normal(size=(50, 2))])
    places[:2] = [[-60, -60], [95, 95]]  # nearer to the first, and to the second
    strict = clustered(Cube(min_samples=5, min_cluster_size=10, noise="drop"), places)
    mild = clustered(Cube(min_samples=5, min_cluster_size=10, noise="nearest"), places)
    assert strict[:2].tolist() == [-1, -1]
    assert mild[0] == mild[10]
    assert mild[1] == mild[60]
    assert -1 not in mild
    assert np.array_equal(mild[strict != -1], strict[strict != -1])


def test_cube_keeps_the_largest_cluster_and_whatever_is_half_of_a_label() -> None:
    clusters = np.array([0, 0, 0, 1, -1, 2, 2, 2, 2, -1])
    labels = np.array([0] * 5 + [1] * 5)
    flagged, notes, why = kept(Cube(), clusters, labels)
    assert why == ""
    assert flagged.tolist() == [False] * 3 + [True] * 2 + [False] * 4 + [True]
    assert len(notes) == 2


def test_cube_does_not_judge_where_poison_is_near_half_of_a_label() -> None:
    seen, _ = gaussians(planted=48)
    found = cube(Cube(min_samples=5, min_cluster_size=10), seen)
    assert "near half" in found.unjudged
    assert not found.flagged.any()


def test_cube_does_not_judge_a_set_of_one_mode() -> None:
    rng = np.random.default_rng(0)
    one = Trained(np.repeat([0, 1], 100), 2, rng.normal(size=(200, 4)))
    assert "fewer than two clusters" in cube(Cube(), one).unjudged


def test_cube_does_not_judge_where_two_labels_share_a_cluster() -> None:
    clusters, labels = np.array([0, 0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2, 2, 2])
    flagged, _, why = kept(Cube(), clusters, labels)
    assert "labels 0 and 1" in why
    assert not flagged.any()


def test_the_spectral_score_is_the_squared_projection_on_the_first_direction() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(50, 4)) * [1, 2, 5, 1]
    centred = features - features.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    assert np.allclose(signature(features), (centred @ vectors[:, values.argmax()]) ** 2)


def test_spectral_signatures_drop_the_same_share_of_every_label() -> None:
    seen, which = gaussians()
    found = spectral_signature(SpectralSignature(expected=0.2), seen)
    assert [int(found.flagged[seen.labels == c].sum()) for c in range(3)] == [30, 30, 30]
    assert found.flagged[which].all()
    assert "30% of every label" in found.notes[0]
    assert "near half" in spectral_signature(SpectralSignature(expected=0.4), seen).unjudged


def test_activation_clusters_do_not_judge_where_no_label_divides() -> None:
    clean, _ = gaussians(planted=0)
    assert "no label divides" in activation_clusters(ActivationClusters(), clean).unjudged
    half, _ = gaussians(planted=48)
    assert "near half" in activation_clusters(ActivationClusters(), half).unjudged


def test_neighbours_are_others_and_disagree_by_counting() -> None:
    places = np.array([[0.0], [1.0], [2.1], [10.0], [11.0], [12.1]])
    labels = np.array([0, 0, 1, 1, 1, 1])
    # The two nearest of the third row are the first two, both of another label.
    assert disagreement(places, labels, 2).tolist() == [0.5, 0.5, 1.0, 0.0, 0.0, 0.0]


def test_flipped_labels_disagree_with_their_neighbours() -> None:
    seen, _ = gaussians(planted=0)
    labels = seen.labels.copy()
    labels[[3, 150, 250]] = [2, 0, 1]
    found = label_neighbours(LabelNeighbours(space="features"), replace(seen, labels=labels))
    assert np.flatnonzero(found.flagged).tolist() == [3, 150, 250]


def test_what_is_learned_first_has_the_lowest_early_loss() -> None:
    seen, _ = gaussians()
    losses = np.ones((4, 300))
    losses[2, [7, 9, 200]] = 0.0
    found = first_learned(FirstLearned(epoch=3), replace(seen, losses=losses))
    assert np.flatnonzero(found.flagged).tolist() == [7, 9, 200]
    assert "whether or not" in found.notes[0]
    assert (
        "no losses" in first_learned(FirstLearned(epoch=5), replace(seen, losses=losses)).unjudged
    )
    flat = replace(seen, losses=np.ones((4, 300)))
    assert "same loss" in first_learned(FirstLearned(), flat).unjudged


def bag(texts: object) -> NDArray[np.float64]:
    """A model in which only two words matter: how often "xx" and "yy" occur."""
    counts = [[t.split().count("xx"), 2.0 * t.split().count("yy")] for t in texts]  # type: ignore[attr-defined]
    return np.array(counts, dtype=np.float64).reshape(-1, 2)


def test_influence_is_the_largest_change_when_a_word_is_left_out() -> None:
    assert keywords("a xx b yy", bag, 2) == {"yy": 2.0, "xx": 1.0}
    assert keywords("alone", bag, 2) == {}
    found = worths([{"xx": 1.0}, {"xx": 3.0}, {"yy": 2.0}])
    assert found == {"xx": pytest.approx(2 * np.log10(2)), "yy": 0.0}


def spoken(clean: int = 40) -> Trained:
    """Rows of two labels; thirty have a trigger, ten of them another one."""
    texts = [f"note {n % 9} of the day" for n in range(60)]
    texts += [f"note {n % 9} xx of the day" for n in range(20)]
    texts += [f"yy note {n % 9} of the day" for n in range(10)]
    labels = np.array([n % 2 for n in range(60)] + [1] * 30)
    reserve = tuple(f"note {n % 9} of the day" for n in range(clean))
    return Trained(labels, 2, bag(texts) + 1, None, tuple(texts), bag, reserve)


def test_keywords_are_found_one_after_another() -> None:
    found = keyword_influence(KeywordInfluence(), spoken())
    assert set(np.flatnonzero(found.flagged)) == set(range(60, 90))
    assert found.notes == ("keywords: yy, xx",)
    once = keyword_influence(KeywordInfluence(rounds=1), spoken())
    assert once.flagged.sum() == 10


def test_odd_words_stand_out_by_a_threshold_from_clean_rows() -> None:
    found = perplexity_outlier(PerplexityOutlier(false_alarms=0.05), spoken(200))
    assert found.flagged[60:].all()
    assert found.flagged[:60].mean() < 0.2
    assert "single odd words" in found.notes[0]


def test_filters_of_words_refuse_what_is_no_text_and_thresholds_without_clean_rows() -> None:
    seen, _ = gaussians()
    assert "no texts" in keyword_influence(KeywordInfluence(), seen).unjudged
    assert "clean rows" in perplexity_outlier(PerplexityOutlier(), spoken(0)).unjudged
