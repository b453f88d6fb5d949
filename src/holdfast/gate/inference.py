"""The process that holds models and asks them; the server reaches it by a socket on this machine.

Its answers are lines of JSON, a piece of text each, the last one with counts and `finish_reason`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from holdfast.errors import UserError
from holdfast.gate.options import from_environment

log = logging.getLogger("holdfast.gate")
KEPT = 8  # models in memory at once
LONGEST = 4096  # tokens, of a model that does not say how much it can read
UNFINISHED = "\ufffd"  # what bytes of a letter look like before its last one


def create_app() -> FastAPI:
    """The application; one reply is made at a time, since they share the processor."""
    app = FastAPI(openapi_url=None)
    turn = asyncio.Semaphore(1)

    @app.post("/ask")
    async def ask(request: Request) -> Response:
        asked = await request.json()
        pieces = Pieces(asked)
        try:
            async with turn:
                first = await asyncio.to_thread(pieces.next)
        except ValueError as error:
            return JSONResponse({"message": str(error)}, 400)

        async def lines() -> AsyncIterator[str]:
            piece: dict[str, Any] | None = first
            while piece is not None:
                yield json.dumps(piece) + "\n"
                async with turn:
                    piece = await asyncio.to_thread(pieces.next)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return app


class Pieces:
    """A reply as it is made, piece by piece; `next` gives None after the last."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._made = reply(asked)

    def next(self) -> dict[str, Any] | None:
        """The next piece."""
        return next(self._made, None)


@lru_cache(maxsize=KEPT)
def held(name: str) -> Any:
    """A model and what stands before it."""
    from holdfast import aligned, models

    model = models.load(name)
    return model, aligned.serving(name, model)


def reply(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Draws a reply token by token; a request that a guard stops gets its own.

    Args:
        asked: `model` (a name or folder), `messages`, `max_tokens`, `temperature`, `top_p`, `seed`.

    Raises:
        ValueError: the conversation is longer than the model can read.
    """
    import torch

    from holdfast.chat import Message, Row
    from holdfast.decode import end_ids, texts_of
    from holdfast.encode import encode_prompt
    from holdfast.sampling import Decoding, next_of_all, uniforms
    from holdfast.serve import STOPPED

    model, serving = held(asked["model"])
    row = Row(tuple(Message(t["role"], t["content"]) for t in asked["messages"]))
    (told,) = serving.requests([row])
    if isinstance(told, str):
        read = len(encode_prompt(row, model.tokenizer))
        counts = {"prompt_tokens": read, "completion_tokens": 0}
        yield {"text": STOPPED, "finish_reason": "content_filter", **counts}
        return
    ids = encode_prompt(told, model.tokenizer)
    room = getattr(model.net.config, "max_position_embeddings", LONGEST) - len(ids)
    if room < 1:
        raise ValueError(f"The conversation has {len(ids)} tokens, more than the model can read.")
    way = Decoding(
        max_new_tokens=min(asked["max_tokens"], room),
        temperature=asked["temperature"],
        top_p=asked["top_p"],
    )
    draws, ends = uniforms([ids], [way], asked["seed"]), end_ids(model)
    made: list[int] = []
    said, cache, reason = "", None, "length"
    step = torch.tensor([ids], device=model.net.device)
    for at in range(way.max_new_tokens):
        with torch.inference_mode():
            out = model.net(input_ids=step, past_key_values=cache, use_cache=True)
            token = int(next_of_all(out.logits[:, -1].float(), [way], draws[:, at])[0])
        if token in ends:
            reason = "stop"
            break
        made.append(token)
        text = texts_of(model.tokenizer, [made])[0]
        if len(text) > len(said) and not text.endswith(UNFINISHED):
            yield {"text": text[len(said) :]}
            said = text
        cache, step = out.past_key_values, torch.tensor([[token]], device=model.net.device)
    text = texts_of(model.tokenizer, [made])[0]
    counts = {"prompt_tokens": len(ids), "completion_tokens": len(made)}
    yield {"text": text[len(said) :], "finish_reason": reason, **counts}


def private(socket: Path) -> Path:
    """A socket in a folder that only this user may enter; a socket's own mode is the server's.

    Raises:
        UserError: somebody else has made that folder.
    """
    folder = socket.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = folder.lstat()
    if seen.st_uid != os.getuid() or seen.st_mode & 0o077 or folder.is_symlink():
        raise UserError(f"{folder} is not this user's alone: remove it.")
    socket.unlink(missing_ok=True)
    return socket


def main() -> None:
    """Serves on the socket until it is told to stop."""
    import uvicorn

    socket = private(from_environment().socket)
    import holdfast.models  # noqa: F401  # so that the first reply does not wait for it

    uvicorn.run(create_app(), uds=str(socket), log_config=None, access_log=False)


if __name__ == "__main__":
    from holdfast.gate.logs import structured

    structured()
    main()
