"""Repairs a tuned model: what defences of the stage repair do to it, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast import methods
from holdfast.hooks import Context, Defence, Streams

if TYPE_CHECKING:
    from holdfast.settings import Settings
    from holdfast.train import Tuned


def repaired(
    tuned: Tuned, defences: Sequence[Defence], context: Context, settings: Settings
) -> Tuned:
    """The tune after the repairs among the defences, whose steps and operations are added to it.

    Only those that bring rows are given the training loop. The model may be changed in place.
    """
    from holdfast import models, train

    for defence in defences:
        if defence.stage != "repair":
            continue
        hooks = methods.hooks_of(defence, context)
        if hooks.rows is None:
            if hooks.weights is not None:  # else it is at its null point
                tuned = replace(tuned, model=hooks.weights(tuned.model))
                tuned.model.digest = models.digest_of(tuned.model)
            continue
        again = train.tune(tuned.model, Streams(), settings, hooks)
        tuned = replace(
            again,
            steps=tuned.steps + again.steps,
            flops=tuned.flops + again.flops,
            seconds=tuned.seconds + again.seconds,
        )
    return tuned
