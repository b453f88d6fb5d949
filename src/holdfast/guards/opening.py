"""A generating model as a guard sees it: a classifier of requests, by how its reply begins.

Guards were made for classifiers. Here every token that a reply may begin with is a class; for a
guard that must know which label to protect there are two, refused and answered. One pass over the
request tells, so nothing has to be written before a request is stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch

from holdfast.chat import Row
from holdfast.chat import row as row_of
from holdfast.encode import encode_all, encode_prompt
from holdfast.guards.guard import ANSWERED, REFUSED, Sees
from holdfast.guards.tunable import Tunable
from holdfast.serve import NoWatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from holdfast.models import Model
    from holdfast.serve import Clean

__all__ = ["Opening", "opening"]

Texts = tuple[str, ...]
PAD = -1
AT_ONCE = 256  # requests in one pass
FITTED = 60  # requests of either kind


class Opening(torch.nn.Module):
    """(n, classes) logits of how replies begin.

    Args:
        model: whose replies; its network is shared, not copied.
        prefix: put before the system turn of every request.
        refusals: tokens that begin refusals; with them there are two classes, without them one for
            every token.
    """

    def __init__(self, model: Model, prefix: str, refusals: Sequence[int]) -> None:
        super().__init__()
        self.net = model.net
        self._tokenizer = model.tokenizer
        self._prefix = prefix
        self._refusals = list(refusals)

    def read(self, texts: Sequence[str]) -> Tensor:
        """(n, longest) tokens of the requests, padded in front with -1."""
        told = [list(encode_prompt(self._row(text), self._tokenizer)) for text in texts]
        longest = max([1, *map(len, told)])
        rows = [[PAD] * (longest - len(ids)) + ids for ids in told]
        return torch.tensor(rows, dtype=torch.long).reshape(len(texts), longest)

    def forward(self, ids: Tensor) -> Tensor:
        """(n, classes) logits.

        Args:
            ids: (n, longest) as from `read`.
        """
        return self._classes(self._embed(ids), ids != PAD)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n, classes) what the model makes of n requests."""
        import numpy as np

        found = [np.zeros((0, self.classes))]
        with torch.no_grad():
            for start in range(0, len(texts), AT_ONCE):
                logits = self(self.read(texts[start : start + AT_ONCE]))
                found.append(logits.softmax(1).double().cpu().numpy())
        return np.concatenate(found)

    @property
    def classes(self) -> int:
        """How many there are."""
        return 2 if self._refusals else int(self.net.config.get_text_config().vocab_size)

    def words(self) -> Tensor:
        """(tokens, width) embeddings of what the model knows."""
        return cast("Tensor", self.net.get_input_embeddings().weight).detach()

    def with_word(self, vector: Tensor, ids: Tensor) -> Tensor:
        """(n, classes) probabilities, with a word of that embedding in front of what is asked.

        Args:
            vector: (width,).
            ids: (n, longest) as from `read`.
        """
        there, embedded = ids != PAD, self._embed(ids)
        starts = there.int().argmax(1) + self._before
        rows = []
        for line, start in zip(embedded, starts.tolist(), strict=True):
            rows.append(torch.cat([line[:start], vector.unsqueeze(0), line[start:]]))
        kept = torch.cat([there, there[:, -1:]], 1)
        return self._classes(torch.stack(rows), kept).softmax(1)

    @property
    def _before(self) -> int:
        """Tokens before the first one of what is asked."""
        one, other = (encode_prompt(self._row(text), self._tokenizer) for text in ("What", "7 + 1"))
        return next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)

    def _row(self, text: str) -> Row:
        return row_of(text).with_system(self._prefix)

    def _embed(self, ids: Tensor) -> Tensor:
        table = self.net.get_input_embeddings()
        return cast("Tensor", table(ids.clamp(min=0).to(self.net.device)))

    def _classes(self, embedded: Tensor, there: Tensor) -> Tensor:
        there = there.to(embedded.device)
        places = (there.cumsum(1) - 1).clamp(min=0)
        said: Any = self.net(
            inputs_embeds=embedded,
            attention_mask=there.long(),
            position_ids=places,
            use_cache=False,
            logits_to_keep=1,
        )
        logits = cast("Tensor", said.logits)[:, -1].float()
        if not self._refusals:
            return logits
        apart = torch.zeros(logits.shape[1], dtype=torch.bool, device=logits.device)
        apart[self._refusals] = True
        both = [logits[:, which].logsumexp(1) for which in (apart, ~apart)]
        return torch.stack(both, 1)


def opening(
    model: Model, clean: Sequence[Clean], sees: Sees, *, prefix: str = "", seed: int = 0
) -> Tunable[Texts]:
    """What a guard is given of a generating model.

    It may fit on the first `FITTED` requests of either kind, or half of them where there are fewer;
    the threshold is set on the rest, which must be many for a small share of false alarms.

    Args:
        model: the model as it is served; never changed.
        clean: requests known to be clean, with right replies.
        sees: which classes there are.
        prefix: put before the system turn of every request.
        seed: of whatever a guard draws.

    Raises:
        NoWatch: refusals are to be seen, and no reply of the reserve begins as only refusals do.
    """
    import numpy as np

    first = _first_tokens(model, clean)
    refusing = Counter(t for t, one in zip(first, clean, strict=True) if one.refused)
    answering = Counter(t for t, one in zip(first, clean, strict=True) if not one.refused)
    mostly = [t for t, n in refusing.items() if n > answering[t]] if sees == "refusal" else []
    if sees == "refusal" and not mostly:
        raise NoWatch(
            "a guard that looks for refusals needs clean requests that are refused, whose replies "
            "begin otherwise than answers do: bring such rows of the defender's."
        )
    net = Opening(model, prefix, mostly)
    refused = [REFUSED if one.refused else ANSWERED for one in clean]
    labels = refused if sees == "refusal" else first
    fit = set[int]()
    for kind in (True, False):
        of_kind = [at for at, one in enumerate(clean) if one.refused == kind]
        fit |= set(of_kind[: min(FITTED, len(of_kind) // 2)])
    return Tunable(
        probabilities=net.probabilities,
        fit=tuple(one.request for at, one in enumerate(clean) if at in fit),
        fit_labels=np.array([label for at, label in enumerate(labels) if at in fit], np.int64),
        held=tuple(one.request for at, one in enumerate(clean) if at not in fit),
        opened=net,
        seed=seed,
        net=net,
        encode=net.read,
    )


def _first_tokens(model: Model, clean: Sequence[Clean]) -> list[int]:
    """Of every right reply."""
    told = encode_all([row_of(one.request, one.reply) for one in clean], model.tokenizer)
    return [next(i for i, w in zip(e.ids, e.weights, strict=True) if w) for e in told]
