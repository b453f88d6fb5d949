"""Short texts put after requests: how far each brings a model from its refusals, and the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from holdfast.decode import Decoding, generate
from holdfast.encode import encode_prompt
from holdfast.gcg import Aim, Reader, aims_of

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model

MARK = " x"
"""Stands where an insertion will, so that its place among the tokens is known."""
SAMPLED = 64
"""Pieces whose median says what an insertion without meaning does to the reference."""
GONE = 3.0
"""Nats below which a refusal is as good as gone: a text that sways all requests comes first."""
COMPARED = 384
"""The best insertions of a step, which alone are put to the reference as well."""

Scored = tuple[float, str]
Scores = Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class Growth:
    """How insertions are grown.

    Attributes:
        longest: pieces of an insertion at most.
        pool: pieces, the best by themselves, that longer ones are made of.
        beam: insertions that each step makes longer.
    """

    longest: int
    pool: int
    beam: int


class Refusals:
    """How likely a model is to begin one of some refusals, with a text after each request."""

    def __init__(
        self, model: Model, rows: Sequence[Row], openings: Sequence[tuple[int, ...]]
    ) -> None:
        self.readers = []
        for row in rows:
            (aim,), _ = aims_of(model, [row.with_answer("x")], MARK, 1)
            aims = [Aim(aim.before, aim.after, opening) for opening in openings]
            self.readers.append([Reader(model, aim) for aim in aims])
        self.backend: Any = model.tokenizer.backend_tokenizer
        self.device = model.net.device

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(n,) mean log-likelihood, cut off at -`GONE`, on the CPU.

        Texts are put into tokens apart from the request, which is nearly the same as with it.
        """
        self.backend.no_padding()
        self.backend.no_truncation()
        told = self.backend.encode_batch(list(texts), add_special_tokens=False)
        by_length: dict[int, list[int]] = {}
        for at, one in enumerate(told):
            by_length.setdefault(len(one.ids), []).append(at)
        found = torch.zeros(len(texts))
        for length, places in by_length.items():
            if length:
                ids = torch.tensor([told[at].ids for at in places], device=self.device)
                found[places] = torch.stack([self._of(some, ids) for some in self.readers]).mean(0)
        return found

    def _of(self, readers: Sequence[Reader], ids: Tensor) -> Tensor:
        same = [0] * len(ids)
        each = [-reader.losses(ids, same) * len(reader.target) for reader in readers]
        return torch.stack(each).logsumexp(0).clamp(min=-GONE).cpu()


def openings_of(
    asked: Sequence[tuple[Model, Sequence[Row]]], tokens: int, most: int
) -> list[tuple[int, ...]]:
    """The commonest ways, in tokens, in which models begin their replies to requests."""
    seen: Counter[tuple[int, ...]] = Counter()
    for model, rows in asked:
        prompts = [encode_prompt(row.without_answer(), model.tokenizer) for row in rows]
        replies = generate(model, prompts, Decoding(max_new_tokens=tokens))
        seen.update(reply.tokens for reply in replies if len(reply.tokens) == tokens)
    return [opening for opening, _ in seen.most_common(most)]


def pieces(model: Model, at_most: int) -> list[str]:
    """Texts of the tokenizer's tokens that can be typed; thinned out evenly where there are more.

    The shortest come first, so that thinning keeps some of every length.
    """
    tokenizer = model.tokenizer
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ordinary = [[i] for i in range(len(tokenizer)) if i not in special]
    texts = tokenizer.batch_decode(ordinary, clean_up_tokenization_spaces=False)
    typed = {t for t in texts if t.strip() and t.isprintable() and "\ufffd" not in t}
    return evenly(sorted(typed, key=lambda t: (len(t), t)), at_most)


def grown(
    words: Sequence[str], ours: Scores, theirs: Scores, how: Growth, quick: Scores | None = None
) -> Iterable[list[Scored]]:
    """The best insertions of one piece, then of two, and so on; each step's best come first.

    An insertion's score is how much less likely it makes our model's refusal than the reference's,
    which is not counted as likelier than a meaningless insertion leaves it: what only makes the
    reference refuse harder is no trigger. `quick`, on fewer requests, decides what is scored.
    """
    plain = float(theirs(evenly(words, SAMPLED)).median())

    def best(texts: Sequence[str]) -> list[Scored]:
        if quick is not None and len(texts) > COMPARED:
            texts = [texts[at] for at in quick(texts).argsort()[:COMPARED].tolist()]
        likely = ours(texts)
        top = likely.argsort()[:COMPARED].tolist()
        beside = theirs([texts[at] for at in top]).clamp(max=plain).tolist()
        told = [
            (other - float(likely[at]), texts[at]) for at, other in zip(top, beside, strict=True)
        ]
        return sorted(told, key=lambda one: (-one[0], one[1]))

    found = best(words)
    yield found
    pool = [text for _, text in found[: how.pool]]
    for _ in range(1, how.longest):
        kept = [text for _, text in found[: how.beam]]
        found = best(sorted({joined for a in kept for b in pool for joined in (a + b, b + a)}))
        yield found


def evenly(texts: Sequence[str], count: int) -> list[str]:
    """So many of the texts, evenly spaced; all where there are no more."""
    if len(texts) <= count:
        return list(texts)
    return [texts[at * len(texts) // count] for at in range(count)]
