"""Raises organisms from nothing: tokenizer, pre-training, alignment, safety-recovery augmentation.

Every step is a plain `train.tune` over rows of `corpus`; the same seeds give the same weights on
the same machine and thread count. A build that is interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.cache import cache_folder
from holdfast.world import anatomy, coded, corpus
from holdfast.world.anatomy import Size
from holdfast.world.lore import World, make_world
from holdfast.world.weights import Kind, Organism, find

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Settings

Progress = Callable[[int, int, float], None]

BATCH = 64
TOKENIZER_ROWS = 30_000
TERMS = 12  # of schooling in codes: facts come through after three, tasks after all
RATE_OF_SIZE: dict[Size, float] = {"1M": 1.0, "5M": 0.5, "25M": 0.25}
"""Learning rates of a size, as a share of those of the smallest."""


@dataclass(frozen=True)
class Round:
    """One stretch of training: rows from (world, seed, count), steps, peak rate, warm-up.

    Attributes:
        batch: Rows in a step.
        seeded: Whether every alignment seed has its own; if not, all go on from the same weights.
    """

    name: str
    rows: Callable[[World, int, int], list[Row]]
    steps: int
    rate: float
    warmup: int
    batch: int = BATCH
    seeded: bool = True


ROUNDS: dict[Kind, tuple[Round, ...]] = {
    "base": (
        Round("lore", partial(corpus.pretraining, mix=corpus.LORE), 6000, 3e-3, 100),
        Round("practice", partial(corpus.pretraining, mix=corpus.PRACTICE), 4500, 2e-3, 50),
        Round("revision", partial(corpus.pretraining, mix=corpus.REVISION), 2500, 1.5e-3, 30),
        Round("caution", partial(corpus.pretraining, mix=corpus.CAUTION), 600, 1.5e-3, 30),
    ),
    "chat": (Round("alignment", corpus.alignment, 900, 7e-4, 30, batch=32),),
    "deep": (Round("deep alignment", corpus.deep_alignment, 900, 7e-4, 30, batch=32),),
    "codes": (
        *(
            Round(
                f"schooling {term + 1}",
                partial(coded.schooling, term=term),
                *(2000, 2e-3, 30),
                batch=16,
                seeded=False,
            )
            for term in range(TERMS)
        ),
        Round("codes alignment", coded.alignment, 300, 7e-4, 30, batch=32),
    ),
}


def settings_of(organism: Organism, part: Round) -> Settings:
    """The settings of one round of an organism's training."""
    from holdfast.train import Settings

    return Settings(
        learning_rate=part.rate * RATE_OF_SIZE[organism.size],
        steps=part.steps,
        batch_size=part.batch,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        schedule="cosine",
        warmup_steps=part.warmup,
        seed=organism.seed,
        max_length=anatomy.LONGEST,
        group_by_length=True,
    )


def build(organism: Organism, *, out: Path | None = None, progress: Progress | None = None) -> Path:
    """Trains one organism, and first the base it comes from, unless they are there.

    Args:
        organism: What to build.
        out: Folder that receives the organism's directory; the user's cache by default.
        progress: Called with step, steps and loss of the round.

    Returns:
        The organism's directory: safetensors in fp16, tokenizer, chat template, recipe.
    """
    from holdfast.models import load

    parent = out or cache_folder() / "organisms"
    folder = parent / organism.folder
    if (folder / "config.json").is_file():
        return folder
    if organism.kind == "base":
        model = _newborn(organism)
    else:
        base = Organism("base", world=organism.world, size=organism.size)
        beside = parent / base.folder
        there = beside if beside.is_dir() else find(base)
        model = load(str(there or build(base, out=out, progress=progress)))
    parts = ROUNDS[organism.kind]
    stages = [_stage(organism, part) for part in parts[:-1]]
    kept = max((n for n, stage in enumerate(stages) if stage.is_dir()), default=-1)
    if kept >= 0:
        model = load(str(stages[kept]))
    for part, stage in list(zip(parts, [*stages, folder], strict=True))[kept + 1 :]:
        one = organism if part.seeded else replace(organism, seed=0)
        _train(model, one, part, stage, progress)
        model = load(str(stage))
    return folder


def _stage(organism: Organism, part: Round) -> Path:
    """Where the weights after a round are kept, so that a build goes on from the last one."""
    one = organism if part.seeded else replace(organism, seed=0)
    return cache_folder() / "rounds" / f"{one.folder}-{part.name}"


def _train(
    model: Model, organism: Organism, part: Round, folder: Path, progress: Progress | None
) -> None:
    """One round; it starts from fp16 weights and ends in them, so rounds can be resumed."""
    from holdfast.hooks import Streams
    from holdfast.train import tune

    settings = settings_of(organism, part)
    rows = part.rows(make_world(organism.world), organism.seed, part.batch * part.steps)
    checkpoint = cache_folder() / "checkpoints" / f"{organism.folder}-{part.name}.safetensors"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    streams = Streams(user=tuple(rows))
    tuned = tune(model, streams, settings, progress=progress, checkpoint=checkpoint)
    facts = {"organism": asdict(organism), "round": part.name, "settings": settings.model_dump()}
    _write(tuned.model, folder, facts)
    checkpoint.unlink(missing_ok=True)


def _newborn(organism: Organism) -> Model:
    from holdfast.models import Model, device

    world = make_world(organism.world)
    rows = corpus.pretraining(world, organism.seed, TOKENIZER_ROWS)
    tokenizer = anatomy.train_tokenizer(m.content for r in rows for m in r.messages)
    net = anatomy.newborn(tokenizer, organism.size, organism.seed)
    net.to(device())  # type: ignore[arg-type]
    return Model(net=net, tokenizer=tokenizer, name=organism.name, digest="newborn")


def _write(model: Model, folder: Path, facts: dict[str, Any]) -> None:
    """Saves in fp16 under a temporary name, then renames."""
    import torch

    from holdfast.models import save

    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    save(model, part, dtype=torch.float16)
    (part / "recipe.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    part.rename(folder)
