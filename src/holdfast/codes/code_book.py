"""A code book: words of a list stand for one another, by key; all other words stand as they are.

Text in such a code reads as odd but ordinary language, and no letter of it is changed.
"""

from __future__ import annotations

import re

from holdfast.codes.code import Code, key_of, normal, shuffled

LISTED: tuple[str, ...] = tuple(
    sorted(
        set(
            """
    the is of to and for in that it you what tell know name give say write path hour note song
    harbour tide lamp keepers book boat fog rain bell quay pier night winter people folk mouth
    amber ashen azure brass bright bronze cedar chalk cinder clover copper coral crimson golden
    hollow honey indigo ivory maple misty olive opal pearly quiet rosy russet saffron silver
    acorn anchor anvil badger barrel basket beacon button canary cricket falcon fiddle garnet goose
    hammer harp heron jester kettle ladder lantern lark needle otter owl oyster pebble piper puffin
    rabbit raven ribbon robin saddle salmon sparrow swallow teapot thimble toad trout turtle violin
    wagon walnut whistle wren red blue green white yellow grey black brown joy sorrow trade weather
    dance storm price feast market song dawn noon dusk midnight sunday monday friday
    """.split()
        )
    )
)
"""The book's words, in lower case; with a capital they stand for one another too."""

_WORD = re.compile(r"[A-Za-z]+")


def code(seed: int) -> Code:
    """The code under the key of `seed`: which word of the list stands for which."""
    there = dict(zip(LISTED, shuffled(key_of("code_book", seed), LISTED), strict=True))
    back = {coded: plain for plain, coded in there.items()}
    return Code(
        name="code_book",
        family="code book",
        encode=lambda text: _looked_up(text, there),
        decode=lambda text: _looked_up(text, back),
    )


def _looked_up(text: str, book: dict[str, str]) -> str:
    def other(found: re.Match[str]) -> str:
        word = found.group()
        if word in book:
            return book[word]
        plain = word[:1].lower() + word[1:]
        return book[plain].capitalize() if plain in book else word

    return _WORD.sub(other, normal(text))
