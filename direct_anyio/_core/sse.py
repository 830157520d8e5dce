r"""Server-sent events out of bytes, as they come and however they are cut.

Guarantees: the frames that the WHATWG text "event stream interpretation" prescribes
(https://html.spec.whatwg.org/multipage/server-sent-events.html), the same for every chunking; time
linear in the bytes, also byte by byte; memory within two caps; and nothing but frames or
`ResponseTooLarge`, whatever the bytes are.

It departs from the text for readers of JSON, and for what servers of models send:

* The data stays bytes: the next stage decodes it strictly.
* A frame whose data is the empty string is never dispatched. The text drops an event without
  `data` lines, but dispatches one with a single empty `data` line.
* A `data` line that begins a JSON value behind one that ended an object begins another event,
  with the `event` line between them: some servers end their events with a single line end. No
  JSON text has two such lines.
* Lines that are JSON, but no field, and the field `error`, make a stray frame, which ends where
  `data` begins: some servers write their errors so.
* An event `error` without data is dispatched, with the data `null`.
* A line of JSON, with or without `data`, may begin with byte order marks and blanks: some servers
  join bodies that have them.
* An event that the end of the body cuts off is returned by `close`; its JSON may be whole.

A frame is one server-sent event. The word "event" is taken: that is what the user iterates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from ..exceptions import ResponseTooLarge

__all__ = ("MAX_RESPONSE", "SSEDecoder", "ServerSentEvent")

BOM: Final = b"\xef\xbb\xbf"
_LEADING: Final = BOM + b" \t"

MAX_RESPONSE: Final = 64 * 1024 * 1024
"""The most bytes that a response may have, and so a line or an event: a picture is one line."""

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
        is_stray: Whether its lines had no `data` before them.
    """

    data: bytes
    event: str = "message"
    id: str = ""
    is_stray: bool = False


class SSEDecoder:
    """Decode one event stream: `feed` it every chunk, then `close`.

    Reconnection times (`retry`) are dropped: an answer of a model cannot be resumed.

    Args:
        max_line: Bytes that a line may have without its end, whether that has come or not.
        max_event: Bytes that the `data` lines of one event may have, each counting 64 more.
    """

    def __init__(self, *, max_line: int = MAX_RESPONSE, max_event: int = MAX_RESPONSE) -> None:
        self._max_line = max_line
        self._max_event = max_event
        self._start: bytes | None = b""  # what may yet grow into a BOM; None once that is settled
        self._after_cr = False  # an LF that comes next belongs to a line that has ended
        self._line = bytearray()  # the start of a line whose end has not come
        self._data: list[bytes] = []
        self._is_stray = False  # whether the lines in `_data` are no `data` lines
        self._size = 0  # what `_data` counts
        self._event = ""
        # One that came behind data, and may be that of the next event.
        self._next_event: str | None = None
        self._id = ""
        self._plain_size = min(max_line, max_event) - LINE_COST  # no chunk so short hits a cap
        self._between_frames = True  # whether all is as it was behind the last frame's end
        self._reading = False
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether a line or an event has begun and not ended; true at the end, it was cut off."""
        return bool(self._start or self._line or self._data or self._event)

    @property
    def size(self) -> int:
        """Bytes of the line and the event that have begun and not ended, as the caps count."""
        return len(self._line) + self._size

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

    def close(self) -> Iterator[ServerSentEvent]:
        """End the input and return the event that it cut off, and the stray lines, if any.

        Raises:
            ResponseTooLarge: A cap was hit.
        """
        self._closed = True
        frames = [*self._field(bytes(self._line))] if self._line else []
        return iter([*frames, *self._dispatch()])

    def _frames(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        # What the pattern takes off the front might as well have come in chunks of its own, each
        # one frame that begins and ends between frames, so the lines of the rest lose nothing.
        at = 0
        if self._between_frames and len(chunk) <= self._plain_size and b"\r" not in chunk:
            while match := PLAIN_FRAME.match(chunk, at):
                event, data = match.groups()
                yield ServerSentEvent(data, _text(event) if event else "message", self._id)
                at, self._start = match.end(), None
        if at < len(chunk):
            for line in self._split(chunk[at:]):
                yield from self._field(line) if line else self._dispatch()
            self._check_line(self._line)
            self._between_frames = not (self._line or self._after_cr or self.pending)
        # Not in a `finally`: where an error or the reader broke off, the rest of `chunk` is lost.
        self._reading = False

    def _split(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` ends, and keep what comes behind the last of them."""
        if self._start is not None:
            start = self._start + chunk
            if len(start) < len(BOM) and BOM.startswith(start):
                self._start, chunk = start, b""
            else:
                self._start, chunk = None, start.removeprefix(BOM)
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

    def _field(self, line: bytes) -> Iterable[ServerSentEvent]:
        """Take a line, and return the event that it shows to be over, if any."""
        self._check_line(line)
        name, _, value = line.partition(b":")  # a comment has the empty name, which is no field
        value = value.removeprefix(b" ")
        if name == b"data":
            return self._store(value, is_stray=False)
        if name == b"event":
            # Behind data it may be the name of the next event.
            if self._data:
                self._next_event = _text(value)
            else:
                self._event = _text(value)
        elif name == b"id":
            self._id = self._id if b"\0" in value else _text(value)
        elif name == b"error":
            frames = self._store(value, is_stray=True)
            self._event = "error"
            return frames
        else:
            bare = line.lstrip(_LEADING)
            value = bare.removeprefix(b"data:").lstrip()
            if value[:1] in (b"{", b"["):
                return self._store(value, is_stray=not bare.startswith(b"data:"))
            if self._is_stray:
                return self._store(line, is_stray=True)
        return ()

    def _store(self, value: bytes, *, is_stray: bool) -> Iterable[ServerSentEvent]:
        """Take a line of data, and return the event before it where it begins another."""
        frames: Iterable[ServerSentEvent] = ()
        # JSON that begins behind JSON that has ended is another event, without a blank line.
        is_other_json = (
            self._data
            and not self._is_stray
            and value.lstrip()[:1] in (b"{", b"[")
            and self._data[-1].rstrip().endswith(b"}")
        )
        if self._data and (is_stray is not self._is_stray or is_other_json):
            event, self._next_event = self._next_event, None
            frames = self._dispatch()
            self._event = event or ""
        self._is_stray = is_stray
        self._size += len(value) + LINE_COST
        if self._size > self._max_event:
            raise ResponseTooLarge(
                f"an event of the stream has more data than max_event, {self._max_event:,} bytes"
            )
        self._data.append(value)
        return frames

    def _dispatch(self) -> Iterable[ServerSentEvent]:
        event = self._event if self._next_event is None else self._next_event
        data = b"\n".join(self._data) or (b"null" if event == "error" else b"")
        frame = ServerSentEvent(data, event or "message", self._id, self._is_stray)
        self._data.clear()
        self._is_stray = False
        self._size = 0
        self._event, self._next_event = "", None
        return (frame,) if data else ()

    def _check_line(self, line: bytes | bytearray) -> None:
        if len(line) > self._max_line:
            raise ResponseTooLarge(
                f"a line of the event stream is longer than max_line, {self._max_line:,} bytes"
            )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
