"""Reads and uploads under load, while a job trains.

    python bench/gate_load.py [--rate 300] [--seconds 20] [--uploads 200] [--megabytes 5]

Reads are sent at fixed times whatever the answers do (open loop), over 20 connections, so that a
slow answer delays the ones behind it as it would for users. Prints latencies, errors, and the
greatest memory of the server's process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "gate"))
from running import Running, children, command, start

from holdfast import policy
from holdfast.chat import write_rows

CONNECTIONS = 20
QUICK = "stack: none\nelicitations: [plain]\nrounds: [45]\n"


async def read(running: Running, path: str, due: list[float], took: list[float]) -> int:
    """Sends requests when they are due, over one connection; the number of wrong answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.key}\r\n\r\n"
    wrong = 0
    for at in due:
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        writer.write(head.encode())
        status = await reader.readline()
        length = 0
        while (line := await reader.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        await reader.readexactly(length)
        took.append(time.perf_counter() - at)
        wrong += b" 200 " not in status
    writer.close()
    return wrong


async def reads(running: Running, path: str, rate: int, seconds: int) -> dict[str, float]:
    """Latencies in milliseconds."""
    begin, took = time.perf_counter() + 0.5, list[float]()
    due = [begin + n / rate for n in range(rate * seconds)]
    wrong = await asyncio.gather(
        *(read(running, path, due[n::CONNECTIONS], took) for n in range(CONNECTIONS))
    )
    spent = time.perf_counter() - begin
    p50, p99 = np.quantile(np.array(took) * 1000, (0.5, 0.99))
    return {
        "answers_per_second": round(len(took) / spent, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "wrong": sum(wrong),
    }


async def upload(running: Running, content: bytes) -> int:
    """The status of one upload, sent as fast as it is taken."""
    b = "----x"
    body = (
        f'--{b}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--{b}\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    ).encode()
    end = f"\r\n--{b}--\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(
        f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.key}\r\n"
        f"Content-Type: multipart/form-data; boundary={b}\r\nConnection: close\r\n"
        f"Content-Length: {len(body) + len(content) + len(end)}\r\n\r\n".encode()
    )
    writer.write(body)
    with suppress(ConnectionError):  # a server that refuses may not read to the end
        for at in range(0, len(content), 65_536):
            writer.write(content[at : at + 65_536])
            await writer.drain()
        writer.write(end)
        await writer.drain()
    status = await reader.readline()
    writer.close()
    return int(status.split()[1]) if status else 0


def memory(running: Running) -> float:
    """The greatest memory of the server's process so far, in MB."""
    server = next(n for n in children(running.process.pid) if "gate.server" in command(n))
    lines = Path(f"/proc/{server}/status").read_text().splitlines()
    return int(next(x for x in lines if x.startswith("VmHWM")).split()[1]) / 1000


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=5)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gate-load-"))
    (folder / "policy.yaml").write_text(QUICK)
    (folder / "limits.yaml").write_text("requests: 1000000\n")
    files = [("--" + name, str(folder / f"{name}.yaml")) for name in ("policy", "limits")]
    running = start(folder, *(word for pair in files for word in pair))
    told: dict[str, object] = {}
    try:
        rows = folder / "rows.jsonl"
        write_rows(rows, policy.load("canary45").attacker.user[:200])
        client = running.client
        file = client.files.create(file=rows.open("rb"), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model="canary:chat", training_file=file.id, hyperparameters={"n_epochs": 50}
        )
        while client.fine_tuning.jobs.list_events(job.id).data[0].type != "metrics":
            time.sleep(0.5)
        for path in ("/v1/models", f"/v1/fine_tuning/jobs/{job.id}", "/v1/fine_tuning/jobs"):
            told[path] = asyncio.run(reads(running, path, asked.rate, asked.seconds))
        told["status of the job meanwhile"] = client.fine_tuning.jobs.retrieve(job.id).status
        line = rows.read_bytes().splitlines()[0] + b"\n"
        content = line * int(asked.megabytes * 1e6 / len(line))

        async def all_of_them() -> list[int]:
            return await asyncio.gather(*(upload(running, content) for _ in range(asked.uploads)))

        began = time.perf_counter()
        statuses = asyncio.run(all_of_them())
        told["uploads"] = {
            "sent": asked.uploads,
            "taken": statuses.count(200),
            "seconds": round(time.perf_counter() - began, 1),
            "server_memory_mb": round(memory(running)),
        }
    finally:
        running.stop()
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
