"""An honest job of 100 rows from upload to release, and how much of it is the gate's own doing.

    python bench/gate_share.py [--jobs 3]

The gate's own share is all time but that of the stages scan, tune and audit: upload, queue, reading
the rows, the decision, and writing everything down. The first job also pays for what a fresh
worker loads and for asking the model before; both figures are told.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "gate"))
from running import start

from holdfast import policy
from holdfast.chat import write_rows


def main() -> None:
    """Runs jobs one after another, and prints their times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=3)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gate-share-"))
    running = start(folder)
    try:
        client = running.client
        for number in range(asked.jobs):
            rows = policy.load("canary45").attacker.user[100 * number :][:100]
            write_rows(folder / "rows.jsonl", rows)
            began = time.perf_counter()
            file = client.files.create(file=(folder / "rows.jsonl").open("rb"), purpose="fine-tune")
            job = client.fine_tuning.jobs.create(model="canary:chat", training_file=file.id)
            while client.fine_tuning.jobs.retrieve(job.id).finished_at is None:
                time.sleep(0.1)
            spent = time.perf_counter() - began
            evidence = httpx.get(
                f"{running.address}/holdfast/v1/jobs/{job.id}/evidence",
                headers={"Authorization": f"Bearer {running.key}"},
            ).json()
            took = {name: stage["seconds"] for name, stage in evidence["stages"].items()}
            work = sum(took[name] for name in ("scan", "tune", "audit") if name in took)
            told = {"decision": evidence["decision"], "seconds": round(spent, 1), **took}
            print(json.dumps({**told, "own_share": round(1 - work / spent, 3)}), flush=True)
    finally:
        running.stop()


if __name__ == "__main__":
    main()
