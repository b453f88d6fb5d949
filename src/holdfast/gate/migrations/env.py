"""How alembic reaches the gate's database; the URL comes from `database.migrate`."""

from __future__ import annotations

from alembic import context

from holdfast.gate.database import engine_of
from holdfast.gate.tables import Table

engine = engine_of(context.config.attributes["url"], connections=1)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        version_table="gate_version",
        render_as_batch=True,
        include_object=lambda _object, name, kind, _reflected, _other: (
            kind != "table" or name in Table.metadata.tables
        ),
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
