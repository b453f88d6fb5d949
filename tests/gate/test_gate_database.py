"""The database: made by its migrations, it is what the code takes it for."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from holdfast.gate.database import engine_of
from holdfast.gate.tables import Table


def test_migrations_make_the_tables_that_the_code_has(empty_database: Path) -> None:
    engine = engine_of(f"sqlite:///{empty_database}", connections=1)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        differences = compare_metadata(context, Table.metadata)
        counted = {
            name: sa.inspect(connection).get_pk_constraint(name)["constrained_columns"]
            for name in Table.metadata.tables
        }
    engine.dispose()
    assert differences == []
    assert set(map(tuple, counted.values())) == {("seq",)}


def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return kind != "table" or name in Table.metadata.tables
