"""A gate as its users have it: `holdfast serve` with all its processes, on a free port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from openai import OpenAI


@dataclass
class Running:
    """A gate that runs."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> OpenAI:
        """The client that everybody has."""
        return OpenAI(api_key=self.key, base_url=f"{self.address}/v1", max_retries=5)

    def kill(self, part: str) -> None:
        """Kills a process of the gate's, as a machine that fails would."""
        for number in children(self.process.pid):
            if f"holdfast.gate.{part}" in command(number):
                os.kill(number, signal.SIGKILL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(40)


def start(folder: Path, *options: str) -> Running:
    """Starts a gate and waits until it takes jobs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "serve.log"
    wanted = ["--store", str(folder / "store"), "--chain-key", str(folder / "chain.key")]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast.cli", "serve", "--port", str(port), *wanted, *options],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    for _ in range(600):
        if process.poll() is not None:
            break
        told = re.search(r"hf-\S+", log.read_text("utf-8"))
        if told and _ready(port):
            return Running(process, port, told.group(0), log)
        time.sleep(0.2)
    process.kill()
    raise AssertionError(f"the gate did not start:\n{log.read_text('utf-8')}")


def children(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
        except (OSError, IndexError):
            continue
    return found


def command(number: int) -> str:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _ready(port: int) -> bool:
    try:
        told = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2)
    except httpx.HTTPError:
        return False
    return told.status_code == 200 and bool(told.json()["models"])
