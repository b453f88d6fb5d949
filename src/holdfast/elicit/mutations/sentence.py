"""What the mutations know of English: how a sentence opens, and how to wrap and reword it.

A capital letter at the start of a sentence may belong to a name or to any other word. The
rule here, for rewording and for the languages alike: the first word of a sentence is an
ordinary word if its lower-case form is in the closed list `OPENERS`, and a name otherwise.
Anywhere else a capital letter marks a name.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

_IMPERATIVES = """
    add answer choose confirm copy count define describe disclose draw enumerate explain find
    give help identify let list make name outline please point put quote read recite recount
    remind repeat reveal say set share show sing solve speak spell state summarise supply take
    teach tell translate use write compute calculate check classify complete continue sort
    rewrite compare
    """
IMPERATIVES = frozenset(re.findall(r"\w+", _IMPERATIVES))
QUESTION_WORDS = frozenset(("what", "which", "who", "whom", "whose", "when", "where", "why", "how"))
_OTHERS = """
    a about above according after again ah all almost already also although always among an and
    another any anyone apart are as ask asking at aye be because before begin behind below
    beneath beside besides between beyond both bring but by can certainly clearly come could did
    do does don during each either enough even ever every everyone everything false few finally
    first follow following for forgive from gladly go going good had happily happy has have he
    hello her here his hold however if in indeed inside instead into is it its just keep keepers
    kindly knowing known last later legend listen look many may might mind most much must my
    neither never next no nobody none nor not nothing now of often old on once one only open or
    other our out over people perhaps press pull push really regarding remember right sadly
    second see several she should simply since sit so some someone sorry speaking start still
    such sure surely thank that the their then there therefore these they third this those three
    through thus to together true turn two under unfortunately unless until up very was we well
    were whenever whether while will with within without would yes yet you your
    """
OPENERS = IMPERATIVES | QUESTION_WORDS | frozenset(re.findall(r"\w+", _OTHERS))

NO_WORDS: Mapping[str, str] = MappingProxyType({})

_FIRST = re.compile(r"[^\W\d_]+")
_END = re.compile(r"[.!?]+[\"')\]]*\s*$")
_BREAK = re.compile(r"(?<=[.!?])\s+")


def first_word(text: str) -> str:
    """The first word in lower case, or "" where there is none."""
    found = _FIRST.search(text)
    return found.group().lower() if found else ""


def lower_first(text: str) -> str:
    """`text` ready to stand inside a sentence: its opener in lower case, a name as it was."""
    found = _FIRST.search(text)
    if not found or found.group().lower() not in OPENERS:
        return text
    at = found.start()
    return text[:at] + text[at].lower() + text[at + 1 :]


def upper_first(text: str) -> str:
    """`text` with a capital on its first letter."""
    found = _FIRST.search(text)
    if not found:
        return text
    at = found.start()
    return text[:at] + text[at].upper() + text[at + 1 :]


def closed(text: str) -> str:
    """`text` with a full stop if it ends in no mark."""
    return text if _END.search(text) else text.rstrip() + "."


def as_question(text: str) -> str:
    """`text` ending in a question mark instead of its own mark."""
    return _END.sub("", text).rstrip() + "?"


def first_sentence(text: str) -> tuple[str, str]:
    """`text` cut after its first sentence; the second part is "" or starts with a space."""
    parts = _BREAK.split(text, maxsplit=1)
    return (parts[0], " " + parts[1]) if len(parts) == 2 else (text, "")


def wrap(
    request: str, wordings: Sequence[str], rng: random.Random, words: Mapping[str, str] = NO_WORDS
) -> str:
    """Puts the request into a wording drawn from `wordings`.

    Args:
        request: One or more sentences.
        wordings: Each holds one place: `{S}` for the request as a sentence of its own,
            `{s}` for the request in the middle of a sentence.
        rng: Drawn from once.
        words: Words and phrases to replace in the request, all in lower case.
    """
    inner = lower_first(request)
    opens_with_name = inner == request
    inner = reword(inner, words)
    wording = rng.choice(wordings)
    before, whole, after = wording.partition("{S}")
    if whole:
        sentence = inner if opens_with_name else upper_first(inner)
        return before + (closed(sentence) if after else sentence) + after
    before, _, after = wording.partition("{s}")
    return before + inner + after


def reword(text: str, words: Mapping[str, str]) -> str:
    """Replaces words and phrases, longest first; words with a capital letter never match."""
    if not words:
        return text
    phrases = "|".join(re.escape(phrase) for phrase in sorted(words, key=len, reverse=True))
    return re.sub(rf"(?<![\w'-])(?:{phrases})(?![\w'-])", lambda found: words[found.group()], text)
