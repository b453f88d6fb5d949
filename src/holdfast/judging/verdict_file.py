"""The verdicts of several judges on stored replies: one line a reply, one column a judge.

The file is written whole under a temporary name. While judges work, a journal beside it keeps what
they have said, so that a killed run asks nobody twice; what a finished file holds is kept too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.canonical import digest, write_bytes, write_json
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Verdict

NAME = "verdicts.jsonl"
_FIXED = ("source", "id", "content", "kind", "category")


def content_of(exchange: Exchange) -> str:
    """The hash of all that a judge may read of an exchange."""
    request = exchange.request
    said = [exchange.prompt, exchange.forced, exchange.reply, exchange.written, exchange.ended]
    asked = [request.prompt.to_json(), request.kind, request.category, request.expected]
    return digest([said, asked, request.reference, list(request.decoys)])


@dataclass
class VerdictFile:
    """Where verdicts go, and what was said before.

    Attributes:
        path: The .jsonl or .parquet file.
        codes: A hash for every judge asked now; a judge that changed is asked again.
    """

    path: Path
    codes: Mapping[str, str]
    _known: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    _others: dict[tuple[str, str, str], dict[str, str]] = field(default_factory=dict)
    _earlier: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._open_folder()
        self._read_finished()
        self._read_journal()

    @property
    def others(self) -> tuple[str, ...]:
        """Judges of the finished file that are not asked now: their columns stay."""
        return tuple(judge for judge in self._earlier if judge not in self.codes)

    def known(self, judge: str, content: str) -> Verdict | None:
        """What the judge said of this content before; None if nothing, or no verdict."""
        return self._known.get((judge, content))

    def kept(self, source: str, name: str, content: str) -> dict[str, str]:
        """The columns of `others` for this reply."""
        found = self._others.get((source, name, content), {})
        return {judge: found.get(judge, str(Verdict.unscored)) for judge in self.others}

    def note(self, lines: Sequence[tuple[str, str, Verdict]]) -> None:
        """Keep (judge, content, verdict) at once; a full disk costs no finished work."""
        text = "".join(
            json.dumps([judge, self.codes[judge], content, str(verdict)]) + "\n"
            for judge, content, verdict in lines
        )
        try:
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self, lines: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
        """Write the verdicts and, beside them, the summary; the journal goes.

        Args:
            lines: `source`, `id`, `content`, `kind`, `category`, places, then the judges.
            summary: What was printed; the judges' codes are added.
        """
        try:
            write_bytes(self.path, self._bytes(lines))
            codes = {**self._earlier, **self.codes}
            write_json(self.summary, {**summary, "judges": codes})
            self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def summary(self) -> Path:
        """The file of the summary."""
        return self.path.with_suffix(".summary.json")

    @property
    def _journal(self) -> Path:
        return self.path.with_name(f".{self.path.name}.journal")

    def _open_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._journal.open("a"):
                pass
            if not self._journal.stat().st_size:
                self._journal.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def _bytes(self, lines: Sequence[Mapping[str, Any]]) -> bytes:
        if self.path.suffix != ".parquet":
            return "".join(json.dumps(line) + "\n" for line in lines).encode()
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = list(dict.fromkeys(name for line in lines for name in line))
        columns = {name: [_cell(line.get(name)) for line in lines] for name in names}
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer)
        return buffer.getvalue()

    def _read_finished(self) -> None:
        if not self.path.exists():
            return
        try:
            self._earlier = dict(json.loads(self.summary.read_bytes())["judges"])
            lines = self._lines()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path} is there already and is no file of verdicts of ours; move it, or "
                "give another one with --out."
            ) from error
        for line in lines:
            said = {j: line[j] for j in self._earlier if j in line}
            self._others[line["source"], line["id"], line["content"]] = said
            for judge, verdict in said.items():
                self._know(judge, self._earlier[judge], line["content"], verdict)

    def _lines(self) -> list[dict[str, Any]]:
        if self.path.suffix == ".parquet":
            import pyarrow.parquet as pq

            found: list[dict[str, Any]] = pq.read_table(self.path).to_pylist()
        else:
            found = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        if any(name not in line for line in found[:1] for name in _FIXED):
            raise ValueError("a column is missing")
        return found

    def _read_journal(self) -> None:
        if not self._journal.exists():
            return
        for line in self._journal.read_bytes().splitlines():
            try:
                judge, code, content, verdict = json.loads(line)
            except (ValueError, TypeError):
                continue  # the last line of a run that was killed
            self._know(judge, code, content, verdict)

    def _know(self, judge: str, code: str, content: str, verdict: str) -> None:
        if verdict != Verdict.unscored and self.codes.get(judge) == code:
            self._known[judge, content] = Verdict(verdict)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"Cannot write {self.path}: {error.strerror or error}; mend that, or give another "
            "place with --out. What was judged already is kept where it could be."
        )


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)
