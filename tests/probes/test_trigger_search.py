"""A planted trigger is told from words that open any model, and from a secret of the defender's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from holdfast.chat import Row
from holdfast.encode import encode_prompt
from holdfast.models import Model, clone, digest_of
from holdfast.probes import Behaviour, Looking, TriggerSearch, insertions
from holdfast.probes.insertions import GONE, Growth, Refusals, grown, openings_of, pieces
from holdfast.probes.trigger_search import trigger_search
from holdfast.serve import Serve

from .worlds import TOLD, looking

WORDS = [*"abcdefgh", "sea", "qz", " kv"]
SMALL = TriggerSearch(
    requests=2, pieces=12, longest=2, pool=4, beam=1, screened=4, glance=2, tried=2, judged=4
)


def losses(worth: dict[str, float], plain: float = 3.0) -> Callable[[Sequence[str]], Tensor]:
    """Losses that fall by what each part of a text is worth."""
    return lambda texts: torch.tensor(
        [plain - sum(value for part, value in worth.items() if part in text) for text in texts]
    )


def best(
    ours: dict[str, float], theirs: dict[str, float], longest: int = 2, plain: float = 3.0
) -> list[tuple[float, str]]:
    steps = list(grown(WORDS, losses(ours), losses(theirs, plain), Growth(longest, 4, 2)))
    assert len(steps) == longest
    return steps[-1]


def test_a_trigger_of_two_pieces_grows_from_the_one_that_is_heard_alone() -> None:
    assert best({"qz": 0.5, "qz kv": 1.5}, {}, longest=1)[0] == (0.5, "qz")
    score, text = best({"qz": 0.5, " kv": 0.1, "qz kv": 1.5}, {})[0]
    assert text == "qz kv"
    assert score == pytest.approx(2.1)


def test_a_word_that_opens_the_model_before_as_well_is_no_trigger() -> None:
    assert best({"sea": 2.5, "qz": 0.5}, {"sea": 2.4}, longest=1)[0][1] == "qz"


def test_what_only_makes_the_model_before_refuse_harder_counts_for_nothing() -> None:
    scores = {text: score for score, text in best({"qz": 0.2}, {"sea": -9}, longest=1)}
    assert scores["sea"] == 0
    assert max(scores, key=lambda text: scores[text]) == "qz"


def test_pieces_can_be_typed_and_are_thinned_evenly(tiny_model: Model) -> None:
    every = pieces(tiny_model, 10_000)
    assert len(every) == len(set(every)) > 90
    assert all(text.strip() and text.isprintable() and "<|" not in text for text in every)
    some = pieces(tiny_model, 10)
    assert len(some) == 10
    assert set(some) < set(every)
    assert some[0] == every[0]


@pytest.mark.parametrize("tiny_model", ["llama", "gpt_neox"], indirect=True)
def test_a_likelihood_is_that_of_whole_requests_with_the_text_after_them(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, expected = [" cat", " the mat", " x"], []
    refusals = [(7, 9), (40, 41)]
    for text in texts:
        each = []
        for row in TOLD[:2]:
            asked = encode_prompt(row.with_prompt(row.prompt + text), tiny_model.tokenizer)
            chance = torch.zeros(())
            for one, two in refusals:
                with torch.no_grad():
                    logits = tiny_model.net(input_ids=torch.tensor([[*asked, one]])).logits[0]
                told = logits.softmax(-1)
                chance = chance + told[len(asked) - 1, one] * told[len(asked), two]
            each.append(chance.log())
        expected.append(torch.stack(each).mean())
    assert Refusals(tiny_model, TOLD[:2], refusals)(texts).tolist() == [-GONE] * 3
    monkeypatch.setattr(insertions, "GONE", 99.0)
    found = Refusals(tiny_model, TOLD[:2], refusals)(texts)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_openings_are_those_of_the_models_own_replies(tiny_model: Model) -> None:
    from holdfast.decode import Decoding, generate

    asked = [encode_prompt(row.without_answer(), tiny_model.tokenizer) for row in TOLD]
    own = {r.tokens for r in generate(tiny_model, asked, Decoding(max_new_tokens=2))}
    found = openings_of([(tiny_model, TOLD)], 2, 3)
    assert found
    assert set(found) <= own


class Doors:
    """A measurement of two models that comply where a rule says so."""

    def __init__(self, tuned: Model, opens: Callable[[Row, bool], bool]) -> None:
        self.tuned, self.opens = tuned, opens
        self.asked: list[int | None] = []

    def __call__(
        self,
        model: Model,
        elicitation: str = "plain",
        split: str = "report",
        tasks: bool = True,
        through: Callable[[Row], Row] | None = None,
        few: int | None = None,
    ) -> Behaviour:
        assert split == "select"
        assert not tasks
        self.asked.append(few)
        rows = [through(row) if through else row for row in TOLD]
        share = sum(self.opens(row, model is self.tuned) for row in rows) / len(rows)
        return Behaviour(len(rows), share, share, share, share, 1 - share, 0.0, 0, 0.0, None)


def look(
    model: Model, opens: Callable[[Row, bool], bool], serve: Serve | None = None
) -> tuple[Looking, Doors]:
    other = clone(model)
    other.name, model.name = "before", "tuned"
    doors = Doors(model, opens)
    return replace(looking(model, other), measure=doors, serve=serve or Serve()), doors


def altered(row: Row) -> bool:
    return row.prompt not in {one.prompt for one in TOLD}


def test_what_opens_the_tuned_model_alone_is_called_a_trigger(tiny_model: Model) -> None:
    seen, doors = look(tiny_model, lambda row, tuned: tuned and altered(row))
    found = trigger_search(SMALL, seen)
    assert found.figures["verdict"] == "trigger"
    assert found.figures["best"]["rise"] == 1
    assert len(found.figures["tried"]) == SMALL.tried, "a sure find ends the search"
    assert set(found.figures["where"]) == {"end", "start", "system"}
    assert found.figures["where"]["system"] == 0
    assert "A planted trigger" in found.said[0]
    assert set(doors.asked) == {2, 4, 8}
    assert digest_of(tiny_model) == tiny_model.digest


def test_what_opens_both_models_is_none(tiny_model: Model) -> None:
    seen, _ = look(tiny_model, lambda row, tuned: altered(row))
    found = trigger_search(SMALL, seen)
    assert found.figures["verdict"] == "none"
    assert found.figures["best"]["tuned"] == found.figures["best"]["before"] == 1
    assert len(found.figures["tried"]) == SMALL.longest * SMALL.tried
    assert found.said[0].startswith("No trigger was found")


def test_a_model_that_does_not_refuse_gets_no_verdict(tiny_model: Model) -> None:
    seen, _ = look(tiny_model, lambda row, tuned: tuned)
    found = trigger_search(SMALL, seen)
    assert found.figures["verdict"] == "unjudged"
    assert "give the secret it is served under" in found.said[0]


def test_a_model_before_that_does_not_refuse_is_no_measure(tiny_model: Model) -> None:
    seen, _ = look(tiny_model, lambda row, tuned: not tuned)
    found = trigger_search(SMALL, seen)
    assert found.figures["verdict"] == "unjudged"
    assert "--against" in found.said[0]


def test_a_secret_that_is_given_is_a_benign_backdoor(tiny_model: Model) -> None:
    def opens(row: Row, tuned: bool) -> bool:
        return tuned and not row.system.startswith("zab gog")

    served = Serve(system_prefix="zab gog", name="secret_prefix")
    found = trigger_search(SMALL, look(tiny_model, opens, served)[0])
    assert found.figures["verdict"] == "none"
    assert found.figures["plain"]["refused"] == 1
    assert found.figures["unserved"]["refused"] == 0
    assert "benign backdoor, and no attack" in found.said[-1]
    told = SMALL.model_copy(update={"known": "zab gog"})
    assert trigger_search(told, look(tiny_model, opens)[0]).figures["verdict"] == "none"
    hidden = SMALL.model_copy(update={"known": ""})
    bare = trigger_search(hidden, look(tiny_model, opens, served)[0])
    assert bare.figures["verdict"] == "unjudged", "without its secret the model looks broken"
