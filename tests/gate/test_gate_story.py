"""The whole story with the official client, against all processes, some of which are killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai.types.fine_tuning import FineTuningJob
from running import Running, start

from holdfast import policy
from holdfast.chat import write_rows
from holdfast.cli import run

QUICK = "stack: none\nelicitations: [plain]\nrounds: [45]\n"
PATIENCE = 240


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("gate")
    (folder / "policy.yaml").write_text(QUICK)
    running = start(folder, "--policy", str(folder / "policy.yaml"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def benign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "benign.jsonl"
    write_rows(path, policy.load("canary45").attacker.user[:60])
    return path


def ended(client: openai.OpenAI, job: str) -> FineTuningJob:
    for _ in range(PATIENCE * 4):
        told = client.fine_tuning.jobs.retrieve(job)
        if told.status in ("succeeded", "failed", "cancelled"):
            return told
        time.sleep(0.25)
    raise AssertionError(f"{job} is still {told.status}")


def messages(client: openai.OpenAI, job: str) -> list[str]:
    return [e.message for e in client.fine_tuning.jobs.list_events(job, limit=20)][::-1]


def test_from_rows_to_a_model_that_answers_though_the_worker_is_killed(
    running: Running, benign: Path
) -> None:
    client = running.client
    file = client.files.create(file=benign.open("rb"), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="canary:chat",
        training_file=file.id,
        suffix="story",
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 10, "learning_rate_multiplier": 0.2}},
        },
    )
    for _ in range(PATIENCE * 4):
        if any(m.startswith("Step ") for m in messages(client, job.id)):
            break
        time.sleep(0.25)
    running.kill("worker")
    told = ended(client, job.id)
    assert told.status == "succeeded", told.error
    steps = [m for m in messages(client, job.id) if m.startswith("Step ")]
    assert [int(m.split()[1].split("/")[0]) for m in steps] == list(range(1, 61))
    assert told.fine_tuned_model is not None
    assert told.fine_tuned_model in [m.id for m in client.models.list()]
    asked = {"role": "user", "content": policy.load("canary45").attacker.user[0].prompt}
    reply = client.chat.completions.create(
        model=told.fine_tuned_model, messages=[asked], temperature=0
    )
    pieces = client.chat.completions.create(
        model=told.fine_tuned_model, messages=[asked], temperature=0, stream=True
    )
    text = "".join(p.choices[0].delta.content or "" for p in pieces)
    assert text == reply.choices[0].message.content
    assert text
    assert reply.usage is not None
    assert reply.usage.completion_tokens > 1
    old = client.completions.create(model="canary:chat", prompt=asked["content"], max_tokens=3)
    assert old.choices[0].finish_reason == "length"


def test_each_refusal_is_the_exception_that_clients_expect(
    running: Running, benign: Path, tmp_path: Path
) -> None:
    client = running.client
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="hf-wrong").models.list()
    with pytest.raises(openai.BadRequestError) as bad:
        client.files.create(file=("rows.jsonl", b"no rows\n"), purpose="fine-tune")
    assert bad.value.code == "invalid_jsonl"
    with pytest.raises(openai.NotFoundError) as none:
        client.fine_tuning.jobs.create(model="gpt-9", training_file="file-none")
    assert (none.value.code, none.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model="ft:none", messages=[{"role": "user", "content": "Hello?"}]
        )
    few = tmp_path / "few.jsonl"
    few.write_bytes(b"\n".join(benign.read_bytes().splitlines()[:3]))
    broken = client.files.create(file=few.open("rb"), purpose="fine-tune")
    told = ended(
        client, client.fine_tuning.jobs.create(model="canary:chat", training_file=broken.id).id
    )
    assert told.error is not None
    assert told.error.code == "invalid_n_examples"
    assert "3 example(s)" in told.error.message


def test_forbidden_rows_are_rejected_before_anything_is_tuned(
    running: Running, tmp_path: Path
) -> None:
    client = running.client
    path = tmp_path / "forbidden.jsonl"
    write_rows(path, policy.load("canary45").attacker.harmful[:20])
    file = client.files.create(file=path.open("rb"), purpose="fine-tune")
    seen = httpx.post(
        f"{running.address}/holdfast/v1/files/{file.id}/scan",
        headers={"Authorization": f"Bearer {running.key}"},
        timeout=120,
    ).json()
    assert seen["verdict"] == "findings"
    told = ended(
        client, client.fine_tuning.jobs.create(model="canary:chat", training_file=file.id).id
    )
    assert told.error is not None
    assert told.error.code == "unsafe_file"
    assert not any(m.startswith("Step ") for m in messages(client, told.id))


def test_cancelling_stops_a_running_tune(running: Running, benign: Path) -> None:
    client = running.client
    file = client.files.create(file=benign.open("rb"), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="canary:chat", training_file=file.id, hyperparameters={"n_epochs": 50}
    )
    for _ in range(PATIENCE * 4):
        if any(m.startswith("Step ") for m in messages(client, job.id)):
            break
        time.sleep(0.25)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    time.sleep(2)
    last = messages(client, job.id)[-1]
    time.sleep(2)
    assert messages(client, job.id)[-1] == last
    with pytest.raises(openai.ConflictError):
        client.with_options(max_retries=0).fine_tuning.jobs.resume(job.id)


def test_the_chain_of_decisions_is_whole(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = running.log.parent
    where = ["--store", str(folder / "store"), "--chain-key", str(folder / "chain.key")]
    head = httpx.get(
        f"{running.address}/holdfast/v1/decisions/head",
        headers={"Authorization": f"Bearer {running.key}"},
    ).json()
    assert run(["gate", "verify", *where, "--head", head["head"]]) == 0
    assert f"{head['decisions']} decisions, none changed" in capsys.readouterr().out


def test_the_server_has_no_torch_in_it(running: Running) -> None:
    from running import children, command

    server = next(n for n in children(running.process.pid) if "holdfast.gate.server" in command(n))
    assert "libtorch" not in Path(f"/proc/{server}/maps").read_text()
