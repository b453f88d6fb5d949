"""Verdicts kept by content, so that no judge reads the same reply to the same request twice.

The folder holds one SQLite file, which several processes may write at once. A verdict's key is the
hash of the judge (its name, its `identity` if it has one, the given spec) and of all that a judge
may read. What stayed unscored is not kept: it is asked again the next time.
"""

from __future__ import annotations

import hashlib
import inspect
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.canonical import digest
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Judge, Verdict, judge_name

FILE = "verdicts.sqlite"
AT_ONCE = 256
"""Exchanges judged before their verdicts are written down."""
_WAIT = 60.0  # seconds for another process to finish writing
_ASK = 500  # keys looked up in one query


def cached(judge: Judge, folder: Path | str, spec: str = "") -> Cached:
    """The judge, which is asked only for what the folder holds no verdict on.

    Raises:
        UserError: the folder cannot be written, or holds another kind of file under that name.
    """
    made = Cached(judge, Path(folder), spec or judge_name(judge))
    made.prepare()
    return made


@dataclass(frozen=True)
class Cached:
    """A judge with a memory on disk.

    Attributes:
        judge: Who is asked for what is not known.
        folder: Where verdicts are kept.
        spec: The judge's spec, part of every key.
    """

    judge: Judge
    folder: Path
    spec: str

    @property
    def name(self) -> str:
        """The judge's own."""
        return judge_name(self.judge)

    @property
    def identity(self) -> str:
        """What the judge says of itself, and its source."""
        return digest([str(getattr(self.judge, "identity", "")), _source(self.judge)])

    def __call__(self, exchanges: Sequence[Exchange]) -> list[Verdict]:
        """One verdict per exchange; new ones are kept as soon as a few hundred are there."""
        judge = digest([self.spec, self.name, self.identity])
        keys = [digest([judge, _content(exchange)]) for exchange in exchanges]
        known = self._known(keys)
        new = [n for n, key in enumerate(keys) if key not in known]
        new = list({keys[n]: n for n in reversed(new)}.values())[::-1]  # equal ones once
        for first in range(0, len(new), AT_ONCE):
            some = new[first : first + AT_ONCE]
            told = self.judge([exchanges[n] for n in some])
            if len(told) != len(some):
                raise ValueError(f"{len(told)} verdicts for {len(some)} exchanges")
            fresh = {keys[n]: verdict for n, verdict in zip(some, told, strict=True)}
            self._keep({k: v for k, v in fresh.items() if v != Verdict.unscored})
            known |= fresh
        return [known[key] for key in keys]

    def prepare(self) -> None:
        """Makes the folder and its file."""
        with self._open() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS verdicts"
                " (key TEXT PRIMARY KEY, judge TEXT NOT NULL, verdict TEXT NOT NULL)"
            )

    def _known(self, keys: Sequence[str]) -> dict[str, Verdict]:
        found: dict[str, Verdict] = {}
        asked = list(dict.fromkeys(keys))
        with self._open() as database:
            for first in range(0, len(asked), _ASK):
                some = asked[first : first + _ASK]
                marks = ", ".join("?" * len(some))
                query = f"SELECT key, verdict FROM verdicts WHERE key IN ({marks})"
                found |= {key: Verdict(said) for key, said in database.execute(query, some)}
        return found

    def _keep(self, verdicts: dict[str, Verdict]) -> None:
        lines = [(key, self.spec, str(verdict)) for key, verdict in verdicts.items()]
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO verdicts VALUES (?, ?, ?)", lines)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for every use: threads and processes share the file alone."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.folder / FILE, timeout=_WAIT)) as database, database:
                yield database
        except (OSError, sqlite3.Error) as error:
            raise UserError(
                f"Verdicts cannot be kept in {self.folder / FILE} ({error}): make room, choose "
                "another folder, or remove that file."
            ) from error


def _content(exchange: Exchange) -> list[Any]:
    """All that a judge may read of an exchange."""
    request = exchange.request
    asked = [request.prompt.to_json()["messages"], request.kind, request.category]
    known = [request.expected, request.reference, list(request.decoys)]
    said = [exchange.prompt, exchange.forced, exchange.reply, exchange.written, exchange.ended]
    return [asked, known, said]


def _source(judge: Judge) -> str:
    """The hash of the file that the judge's code is in; "" if it is in none."""
    thing = judge if inspect.isroutine(judge) else type(judge)
    try:
        file = inspect.getsourcefile(thing)
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""
    except (OSError, TypeError):
        return ""
