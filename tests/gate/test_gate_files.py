"""Files: whatever a client sends, bytes are kept whole or not at all, and each tenant has his."""

from __future__ import annotations

import pytest
from gates import Gate, rows

FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def test_a_file_comes_back_as_it_was_sent(gate: Gate) -> None:
    name = gate.upload(rows(3))
    told = gate.client.get(f"/v1/files/{name}", headers=gate.as_("ada")).json()
    assert told["filename"] == "rows.jsonl"
    assert told["object"] == "file"
    content = gate.client.get(f"/v1/files/{name}/content", headers=gate.as_("ada"))
    assert len(content.content) == told["bytes"]
    assert content.text.count("lamps") == 6


def test_every_line_that_is_no_dictionary_is_named(gate: Gate) -> None:
    answer = gate.send([rows(1)[0], "nonsense", "[1, 2]", rows(1)[0], '{"a":'])
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["code"] == "invalid_jsonl"
    assert error["message"].startswith("Expected file to have JSONL format")
    for line in (2, 3, 5):
        assert f"Line {line} is not a dictionary" in error["message"]
    assert "Line 1 " not in error["message"]


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_an_empty_file_is_refused(gate: Gate, lines: list[str]) -> None:
    assert gate.send(lines).status_code == 400


def test_a_byte_order_mark_is_no_fault(gate: Gate) -> None:
    assert gate.send(["\ufeff" + '{"messages": []}']).status_code == 200


@pytest.mark.parametrize("name", ["rows.csv", "", "../../etc/passwd"])
def test_only_jsonl_is_taken(gate: Gate, name: str) -> None:
    assert gate.send(rows(1), name=name).status_code == 400


def test_a_path_in_a_name_is_cut_off(gate: Gate) -> None:
    name = gate.upload(rows(1), name="../../../tmp/evil\\x.jsonl")
    told = gate.client.get(f"/v1/files/{name}", headers=gate.as_("ada")).json()
    assert told["filename"] == "x.jsonl"


def test_a_file_that_is_too_large_is_stopped_while_it_comes(narrow_gate: Gate) -> None:
    answer = narrow_gate.send(rows(200))
    assert answer.status_code == 413
    assert not list(narrow_gate.room.store.parts.iterdir())
    assert narrow_gate.room.store.held() == (set(), set())


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/json"}, b"{}"),
        ({"Content-Type": "multipart/form-data"}, b"--x\r\n"),
        (FORM, b"--x\r\nContent-Disposition: form-data; name=file; filename=a.jsonl\r\n\r\n{}"),
        (FORM, b"rubbish"),
        (FORM, b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--x--'),
    ],
    ids=["no form", "no boundary", "cut off", "rubbish", "no file"],
)
def test_a_broken_form_leaves_nothing_behind(
    gate: Gate, headers: dict[str, str], body: bytes
) -> None:
    answer = gate.client.post("/v1/files", headers=headers | gate.as_("ada"), content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert not list(gate.room.store.parts.iterdir())


def test_a_tenant_sees_his_own_files_alone(gate: Gate) -> None:
    name = gate.upload(rows(2), tenant="ada")
    for path in (f"/v1/files/{name}", f"/v1/files/{name}/content"):
        assert gate.client.get(path, headers=gate.as_("ben")).status_code == 404
    assert gate.client.get("/v1/files", headers=gate.as_("ben")).json()["data"] == []
    assert gate.client.delete(f"/v1/files/{name}", headers=gate.as_("ben")).status_code == 404
    assert gate.client.get(f"/v1/files/{name}", headers=gate.as_("ada")).status_code == 200


def test_the_same_bytes_are_kept_until_the_last_file_is_deleted(gate: Gate) -> None:
    one, other = gate.upload(rows(2)), gate.upload(rows(2), tenant="ben")
    assert len(gate.room.store.held()[0]) == 1
    gate.client.delete(f"/v1/files/{one}", headers=gate.as_("ada"))
    assert len(gate.room.store.held()[0]) == 1
    gate.client.delete(f"/v1/files/{other}", headers=gate.as_("ben"))
    assert not gate.room.store.held()[0]


@pytest.mark.parametrize("which", ["training_file", "validation_file"])
def test_a_file_that_a_job_needs_is_not_deleted(gate: Gate, which: str) -> None:
    job = gate.job(validation_file=gate.upload(rows(3)))
    path = f"/v1/files/{job[which]}"
    answer = gate.client.delete(path, headers=gate.as_("ada"))
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "file_in_use"
    gate.client.post(f"/v1/fine_tuning/jobs/{job['id']}/cancel", headers=gate.as_("ada"))
    assert gate.client.delete(path, headers=gate.as_("ada")).json()["deleted"] is True


def test_lists_are_read_page_by_page(gate: Gate) -> None:
    names = [gate.upload(rows(n + 1)) for n in range(5)]
    seen: list[str] = []
    after = ""
    while True:
        query = f"?limit=2{f'&after={after}' if after else ''}"
        page = gate.client.get(f"/v1/files{query}", headers=gate.as_("ada")).json()
        seen += [f["id"] for f in page["data"]]
        if not page["has_more"]:
            break
        after = page["last_id"]
    assert seen == names[::-1]
