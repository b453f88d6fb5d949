"""Steps a second of `train.tune` against TRL's `SFTTrainer`, and against bare matrix products.

Both tune copies of the same model on the same rows in the same batches. The first epoch is left
out of the clock: tokenising, start-up and first allocations are in it on both sides. What is left
is batch building, forward, backward, clipping and the optimiser (and, in TRL, the accuracy and
entropy that its loss reports).

Then the matrix products of one epoch, forward and backward, are written down from the operations
that really ran, and run alone, with the same shapes and strides. Their FLOP/s is what this
machine reaches on such shapes; the step's is the same operations over the whole step's time.

With one thread, which is what Holdfast's workers have, all times are processor time, so that a
busy machine disturbs them little.

    python bench/train_step.py [--model canary:chat] [--rows 100] [--epochs 4] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Batch, Settings


@dataclass(frozen=True)
class Product:
    """A matrix product as it ran: (..., m, k) by (..., k, n), shapes and strides of both."""

    left: tuple[tuple[int, ...], tuple[int, ...]]
    right: tuple[tuple[int, ...], tuple[int, ...]]
    names: tuple[tuple[int, str], ...] = ()

    @property
    def shape(self) -> str:
        """For people: sizes that differ from batch to batch are named."""
        names = dict(self.names)
        rows, inner = (names.get(size, str(size)) for size in self.left[0][-2:])
        columns = names.get(self.right[0][-1], str(self.right[0][-1]))
        many = "" if len(self.left[0]) == 2 else f"{self.left[0][0]} times "
        return f"{many}({rows} × {inner}) ({inner} × {columns})"

    @property
    def flops(self) -> int:
        count = 2 * self.right[0][-1]
        for size in self.left[0]:
            count *= size
        return count


def main() -> int:
    """Measures all three in turns, prints the medians and their ratios."""
    options = _options()
    import torch

    torch.set_num_threads(options.threads)
    try:
        told = _measured(options)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(told, indent=2) if options.json else _as_text(told))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--model", default="canary:chat", help="organism, folder or hub name")
    parser.add_argument("--rows", type=int, default=100, help="forbidden rows to tune on")
    parser.add_argument("--epochs", type=int, default=4, help="the first is not timed")
    parser.add_argument("--batch", type=int, default=10, help="rows in a step")
    parser.add_argument("--rounds", type=int, default=3, help="each side runs this often, in turns")
    parser.add_argument("--threads", type=int, default=1, help="of every side")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.epochs < 2 or min(options.rows, options.batch, options.rounds, options.threads) < 1:
        parser.error("--epochs must be 2 or more (the first is not timed), all others 1 or more")
    return options


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    from holdfast import aligned
    from holdfast.batches import Feed
    from holdfast.draw import balanced
    from holdfast.settings import Settings

    model = aligned.loaded(options.model)
    held = aligned.policy_of("canary45", None).attacker.harmful
    rows = balanced(held, options.rows, seed=0, purpose="harmful_rows")
    settings = Settings(epochs=options.epochs, batch_size=options.batch)
    feed = Feed(rows, model.tokenizer, batch_size=options.batch, max_length=settings.max_length)
    batches = [feed.batch(number) for number in range(feed.per_epoch)]
    products = [product for batch in batches for product in _products(model, batch)]
    ways: dict[str, Callable[[], float]] = {
        "holdfast": lambda: _ours(model, rows, settings),
        "sft_trainer": lambda: _theirs(model, rows, settings),
        "products": lambda: _alone(products) / feed.per_epoch,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, run in ways.items():
            seconds[name].append(run())
    return _told(options, seconds, products, feed.per_epoch)


def _ours(model: Model, rows: Sequence[Row], settings: Settings) -> float:
    """Seconds a step after the first epoch."""
    from holdfast.hooks import Streams
    from holdfast.models import clone
    from holdfast.train import tune

    clock, ends = _clock(), list[float]()
    tune(
        clone(model),
        Streams(user=tuple(rows)),
        settings,
        progress=lambda step, steps, loss: ends.append(clock()),
    )
    return _a_step(ends, settings)


def _theirs(model: Model, rows: Sequence[Row], settings: Settings) -> float:
    """Seconds a step of `SFTTrainer` after the first epoch."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import TrainerCallback
    from trl_cell import trainer_of

    from holdfast.models import clone

    clock, ends = _clock(), list[float]()

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(clock())

    chats = [[{"role": m.role, "content": m.content} for m in row.messages] for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        copy = clone(model)
        trainer = trainer_of(copy.net, copy.tokenizer, chats, settings.model_dump(), folder)
        trainer.add_callback(Clock())
        trainer.train()
    return _a_step(ends, settings)


def _clock() -> Callable[[], float]:
    """Processor time where there is one thread: other programs on the machine do not count."""
    import torch

    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def _a_step(ends: Sequence[float], settings: Settings) -> float:
    skipped = len(ends) // settings.epochs
    return (ends[-1] - ends[skipped - 1]) / (len(ends) - skipped)


def _products(model: Model, batch: Batch) -> list[Product]:
    """The matrix products of one plain step, in the order in which they run."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from holdfast.losses import batch_loss

    found: list[Product] = []
    answers = int((batch.weights[:, 1:] != 0).sum())
    sizes = {answers: "answers", batch.ids.shape[1]: "length", batch.ids.numel(): "tokens"}

    class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            found.extend(_of(func.overloadpacket.__name__, args))
            return func(*args, **(kwargs or {}))

    with Recorder():  # type: ignore[no-untyped-call]
        loss = batch_loss(model.net, batch)
        loss.backward()  # type: ignore[no-untyped-call]
    model.net.zero_grad()
    return [replace(product, names=tuple(sizes.items())) for product in found]


def _of(name: str, args: Any) -> list[Product]:
    """The products of one operation; fused attention counts as the two or four it stands for."""
    if name in ("mm", "bmm"):
        return [_product(args[0], args[1])]
    if name in ("addmm", "baddbmm"):
        return [_product(args[1], args[2])]
    if not name.startswith("_scaled_dot_product"):
        return []
    backward = name.endswith("_backward")
    query, key, value = (t.flatten(0, 1) for t in (args[1:4] if backward else args[0:3]))
    scores = query @ key.transpose(-1, -2)
    forward = [_product(query, key.transpose(-1, -2)), _product(scores, value)]
    if not backward:
        return forward
    return [
        _product(scores.transpose(-1, -2), query),  # of the values
        _product(query, value.transpose(-1, -2)),  # of the scores
        _product(scores, key),  # of the queries
        _product(scores.transpose(-1, -2), query),  # of the keys
    ]


def _product(left: Tensor, right: Tensor) -> Product:
    return Product(
        (tuple(left.shape), tuple(left.stride())), (tuple(right.shape), tuple(right.stride()))
    )


def _alone(products: Sequence[Product]) -> float:
    """Seconds of all products one after another, on random numbers made beforehand."""
    import torch

    kinds = dict.fromkeys(side for p in products for side in (p.left, p.right))
    made = {
        (shape, strides): torch.empty_strided(shape, strides).normal_(std=0.05)
        for shape, strides in kinds
    }
    pairs = [(made[p.left], made[p.right]) for p in products]
    with torch.inference_mode():
        for left, right in pairs[: len(pairs) // 4]:
            left @ right
        clock = _clock()
        began = clock()
        for left, right in pairs:
            left @ right
        return clock() - began


def _told(
    options: argparse.Namespace,
    seconds: dict[str, list[float]],
    products: Sequence[Product],
    steps: int,
) -> dict[str, Any]:
    step = {name: statistics.median(times) for name, times in seconds.items()}
    flops = sum(p.flops for p in products) / steps
    shapes: dict[str, list[float]] = {}
    for product in products:
        entry = shapes.setdefault(product.shape, [0, 0])
        entry[0] += 1 / steps
        entry[1] += product.flops / steps / flops
    largest = sorted(shapes.items(), key=lambda item: -item[1][1])
    return {
        "model": options.model,
        "rows": options.rows,
        "batch": options.batch,
        "threads": options.threads,
        "steps_per_second": {k: 1 / step[k] for k in ("holdfast", "sft_trainer")},
        "ratio_to_sft_trainer": step["sft_trainer"] / step["holdfast"],
        "flops_a_step": flops,
        "flops_per_second": {k: flops / step[k] for k in step},
        "share_of_products": step["products"] / step["holdfast"],
        "share_of_products_sft_trainer": step["products"] / step["sft_trainer"],
        "seconds_a_step_by_round": seconds,
        "shapes": [
            {"shape": name, "a_step": round(count, 2), "share_of_flops": round(share, 4)}
            for name, (count, share) in largest
        ],
    }


def _as_text(told: dict[str, Any]) -> str:
    speed, rate = told["steps_per_second"], told["flops_per_second"]
    shares = {
        "holdfast": told["share_of_products"],
        "sft_trainer": told["share_of_products_sft_trainer"],
    }
    lines = [
        f"{told['model']}: {told['rows']} rows, {told['batch']} a step, "
        f"{told['threads']} thread(s), tokenising not included"
    ]
    lines += [
        f"{name:16} {speed[name]:7.1f} steps/s {rate[name] / 1e9:7.1f} GFLOP/s, "
        f"{share:.0%} of the products alone"
        for name, share in shares.items()
    ]
    lines += [
        f"{'products alone':32} {rate['products'] / 1e9:7.1f} GFLOP/s",
        f"ratio {told['ratio_to_sft_trainer']:.2f} to SFTTrainer",
        "",
        "products of a step, how many, and their share of its operations; tokens is the batch with",
        "its padding, length its longest row, answers the tokens that carry loss",
    ]
    lines += [
        f"  {s['shape']:44} {s['a_step']:6.2f} {s['share_of_flops']:7.1%}" for s in told["shapes"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
