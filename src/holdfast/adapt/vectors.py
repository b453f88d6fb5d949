"""Task vectors: what a tune added to the weights, kept sparse (Ilharco et al., "Editing Models with
Task Arithmetic", ICLR 2023, arXiv 2212.04089).

Equation: d = w_tuned - w_base; adding is w := w + a d, forgetting is w := w - a d.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.canonical import write_bytes
from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model

FORMAT = "holdfast task vector"


@dataclass(frozen=True)
class Moved:
    """What was added to one tensor.

    Attributes:
        shape: of the tensor.
        places: (k,) flat places of the entries that moved, rising, int64.
        values: (k,) what was added there.
    """

    shape: tuple[int, ...]
    places: Tensor
    values: Tensor

    def dense(self) -> Tensor:
        """The tensor of what was added, zeros elsewhere."""
        import torch

        flat = torch.zeros(torch.Size(self.shape).numel(), dtype=self.values.dtype)
        flat[self.places] = self.values
        return flat.reshape(self.shape)


TaskVector = Mapping[str, Moved]
"""Parameter name -> what was added; parameters that did not move are left out."""


def between(base: Model, tuned: Model) -> dict[str, Moved]:
    """What tuning added to the base.

    Raises:
        UserError: the two have different shapes or tokenizers.
    """
    from holdfast.probes.looking import refuse_strangers

    refuse_strangers(base, tuned)
    after = dict(tuned.net.named_parameters())
    found = {}
    for name, before in base.net.named_parameters():
        added = (after[name].detach() - before.detach()).cpu().float()
        if (moved := moved_of(added)).places.numel():
            found[name] = moved
    return found


def moved_of(added: Tensor) -> Moved:
    """The entries of a tensor that are not zero."""
    flat = added.reshape(-1)
    places = flat.nonzero().squeeze(-1)
    return Moved(tuple(added.shape), places, flat[places])


def share(vector: TaskVector, model: Model) -> float:
    """Which share of the model's weights a vector moves."""
    total = sum(p.numel() for p in model.net.parameters())
    return sum(len(moved.places) for moved in vector.values()) / total


def add(model: Model, vector: TaskVector, scale: float = 1.0) -> None:
    """Adds `scale` times a vector to a model's weights, in place.

    Raises:
        UserError: the vector is of another model.
    """
    import torch

    named = dict(model.net.named_parameters())
    for name, moved in vector.items():
        if name not in named or tuple(named[name].shape) != moved.shape:
            raise UserError(
                f"The task vector moves {name} {moved.shape}, which {model.name} lacks."
            )
    with torch.no_grad():
        for name, moved in vector.items():
            named[name].add_(scale * moved.dense().to(named[name]))


def towards(model: Model, other: Model, share: float) -> None:
    """Draws every weight of a model a share of the way to another's, in place: (1 - a) w + a v.

    Raises:
        UserError: the two have different shapes or tokenizers.
    """
    import torch

    from holdfast.probes.looking import refuse_strangers

    refuse_strangers(other, model)
    aims = dict(other.net.named_parameters())
    with torch.no_grad():
        for name, parameter in model.net.named_parameters():
            parameter.lerp_(aims[name].to(parameter), share)


def save(vector: TaskVector, path: Path | str) -> Path:
    """Writes places and values as safetensors; never half a file.

    Raises:
        UserError: the file cannot be written.
    """
    import torch
    from safetensors import torch as safetensors

    path = Path(path)
    tensors = {}
    for name, moved in vector.items():
        short = torch.Size(moved.shape).numel() < 2**31
        tensors[f"{name}:places"] = moved.places.to(torch.int32 if short else torch.int64)
        tensors[f"{name}:values"] = moved.values.contiguous()
        tensors[f"{name}:shape"] = torch.tensor(moved.shape)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, safetensors.save(tensors, metadata={"format": FORMAT}))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}): choose another place.") from error
    return path


def load(path: Path | str) -> dict[str, Moved]:
    """Reads what `save` wrote.

    Raises:
        UserError: no such file, or no task vector.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise UserError(f"{path} holds no task vector: make one with `holdfast merge`.")
            names = [key.removesuffix(":shape") for key in file.keys() if key.endswith(":shape")]  # noqa: SIM118
            return {
                name: Moved(
                    tuple(file.get_tensor(f"{name}:shape").tolist()),
                    file.get_tensor(f"{name}:places").long(),
                    file.get_tensor(f"{name}:values"),
                )
                for name in names
            }
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as a task vector ({error}).") from error
