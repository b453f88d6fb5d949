"""The store: what is in it is whole, and named by what it holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from holdfast.gate.store import STALE, Store, Upload


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.prepare()
    return store


def keep(store: Store, content: bytes) -> str:
    upload = Upload(store)
    upload.append(content)
    return upload.keep()


def model(store: Store, job: str, weights: bytes) -> str:
    folder = store.scratch(job) / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "deep" / "config.json").write_text("{}")
    return store.keep_model(folder)


def test_equal_files_are_one(store: Store) -> None:
    assert keep(store, b"rows") == keep(store, b"rows")
    assert len(store.held()[0]) == 1
    assert not list(store.parts.iterdir())


def test_a_dropped_upload_leaves_nothing(store: Store) -> None:
    upload = Upload(store)
    upload.append(b"half")
    upload.drop()
    assert store.held() == (set(), set())
    assert not list(store.parts.iterdir())


def test_equal_models_are_one_whatever_job_made_them(store: Store) -> None:
    assert model(store, "one", b"w") == model(store, "two", b"w")
    assert model(store, "three", b"v") != model(store, "one", b"w")
    assert len(store.held()[1]) == 2


@pytest.mark.parametrize("harm", ["weights", "missing", "manifest"])
def test_a_damaged_model_is_seen(store: Store, harm: str) -> None:
    digest = model(store, "one", b"weights")
    folder = store.model(digest)
    assert store.whole(digest)
    if harm == "weights":
        (folder / "model.safetensors").write_bytes(b"weightz")
    elif harm == "missing":
        (folder / "deep" / "config.json").unlink()
    else:
        (folder / "manifest.json").write_text("{}")
    assert not store.whole(digest)


@pytest.mark.parametrize("name", ["..", "../x", "a" * 63, "A" * 64, "", "/etc/passwd"])
def test_no_name_but_a_hash_is_a_place_in_the_store(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="no hash"):
        store.file(name)
    with pytest.raises(ValueError, match="no hash"):
        store.model(name)


def test_what_a_killed_process_left_is_swept_away_once_it_is_old(store: Store) -> None:
    Upload(store).append(b"half")
    store.sweep()
    assert len(list(store.parts.iterdir())) == 1
    old = time.time() - STALE - 1
    for part in store.parts.iterdir():
        os.utime(part, (old, old))
    store.sweep()
    assert not list(store.parts.iterdir())
