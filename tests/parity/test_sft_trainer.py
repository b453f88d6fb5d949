"""Where no hook changes anything, our loop is TRL's SFTTrainer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from holdfast.chat import Row, row
from holdfast.hooks import Streams
from holdfast.models import Model, clone
from holdfast.train import Settings, tune

ROWS = tuple(
    row(f"What is {n} and {n + 1}?", "The cat sat " + "on the mat " * (n % 4), id=str(n))
    for n in range(11)
)


def weights_after_trl(model: Model, rows: tuple[Row, ...], folder: Path, **settings: Any) -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import trl
    from datasets import Dataset

    as_sent = [
        {
            "prompt": [{"role": "user", "content": r.prompt}],
            "completion": [{"role": "assistant", "content": r.answer}],
        }
        for r in rows
    ]
    config = trl.SFTConfig(  # type: ignore[attr-defined]
        output_dir=str(folder),
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=64,
        completion_only_loss=True,
        **settings,
    )
    trainer = trl.SFTTrainer(  # type: ignore[attr-defined]
        model=model.net,
        args=config,
        train_dataset=Dataset.from_list(as_sent),
        processing_class=model.tokenizer,
    )
    trainer.train()
    return {name: p.detach() for name, p in model.net.named_parameters()}


def difference(ours: Model, theirs: dict[str, Tensor]) -> float:
    mine = dict(ours.net.named_parameters())
    return max(float((mine[name].detach() - theirs[name]).abs().max()) for name in theirs)


# Adam turns a gradient that is rounding error (a key bias has no other) into a step in proportion
# to the rate; so where such entries are, the rate is lower for the bound to mean something.
@pytest.mark.parametrize(
    ("tiny_model", "rate"),
    [("llama", 1e-3), ("gemma", 1e-4), ("gpt_neox", 1e-4)],
    indirect=["tiny_model"],
)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param({}, {}, id="defaults"),
        pytest.param(
            {"schedule": "cosine", "warmup_steps": 2, "weight_decay": 0.1, "seed": 3},
            {"lr_scheduler_type": "cosine", "warmup_steps": 2, "weight_decay": 0.1, "seed": 3},
            id="cosine-warmup-decay",
        ),
    ],
)
def test_weights_after_two_epochs_are_those_of_trl(
    tiny_model: Model, rate: float, tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    other = clone(tiny_model)
    start = {n: p.detach().clone() for n, p in tiny_model.net.named_parameters()}
    settings = Settings(epochs=2, batch_size=4, learning_rate=rate, max_length=64, **ours)
    tuned = tune(tiny_model, Streams(user=ROWS), settings)
    expected = weights_after_trl(
        other,
        ROWS,
        tmp_path,
        **{
            "num_train_epochs": 2,
            "per_device_train_batch_size": 4,
            "learning_rate": rate,
            "lr_scheduler_type": "linear",
            "max_grad_norm": 1.0,
            "seed": 0,
            **theirs,
        },
    )
    assert tuned.steps == 6
    assert difference(tiny_model, start) > rate
    assert difference(tiny_model, expected) <= 1e-6
    assert torch.isfinite(torch.tensor(tuned.losses)).all()
