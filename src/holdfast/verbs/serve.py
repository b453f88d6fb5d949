"""The verbs `serve`, `worker` and `gate`: the fine-tuning service, and what its operator needs."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.errors import UserError
from holdfast.verbs.options import Json

if TYPE_CHECKING:
    from holdfast.gate.options import Options

Store = Annotated[Path, typer.Option(metavar="DIR", help="Folder of files and models.")]
Db = Annotated[
    str, typer.Option(metavar="URL", help="Database; a SQLite file in the store if not.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="Decision policy (YAML).")
]
ChainKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Key that seals decisions; never in the store.")
]
LimitsFile = Annotated[
    Path | None, typer.Option("--limits", metavar="FILE", help="What a tenant may ask for (YAML).")
]
Models = Annotated[
    list[str] | None, typer.Option("--model", metavar="MODEL", help="A model that may be tuned.")
]
STORE = Path("gate")


def serve(
    store: Store = STORE,
    db: Db = "",
    policy: PolicyFile = None,
    limits: LimitsFile = None,
    chain_key: ChainKey = None,
    model: Models = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65_535)] = 8700,
    workers: Annotated[int, typer.Option(help="Workers to start beside it.", min=0)] = 1,
) -> int:
    """Run the fine-tuning service: every job is scanned, tuned under defences, audited, decided."""
    listen: dict[str, object] = {"host": host, "port": port, "workers": workers}
    options = _options(store, db, policy, chain_key, model, limits, **listen)
    from holdfast.gate import logs, supervisor

    _free(host, port)
    logs.structured()
    key = supervisor.prepare(options)
    address = f"http://{host}:{port}"
    print(f"Holdfast's gate is at {address}/v1, its console at {address}/console", flush=True)
    if key:
        print(f"Your key, shown this once: {key}", flush=True)
    supervisor.run(options)
    return 0


def worker(
    store: Store = STORE,
    db: Db = "",
    policy: PolicyFile = None,
    limits: LimitsFile = None,
    chain_key: ChainKey = None,
    model: Models = None,
    name: Annotated[
        str | None, typer.Option(help="This worker's own name; it takes up its jobs again.")
    ] = None,
) -> int:
    """Take jobs of a gate on this machine; the store must be the same folder, by NFS say."""
    from holdfast.gate import logs
    from holdfast.gate.database import migrate
    from holdfast.gate.worker import main

    options = _options(store, db, policy, chain_key, model, limits)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logs.structured()
    migrate(options)
    main(options, name or f"{socket.gethostname()}-{os.getpid()}")
    return 0


app = typer.Typer(help="Operate a fine-tuning service.", no_args_is_help=True)


@app.command()
def verify(
    store: Store = STORE,
    db: Db = "",
    chain_key: ChainKey = None,
    head: Annotated[
        str, typer.Option(metavar="HEX", help="A head that was written down earlier.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Check that no decision was changed, removed or put in; exit code 2 if one was."""
    from holdfast.gate import ledger
    from holdfast.gate.database import Database

    options = _options(store, db, None, chain_key, None)
    key = ledger.key_of(options.key_file)
    database = Database(options.url)
    with database.session() as session:
        found = ledger.check(session, key, head)
    database.close()
    if as_json:
        print(json.dumps({"decisions": found.links, "head": found.head, "broken": found.broken}))
    elif found.broken:
        print(f"The chain of decisions is broken: {found.broken}.")
    else:
        print(f"{found.links} decisions, none changed. Head, to write down: {found.head}")
    return 2 if found.broken else 0


@app.command()
def key(
    store: Store = STORE,
    db: Db = "",
    tenant: Annotated[str, typer.Option(help="Whose key it is.")] = "local",
    name: Annotated[str, typer.Option(help="What it is for.")] = "made by the operator",
    scope: Annotated[
        list[str] | None, typer.Option(help="tune, infer, review or admin; several are given.")
    ] = None,
) -> int:
    """Make an API key, which is shown this once."""
    from holdfast.gate import keys
    from holdfast.gate.database import Database, migrate
    from holdfast.gate.store import Store as Files

    options = _options(store, db, None, None, None)
    Files(options.store).prepare()
    migrate(options)
    database = Database(options.url)
    with database.session() as session:
        _, text = keys.mint(session, tenant, name, scope or ["tune", "infer"])
    database.close()
    print(text)
    return 0


def _options(
    store: Path,
    db: str,
    policy: Path | None,
    chain_key: Path | None,
    model: list[str] | None,
    limits: Path | None = None,
    **listen: object,
) -> Options:
    try:
        import dbos  # noqa: F401
        import fastapi  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"The gate needs {error.name}: install it with `pip install 'holdfast[gate]'`."
        ) from error
    from holdfast.gate.from_yaml import from_yaml
    from holdfast.gate.options import Limits, Options

    asked: dict[str, object] = {"models": tuple(model)} if model else {}
    return Options.model_validate(
        {
            "store": store.absolute(),
            "db": db,
            "policy": policy.absolute() if policy else None,
            "chain_key": chain_key.absolute() if chain_key else None,
            "limits": from_yaml(Limits, limits, "file of limits"),
            **listen,
            **asked,
        }
    )


def _free(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        raise UserError(
            f"{host}:{port} cannot be listened on ({error.strerror}): give another --port."
        ) from error
