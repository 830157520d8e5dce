r"""Server-sent events out of bytes, as they come and however they are cut.

Promises: the frames that the WHATWG text "event stream interpretation" prescribes
(https://html.spec.whatwg.org/multipage/server-sent-events.html), the same for every chunking; time
linear in the bytes, also byte by byte; memory within two caps; and nothing but frames or
`ResponseTooLarge`, whatever the bytes are.

It departs from the text twice, both times for readers of JSON. The data stays bytes: the next stage
decodes it strictly. And a frame whose data is the empty string is never dispatched: the text drops
an event without `data` lines, but dispatches one with a single empty `data` line.

A frame is one server-sent event. The word "event" is taken: that is what the user iterates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from ..exceptions import ResponseTooLarge

__all__ = ("SSEDecoder", "ServerSentEvent")

BOM: Final = b"\xef\xbb\xbf"

MIB: Final = 1024 * 1024

LINE_COST: Final = 64
"""Bytes that a `data` line counts beyond its value.

A short bytes object and its place in a list take about that much. Without it, a million empty
`data` lines would count nothing, and a million of one byte would hold sixty times what they count.
"""

PLAIN_FRAME: Final = re.compile(rb"(?:event: (.*)\n)?data: (.+)\n\n")
"""A frame in the form in which providers send nearly all of theirs, given that no CR is near."""


@frozen
class ServerSentEvent:
    r"""One frame of an event stream.

    Attributes:
        data: The values of the `data` lines, joined with `\n`; never empty, and not decoded.
        event: The event type.
        id: The last event id of the stream so far, '' before the first.
    """

    data: bytes
    event: str = "message"
    id: str = ""


class SSEDecoder:
    """Decode one event stream: `feed` it every chunk, then `close`.

    Reconnection times (`retry`) are dropped: an answer of a model cannot be resumed.

    Args:
        max_line: Bytes that a line may have without its end, whether that has come or not.
        max_event: Bytes that the `data` lines of one event may have, each counting 64 more.
    """

    def __init__(self, *, max_line: int = 8 * MIB, max_event: int = 8 * MIB) -> None:
        self._max_line = max_line
        self._max_event = max_event
        self._start: bytes | None = b""  # what may yet grow into a BOM; None once that is settled
        self._after_cr = False  # an LF that comes next belongs to a line that has ended
        self._line = bytearray()  # the start of a line whose end has not come
        self._data: list[bytes] = []
        self._size = 0  # what `_data` counts
        self._event = ""
        self._id = ""
        self._plain_size = min(max_line, max_event) - LINE_COST  # no chunk so short hits a cap
        self._between_frames = False  # whether all is as it was behind the last frame's end
        self._reading = False
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether a line or an event has begun and not ended; true at the end, it was cut off."""
        return bool(self._start or self._line or self._data or self._event)

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Take the next bytes; return an iterator over the frames that they complete.

        The iterator is lazy, and may rest between two frames for any time. It must have come to
        its end before the next chunk is fed.

        Raises:
            ResponseTooLarge: From the iterator, behind the frames before it: a cap was hit.
            RuntimeError: After `close`, after an error, or with frames left unread.
        """
        if self._closed or self._reading:
            raise RuntimeError("feed() after close(), after an error or with frames left unread")
        self._reading = True
        return self._frames(chunk)

    def close(self) -> None:
        """End the input. An unfinished event is never dispatched; `pending` tells of it."""
        self._closed = True

    def _frames(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        # What the pattern takes off the front might as well have come in chunks of its own, each
        # one frame that begins and ends between frames, so the lines of the rest lose nothing.
        at = 0
        if self._between_frames and len(chunk) <= self._plain_size and b"\r" not in chunk:
            while match := PLAIN_FRAME.match(chunk, at):
                event, data = match.groups()
                yield ServerSentEvent(data, _text(event) if event else "message", self._id)
                at = match.end()
        if at < len(chunk):
            for line in self._split(chunk[at:]):
                if line:
                    self._field(line)
                elif frame := self._dispatch():
                    yield frame
            self._check_line(self._line)
            self._between_frames = not (self._line or self._after_cr or self.pending)
        # Not in a `finally`: where an error or the reader broke off, the rest of `chunk` is lost.
        self._reading = False

    def _split(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` ends, and keep what comes behind the last of them."""
        if self._start is not None:
            chunk = self._without_bom(chunk)
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        lines = chunk.splitlines()  # bytes end lines at CR LF, LF and CR alone, str at ten more
        rest = lines.pop() if lines and not chunk.endswith((b"\n", b"\r")) else b""
        if chunk.endswith(b"\r"):
            self._after_cr = True
        if lines and self._line:
            self._line += lines[0]
            lines[0] = bytes(self._line)
            self._line.clear()
        self._line += rest
        return lines

    def _without_bom(self, chunk: bytes) -> bytes:
        start = (self._start or b"") + chunk
        if len(start) < len(BOM) and BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(BOM)

    def _field(self, line: bytes) -> None:
        self._check_line(line)
        name, _, value = line.partition(b":")  # a comment has the empty name, which is no field
        if store := FIELDS.get(name):
            store(self, value.removeprefix(b" "))

    def _store_data(self, value: bytes) -> None:
        self._size += len(value) + LINE_COST
        if self._size > self._max_event:
            raise ResponseTooLarge(
                f"an event of the stream has more data than max_event, {self._max_event:,} bytes"
            )
        self._data.append(value)

    def _store_event(self, value: bytes) -> None:
        self._event = _text(value)

    def _store_id(self, value: bytes) -> None:
        if b"\0" not in value:
            self._id = _text(value)

    def _dispatch(self) -> ServerSentEvent | None:
        data, event = b"\n".join(self._data), self._event
        self._data.clear()
        self._size = 0
        self._event = ""
        return ServerSentEvent(data, event or "message", self._id) if data else None

    def _check_line(self, line: bytes | bytearray) -> None:
        if len(line) > self._max_line:
            raise ResponseTooLarge(
                f"a line of the event stream is longer than max_line, {self._max_line:,} bytes"
            )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


FIELDS: Final[dict[bytes, Callable[[SSEDecoder, bytes], None]]] = {
    b"data": SSEDecoder._store_data,
    b"event": SSEDecoder._store_event,
    b"id": SSEDecoder._store_id,
}
