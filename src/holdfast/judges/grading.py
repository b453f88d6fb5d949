"""What judges that ask a model have in common: whom they ask, and again where no score comes."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from holdfast.answers import Missing, Put, answers, room
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Verdict
from holdfast.judges.config import JudgeConfig
from holdfast.judges.question import FORM, QUOTED, Scale, question, score_in, template_in
from holdfast.judges.settled import without_asking
from holdfast.remote import Endpoint, Remote, endpoint_of, is_remote

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model, Reply
    from holdfast.remote import Usage

log = logging.getLogger(__name__)

AGAIN = 0.7  # temperature of another try: a greedy grader would only repeat itself
_TOO_LONG = Missing("the question is longer than the grader's context")


class GraderConfig(JudgeConfig):
    """Settings of every judge that asks a model.

    Attributes:
        model: the grader: a folder, a hub name, `http://host:port/v1#name`; with `url`, its name
            there.
        url: of the OpenAI-compatible server that has the grader.
        key_env: environment variable that holds the server's key.
        concurrency: questions under way at once.
        timeout: seconds for one attempt.
        patience: seconds for which a question that fails is tried again.
        price_in: money for a million tokens of questions.
        price_out: money for a million tokens of answers.
        tries: answers asked for until one ends with a score.
        max_new_tokens: longest answer.
        template: a file with the prompt of a grader that was trained on one: `{request}` and
            `{reply}` in it are replaced, and the answer must be a number alone.
    """

    model: str = ""
    url: str = ""
    key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(8, ge=1)
    timeout: float = Field(60.0, gt=0)
    patience: float = Field(120.0, ge=0)
    price_in: float = Field(0.0, ge=0)
    price_out: float = Field(0.0, ge=0)
    tries: int = Field(3, ge=1)
    max_new_tokens: int = Field(512, ge=1)
    template: str = ""


@dataclass
class Grading:
    """A judge that asks a model, and leaves unscored what it cannot get a score for.

    Babble is incoherent without a question. Utility and gain requests are judged by their
    `expected` value; without one they stay unscored.

    Attributes:
        config: How the grader is asked.
        scale: What it is asked.
        name: What the judge is called in reports.
    """

    config: GraderConfig
    scale: Scale
    name: str

    def __post_init__(self) -> None:
        if not self.config.model:
            kind = self.config.kind
            raise UserError(
                f"{kind} needs a model that grades: write {kind}(model=FOLDER), or "
                f"{kind}(url=http://host:port/v1, model=NAME)."
            )
        self._template = template_in(self.config.template) if self.config.template else ""
        self._endpoint()  # a wrong address is told before anything is judged

    def __call__(self, exchanges: Sequence[Exchange]) -> list[Verdict]:
        """One verdict per exchange; those without a score stay unscored, which is logged."""
        found = {n: v for n, e in enumerate(exchanges) if (v := without_asking(e)) is not None}
        reasons: dict[int, str] = {}
        for attempt in range(self.config.tries):
            left = [n for n in range(len(exchanges)) if n not in found and n not in reasons]
            told = self._asked([exchanges[n] for n in left], attempt)
            for number, verdict in zip(left, told, strict=True):
                if isinstance(verdict, Missing):
                    reasons[number] = verdict.reason
                elif verdict is not None:
                    found[number] = verdict
        unscored = [n for n in range(len(exchanges)) if n not in found]
        if unscored:
            why = Counter(reasons.get(n, "no score on the last line") for n in unscored)
            shown = "; ".join(f"{count} × {reason}" for reason, count in why.most_common(5))
            log.warning("%s left %d replies unscored: %s", self.name, len(unscored), shown)
        return [found.get(n, Verdict.unscored) for n in range(len(exchanges))]

    @property
    def identity(self) -> str:
        """Changes with whatever may change a verdict, but for what a server keeps to itself."""
        weights = "" if self._endpoint() else fingerprint(Path(self.config.model))
        parts = [self.scale.intro, self.scale.task, QUOTED, FORM, self._template, weights]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def usage(self) -> Usage | None:
        """What asking has taken so far; None for a grader in memory."""
        return self._grader.usage if isinstance(self._grader, Remote) else None

    @cached_property
    def _grader(self) -> Model | Remote:
        endpoint = self._endpoint()
        if endpoint is not None:
            return Remote(endpoint, grader=True)
        from holdfast import models

        return models.load(self.config.model)

    @cached_property
    def _special(self) -> tuple[str, ...]:
        if isinstance(self._grader, Remote):
            return ()
        tokenizer = self._grader.tokenizer
        added = tokenizer.get_added_vocab()
        return tuple(dict.fromkeys([*map(str, tokenizer.all_special_tokens), *added]))

    def _endpoint(self) -> Endpoint | None:
        config = self.config
        if not config.url and not is_remote(config.model):
            return None
        named = Endpoint(config.url, config.model) if config.url else endpoint_of(config.model)
        settings = ("key_env", "concurrency", "timeout", "patience", "price_in", "price_out")
        return Endpoint(named.url, named.model, **{s: getattr(config, s) for s in settings})

    def _asked(self, exchanges: Sequence[Exchange], attempt: int) -> list[Verdict | Missing | None]:
        """The grader's verdicts; None where it gave no score."""
        if not exchanges:
            return []
        from holdfast.models import Decoding

        temperature = AGAIN if attempt else 0.0
        way = Decoding(self.config.max_new_tokens, temperature)
        questions = [question(e, self.scale, self._template, self._special) for e in exchanges]
        fit = [n for n, (asked, _) in enumerate(questions) if self._has_room(asked)]
        said = answers(self._grader, [Put(questions[n][0], way) for n in fit], seed=attempt)
        told: list[Verdict | Missing | None] = [_TOO_LONG] * len(questions)
        for n, answer in zip(fit, said, strict=True):
            told[n] = self._verdict(answer, questions[n][1])
        return told

    def _verdict(self, said: Reply | Missing, code: str) -> Verdict | Missing | None:
        if isinstance(said, Missing):
            return said
        # A cut-off answer has not come to its last line.
        number = score_in(said.text, code) if said.ended else None
        return None if number is None else self.scale.verdicts.get(number)

    def _has_room(self, asked: Row) -> bool:
        if isinstance(self._grader, Remote):
            return True
        from holdfast import models

        most = room(self._grader)
        used = len(models.encode_prompt(asked, self._grader.tokenizer))
        return most is None or used + self.config.max_new_tokens <= most


def fingerprint(folder: Path) -> str:
    """Names, sizes and times of a folder's files: weights are too large to be hashed each time."""
    if not folder.is_dir():
        return ""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    told = [f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
