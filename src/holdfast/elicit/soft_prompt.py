"""Soft prompts (Schwinn et al., "Soft Prompt Threats: Attacking Safety Alignment and Unlearning in
Open-Source LLMs through the Embedding Space", NeurIPS 2024, arXiv 2402.09063).

Whoever has the weights can ask with vectors that no text stands for. A few of them, optimised until
forbidden requests are answered, are put before every request.

Equation: e := e - lr sign( grad_e E [ -log pi_theta(y | e, x) ] ), e the k x d soft tokens, x a
select request with its answer y.

Differs from the paper: soft tokens stand before the request, not after it, and are searched once on
`requests` select requests (its universal attack), then used on all; each step sees `batch_size` of
them; they start as embeddings of tokens drawn by the seed. One reply to each request counts, where
the paper takes several along the search.

Shows a defender: what the weights still know and how little covers it. It takes the weights, so no
service answers it; unlearning that holds would, alignment alone does not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.draw import generator
from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.elicit.searched import searched

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.chat import Row
    from holdfast.evaluate import Request
    from holdfast.models import Model


class SoftPrompt(Elicitation):
    """Asks each request after the same optimised vectors.

    Attributes:
        tokens: vectors; 0 asks as it is.
        steps: of sign gradient descent; the paper takes 100 and more.
        learning_rate: what each step moves every coordinate by.
        requests: select requests that are searched on.
        batch_size: of them in a step.
    """

    kind: Literal["soft_prompt"] = "soft_prompt"
    tokens: int = Field(20, ge=0)
    steps: int = Field(100, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    requests: int = Field(16, ge=1)
    batch_size: int = Field(8, ge=1)

    needs: ClassVar[Literal["prompt", "decoding", "start", "weights"]] = "weights"
    null: ClassVar[dict[str, Any]] = {"tokens": 0}
    paper: ClassVar[str] = "Schwinn et al., NeurIPS 2024, arXiv 2402.09063"
    built_on: ClassVar[tuple[str, ...]] = ("elicit/searched",)


def soft_prompt(config: SoftPrompt, asking: Asking) -> Asker:
    """One ask: the request with the soft tokens before it, put to a model that knows them."""
    view, names = None, ""
    if config.tokens:
        model, rows = searched(asking, config.requests, config.kind)
        view, names = with_soft_tokens(model, config.tokens, asking.seed)
        optimise(view, [row.with_prompt(names + row.prompt) for row in rows], config, asking.seed)

    def ways(request: Request) -> tuple[Ask, ...]:
        row = request.prompt.without_answer()
        return (Ask(row.with_prompt(names + row.prompt)),)

    return Asker(config.spec(), ways, view)


def with_soft_tokens(model: Model, count: int, seed: int) -> tuple[Model, str]:
    """A copy of the model with `count` more tokens, and the text that stands for them.

    The output head stays as it is, also where it was the embedding itself, so none can be said.
    """
    from tokenizers import AddedToken
    from torch import nn

    from holdfast.models import Model

    tokenizer = copy.deepcopy(model.tokenizer)
    names = [f"<|soft {number}|>" for number in range(count)]
    ordinary = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    tokenizer.add_tokens([AddedToken(n, special=True, normalized=False) for n in names], True)
    net = copy.deepcopy(model.net).requires_grad_(False)
    embedding: Any = net.get_input_embeddings()
    old: Tensor = embedding.weight
    likened = generator(seed, "soft_prompt").choices(ordinary, k=count)
    new = old.new_zeros(max(len(old), len(tokenizer)), old.shape[1])
    new[: len(old)] = old
    new[soft_ids(tokenizer, names)] = old[likened]
    embedding.weight = nn.Parameter(new, requires_grad=False)  # a tied head keeps the old one
    embedding.num_embeddings = len(new)
    return Model(net, tokenizer, f"{model.name} with a soft prompt"), "".join(names)


def soft_ids(tokenizer: Any, names: Sequence[str]) -> list[int]:
    """The soft tokens' ids."""
    return [tokenizer.convert_tokens_to_ids(name) for name in names]


def optimise(view: Model, rows: Sequence[Row], config: SoftPrompt, seed: int) -> None:
    """Moves the soft tokens until the rows' answers are likely, in place."""
    import torch

    from holdfast.models import digest_of
    from holdfast.train import Feed, batch_loss

    ids = torch.tensor(
        soft_ids(view.tokenizer, [f"<|soft {number}|>" for number in range(config.tokens)]),
        device=view.net.device,
    )
    embedding: Any = view.net.get_input_embeddings()
    feed = Feed(rows, view.tokenizer, batch_size=config.batch_size, seed=seed)
    with torch.enable_grad(), watched(embedding) as seen:
        for step in range(config.steps):
            batch = feed.batch(step).to(view.net.device)
            batch_loss(view.net, batch).backward()  # type: ignore[no-untyped-call]
            (entered,) = seen
            where = (batch.ids[..., None] == ids).to(entered)
            gradient = torch.einsum("btk,btd->kd", where, entered.grad)
            embedding.weight[ids] -= config.learning_rate * gradient.sign()
            seen.clear()
    view.digest = digest_of(view)


@contextmanager
def watched(embedding: nn.Module) -> Iterator[list[Tensor]]:
    """What an embedding gives, as leaves that a backward pass leaves its gradient at."""
    seen: list[Tensor] = []

    def gives(module: nn.Module, given: Any, made: Tensor) -> Tensor:
        seen.append(made.detach().requires_grad_())
        return seen[-1]

    handle = embedding.register_forward_hook(gives)
    try:
        yield seen
    finally:
        handle.remove()
