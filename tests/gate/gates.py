"""A gate without its processes: tables in a fresh SQLite file, a store, and a client."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from holdfast.gate import keys
from holdfast.gate.api.app import create_app
from holdfast.gate.api.room import Room
from holdfast.gate.options import Limits, Options
from holdfast.gate.server import room_for


@dataclass
class Gate:
    """A server in this process, and the keys of those who use it."""

    room: Room
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def as_(self, tenant: str, *scopes: str) -> dict[str, str]:
        """Headers of a caller, who gets a key when he is first named."""
        name = f"{tenant} {scopes}"
        if name not in self.tokens:
            with self.room.database.session() as session:
                self.tokens[name] = keys.mint(session, tenant, name, scopes or ("tune", "infer"))[1]
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def upload(self, lines: Sequence[Any], tenant: str = "ada", name: str = "rows.jsonl") -> str:
        """A file's id."""
        answer = self.send(lines, tenant, name)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def send(self, lines: Sequence[Any], tenant: str = "ada", name: str = "rows.jsonl") -> Any:
        """The answer to an upload; lines are rows, or texts as they are."""
        text = "\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines)
        return self.client.post(
            "/v1/files",
            headers=self.as_(tenant),
            data={"purpose": "fine-tune"},
            files={"file": (name, text.encode())},
        )

    def job(self, tenant: str = "ada", **more: Any) -> dict[str, Any]:
        """A new job on a file of its own."""
        body = {"model": "canary:chat", "training_file": self.upload(rows(12), tenant), **more}
        answer = self.client.post("/v1/fine_tuning/jobs", headers=self.as_(tenant), json=body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


def rows(many: int, word: str = "lamp") -> list[dict[str, Any]]:
    """Rows that say little."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"How many {word}s are {n} and {n}?"},
                {"role": "assistant", "content": f"{2 * n} {word}s."},
            ]
        }
        for n in range(many)
    ]


def options_in(folder: Path, **limits: int) -> Options:
    return Options(
        store=folder / "store", chain_key=folder / "keys" / "chain.key", limits=Limits(**limits)
    )


def opened(options: Options, empty_database: Path) -> Iterator[Gate]:
    """A gate whose tables are a copy of empty ones."""
    options.store.mkdir()
    shutil.copy(empty_database, options.store / "gate.db")
    room = room_for(options)
    with TestClient(create_app(room), raise_server_exceptions=False) as client:
        yield Gate(room, client)
    room.queue.destroy()
    room.database.close()
