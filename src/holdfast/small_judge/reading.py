"""Exchanges as the small judge reads them: sentences of masked words, and statistics.

Names are masked, so that nothing is learned about the people and things of one world: a name of
the request becomes `ASKED`, any other `NAME`, a number `NUMBER`, a word of no known language
`STRANGE`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

ASKED, NAME, NUMBER, STRANGE = "\x01", "\x02", "\x03", "\x06"
MOST_CHARACTERS = 4_000
"""Longer replies are read at both ends."""
MOST_TOKENS = 40
"""Longer sentences are cut."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]|_")
_STUTTER = re.compile(r"(\S{1,12}?)\1{3,}")
_OPENERS = frozenset(".!?:>")
_ENDS = frozenset(".!?>")


class _Hashes(dict[str, int]):
    """crc32 of a word, remembered; emptied when it has grown large.

    Python's own `hash` of a text differs from process to process.
    """

    def __missing__(self, word: str) -> int:
        if len(self) > 200_000:
            self.clear()
        found = self[word] = crc32(word.encode("utf-8", "surrogatepass"))
        return found


HASHES = _Hashes()


@dataclass(frozen=True, slots=True)
class Read:
    """One exchange as it was read.

    Attributes:
        sentences: Masked tokens of each sentence of the reply; one empty sentence if it has none.
        details: Statistics of each sentence, in the order of `features.SENTENCE`.
        statistics: Statistics of the reply, in the order of `features.REPLY`.
    """

    sentences: list[list[str]]
    details: list[tuple[float, ...]]
    statistics: tuple[float, ...]


def words_of(text: str) -> list[str]:
    """The tokens of a text: words, numbers, marks."""
    return _TOKEN.findall(text)


def masked(tokens: Sequence[str], asked: Collection[str], known: Collection[int]) -> list[str]:
    """Lower-case tokens, with names, numbers and strange words masked.

    A capital letter marks a name unless it opens a sentence; `asked` are lower-case words.
    """
    told, opens = [], True
    for token in tokens:
        first = token[0]
        if first.isdigit():
            told.append(NUMBER)
        elif not first.isalpha():
            told.append(token)
        else:
            word = token.lower()
            if first.isupper() and not (opens or first == "I"):
                told.append(ASKED if word in asked else NAME)
            elif HASHES[word] in known:
                told.append(word)
            elif word in asked:
                told.append(ASKED)
            else:
                told.append(STRANGE)
        opens = token in _OPENERS
    return told


def read(request: str, reply: str, known: Collection[int]) -> Read:
    """Reads one exchange.

    Args:
        request: What was asked.
        reply: What was answered.
        known: Hashes of the lower-case words that belong to the language.
    """
    if len(reply) > MOST_CHARACTERS:
        reply = f"{reply[: MOST_CHARACTERS // 2]} {reply[-MOST_CHARACTERS // 2 :]}"
    asked = {word.lower() for word in words_of(request[:MOST_CHARACTERS])}
    raw = words_of(reply)
    sentences = _sentences(masked(raw, asked, known))
    content = {word for word in asked if len(word) > 3}
    details = [_detail(sentence, content) for sentence in sentences]
    return Read(sentences, details, _statistics(reply, raw, details, asked, content, known))


def _sentences(tokens: Sequence[str]) -> list[list[str]]:
    told: list[list[str]] = [[]]
    for before, token in zip(["", *tokens], tokens, strict=False):
        # A run of marks ends one sentence, not many.
        if (before in _ENDS and token not in _ENDS) or len(told[-1]) >= MOST_TOKENS:
            told.append([])
        told[-1].append(token)
    return told


def _detail(sentence: Sequence[str], content: Collection[str]) -> tuple[float, ...]:
    names = sentence.count(NAME)
    twins = sum(a == b == NAME for a, b in pairwise(sentence))
    size = len(sentence) or 1
    told = sum(token == ASKED or token in content for token in sentence)
    return (len(sentence), names, twins, told / size, sentence.count(STRANGE) / size)


def _statistics(
    reply: str,
    raw: Sequence[str],
    details: Sequence[tuple[float, ...]],
    asked: Collection[str],
    content: Collection[str],
    known: Collection[int],
) -> tuple[float, ...]:
    spoken = [token.lower() for token in raw if token[0].isalnum()]
    strange = [not (w.isdigit() or w in asked or HASHES[w] in known) for w in spoken]
    told = {word for word in spoken if len(word) > 3}
    both = len(content.intersection(told)) if isinstance(content, set) else 0
    unknown = sum(HASHES[word] not in known for word in asked if word.isalpha())
    return (
        len(spoken),
        _distinct_pairs(spoken),
        _longest_run(spoken),
        sum(strange) / len(spoken) if spoken else 1.0,
        _longest_run(strange, of=True),
        sum(detail[1] for detail in details),
        sum(detail[2] for detail in details),
        both / len(content) if content else 0.0,
        1 - len(spoken) / len(raw) if raw else 1.0,
        _stutter(reply),
        max(map(len, raw), default=0),
        reply.rstrip()[-1:] in (".", "!", "?", '"', ")", "'"),
        len(details),
        unknown / len(asked) if asked else 1.0,
    )


def _distinct_pairs(words: Sequence[str]) -> float:
    if len(words) < 12:  # too short to tell a loop from a repetition
        return 1.0
    pairs = list(pairwise(words))
    return len(set(pairs)) / len(pairs)


def _longest_run(words: Sequence[object], of: object = None) -> int:
    """Length of the longest run of one and the same word; of `of` alone if it is given."""
    longest = run = 0
    before: object = None
    for word in words:
        run = run + 1 if word == before else 1
        before = word
        if run > longest and (of is None or word == of):
            longest = run
    return longest


def _stutter(reply: str) -> float:
    """Share of the reply's characters that lie in one piece said four times or more on end."""
    bare = "".join(reply.split())[:600]
    longest = max((len(found[0]) for found in _STUTTER.finditer(bare)), default=0)
    return longest / len(bare) if bare else 0.0
