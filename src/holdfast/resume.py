"""Checkpoints of a tune: one safetensors file, written under a temporary name and renamed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.hooks import Streams
    from holdfast.models import Model
    from holdfast.train import Settings

__all__ = ["State", "key", "read", "write"]


@dataclass
class State:
    """A tune between two steps.

    Attributes:
        parameters: every parameter by name.
        optimiser: the optimiser's state by parameter number; momentum that is not kept is None.
        random: torch's global random state.
        losses: of the steps so far.
        progress: counts so far.
        drawn: batches drawn from every stream.
    """

    parameters: dict[str, Tensor]
    optimiser: Mapping[int, Mapping[str, Tensor | None]]
    random: Tensor
    losses: list[float]
    progress: dict[str, float]
    drawn: dict[str, int]


def key(model: Model, streams: Streams, settings: Settings, method: str) -> str:
    """Tells one tune from another: hash of the starting weights, rows, settings and method."""
    from holdfast.models import digest_of

    seen = hashlib.sha256(f"{digest_of(model)} {settings.model_dump_json()} {method}".encode())
    seen.update(repr(streams).encode())
    return seen.hexdigest()[:16]


def write(path: Path, key: str, state: State) -> None:
    """Writes a checkpoint.

    Raises:
        UserError: the file cannot be written; an older checkpoint is kept.
    """
    tensors = {f"parameter:{name}": tensor for name, tensor in state.parameters.items()}
    for number, values in state.optimiser.items():
        held = {name: value for name, value in values.items() if value is not None}
        tensors.update({f"adam:{number}:{name}": value for name, value in held.items()})
    tensors["random"] = state.random
    tensors["losses"] = torch.tensor(state.losses, dtype=torch.float64)
    about = {"key": key, "progress": state.progress, "drawn": state.drawn}
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(tensors, part, metadata={"tune": json.dumps(about)})
        part.replace(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"The checkpoint {path} cannot be written ({error}).") from error
    finally:
        part.unlink(missing_ok=True)


def read(path: Path, key: str) -> State:
    """Reads a checkpoint.

    Raises:
        UserError: it is damaged, or belongs to another tune.
    """
    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {}).get("tune", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"The checkpoint {path} is damaged ({error}): delete it.") from error
    if about.get("key") != key:
        raise UserError(
            f"The checkpoint {path} belongs to a tune with another model, rows or settings: "
            "delete it, or name another file."
        )
    parameters: dict[str, Tensor] = {}
    optimiser: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(":")
        if kind == "parameter":
            parameters[rest] = tensor
        elif kind == "adam":
            number, _, field = rest.partition(":")
            optimiser.setdefault(int(number), {})[field] = tensor
    losses = tensors["losses"].tolist()
    return State(
        parameters, optimiser, tensors["random"], losses, about["progress"], about["drawn"]
    )
