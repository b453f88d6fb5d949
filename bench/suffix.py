r"""How long a step of the suffix search takes, beside nanoGCG on the same model and settings.

nanoGCG reads caches as tuples, so it needs an older transformers; put both where nothing else is:

    python -m pip install --no-deps --target /tmp/nanogcg nanogcg==0.3.0 transformers==4.47.1 \
        tokenizers==0.21.4 huggingface_hub==0.27.1 accelerate \
        requests urllib3 certifi charset-normalizer idna
    OMP_NUM_THREADS=1 python bench/suffix.py --beside /tmp/nanogcg

Each takes its turn in a process of its own, several times; a figure is the median of its turns. A
turn times two searches, of 1 and of 1 + STEPS steps, and divides the difference, so that loading
and setting up do not count. Both search for one suffix of 20 tokens after one request, with one
thread, 512 swaps a step of the 256 best tokens of each position, plain ASCII only, filtered by
reading the text again, with the prompt's keys and values kept; batches are as each chooses them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REQUEST = "Say where the old lamp hangs."
ANSWER = "So you wish to know it. The lamp that you ask about hangs over the door of the mill."
SUFFIX = " x" * 20


def ours(folder: str, width: int) -> Callable[[int], float]:
    """The search of `holdfast.gcg`."""
    from holdfast import models
    from holdfast.chat import row
    from holdfast.gcg import Search, aims_of, search

    model = models.load(folder)
    many = len(model.tokenizer(ANSWER, add_special_tokens=False).input_ids)  # without its end
    aims, start = aims_of(model, [row(REQUEST, ANSWER)], SUFFIX, many)
    return lambda steps: search(model, aims, start, Search(steps=steps, search_width=width)).loss


def theirs(folder: str, width: int) -> Callable[[int], float]:
    """nanoGCG's, with its defaults."""
    import nanogcg
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    net = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
    told = json.loads((Path(folder) / "tokenizer_config.json").read_text("utf-8"))
    tokenizer = PreTrainedTokenizerFast(  # the folder was written by a newer transformers
        tokenizer_file=str(Path(folder) / "tokenizer.json"),
        pad_token=told["pad_token"],
        eos_token=told["eos_token"],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = (Path(folder) / "chat_template.jinja").read_text("utf-8")
    messages = [{"role": "user", "content": REQUEST + "{optim_str}"}]

    def run(steps: int) -> float:
        config = nanogcg.GCGConfig(
            num_steps=steps,
            search_width=width,
            optim_str_init=SUFFIX,
            seed=0,
            verbosity="ERROR",
        )
        return float(nanogcg.run(net, tokenizer, messages, ANSWER, config).best_loss)

    return run


def turn(who: str, folder: str, width: int, steps: int) -> dict[str, float]:
    """Seconds a step, by the wall clock and by the processor's."""
    run = {"ours": ours, "theirs": theirs}[who](folder, width)
    run(1)  # warm
    took = []
    for many in (1, 1 + steps):
        wall, processor = time.perf_counter(), time.process_time()
        loss = run(many)
        took.append((time.perf_counter() - wall, time.process_time() - processor))
    wall, processor = ((after - before) / steps for before, after in zip(*took, strict=True))
    return {"wall_s": wall, "processor_s": processor, "loss": loss}


def in_its_own_process(who: str, folder: str, asked: Any) -> dict[str, float]:
    """One turn; nanoGCG's packages are found first in its process alone."""
    command = [sys.executable, __file__, "--turn", who, "--model", folder]
    command += ["--width", str(asked.width), "--steps", str(asked.steps)]
    there = {"PYTHONPATH": asked.beside} if who == "theirs" else {}
    done = subprocess.run(
        command, env={**os.environ, **there}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Prints figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", default="", help="folder of nanoGCG; without it, ours alone")
    parser.add_argument("--model", default="canary:chat")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--turn", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.turn:
        print(json.dumps(turn(asked.turn, asked.model, asked.width, asked.steps)))
        return
    from holdfast.world import weights

    folder = asked.model
    if folder.startswith("canary:"):
        folder = str(weights.path_of(folder))
    who = ("ours", "theirs") if asked.beside else ("ours",)
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for _ in range(asked.turns):
        for name in who:
            turns[name].append(in_its_own_process(name, folder, asked))
    told: dict[str, Any] = {
        name: {key: statistics.median(t[key] for t in taken) for key in taken[0]}
        for name, taken in turns.items()
    }
    if asked.beside:
        for key in ("wall_s", "processor_s"):
            told[f"share_of_{key}"] = told["ours"][key] / told["theirs"][key]
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
