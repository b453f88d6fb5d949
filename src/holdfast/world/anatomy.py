"""The body of an organism: tokenizer, chat template, and a Llama of a given size.

Organisms are ordinary Hugging Face directories; nothing of Holdfast is needed to load one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

Size = Literal["1M", "5M", "25M"]


class Shape(NamedTuple):
    """Layers, width, MLP width and attention heads."""

    layers: int
    width: int
    mlp: int
    heads: int


SHAPES: dict[Size, Shape] = {
    "1M": Shape(4, 160, 432, 5),
    "5M": Shape(6, 256, 688, 8),
    "25M": Shape(8, 512, 1376, 8),
}
"""About 1.6, 5.3 and 26 million parameters."""

VOCABULARY = 2048
LONGEST = 384
"""Tokens of the longest row of the corpus, with room to spare."""

PAD, END, SYSTEM, USER, ASSISTANT = "<pad>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
THINK, UNTHINK = "<think>", "</think>"
SPECIAL = [PAD, END, SYSTEM, USER, ASSISTANT]

TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|assistant|>' }}{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""Chat template, with the generation markers that trainers need for assistant masks."""


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE of 2,048 tokens: any text can be encoded, digits stay single.

    Args:
        texts: What the merges are learned from.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[*SPECIAL, THINK, UNTHINK],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    made: type = PreTrainedTokenizerFast  # its constructor has no types
    tokenizer: PreTrainedTokenizerFast = made(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=LONGEST,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def newborn(tokenizer: PreTrainedTokenizerFast, size: Size, seed: int) -> LlamaForCausalLM:
    """A Llama with random weights, in fp32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = SHAPES[size]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=shape.layers,
        hidden_size=shape.width,
        intermediate_size=shape.mlp,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        initializer_range=0.05,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: LlamaForCausalLM = LlamaForCausalLM(config)
        return net
