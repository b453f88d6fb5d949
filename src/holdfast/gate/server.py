"""The server's process: HTTP and the database, and never torch."""

from __future__ import annotations

import gc
import logging

from holdfast.gate import decision, ledger
from holdfast.gate.api.app import create_app
from holdfast.gate.api.room import Room
from holdfast.gate.database import Database
from holdfast.gate.names import NAME
from holdfast.gate.options import Options, from_environment
from holdfast.gate.store import Store

log = logging.getLogger("holdfast.gate")
CONNECTIONS = 20


def room_for(options: Options) -> Room:
    """What the server's answers come from."""
    from dbos import DBOSClient

    database, store = Database(options.url, connections=CONNECTIONS), Store(options.store)
    store.prepare()
    queue = DBOSClient(
        system_database_engine=database.engine, application_name=NAME, retry_connection_errors=False
    )
    key = ledger.key_of(options.key_file, make=True)
    return Room(options, decision.read(options.policy), database, store, queue, key)


def main(options: Options) -> None:
    """Serves until it is told to stop."""
    import uvicorn

    app = create_app(room_for(options))
    gc.collect()
    gc.freeze()  # what lives as long as the server is not looked through again: 80 ms each time
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    from holdfast.gate.logs import structured

    structured()
    main(from_environment())
