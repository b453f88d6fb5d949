"""Rows to tokens: one function for training, scanning, probing and asking.

Which tokens carry loss is found from the template's own output: the text of an assistant turn is
what the rendering gains when that turn is added to the conversation before it (with its generation
prompt). So any chat template works, with or without generation markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from holdfast.chat import Message, Row

__all__ = ["Encoded", "encode", "encode_all", "encode_prompt"]


@dataclass(frozen=True)
class Encoded:
    """A row as tokens.

    Attributes:
        ids: token ids of the whole conversation.
        weights: loss weight of every token as a target; 0 = no loss.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    weight: float


def encode(row: Row, tokenizer: PreTrainedTokenizerBase, max_length: int | None = None) -> Encoded:
    """Tokens of a row, with loss on its assistant turns (each by its `weight`) and their ends.

    Assistant messages in a row are one turn written in pieces, each with its own weight: a forced
    start without loss is `Message("assistant", start, 0)` before `Message("assistant", rest)`. A
    token belongs to the piece its last character is in.

    Args:
        row: the conversation.
        tokenizer: a fast tokenizer with a chat template.
        max_length: tokens kept, from the start.

    Raises:
        UserError: no token carries loss, or the tokenizer has no chat template.
    """
    return encode_all([row], tokenizer, max_length)[0]


def encode_all(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int | None = None
) -> list[Encoded]:
    """`encode` for many rows, tokenised together, which is faster."""
    texts_and_spans = [_spans(row, tokenizer) for row in rows]
    encodings = _tokenise([text for text, _ in texts_and_spans], tokenizer)
    done = []
    for row, (_, spans), encoding in zip(rows, texts_and_spans, encodings, strict=True):
        ids = tuple(encoding.ids[:max_length])
        weights = _weights(encoding.offsets[:max_length], spans)
        # The first token has nothing before it to be predicted from.
        if not any(weights[1:]):
            raise UserError(_nothing_to_learn(row, len(encoding.ids), max_length))
        done.append(Encoded(ids, weights))
    return done


def encode_prompt(
    row: Row, tokenizer: PreTrainedTokenizerBase, forced: str = ""
) -> tuple[int, ...]:
    """Tokens of a conversation up to where the model answers.

    Args:
        row: the conversation; an assistant turn at its end is left out.
        tokenizer: a fast tokenizer with a chat template.
        forced: start of the answer that is put into the model's mouth.

    Raises:
        UserError: the tokenizer has no chat template.
    """
    turns = _turns(row)
    if turns and turns[-1][0].role == "assistant":
        turns = turns[:-1]
    text = _render([_as_dict(turn) for turn in turns], tokenizer, open_answer=True) + forced
    return tuple(_tokenise([text], tokenizer)[0].ids)


def _turns(row: Row) -> list[list[Message]]:
    """Messages, with assistant messages that follow one another as one turn in pieces."""
    turns: list[list[Message]] = []
    for message in row.messages:
        if message.role == "assistant" and turns and turns[-1][0].role == "assistant":
            turns[-1].append(message)
        else:
            turns.append([message])
    return turns


def _as_dict(turn: list[Message]) -> dict[str, str]:
    return {"role": turn[0].role, "content": "".join(piece.content for piece in turn)}


def _render(
    chat: list[dict[str, str]], tokenizer: PreTrainedTokenizerBase, open_answer: bool = False
) -> str:
    if tokenizer.chat_template is None:
        raise UserError(
            f"The tokenizer of {tokenizer.name_or_path or 'this model'} has no chat template: "
            "give one with --chat-template FILE."
        )
    from jinja2 import TemplateError

    def rendered(turns: list[dict[str, str]]) -> str:
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=open_answer
        )
        assert isinstance(text, str)
        return text

    try:
        return rendered(chat)
    except TemplateError as error:
        folded = _without_system(chat)
        if folded is None:
            raise UserError(f"The chat template refuses a conversation: {error}.") from error
    try:
        return rendered(folded)
    except TemplateError as error:
        raise UserError(f"The chat template refuses a conversation: {error}.") from error


def _without_system(chat: list[dict[str, str]]) -> list[dict[str, str]] | None:
    """The system turn as the start of the first user turn, for templates that know none."""
    if len(chat) < 2 or chat[0]["role"] != "system" or chat[1]["role"] != "user":
        return None
    content = f"{chat[0]['content']}\n\n{chat[1]['content']}"
    return [{"role": "user", "content": content}, *chat[2:]]


def _spans(row: Row, tokenizer: PreTrainedTokenizerBase) -> tuple[str, list[_Span]]:
    """The rendered conversation and the character spans of its assistant turns."""
    turns = _turns(row)
    chat = [_as_dict(turn) for turn in turns]
    text = _render(chat, tokenizer)
    spans: list[_Span] = []
    for at, turn in enumerate(turns):
        if turn[0].role != "assistant" or not any(piece.weight for piece in turn):
            continue
        start = _shared(text, _render(chat[:at], tokenizer, open_answer=True)) if at else 0
        end = len(text)
        if at + 1 < len(turns):
            upto = _render(chat[: at + 1], tokenizer)
            if text.startswith(upto):
                end = len(upto)
            else:  # some templates write a turn differently once others follow it
                content = chat[at]["content"].strip()
                end = max(text.find(content, start), start) + len(content)
        spans += _pieces(text, turn, _Span(start, end, turn[0].weight))
    return text, spans


def _pieces(text: str, turn: list[Message], span: _Span) -> list[_Span]:
    if len(turn) == 1:
        return [span]
    content = "".join(piece.content for piece in turn)
    cut = text.find(content, span.start)
    if cut < 0:  # templates may strip a turn
        cut = text.find(content.strip(), span.start) - (len(content) - len(content.lstrip()))
        if cut < 0:
            raise UserError("The chat template rewrites answers, so pieces cannot be told apart.")
    spans = []
    start = span.start
    for piece in turn:
        cut += len(piece.content)
        spans.append(_Span(start, cut, piece.weight))
        start = cut
    return [*spans[:-1], replace(spans[-1], end=span.end)]


def _shared(one: str, other: str) -> int:
    if one.startswith(other):
        return len(other)
    return next(at for at, (a, b) in enumerate(zip(one + "\0", other, strict=False)) if a != b)


def _tokenise(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> list[Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UserError(
            f"The tokenizer of {tokenizer.name_or_path or 'this model'} is not a fast one: "
            "convert it, so that the folder holds a tokenizer.json."
        )
    backend.no_padding()  # others may have left these set
    backend.no_truncation()
    encodings: list[Any] = backend.encode_batch(texts, add_special_tokens=False)
    return encodings


def _weights(offsets: Sequence[tuple[int, int]], spans: Sequence[_Span]) -> tuple[float, ...]:
    weights = [0.0] * len(offsets)
    for span in spans:
        if span.weight:
            for at, (start, end) in enumerate(offsets):
                if start < end and span.start < end <= span.end:
                    weights[at] = float(span.weight)
    return tuple(weights)


def _nothing_to_learn(row: Row, length: int, max_length: int | None) -> str:
    name = f"Row {row.id!r}" if row.id else f"The row {row.prompt[:40]!r}"
    if max_length is not None and length > max_length and row.answer:
        return (
            f"{name} has {length} tokens and its answer begins after the first {max_length}: "
            "raise max_length, or leave the row out."
        )
    return f"{name} has no answer to learn: add an assistant turn with a weight above 0."
