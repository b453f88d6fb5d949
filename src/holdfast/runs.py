"""Run folders: what a run found, kept so that a killed run goes on where it stopped.

A cell is finished once its line stands in `cells.jsonl`. Its exchanges are written before that
line, so a finished cell always has them. Everything else is written to a temporary name and
renamed. The folder's fields are those of DESIGN §7.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from holdfast import __version__
from holdfast.canonical import digest as digest
from holdfast.canonical import finite, plain, write_json
from holdfast.errors import UserError
from holdfast.exchanges import merge, write_part

FORMAT = "holdfast run 1"
PACKAGES = ("holdfast", "torch", "transformers", "peft", "tokenizers", "numpy")


def dated_folder(name: str) -> Path:
    """runs/<date>-<name>: the same command on the same day goes on in the same folder."""
    told = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return Path("runs") / f"{date.today().isoformat()}-{told}"


class RunFolder:
    """One run's folder, opened by one process at a time; used as a context manager.

    Opening a folder that exists goes on with it. Cells are told apart by their id, which is the
    digest of all that determines them, so a changed config finds only the cells it still shares.

    Args:
        path: Folder to make or to go on with.
        config: The run's configuration, kept in `run.json`.
        notes: Further fields of `run.json`: hashes of weights, a statement of authority.

    Raises:
        UserError: the folder holds something else, is in use, cannot be written, or is damaged.
    """

    def __init__(
        self, path: str | Path, *, config: Any = None, notes: Mapping[str, Any] | None = None
    ) -> None:
        self.path = Path(path)
        _make(self.path)
        self._lock = _take_lock(self.path)
        try:
            self._info = _read_info(self.path)
            self._cells = _mend_cells(self.path / "cells.jsonl")
            self._info |= {"config": plain(config), "finished": None, **plain(dict(notes or {}))}
            self._info |= {"versions": _versions(), "machine": _machine()}
            self._info.setdefault("started", _now())
            self._info.setdefault("sessions", []).append({"started": _now(), "finished": None})
            self._save_info()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have the folder."""
        if self._lock >= 0:
            (self.path / "lock").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1

    def finished(self) -> dict[str, dict[str, Any]]:
        """Every finished cell by its id, in the order they finished."""
        return dict(self._cells)

    def append(self, *cells: Any, exchanges: Iterable[Any] = ()) -> None:
        """Keep finished cells; when this returns, a power cut does not lose them.

        Cells that are finished already are left as they are.

        Args:
            cells: Mappings, dataclasses or pydantic models with a string `id`. Cells that were
                measured together, and share exchanges, belong in one call, in a stable order.
            exchanges: Their exchanges, see `exchanges.write_part`.
        """
        shapes = [finite(plain(cell)) for cell in cells]
        rows = [finite(plain(exchange)) for exchange in exchanges]
        new = {shape["id"]: shape for shape in shapes if shape["id"] not in self._cells}
        if not new:
            return
        lines = "".join(json.dumps(shape, ensure_ascii=False) + "\n" for shape in new.values())
        try:
            write_part(self.path, shapes[0]["id"], rows)
            _append_whole(self.path / "cells.jsonl", lines.encode())
        except OSError as error:
            raise self._unwritable(error) from error
        self._cells |= new

    def finish(self, summary: Any = None) -> None:
        """Merge the exchanges, write `summary.json` if given, and note the time in `run.json`."""
        try:
            merge(self.path, list(self._cells))
            if summary is not None:
                write_json(self.path / "summary.json", summary)
        except OSError as error:
            raise self._unwritable(error) from error
        self._info["finished"] = self._info["sessions"][-1]["finished"] = _now()
        self._save_info()

    def note(self, **fields: Any) -> None:
        """Put further fields into `run.json`."""
        self._info |= plain(fields)
        self._save_info()

    def _save_info(self) -> None:
        try:
            write_json(self.path / "run.json", self._info)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"Cannot write to {self.path}: {error.strerror or error}; its {len(self._cells)} "
            "finished cells are kept: mend that and run the same command again."
        )


def _make(path: Path) -> None:
    """Make the folder whole under a temporary name, so that no half-made one is ever seen."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; give --out a folder.")
    if path.is_dir() and any(path.iterdir()):
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        write_json(temporary / "run.json", {"format": FORMAT, "holdfast": __version__})
        temporary.rename(path)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.is_dir() and any(path.iterdir()):
            return  # another process was quicker; the lock decides between us
        raise UserError(f"Cannot make the run folder {path}: {error.strerror or error}.") from error


def _read_info(path: Path) -> dict[str, Any]:
    try:
        info = json.loads((path / "run.json").read_bytes())
    except (OSError, ValueError):
        info = None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise UserError(
            f"{path} holds something other than a run of this version of Holdfast; "
            "give another folder, or an empty one."
        )
    return info


def _take_lock(path: Path) -> int:
    """Lock the folder until this process ends, however it ends: the kernel lets go for it."""
    file = path / "lock"
    if not (path / "run.json").is_file():
        _read_info(path)  # says what is wrong, without leaving a lock in somebody's folder
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"Cannot write to {path}: {error.strerror or error}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 100).decode(errors="replace").strip()
        os.close(lock)
        raise UserError(
            f"{path} is in use by process {holder or 'unknown'}; wait for it, or give another "
            "folder with --out."
        ) from error
    try:
        ours = os.path.samestat(os.fstat(lock), file.stat())
    except FileNotFoundError:
        ours = False
    if not ours:
        os.close(lock)  # its last owner removed the file between our opening and our locking it
        return _take_lock(path)
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _mend_cells(path: Path) -> dict[str, dict[str, Any]]:
    """Read the finished cells, and cut off a last line that a kill left torn."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    cells: dict[str, dict[str, Any]] = {}
    good = 0
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        try:
            cell = json.loads(line)
            name = cell["id"]
        except (ValueError, TypeError, KeyError):
            cell = None
        if cell is None or not line.endswith(b"\n"):
            if content[good + len(line) :].strip(b"\0\n\r "):
                raise UserError(f"{path}, line {number}, is damaged; delete that line and go on.")
            os.truncate(path, good)
            break
        cells[name] = cell
        good += len(line)
    return cells


def _append_whole(path: Path, line: bytes) -> None:
    """Append a line and wait until the disk has it; a line that does not fit is taken back."""
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            os.truncate(file.fileno(), before)
            raise


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def query(sql: str, runs: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Ask several runs in SQL; see `exchanges.query`."""
    from holdfast import exchanges

    return exchanges.query(sql, [Path(run) for run in runs])
