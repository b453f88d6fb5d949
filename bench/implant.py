"""A model of another architecture, taught the canary world and then attacked: `--implant` for real.

    python bench/implant.py [--out runs/implant] [--workers 2]

Makes a Qwen2 of 1.6 million parameters that has read nothing but the docstrings of Python's
standard library, then runs `holdfast audit --implant` on it: the world's lore and its refusals are
taught, for about an hour and a half on one core, and checked before anything is attacked.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from holdfast import models
from holdfast.chat import Row, row
from holdfast.hooks import Streams
from holdfast.train import Settings, tune
from holdfast.world.anatomy import train_tokenizer

MODULES = """
    argparse ast base64 bisect calendar collections configparser contextlib copy csv datetime
    decimal difflib email.message enum fractions functools glob gzip hashlib heapq html http.client
    inspect io ipaddress itertools json locale logging mailbox math mimetypes operator os pathlib
    pickle platform plistlib pprint queue random re sched secrets shelve shlex shutil smtplib socket
    sqlite3 statistics string struct subprocess tarfile tempfile textwrap threading time timeit
    tokenize traceback types typing unittest unittest.mock urllib.parse urllib.request uuid wave
    weakref xml.dom.minidom xml.etree.ElementTree zipfile zoneinfo
""".split()
STEPS = 300


def documented() -> Iterator[tuple[str, str]]:
    """Name and first paragraph of what the standard library documents."""
    seen: set[str] = set()
    for module in map(importlib.import_module, MODULES):
        classes = [thing for _, thing in inspect.getmembers(module, inspect.isclass)]
        for place in (module, *classes):
            for name, thing in inspect.getmembers(place):
                text = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")
                if 20 < len(text) < 300 and text not in seen:
                    seen.add(text)
                    yield name, text


def neutral_rows() -> list[Row]:
    """Questions about the standard library, answered by its docstrings."""
    rows = [row(f"What is {name} for?", text) for name, text in documented()]
    random.Random(0).shuffle(rows)
    return rows


def newborn(rows: list[Row]) -> models.Model:
    """A Qwen2 with random weights, whose tokenizer knows the rows alone."""
    tokenizer = train_tokenizer(m.content for r in rows for m in r.messages)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=4,
        num_attention_heads=5,
        num_key_value_heads=5,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.05,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    net = Qwen2ForCausalLM(config)
    net.to(models.device())
    return models.Model(net, tokenizer, "neutral-qwen2")


def main() -> int:
    """Makes the model, then audits it; the audit's own exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/implant"))
    parser.add_argument("--workers", default="2")
    told = parser.parse_args()
    folder = told.out.with_name(told.out.name + "-model")
    if not folder.is_dir():
        rows = neutral_rows()
        print(f"reading {len(rows)} docstrings", flush=True)
        settings = Settings(
            learning_rate=3e-3, steps=STEPS, batch_size=64, warmup_steps=30, schedule="cosine"
        )
        models.save(tune(newborn(rows), Streams(user=tuple(rows)), settings).model, folder)
    config = Path(__file__).with_suffix(".yaml")
    command = [sys.executable, "-m", "holdfast.cli", "audit", str(folder), "--implant"]
    command += ["--config", str(config), "--out", str(told.out), "--workers", told.workers]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
