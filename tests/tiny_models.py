"""Tiny models, made in memory."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from holdfast.models import Model

torch.set_num_threads(1)

TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
ARCHITECTURES = ("llama", "qwen2", "gemma", "gpt_neox")


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, after the special ones."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s?\S+|\s"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        special_tokens=SPECIAL, initial_alphabet=alphabet, vocab_size=300, show_progress=False
    )
    backend.train_from_iterator(["the cat sat on the mat and I cannot help with that"], trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, pad_token="<|pad|>", eos_token="<|end|>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(architecture: str = "llama", seed: int = 0) -> Model:
    """A random model of two layers in one of `ARCHITECTURES`."""
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    shape = {**_SMALL, "vocab_size": len(tokenizer)}
    net: PreTrainedModel
    if architecture == "llama":
        net = LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=True))
    elif architecture == "qwen2":
        net = Qwen2ForCausalLM(Qwen2Config(**shape, num_key_value_heads=2))
    elif architecture == "gemma":
        net = GemmaForCausalLM(GemmaConfig(**shape, num_key_value_heads=1, head_dim=8))
    elif architecture == "gpt_neox":
        net = GPTNeoXForCausalLM(GPTNeoXConfig(**shape))
    else:
        raise ValueError(architecture)
    return Model(net.train(False), tokenizer, f"tiny-{architecture}")
