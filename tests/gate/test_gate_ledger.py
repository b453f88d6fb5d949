"""The chain of decisions: whatever is changed, removed or put in without the key, it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from holdfast.errors import UserError
from holdfast.gate import ledger
from holdfast.gate.database import engine_of
from holdfast.gate.tables import Job, Table

KEY = bytes(range(32))


@pytest.fixture
def session() -> Iterator[Session]:
    engine = engine_of("sqlite://", connections=1)
    Table.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def decide(session: Session, job: str, decision: str = "release", by: str = "policy") -> str:
    if not session.query(Job).filter_by(id=job).first():
        session.add(Job(id=job, tenant="ada", model="m", training_file="f"))
        session.flush()
    facts = {"data": "0" * 8, "figures": {"plain": [0.0, 0.1]}}
    made = ledger.seal(
        session, KEY, job=job, decision=decision, reason="it holds", by=by, facts=facts
    )
    return made.mac


def test_a_chain_that_nobody_touched_is_whole(session: Session) -> None:
    macs = [decide(session, f"job {n}") for n in range(4)]
    found = ledger.check(session, KEY)
    assert (found.links, found.head, found.broken) == (4, macs[-1], "")
    for mac in macs:
        assert not ledger.check(session, KEY, mac).broken


def test_a_jobs_first_decision_is_made_once(session: Session) -> None:
    assert decide(session, "job") == decide(session, "job", "quarantine")
    decide(session, "job", "destroy", by="key-1")
    assert ledger.check(session, KEY).links == 2


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE decisions SET decision = 'release' WHERE seq = 2",
        "UPDATE decisions SET reason = 'it held' WHERE seq = 2",
        "UPDATE decisions SET facts = '{}' WHERE seq = 2",
        "UPDATE decisions SET \"by\" = 'key-9' WHERE seq = 2",
        "UPDATE decisions SET created_at = created_at - 9 WHERE seq = 2",
        "DELETE FROM decisions WHERE seq = 2",
        "DELETE FROM decisions WHERE seq = 1",
        "UPDATE decisions SET seq = 9 WHERE seq = 2",
    ],
)
def test_editing_shows(session: Session, harm: str) -> None:
    for n in range(3):
        decide(session, f"job {n}", "quarantine")
    session.execute(text(harm))
    session.expire_all()
    assert ledger.check(session, KEY).broken


def test_cutting_off_the_end_shows_against_a_head_that_was_written_down(session: Session) -> None:
    decide(session, "one")
    head = decide(session, "two")
    session.execute(text("DELETE FROM decisions WHERE seq = 2"))
    assert not ledger.check(session, KEY).broken
    assert "taken away" in ledger.check(session, KEY, head).broken


def test_another_key_fits_no_chain(session: Session) -> None:
    decide(session, "one")
    assert ledger.check(session, bytes(32)).broken


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=9), st.floats(allow_nan=False) | st.text(max_size=9)))
def test_facts_of_any_kind_are_sealed_as_they_are_read_again(
    session: Session, facts: dict[str, object]
) -> None:
    session.rollback()
    session.add(Job(id="job", tenant="ada", model="m", training_file="f"))
    session.flush()
    ledger.seal(session, KEY, job="job", decision="hold", reason="", by="policy", facts=facts)
    session.expire_all()
    assert not ledger.check(session, KEY).broken


def test_the_key_is_drawn_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "config" / "chain.key"
    key = ledger.key_of(path, make=True)
    assert ledger.key_of(path, make=True) == key
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "xyz", "00" * 31])
def test_a_damaged_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "chain.key"
    path.write_text(content)
    with pytest.raises(UserError, match="key"):
        ledger.key_of(path)
    with pytest.raises(UserError, match="no key"):
        ledger.key_of(tmp_path / "none")
