"""/v1/chat/completions and /v1/completions: asking a model, whole or word by word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from holdfast.gate.api.models import folder_of
from holdfast.gate.api.room import Asker, Room, TheRoom
from holdfast.gate.api.wire import (
    Chat,
    ChatChoice,
    ChatMessage,
    Completion,
    NewChat,
    NewCompletion,
    Sampling,
    TextChoice,
    Usage,
)
from holdfast.gate.failures import Failure
from holdfast.gate.tables import new_id, now

router = APIRouter(prefix="/v1", tags=["inference"])
TOKENS = 256  # of a reply where the client names no limit
SECONDS = 120.0

_STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.post("/chat/completions", response_model=Chat, responses=_STREAMED)
async def chat(room: TheRoom, caller: Asker, body: NewChat) -> Chat | Response:
    """A reply to a conversation."""
    folder = await run_in_threadpool(folder_of, room, caller, body.model)
    turns = [
        {"role": "system" if t.role == "developer" else t.role, "content": t.content}
        for t in body.messages
    ]
    asked = _asked(body, folder, body.max_completion_tokens) | {"messages": turns}
    if body.stream:
        return await _streamed(room, body.model, asked, "chatcmpl", "chat.completion.chunk")
    reply = await _reply(room, asked)
    return Chat(
        id=new_id("chatcmpl"),
        created=now(),
        model=body.model,
        choices=[
            ChatChoice(
                message=ChatMessage(content=reply["text"]), finish_reason=reply["finish_reason"]
            )
        ],
        usage=_usage(reply),
    )


@router.post("/completions", response_model=Completion, responses=_STREAMED)
async def complete(room: TheRoom, caller: Asker, body: NewCompletion) -> Completion | Response:
    """A reply to one request, which is put to the model as a user's turn."""
    folder = await run_in_threadpool(folder_of, room, caller, body.model)
    turns = [{"role": "user", "content": body.prompt}]
    asked = _asked(body, folder, None) | {"messages": turns}
    if body.stream:
        return await _streamed(room, body.model, asked, "cmpl", "text_completion")
    reply = await _reply(room, asked)
    return Completion(
        id=new_id("cmpl"),
        created=now(),
        model=body.model,
        choices=[TextChoice(text=reply["text"], finish_reason=reply["finish_reason"])],
        usage=_usage(reply),
    )


def _asked(body: Sampling, folder: str, most: int | None) -> dict[str, Any]:
    return {
        "model": folder,
        "max_tokens": most or body.max_tokens or TOKENS,
        "temperature": body.temperature if body.temperature is not None else 1.0,
        "top_p": body.top_p if body.top_p is not None else 1.0,
        "seed": body.seed or 0,
    }


def _usage(reply: dict[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=reply["prompt_tokens"],
        completion_tokens=reply["completion_tokens"],
        total_tokens=reply["prompt_tokens"] + reply["completion_tokens"],
    )


def _client(room: Room) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(room.options.socket))
    return httpx.AsyncClient(transport=transport, base_url="http://models", timeout=SECONDS)


async def _pieces(room: Room, asked: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """What the process that holds the models says, a piece at a time."""
    try:
        async with _client(room) as client, client.stream("POST", "/ask", json=asked) as answer:
            if answer.status_code == 400:
                told = json.loads(await answer.aread())
                raise Failure(400, told["message"], "invalid_request")
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                yield json.loads(line)
    except httpx.HTTPError as error:
        raise Failure(
            503,
            "The models are being loaded; try again.",
            "unavailable",
            headers={"Retry-After": "5"},
        ) from error


async def _reply(room: Room, asked: dict[str, Any]) -> dict[str, Any]:
    text = ""
    async for piece in _pieces(room, asked):
        text += piece.get("text", "")
        if "finish_reason" in piece:
            return {**piece, "text": text}
    raise Failure(503, "The models are being loaded; try again.", "unavailable")


async def _streamed(
    room: Room, model: str, asked: dict[str, Any], kind: str, name: str
) -> StreamingResponse:
    """Server-sent events. The first piece is awaited, so that an error is still an answer."""
    pieces = _pieces(room, asked)
    first = await anext(pieces)
    made, created = new_id(kind), now()

    def line(piece: dict[str, Any], opening: bool) -> str:
        choice: dict[str, Any] = {"index": 0, "finish_reason": piece.get("finish_reason")}
        if kind == "chatcmpl":
            delta = {"role": "assistant"} if opening else {}
            choice["delta"] = delta | {"content": piece["text"]} if piece.get("text") else delta
        else:
            choice["text"] = piece.get("text", "")
        told = {"id": made, "object": name, "created": created, "model": model}
        return f"data: {json.dumps({**told, 'choices': [choice]}, ensure_ascii=False)}\n\n"

    async def lines() -> AsyncIterator[str]:
        yield line(first, True)
        async for piece in pieces:
            yield line(piece, False)
        yield "data: [DONE]\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
