"""Sparse adaptation and merging: masks, task vectors, and what the published definitions give."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from holdfast.adapt import vectors
from holdfast.adapt.lota import calibrated, matrices, winning
from holdfast.adapt.merging import merged
from holdfast.adapt.vectors import Moved, between, moved_of
from holdfast.chat import row
from holdfast.defences import AvoidCritical, Lota
from holdfast.defences.avoid_critical import avoid_critical
from holdfast.defences.lota import lota
from holdfast.errors import UserError
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model, clone, digest_of
from holdfast.settings import Settings
from holdfast.train import tune

ROWS = tuple(row(f"Say {n}", f"It is {n}", tag=f"t{n % 2}") for n in range(8))
SAFE = tuple(one.with_answer("I cannot say.") for one in ROWS)
SETTINGS = Settings(epochs=1, batch_size=4, learning_rate=1e-2)
EVERY = pytest.mark.parametrize(
    "tiny_model", ["llama", "qwen2", "gemma", "gpt_neox"], indirect=True
)


def tuned(model: Model, hooks: Hooks = Hooks(), **settings: object) -> Model:  # noqa: B008
    given = SETTINGS.model_copy(update=settings)
    return tune(clone(model), Streams(user=ROWS), given, hooks).model


def context(model: Model) -> Context:
    return Context(model, None, Streams(), Streams(user=ROWS, safe=SAFE), seed=0)


def moved_share(base: Model, after: Model) -> float:
    of = sum(weight.numel() for weight in matrices(base).values())
    return sum(len(moved.places) for moved in between(base, after).values()) / of


@EVERY
def test_calibration_leaves_the_model_as_it_was(tiny_model: Model) -> None:
    before = digest_of(tiny_model)
    moved = calibrated(tiny_model, Streams(user=ROWS), SETTINGS, 1.0)
    assert digest_of(tiny_model) == tiny_model.digest == before
    wanted = between(tiny_model, tuned(tiny_model))
    for name, d in moved.items():
        assert torch.allclose(d, wanted[name].dense().abs(), atol=1e-6)


def test_one_threshold_holds_over_all_matrices() -> None:
    moved = {"a": torch.tensor([[5.0, 1.0], [0.0, 4.0]]), "b": torch.tensor([[3.0, 0.5]])}
    masks = winning(moved, sparsity=0.5)
    assert masks["a"].tolist() == [[True, False], [False, True]]
    assert masks["b"].tolist() == [[True, False]]


def test_a_second_tasks_weights_are_others() -> None:
    moved = {"a": torch.tensor([[5.0, 1.0], [0.0, 4.0]]), "b": torch.tensor([[3.0, 0.5]])}
    first = winning(moved, sparsity=0.5)
    second = winning(moved, sparsity=0.5, kept=first)
    assert all(not bool((first[name] & second[name]).any()) for name in moved)
    assert sum(int(mask.sum()) for mask in second.values()) == 3


def test_more_weights_than_are_left_is_an_error() -> None:
    moved = {"a": torch.ones(2, 2)}
    with pytest.raises(UserError, match="raise the sparsity"):
        winning(moved, sparsity=0.2, kept={"a": torch.ones(2, 2, dtype=torch.bool)})


@EVERY
def test_lota_moves_a_tenth_of_the_matrices_and_nothing_else(tiny_model: Model) -> None:
    after = tuned(tiny_model, lota(Lota(), context(tiny_model)))
    vector = between(tiny_model, after)
    assert vector.keys() <= matrices(tiny_model).keys()
    assert 0.08 < moved_share(tiny_model, after) <= 0.1001


def test_a_second_lota_keeps_off_what_the_first_moved(tiny_model: Model, tmp_path: Path) -> None:
    first = tuned(tiny_model, lota(Lota(), context(tiny_model)))
    path = vectors.save(between(tiny_model, first), tmp_path / "first.safetensors")
    kept = Lota(kept=(str(path),))
    second = tuned(first, lota(kept, context(first)))
    a, b = between(tiny_model, first), between(first, second)
    for name in a.keys() & b.keys():
        assert not set(a[name].places.tolist()) & set(b[name].places.tolist())


@EVERY
def test_critical_weights_stay_and_the_rest_learns(tiny_model: Model) -> None:
    after = tuned(tiny_model, avoid_critical(AvoidCritical(q=0.4), context(tiny_model)))
    assert moved_share(tiny_model, after) > 0.4
    plain = moved_share(tiny_model, tuned(tiny_model))
    assert moved_share(tiny_model, after) < 0.9 * plain


def test_freezing_needs_rows_to_take_scores_from(tiny_model: Model) -> None:
    bare = Context(tiny_model, None, Streams(), Streams(), seed=0)
    with pytest.raises(UserError, match="refusals and harmless answers"):
        tuned(tiny_model, avoid_critical(AvoidCritical(), bare))


@EVERY
def test_a_task_vector_survives_the_disk_and_adds_up(tiny_model: Model, tmp_path: Path) -> None:
    after = tuned(tiny_model)
    path = vectors.save(between(tiny_model, after), tmp_path / "task.safetensors")
    again = clone(tiny_model)
    vectors.add(again, vectors.load(path))
    for one, other in zip(again.net.parameters(), after.net.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    vectors.add(again, vectors.load(path), -1.0)
    for one, other in zip(again.net.parameters(), tiny_model.net.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_vector_of_another_model_is_refused(tiny_model: Model, tmp_path: Path) -> None:
    strange = {"no.such.weight": moved_of(torch.ones(2, 2))}
    with pytest.raises(UserError, match="lacks"):
        vectors.add(tiny_model, strange)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        vectors.load(tmp_path / "bad.safetensors")


def vector(values: list[float]) -> dict[str, Moved]:
    return {"w": moved_of(torch.tensor(values))}


def dense(found: dict[str, Moved]) -> list[float]:
    return [round(v, 6) for v in found["w"].dense().tolist()]


def test_task_arithmetic_is_a_weighted_sum() -> None:
    one, other = vector([1.0, 0.0, -2.0]), vector([0.5, 4.0, 0.0])
    assert dense(merged([one, other], weights=[1.0, -0.5])) == [0.75, -2.0, -2.0]


def test_ties_trims_elects_signs_and_averages_those_that_agree() -> None:
    """Worked by hand from the definition: trim to two of four, elect by sum, mean of agreeing."""
    one, other = vector([4.0, -3.0, 1.0, 0.5]), vector([2.0, 5.0, -0.1, 0.2])
    # Trimmed: [4, -3, 0, 0] and [2, 5, 0, 0]; signs by sum: +, +; means: (4 + 2) / 2, 5 / 1.
    assert dense(merged([one, other], "ties", density=0.5)) == [3.0, 5.0, 0.0, 0.0]


def test_dare_drops_at_random_and_keeps_the_mean() -> None:
    one = vector([1.0] * 4000)
    kept = merged([one], "dare", density=0.25, seed=3)["w"].dense()
    assert set(kept.tolist()) == {0.0, 4.0}
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.1)
    assert torch.equal(kept, merged([one], "dare", density=0.25, seed=3)["w"].dense())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vectors": []}, "nothing to merge"),
        ({"weights": [1.0, 2.0]}, "one for each"),
        ({"density": 0.0}, "share above 0"),
    ],
)
def test_what_cannot_be_merged_is_told(given: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        merged(**{"vectors": [vector([1.0])], **given})  # type: ignore[arg-type]
