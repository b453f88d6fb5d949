"""What can be seen of an uploaded low-rank adapter alone, without the model it was made for.

Equation: D = s B A, s = alpha / r (alpha / sqrt(r) for rank-stabilised adapters). Norms and
singular values of D come from the r x r core of B = Q_B R_B, A^T = Q_A R_A: those of R_B R_A^T.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError
from holdfast.probes.looking import Table

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Update:
    """The update of one matrix.

    Attributes:
        path: the matrix, as the adapter names it.
        norm: Frobenius norm.
        spectral: largest singular value.
        stable_rank: squared norm over squared spectral norm.
    """

    path: str
    norm: float
    spectral: float
    stable_rank: float


def inspect(folder: Path) -> tuple[list[Update], list[str]]:
    """The updates of an adapter's folder, and tensors in it that are no low-rank factors.

    Raises:
        UserError: the folder holds no adapter, half a pair, or numbers that are none.
    """
    import torch
    from safetensors.torch import load_file

    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} is no adapter: it lacks {CONFIG} or {WEIGHTS}.")
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    tensors = load_file(folder / WEIGHTS)
    odd = next((name for name, t in tensors.items() if not bool(torch.isfinite(t).all())), None)
    if odd is not None:
        raise UserError(f"{odd} of {folder} holds numbers that are none: train the adapter anew.")
    downs = {name.partition(".lora_A")[0]: name for name in tensors if ".lora_A" in name}
    ups = {name.partition(".lora_B")[0]: name for name in tensors if ".lora_B" in name}
    if set(downs) != set(ups):
        lone = sorted(set(downs) ^ set(ups))[0]
        raise UserError(f"{lone} of {folder} has one factor of two: the adapter is incomplete.")
    others = sorted(set(tensors) - set(downs.values()) - set(ups.values()))
    updates = [
        _update(path, tensors[ups[path]], tensors[down], scale_of(config, path))
        for path, down in sorted(downs.items())
    ]
    return updates, others


def scale_of(config: dict[str, Any], path: str) -> float:
    """S of one matrix; patterns name matrices by their ends, as PEFT does."""

    def of(setting: str, pattern: str) -> float:
        known = config.get(pattern) or {}
        ending = next((end for end in known if path.endswith(end)), None)
        return float(known[ending] if ending is not None else config[setting])

    rank = of("r", "rank_pattern")
    alpha = of("lora_alpha", "alpha_pattern")
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _update(path: str, up: Tensor, down: Tensor, scale: float) -> Update:
    import torch

    of_up = torch.linalg.qr(up.double().flatten(1)).R
    of_down = torch.linalg.qr(down.double().flatten(1).T).R
    values = torch.linalg.svdvals(of_up @ of_down.T) * abs(scale)
    norm, spectral = float(values.norm()), float(values[0])
    return Update(path, norm, spectral, (norm / spectral) ** 2 if spectral else 0.0)


def table(updates: list[Update]) -> Table:
    """One line a matrix."""
    lines = [
        (u.path, f"{u.norm:.3g}", f"{u.spectral:.3g}", f"{u.stable_rank:.1f}") for u in updates
    ]
    return Table("The adapter alone", ("matrix", "norm", "spectral", "stable rank"), tuple(lines))
