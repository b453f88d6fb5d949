"""The small judge's weights: what was read → probabilities of attempted, refused and incoherent.

A multinomial logistic regression over the features of `features`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from holdfast.errors import UserError
from holdfast.small_judge import features, reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.evaluate import Exchange

Label = Literal["attempted", "refused", "incoherent"]
LABELS: tuple[Label, ...] = ("attempted", "refused", "incoherent")
SHIPPED = Path(__file__).parent / "weights.npz"
BATCH = 512

SHAPES: dict[str, tuple[int, ...]] = {
    "table": (features.SIZE, len(LABELS)),
    "bias": (len(LABELS),),
    "sharpness": (),
}
"""Arrays of the weights file, beside `words`."""


def pair_of(exchange: Exchange) -> tuple[str, str]:
    """What the judge sees of an exchange: the request, plain and as it was asked, and the reply."""
    plain, asked = exchange.request.prompt.prompt, exchange.prompt
    return plain if asked in plain else f"{plain}\n{asked}", exchange.reply


@dataclass(frozen=True)
class Weights:
    """All that the small judge has learned.

    Attributes:
        arrays: By the names of `SHAPES`, in float32; `sharpness` is what logits are multiplied
            by, so that probabilities are calibrated.
        known: Hashes of the lower-case words of the language.
    """

    arrays: dict[str, NDArray[np.float32]]
    known: frozenset[int]

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Probabilities (n, 3) in the order of `LABELS` for (request, reply) pairs."""
        import numpy as np

        told = [np.zeros((0, len(LABELS)), np.float32)]
        for first in range(0, len(pairs), BATCH):
            some = [reading.read(*pair, self.known) for pair in pairs[first : first + BATCH]]
            logits = self.arrays["sharpness"] * self._logits(features.vectors(some))
            odds = np.exp(logits - logits.max(1, keepdims=True))
            told.append(odds / odds.sum(1, keepdims=True))
        return np.concatenate(told)

    def _logits(self, found: features.Features) -> NDArray[np.float32]:
        import numpy as np

        weighed = self.arrays["table"][found.columns] * found.values[:, None]
        sums = np.add.reduceat(weighed, found.starts[:-1])
        logits: NDArray[np.float32] = sums + self.arrays["bias"]
        return logits

    def save(self, path: Path) -> None:
        """Writes the weights, in float16 and compressed."""
        import numpy as np

        halves: dict[str, Any] = {n: array.astype(np.float16) for n, array in self.arrays.items()}
        np.savez_compressed(path, words=np.array(sorted(self.known), np.uint32), **halves)


@lru_cache(maxsize=4)
def load(path: Path = SHIPPED) -> Weights:
    """Reads weights.

    Raises:
        UserError: there are none, or they fit other features.
    """
    import numpy as np

    make = "make them with `python -m holdfast.small_judge.recipe`."
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name].astype(np.float32) for name in SHAPES}
            known = frozenset(stored["words"].tolist())
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} holds no weights of the small judge ({error}); {make}") from error
    if {name: array.shape for name, array in arrays.items()} != SHAPES:
        raise UserError(f"{path} holds weights of another version of the small judge; {make}")
    return Weights(arrays, known)
