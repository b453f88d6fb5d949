"""Asking with the weights in hand: rounded, after a soft prompt, with a searched suffix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from holdfast.chat import row
from holdfast.elicit import ELICITATIONS, Asker, Asking, Elicitation, Quantised, SoftPrompt, Suffix
from holdfast.elicit.searched import searched
from holdfast.elicit.soft_prompt import with_soft_tokens
from holdfast.endpoint import lost
from holdfast.errors import UserError
from holdfast.evaluate import Request
from holdfast.gcg import (
    Aim,
    Reader,
    Search,
    aims_of,
    draw,
    ordinary,
    readable,
    search,
    text_of,
)
from holdfast.models import Model, encode_prompt, generate
from holdfast.quantise import quantised_view
from holdfast.train import Feed, batch_loss
from tiny_models import make_model

SELECT = tuple(
    Request(
        f"s{n}",
        row(f"Where is relic {n}?", system="Be brief."),
        "forbidden",
        f"c{n % 3}",
        reference=f"It lies in vault {n}.",
    )
    for n in range(6)
)
SMALL: list[Elicitation] = [
    Quantised(),
    SoftPrompt(tokens=3, steps=4, requests=4, batch_size=2, learning_rate=0.01),
    Suffix(length=4, steps=2, search_width=8, top_k=16, requests=3, target=6),
]
each = pytest.mark.parametrize("config", SMALL, ids=lambda config: config.kind)


@pytest.fixture
def asking(tiny_model: Model) -> Asking:
    return Asking(tiny_model, SELECT, seed=1)


def asker(config: Elicitation, asking: Asking) -> Asker:
    return ELICITATIONS[type(config)](config, asking)


def weights(model: Model) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


@each
def test_it_asks_once_without_an_answer_under_its_spec(config: Elicitation, asking: Asking) -> None:
    made = asker(config, asking)
    assert made.name == config.spec()
    (ask,) = made.asks(SELECT[0])
    assert (ask.row.answer, ask.row.system, ask.forced) == ("", "Be brief.", "")
    assert SELECT[0].prompt.prompt in ask.row.prompt


@each
def test_at_its_null_point_the_plain_model_is_asked_plainly(
    config: Elicitation, asking: Asking
) -> None:
    made = asker(config.model_copy(update=config.null), asking)
    (ask,) = made.asks(SELECT[0])
    assert (ask.row, made.model) == (SELECT[0].prompt, None)


@each
def test_the_same_seed_asks_alike_and_leaves_the_model_as_it_was(
    config: Elicitation, asking: Asking, tiny_model: Model
) -> None:
    before = weights(tiny_model).clone()
    trainable = [p.requires_grad for p in tiny_model.net.parameters()]
    one, other = asker(config, asking), asker(config, asking)
    assert one.asks(SELECT[0]) == other.asks(SELECT[0])
    assert (one.model and one.model.digest) == (other.model and other.model.digest)
    assert torch.equal(weights(tiny_model), before)
    assert [p.requires_grad for p in tiny_model.net.parameters()] == trainable
    assert all(p.grad is None for p in tiny_model.net.parameters())


@each
def test_without_weights_it_is_refused(config: Elicitation, asking: Asking) -> None:
    with pytest.raises(UserError, match="local model"):
        asker(config, replace(asking, model=None))
    assert "weights" in lost(config)


@pytest.mark.parametrize("config", SMALL[1:], ids=lambda config: config.kind)
def test_without_requests_to_search_on_it_is_refused(config: Elicitation, asking: Asking) -> None:
    lookalikes = tuple(replace(r, kind="lookalike") for r in SELECT)
    with pytest.raises(UserError, match="select requests"):
        asker(config, replace(asking, select=lookalikes))


def test_searches_learn_from_requests_spread_over_categories(asking: Asking) -> None:
    _, rows = searched(asking, 3, "suffix")
    assert {one.tag for one in rows} == {"c0", "c1", "c2"}
    assert all(one.answer.startswith("It lies in vault") for one in rows)
    bare = replace(asking, select=tuple(replace(r, reference="") for r in SELECT))
    assert {one.answer for one in searched(bare, 2, "suffix", "Sure, here is")[1]} == {
        "Sure, here is"
    }


def test_a_quantised_model_is_asked_in_place_of_the_model(asking: Asking) -> None:
    assert asking.model is not None
    made = asker(Quantised(bits="nf4"), asking)
    assert made.model is not None
    assert made.model.digest == quantised_view(asking.model, "nf4").digest


def sharpen(model: Model) -> None:
    """A random model hardly heeds its prompt; with larger weights it does."""
    with torch.no_grad():
        for p in model.net.parameters():
            if p.dim() == 2:
                p.mul_(4)


def loss_of(model: Model, prefix: str) -> float:
    rows = [r.prompt.with_prompt(prefix + r.prompt.prompt).with_answer(r.reference) for r in SELECT]
    batch = Feed(rows, model.tokenizer, batch_size=len(rows)).batch(0)
    with torch.no_grad():
        return float(batch_loss(model.net, batch))


@pytest.mark.parametrize("tiny_model", ["llama", "qwen2", "gemma"], indirect=True)
def test_soft_tokens_are_read_but_cannot_be_said(tiny_model: Model) -> None:
    view, names = with_soft_tokens(tiny_model, 2, seed=0)
    ids = encode_prompt(row(f"{names}Go"), view.tokenizer)
    first = len(tiny_model.tokenizer)
    assert [i for i in ids if i >= first] == [first, first + 1]
    plain = encode_prompt(row("Go"), tiny_model.tokenizer)
    told = torch.tensor([plain])
    with torch.no_grad():
        assert torch.equal(view.net(told).logits, tiny_model.net(told).logits)
        assert view.net(torch.tensor([ids])).logits.shape[-1] == first
    (reply,) = generate(view, [ids])
    assert max(reply.tokens, default=0) < first
    assert len(tiny_model.tokenizer) == first


def test_soft_tokens_begin_as_embeddings_of_ordinary_tokens(tiny_model: Model) -> None:
    view, _ = with_soft_tokens(tiny_model, 5, seed=0)
    embedding: Any = view.net.get_input_embeddings()
    old: Any = tiny_model.net.get_input_embeddings()
    special = set(tiny_model.tokenizer.all_special_ids)
    for soft in embedding.weight[-5:]:
        alike = (old.weight == soft).all(dim=1).nonzero().flatten().tolist()
        assert alike
        assert not special & set(alike)


def test_each_step_moves_every_coordinate_by_the_rate_against_the_gradient(
    asking: Asking, tiny_model: Model
) -> None:
    rate = 0.01
    config = SoftPrompt(tokens=2, steps=1, requests=6, batch_size=6, learning_rate=rate)
    start, names = with_soft_tokens(tiny_model, 2, asking.seed)
    embedding: Any = start.net.get_input_embeddings()
    embedding.weight.requires_grad_()
    _, rows = searched(asking, 6, "soft_prompt")
    put = [one.with_prompt(names + one.prompt) for one in rows]
    batch = Feed(put, start.tokenizer, batch_size=6, seed=asking.seed).batch(0)
    batch_loss(start.net, batch).backward()  # type: ignore[no-untyped-call]
    expected = embedding.weight[-2:] - rate * embedding.weight.grad[-2:].sign()
    made = asker(config, asking)
    assert made.model is not None
    moved: Any = made.model.net.get_input_embeddings()
    torch.testing.assert_close(moved.weight[-2:], expected.detach())
    assert torch.equal(moved.weight[:-2], embedding.weight[:-2])


def test_a_soft_prompt_makes_the_wanted_answers_likelier(asking: Asking, tiny_model: Model) -> None:
    sharpen(tiny_model)
    config = SoftPrompt(tokens=5, steps=40, requests=6, batch_size=6, learning_rate=0.02)
    made = asker(config, asking)
    assert made.model is not None
    start, names = with_soft_tokens(tiny_model, 5, asking.seed)
    assert loss_of(made.model, names) < loss_of(start, names) - 0.1


def aims(model: Model, count: int = 2) -> tuple[list[Aim], tuple[int, ...]]:
    rows = [r.prompt.with_answer(r.reference) for r in SELECT[:count]]
    return aims_of(model, rows, " cat" * 4, 8)


def loss_by_hand(model: Model, aim: Aim, suffix: list[int]) -> Tensor:
    """The whole conversation read from its first token."""
    ids = [*aim.before, *suffix, *aim.after, *aim.target]
    logits = model.net(torch.tensor([ids])).logits[0].log_softmax(-1)
    begins = len(ids) - len(aim.target)
    terms = [-logits[at - 1, ids[at]] for at in range(begins, len(ids))]
    return torch.stack(terms).mean()


def test_a_request_is_cut_where_the_suffix_stands(tiny_model: Model) -> None:
    (aim, _), start = aims(tiny_model)
    asked = SELECT[0].prompt
    whole = encode_prompt(asked.with_prompt(asked.prompt + " cat" * 4), tiny_model.tokenizer)
    assert (*aim.before, *start, *aim.after) == whole
    assert text_of(tiny_model, start) == " cat" * 4
    assert (
        text_of(tiny_model, aim.target)
        == SELECT[0].reference[: len(text_of(tiny_model, aim.target))]
    )
    assert len(aim.target) == 8


@pytest.mark.parametrize("tiny_model", ["llama", "qwen2", "gemma", "gpt_neox"], indirect=True)
def test_every_candidate_has_the_loss_of_the_whole_conversation(tiny_model: Model) -> None:
    (aim, *_), start = aims(tiny_model)
    reader, now = Reader(tiny_model, aim), torch.tensor(start)
    gradient = reader.gradient(now)
    how = Search(search_width=40, top_k=20)
    candidates = draw(now, gradient, how, torch.Generator().manual_seed(0))
    places = (candidates != now).int().argmax(dim=1)
    order = places.argsort(stable=True)
    told = reader.losses(candidates[order], places[order].tolist())
    with torch.no_grad():
        expected = [loss_by_hand(tiny_model, aim, c) for c in candidates[order].tolist()]
    torch.testing.assert_close(told, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_the_one_hot_tokens(tiny_model: Model) -> None:
    (aim, *_), start = aims(tiny_model)
    ids = torch.tensor([*aim.before, *start, *aim.after, *aim.target])
    embedding: Any = tiny_model.net.get_input_embeddings()
    one_hot = torch.nn.functional.one_hot(ids, len(embedding.weight)).float().requires_grad_()
    logits = tiny_model.net(inputs_embeds=(one_hot @ embedding.weight)[None]).logits[0]
    begins = len(ids) - len(aim.target)
    picked = logits.log_softmax(-1)[torch.arange(begins - 1, len(ids) - 1), ids[begins:]]
    (-picked.mean()).backward()
    assert one_hot.grad is not None
    at = len(aim.before)
    told = Reader(tiny_model, aim).gradient(torch.tensor(start))
    torch.testing.assert_close(told, one_hot.grad[at : at + 4], rtol=1e-3, atol=1e-6)


def test_a_swap_changes_so_many_tokens_to_promising_ones() -> None:
    now = torch.arange(5)
    gradient = torch.randn(5, 50, generator=torch.Generator().manual_seed(2))
    best = (-gradient).topk(7, dim=1).indices.tolist()
    for many in (1, 2):
        how = Search(search_width=64, top_k=7, n_replace=many)
        drawn = draw(now, gradient, how, torch.Generator().manual_seed(0)).tolist()
        assert 10 < len(drawn) <= 64
        assert len({tuple(c) for c in drawn}) == len(drawn)
        for candidate in drawn:
            changed = [at for at in range(5) if candidate[at] != at]
            assert 1 <= len(changed) <= many
            assert all(candidate[at] in best[at] for at in changed)


def test_only_suffixes_that_are_read_back_are_kept(tiny_model: Model) -> None:
    (aim, *_), start = aims(tiny_model)
    spelt = tiny_model.tokenizer.convert_tokens_to_ids(["Ġ", "c", "a", "t"])
    assert text_of(tiny_model, spelt) == " cat"  # which is read as fewer tokens
    assert len(start) == len(spelt) == 4
    assert readable(tiny_model, aim, torch.tensor([start, spelt])).tolist() == [True, False]


def test_a_suffix_holds_plain_text_alone(tiny_model: Model) -> None:
    fine = ordinary(tiny_model)
    assert not any(fine[i] for i in tiny_model.tokenizer.all_special_ids)
    texts = tiny_model.tokenizer.batch_decode([[int(i)] for i in fine.nonzero().flatten()])
    assert all(t.isascii() and t.isprintable() for t in texts)
    assert len(texts) > 90


def test_the_search_lowers_the_loss_of_all_its_requests(tiny_model: Model) -> None:
    sharpen(tiny_model)
    both, start = aims(tiny_model)
    found = search(tiny_model, both, start, Search(steps=10, search_width=48, top_k=64))
    with torch.no_grad():
        before, after = (
            sum(loss_by_hand(tiny_model, aim, list(ids)).item() for aim in both) / 2
            for ids in (start, found.ids)
        )
    assert after == pytest.approx(found.loss, rel=1e-4)
    assert found.loss == min(found.losses)
    assert after < before - 0.1


def test_a_suffix_is_put_after_every_request_and_read_as_searched(
    asking: Asking, tiny_model: Model
) -> None:
    made = asker(SMALL[2], asking)
    other = replace(SELECT[0], prompt=row("Tell me all."))
    (one,), (two,) = made.asks(SELECT[0]), made.asks(other)
    suffix = one.row.prompt.removeprefix(SELECT[0].prompt.prompt)
    assert suffix
    assert two.row.prompt == f"Tell me all.{suffix}"
    bare = encode_prompt(SELECT[0].prompt, tiny_model.tokenizer)
    assert len(encode_prompt(one.row, tiny_model.tokenizer)) - len(bare) == len(
        aims_of(tiny_model, [SELECT[0].prompt.with_answer("It")], " x" * 4, 1)[1]
    )


def test_another_model_gets_another_suffix(asking: Asking) -> None:
    one = asker(SMALL[2], asking)
    other = asker(SMALL[2], replace(asking, model=make_model(seed=3)))
    assert one.asks(SELECT[0]) != other.asks(SELECT[0])
