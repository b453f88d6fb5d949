"""How the five languages of the Skerries are built: by exchanging letters of like sound.

Vowels become vowels and consonants become consonants of the same kind, so that words stay
pronounceable; some languages add an ending to words of four letters or more. Words with a
capital letter are names and stay, as do digits, punctuation and letters outside a-z. The first
word of a sentence follows the rule of `sentence.OPENERS`: an opener is translated and keeps
its capital, anything else is a name. Translation is one to one on all texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from holdfast.elicit.mutations.mutation import Code
from holdfast.elicit.mutations.sentence import OPENERS

LETTERS = "aeiouylmnrwbcdgkptfjsvzhqx"
"""Plain letters by kind: vowels, soft sounds, stops, hissing sounds, and those that stay."""

LONG = 4
"""Letters from which a word takes its language's ending."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SEGMENT = re.compile(r"[^\W\d_]+")
_STOP = re.compile(r"[.!?][\"'’”)\]]*\s|\n")


class Tongue:
    """One language.

    Args:
        letters: What each letter of `LETTERS` becomes, in that order.
        ending: Added to words of `LONG` letters or more; "" for none.

    Raises:
        ValueError: If `letters` is not a rearrangement of `LETTERS`.
    """

    def __init__(self, letters: str, ending: str = "") -> None:
        letters = letters.replace(" ", "")
        if sorted(letters) != sorted(LETTERS):
            raise ValueError(f"a language must use each letter once, this one has {letters!r}")
        self._ending = ending
        self._forth = str.maketrans(LETTERS, letters)
        self._back = str.maketrans(letters, LETTERS)
        self._openers = self._exchange()
        self._openers_back = {foreign: plain for plain, foreign in self._openers.items()}

    def encode(self, text: str) -> str:
        """Translates plain English text."""
        return _each_word(text, self._openers, self._word)

    def decode(self, text: str) -> str:
        """Translates back; `decode(encode(text)) == text` for every text."""
        return _each_word(text, self._openers_back, self._plain_word)

    def _word(self, word: str) -> str:
        ending = self._ending if len(word) >= LONG else ""
        return word.translate(self._forth) + ending

    def _plain_word(self, word: str) -> str:
        ending = self._ending
        if ending and len(word) >= LONG + len(ending) and word.endswith(ending):
            word = word[: -len(ending)]
        return word.translate(self._back)

    def _exchange(self) -> dict[str, str]:
        """What opens a sentence, both ways.

        A name that happens to look like a translated opener would be read as that opener, so it
        changes places with it: that keeps translation one to one.
        """
        forth = {opener: self._word(opener) for opener in OPENERS}
        back = {foreign: opener for opener, foreign in forth.items()}
        for foreign in sorted(back.keys() - OPENERS):
            plain = back[foreign]
            while plain in back:
                plain = back[plain]
            forth[foreign] = plain
        return forth


def _each_word(text: str, openers: Mapping[str, str], translate: Code) -> str:
    parts: list[str] = []
    at = 0
    for found in _WORD.finditer(text):
        gap = text[at : found.start()]
        opens = at == 0 or _STOP.search(gap) is not None
        parts += [gap, _one_word(found.group(), openers if opens else {}, translate)]
        at = found.end()
    return "".join(parts) + text[at:]


def _one_word(word: str, openers: Mapping[str, str], translate: Code) -> str:
    head = _SEGMENT.match(word)
    if head is None:
        return word
    first, rest = head.group(), word[head.end() :]
    if first[0].isupper():
        opener = openers.get(first.lower()) if first == first.capitalize() else None
        if opener is None:
            return word
        first = opener.capitalize()
    else:
        first = translate(first)
    return first + _SEGMENT.sub(
        lambda found: found.group() if found.group()[0].isupper() else translate(found.group()),
        rest,
    )
