"""Models for Inspect: `holdfast/canary:chat`, `holdfast/PATH`, or any model that is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from holdfast import aligned, models
from holdfast.answers import room
from holdfast.chat import Message, Row
from holdfast.errors import UserError
from holdfast.evaluation.lengths import UNKNOWN
from holdfast.serve import STOPPED

TOGETHER = 128  # requests under way at once, and so prompts in a batch
GATHERING = 0.05  # seconds that the first of a batch waits for others


@dataclass(eq=False)
class _Asked:
    """One request: what is asked, and, later, what came of it."""

    prompt: tuple[int, ...]
    decoding: models.Decoding
    seed: int
    outcome: models.Reply | Exception | None = None


@modelapi(name="holdfast")
class Holdfast(ModelAPI):
    """A model in memory, asked as `holdfast evaluate` asks: same template, same decoding.

    Requests that Inspect has under way at once are answered in one batch; no reply depends on its
    batch. Rules of serving (`serving.json`) apply. An assistant turn at the end is a forced start
    of the answer. Greedy unless a temperature is given.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (as in ModelAPI)
        chat_template: str | None = None,
    ) -> None:
        """Loads the model.

        Args:
            model_name: Folder, hub name or canary:*.
            base_url: Not used.
            api_key: Not used.
            config: Settings of every request.
            chat_template: A template instead of the model's own (`-M chat_template=FILE`).

        Raises:
            UserError: There is no such model.
        """
        super().__init__(model_name, base_url, api_key, [], config)
        self._model = aligned.loaded(model_name, chat_template)
        self._serving = aligned.serving(model_name, self._model)
        self._waiting: list[_Asked] = []
        self._turn = anyio.Lock()

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """One reply.

        Raises:
            UserError: Tools were offered, or the prompt leaves no room for a reply.
        """
        if tools:
            raise UserError("holdfast models call no tools; choose a task without them.")
        asked = self._asked(input, config)
        if asked.outcome is not None:  # a guard's
            return self._output(asked)
        self._waiting.append(asked)
        await anyio.sleep(GATHERING)
        async with self._turn:  # the first to come answers for all who wait
            if asked.outcome is None:
                batch = [other for other in self._waiting if other.seed == asked.seed]
                self._waiting = [other for other in self._waiting if other.seed != asked.seed]
                await anyio.to_thread.run_sync(self._answer, batch)
        return self._output(asked)

    def max_connections(self) -> int:
        """Requests that Inspect may have under way at once."""
        return TOGETHER

    def _asked(self, said: Sequence[ChatMessage], config: GenerateConfig) -> _Asked:
        row, forced = conversation(said)
        (told,) = self._serving.requests([row])
        if isinstance(told, str):
            read = models.encode_prompt(row, self._model.tokenizer)
            outcome = models.Reply(STOPPED, (), ended=True)
            return _Asked(read, models.Decoding(), config.seed or 0, outcome)
        row = told
        prompt = models.encode_prompt(row, self._model.tokenizer, forced)
        most = config.max_tokens or UNKNOWN
        limit = room(self._model)
        if limit is not None:
            most = min(most, limit - len(prompt))
        if most < 1:
            raise UserError(
                f"{len(prompt)} tokens leave no room in the context of {self.model_name} ({limit})."
            )
        decoding = models.Decoding(
            max_new_tokens=most,
            temperature=config.temperature or 0.0,
            top_k=config.top_k or 0,
            top_p=1.0 if config.top_p is None else config.top_p,
        )
        return _Asked(prompt, decoding, config.seed or 0)

    def _answer(self, batch: Sequence[_Asked]) -> None:
        prompts, ways = [a.prompt for a in batch], [a.decoding for a in batch]
        try:
            replies = models.generate(self._model, prompts, ways, seed=batch[0].seed)
        except Exception as problem:  # everybody in the batch must hear of it
            for asked in batch:
                asked.outcome = problem
            return
        for asked, reply in zip(batch, replies, strict=True):
            asked.outcome = reply

    def _output(self, asked: _Asked) -> ModelOutput:
        if not isinstance(asked.outcome, models.Reply):
            raise asked.outcome or RuntimeError("a batch ended without a reply")
        reply = asked.outcome
        stop = "stop" if reply.ended else "max_tokens"
        output = ModelOutput.from_content(self.model_name, reply.text, stop)
        read, written = len(asked.prompt), len(reply.tokens)
        output.usage = ModelUsage(
            input_tokens=read, output_tokens=written, total_tokens=read + written
        )
        return output


def conversation(said: Sequence[ChatMessage]) -> tuple[Row, str]:
    """Inspect's messages as a row, and the forced start of the answer.

    Raises:
        UserError: A message is a tool's.
    """
    turns, forced = list(said), ""
    if turns and isinstance(turns[-1], ChatMessageAssistant):
        forced = turns.pop().text
    messages = []
    for turn in turns:
        if isinstance(turn, ChatMessageTool):
            raise UserError("holdfast models read no results of tools; choose a task without them.")
        messages.append(Message(turn.role, turn.text))
    return Row(tuple(messages)), forced
