"""A Postgres of our own, from Debian's package, on a free port in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

PLACES = "/usr/lib/postgresql"


def installed() -> Path | None:
    """The folder of its programs, None if it is not installed."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).parent
    versions = sorted(Path(PLACES).glob("*/bin/initdb")) if Path(PLACES).is_dir() else []
    return versions[-1].parent if versions else None


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Its URL; it ends with the block."""
    programs = installed()
    assert programs is not None, "install Debian's package postgresql"
    folder.mkdir(parents=True, exist_ok=True)
    # It refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        for place in (folder, *folder.parents):
            if place.owner() == "root" and str(place).startswith("/tmp/"):
                place.chmod(place.stat().st_mode | 0o011)
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    made = [programs / "initdb", "-D", data, "-U", "gate", "-A", "trust", "-N", "-E", "UTF8"]
    _run([*user, *map(str, made)], folder)
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    _run([*user, *control, "-o", settings, "start"], folder)
    try:
        yield f"postgresql://gate@127.0.0.1:{port}/postgres"
    finally:
        _run([*user, *control, "-m", "immediate", "stop"], folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-3:]}: {done.stdout}{done.stderr}"
