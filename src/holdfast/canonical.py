"""One JSON shape for what is hashed or written, and files that are never half written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel


def plain(thing: Any) -> Any:
    """The JSON shape of configs, dataclasses, paths, enums, sets and numpy numbers.

    A pydantic field is followed as what it holds, not as what it is declared to hold: a stack
    declared as a tuple of `Defence` keeps the fields of each defence.

    Raises:
        TypeError: for anything whose JSON shape would be a guess.
    """
    if isinstance(thing, Enum):
        return plain(thing.value)
    if thing is None or isinstance(thing, str | bool | int | float):
        return thing
    if isinstance(thing, PurePath):
        return thing.as_posix()
    if isinstance(thing, BaseModel):
        return {name: plain(getattr(thing, name)) for name in type(thing).model_fields}
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: plain(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    if isinstance(thing, Mapping):
        return {_key(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, Set):
        return sorted((plain(item) for item in thing), key=_canonical)
    if isinstance(thing, list | tuple):
        return [plain(item) for item in thing]
    if isinstance(thing, bytes):
        return hashlib.sha256(thing).hexdigest()
    if hasattr(thing, "dtype") and hasattr(thing, "tolist"):
        return plain(thing.tolist())
    raise TypeError(f"{type(thing).__name__} has no JSON shape")


def digest(thing: Any) -> str:
    """First 16 hex digits of the sha256 of the canonical JSON: the same in every process."""
    return hashlib.sha256(_canonical(plain(thing)).encode()).hexdigest()[:16]


def _key(key: Any) -> str:
    if isinstance(key, Enum | PurePath):
        key = plain(key)
    if not isinstance(key, str | int):
        raise TypeError(f"{type(key).__name__} is no JSON key")
    return str(key)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def finite(value: Any) -> Any:
    """NaN and infinities as null: JSON has neither."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value


def write_json(path: Path, thing: Any) -> None:
    """Write `thing` as JSON so that a reader sees the old file or the new one, never half."""
    write_bytes(path, (json.dumps(finite(plain(thing)), indent=2) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_json`, for bytes; a failed write leaves nothing behind."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
