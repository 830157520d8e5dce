"""Bytes in, events or one of our errors out: everything that a provider's bytes can do wrong.

The tables speak Chat Completions; what they show holds for all dialects, since the decoder, not
the dialect, answers for the bytes.
"""

from __future__ import annotations

import copy
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct_anyio._core.accumulator import Accumulator
from direct_anyio._core.decoder import BodyDecoder, Decoder, StreamDecoder
from direct_anyio._core.fold import Fold
from direct_anyio._core.inflate import decompressed, undone
from direct_anyio.dialects.openai_chat import OpenAIChatCodec
from direct_anyio.exceptions import (
    EmptyResponse,
    ModelAPIError,
    ModelHTTPError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelServerError,
    ResponseTooLarge,
    StreamInterrupted,
    UnexpectedModelBehavior,
)
from direct_anyio.messages import ModelResponse
from direct_anyio.profiles import ModelProfile
from direct_anyio.tools import ModelRequestParameters

from .chunkings import every_chunking, every_line_end
from .folding import read_all

NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
PARAMETERS = ModelRequestParameters()
CODEC = OpenAIChatCodec(model_name="m", provider_name="openai", profile=ModelProfile())


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c1", "model": "m-1", "created": 1_769_083_200, "choices": [choice], **more}


def data(*documents: Any) -> bytes:
    """Write each document, or text as it is, as a frame."""
    texts = (each if isinstance(each, str) else json.dumps(each) for each in documents)
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)


HELLO = data(chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}))
STOP = data(chunk(finish="stop"))
DONE = data("[DONE]")


def stream_decoder(**words: Any) -> StreamDecoder:
    return StreamDecoder(CODEC.reader(PARAMETERS), "m", **words)


def body_decoder(**words: Any) -> BodyDecoder:
    return BodyDecoder(CODEC.reader(PARAMETERS), "m", **words)


def folded(
    chunks: Iterable[bytes], decoder: Decoder[bytes]
) -> tuple[ModelResponse, ModelAPIError | None]:
    """Open and read a response; return what came of it, and the error of ours that ended it."""
    fold = Fold(decoder, Accumulator(parameters=PARAMETERS, model_name="m", timestamp=NOON))
    try:
        read_all(fold, chunks)
    except ModelAPIError as error:
        return fold.snapshot("incomplete"), error
    return fold.snapshot("complete"), None


# Bytes of a stream; the text that is kept; the error and a word of its message.
Row = tuple[bytes, str | None, type[ModelAPIError] | None, str]
STREAMS: dict[str, Row] = {
    # -- where it ends
    "complete": (HELLO + STOP + DONE, "Hello", None, ""),
    "no end at all": (HELLO, "Hello", StreamInterrupted, "cut short"),
    "cut inside a line": (HELLO + b'data: {"id": "c', "Hello", StreamInterrupted, ""),
    "cut before the blank line": (HELLO + STOP[:-1], "Hello", None, ""),
    "cut before the line end": (HELLO + STOP[:-2], "Hello", None, ""),
    "[DONE] without a line end": (HELLO + DONE[:-2], "Hello", None, ""),
    "a finish reason, no [DONE]": (HELLO + STOP, "Hello", None, ""),
    "[DONE], no finish reason": (HELLO + DONE, "Hello", None, ""),
    "frames behind [DONE]": (HELLO + STOP + DONE + HELLO + b"data: {", "Hello", None, ""),
    "content behind the finish reason": (HELLO + STOP + HELLO + DONE, "HelloHello", None, ""),
    "[DONE] and more": (HELLO + data("[DONE]garbage"), "Hello", UnexpectedModelBehavior, ""),
    "empty": (b"", None, StreamInterrupted, ""),
    "blank": (b"\n\n\n", None, StreamInterrupted, ""),
    "[DONE] alone": (DONE, None, EmptyResponse, "without anything"),
    "arguments cut short": (
        data(chunk({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "pay",
             "arguments": '{"amount": 10'}}]})), None, StreamInterrupted, "",
    ),
    # -- errors in it
    "an error document": (
        HELLO + data({"error": {"message": "boom", "code": 429}}), "Hello", ModelRateLimitError,
        "boom",
    ),
    "an error before any content": (
        data({"error": {"type": "overloaded_error"}}), None, ModelOverloadedError, "overloaded",
    ),
    "an error event": (
        HELLO + b'event: error\ndata: {"message": "boom"}\n\n', "Hello", ModelServerError, "boom",
    ),
    "an error that is text": (HELLO + data({"error": "boom"}), "Hello", ModelServerError, "boom"),
    "a line of text": (HELLO + b"Internal Server Error\n\n", "Hello", StreamInterrupted, ""),
    "an unknown finish reason": (HELLO + data(chunk(finish="tired")) + DONE, "Hello", None, ""),
    # -- how it is framed
    "a byte order mark": (b"\xef\xbb\xbf" + HELLO + STOP, "Hello", None, ""),
    "comments": (b": ping\n\n:\n" + HELLO + b": \xff OPENROUTER\n\n" + STOP, "Hello", None, ""),
    "data on many lines": (
        HELLO + b'data: {"choices": [\ndata: {"delta": {"content": "!"}}]}\n\n' + STOP, "Hello!",
        None, "",
    ),
    "no space, no colon": (HELLO.replace(b": {", b":{") + b"data\n\n" + STOP, "Hello", None, ""),
    "frames without data": (
        b"id: 1\n\nretry: 5\n\n" + HELLO + b"event: x\n\ndata:\n\n" + STOP, "Hello", None, "",
    ),
    "line ends of other alphabets": (
        data(json.dumps(chunk({"content": "a\u2028b\x85c"}), ensure_ascii=False)) + STOP,
        "a\u2028b\x85c", None, "",
    ),
    "lines of JSON": (
        b'{"choices": []}\n{"choices": []}\n', None, UnexpectedModelBehavior, "server-sent events",
    ),
    "HTML": (b"<html>", None, UnexpectedModelBehavior, "<html>"),
    # -- what is in a frame
    "no JSON": (HELLO + data('{"id": oops}'), "Hello", UnexpectedModelBehavior, "oops"),
    "null": (HELLO + data("null"), "Hello", UnexpectedModelBehavior, "not an object"),
    "a number": (HELLO + data("123"), "Hello", UnexpectedModelBehavior, "not an object"),
    "a list": (HELLO + data("[]"), "Hello", UnexpectedModelBehavior, "not an object"),
    "an empty object": (HELLO + data("{}") + STOP, "Hello", None, ""),
    "choices of text": (HELLO + data({"choices": "abc"}), "Hello", UnexpectedModelBehavior, ""),
    "choices of numbers": (HELLO + data({"choices": [1]}), "Hello", UnexpectedModelBehavior, ""),
    "no choices": (HELLO + data({"choices": []}) + STOP, "Hello", None, ""),
    "a delta that is a list": (HELLO + data(chunk([1])), "Hello", UnexpectedModelBehavior, ""),
    "calls that are a dict": (
        HELLO + data(chunk({"tool_calls": {"a": 1}})), "Hello", UnexpectedModelBehavior, "",
    ),
    "usage that is text": (HELLO + data({"usage": "lots"}) + STOP, "Hello", None, ""),
    "content that is a number": (
        HELLO + data(chunk({"content": 5})), "Hello", UnexpectedModelBehavior, "expected dict, got",
    ),
    "content that is a dict": (
        HELLO + data(chunk({"content": {"a": 1}})), "Hello", UnexpectedModelBehavior, "",
    ),
    "created yesterday": (data(chunk({"content": "a"}, created="yesterday")) + STOP, "a", None, ""),
    "created never": (data(chunk({"content": "a"}, created=10**18)) + STOP, "a", None, ""),
    "a model that is a number": (
        data(chunk({"content": "a"}, model=5, id=[1])) + STOP, "a", None, "",
    ),
    "NaN": (HELLO + data('{"usage": NaN}'), "Hello", UnexpectedModelBehavior, "NaN"),
    "a huge integer": (
        HELLO + data('{"created": ' + "9" * 5000 + "}"), "Hello", UnexpectedModelBehavior, "",
    ),
    "deep nesting": (
        HELLO + data("[" * 100_000), "Hello", UnexpectedModelBehavior, "nested too deeply",
    ),
    "deep, but closed": (
        HELLO + data('{"a":' * 500 + "1" + "}" * 500), "Hello", UnexpectedModelBehavior, "deeply",
    ),
    "duplicate keys": (data('{"choices": 1, "choices": []}') + HELLO + STOP, "Hello", None, ""),
    "a lone surrogate": (
        data('{"choices": [{"delta": {"content": "a\\ud800b"}}]}') + STOP, "a\ufffdb", None, "",
    ),
    "control characters": (data(chunk({"content": "a\0\x1b"})) + STOP, "a\0\x1b", None, ""),
    "invalid UTF-8": (HELLO + b'data: {"a": "\xff"}\n\n', "Hello", UnexpectedModelBehavior, ""),
    "a call without an index": (
        HELLO + data(chunk({"tool_calls": [{"id": "1", "function": {"name": "f"}}]})) + STOP,
        "Hello", None, "",
    ),
    "a call whose index is a dict": (
        HELLO
        + data(chunk({"tool_calls": [{"index": {"a": 1}, "id": "1", "function": {"name": "f"}}]}))
        + STOP, "Hello", None, "",
    ),
    "too many calls": (
        HELLO + data(*(chunk({"tool_calls": [{"index": n, "function": {"name": "f"}}]})
                       for n in range(1100))), "Hello", ResponseTooLarge, "parts",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_its_events_or_our_error(name: str) -> None:
    """What came before a fault is kept, and the fault is one of our errors."""
    body, text, error_type, word = STREAMS[name]
    response, error = folded([body], stream_decoder())
    assert type(error) is (error_type or type(None)), error
    assert response.text == text
    if error is not None:
        assert word in str(error)
        assert getattr(error, "in_stream", None) is isinstance(error, ModelHTTPError)
        assert len(str(error)) < 1000


@pytest.mark.parametrize("name", [name for name, row in STREAMS.items() if len(row[0]) < 2000])
def test_the_cuts_of_the_network_do_not_show(name: str) -> None:
    """Byte by byte, cut anywhere and with any line ends, a stream gives the same."""
    body = STREAMS[name][0]
    wanted, error = folded([body], stream_decoder())
    for chunks in every_chunking(body):
        response, other = folded(chunks, stream_decoder())
        assert (response, type(other)) == (wanted, type(error))
    if b"<html>" not in body:
        for ended in every_line_end(body):
            response, other = folded([ended], stream_decoder())
            assert (response.parts, type(other)) == (wanted.parts, type(error))


DETAILS: dict[str, tuple[bytes, dict[str, Any] | None, str | None]] = {
    "complete": (HELLO + STOP + DONE, {"finish_reason": "stop"}, "stop"),
    "[DONE] alone ends it": (
        HELLO + DONE, {"direct_anyio": {"finish_reason_inferred": True}}, None,
    ),
    "content behind the end": (
        HELLO + STOP + HELLO,
        {"finish_reason": "stop"}, "stop",
    ),
    "an unknown reason": (HELLO + data(chunk(finish="tired")), {"finish_reason": "tired"}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", DETAILS)
def test_the_details_tell_how_the_end_was_read(name: str) -> None:
    """The raw finish reason is kept, and an odd end is flagged."""
    body, details, reason = DETAILS[name]
    response, error = folded([body], stream_decoder())
    assert error is None
    assert response.finish_reason == reason
    shown = {k: v for k, v in (response.provider_details or {}).items() if k != "timestamp"}
    assert shown == details


def test_negative_usage_is_none() -> None:
    """Counts below zero are zero, so that totals can be trusted."""
    usage = {"prompt_tokens": -5, "completion_tokens": 7}
    response, error = folded(
        [HELLO + STOP + data({"choices": [], "usage": usage})], stream_decoder()
    )
    assert error is None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (0, 7)


# -- whole bodies ---------------------------------------------------------------------------------

MESSAGE = {"role": "assistant", "content": "Hello"}
WHOLE = {"id": "c1", "model": "m-1", "choices": [{"message": MESSAGE, "finish_reason": "stop"}]}
BODIES: dict[str, tuple[Any, type[ModelAPIError] | None, str]] = {
    "complete": (WHOLE, None, ""),
    "no finish reason": ({"choices": [{"message": MESSAGE}]}, None, ""),
    "HTML": (b"<html>\x1b[2J", UnexpectedModelBehavior, r"<html>\x1b[2J"),
    "cut short": (json.dumps(WHOLE)[:-5].encode(), UnexpectedModelBehavior, ""),
    "empty": (b"", EmptyResponse, "empty"),
    "blank": (b" \n", EmptyResponse, "empty"),
    "null": (None, UnexpectedModelBehavior, "not an object"),
    "a list": ([], UnexpectedModelBehavior, "not an object"),
    "an empty object": ({}, UnexpectedModelBehavior, "cannot be read: 'choices' is missing"),
    "no choices": ({"choices": []}, UnexpectedModelBehavior, "a list has too few items"),
    "choices of null": ({"choices": None}, UnexpectedModelBehavior, ""),
    "a message of text": ({"choices": [{"message": "x"}]}, UnexpectedModelBehavior, ""),
    "content that is a number": (
        {"choices": [{"message": {"content": 5}}]}, UnexpectedModelBehavior, "expected dict, got",
    ),
    "an error": ({"error": {"message": "boom", "code": 429}}, ModelRateLimitError, "boom"),
    "an error that is text": ({"error": "boom"}, ModelServerError, "boom"),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), UnexpectedModelBehavior, ""),
    "a huge integer": (b'{"a": ' + b"9" * 5000 + b"}", UnexpectedModelBehavior, ""),
    "deep nesting": (b"[" * 100_000, UnexpectedModelBehavior, "nested too deeply"),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(), None, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_gives_its_response_or_our_error(name: str) -> None:
    """A whole body is read in one piece, and whatever is wrong with it is one of our errors."""
    document, error_type, word = BODIES[name]
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    response, error = folded([body[:7], body[7:]], body_decoder())
    assert type(error) is (error_type or type(None)), error
    assert response.text == (None if error_type else "Hello")
    assert word in str(error)


def test_a_response_is_bounded() -> None:
    """A stream without end and a body without end stop at the cap, with what came kept."""
    response, error = folded([HELLO, HELLO, HELLO], stream_decoder(max_response=len(HELLO) * 2))
    assert (response.text, type(error)) == ("HelloHello", ResponseTooLarge)
    assert type(folded([b"x" * 11], body_decoder(max_response=10))[1]) is ResponseTooLarge


# -- compression ----------------------------------------------------------------------------------

GOOD = HELLO + STOP + DONE
SQUEEZED: dict[str, tuple[str, bytes, str | None, type[ModelAPIError] | None]] = {
    "none": ("", GOOD, "Hello", None),
    "identity": ("Identity ", GOOD, "Hello", None),
    "gzip": ("gzip", gzip.compress(GOOD), "Hello", None),
    "x-gzip": ("X-GZIP", gzip.compress(GOOD), "Hello", None),
    "deflate": ("deflate", zlib.compress(GOOD), "Hello", None),
    "corrupt": ("gzip", b"nonsense", None, UnexpectedModelBehavior),
    "truncated": ("gzip", gzip.compress(HELLO)[:-20], None, StreamInterrupted),
    "the trailer alone missing, behind the end": ("gzip", gzip.compress(GOOD)[:-8], "Hello", None),
    "the trailer alone missing": (
        "gzip",
        gzip.compress(HELLO)[:-8],
        "Hello",
        StreamInterrupted,
    ),
    "two members": ("gzip", gzip.compress(HELLO) + gzip.compress(STOP), "Hello", None),
    "two members and padding": (
        "gzip",
        gzip.compress(HELLO) + bytes(9) + gzip.compress(STOP) + bytes(9),
        "Hello",
        None,
    ),
    "two members, the second cut": (
        "gzip",
        gzip.compress(HELLO) + gzip.compress(b": ping\n\n")[:-9],
        "Hello",
        StreamInterrupted,
    ),
    "a member and nonsense": (
        "gzip",
        gzip.compress(HELLO) + b"nonsense",
        "Hello",
        UnexpectedModelBehavior,
    ),
    "raw deflate": ("deflate", zlib.compress(GOOD, wbits=-15), "Hello", None),
}


@pytest.mark.parametrize("name", SQUEEZED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_compression_is_undone(name: str, size: int) -> None:
    """A compressed stream gives the same, however it is cut, and its faults are ours."""
    encoding, body, text, error_type = SQUEEZED[name]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    response, error = folded(chunks, decompressed(stream_decoder(), encoding))
    assert type(error) is (error_type or type(None)), error
    if text:
        assert response.text == text


def test_a_truncated_body_is_interrupted() -> None:
    """A compressed body that was cut short is not taken for one that makes no sense."""
    squeezed = gzip.compress(json.dumps(WHOLE).encode())
    for cut in (5, len(squeezed) // 2, len(squeezed) - 12):
        _, error = folded([squeezed[:cut]], decompressed(body_decoder(), "gzip"))
        assert type(error) is StreamInterrupted
    _, error = folded([gzip.compress(b"<html>")], decompressed(body_decoder(), "gzip"))
    assert type(error) is UnexpectedModelBehavior


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip," * 50, "\x1b" * 5000])
def test_an_unknown_coding_is_refused(encoding: str) -> None:
    """One coding that we know is undone; any other, and several at once, are refused."""
    with pytest.raises(UnexpectedModelBehavior, match="Content-Encoding") as caught:
        decompressed(stream_decoder(), encoding)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("make", [stream_decoder, body_decoder], ids=["stream", "body"])
def test_a_bomb_does_not_go_off(make: Any) -> None:
    """A bomb is an error before it has taken memory worth a mention."""
    bomb = gzip.compress(b": " + b"a" * 100_000_000 + b"\n", 1)
    decoder = decompressed(make(), "gzip")
    tracemalloc.start()
    try:
        _, error = folded([bomb], decoder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(error) is ResponseTooLarge
    assert peak < 32 * 1024 * 1024


# -- any nonsense ---------------------------------------------------------------------------------

CALLS = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}]}
LOGPROBS = {"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
VALID: list[dict[str, Any]] = [
    chunk({"role": "assistant", "content": "a"}),
    chunk({"reasoning_content": "hm"}),
    chunk(CALLS),
    chunk(CALLS, finish="tool_calls", usage=USAGE),
    {**chunk(finish="stop"), "choices": [{"delta": {"content": "a"}, "logprobs": LOGPROBS}]},
    {"error": {"message": "boom", "code": 429, "type": "x"}},
]
WHOLES: list[dict[str, Any]] = [
    WHOLE,
    {**WHOLE, "choices": [{"message": {**CALLS, "reasoning": "hm"}, "logprobs": LOGPROBS}]},
    {**WHOLE, "usage": USAGE, "created": 1},
]
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container in a document with each of its keys."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [each for key in keys for each in places(value[key])]


def mutated(draw: st.DataObject, document: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(document)
    for _ in range(draw.draw(st.integers(1, 2))):
        container, key = draw.draw(st.sampled_from(places(document)), "place")
        if draw.draw(st.booleans()):
            container[key] = draw.draw(NONSENSE, "nonsense")
        elif len(document) > 1:
            del container[key]
            if not places(document):
                break
    return document


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_frame_makes_a_foreign_error(draw: st.DataObject) -> None:
    """A stream of valid frames, each changed anywhere, gives events or one of our errors."""
    frames = [
        mutated(draw, each) for each in draw.draw(st.lists(st.sampled_from(VALID), max_size=3))
    ]
    folded([HELLO, data(*frames), STOP], stream_decoder())


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_body_makes_a_foreign_error(draw: st.DataObject) -> None:
    """A valid body, changed anywhere, gives a response or one of our errors."""
    body = json.dumps(mutated(draw, draw.draw(st.sampled_from(WHOLES)))).encode()
    folded([body], body_decoder())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=50) | st.sampled_from([HELLO, STOP, DONE, b"data: "])))
def test_no_bytes_make_a_foreign_error(chunks: list[bytes]) -> None:
    """Any bytes at all give events or one of our errors, compressed or not."""
    folded(chunks, stream_decoder())
    folded(chunks, body_decoder())
    folded(chunks, decompressed(stream_decoder(), "gzip"))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b'{"error": 1}', mtime=0)),
        ("gzip", gzip.compress(b'{"error": 1}', mtime=0)[:-5]),
        ("deflate", zlib.compress(b'{"error": 1}')),
        ("deflate", zlib.compress(b'{"error": 1}', wbits=-15)),
        ("", b'{"error": 1}'),
        ("br", b'{"error": 1}'),
        ("gzip", b'{"error": 1}'),
    ],
)
def test_the_body_of_an_error_is_undone(coding: str, body: bytes) -> None:
    """It is read as far as it goes; what is no such coding stays as it is."""
    assert undone(body, coding) == b'{"error": 1}'


def test_the_body_of_an_error_is_bounded() -> None:
    assert len(undone(gzip.compress(bytes(50_000_000)), "gzip")) < 1024 * 1024
