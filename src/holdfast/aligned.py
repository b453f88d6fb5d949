"""Models before the attack: loaded once per process, defended once per machine.

Defences of the align stage take minutes, so what they make is cached by content in the user's
cache folder, written under a temporary name and renamed.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import ids, methods
from holdfast.audit_config import AuditConfig
from holdfast.cache import cache_folder
from holdfast.canonical import digest
from holdfast.errors import UserError
from holdfast.policy import BUILT_IN, Policy
from holdfast.policy import load as load_policy

if TYPE_CHECKING:
    from holdfast.models import Model
    from holdfast.serve import Serve
    from holdfast.serving import Serving


@lru_cache(maxsize=6)
def loaded(name: str, chat_template: str | None = None) -> Model:
    """A model by name, kept in this process; callers clone before they change it."""
    from holdfast import models

    return models.load(name, chat_template=chat_template)


def served(name: str) -> Serve | None:
    """What a model's folder says of serving; None if it says nothing."""
    from holdfast import serve

    if not (Path(name) / serve.FILE).is_file():
        return None
    return serve.load(name)


def serving(name: str, model: Model) -> Serving:
    """What stands before a model, as its folder says; nothing does if it says nothing."""
    from holdfast import serve, serving

    return serving.serving(served(name) or serve.Serve(), model)


@lru_cache(maxsize=4)
def policy_of(spec: str, judge: str | None) -> Policy:
    """A policy by name, kept in this process."""
    return load_policy(spec, judge)


def policy_name(model: str) -> str:
    """The built-in policy of the world that a model knows: an organism's own, else world 0's."""
    if not model.startswith("canary:"):
        return BUILT_IN
    from holdfast.world import weights

    seed = weights.parse(model).world
    return f"{BUILT_IN}@{seed}" if seed else BUILT_IN


def base_of(model: str) -> str:
    """The organism that was aligned to make this one; "" if the model is none."""
    if not model.startswith("canary:"):
        return ""
    from holdfast.world import weights

    return replace(weights.parse(model), kind="base", seed=0).name


def base_name(config: AuditConfig) -> str:
    """The model before alignment: as configured, or the canary world's; "" if there is none."""
    return config.base if config.base is not None else base_of(config.model)


def shipped(config: AuditConfig, align: str) -> str:
    """The organism that was raised with this align-stage defence; "" if there is none.

    `canary:deep` is what safety-recovery augmentation makes in the canary world, so nobody
    waits for it to be made again.
    """
    if align != "recovery_augmentation" or not config.model.startswith("canary:chat"):
        return ""
    from holdfast.world import weights

    deep = replace(weights.parse(config.model), kind="deep")
    return deep.name if weights.find(deep) is not None else ""


def align_part(stack: str) -> str:
    """The defences of a stack that work before the attacker has the model, as a stack."""
    if stack == ids.BASE:
        return "none"
    return methods.align_of(methods.stack_of(stack))


def aligned(config: AuditConfig, align: str) -> Model:
    """The audited model after its align-stage defences, from the cache if it is there."""
    if align == "none":
        return loaded(config.model, config.chat_template)
    if organism := shipped(config, align):
        return loaded(organism)
    from holdfast import models

    folder = folder_of(config, align)
    if not folder.is_dir():
        made = _align(config, align)
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            models.save(made, part)
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another worker was sooner, with the same content
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return loaded(str(folder))


def needs_work(config: AuditConfig, align: str) -> bool:
    """Whether the defended model must still be made on this machine."""
    if align == "none" or shipped(config, align):
        return False
    return not folder_of(config, align).is_dir()


def folder_of(config: AuditConfig, align: str) -> Path:
    """Where the defended model is cached; named by the hash of all that determines it."""
    name = digest(
        [
            loaded(config.model, config.chat_template).digest,
            base_name(config) and loaded(base_name(config)).digest,
            policy_of(config.policy, config.judge).digest(),
            [methods.version(d) for d in methods.stack_of(align)],
            ids.tuning_code(),
            config.facts,
        ]
    )
    return cache_folder() / "aligned" / name


def _align(config: AuditConfig, align: str) -> Model:
    from holdfast import models, train
    from holdfast.hooks import Context, compose

    policy = policy_of(config.policy, config.judge)
    start = loaded(config.model, config.chat_template)
    base = base_name(config)
    context = Context(
        aligned=start,
        base=loaded(base) if base else None,
        attacker=policy.attacker,
        defender=policy.defender,
        seed=0,
        settings={**policy.facts, **config.facts},
    )
    hooks = compose(*[methods.hooks_of(d, context) for d in methods.stack_of(align)])
    model = models.clone(start)
    tuned = train.tune(model, policy.defender, train.Settings(seed=0), hooks)
    if tuned.diverged:
        raise UserError(f"aligning with {align}: the loss became NaN, so no model was made")
    return tuned.model
