"""One cell the way people do it now: TRL's `SFTTrainer`, then `model.generate`, in one process.

Nothing of Holdfast is imported. `cell_throughput.py` starts one such process for every cell and
judges the replies itself, so that this side pays for neither policy nor judge; `train_step.py`
uses the trainer.

    python bench/trl_cell.py < job.json > replies.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from transformers.utils import logging as transformers_logging
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]  # they are lazy

Chat = list[dict[str, str]]


def trainer_of(
    net: Any, tokenizer: Any, rows: Sequence[Chat], settings: Mapping[str, Any], folder: str
) -> Any:
    """An `SFTTrainer` whose settings are Holdfast's; logging, saving and progress are off.

    Args:
        net: a causal language model; it is tuned in place.
        tokenizer: with a chat template.
        rows: conversations that end in the assistant's turn, which alone carries loss.
        settings: the fields of `holdfast.train.Settings` by name.
        folder: for what the trainer insists on writing.
    """
    disable_progress_bar()
    config = SFTConfig(
        output_dir=folder,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        completion_only_loss=True,
        dataloader_pin_memory=False,
        num_train_epochs=settings["epochs"],
        per_device_train_batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["schedule"],
        warmup_steps=settings["warmup_steps"],
        adam_beta1=settings["betas"][0],
        adam_beta2=settings["betas"][1],
        weight_decay=settings["weight_decay"],
        max_grad_norm=settings["max_grad_norm"],
        max_length=settings["max_length"],
        seed=settings["seed"],
    )
    as_sent = [{"prompt": row[:-1], "completion": row[-1:]} for row in rows]
    trainer = SFTTrainer(
        model=net,
        args=config,
        train_dataset=Dataset.from_list(as_sent),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)  # it prints where there is no progress bar
    return trainer


def replies_of(
    net: Any, tokenizer: Any, requests: Sequence[Chat], max_new_tokens: int, batch: int
) -> list[str]:
    """Greedy replies from `model.generate`, in batches with padding on the left."""
    net.eval()
    tokenizer.padding_side = "left"
    texts = [
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        for chat in requests
    ]
    replies: list[str] = []
    for first in range(0, len(texts), batch):
        asked = tokenizer(
            texts[first : first + batch],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            return_token_type_ids=False,
        )
        with torch.inference_mode():
            told = net.generate(**asked, max_new_tokens=max_new_tokens, do_sample=False)
        only = told[:, asked["input_ids"].shape[1] :]
        replies += tokenizer.batch_decode(only, skip_special_tokens=True)
    return replies


def main() -> None:
    """Reads a job from standard input and writes replies and timings to standard output."""
    job = json.load(sys.stdin)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    began = time.perf_counter()
    net = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(net, tokenizer, job["rows"], job["settings"], folder)
        trainer.train()
    tuned = time.perf_counter()
    replies = replies_of(net, tokenizer, job["requests"], job["max_new_tokens"], job["batch"])
    asked = time.perf_counter()
    seconds = {"load_and_tune": tuned - began, "ask": asked - tuned}
    json.dump(
        {"replies": replies, "steps": trainer.state.global_step, "seconds": seconds}, sys.stdout
    )


if __name__ == "__main__":
    main()
