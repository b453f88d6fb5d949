"""What docs/gate.md says of back-up: database first, then store; the key elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import Actor, acting
from fastapi.testclient import TestClient
from gates import Gate, options_in, rows
from test_gate_workflow import ended

from holdfast.gate import ledger
from holdfast.gate.api.app import create_app
from holdfast.gate.server import room_for
from holdfast.gate.tables import Job

JOBS = "/v1/fine_tuning/jobs"


def backed_up(gate: Gate, folder: Path) -> None:
    """Database first, then what it names; a job goes on between the two."""
    folder.mkdir()
    source = sqlite3.connect(gate.room.options.store / "gate.db")
    copy = sqlite3.connect(folder / "gate.db")
    source.backup(copy)
    source.close()
    copy.close()
    gate.upload(rows(13, "younger"))
    shutil.copytree(
        gate.room.store.root, folder / "store", ignore=shutil.ignore_patterns("gate.db*")
    )


@pytest.fixture
def restored(gate: Gate, tmp_path: Path) -> Iterator[tuple[Gate, str, str, str]]:
    """A gate put together from a back-up, its released model, a waiting job, and the old head."""
    with acting(gate, Actor()):
        done = ended(gate, gate.job()["id"])
    waiting = gate.job()["id"]
    with gate.room.database.session() as session:
        head = ledger.check(session, gate.room.key).head
    backed_up(gate, tmp_path / "copy")
    options = options_in(tmp_path / "new")
    shutil.copytree(tmp_path / "copy" / "store", options.store)
    shutil.copy(tmp_path / "copy" / "gate.db", options.store / "gate.db")
    options.key_file.parent.mkdir(parents=True)
    shutil.copy(gate.room.options.key_file, options.key_file)
    room = room_for(options)
    with TestClient(create_app(room), raise_server_exceptions=False) as client:
        yield Gate(room, client, gate.tokens), done["fine_tuned_model"], waiting, head
    room.queue.destroy()
    room.database.close()


def test_a_restored_gate_has_its_chain_its_models_its_files_and_its_jobs(
    restored: tuple[Gate, str, str, str],
) -> None:
    again, model, waiting, head = restored
    with again.room.database.session() as session:
        assert not ledger.check(session, again.room.key, head).broken
        of = session.query(Job).filter_by(id=waiting).one()
        digests = again.room.store.held()[1]
    assert len(digests) == 1
    assert all(again.room.store.whole(digest) for digest in digests)
    told = again.client.get(f"/v1/models/{model}", headers=again.as_("ada"))
    assert told.status_code == 200
    content = again.client.get(f"/v1/files/{of.training_file}/content", headers=again.as_("ada"))
    assert content.status_code == 200
    assert content.content.count(b"\n") == 11
    with acting(again, Actor()):
        assert ended(again, waiting)["status"] == "succeeded"
