"""Where a gate keeps things and what it allows; its processes hand this to one another."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from holdfast.errors import UserError

VARIABLE = "HOLDFAST_GATE"
MIB = 1 << 20


class Limits(BaseModel):
    """What one tenant may ask for.

    Attributes:
        file_bytes: of an uploaded file.
        body_bytes: of any other request.
        requests: a tenant may send within a minute.
        scans: pre-screenings a tenant may ask for within a minute.
        jobs: of one tenant that run at once.
        waiting: jobs of one tenant that have not ended.
        examples: the fewest that a training file must hold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_bytes: int = Field(512 * MIB, ge=1)
    body_bytes: int = Field(MIB, ge=1)
    requests: int = Field(6_000, ge=1)
    scans: int = Field(20, ge=1)
    jobs: int = Field(2, ge=1)
    waiting: int = Field(100, ge=1)
    examples: int = Field(10, ge=1)


class Options(BaseModel):
    """The command line of `holdfast serve`.

    Attributes:
        store: folder of files and models.
        db: database URL; "" is a SQLite file in the store.
        policy: file of the decision policy; None is the built-in one.
        chain_key: file of the key that seals decisions, outside the store.
        models: names of the models that may be tuned and asked.
        host: address that the server listens on.
        port: its port.
        workers: worker processes that are started beside the server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: Path
    db: str = ""
    policy: Path | None = None
    chain_key: Path | None = None
    models: tuple[str, ...] = ("canary:chat", "canary:deep")
    host: str = "127.0.0.1"
    port: int = Field(8700, ge=0, le=65_535)
    workers: int = Field(1, ge=0)
    limits: Limits = Limits()

    @property
    def url(self) -> str:
        """The database's URL, as SQLAlchemy takes it."""
        if not self.db:
            return f"sqlite:///{self.store.absolute() / 'gate.db'}"
        scheme, _, rest = self.db.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else self.db

    @property
    def socket(self) -> Path:
        """The socket on which models are asked; short, since the system limits its length."""
        folder = Path(os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir()))
        return folder / f"holdfast-{os.getuid()}-{self._name}" / "models.sock"

    @property
    def key_file(self) -> Path:
        """Where the key that seals decisions is: by default in the user's configuration."""
        if self.chain_key is not None:
            return self.chain_key
        home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
        return home / "holdfast" / f"gate-{self._name}.key"

    @property
    def _name(self) -> str:
        """Of this gate, among those of this user."""
        return hashlib.sha256(str(self.store.absolute()).encode()).hexdigest()[:12]

    def environment(self) -> dict[str, str]:
        """The environment of a process that shall find these options."""
        return {**os.environ, VARIABLE: self.model_dump_json()}


def from_environment() -> Options:
    """The options that the starting process handed over.

    Raises:
        UserError: this process was started by hand.
    """
    told = os.environ.get(VARIABLE)
    if told is None:
        raise UserError("Start the gate by `holdfast serve` or `holdfast worker`.")
    return Options.model_validate_json(told)
