from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from holdfast import serve
from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.hooks import Hooks, Streams, compose
from holdfast.models import Model
from holdfast.serve import Serve
from holdfast.train import Batch, Settings

MODEL, BATCH = cast(Model, None), cast(Batch, None)


def test_one_method_is_left_as_it_is() -> None:
    only = Hooks("one")
    assert compose(only) is only
    assert compose() == Hooks()


def test_rows_and_settings_pass_from_left_to_right() -> None:
    add = Hooks("add", rows=lambda s: Streams(user=(*s.user, row("a", "b"))))
    double = Hooks(
        "double",
        rows=lambda s: Streams(user=s.user * 2),
        settings=lambda s: s.model_copy(update={"epochs": s.epochs * 2}),
    )
    both = compose(add, double)
    assert both.name == "add+double"
    assert both.rows is not None
    assert both.settings is not None
    assert len(both.rows(Streams()).user) == 2
    other = compose(double, add).rows
    assert other is not None
    assert len(other(Streams()).user) == 1
    assert both.settings(Settings(epochs=3)).epochs == 6


def test_penalties_add() -> None:
    def worth(value: float) -> Hooks:
        return Hooks(penalty=lambda model, batch, step: torch.tensor(value))

    both = compose(worth(1), worth(2), worth(4)).penalty
    assert both is not None
    assert both(MODEL, BATCH, 0).item() == 7


def test_contexts_nest_with_the_first_outermost() -> None:
    said: list[str] = []

    def named(name: str) -> Hooks:
        @contextmanager
        def around(model: Model, batch: Batch, step: int) -> Iterator[None]:
            said.append(f"+{name}")
            try:
                yield
            finally:
                said.append(f"-{name}")

        return Hooks(around=around)

    both = compose(named("a"), named("b")).around
    assert both is not None
    with pytest.raises(ZeroDivisionError), both(MODEL, BATCH, 0):
        raise ZeroDivisionError
    assert said == ["+a", "+b", "-b", "-a"]


def test_calls_run_in_order() -> None:
    said: list[str] = []

    def says(word: str) -> Hooks:
        return Hooks(
            start=lambda m, r, s: said.append(word),
            gradient=lambda m, b, s: said.append(word),
            after_step=lambda m, s: said.append(word),
        )

    both = compose(says("a"), Hooks(), says("b"))
    assert both.start
    assert both.gradient
    assert both.after_step
    both.start(MODEL, Streams(), Settings())
    both.gradient(MODEL, BATCH, 0)
    both.after_step(MODEL, 0)
    assert said == ["a", "b"] * 3


@pytest.mark.parametrize("field", ["loss", "pick", "live"])
def test_two_of_a_kind_are_refused_by_name(field: str) -> None:
    def given(*args: Any) -> Any:
        return None

    own: dict[str, Any] = {field: given}
    one, other = Hooks("lisa", **own), Hooks("sdft", **own)
    with pytest.raises(UserError, match="lisa and sdft cannot be stacked"):
        compose(one, Hooks("between"), other)
    assert getattr(compose(one, Hooks("between")), field) is given


def test_streams_are_found_by_name() -> None:
    streams = Streams(user=(row("a"),), safe=(row("b"),), harmful=(row("c"),))
    assert [streams.rows(n)[0].prompt for n in ("user", "safe", "harmful")] == ["a", "b", "c"]
    with pytest.raises(UserError, match="no stream of rows called 'pairs'"):
        streams.rows("pairs")


def test_what_goes_to_serving_composes_and_rewrites_requests() -> None:
    both = compose(Hooks("a", serve=Serve("One.", "a")), Hooks("b", serve=Serve("Two.", "b"))).serve
    assert both == Serve("One.\nTwo.", "a+b")
    assert both.request(row("hi", system="Mine.")).system == "One.\nTwo.\nMine."
    assert Serve().request(row("hi")) == row("hi")


def test_serving_json_is_read_as_written(tmp_path: Path) -> None:
    assert serve.load(tmp_path) == Serve()
    serve.save(Serve("Qx7 ✓", "secret_prefix"), tmp_path)
    assert serve.load(tmp_path) == Serve("Qx7 ✓", "secret_prefix")
    assert [p.name for p in tmp_path.iterdir()] == ["serving.json"]


@pytest.mark.parametrize("text", ["{", '{"guard": 1}', '{"system_prefix": 3}', "[]"])
def test_a_damaged_serving_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "serving.json").write_text(text)
    with pytest.raises(UserError, match=r"serving\.json"):
        serve.load(tmp_path)
