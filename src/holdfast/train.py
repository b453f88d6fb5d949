"""The one training loop: plain fine-tuning, and whatever hooks make of it.

Where no hook changes anything it matches TRL's `SFTTrainer` (1.x, loss on the completion or on
generation-marked turns, one process, no accumulation) in row order, schedule and weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from holdfast import adapters, resume
from holdfast.batches import Batch, Feed, collate
from holdfast.errors import UserError
from holdfast.hooks import Hooks, Streams
from holdfast.losses import answer_logits, batch_loss
from holdfast.models import Model, digest_of
from holdfast.passes import Passes, watch
from holdfast.settings import Settings

__all__ = [
    "Batch",
    "Feed",
    "Settings",
    "Tuned",
    "answer_logits",
    "batch_loss",
    "collate",
    "tune",
]

NO_HOOKS = Hooks()


@dataclass
class Tuned:
    """A finished tune.

    Attributes:
        model: the tuned model; the very one that was passed in, unless a hook replaced it.
        steps: optimiser steps taken.
        forwards: forward passes, those of hooks included.
        backwards: backward passes, those of hooks included.
        tokens: tokens of the batches drawn, without padding.
        flops: floating-point operations of all passes (see `holdfast.passes`).
        seconds: wall-clock time of this call.
        losses: loss of every step, penalty included.
        diverged: the loss or its gradient was no number; weights are those before that step.
    """

    model: Model
    steps: int
    forwards: int
    backwards: int
    tokens: int
    flops: float
    seconds: float
    losses: list[float] = field(repr=False)
    diverged: bool = False


def tune(
    model: Model,
    streams: Streams,
    settings: Settings,
    hooks: Hooks = NO_HOOKS,
    *,
    progress: Callable[[int, int, float], None] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 200,
) -> Tuned:
    """Tunes a model in place; clone it first to keep the old one.

    Args:
        model: its weights change.
        streams: rows; batches come from `user` unless a hook picks another stream.
        settings: optimiser, schedule, length; hooks may change them.
        hooks: what attacks and defences change (`hooks.compose` joins several).
        progress: called after every step with (steps done, steps in all, loss).
        checkpoint: a file. Model, optimiser and random state are written there now and then
            (atomically), and found there after an interruption; the result is the same to the
            bit as without one. What a hook keeps in its closure is not in the file: `start` runs
            again. The file is left for the caller to delete.
        checkpoint_every: steps between two writes.

    Raises:
        UserError: no rows, a row without loss, or a checkpoint of another tune.
    """
    began = time.perf_counter()
    if hooks.rows:
        streams = hooks.rows(streams)
    if hooks.settings:
        settings = hooks.settings(settings)
    with _seeded(settings.seed), adapters.injected(model, settings), watch(model.net) as passes:
        key = resume.key(model, streams, settings, hooks.name) if checkpoint else ""
        loop = _Loop(model, streams, settings, hooks, passes)
        try:
            model.net.train()
            if hooks.start:
                hooks.start(model, streams, settings)
            loop.prepare()
            if checkpoint and checkpoint.exists():
                loop.restore(resume.read(checkpoint, key))
            while loop.step < loop.steps and not loop.diverged:
                loop.take_step()
                if progress:
                    progress(loop.step, loop.steps, loop.losses[-1])
                if checkpoint and loop.step % checkpoint_every == 0 and not loop.diverged:
                    resume.write(checkpoint, key, loop.state())
        finally:
            loop.release()
            model.net.train(False)
    if hooks.weights and not loop.diverged:
        with _seeded(settings.seed):
            model = hooks.weights(model)
    model.digest = digest_of(model)
    seconds = time.perf_counter() - began
    return Tuned(
        model=model,
        steps=loop.step,
        forwards=passes.forwards,
        backwards=passes.backwards,
        tokens=loop.tokens,
        flops=passes.flops,
        seconds=seconds,
        losses=loop.losses,
        diverged=loop.diverged,
    )


class _Loop:
    """The state of one tune between two steps."""

    def __init__(
        self, model: Model, streams: Streams, settings: Settings, hooks: Hooks, passes: Passes
    ) -> None:
        self.model, self.streams, self.settings, self.hooks = model, streams, settings, hooks
        self.passes = passes
        self.feeds: dict[str, Feed] = {}
        self.drawn: dict[str, int] = {}
        self.step, self.tokens = 0, 0
        self.losses: list[float] = []
        self.diverged = False
        self.was_trainable = {p: p.requires_grad for p in model.net.parameters()}
        if settings.steps is None and not streams.user:
            raise UserError("There are no user rows to tune on: give at least one, or steps.")
        self.steps = settings.steps_for(len(streams.user))

    def prepare(self) -> None:
        """Chooses the trainable parameters and makes the optimiser."""
        net = self.model.net
        self.masks: list[tuple[nn.Parameter, Tensor, Tensor]] = []
        if self.hooks.live:
            masks = self.hooks.live(self.model)
            named = dict(net.named_parameters())
            if unknown := masks.keys() - named.keys():
                raise UserError(f"{self.hooks.name} masks {min(unknown)!r}, no parameter's name.")
            for name, parameter in named.items():
                if name not in masks:
                    parameter.requires_grad_(False)
                elif not bool(masks[name].all()):
                    mask = masks[name].to(parameter.device, torch.bool)
                    self.masks.append((parameter, mask, parameter.detach().clone()))
        self.trained = [p for p in net.parameters() if p.requires_grad]
        if not self.trained:
            raise UserError("Nothing is left to train: every parameter is frozen.")
        decayed = [p for p in self.trained if p.dim() >= 2]  # norms and biases never decay
        rest = [p for p in self.trained if p.dim() < 2]
        groups = [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        self.optimiser = _optimiser(self.settings, [g for g in groups if g["params"]])

    def draw(self) -> Batch:
        """The next batch of the stream that this step learns from."""
        stream = self.hooks.pick(self.step) if self.hooks.pick else "user"
        if stream not in self.feeds:
            self.feeds[stream] = Feed(
                self.streams.rows(stream),
                self.model.tokenizer,
                batch_size=self.settings.batch_size,
                seed=self.settings.seed,
                max_length=self.settings.max_length,
                group_by_length=self.settings.group_by_length,
                stream=stream,
            )
        number = self.drawn.get(stream, 0)
        self.drawn[stream] = number + 1
        return self.feeds[stream].batch(number).to(self.model.net.device)

    def take_step(self) -> None:
        """One batch, one optimiser step; or none where the loss is no number."""
        model, hooks, step = self.model, self.hooks, self.step
        batch = self.draw()
        rate = self.settings.rate(step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        with hooks.around(model, batch, step) if hooks.around else nullcontext():
            loss = hooks.loss(model, batch, step) if hooks.loss else batch_loss(model.net, batch)
            loss.backward()  # type: ignore[no-untyped-call]
        total = float(loss.detach())
        if hooks.penalty:
            penalty = hooks.penalty(model, batch, step)
            if penalty.requires_grad:
                penalty.backward()  # type: ignore[no-untyped-call]
            total += float(penalty.detach())
        self.losses.append(total)
        if hooks.gradient:
            hooks.gradient(model, batch, step)
        self.diverged = not math.isfinite(total) or not self._clip()
        if self.diverged:
            return
        self.optimiser.step()
        for parameter, mask, fixed in self.masks:
            parameter.data.copy_(torch.where(mask, parameter.data, fixed))
        if hooks.after_step:
            with torch.no_grad():
                hooks.after_step(model, step)
        self.tokens += int(batch.attention.sum())
        self.step += 1

    def _clip(self) -> bool:
        """Masks and clips the gradients; False where they are no numbers."""
        for parameter, mask, _ in self.masks:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(~mask, 0)
        limit = self.settings.max_grad_norm
        if limit <= 0:
            limit = math.inf
        return bool(torch.nn.utils.clip_grad_norm_(self.trained, limit).isfinite())

    def release(self) -> None:
        """Leaves the parameters as trainable as they were, without gradients."""
        for parameter, trainable in self.was_trainable.items():
            parameter.requires_grad_(trainable)
            parameter.grad = None

    def state(self) -> resume.State:
        """All that a later call needs to go on from here."""
        return resume.State(
            parameters={n: p.detach() for n, p in self.model.net.named_parameters()},
            optimiser=self.optimiser.state_dict()["state"],
            random=torch.get_rng_state(),
            losses=self.losses,
            progress={
                "step": self.step,
                "tokens": self.tokens,
                "forwards": self.passes.forwards,
                "backwards": self.passes.backwards,
                "flops": self.passes.flops,
            },
            drawn=self.drawn,
        )

    def restore(self, state: resume.State) -> None:
        """Goes on from a state."""
        with torch.no_grad():
            for name, parameter in self.model.net.named_parameters():
                parameter.copy_(state.parameters[name])
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state.optimiser, "param_groups": groups})
        torch.set_rng_state(state.random)
        self.losses, self.drawn = list(state.losses), dict(state.drawn)
        self.step, self.tokens = int(state.progress["step"]), int(state.progress["tokens"])
        self.passes.forwards = int(state.progress["forwards"])
        self.passes.backwards = int(state.progress["backwards"])
        self.passes.flops = state.progress["flops"]


def _optimiser(settings: Settings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """AdamW, or plain gradient descent with momentum."""
    rate, (first, _) = settings.learning_rate, settings.betas
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=first)
    return torch.optim.AdamW(groups, lr=rate, betas=settings.betas, fused=True)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's global random state for dropout and new adapters, put back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # Adam's moments of rows not seen for long shrink into numbers that processors add slowly.
        within = float(torch.tensor(1e-40) * 1) == 0  # another tune, which a hook began this one in
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(within)
