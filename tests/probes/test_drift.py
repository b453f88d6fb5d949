"""Where an update lies, and what an adapter's folder tells by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from holdfast.errors import UserError
from holdfast.models import Model, clone
from holdfast.probes import Drift
from holdfast.probes.adapter import inspect
from holdfast.probes.critical_weights import CriticalWeights, difference
from holdfast.probes.drift import drift
from holdfast.probes.linears import matching
from holdfast.probes.paired import scores

from .worlds import looking


def with_update(model: Model, path: str, update: torch.Tensor) -> Model:
    tuned = clone(model)
    tuned.name = "tuned"
    matching(tuned.net)[path].weight.add_(update)
    return tuned


def test_a_low_rank_update_is_seen_as_such(tiny_model: Model) -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(32, generator=generator), torch.randn(32, generator=generator)
    tuned = with_update(tiny_model, "layers.1.self_attn.o_proj", torch.outer(one, other))
    found = drift(Drift(p=0.2, q=0.3), looking(tuned, tiny_model)).figures
    assert set(found["matrices"]) == {"layers.1.self_attn.o_proj"}
    moved = found["matrices"]["layers.1.self_attn.o_proj"]
    assert moved["stable_rank"] == pytest.approx(1, abs=1e-3)
    assert moved["spectral"] == pytest.approx(float(one.norm() * other.norm()), rel=1e-3)


def test_an_update_on_critical_weights_alone_has_a_high_ratio(tiny_model: Model) -> None:
    config = CriticalWeights(p=0.2, q=0.3)
    (path, mask) = next(
        (w.path, difference(config, 0.2, 0.3)(s, u))
        for w, s, u in scores("snip", looking(tiny_model).contrast(128))
    )
    tuned = with_update(tiny_model, path, mask.float() * 0.01)
    found = drift(Drift(p=0.2, q=0.3), looking(tuned, tiny_model)).figures
    expected = 1 / float(mask.float().mean())
    assert found["matrices"][path]["weights"] == pytest.approx(expected, rel=1e-3)


def test_a_model_beside_itself_has_not_moved(tiny_model: Model) -> None:
    (said,) = drift(Drift(), looking(tiny_model, tiny_model)).said
    assert "nothing moved" in said


def adapter(folder: Path, **tensors: torch.Tensor) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 8}), "utf-8")
    save_file({name.replace("__", "."): t for name, t in tensors.items()},
              folder / "adapter_model.safetensors")  # fmt: skip
    return folder


def test_an_adapters_update_is_scaled_and_measured_from_its_factors(tmp_path: Path) -> None:
    down, up = torch.randn(2, 6), torch.randn(5, 2)
    folder = adapter(
        tmp_path / "a", m__q__lora_A__weight=down, m__q__lora_B__weight=up,
        m__head__weight=torch.zeros(3),
    )  # fmt: skip
    (update,), others = inspect(folder)
    whole = 4 * up @ down
    assert (update.path, others) == ("m.q", ["m.head.weight"])
    assert update.norm == pytest.approx(float(whole.norm()), rel=1e-4)
    assert update.spectral == pytest.approx(float(torch.linalg.matrix_norm(whole, 2)), rel=1e-4)


def test_half_an_adapter_is_refused_by_name(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", m__q__lora_A__weight=torch.zeros(2, 6))
    with pytest.raises(UserError, match=r"m\.q of .* has one factor of two"):
        inspect(folder)


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no adapter"):
        inspect(tmp_path)
