"""The event stream decoder against its rules, a literal reading of the text, and any bytes."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from direct_anyio._core import sse
from direct_anyio._core.sse import ServerSentEvent, SSEDecoder
from direct_anyio.exceptions import ResponseTooLarge

from .chunkings import every_chunking, every_line_end

Frame = ServerSentEvent


def decode(chunks: Iterable[bytes], **caps: int) -> tuple[list[Frame], str | None]:
    """Feed all `chunks`; return the frames and the message of the error behind them."""
    decoder = SSEDecoder(**caps)
    frames: list[Frame] = []
    try:
        for chunk in chunks:
            # One at a time: `extend` would lose the frames before an error.
            for frame in decoder.feed(chunk):
                frames.append(frame)  # noqa: PERF402
    except ResponseTooLarge as error:
        return frames, error.message
    return frames, None


def single_bytes(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


# -- the rules, one by one ------------------------------------------------------------------------

CASES: dict[str, tuple[bytes, list[Frame]]] = {
    "nothing": (b"", []),
    "blank lines alone": (b"\n\n\n", []),
    "one frame": (b"data: a\n\n", [Frame(b"a")]),
    "two frames": (b"data: a\n\ndata: b\n\n", [Frame(b"a"), Frame(b"b")]),
    "blank lines between": (b"\n\ndata: a\n\n\n\ndata: b\n\n", [Frame(b"a"), Frame(b"b")]),
    "no space": (b"data:a\n\n", [Frame(b"a")]),
    "one space goes, the second stays": (b"data:  a \n\n", [Frame(b" a ")]),
    "a tab stays": (b"data:\ta\n\n", [Frame(b"\ta")]),
    "colons in the value": (b"data: a: b:c\n\n", [Frame(b"a: b:c")]),
    "lines are joined": (b"data: a\ndata: b\ndata:c\n\n", [Frame(b"a\nb\nc")]),
    "empty lines are joined": (b"data: a\ndata\ndata:\ndata: \n\n", [Frame(b"a\n\n\n")]),
    "two empty lines make one LF": (b"data\ndata\n\n", [Frame(b"\n")]),
    "no data line": (b"event: x\nid: 1\nretry: 5\n\n", []),
    "an empty data line": (b"data:\n\ndata: \n\ndata\n\n", []),
    "names are exact": (b"Data: a\n data: b\ndata : c\ndatax: d\ndat: e\n\n", []),
    "unknown fields": (b"foo: 1\ndata: a\nbar\n: c\nretry: +5\n\n", [Frame(b"a")]),
    "comments": (b": ping\n\n:\n\ndata: a\n:data: b\n: c\ndata: d\n\n", [Frame(b"a\nd")]),
    "invalid UTF-8 in a comment": (b": \xff\xc3\ndata: a\n\n", [Frame(b"a")]),
    "invalid UTF-8 in a name": (b"data\xff: b\ndata: a\n\n", [Frame(b"a")]),
    "data stays bytes": (b"data: \xff\xe2\x82\n\n", [Frame(b"\xff\xe2\x82")]),
    "event and id are text": (
        b"event: \xc3\xa9\xff\nid: \xe2\x82\ndata: a\n\n",
        [Frame(b"a", "é\ufffd", "\ufffd")],
    ),
    "the event type lasts for one event": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [Frame(b"a", "x"), Frame(b"b")],
    ),
    "the event type ends with an event without data": (
        b"event: x\n\ndata: a\n\n",
        [Frame(b"a")],
    ),
    "the last event type counts": (b"event: x\nevent: y\ndata: a\n\n", [Frame(b"a", "y")]),
    "an empty event type is message": (
        b"event: x\nevent\ndata: a\n\nevent: \ndata: b\n\n",
        [Frame(b"a"), Frame(b"b")],
    ),
    "an event type behind data": (b"event: x\ndata: a\nevent: y\n\n", [Frame(b"a", "y")]),
    "an empty event type behind data": (b"event: x\ndata: a\nevent\n\n", [Frame(b"a")]),
    "an event type between two objects": (
        b"event: x\ndata: {}\nevent: y\ndata: {}\nevent: z\n\n",
        [Frame(b"{}", "x"), Frame(b"{}", "z")],
    ),
    "an error without data": (
        b"event: error\n\nevent: error\ndata\n\n",
        [Frame(b"null", "error"), Frame(b"null", "error")],
    ),
    "an object behind BOMs and blanks": (
        b"\n\xef\xbb\xbfdata: {}\n\n data: []\n\n",
        [Frame(b"{}"), Frame(b"[]")],
    ),
    "the id persists": (
        b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\n",
        [Frame(b"a", id="1"), Frame(b"b", id="1"), Frame(b"c", id="2"), Frame(b"d")],
    ),
    "an id with NUL": (b"id: 1\nid: 2\0\ndata: a\n\n", [Frame(b"a", id="1")]),
    "NUL elsewhere": (b"event: \0\ndata: \0\n\n", [Frame(b"\0", "\0")]),
    "a BOM": (b"\xef\xbb\xbfdata: a\n\n", [Frame(b"a")]),
    "a BOM alone": (b"\xef\xbb\xbf", []),
    "half a BOM": (b"\xef\xbbdata: b\ndata: a\n\n", [Frame(b"a")]),
    "a second BOM": (b"\xef\xbb\xbf\xef\xbb\xbfdata: b\ndata: a\n\n", [Frame(b"a")]),
    "a late BOM": (b"\n\xef\xbb\xbfdata: b\ndata: \xef\xbb\xbfa\n\n", [Frame(b"\xef\xbb\xbfa")]),
    "separators of str are no line ends": (
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
        [Frame("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei".encode())],
    ),
    "no blank line": (b"data: a\n\ndata: b\n", [Frame(b"a")]),
    "no line end": (b"data: a\n\ndata: b", [Frame(b"a")]),
    "a stream of a model": (
        b': OPENROUTER PROCESSING\n\nevent: delta\ndata: {"t": "h\xc3\xa9"}\n\ndata: [DONE]\n\n',
        [Frame('{"t": "hé"}'.encode(), "delta"), Frame(b"[DONE]")],
    ),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_rules(body: bytes, expected: list[Frame]) -> None:
    """Every rule of the text holds for every chunking and for each of the three line ends."""
    for variant in every_line_end(body):
        for chunks in every_chunking(variant):
            assert decode(chunks) == (expected, None), chunks


MIXED_ENDS: dict[str, tuple[bytes, list[Frame]]] = {
    "all three": (b"data: a\r\ndata: b\rdata: c\n\r\n", [Frame(b"a\nb\nc")]),
    "LF CR are two": (b"data: a\n\rdata: b\n\r", [Frame(b"a"), Frame(b"b")]),
    "CR CR LF are two": (b"data: a\r\r\ndata: b\r\r\n", [Frame(b"a"), Frame(b"b")]),
    "CR LF LF are two": (b"data: a\r\n\ndata: b\r\n\n", [Frame(b"a"), Frame(b"b")]),
}


@pytest.mark.parametrize(("body", "expected"), MIXED_ENDS.values(), ids=MIXED_ENDS)
def test_mixed_line_ends(body: bytes, expected: list[Frame]) -> None:
    """The three line ends may follow one another, and CR LF is one end wherever it is cut."""
    for chunks in every_chunking(body):
        assert decode(chunks) == (expected, None), chunks


def test_large_body() -> None:
    """A body of many frames in one chunk decodes as it does in small ones."""
    body = b"".join(b'event: e%d\ndata: {"a number": %30d}\n\n' % (n, n) for n in range(150))
    expected = [Frame(b'{"a number": %30d}' % n, f"e{n}") for n in range(150)]
    for variant in every_line_end(body):
        for chunks in every_chunking(variant):
            assert decode(chunks) == (expected, None)


def test_cr_at_the_end_of_a_chunk_dispatches() -> None:
    """A frame ended by CR does not wait to see whether an LF follows, which then ends no line."""
    decoder = SSEDecoder()
    assert list(decoder.feed(b"data: a\r\r")) == [Frame(b"a")]
    assert list(decoder.feed(b"")) == []
    assert list(decoder.feed(b"\n")) == []
    assert list(decoder.feed(b"data: b\r")) == []
    assert list(decoder.feed(b"\n\n")) == [Frame(b"b")]


# -- the text, word for word ----------------------------------------------------------------------


@frozen
class Dispatched:
    data: str
    event: str
    id: str


class Interpreter:
    """The text, sentence by sentence, without a thought for speed or for chunks."""

    def __init__(self) -> None:
        self.data = ""
        self.event_type = ""
        self.last_event_id = ""
        self.dispatched: list[Dispatched] = []

    def interpret(self, body: bytes) -> list[Dispatched]:
        # "Streams must be decoded using the UTF-8 decode algorithm", which "strips one leading
        # UTF-8 byte order mark, if any".
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        # end-of-line = ( cr lf / cr / lf )
        *lines, _ = re.split("\r\n|\r|\n", text)
        # "Once the end of the file is reached, any pending data must be discarded."
        for line in lines:
            self.process_line(line)
        return self.dispatched

    def process_line(self, line: str) -> None:
        if line == "":  # "If the line is empty (a blank line): Dispatch the event"
            self.dispatch()
        elif line[0] == ":":  # "If the line starts with a U+003A COLON: Ignore the line."
            pass
        elif ":" in line:
            colon = line.index(":")
            field, value = line[:colon], line[colon + 1 :]
            # "If value starts with a U+0020 SPACE character, remove it from value."
            if value.startswith(" "):
                value = value[1:]
            self.process_field(field, value)
        else:  # "using the whole line as the field name, and the empty string as the value"
            self.process_field(line, "")

    def process_field(self, field: str, value: str) -> None:
        if field == "event":
            self.event_type = value
        elif field == "data":
            self.data += value + "\n"
        elif field == "id" and "\0" not in value:
            self.last_event_id = value

    def dispatch(self) -> None:
        if self.data == "":
            self.event_type = ""
            return
        if self.data[-1] == "\n":
            self.data = self.data[:-1]
        event_type = self.event_type or "message"
        self.dispatched.append(Dispatched(self.data, event_type, self.last_event_id))
        self.data = ""
        self.event_type = ""


def in_words(frame: Frame) -> Dispatched:
    return Dispatched(frame.data.decode(errors="replace"), frame.event, frame.id)


TOKENS = [
    *(b"data: x\n\n", b"data: \n\n", b"event: y\ndata: x\n\n", b"event: \ndata: x\n\n"),
    *(b"data", b"event", b"id", b"retry", b"foo", b"data: x", b"event: y", b"id: 1"),
    *(b":", b" ", b"a", b"\0", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"),
    *(b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xbf", b"\xff", b"\xc3", "é".encode()),
    *("\u2028".encode(), "\x85".encode(), b"\x0b", b"\x0c", b"\x1c"),
]
CHUNKS = st.lists(st.lists(st.sampled_from(TOKENS), max_size=8).map(b"".join), max_size=12)


@settings(deadline=None)
@given(chunks=CHUNKS)
def test_agrees_with_the_text(chunks: list[bytes]) -> None:
    """Frames are those of the text less the ones with empty data, however the bytes are cut."""
    body = b"".join(chunks)
    expected = [event for event in Interpreter().interpret(body) if event.data]
    for chunking in (chunks, [body], single_bytes(body)):
        frames, error = decode(chunking)
        assert error is None
        assert [in_words(frame) for frame in frames] == expected


@settings(deadline=None)
@given(chunks=CHUNKS | st.lists(st.binary()), max_line=st.integers(0, 40), lines=st.integers(0, 4))
def test_any_bytes_give_frames_or_too_large(chunks: list[bytes], max_line: int, lines: int) -> None:
    """With any bytes and caps the outcome is the frames up to the cap, however they are cut."""
    caps = {"max_line": max_line, "max_event": lines * 70}
    body = b"".join(chunks)
    frames, error = decode(chunks, **caps)
    assert (frames, error) == decode([body], **caps) == decode(single_bytes(body), **caps)
    uncapped, _ = decode(chunks)
    assert frames == (uncapped if error is None else uncapped[: len(frames)])


# -- caps -----------------------------------------------------------------------------------------

LIMITS: dict[str, tuple[bytes, dict[str, int]]] = {
    "max_line": (b"data: 1234\n\n", {"max_line": 10}),
    "max_line of a comment": (b": 12345678\ndata: a\n\n", {"max_line": 10}),
    "max_line behind a BOM": (b"\xef\xbb\xbfdata: 1234\n\n", {"max_line": 10}),
    "max_event": (b"data: 1234\ndata: 5\n\n", {"max_event": 64 + 4 + 64 + 1}),
    "max_event of a later event": (b"data: 1\n\ndata: 12\n\n", {"max_event": 66}),
    "max_line of a later line": (b"data: 1\n\ndata: 12\n\n", {"max_line": 8}),
    "max_event anew for each event": (b"data: 1\n\ndata: 2\n\ndata: 3\n\n", {"max_event": 65}),
}


@pytest.mark.parametrize(("body", "caps"), LIMITS.values(), ids=LIMITS)
def test_caps_are_exact(body: bytes, caps: dict[str, int]) -> None:
    """What just fits is decoded as if there were no cap, and one byte less room is too little."""
    [(name, limit)] = caps.items()
    for variant in every_line_end(body):
        for chunks in every_chunking(variant):
            assert decode(chunks, **caps) == decode([body])
            _, error = decode(chunks, **{name: limit - 1})
            assert error is not None
            assert f"{name}, {limit - 1} bytes" in error


def test_a_line_without_end_hits_the_cap() -> None:
    """A line that never ends is refused with the byte that makes it too long."""
    body = b"data: a\n\n" + b"x" * 11
    for chunks in every_chunking(body):
        frames, error = decode(chunks, max_line=10)
        assert frames == [Frame(b"a")]
        assert error is not None
        assert "max_line" in error
    assert decode([body[:-1]], max_line=10) == ([Frame(b"a")], None)


def test_empty_data_lines_hit_the_cap() -> None:
    """A hundred thousand `data` lines without a value count, although they hold no byte."""
    body = b"data: a\n\n" + b"data:\n" * 100_000
    for chunks in ([body], single_bytes(body)):
        frames, error = decode(chunks, max_event=1024 * 1024)
        assert frames == [Frame(b"a")]
        assert error is not None
        assert "max_event, 1,048,576 bytes" in error


def test_default_caps() -> None:
    """Without settings a line and an event may be as long as a whole response: 64 MiB."""
    size = 64 * 1024 * 1024
    assert decode([b":" * size]) == ([], None)
    assert decode([b":" * (size + 1)])[1] is not None
    data = b"a" * (size // 2 - 64)
    assert decode([b"data:", data, b"\ndata:", data, b"\n\n"])[1] is None
    assert decode([b"data:", data, b"\ndata:", data, b"a\n\n"])[1] is not None


# -- feeding and the end --------------------------------------------------------------------------


def test_frames_are_read_one_by_one() -> None:
    """A reader may rest between two frames of a chunk, and each is decoded when it is asked for."""
    decoder = SSEDecoder(max_line=10)
    frames = decoder.feed(b"data: a\n\ndata: b\n\n: a long comment\n")
    assert next(frames) == Frame(b"a")
    assert next(frames) == Frame(b"b")
    with pytest.raises(ResponseTooLarge):
        next(frames)


def test_unread_frames_are_not_lost_in_silence() -> None:
    """Feeding on while frames of the last chunk are unread is refused, and they stay readable."""
    decoder = SSEDecoder()
    frames = decoder.feed(b"data: a\n\ndata: b\n\nda")
    with pytest.raises(RuntimeError, match="unread"):
        decoder.feed(b"ta: c\n\n")
    assert next(frames) == Frame(b"a")
    with pytest.raises(RuntimeError, match="unread"):
        decoder.feed(b"ta: c\n\n")
    assert list(frames) == [Frame(b"b")]
    assert list(decoder.feed(b"ta: c\n\n")) == [Frame(b"c")]


def test_feed_after_an_error() -> None:
    """Behind an error the place in the stream is lost, so nothing more is decoded."""
    decoder = SSEDecoder(max_line=10)
    with pytest.raises(ResponseTooLarge):
        list(decoder.feed(b"x" * 11))
    with pytest.raises(RuntimeError, match="after an error"):
        decoder.feed(b"data: a\n\n")


def test_feed_after_close() -> None:
    """Nothing can follow the end, also where frames were unread as it came."""
    decoder = SSEDecoder()
    frames = decoder.feed(b"data: a\n\ndata: b\n\n")
    assert next(frames) == Frame(b"a")
    decoder.close()
    assert list(frames) == [Frame(b"b")]
    with pytest.raises(RuntimeError, match="after close"):
        decoder.feed(b"data: c\n\n")


PENDING: dict[bytes, bool] = {
    b"": False,
    b"\n": False,
    b"\r": False,
    b"\xef\xbb": True,
    b"\xef\xbb\xbf": False,
    b": ping\n": False,
    b": pi": True,
    b"id: 1\n": False,
    b"event: x\n": True,
    b"event: x\n\n": False,
    b"data:\n": True,
    b"data: a\n": True,
    b"data: a\n\n": False,
    b"data: a\r\r": False,
    b"data: a\n\ndata": True,
}


@pytest.mark.parametrize(("body", "expected"), PENDING.items())
def test_pending(body: bytes, expected: bool) -> None:
    """Whether a stream was cut off in a line or an event is known."""
    for chunks in every_chunking(body):
        decoder = SSEDecoder()
        for chunk in chunks:
            list(decoder.feed(chunk))
        assert decoder.pending is expected


# -- linear in the bytes --------------------------------------------------------------------------


class Watched(bytearray):
    """A buffer that notes by which name it was looked at; appending to it is not looking."""

    looks: list[str]

    def __getattribute__(self, name: str) -> Any:
        Watched.looks.append(name)
        return super().__getattribute__(name)

    def __contains__(self, item: Any) -> bool:
        Watched.looks.append("in")
        return super().__contains__(item)

    def __getitem__(self, at: Any) -> Any:
        Watched.looks.append("[]")
        return super().__getitem__(at)


def test_a_held_line_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line that comes byte by byte, what is held is read once: when its end has come."""
    Watched.looks = []
    monkeypatch.setattr(sse, "bytearray", Watched, raising=False)
    data = b"x" * 100_000
    frames, _ = decode(single_bytes(b"data: " + data + b"\n\n"))
    assert frames == [Frame(data)]
    assert 1 <= len(Watched.looks) <= 4, Watched.looks[:20]


def test_a_held_line_is_not_copied() -> None:
    """A byte more of a long line takes room for bytes, not for another copy of the line."""
    decoder = SSEDecoder()
    held = 4 * 1024 * 1024
    list(decoder.feed(b"x" * held))
    tracemalloc.start()
    try:
        for _ in range(100):
            list(decoder.feed(b"x"))
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(100):
            list(decoder.feed(b"x"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < held // 4
