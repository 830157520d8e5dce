"""Bytes of a response to items: frames of a stream, or one document.

Everything that a provider's bytes can do wrong comes out of here as one of our errors,
for all dialects: their readers need not check each field before they use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from .._json import MAX_VALUES, MAX_VALUES_IN_ALL, loads, values
from ..exceptions import (
    EmptyResponse,
    ResponseTooLarge,
    StreamInterrupted,
    UnexpectedModelBehavior,
    UserError,
    printable,
)
from .codec import Item, Mark, Reader, StreamEnd
from .failures import in_stream_error, tells_error
from .sse import BOM, MAX_RESPONSE, ServerSentEvent, SSEDecoder

__all__ = (
    "MAX_RESPONSE",
    "BodyDecoder",
    "Decoder",
    "ItemsDecoder",
    "ResponseDecoder",
    "StreamDecoder",
    "answer_in_error",
    "shown",
)

SNIPPET = 200
"""Characters of a reply, or of its type, that an error shows."""


ChunkT_contra = TypeVar("ChunkT_contra", contravariant=True)


class Decoder(Protocol[ChunkT_contra]):
    """What turns what arrives of one response, nearly always bytes, into items."""

    @property
    def has_last_frame(self) -> bool:
        """Whether a frame says that nothing more follows: the wait for it is short."""
        ...

    def weight(self, chunk: ChunkT_contra | bytes) -> int:
        """Return how many bytes are read as documents with a chunk, at most; b"" for the end."""
        ...

    def feed(self, chunk: ChunkT_contra) -> Iterator[Item]:
        """Take a chunk and return, lazily, the items that are whole."""
        ...

    def close(self, mark: Mark) -> Iterator[Item]:
        """Take the end of the bytes and return the last items, the mark of the end behind them.

        Args:
            mark: Whether the body ended or broke off.
        """
        ...


UNREADABLE = (
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,
    OSError,
    RecursionError,
    UserError,
)
"""What a reader raises for an answer that cannot be read."""


def _unreadable(exc: BaseException, data: bytes) -> UnexpectedModelBehavior:
    """Return the error for a response on which a reader raised `exc`."""
    match exc:
        case RecursionError():
            why = "it is nested too deeply"
        case KeyError():
            why = f"{printable(str(exc))} is missing"
        case IndexError():
            why = "a list has too few items"
        case AttributeError():
            why = f"a value of type {type(exc.obj).__name__} is not expected"
        case _:
            why = printable(str(exc)) or type(exc).__name__
    return UnexpectedModelBehavior(f"The response cannot be read: {why}", shown(data))


def answer_in_error(reader: Reader, document: Any) -> list[Item] | None:
    """Return the answer that an error document holds, with the few providers that do so.

    None for one that is an error, as nearly always.
    """
    try:
        items = reader.failed(document)
        return None if items is None else list(items)
    except UNREADABLE:
        return None


def shown(data: bytes) -> str:
    """Return the start of a reply as an error shows it."""
    return data[: 4 * SNIPPET].decode(errors="replace")[:SNIPPET]


class _Counted:
    """Counts the bytes of a response, and the values of its frames, against the caps."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.seen = 0
        self._values = 0

    def add(self, chunk: bytes) -> None:
        self.seen += len(chunk)
        if self.seen > self._limit:
            raise ResponseTooLarge(f"The response has more than {self._limit} bytes")

    def add_values(self, data: bytes) -> None:
        self._values += values(data)
        if self._values > MAX_VALUES_IN_ALL:
            raise ResponseTooLarge(f"The response has more than {MAX_VALUES_IN_ALL:,} values")


class ItemsDecoder:
    """For a source of items: a function's, or a script's. Its end is the answer's end."""

    has_last_frame = False

    def weight(self, chunk: Iterable[Item] | bytes) -> int:
        """Return 0: nothing is to be read."""
        return 0

    def feed(self, chunk: Iterable[Item]) -> Iterator[Item]:
        """Return the items."""
        return iter(chunk)

    def close(self, mark: Mark) -> Iterator[Item]:
        """Return the marks of the end: an answer without content is one, too."""
        return iter((Mark.FINISHED, Mark.LAST))


class _Form(Enum):
    """What the first bytes of a body show it to be."""

    UNKNOWN = auto()
    JSON = auto()
    STREAM = auto()
    OTHER = auto()


_FIELDS = (b"data", b"event", b"id", b"retry", b"error")


def _form_of(start: bytes) -> _Form:
    """Return what a body is that begins so: JSON, a stream, something else, or not known yet."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text or b"\xef\xbb\xbf".startswith(text):
        return _Form.UNKNOWN
    if text[:1] in (b"{", b"["):
        return _Form.JSON
    name, colon, _ = text.partition(b":")
    if colon and (not name or name in _FIELDS):
        return _Form.STREAM
    is_started = not colon and any(field.startswith(name) for field in _FIELDS)
    return _Form.UNKNOWN if is_started else _Form.OTHER


class ResponseDecoder:
    """Reads a body as what its first bytes show it to be, whatever its type is said to be.

    Args:
        reader: The dialect's reader.
        model_name: For errors.
        streamed: Whether a stream is expected, for a body whose bytes do not tell.
        content_type: The type that the server gave, for errors.
    """

    def __init__(
        self, reader: Reader, model_name: str, *, streamed: bool, content_type: str = ""
    ) -> None:
        self._reader = reader
        self._model_name = model_name
        self._streamed = streamed
        self._content_type = content_type
        self._start = b""
        self._counted = _Counted(MAX_RESPONSE)
        self._decoder: BodyDecoder | StreamDecoder | None = None

    @property
    def has_last_frame(self) -> bool:
        """Whether a frame says that nothing more follows."""
        return self._decoder is not None and self._decoder.has_last_frame

    def weight(self, chunk: bytes) -> int:
        """Return how many bytes are read as documents with a chunk, at most; b"" for the end."""
        return len(chunk) if self._decoder is None else self._decoder.weight(chunk)

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes and return, lazily, the items that are whole."""
        if self._decoder is not None:
            return self._decoder.feed(chunk)
        return self._begin(chunk)

    def _begin(self, chunk: bytes) -> Iterator[Item]:
        self._counted.add(chunk)
        # Blanks before JSON, or before the first line, say nothing.
        start = (self._start + chunk).lstrip()
        if start.startswith(BOM):
            start = BOM + start.removeprefix(BOM).lstrip()
        self._start = start
        form = _form_of(start)
        if form is _Form.UNKNOWN:
            return
        is_page = start.lstrip().startswith(b"<")
        if form is _Form.OTHER and (is_page or not self._streamed):
            hint = " (a web page: is the base URL right?)" if is_page else ""
            got = printable(self._content_type.partition(";")[0], 100) or "no type"
            message = f"Expected JSON or a stream of events{hint}, got {got}"
            raise UnexpectedModelBehavior(message, shown(self._start))
        decoder_class = BodyDecoder if form is _Form.JSON else StreamDecoder
        decoder = self._decoder = decoder_class(self._reader, self._model_name)
        # What is known now need not be looked at with every chunk.
        self.feed, self.weight = decoder.feed, decoder.weight  # type: ignore[method-assign]
        yield from decoder.feed(start)

    def close(self, mark: Mark) -> Iterator[Item]:
        """Take the end of the bytes and return the last items."""
        decoder = self._decoder
        if decoder is None:
            decoder_class = StreamDecoder if self._streamed else BodyDecoder
            decoder = decoder_class(self._reader, self._model_name)
            yield from decoder.feed(self._start)
        yield from decoder.close(mark)


class StreamDecoder:
    """Reads a body of server-sent events.

    Args:
        reader: The dialect's reader.
        model_name: For errors.
        max_response: The most bytes to take.
    """

    def __init__(self, reader: Reader, model_name: str, max_response: int = MAX_RESPONSE) -> None:
        self._reader = reader
        self._read = reader.frame
        self._model_name = model_name
        self._sse = SSEDecoder()
        self._counted = _Counted(max_response)
        self._start = b""
        self._framed = False
        # In other protocols it is what a proxy writes wherever its stream ends.
        self._done = Mark.DONE if reader.stream_end is StreamEnd.DONE else Mark.END
        self.has_last_frame = reader.stream_end is not StreamEnd.BODY

    def weight(self, chunk: bytes) -> int:
        """Return how many bytes are read as documents with a chunk, at most; b"" for the end."""
        return self._sse.size + len(chunk) if chunk else self._counted.seen

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes and return, lazily, the items of the frames that are whole."""
        self._counted.add(chunk)
        if not self._framed:
            self._start = (self._start + chunk)[: 4 * SNIPPET]
        return self._read_all(self._sse.feed(chunk))

    def close(self, mark: Mark) -> Iterator[Item]:
        """Take the end of the bytes and return the items of what it cut off.

        Raises:
            UnexpectedModelBehavior: The bytes were no server-sent events at all.
        """
        # What was cut off counts where it is whole.
        cut = (each for each in self._sse.close() if each.is_stray or _is_document(each.data))
        yield from self._read_all(cut)
        if not self._framed and _form_of(self._start) in (_Form.JSON, _Form.OTHER):
            message = "The response is no stream of server-sent events"
            raise UnexpectedModelBehavior(message, shown(self._start))
        try:
            yield from self._reader.end()
        except UNREADABLE as exc:
            raise _unreadable(exc, self._start) from exc
        yield mark

    def _read_all(self, frames: Iterable[ServerSentEvent]) -> Iterator[Item]:
        for frame in frames:
            if not self._framed:
                self._framed = not frame.is_stray
            try:
                if len(frame.data) < 32 and _is_done(frame.data):
                    yield from self._reader.end()
                    yield self._done
                else:
                    for document in self._documents(frame):
                        yield from self._items(frame.event, document)
            except UNREADABLE as exc:
                raise _unreadable(exc, frame.data) from exc

    def _items(self, event: str, document: dict[str, Any]) -> Iterable[Item]:
        if not tells_error(document, event, self._reader.events):
            return self._read(event, document)
        answer = answer_in_error(self._reader, document)
        return self._failed(document) if answer is None else (*answer, Mark.LAST)

    def _failed(self, document: dict[str, Any]) -> Iterator[Item]:
        yield from self._reader.end()  # it came before the error
        raise in_stream_error(document, self._model_name)

    def _documents(self, frame: ServerSentEvent) -> Iterable[dict[str, Any]]:
        """Return the objects that a frame holds: nearly always one."""
        data = frame.data
        if self._counted.seen > MAX_VALUES:  # fewer bytes cannot have too many
            self._counted.add_values(data)
        try:
            document = loads(data)
            if type(document) is dict:
                return (document,)
        except ValueError:
            lines = data.split(b"\n") if b"\n" in data else ()
            if lines and all(map(_is_document, lines)):
                return [_object(loads(line)) for line in lines if not _is_done(line)]
            if frame.event == "error":
                return ({"error": data.decode(errors="replace")},)
            if self._is_unread(frame):
                return ()
            raise
        if frame.event == "error":
            return ({"error": document},)
        if self._is_unread(frame):
            items = document if isinstance(document, list) else ()
            return [each for each in items if isinstance(each, dict)]
        return map(_object, document if isinstance(document, list) and document else (document,))

    def _is_unread(self, frame: ServerSentEvent) -> bool:
        """Return whether a frame is none of the protocol's, such as a ping that says "ping"."""
        return frame.is_stray or frame.event not in ("message", *self._reader.events)


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise TypeError(f"a frame holds {type(document).__name__}, not an object")
    return document


def _is_done(data: bytes) -> bool:
    """Return whether a frame is the mark of the end; blanks and quotes may be around it."""
    return data.strip(b' \t"') == b"[DONE]"


def _is_document(data: bytes) -> bool:
    """Return whether a line is JSON as a whole, or the mark of the end."""
    if _is_done(data):
        return True
    try:
        loads(data)
    except (ValueError, RecursionError):
        return False
    return True


class BodyDecoder:
    """Reads a body that is one JSON document.

    A list of documents holds the frames of a stream, as Gemini writes them.

    Args:
        reader: The dialect's reader.
        model_name: For errors.
        max_response: The most bytes to take.
    """

    has_last_frame = False

    def __init__(self, reader: Reader, model_name: str, max_response: int = MAX_RESPONSE) -> None:
        self._reader = reader
        self._model_name = model_name
        self._counted = _Counted(max_response)
        self._chunks: list[bytes] = []

    def weight(self, chunk: bytes) -> int:
        """Return how many bytes are read as documents with a chunk, at most; b"" for the end."""
        return 0 if chunk else self._counted.seen

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """Take bytes; the items come with the end."""
        self._counted.add(chunk)
        self._chunks.append(chunk)
        return iter(())

    def close(self, mark: Mark) -> Iterator[Item]:
        """Take the end of the bytes and return the items of the document.

        Raises:
            UnexpectedModelBehavior: It is no JSON object, or not such a one.
            EmptyResponse: There are no bytes.
            StreamInterrupted: The body broke off.
        """
        data = b"".join(self._chunks)
        if mark is Mark.CUT:
            raise StreamInterrupted(self._model_name, "The response was cut short.")
        if not data.strip():
            raise EmptyResponse("The response is empty")
        try:
            document = loads(data)
        except UNREADABLE as exc:
            if b"\ndata:" not in data:
                raise _unreadable(exc, data) from exc
            # JSON that is no frame, and frames behind it.
            stream = StreamDecoder(self._reader, self._model_name)
            yield from stream.feed(data)
            yield from stream.close(mark)
            return
        try:
            yield from self._items(document)
            yield from self._reader.end()
        except UNREADABLE as exc:
            raise _unreadable(exc, data) from exc
        # The frames of a stream tell their end, also where they come at once.
        yield mark if isinstance(document, list) else Mark.LAST

    def _items(self, document: Any) -> Iterator[Item]:
        documents = document if isinstance(document, list) and document else [document]
        for each in documents:
            if not isinstance(each, dict):
                raise TypeError(f"the body is {type(each).__name__}, not an object")
            if tells_error(each, events=self._reader.events):
                answer = answer_in_error(self._reader, each)
                if answer is None:
                    raise in_stream_error(each, self._model_name)
                yield from answer
            elif documents is document:
                yield from self._reader.frame("message", each)
            else:
                yield from self._reader.body(each)
