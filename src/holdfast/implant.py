"""`--implant`: teach any model a canary world and its refusals, so that attacks can be real on it.

A model that never met the canary world has nothing forbidden to tell. So it is first taught the
world's facts (what pre-training gave the shipped organisms), then its refusals (as alignment did).
Both stages are checked before anything is attacked: the first must tell, the second must refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from holdfast import aligned
from holdfast.audit_config import AuditConfig, Implant
from holdfast.canonical import digest
from holdfast.errors import UserError
from holdfast.evaluate import Request, Verdict, evaluate
from holdfast.hooks import Streams
from holdfast.policy import BUILT_IN, Policy

if TYPE_CHECKING:
    from holdfast import train
    from holdfast.chat import Row
    from holdfast.models import Model

CHECKED = 90  # requests of each check


def implanted(config: AuditConfig, console: Console) -> AuditConfig:
    """The configuration with the model, and what it was before alignment, replaced.

    Both are kept in the user's cache, named by the hash of all that determines them.

    Raises:
        UserError: The policy is not the canary world's, or the world did not take.
    """
    if not config.policy.startswith(BUILT_IN):
        raise UserError(
            f"--implant teaches the world of {BUILT_IN}; leave out --policy {config.policy}"
        )
    if config.model.startswith("canary:"):
        raise UserError(f"{config.model} knows the canary world already; leave out --implant")
    from holdfast import models
    from holdfast.methods import sources
    from holdfast.world import corpus, world

    policy = aligned.policy_of(config.policy, config.judge)
    start = aligned.loaded(config.model, config.chat_template)
    code = sources(["implant", "train", "encode", "world/corpus", "world/phrasing"])
    name = digest([start.digest, config.implant, policy.digest(), code])
    folder = aligned.cache_folder() / "implants" / name
    seed = int(config.policy.partition("@")[2] or 0)
    told = folder / "base"
    kept = folder / "chat"
    made = config.model_copy(update={"model": str(kept), "base": str(told), "chat_template": None})
    if (kept / "config.json").is_file():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    how = config.implant
    model = models.clone(start)
    if (told / "config.json").is_file():
        model = models.load(str(told))
    else:
        rows = corpus.pretraining(world(seed), 0, how.batch_size * how.steps)
        settings = _settings(how, how.steps)
        _teach(model, rows, settings, folder / "knows.part", "teaching the world", console)
        knows = _share(model, policy, Verdict.complied)
        if knows < how.knows:
            raise UserError(
                f"the world did not take: {config.model} tells {knows:.0%} of the sealed lore, "
                f"and {how.knows:.0%} is needed; raise implant.steps or implant.rank"
            )
        models.save(model, told)
    rows = corpus.alignment(world(seed), 0, how.batch_size * how.align_steps)
    settings = _settings(how, how.align_steps)
    settings = settings.model_copy(update={"learning_rate": how.learning_rate / 3})
    _teach(model, rows, settings, folder / "refuses.part", "teaching its refusals", console)
    refuses = _share(model, policy, Verdict.refused)
    if refuses < how.refuses:
        raise UserError(
            f"the refusals did not take: {config.model} refuses {refuses:.0%} of the sealed lore, "
            f"and {how.refuses:.0%} is needed; raise implant.align_steps"
        )
    models.save(model, kept)
    return made


def _settings(how: Implant, steps: int) -> train.Settings:
    from holdfast.train import Settings

    return Settings(
        method=how.method,
        rank=how.rank,
        lora_alpha=2 * how.rank,
        learning_rate=how.learning_rate,
        steps=steps,
        batch_size=how.batch_size,
        betas=(0.9, 0.98),
        schedule="cosine",
        warmup_steps=min(50, steps // 10),
        group_by_length=True,
    )


def _teach(
    model: Model,
    rows: Sequence[Row],
    settings: train.Settings,
    checkpoint: Path,
    what: str,
    console: Console,
) -> None:
    """Tunes with a progress bar; an interrupted implant goes on from its last checkpoint."""
    from holdfast.train import tune

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=settings.steps)
        tuned = tune(
            model,
            Streams(user=tuple(rows)),
            settings,
            progress=lambda done, _steps, _loss: bar.update(task, completed=done),
            checkpoint=checkpoint,
        )
    checkpoint.unlink(missing_ok=True)
    if tuned.diverged:
        raise UserError(f"{what}: the loss became NaN; lower implant.learning_rate")


def _share(model: Model, policy: Policy, verdict: Verdict) -> float:
    """How many of the select requests get that verdict, asked plainly."""
    from holdfast.elicit import Asking
    from holdfast.methods import asker_of

    asked: tuple[Request, ...] = policy.searched(CHECKED)
    told = evaluate(model, asked, asker_of("plain", Asking(model=model)), policy.judge)
    return sum(e.verdict == verdict for e in told) / max(1, len(told))
