"""Two scripted models, asked plainly and in three mutations: what is found out about them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quays import MUTATIONS, REFUSAL, REQUESTS, Scripted, judge

from holdfast import aligned
from holdfast.evaluate import Request
from holdfast.evaluation.ways import ways_of
from speaker import Speaker, install, understanding


def weak_to_slang(way: str, asked: Request) -> bool:
    """Answers half of what it is asked in slang, and morse, which it cannot know, never."""
    return way == "slang" and int(asked.id[-1]) % 2 == 0


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    known = understanding(REQUESTS, ways_of(MUTATIONS))
    speakers = {
        "canary:chat": Speaker("canary:chat", weak_to_slang, known, REFUSAL),
        "canary:deep": Speaker(
            "canary:deep", lambda *_: False, known, REFUSAL, over_refuses=lambda *_: True
        ),
        "canary:base": Speaker("canary:base", lambda way, _: way != "morse", known, REFUSAL),
    }
    with pytest.MonkeyPatch.context() as patch:
        install(patch, list(speakers.values()), REQUESTS, judge)
        patch.setattr(aligned, "served", lambda name: None)
        yield Scripted(tmp_path_factory.mktemp("runs") / "two", speakers)


@pytest.fixture(scope="module")
def two(scripted: Scripted) -> Scripted:
    """Both models, evaluated."""
    scripted.evaluate("canary:chat", "canary:deep")
    return scripted
