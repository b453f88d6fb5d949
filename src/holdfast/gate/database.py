"""The database: SQLite on one machine, Postgres for many; DBOS keeps its tables beside ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from anyio import to_thread
from sqlalchemy import event
from sqlalchemy.orm import Session

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.gate.options import Options

Found = TypeVar("Found")
MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE = 30  # seconds that a writer waits for another one

log = logging.getLogger("holdfast.gate")


def engine_of(url: str, *, connections: int = 10) -> sa.Engine:
    """An engine that waits for locks, and on SQLite lets readers read while one writes."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_size=connections, pool_pre_ping=True)
    engine = sa.create_engine(
        url, pool_size=connections, connect_args={"timeout": PATIENCE, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        # A write takes its lock at once: a reader that turns writer could wait for ever.
        connection.isolation_level = "IMMEDIATE"
        for pragma in (f"busy_timeout={PATIENCE * 1000}", "journal_mode=WAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


class Database:
    """Sessions on one engine."""

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self.url = url
        self.engine = engine_of(url, connections=connections)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at its end, undone if it fails."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def ask(self, question: Callable[[], Found]) -> Found:
        """What a short question finds.

        SQLite answers in half the time that it takes to wake a thread, so it is asked at once; a
        database elsewhere is waited for in a thread.
        """
        here = self.url.startswith("sqlite")
        return question() if here else await to_thread.run_sync(question)

    def close(self) -> None:
        """Gives back every connection."""
        self.engine.dispose()


def migrate(options: Options) -> None:
    """Brings the tables, ours and DBOS's, to this version.

    Raises:
        UserError: the database cannot be reached, or was made by a later version.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from dbos import DBOS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = options.url
    try:
        command.upgrade(config, "head")
        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS.migrate(options.url)
    except CommandError as error:
        raise UserError(f"The database was made by another version of Holdfast: {error}") from error
    except sa.exc.OperationalError as error:
        shown = sa.engine.make_url(options.url).render_as_string(hide_password=True)
        what = str(error.orig).strip().splitlines()[0]
        raise UserError(f"The database {shown} cannot be opened ({what}).") from error
