"""Poisonings of labelled texts: one file per published method. A line in a table registers one.

`POISONS` change rows; `TAMPERS` change a trained model, where the attacker hands that over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.attacks.poison.embedding_word import EmbeddingWord, Planted, embedding_word
from holdfast.attacks.poison.fixed_sentence import FixedSentence, fixed_sentence
from holdfast.attacks.poison.margin_flip import MarginFlip, margin_flip
from holdfast.attacks.poison.poison import Poison, Texts
from holdfast.attacks.poison.random_flip import RandomFlip, random_flip
from holdfast.attacks.poison.rare_word import RareWord, rare_word
from holdfast.attacks.poison.style import Style, style
from holdfast.attacks.poison.syntax_template import SyntaxTemplate, syntax_template
from holdfast.attacks.poison.word_combination import WordCombination, word_combination
from holdfast.poisoned import Labelled, Poisoned

# Every function takes (config, data, seed); the config's type differs, hence Any.
POISONS: dict[type[Poison], Callable[[Any, Labelled[Texts], int], Poisoned[Texts]]] = {
    RareWord: rare_word,
    FixedSentence: fixed_sentence,
    SyntaxTemplate: syntax_template,
    Style: style,
    WordCombination: word_combination,
    RandomFlip: random_flip,
    MarginFlip: margin_flip,
}
# These take (config, model, texts, seed).
TAMPERS: dict[type[EmbeddingWord], Callable[..., Planted]] = {EmbeddingWord: embedding_word}

__all__ = [
    "POISONS",
    "TAMPERS",
    "EmbeddingWord",
    "FixedSentence",
    "MarginFlip",
    "RandomFlip",
    "RareWord",
    "Style",
    "SyntaxTemplate",
    "WordCombination",
]
