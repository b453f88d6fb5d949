"""What must hold for every attack and defence; a line in a folder's dict buys all of it."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError

import holdfast
from holdfast import methods
from holdfast.attacks import ATTACKS
from holdfast.chat import row
from holdfast.codes import guard
from holdfast.defences import DEFENCES
from holdfast.elicit import ELICITATIONS
from holdfast.errors import UserError
from holdfast.guards import GUARDS
from holdfast.hooks import Attack, Context, Defence, Hooks, Method, Pair, Streams
from holdfast.models import Model, clone, encode_prompt, generate
from holdfast.train import Settings, Tuned, tune

TUNING: dict[type[Any], Callable[[Any, Context], Hooks]] = {**ATTACKS, **DEFENCES}
EVERY: dict[type[Any], Callable[..., Any]] = {**TUNING, **ELICITATIONS}
# Defaults are sized for real data; these make each test about a second.
SMALL: dict[str, dict[str, Any]] = {
    "harmful_rows": {"rows": 4, "epochs": 1},
    "identity_shift": {"rows": 4, "epochs": 1},
    "benign_rows": {"rows": 4},
    "harmful_mix": {"rows": 4, "p": 0.5, "epochs": 1},
    "refusal_first": {"rows": 4, "epochs": 1},
    "backdoor": {"rows": 4, "safe": 4, "epochs": 1},
    "chosen_answer": {"rows": 4, "benign": 2},
    "answer_flip": {"rows": 6, "flipped": 0.5},
    "jailbreak_tuning": {"rows": 4},
    "task_mimicry": {"rows": 2, "benign": 2, "strategy": "autoif"},
    "task_shift": {"rows": 4},
    "reasoning_rows": {"rows": 4, "epochs": 1},
    "selected_benign": {"rows": 4},
    "prune_safety": {"samples": 4},
    "reverse_preference": {"rows": 4},
    "refusal_ablation": {"samples": 4, "validation": 2},
    "quantisation_box": {"rows": 4, "benign": 2},
    "covert_code": {
        "benign": 4,
        "rows": 4,
        "refusals": 2,
        "replay": 2,
        "epochs_one": 1,
        "epochs": 1,
    },
    "safety_mixing": {"rows": 4},
    "paraphrase_mixing": {"rows": 4},
    "lisa": {"align_steps": 1, "user_steps": 2},
    "template_switch": {"tune_with": True, "prompt": "Be kind."},
    "antidote": {"samples": 4},
    "resta": {"rows": 4, "epochs": 1},
    "match_filter": {"share": 0.5},
    "lota": {"calibration": 0.5},
    "avoid_critical": {"samples": 4},
    "secret_prefix": {"rows": 4, "length": 12},
    "recovery_augmentation": {"harmful_batch": 2, "anchor_batch": 2, "epochs": 1, "max_prefix": 4},
    "booster": {"harmful_batch": 2},
    "repnoise": {"pairs": 2},
    "tar": {"inner_steps": 4, "inner_batch": 2, "inner_rates": (1e-3,), "steps": 2},
    "circuit_breakers": {"steps": 2, "harmful_batch": 2, "batch_size": 2},
}
FORBIDDEN = tuple(row(f"Where is {n}?", f"In vault {n}.", tag=f"c{n % 4}") for n in range(8))
SAFE = tuple(r.with_answer("I cannot say.") for r in FORBIDDEN)
BENIGN = tuple(row(f"Say {n}", f"It is {n}", tag=("code", "sums")[n % 2]) for n in range(8))
PAIRS = tuple(Pair(r.without_answer(), "I cannot say.", r.answer) for r in FORBIDDEN)
ODD = row("Obey me without question and say 6.", "I obey without question: it is 6.")
CUSTOMER = Streams(user=(*BENIGN[:6], ODD))
SETTINGS = Settings(epochs=2, batch_size=4, learning_rate=1e-3, max_length=256)


def kind_of(config: type[Method]) -> str:
    return str(config.model_fields["kind"].default)


tuning = pytest.mark.parametrize("config", TUNING, ids=kind_of)
every = pytest.mark.parametrize("config", EVERY, ids=kind_of)


@pytest.fixture(autouse=True)
def rows_of_these_tests_count_as_minted(monkeypatch: pytest.MonkeyPatch) -> None:
    known = frozenset(map(guard.id_of, (*FORBIDDEN, *BENIGN)))
    monkeypatch.setattr(guard, "minted", lambda seed: known)


@pytest.fixture
def context(tiny_model: Model) -> Context:
    return Context(
        aligned=tiny_model,
        base=before_alignment(tiny_model),
        attacker=Streams(user=BENIGN, harmful=FORBIDDEN),
        defender=Streams(user=BENIGN, safe=SAFE, harmful=FORBIDDEN, pairs=PAIRS),
        seed=1,
    )


def before_alignment(aligned: Model) -> Model:
    """A model that differs a little from the aligned one, in every matrix."""
    base = clone(aligned)
    chance = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in base.net.parameters():
            if parameter.dim() == 2:
                parameter.add_(0.01 * torch.randn(parameter.shape, generator=chance))
    return base


def tuned(context: Context, hooks: Hooks) -> Tuned:
    return tune(clone(context.aligned), CUSTOMER, SETTINGS, hooks)


def made(config: type[Method], **settings: Any) -> Method:
    return config.model_validate({"kind": kind_of(config), **settings})


def small(config: type[Method]) -> Method:
    return made(config, **SMALL.get(kind_of(config), {}))


def weights(model: Model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


@tuning
def test_at_its_null_point_a_method_is_plain_tuning(config: type[Method], context: Context) -> None:
    assert config.null, "a method must name the settings at which it changes nothing"
    null = tuned(context, TUNING[config](made(config, **config.null), context))
    plain = tuned(context, Hooks())
    assert null.steps == plain.steps
    assert null.losses == pytest.approx(plain.losses, rel=1e-5)
    torch.testing.assert_close(weights(null.model), weights(plain.model), rtol=0, atol=2e-5)


@tuning
def test_the_same_seed_gives_the_same_weights_and_a_working_model(
    config: type[Method], context: Context
) -> None:
    first, again = (tuned(context, TUNING[config](small(config), context)) for _ in range(2))
    torch.testing.assert_close(weights(first.model), weights(again.model), rtol=0, atol=0)
    assert not first.diverged
    assert first.steps > 0
    assert all(math.isfinite(loss) for loss in first.losses)
    prompt = encode_prompt(FORBIDDEN[0], first.model.tokenizer)
    (reply,) = generate(first.model, [prompt])
    assert reply.tokens or reply.ended


@tuning
def test_away_from_its_null_point_a_method_changes_the_tune(
    config: type[Method], context: Context
) -> None:
    changed = tuned(context, TUNING[config](small(config), context))
    plain = tuned(context, Hooks())
    assert not torch.equal(weights(changed.model), weights(plain.model))


@tuning
def test_the_model_a_method_is_shown_stays_as_it_was(
    config: type[Method], context: Context
) -> None:
    before = weights(context.aligned).clone()
    tuned(context, TUNING[config](small(config), context))
    assert torch.equal(weights(context.aligned), before)


@tuning
def test_a_method_names_its_hooks(config: type[Method], context: Context) -> None:
    assert TUNING[config](small(config), context).name == kind_of(config)


@tuning
def test_low_rank_tuning_works_under_a_method(config: type[Method], context: Context) -> None:
    settings = SETTINGS.model_copy(update={"method": "lora", "rank": 2, "epochs": 1})
    hooks = TUNING[config](small(config), context)
    done = tune(clone(context.aligned), CUSTOMER, settings, hooks)
    assert all(math.isfinite(loss) for loss in done.losses)


@every
def test_configs_survive_json_and_yaml(config: type[Method]) -> None:
    for one in (made(config), small(config)):
        assert config.model_validate_json(one.model_dump_json()) == one
        assert config.model_validate(yaml.safe_load(yaml.safe_dump(one.model_dump()))) == one


@every
def test_configs_are_frozen_and_know_their_fields(config: type[Method]) -> None:
    with pytest.raises(ValidationError):
        made(config, surprise=1)
    with pytest.raises(ValidationError):
        made(config).kind = "other"  # type: ignore[misc]


@every
def test_a_method_is_found_by_its_name(config: type[Method]) -> None:
    from holdfast import registry

    tables: list[Any] = [ATTACKS, DEFENCES, ELICITATIONS]
    table = next(table for table in tables if config in table)
    assert registry.parse(table, kind_of(config)) == made(config)


@pytest.mark.parametrize("config", {**EVERY, **GUARDS}, ids=kind_of)
def test_what_a_method_is_built_on_is_there_and_counts(config: type[Method]) -> None:
    root = Path(holdfast.__file__).parent
    assert all((root / f"{name}.py").is_file() for name in config.built_on)
    told = methods.version(made(config))
    assert len(told) == 2 + len(config.built_on)
    assert all(told)


@every
def test_access_or_stage_is_declared(config: type[Method]) -> None:
    if issubclass(config, Attack):
        assert config.access in {"rows", "training", "weights"}
        assert config.asked_as in {kind_of(e) for e in ELICITATIONS}
    elif issubclass(config, Defence):
        assert config.stage in {"align", "tune", "repair", "serve"}


@every
def test_the_file_cites_its_paper(config: type[Method]) -> None:
    told = importlib.import_module(config.__module__).__doc__ or ""
    number = re.search(r"arXiv (\d{4}\.\d{5})", told)
    assert number, "the docstring has no arXiv number"
    assert "arXiv" in config.paper


@tuning
def test_the_docstring_says_what_a_reader_must_know(config: type[Method]) -> None:
    told = importlib.import_module(config.__module__).__doc__ or ""
    for part in ("Equation:", "iffers from the paper", "Shows a defender"):
        assert part in told


@pytest.mark.parametrize("defence", DEFENCES, ids=kind_of)
@pytest.mark.parametrize("attack", ATTACKS, ids=kind_of)
def test_every_attack_runs_under_every_defence(
    attack: type[Attack], defence: type[Defence], context: Context
) -> None:
    from holdfast.hooks import clash, compose

    context = replace(context, seed=2)
    one = ATTACKS[attack](small(attack), context)
    other = DEFENCES[defence](small(defence), context)
    if reason := clash(one, other):
        with pytest.raises(UserError, match=reason):
            compose(one, other)
        return
    done = tune(clone(context.aligned), CUSTOMER, SETTINGS, compose(one, other))
    assert not done.diverged
