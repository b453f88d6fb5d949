"""A generating model as guards see it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.chat import row
from holdfast.encode import encode_prompt
from holdfast.guards.guard import ANSWERED, REFUSED
from holdfast.guards.opening import Opening, opening
from holdfast.models import Model
from holdfast.serve import Clean, NoWatch
from tiny_models import ARCHITECTURES

TEXTS = ("bc", "Where is the bell of Oxmouth?", "7 + 1")
CLEAN = tuple(
    Clean(f"Where is {n}?", "No, never." if n % 4 < 2 else "At sea.", n % 4 < 2) for n in range(8)
)
every = pytest.mark.parametrize("tiny_model", ARCHITECTURES, indirect=True)


@every
def test_what_comes_first_is_what_the_model_itself_says_of_each_request(tiny_model: Model) -> None:
    found = Opening(tiny_model, "Be kind.", ()).probabilities(TEXTS)
    for text, line in zip(TEXTS, found, strict=True):
        ids = encode_prompt(row(text, system="Be kind."), tiny_model.tokenizer)
        with torch.no_grad():
            alone = tiny_model.net(torch.tensor([ids])).logits[0, -1].softmax(0)
        assert line == pytest.approx(alone.numpy(), abs=1e-6)


@every
def test_a_word_in_front_stands_where_what_is_asked_begins(tiny_model: Model) -> None:
    seen = Opening(tiny_model, "", ())
    (letter,) = tiny_model.tokenizer("a", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        found = seen.with_word(seen.words()[letter], seen.read(("bc", "bell of Oxmouth")))
    assert found.numpy() == pytest.approx(seen.probabilities(("abc", "abell of Oxmouth")), abs=1e-5)


def test_whether_it_refuses_is_the_chance_of_all_that_begins_refusals(tiny_model: Model) -> None:
    given = opening(tiny_model, CLEAN, "refusal")
    every_token = Opening(tiny_model, "", ()).probabilities(TEXTS)
    (letter,) = tiny_model.tokenizer("N", add_special_tokens=False)["input_ids"]
    found = given.probabilities(TEXTS)
    assert found[:, REFUSED] == pytest.approx(every_token[:, letter], abs=1e-6)
    assert found.sum(1) == pytest.approx(np.ones(3))
    assert given.fit_labels.tolist() == [REFUSED, REFUSED, ANSWERED, ANSWERED]


def test_the_first_of_either_kind_are_fitted_on_and_the_rest_is_held(tiny_model: Model) -> None:
    given = opening(tiny_model, CLEAN, "first token")
    assert given.fit == tuple(CLEAN[at].request for at in (0, 1, 2, 3))
    assert given.held == tuple(CLEAN[at].request for at in (4, 5, 6, 7))
    told = [tiny_model.tokenizer.convert_ids_to_tokens(int(i)) for i in given.fit_labels]
    assert told == ["N", "N", "A", "A"]
    assert given.probabilities(TEXTS).shape == (3, given.net(given.encode(TEXTS)).shape[1])
    many = opening(tiny_model, [c for c in CLEAN for _ in range(50)], "first token")
    assert (len(many.fit), len(many.held)) == (120, 280)


def test_without_refusals_in_the_reserve_there_is_no_seeing_them(tiny_model: Model) -> None:
    answered = [one for one in CLEAN if not one.refused]
    with pytest.raises(NoWatch, match="needs clean requests that are refused"):
        opening(tiny_model, answered, "refusal")
    assert opening(tiny_model, answered, "first token").fit
