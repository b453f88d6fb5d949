"""`--implant`: a lesson in rounds, which stops when the world is known and goes on if cut short."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from holdfast import implant, models
from holdfast.audit_config import AuditConfig, Implant
from holdfast.errors import UserError
from tiny_models import make_model

CONSOLE = Console(file=io.StringIO())


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(implant, "ROUND", 2)
    monkeypatch.setattr(implant, "ALIGN_ROUND", 1)


@pytest.fixture
def pupil(tmp_path: Path) -> str:
    """A Qwen2 that has never heard of the canary world."""
    return str(models.save(make_model("qwen2"), tmp_path / "pupil"))


def config(pupil: str, steps: int, **how: object) -> AuditConfig:
    """An audit that teaches `pupil` in few steps."""
    taught = {"method": "full", "steps": steps, "align_steps": 2, "batch_size": 2}
    return AuditConfig(model=pupil, implant=Implant.model_validate({**taught, **how}))


def answers(monkeypatch: pytest.MonkeyPatch, *shares: float) -> Iterator[float]:
    """Scripts the shares that checks find; the iterator holds those that were not asked for.

    A check of facts asks for one, a check of refusals for two: refused, and look-alikes refused.
    """
    left = iter(shares)
    monkeypatch.setattr(implant, "_share", lambda *_: next(left))
    return left


def test_the_lesson_ends_when_the_model_tells_enough(
    pupil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = answers(monkeypatch, 0.1, 0.85, 0.99, 0.5, 0.96, 0.02)
    made = implant.implanted(config(pupil, steps=10), CONSOLE)
    assert not list(left), "two rounds, then two of refusals, the first of which refuses too much"
    assert Path(made.model).name == "chat-0.95-32"
    before, base, chat = (models.load(name).digest for name in (pupil, made.base, made.model))
    assert len({before, base, chat}) == 3
    assert not list(Path(made.model).parent.glob("rounds-*"))
    assert implant.implanted(config(pupil, steps=10), CONSOLE) == made


def test_a_lesson_that_was_too_short_says_so_and_goes_on_from_there(
    pupil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 0.1, 0.2)
    with pytest.raises(UserError, match=r"tells 20% .* after 4 steps, and 80% .*implant.steps"):
        implant.implanted(config(pupil, steps=4), CONSOLE)
    rounds = list(Path(implant.cache_folder() / "implants").glob("*/rounds-world/*"))
    assert [one.name for one in rounds] == ["4"]
    left = answers(monkeypatch, 0.2, 0.9, 1.0, 0.0)
    resumed = implant.implanted(config(pupil, steps=6), CONSOLE)
    assert not list(left), "the kept weights are asked, and one round is added"
    kept = models.load(resumed.base).digest
    answers(monkeypatch, 0.0, 0.0, 0.9, 1.0, 0.0)
    monkeypatch.setenv("HOLDFAST_CACHE", str(Path(pupil).parent / "other"))
    whole = implant.implanted(config(pupil, steps=6), CONSOLE)
    assert models.load(whole.base).digest == kept, "in one go it learns the same"


def test_refusals_that_did_not_take_go_on_from_the_last_round(
    pupil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 0.9, 0.5, 0.01, 0.96, 0.07)
    few = (
        r"refuses 96% of the sealed lore and 7% of look-alikes after 2 .*raise implant.align_steps"
    )
    with pytest.raises(UserError, match=few):
        implant.implanted(config(pupil, steps=2), CONSOLE)
    left = answers(monkeypatch, 0.94, 0.0, 0.97, 0.05)
    made = implant.implanted(config(pupil, steps=2, align_steps=3), CONSOLE)
    assert not list(left), "facts are not taught again; the kept weights are asked, and taught more"
    assert Path(made.model).is_dir()


def test_what_knows_the_world_already_is_not_taught_it() -> None:
    with pytest.raises(UserError, match="knows the canary world already"):
        implant.implanted(AuditConfig(model="canary:chat"), CONSOLE)
