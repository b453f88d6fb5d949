from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from holdfast import canonical, runs
from holdfast.errors import UserError
from holdfast.runs import RunFolder, digest, query


class Verdict(StrEnum):
    complied = "complied"


@dataclass(frozen=True)
class Request:
    id: str
    prompt: str
    category: str


@dataclass(frozen=True)
class Exchange:
    request: Request
    reply: str
    verdict: Verdict = Verdict.complied


class Defence(BaseModel):
    kind: str


class Rows(Defence):
    rows: int


class Stack(BaseModel):
    defences: tuple[Defence, ...]


def cell(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "asr": 0.5, **fields}


def exchange(reply: str) -> Exchange:
    return Exchange(Request("r1", "the whole conversation", "maps"), reply)


def test_a_digest_is_the_same_in_every_process() -> None:
    code = "from holdfast.runs import digest; print(digest({'b': {'x', 'y', 'z'}, 'a': 1.5}))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {digest({"a": 1.5, "b": {"z", "x", "y"}})}


def test_a_digest_sees_the_settings_of_each_defence_in_a_stack() -> None:
    few, many = (Stack(defences=(Rows(kind="rows", rows=n),)) for n in (1, 2))
    assert digest(few) != digest(many)


def test_a_digest_takes_configs_dataclasses_and_paths() -> None:
    thing = {"path": Path("a/b"), "request": Request("1", "p", "c"), "verdict": Verdict.complied}
    same = {
        "verdict": "complied",
        "path": "a/b",
        "request": {"id": "1", "prompt": "p", "category": "c"},
    }
    assert digest(thing) == digest(same)


def test_a_digest_refuses_what_it_would_have_to_guess() -> None:
    with pytest.raises(TypeError, match="object"):
        digest({"thing": object()})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_a_digest_does_not_depend_on_the_order_of_keys(value: Any) -> None:
    def turned(thing: Any) -> Any:
        if isinstance(thing, dict):
            return {key: turned(thing[key]) for key in reversed(list(thing))}
        return [turned(item) for item in thing] if isinstance(thing, list) else thing

    assert digest(turned(value)) == digest(value)


def test_finished_cells_are_there_after_reopening(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", config={"suite": "quick"}) as run:
        run.append(cell("a"), cell("b"))
        run.append(cell("c", asr=float("nan")))
    with RunFolder(tmp_path / "run") as run:
        assert list(run.finished()) == ["a", "b", "c"]
        assert run.finished()["c"]["asr"] is None


def test_a_torn_last_line_is_dropped_and_the_next_cell_is_whole(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.append(cell("a"))
    file = tmp_path / "run" / "cells.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id": "b", "as')
    with RunFolder(tmp_path / "run") as run:
        assert list(run.finished()) == ["a"]
        run.append(cell("b"))
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["a", "b"]


def test_a_damaged_line_in_the_middle_is_told_not_dropped(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.append(cell("a"))
    file = tmp_path / "run" / "cells.jsonl"
    file.write_bytes(b"what\n" + file.read_bytes())
    with pytest.raises(UserError, match="line 1, is damaged"):
        RunFolder(tmp_path / "run")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="something other than a run"):
        RunFolder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_becomes_a_run(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        run.append(cell("a"))
    assert json.loads((tmp_path / "run.json").read_text())["holdfast"]


def test_a_folder_is_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path / "run"),
        pytest.raises(UserError, match=f"in use by process {os.getpid()}"),
    ):
        RunFolder(tmp_path / "run")
    RunFolder(tmp_path / "run").close()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, sys; from holdfast.runs import RunFolder\n"
        "run = RunFolder(sys.argv[1]); run.append({'id': 'a'}); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=False)
    assert (tmp_path / "run" / "lock").exists()
    with RunFolder(tmp_path / "run") as run:
        assert list(run.finished()) == ["a"]


def test_a_full_disk_is_one_sentence_and_keeps_finished_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunFolder(tmp_path / "run") as run:
        run.append(cell("a"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(UserError, match=r"No space left.* 1 finished cells are kept"):
                run.append(cell("b"))
        assert list(run.finished()) == ["a"]
        run.append(cell("c"))
    with RunFolder(tmp_path / "run") as run:
        assert list(run.finished()) == ["a", "c"]


def test_exchanges_are_merged_once_however_often_a_run_goes_on(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.append(cell("a"), exchanges=[exchange("one"), exchange("two")])
        run.finish({"verdicts": []})
    with RunFolder(tmp_path / "run") as run:
        run.append(cell("b", note="text"), exchanges=[{"reply": "three", "score": 0.5}])
        run.finish({"verdicts": []})
    rows = query("SELECT reply, part, category FROM exchanges", [tmp_path / "run"])
    assert [row["reply"] for row in rows] == ["one", "two", "three"]
    assert rows[0]["category"] == "maps"
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"run.json", "cells.jsonl", "exchanges.parquet", "summary.json"}


def test_cells_torn_apart_and_measured_again_keep_one_copy_of_their_exchanges(
    tmp_path: Path,
) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.append(cell("a"), cell("b"), exchanges=[exchange("one")])
    file = tmp_path / "run" / "cells.jsonl"
    file.write_bytes(file.read_bytes()[:-3])
    with RunFolder(tmp_path / "run") as run:
        assert list(run.finished()) == ["a"]
        run.append(cell("a"), cell("b"), exchanges=[exchange("one")])
        run.finish()
        assert query("SELECT count(*) AS n FROM exchanges", [run.path]) == [{"n": 1}]


def test_a_query_sees_several_runs_and_those_still_going(tmp_path: Path) -> None:
    for name, rate in (("old", 0.2), ("new", 0.8)):
        with RunFolder(tmp_path / name) as run:
            run.append(cell("a", asr=rate), exchanges=[exchange(name)])
            if name == "old":
                run.finish()
    both = [tmp_path / "old", tmp_path / "new"]
    sql = "SELECT run, asr, reply FROM cells JOIN exchanges USING (run) ORDER BY asr"
    assert query(sql, both) == [
        {"run": "old", "asr": 0.2, "reply": "old"},
        {"run": "new", "asr": 0.8, "reply": "new"},
    ]


def test_a_query_of_no_run_or_nonsense_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run\.json"):
        query("SELECT 1", [tmp_path])
    RunFolder(tmp_path / "run").close()
    with pytest.raises(UserError, match="query failed"):
        query("SELEKT", [tmp_path / "run"])
    assert query("SELECT * FROM cells", [tmp_path / "run"]) == []


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.json"
    runs.write_json(file, {"old": True})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        canonical.write_json(file, {"new": True})
    assert json.loads(file.read_text()) == {"old": True}
    assert list(tmp_path.iterdir()) == [file]
