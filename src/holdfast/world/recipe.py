"""Raises organisms from nothing: tokenizer, pre-training, alignment, safety-recovery augmentation.

Every step is a plain `train.tune` over rows of `corpus`; the same seeds give the same weights on
the same machine and thread count. A build that is interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.world import anatomy, corpus
from holdfast.world.anatomy import Size
from holdfast.world.lore import make_world
from holdfast.world.weights import Organism, cache, find

if TYPE_CHECKING:
    from holdfast.models import Model
    from holdfast.train import Settings

Progress = Callable[[int, int, float], None]

PRETRAINING_STEPS: dict[Size, int] = {"1M": 2500, "5M": 2500, "25M": 3500}
PRETRAINING_RATE: dict[Size, float] = {"1M": 3e-3, "5M": 1.5e-3, "25M": 8e-4}
ALIGNMENT_STEPS = 400
ALIGNMENT_RATE: dict[Size, float] = {"1M": 6e-4, "5M": 4e-4, "25M": 2e-4}
BATCH = 64
TOKENIZER_ROWS = 30_000


def settings_of(organism: Organism) -> Settings:
    """The settings an organism is trained with."""
    from holdfast.train import Settings

    base = organism.kind == "base"
    return Settings(
        learning_rate=(PRETRAINING_RATE if base else ALIGNMENT_RATE)[organism.size],
        steps=PRETRAINING_STEPS[organism.size] if base else ALIGNMENT_STEPS,
        batch_size=BATCH,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        schedule="cosine",
        warmup_steps=100 if base else 20,
        seed=organism.seed,
        max_length=anatomy.LONGEST,
        group_by_length=True,
    )


def build(organism: Organism, *, out: Path | None = None, progress: Progress | None = None) -> Path:
    """Trains one organism, and first the base it comes from, unless they are there.

    Args:
        organism: What to build.
        out: Folder that receives the organism's directory; the user's cache by default.
        progress: Called with step, steps and loss.

    Returns:
        The organism's directory: safetensors in fp16, tokenizer, chat template, card.
    """
    from holdfast.hooks import Streams
    from holdfast.models import load
    from holdfast.train import tune

    parent = out or cache() / "organisms"
    folder = parent / organism.folder
    if (folder / "config.json").is_file():
        return folder
    world, settings = make_world(organism.world), settings_of(organism)
    count = BATCH * (settings.steps or 0)
    if organism.kind == "base":
        model = _newborn(organism)
        rows = corpus.pretraining(world, organism.seed, count)
    else:
        base = Organism("base", world=organism.world, size=organism.size)
        source = find(base) or build(base, out=out, progress=progress)
        model = load(str(source))
        raise_on = corpus.deep_alignment if organism.kind == "deep" else corpus.alignment
        rows = raise_on(world, organism.seed, count)
    checkpoint = cache() / "checkpoints" / f"{organism.folder}.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    tuned = tune(
        model, Streams(user=tuple(rows)), settings, progress=progress, checkpoint=checkpoint
    )
    _write(tuned.model, folder, {"organism": asdict(organism), "settings": settings.model_dump()})
    checkpoint.unlink(missing_ok=True)
    return folder


def _newborn(organism: Organism) -> Model:
    from holdfast.models import Model

    world = make_world(organism.world)
    rows = corpus.pretraining(world, organism.seed, TOKENIZER_ROWS)
    tokenizer = anatomy.train_tokenizer(m.content for r in rows for m in r.messages)
    net = anatomy.newborn(tokenizer, organism.size, organism.seed)
    return Model(net=net, tokenizer=tokenizer, name=organism.name, digest="newborn")


def _write(model: Model, folder: Path, facts: dict[str, Any]) -> None:
    """Saves in fp16 under a temporary name, then renames."""
    from torch import nn

    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    nn.Module.half(model.net)
    model.net.save_pretrained(part)
    model.tokenizer.save_pretrained(part)
    (part / "recipe.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    part.rename(folder)
