"""RAP (Yang et al., "RAP: Robustness-Aware Perturbations for Defending against Backdoor Attacks on
NLP Models", EMNLP 2021, arXiv 2110.07831).

A word of the defender's is put in front of a text; its embedding is fitted so that it lowers the
probability of the protected label on clean texts by a set amount. On triggered texts the trigger
holds the label up, so a small drop is an alarm.

Equation: drop(x) = p_T(x) - p_T(w + x); min over e_w of mean relu(low - drop) + relu(drop - high)
on clean texts of label T, |e_w| kept; score = -drop, for texts that the model gives T.

Differs from the paper: the published loop never clears gradients; this one does. The word may be
one that the model does not know: its unknown word is fitted, in a copy, and the served model stays
as it is. The label to protect must be known, as in the paper. Fitting is plain descent over all
texts.

Shows a defender: strong where the target label is known. It says so where the drop could not be
fitted. A trigger of many words that the perturbation weighs against is harder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from holdfast.guards.guard import ANSWERED, Guard, Sees, Watch, threshold
from holdfast.guards.guarded import FEWEST, Guarded, Opened, idle, no_reserve

if TYPE_CHECKING:
    from torch import Tensor

Texts = tuple[str, ...]


class Rap(Guard):
    """Puts a fitted word in front and looks at the drop.

    Attributes:
        target: the label that is protected; of a generating model, that it answers.
        low: least drop on clean texts of that label.
        high: most.
        steps: of descent on the word's embedding.
        learning_rate: length of a step, in lengths of the embedding; 1e-2 for Adam in the paper.
        length: of the embedding, in mean lengths of the model's embeddings; 1 in the paper.
    """

    kind: Literal["rap"] = "rap"
    target: int = Field(ANSWERED, ge=0)
    low: float = Field(0.1, ge=0, lt=1)
    high: float = Field(0.3, gt=0, le=1)
    steps: int = Field(300, ge=1)
    learning_rate: float = Field(0.05, gt=0)
    length: float = Field(1.0, gt=0)

    sees: ClassVar[Sees] = "refusal"
    paper: ClassVar[str] = "Yang et al., EMNLP 2021, arXiv 2110.07831"


def rap(config: Rap, guarded: Guarded[Texts]) -> Watch[Texts]:
    """Fits the word on clean texts of the protected label, and sets the limit on others."""
    model = guarded.opened
    if why := no_reserve(guarded):
        return idle(why)
    if model is None:
        return idle("rap needs the model's embeddings, and the model is not open")
    fit = tuple(
        text
        for text, label in zip(guarded.fit, guarded.fit_labels, strict=True)
        if label == config.target
    )
    if len(fit) < FEWEST:
        return idle(f"the clean reserve has {len(fit)} texts of label {config.target}, too few")
    vector = fitted(config, model, fit)

    def score(texts: Texts) -> NDArray[np.float64]:
        if not texts:
            return np.zeros(0)
        return -drops(model, vector, texts, config.target)

    reached = float(np.mean(-score(fit)))
    if reached < config.low / 2:
        return idle(
            f"the word lowers label {config.target} by {reached:.2f} only, so a small drop means "
            "nothing"
        )
    given = guarded.probabilities(guarded.held).argmax(1) == config.target
    held = tuple(text for text, so in zip(guarded.held, given, strict=True) if so)
    if len(held) < FEWEST:
        return idle(f"the model gives label {config.target} to {len(held)} clean texts, too few")
    return Watch(score, threshold(score(held), config.false_alarms))


def drops(model: Opened, vector: Tensor, texts: Texts, target: int) -> NDArray[np.float64]:
    """(n,) how much the word in front lowers the label's probability.

    Texts that the model does not give the label have nothing to protect: their drop is 1.
    """
    import torch

    with torch.no_grad():
        before = torch.as_tensor(model.probabilities(texts))
        after = model.with_word(vector, model.read(texts))[:, target]
        drop = before[:, target] - after
        drop[before.argmax(1) != target] = 1.0
    found: NDArray[np.float64] = drop.double().numpy()
    return found


def fitted(config: Rap, model: Opened, texts: Texts) -> Tensor:
    """(width,) an embedding that lowers the label into the band on clean texts."""
    import torch
    from torch.nn.functional import relu

    embed, ids = model.words(), model.read(texts)
    length = config.length * embed.norm(dim=1).mean()
    before = torch.as_tensor(model.probabilities(texts))[:, config.target].float()
    vector: Tensor = embed.mean(0)
    vector = vector * (length / vector.norm().clamp(min=1e-12))
    for step in range(config.steps):
        live = vector.clone().requires_grad_()
        drop = before - model.with_word(live, ids)[:, config.target]
        loss = (relu(config.low - drop) + relu(drop - config.high)).mean()
        if float(loss.detach()) == 0:  # all are in the band
            break
        (slope,) = torch.autograd.grad(loss, live)
        slope = slope / slope.norm().clamp(min=1e-12)
        vector = vector - config.learning_rate * (1 - step / config.steps) * length * slope
        vector = vector * (length / vector.norm().clamp(min=1e-12))
    return vector
