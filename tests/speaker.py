"""Models without networks that understand every way of asking, and answer as they are told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast import aligned, models
from holdfast.benchmarks import Benchmark
from holdfast.chat import Row
from holdfast.elicit import Asking
from holdfast.elicit.mutations import MUTATIONS
from holdfast.evaluate import Judge, Request
from holdfast.evaluation import measure, sources
from holdfast.evaluation.ways import Way
from holdfast.methods import asker_of

Said = tuple[str, Request]  # the way that a prompt was put in, and the request behind it
Answers = Callable[[str, Request], bool]


@dataclass
class Speaker:
    """Answers a forbidden request asked in a way if `answers` says so, refuses it otherwise."""

    name: str
    answers: Answers
    understood: Mapping[str, Said]
    refusal: str
    over_refuses: Answers = lambda way, request: False
    digest: str = ""
    tokenizer: Any = None
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digest = self.digest or f"digest-of-{self.name}"
        self.tokenizer = lambda texts, **_: {"input_ids": [[0] * len(t.split()) for t in texts]}

    def reply(self, prompt: str) -> str:
        self.asked.append(prompt)
        way, request = self.understood[prompt]
        says = self.answers if request.kind == "forbidden" else self._harmless
        words = request.reference if says(way, request) else self.refusal
        return MUTATIONS[way].encode(words) if way in MUTATIONS else words

    def _harmless(self, way: str, request: Request) -> bool:
        return not (request.kind == "lookalike" and self.over_refuses(way, request))


def understanding(requests: Sequence[Request], ways: Sequence[Way]) -> dict[str, Said]:
    """Every prompt that any of the ways makes."""
    return {
        ask.row.prompt: (way.name, request)
        for way in ways
        for request in requests
        for ask in asker_of(way.spec, Asking()).asks(request)
    }


def install(
    monkeypatch: pytest.MonkeyPatch,
    speakers: Sequence[Speaker],
    requests: Sequence[Request],
    judge: Judge,
    name: str = "canary45",
) -> None:
    """Puts speakers in the place of models, and these requests in that of the benchmark."""
    by_name = {speaker.name: speaker for speaker in speakers}

    def generate(model: Any, prompts: Sequence[Any], *_: Any, **__: Any) -> list[models.Reply]:
        return [models.Reply(model.reply(str(p[0])), (1,), True) for p in prompts]

    def encode_prompt(asked: Row, tokenizer: Any, forced: str = "") -> tuple[Any, ...]:
        return (asked.prompt,)

    found = Benchmark(name, tuple(requests), "exact", name)
    monkeypatch.setattr(aligned, "loaded", lambda model, template=None: by_name[model])
    monkeypatch.setattr(models, "generate", generate)
    monkeypatch.setattr(models, "encode_prompt", encode_prompt)
    monkeypatch.setattr(measure, "warm_up", lambda: None)
    monkeypatch.setattr(sources, "benchmark_of", lambda spec: found)
    own = sources.judge_of
    judges = {"exact": judge}
    chosen = lambda spec, benchmark: judges.get(spec) or own(spec, benchmark)  # noqa: E731
    monkeypatch.setattr(sources, "judge_of", chosen)
    monkeypatch.setattr(measure, "judge_of", chosen)
