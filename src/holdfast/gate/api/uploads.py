"""A multipart upload, written to disk as it comes; nothing of it is kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from holdfast.gate.failures import Failure
from holdfast.gate.store import Store, Upload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = 1_000  # bytes of any other field
SMALL = 64  # of other fields


@dataclass
class Received:
    """What a form held.

    Attributes:
        upload: the field `file`, on its way into the store; None if there was none.
        filename: as the client calls it; only shown, never a path.
        fields: the other fields.
    """

    upload: Upload | None = None
    filename: str = ""
    fields: dict[str, str] = field(default_factory=dict)


async def received(request: Request, store: Store, most: int) -> Received:
    """Reads a form with one file.

    Raises:
        Failure: it is no such form, or the file has more than `most` bytes.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Failure(400, "Send the file as multipart/form-data with a boundary.", "no_form")
    form = _Form(store, most)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in request.stream():
            parser.write(piece)
        parser.finalize()
        if not form.ended:
            raise Failure(400, "The form ended before its last boundary.", "incomplete_form")
    except MultipartParseError as error:
        form.drop()
        raise Failure(400, f"The form cannot be read: {error}.", "broken_form") from error
    except BaseException:  # the client may be gone
        form.drop()
        raise
    return form.received


class _Form:
    """Takes a form's parts as the parser finds them."""

    def __init__(self, store: Store, most: int) -> None:
        self.received, self.ended = Received(), False
        self._store, self._most = store, most
        self._header = [bytearray(), bytearray()]
        self._disposition: dict[bytes, bytes] = {}
        self._value = bytearray()

    def drop(self) -> None:
        if self.received.upload is not None:
            self.received.upload.drop()
            self.received.upload = None

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finished,
        }

    def _begin(self) -> None:
        self._disposition, self._value = {}, bytearray()

    def _header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        self._header = [bytearray(), bytearray()]
        if name.lower() == b"content-disposition":
            self._disposition = parse_options_header(value)[1]

    def _headers_finished(self) -> None:
        if self._disposition.get(b"name") == b"file":
            if self.received.upload is not None:
                raise Failure(400, "Send one file.", "two_files", "file")
            self.received.upload = Upload(self._store)
            name = self._disposition.get(b"filename", b"").decode("utf-8", "replace")
            self.received.filename = name.replace("\\", "/").rsplit("/", 1)[-1][:200]

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._disposition.get(b"name") == b"file":
            upload = self.received.upload
            assert upload is not None
            if upload.bytes + len(piece) > self._most:
                raise Failure(413, f"A file may have {self._most:,} bytes at most.", "too_large")
            upload.append(piece)
            return
        self._value += piece
        if len(self._value) > FIELD or len(self.received.fields) > SMALL:
            raise Failure(400, "The form's fields are too large.", "broken_form")

    def _end(self) -> None:
        name = self._disposition.get(b"name", b"").decode("utf-8", "replace")
        if name != "file":
            self.received.fields[name] = bytes(self._value).decode("utf-8", "replace")

    def _finished(self) -> None:
        self.ended = True
