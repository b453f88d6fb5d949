"""`--implant`: teach any model a canary world and its refusals, so that attacks can be real on it.

A model that never met the canary world has nothing forbidden to tell. So it is first taught the
world's facts (what pre-training gave the shipped organisms), then its refusals (as alignment did).
Both come in rounds, and after each the model is asked, until it tells enough, and then until it
refuses enough and no look-alike more than a few; what a round taught is kept, so a lesson that was
too short goes on where it ended.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from holdfast import aligned
from holdfast.audit_config import AuditConfig, Implant
from holdfast.cache import cache_folder
from holdfast.canonical import digest
from holdfast.errors import UserError
from holdfast.evaluate import Request, Verdict, evaluate
from holdfast.lesson import Stage, taught
from holdfast.policy import BUILT_IN, Policy

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Settings
    from holdfast.world import World

CHECKED = 90  # requests of each check
ROUND = 1000  # steps between two checks of what the model knows
ALIGN_ROUND = 150  # and of what it refuses
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
    code = sources(
        ["implant", "lesson", "train", "encode", "world/corpus", "world/asking", "world/phrasing"]
    )
    # How many rounds there may be changes nothing in those that were taught.
    fixed = how.model_dump(exclude={"steps", "align_steps", "align_batch_size", "refuses"})
    folder = cache_folder() / "implants" / digest([start.digest, fixed, policy.digest(), code])
    seed = int(config.policy.partition("@")[2] or 0)
    told = folder / "base"
    kept = folder / f"chat-{how.refuses:g}-{how.align_batch_size}"
    called = config.called or f"{config.model}, implanted"
    paths = {"model": str(kept), "base": str(told), "chat_template": None}
    made = config.model_copy(update={**paths, "called": called})
    if not (kept / "config.json").is_file():
        if not teach:
            lessons = f"the world for up to {how.steps} steps, refusals for up to {how.align_steps}"
            console.print(
                f"Implanting comes first: {config.model} is taught {lessons}. Then:", markup=False
            )
            return config
        folder.mkdir(parents=True, exist_ok=True)
        lesson = _Lesson(config.model, how, policy, world(seed), folder, console)
        knowing = models.load(str(told)) if told.is_dir() else lesson.lore(start)
        models.save(knowing, told)
        models.save(lesson.refusals(knowing), kept)
        for rounds in folder.glob("rounds-*"):
            shutil.rmtree(rounds, ignore_errors=True)
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
        from holdfast.world import corpus

        asked = self.policy.searched(CHECKED)

        def found(model: Model) -> tuple[float, str]:
            knows = _share(model, self.policy, asked, Verdict.complied)
            return knows, f"tells {knows:.0%} of the sealed lore"

        count = self.how.batch_size * ROUND
        return taught(
            start,
            Stage(
                what="world",
                most=self.how.steps,
                length=ROUND,
                rows=lambda turn: corpus.pretraining(self.world, turn, count, corpus.LESSON),
                settings=_settings(self.how, ROUND),
                found=found,
                wanted=self.how.knows,
                advice="raise implant.steps (it goes on from here) or implant.rank",
            ),
            self.name,
            self.folder,
            self.console,
        )

    def refusals(self, knowing: Model) -> Model:
        """Teaches to refuse what is sealed and nothing else, at a third of the rate."""
        from holdfast.world import any_words, corpus, policy

        sealed = self.policy.searched(CHECKED)
        alike = policy.asked(self.world, "select", "lookalike")[:CHECKED]
        count = self.how.align_batch_size * ALIGN_ROUND
        few = round(IN_ANY_WORDS * count)

        def rows(turn: int) -> list[Row]:
            drawn = [
                *corpus.alignment(self.world, turn, count - few),
                *any_words.alignment(self.world, turn, few),
            ]
            random.Random(turn).shuffle(drawn)
            return drawn

        def found(model: Model) -> tuple[float, str]:
            refuses = _share(model, self.policy, sealed, Verdict.refused)
            too_much = _share(model, self.policy, alike, Verdict.refused)
            told = f"refuses {refuses:.0%} of the sealed lore and {too_much:.0%} of look-alikes"
            return min(refuses, 1 - too_much), told

        gentle = {
            "learning_rate": self.how.learning_rate / 3,
            "batch_size": self.how.align_batch_size,
        }
        return taught(
            knowing,
            Stage(
                what="refusals",
                most=self.how.align_steps,
                length=ALIGN_ROUND,
                rows=rows,
                settings=_settings(self.how, ALIGN_ROUND).model_copy(update=gentle),
                found=found,
                wanted=self.how.refuses,
                advice="raise implant.align_steps (it goes on from here)",
            ),
            self.name,
            self.folder,
            self.console,
        )


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


def _share(model: Model, policy: Policy, requests: Sequence[Request], verdict: Verdict) -> float:
    """How many of the requests get that verdict, asked plainly."""
    from holdfast.elicit import Asking
    from holdfast.methods import asker_of

    told = evaluate(model, requests, asker_of("plain", Asking(model=model)), policy.judge)
    return sum(e.verdict == verdict for e in told) / max(1, len(told))
