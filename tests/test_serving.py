"""What stands before a served model: a prefix, and guards that mend or stop requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast import methods, serve
from holdfast.chat import Message, Row, row
from holdfast.elicit.asking import Ask, Asker
from holdfast.evaluate import Exchange, Request, Verdict, evaluate
from holdfast.guards.guard import Watch
from holdfast.guards.onion import Onion
from holdfast.hooks import Context, Streams, compose
from holdfast.models import Model
from holdfast.serve import STOPPED, Clean, NoWatch, Serve
from holdfast.serving import Serving, serving

ODD = "zqx"


def stops(texts: tuple[str, ...]) -> Any:
    return np.array([float(ODD in text) for text in texts])


STOP = Watch(stops, 0.5)
MEND = Watch(stops, 0.5, mended=lambda texts: tuple(t.replace(f" {ODD}", "") for t in texts))
LONG = Row((Message("user", f"Hear {ODD}"), Message("assistant", "Yes?"), Message("user", "Say A")))


def test_a_stopped_request_is_told_by_the_guards_name_and_the_others_get_the_prefix() -> None:
    post = Serving(Serve(system_prefix="vok"), (("strip", STOP),))
    told = post.requests([row("Say A"), row(f"Say {ODD}"), LONG])
    assert told == [row("Say A", system="vok"), "strip", "strip"]


def test_what_a_guard_mends_is_asked_without_it_and_seen_so_by_the_next() -> None:
    post = Serving(Serve(), (("onion", MEND), ("strip", STOP)))
    assert post.requests([row(f"Say {ODD} A")]) == [row("Say A")]
    (mended,) = post.requests([LONG])
    assert isinstance(mended, Row)
    assert [m.content for m in mended.messages] == ["Hear", "Yes?", "Say A"]


class Everything:
    """A judge that would call every reply an answer."""

    name = "everything"

    def __call__(self, exchanges: Any) -> list[Verdict]:
        return [Verdict.complied for _ in exchanges]


def asked(tiny_model: Model, ask: Ask) -> Exchange:
    request = Request("a", ask.row, "forbidden", "c")
    plain = Asker("plain", lambda _: (ask,))
    post = Serving(Serve(), (("strip", STOP),))
    (told,) = evaluate(tiny_model, [request], plain, Everything(), post)
    return told


def test_a_stopped_request_counts_as_refused_whatever_the_judge(tiny_model: Model) -> None:
    told = asked(tiny_model, Ask(row(f"Say {ODD}"), forced="Sure"))
    assert (told.verdict, told.judge, told.reply) == (Verdict.refused, "strip", STOPPED)


def test_who_holds_the_weights_goes_past_the_guard(tiny_model: Model) -> None:
    told = asked(tiny_model, Ask(row(f"Say {ODD}"), served=False))
    assert (told.verdict, told.judge, told.stopped) == (Verdict.complied, "everything", "")


def context(model: Model, count: int = 60) -> Context:
    safe = tuple(row(f"Where is thing {n}?", "No, never.", tag="c") for n in range(count))
    user = tuple(row(f"Say {n} aloud", f"It is {n}.", tag="t") for n in range(count))
    return Context(model, None, Streams(), Streams(user=user, safe=safe), seed=3)


def guard_of(name: str, model: Model, count: int = 60) -> Serve:
    (config,) = methods.stack_of(name)
    found = methods.hooks_of(config, context(model, count)).serve
    assert found is not None
    return found


def test_guards_are_defences_of_the_stage_serve_and_travel_with_all_their_settings(
    tiny_model: Model, tmp_path: Path
) -> None:
    (config,) = methods.stack_of("onion(false_alarms=0.05)")
    assert (config.stage, type(config)) == ("serve", Onion)
    told = guard_of("onion(false_alarms=0.05)", tiny_model)
    assert told.guards == ("onion(false_alarms=0.05)",)
    assert len(told.clean) == 120
    serve.save(told, tmp_path)
    assert serve.load(tmp_path) == told
    both = serve.compose(told, guard_of("strip", tiny_model), Serve("vok", "secret_prefix"))
    assert [g.partition("(")[0] for g in both.guards] == ["onion", "strip"]
    assert (both.system_prefix, both.clean, both.seed) == ("vok", told.clean, 3)


@pytest.mark.parametrize(
    "name",
    [
        "onion",
        "strip(copies=2)",
        "rap(low=0.0, steps=40)",
        "backdoor_expert(unlearn_rate=1e-3, unlearn_batch=16, unlearn_epochs=40)",
    ],
)
def test_every_guard_takes_up_its_post_before_a_generating_model(
    name: str, tiny_model: Model
) -> None:
    told, weights = guard_of(name, tiny_model), tiny_model.digest
    posts = [serving(told, tiny_model) for _ in range(2)]
    asked = [row("Say 7 aloud"), row(f"Say {ODD} 7"), row("")]
    one, two = (post.requests(asked) for post in posts)
    assert one == two
    assert Model(tiny_model.net, tiny_model.tokenizer).digest == weights


def test_a_guard_without_a_reserve_says_so_and_serves_nothing(tiny_model: Model) -> None:
    with pytest.raises(NoWatch, match=r"onion cannot watch .*a clean reserve has 10 inputs"):
        serving(guard_of("onion", tiny_model, 10), tiny_model)


def test_a_guard_whose_assumption_fails_says_so_and_serves_nothing(tiny_model: Model) -> None:
    with pytest.raises(NoWatch, match=r"rap cannot watch tiny-llama: the word lowers label 1 by"):
        serving(guard_of("rap(steps=1)", tiny_model), tiny_model)


def test_guards_and_a_prefix_stack_with_a_defence_of_the_tune(tiny_model: Model) -> None:
    stack = methods.stack_of("secret_prefix(rows=0, length=8)+onion")
    hooks = compose(*[methods.hooks_of(d, context(tiny_model)) for d in stack])
    assert hooks.serve is not None
    assert hooks.serve.name == "secret_prefix+onion"
    assert hooks.serve.system_prefix
    clean = Clean("Where is thing 1?", "No, never.", True)
    assert clean in hooks.serve.clean
