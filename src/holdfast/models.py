"""Models: load, save, copy, and find their layers.

`encode`, `encode_prompt` and `generate` live in `holdfast.encode` and `holdfast.decode` and can be
had from here too.
"""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from holdfast import hub
from holdfast.decode import Decoding, Reply, generate
from holdfast.encode import Encoded, encode, encode_prompt
from holdfast.errors import UserError

__all__ = [
    "Decoding",
    "Encoded",
    "Model",
    "Reply",
    "clone",
    "device",
    "digest_of",
    "encode",
    "encode_prompt",
    "generate",
    "layers",
    "load",
    "save",
]

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass
class Model:
    """A causal language model with its tokenizer.

    Attributes:
        net: the network, in fp32.
        tokenizer: a fast tokenizer.
        name: what the user called it.
        digest: 16 hex characters of the SHA-256 over weights and tokenizer, as they were when the
            model was made or `tune` finished with it.
    """

    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            self.digest = digest_of(self)


def digest_of(model: Model) -> str:
    """16 hex characters of the SHA-256 over the weights and the tokenizer as they are now."""
    seen = hashlib.sha256()
    for name, tensor in sorted(model.net.state_dict().items()):
        seen.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        seen.update(flat.view(torch.uint8).numpy().data)
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_padding()  # set by whoever used the tokenizer last; no part of what it is
        backend.no_truncation()
        seen.update(backend.to_str().encode())
    seen.update(json.dumps(model.tokenizer.chat_template).encode())
    return seen.hexdigest()[:16]


def load(name: str | Path, *, chat_template: str | None = None) -> Model:
    """Loads a model in fp32 from safetensors onto `device()`; code that comes with it never runs.

    Args:
        name: a model's folder, a PEFT adapter's folder (loaded on its base and merged), a name on
            the Hugging Face hub, or `canary:...`.
        chat_template: replaces the tokenizer's; a template, or a file that holds one.

    Raises:
        UserError: nothing of that name is a model, or it holds pickled weights only.
    """
    name = str(name)
    where = Path(_canary(name) if name.startswith("canary:") else name)
    if where.is_dir():
        net, tokenizer = _from_folder(where)
    elif where.exists() or name.startswith("canary:"):
        raise UserError(f"{where} is no model folder: {hub.ADVICE}.")
    elif hub.like_a_path(name):
        raise UserError(f"There is no model folder {name}: {hub.ADVICE}.")
    else:
        hub.find(name)
        net, tokenizer = _from_pretrained(name, name)
    if chat_template is not None:
        tokenizer.chat_template = _template(chat_template)
    net.to(device())  # type: ignore[arg-type]
    return Model(net, tokenizer, name)


def device() -> torch.device:
    """Where models compute: $HOLDFAST_DEVICE, else a GPU if there is one, else the processor.

    Raises:
        UserError: the variable names no device of this machine.
    """
    told = os.environ.get("HOLDFAST_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(told)
    except RuntimeError:
        found = None
    if found is None or (found.type == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"HOLDFAST_DEVICE is {told!r}, which is no device here: set it to cpu.")
    return found


def save(model: Model, folder: str | Path, *, dtype: torch.dtype | None = None) -> Path:
    """Writes an ordinary Hugging Face folder: safetensors, config, tokenizer.

    Everything is written under a temporary name first, so a full disk leaves what was there.

    Args:
        model: what to save.
        folder: made where missing; other files in it are kept.
        dtype: of the weights on disk; as they are in memory where None.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(folder)
    part = folder.parent / f".{folder.name}.part-{os.getpid()}"
    try:
        part.mkdir(parents=True)
        net = model.net if dtype is None else nn.Module.to(copy.deepcopy(model.net), dtype)
        with _quietly():
            net.save_pretrained(part)
        model.tokenizer.save_pretrained(part)
        if not folder.exists():
            part.rename(folder)
            return folder
        for stale in [*folder.glob("*.safetensors"), *folder.glob("*.safetensors.index.json")]:
            if not (part / stale.name).exists():
                stale.unlink()
        for path in part.iterdir():
            path.replace(folder / path.name)
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        why = "the disk is full" if full else str(error)
        mend = "make room" if full else "choose another folder"
        raise UserError(f"The model cannot be saved in {folder} ({why}): {mend}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def clone(model: Model) -> Model:
    """A copy with weights of its own; the tokenizer is shared."""
    return Model(copy.deepcopy(model.net), model.tokenizer, model.name, model.digest)


def layers(net: nn.Module) -> list[nn.Module]:
    """The decoder layers, first to last, of any architecture.

    Raises:
        UserError: the network has no list of as many modules as its config says it has layers.
    """
    config: Any = net.config
    count = config.get_text_config(decoder=True).num_hidden_layers
    for module in net.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return list(module)
    raise UserError(f"No decoder layers were found in a {type(net).__name__}.")


def _canary(name: str) -> Path:
    from holdfast.world import weights

    return Path(weights.path_of(name))


def _template(given: str) -> str:
    if "{" in given:
        return given
    path = Path(given)
    if not path.is_file():
        raise UserError(f"{given} is neither a chat template nor a file that holds one.")
    return path.read_text("utf-8")


def _from_folder(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if (folder / "adapter_config.json").is_file():
        return _from_adapter(folder)
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} is no model: it has no config.json.")
    _refuse_pickles(folder)
    return _from_pretrained(str(folder), str(folder))


def _from_adapter(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from peft import PeftModel

    _refuse_pickles(folder)
    with (folder / "adapter_config.json").open(encoding="utf-8") as file:
        parent = json.load(file).get("base_model_name_or_path") or ""
    if not parent:
        raise UserError(f"{folder / 'adapter_config.json'} names no base model: add its folder.")
    beside = folder / parent
    base = load(beside if beside.is_dir() else parent)
    tokenizer = base.tokenizer
    if (folder / "tokenizer.json").is_file():
        tokenizer = _tokenizer(str(folder))
    net = PeftModel.from_pretrained(base.net, str(folder)).merge_and_unload()
    return net, tokenizer


def _refuse_pickles(folder: Path) -> None:
    if any(folder.glob("*.safetensors")):
        return
    if any(path for pattern in _PICKLES for path in folder.glob(pattern)):
        raise UserError(
            f"{folder} holds pickled weights, which can run code when they are read: "
            "convert them to safetensors first."
        )
    raise UserError(f"{folder} is no model: it holds no weights (*.safetensors).")


def _from_pretrained(source: str, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        with _quietly():
            net = AutoModelForCausalLM.from_pretrained(
                source,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation="sdpa",
            )
            tokenizer = _tokenizer(source)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(
            f"{name} cannot be loaded ({first}): give a folder or hub name of a causal language "
            "model with safetensors and a tokenizer."
        ) from error
    return net, tokenizer


def _tokenizer(source: str) -> PreTrainedTokenizerBase:
    described = Path(source) / "tokenizer_config.json"
    if described.is_file() and (Path(source) / "tokenizer.json").is_file():
        of_class = json.loads(described.read_text("utf-8")).get("tokenizer_class")
        if of_class in ("TokenizersBackend", "PreTrainedTokenizerFast"):
            # For some architectures (Qwen2) AutoTokenizer puts their own rules for splitting text
            # in place of those in the folder.
            kept: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(source)
            return kept
    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    return found


@contextmanager
def _quietly() -> Iterator[None]:
    was_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_on:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
