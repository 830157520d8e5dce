"""Bytes of a response to items: frames for a stream, one document for a whole body.

Everything that a provider's bytes can do wrong comes out of here as one of our errors,
for all dialects: their readers may index boldly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from ..exceptions import (
    EmptyResponse,
    ResponseTooLarge,
    StreamInterrupted,
    UnexpectedModelBehavior,
    printable,
)
from .codec import End, Item, Reader
from .failures import in_stream_error
from .json import loads
from .sse import ServerSentEvent, SSEDecoder

__all__ = ("BodyDecoder", "Decoder", "ItemsDecoder", "StreamDecoder", "failed_of")

MAX_RESPONSE = 64 * 1024 * 1024
"""The most bytes that a response may have."""

SNIPPET = 200
"""Bytes of a reply that an error shows."""


class Decoder(Protocol):
    """What turns the bytes of one response into items."""

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes and return, lazily, the items that are whole."""
        ...

    def close(self) -> Iterator[Item]:
        """Take the end of the bytes.

        Raises:
            StreamInterrupted: The answer was not whole yet.
        """
        ...


NONSENSE = (
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,
    OSError,
    RecursionError,
)
"""What a reader trips over when the provider's bytes make no sense."""


def _senseless(exc: BaseException, data: bytes) -> UnexpectedModelBehavior:
    """Return our error for what a reader tripped over."""
    deep = isinstance(exc, RecursionError)
    why = "it is nested too deeply" if deep else printable(str(exc)) or type(exc).__name__
    return UnexpectedModelBehavior(f"The response makes no sense: {why}", _shown(data))


def _shown(data: bytes) -> str:
    return data[:SNIPPET].decode(errors="replace")


class _Counted:
    """Counts the bytes of a response against the cap."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen = 0

    def add(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        if self._seen > self._limit:
            raise ResponseTooLarge(f"The response has more than {self._limit} bytes")


def failed_of(reader: Reader) -> Callable[[Any], Iterable[Item] | None]:
    """Return what reads an error document that is an answer in truth.

    Readers of the few dialects that have such have a method `failed`; it returns None
    for a document that is an error indeed.
    """
    return getattr(reader, "failed", lambda document: None)


class ItemsDecoder:
    """Has the items of an answer already; they come with the end."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes, which are of no more interest."""
        return iter(())

    def close(self) -> Iterator[Item]:
        """Return the items."""
        return iter(self._items)


_FIELDS = (b"data", b"event", b"id", b"retry", b":")


def _may_be_framed(start: bytes) -> bool:
    """Return whether bytes may be the start of a server-sent event that was cut."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return any(field.startswith(text) or text.startswith(field) for field in _FIELDS)


class StreamDecoder:
    """Reads a body of server-sent events.

    Args:
        reader: The dialect's reader.
        model_name: For errors.
        max_response: The most bytes to take.
    """

    def __init__(self, reader: Reader, model_name: str, max_response: int = MAX_RESPONSE) -> None:
        self._read = reader.frame
        self._failed = failed_of(reader)
        self._model_name = model_name
        self._sse = SSEDecoder()
        self._counted = _Counted(max_response)
        self._start = b""
        self._framed = False
        self._whole = False

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes and return, lazily, the items of the frames that are whole."""
        self._counted.add(chunk)
        if not self._framed:
            self._start = (self._start + chunk)[:SNIPPET]
        for frame in self._sse.feed(chunk):
            self._framed = True
            try:
                for item in self._items(frame):
                    self._whole = self._whole or type(item) is End
                    yield item
            except NONSENSE as exc:
                raise _senseless(exc, frame.data) from exc

    def close(self) -> Iterator[Item]:
        """Take the end of the bytes.

        Raises:
            StreamInterrupted: The provider's end of the answer has not come.
            UnexpectedModelBehavior: The bytes were no server-sent events at all.
        """
        self._sse.close()
        if self._whole:
            return iter(())
        if not self._framed and not _may_be_framed(self._start):
            message = "The response is no stream of server-sent events"
            raise UnexpectedModelBehavior(message, _shown(self._start))
        raise StreamInterrupted(
            self._model_name,
            "The stream ended before the answer did: what came may be cut short. "
            "`response` holds it.",
        )

    def _items(self, frame: ServerSentEvent) -> Iterable[Item]:
        if frame.data == b"[DONE]":
            return (End(final=True, bare=True),)
        document = loads(frame.data)
        if not isinstance(document, dict):
            raise TypeError(f"a frame holds {type(document).__name__}, not an object")
        if frame.event == "error" or document.get("error"):
            answer = self._failed(document)
            if answer is None:
                raise in_stream_error(document, self._model_name)
            return answer
        return self._read(frame.event, document)


class BodyDecoder:
    """Reads a body that is one JSON document.

    Args:
        read: The dialect's reader of a body.
        model_name: For errors.
        max_response: The most bytes to take.
    """

    def __init__(
        self,
        read: Callable[[Any], Iterable[Item]],
        model_name: str,
        max_response: int = MAX_RESPONSE,
    ) -> None:
        self._read = read
        self._model_name = model_name
        self._counted = _Counted(max_response)
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes; the items come with the end."""
        self._counted.add(chunk)
        self._chunks.append(chunk)
        return iter(())

    def close(self) -> Iterator[Item]:
        """Take the end of the bytes and return the items of the document.

        Raises:
            UnexpectedModelBehavior: It is no JSON object, or not such a one.
            EmptyResponse: There are no bytes.
        """
        data = b"".join(self._chunks)
        if not data.strip():
            raise EmptyResponse("The response is empty")
        try:
            document = loads(data)
            if not isinstance(document, dict):
                raise TypeError(f"the body is {type(document).__name__}, not an object")
            if document.get("error"):
                raise in_stream_error(document, self._model_name)
            yield from self._read(document)
        except NONSENSE as exc:
            raise _senseless(exc, data) from exc
        yield End(final=True)
