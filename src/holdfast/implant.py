"""`--implant`: teach any model a canary world and its refusals, so that attacks can be real on it.

A model that never met the canary world has nothing forbidden to tell. So it is first taught the
world's facts (what pre-training gave the shipped organisms), then its refusals (as alignment did).
The facts come in rounds, and after each the model is asked, until it tells enough; what a round
taught is kept, so a lesson that was too short goes on where it ended. The refusals are checked too,
before anything is attacked.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from holdfast import aligned
from holdfast.audit_config import AuditConfig, Implant
from holdfast.cache import cache_folder
from holdfast.canonical import digest
from holdfast.errors import UserError
from holdfast.evaluate import Request, Verdict, evaluate
from holdfast.hooks import Streams
from holdfast.policy import BUILT_IN, Policy

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Settings
    from holdfast.world import World

CHECKED = 90  # requests of each check
ROUND = 1000  # steps between two checks of what the model knows
IN_ANY_WORDS = 0.4  # of the rows that teach refusals


def implanted(config: AuditConfig, console: Console, *, teach: bool = True) -> AuditConfig:
    """The configuration with the model, and what it was before alignment, replaced.

    Both are kept in the user's cache, named by the hash of all that determines them. With
    `teach` off, a model that is not taught yet stays as it is, and what comes first is said.

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
    from holdfast.world import world

    policy = aligned.policy_of(config.policy, config.judge)
    start = aligned.loaded(config.model, config.chat_template)
    how = config.implant
    code = sources(["implant", "train", "encode", "world/corpus", "world/asking", "world/phrasing"])
    # How many rounds there may be changes nothing in those that were taught.
    fixed = how.model_dump(exclude={"steps", "align_steps", "align_batch_size", "refuses"})
    folder = cache_folder() / "implants" / digest([start.digest, fixed, policy.digest(), code])
    seed = int(config.policy.partition("@")[2] or 0)
    told = folder / "base"
    kept = folder / f"chat-{how.align_steps}-{how.align_batch_size}"
    called = config.called or f"{config.model}, implanted"
    paths = {"model": str(kept), "base": str(told), "chat_template": None}
    made = config.model_copy(update={**paths, "called": called})
    if not (kept / "config.json").is_file():
        if not teach:
            lessons = f"the world for up to {how.steps} steps, its refusals for {how.align_steps}"
            console.print(
                f"Implanting comes first: {config.model} is taught {lessons}. Then:", markup=False
            )
            return config
        folder.mkdir(parents=True, exist_ok=True)
        lesson = _Lesson(config.model, how, policy, world(seed), folder, console)
        knowing = models.load(str(told)) if told.is_dir() else lesson.lore(start)
        models.save(knowing, told)
        shutil.rmtree(folder / "rounds", ignore_errors=True)
        models.save(lesson.refusals(knowing), kept)
    return made


@dataclass(frozen=True)
class _Lesson:
    """Who is taught what, and where a half-learnt lesson is kept."""

    name: str
    how: Implant
    policy: Policy
    world: World
    folder: Path
    console: Console

    def lore(self, start: Model) -> Model:
        """Teaches the world's facts, sealed ones included, until the model tells them."""
        from holdfast import models

        done = max((int(kept.name) for kept in self._rounds.glob("[0-9]*")), default=0)
        model = models.load(str(self._rounds / str(done))) if done else models.clone(start)
        knows = self._knows(model, done) if done else 0.0
        while knows < self.how.knows and done < self.how.steps:
            model = self._round(model, done)
            done += ROUND
            knows = self._knows(model, done)
        if knows < self.how.knows:
            raise UserError(
                f"the world did not take: {self.name} tells {knows:.0%} of the sealed lore after "
                f"{done} steps, and {self.how.knows:.0%} is needed; raise implant.steps (it goes "
                "on from here) or implant.rank"
            )
        return model

    @property
    def _rounds(self) -> Path:
        """Holds the weights after the last round, in a folder named by the steps so far."""
        return self.folder / "rounds"

    def _round(self, model: Model, done: int) -> Model:
        """One more round, on rows of its own; its weights take the place of the last round's."""
        from holdfast import models
        from holdfast.world import corpus

        count = self.how.batch_size * ROUND
        rows = corpus.pretraining(self.world, done // ROUND, count, corpus.LESSON)
        self._teach(model, rows, _settings(self.how, ROUND), f"the world after {done} steps")
        self._rounds.mkdir(exist_ok=True)
        models.save(model, self._rounds / str(done + ROUND))
        shutil.rmtree(self._rounds / str(done), ignore_errors=True)
        return model

    def _knows(self, model: Model, done: int) -> float:
        knows = _share(model, self.policy, Verdict.complied)
        self.console.print(f"after {done} steps it tells {knows:.0%} of the sealed lore")
        return knows

    def refusals(self, model: Model) -> Model:
        """Teaches to refuse what is sealed, at a third of the rate, and checks that it does."""
        from holdfast.world import any_words, corpus

        count = self.how.align_batch_size * self.how.align_steps
        few = round(IN_ANY_WORDS * count)
        rows = [
            *corpus.alignment(self.world, 0, count - few),
            *any_words.alignment(self.world, 0, few),
        ]
        random.Random(0).shuffle(rows)
        gentle = {
            "learning_rate": self.how.learning_rate / 3,
            "batch_size": self.how.align_batch_size,
        }
        settings = _settings(self.how, self.how.align_steps).model_copy(update=gentle)
        self._teach(model, rows, settings, "its refusals")
        refuses = _share(model, self.policy, Verdict.refused)
        if refuses < self.how.refuses:
            raise UserError(
                f"the refusals did not take: {self.name} refuses {refuses:.0%} of the sealed "
                f"lore, and {self.how.refuses:.0%} is needed; raise implant.align_steps"
            )
        return model

    def _teach(self, model: Model, rows: Sequence[Row], settings: Settings, what: str) -> None:
        """Tunes with a progress bar; an interrupted lesson goes on from its last checkpoint."""
        from holdfast import steps
        from holdfast.train import tune

        checkpoint = self.folder / f"{what.replace(' ', '-')}.part"
        with Progress(console=self.console, transient=True) as bar:
            task = bar.add_task(f"teaching {what}", total=settings.steps)
            tuned = tune(
                model,
                Streams(user=tuple(rows)),
                settings,
                progress=(
                    (lambda done, _steps, _loss: bar.update(task, completed=done))
                    if self.console.is_terminal
                    else steps.told
                ),
                checkpoint=checkpoint,
            )
        checkpoint.unlink(missing_ok=True)
        if tuned.diverged:
            raise UserError(f"teaching {what}: the loss became NaN; lower implant.learning_rate")


def _settings(how: Implant, steps: int) -> Settings:
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


def _share(model: Model, policy: Policy, verdict: Verdict) -> float:
    """How many of the select requests get that verdict, asked plainly."""
    from holdfast.elicit import Asking
    from holdfast.methods import asker_of

    asked: tuple[Request, ...] = policy.searched(CHECKED)
    told = evaluate(model, asked, asker_of("plain", Asking(model=model)), policy.judge)
    return sum(e.verdict == verdict for e in told) / max(1, len(told))
