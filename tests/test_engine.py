from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from holdfast.engine import Result, Workers, run_tasks
from holdfast.errors import UserError

started_here = False


def begin() -> None:
    global started_here
    started_here = True


def cannot_begin() -> None:
    raise OSError("no such model")


def square(number: int) -> int:
    if number == 13:
        raise ValueError("unlucky")
    return number * number


def refuse(number: int) -> int:
    raise UserError(f"Row {number} is bad; mend it.")


def where(_: int) -> tuple[int, bool, str | None]:
    time.sleep(0.05)
    return os.getpid(), started_here, os.environ.get("OMP_NUM_THREADS")


def die_once(marker: str) -> str:
    """The first attempt kills its own worker, as the kernel does when memory runs out."""
    if marker.endswith("fatal") or not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return marker


def name_or_die(task: str) -> str:
    return die_once(task) if "/" in task else task


def threads(_: int) -> int:
    import torch

    return torch.get_num_threads()


def unsendable(_: int) -> object:
    return lambda: None


@pytest.mark.parametrize("workers", [0, 2])
def test_a_task_that_raises_is_a_result_and_the_others_go_on(workers: int) -> None:
    seen: list[int] = []
    results = run_tasks(
        square, [2, 13, 4], workers=workers, on_result=lambda result: seen.append(result.task)
    )
    assert [result.value for result in results] == [4, None, 16]
    assert results[1].error == "ValueError: unlucky"
    assert "in square" in results[1].details
    assert sorted(seen) == [2, 4, 13]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_user_error_comes_back_as_a_user_error(workers: int) -> None:
    with pytest.raises(UserError, match="Row 7 is bad; mend it"):
        run_tasks(refuse, [7, 8], workers=workers)


def test_workers_start_once_and_stay_warm_with_one_thread() -> None:
    with Workers(where, workers=2, start=begin) as pool:
        first = [result.value for result in pool.run(range(8))]
        second = [result.value for result in pool.run(range(8))]
    assert None not in first
    assert {value[0] for value in first if value} == {value[0] for value in second if value}
    assert {value[1:] for value in first + second if value} == {(True, "1")}
    assert not started_here


def test_one_thread_is_set_in_torch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert run_tasks(threads, [0], workers=1)[0].value == 1
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_a_start_that_fails_is_told_with_its_reason() -> None:
    with pytest.raises(RuntimeError, match="no such model"):
        run_tasks(square, [1], workers=1, start=cannot_begin)


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    killed = str(tmp_path / "once")
    tasks = ["a", "b", killed, "c", "d"]
    results = run_tasks(name_or_die, tasks, workers=2)
    assert [result.value for result in results] == tasks


def test_a_task_that_always_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    fatal = str(tmp_path / "fatal")
    results = run_tasks(name_or_die, ["a", fatal, "b"], workers=2)
    assert [result.value for result in results] == ["a", None, "b"]
    assert "SIGKILL" in results[1].error
    assert "memory" in results[1].error


def test_a_value_that_cannot_be_sent_is_that_task_s_error() -> None:
    (result,) = run_tasks(unsendable, [1], workers=1)
    assert "cannot be sent back" in result.error


def test_an_error_in_on_result_ends_the_workers() -> None:
    def full(_: Result[int, int]) -> None:
        raise UserError("The disk is full.")

    pool = Workers(square, workers=2)
    with pytest.raises(UserError, match="disk is full"):
        pool.run(range(4), full)
    assert not pool._pool


SLEEPER = """
import signal, sys, time, os
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
sys.path.insert(0, {here!r})
from holdfast.engine import run_tasks
from sleeper import nap
if __name__ == "__main__":
    try:
        run_tasks(nap, [{folder!r} + "/a", {folder!r} + "/b"], workers=2)
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    nap = """
        import os, time
        from pathlib import Path

        def nap(marker):
            Path(marker).write_text(str(os.getpid()))
            time.sleep(60)
    """
    (tmp_path / "sleeper.py").write_text(textwrap.dedent(nap))
    script = tmp_path / "main.py"
    script.write_text(SLEEPER.format(here=str(tmp_path), folder=str(tmp_path)))
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    markers = [tmp_path / "a", tmp_path / "b"]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if all(marker.exists() and marker.read_text() for marker in markers):
            break
        time.sleep(0.05)
    pids = [int(marker.read_text()) for marker in markers]
    began = time.monotonic()
    if how == signal.SIGINT:
        os.killpg(parent.pid, how)  # the terminal sends Ctrl-C to every process of the group
    else:
        parent.kill()
    out, err = parent.communicate(timeout=20)
    while any(alive(pid) for pid in pids) and time.monotonic() - began < 10:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)
    assert time.monotonic() - began < 10
    if how == signal.SIGINT:
        assert out == "stopped\n"
        assert err == ""
