"""Leaving a stream, in every way: it is closed, the exception is bare, what came is kept."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from direct_anyio import (
    ModelRequest,
    PartDeltaEvent,
    StreamInterrupted,
    TextPart,
    UserError,
    infer_model,
    model_request_stream,
    model_request_stream_sync,
)

from .serving import PATIENCE, Connection, answering, delta, serving, streamed

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


def _endless(seen: threading.Event) -> Any:
    """Send one event and wait for the other side to close."""

    def answer(connection: Connection) -> None:
        connection.stream(delta(content="one "), delta(content="two "), end=False)
        if connection.closed_by_peer():
            seen.set()

    return answer


async def _saw(event: threading.Event) -> bool:
    return await anyio.to_thread.run_sync(event.wait, PATIENCE)


async def test_leaving_by_break_closes_the_connection() -> None:
    """A reader that breaks is free at once, and the server sees the connection close."""
    closed = threading.Event()
    with serving(_endless(closed)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            async for _ in stream:
                break
        assert await _saw(closed)
    assert stream.response.state == "interrupted"
    assert stream.response.parts == (TextPart("one "),)


async def test_the_readers_exception_leaves_bare() -> None:
    """The exception of the block is the one that comes out, the very same."""
    closed = threading.Event()
    mine = KeyError("mine")
    with serving(_endless(closed)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(KeyError) as caught:
            async with model_request_stream(model, MESSAGES) as stream:
                async for _ in stream:
                    raise mine
        assert await _saw(closed)
    assert caught.value is mine


async def test_a_group_that_the_reader_raises_passes_as_it_was() -> None:
    """An exception group of the user's is not taken apart."""
    mine = ExceptionGroup("mine", [KeyError(1)])
    with serving(_endless(threading.Event())) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(ExceptionGroup) as caught:
            async with model_request_stream(model, MESSAGES):
                raise mine
    assert caught.value is mine


async def test_a_cancelled_reader_leaves_nothing_behind() -> None:
    """A cancelled scope around a waiting reader ends it, and the server sees the close."""
    closed = threading.Event()
    with serving(_endless(closed)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        stream: Any = None
        with anyio.CancelScope() as scope:
            async with model_request_stream(model, MESSAGES) as stream:
                async with anyio.create_task_group() as group:

                    async def cancel() -> None:
                        await anyio.wait_all_tasks_blocked()
                        scope.cancel()

                    group.start_soon(cancel)
                    async for _ in stream:
                        pass
        assert scope.cancelled_caught
        assert await _saw(closed)
    assert stream.response.text == "one two "


async def test_leaving_before_the_first_token() -> None:
    """A request that is cancelled before its head came closes its connection, too."""
    closed, came = threading.Event(), threading.Event()

    def silent(connection: Connection) -> None:
        came.set()
        if connection.closed_by_peer():
            closed.set()

    with serving(silent) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                async with model_request_stream(model, MESSAGES):
                    raise AssertionError("there is no stream")

            group.start_soon(ask)
            assert await _saw(came)
            group.cancel_scope.cancel()
        assert await _saw(closed)


async def test_a_second_loop_goes_on() -> None:
    """The second loop over a stream starts where the first stopped."""
    with serving(answering("a", "b", "c")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            first = [event async for event in _until_delta(stream)]
            rest = [event async for event in stream]
            again = [event async for event in stream]
    deltas = [e.delta.content_delta for e in (*first, *rest) if isinstance(e, PartDeltaEvent)]  # type: ignore[union-attr]
    assert deltas == ["b", "c"]
    assert again == []


async def _until_delta(stream: Any) -> AsyncIterator[Any]:
    async for event in stream:
        yield event
        if isinstance(event, PartDeltaEvent):
            return


async def test_a_snapshot_shows_what_was_delivered() -> None:
    """`response` never runs ahead of the events that the reader has been given."""
    with serving(answering("a", "b", "c")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            assert stream.response.parts == ()
            texts = [stream.response.text async for _ in stream]
    assert texts == ["a", "a", "ab", "abc", "abc"]
    assert stream.response.state == "complete"


async def test_after_the_block_the_stream_is_closed() -> None:
    """Iterating over a stream that was left is one clear error; `response` still reads."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            pass
        with pytest.raises(UserError, match="closed"):
            await anext(stream)
    assert stream.response.parts == ()


async def test_two_tasks_cannot_wait_for_one_stream() -> None:
    """The second task that waits for the next event is told so; the first goes on."""
    gate = threading.Event()

    def answer(connection: Connection) -> None:
        first, *rest = streamed("a", "b")[1:]
        connection.stream(first, end=False)
        gate.wait(PATIENCE)
        connection.send(b"".join(b"%x\r\n%s\r\n" % (len(f), f) for f in rest) + b"0\r\n\r\n")

    with serving(answer) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            async for event in stream:
                if type(event).__name__ == "FinalResultEvent":
                    break
            async with anyio.create_task_group() as group:
                group.start_soon(anext, stream)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(UserError, match="Another task"):
                    await anext(stream)
                gate.set()
            async for _ in stream:
                pass
    assert stream.response.text == "ab"


async def test_iterating_after_a_failure_is_one_clear_error() -> None:
    """A stream that has failed says so again, and never ends as if it were complete."""

    def cut(connection: Connection) -> None:
        connection.stream(delta(content="a"))

    with serving(cut) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            with pytest.raises(StreamInterrupted):
                async for _ in stream:
                    pass
            with pytest.raises(UserError, match="failed"):
                await anext(stream)


async def test_streams_share_one_connection() -> None:
    """A stream that ended well hands its connection on to the next request."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        for _ in range(5):
            async with model_request_stream(model, MESSAGES) as stream:
                async for _event in stream:
                    pass
        assert server.connections == 1


def test_the_blocking_stream_is_live() -> None:
    """The first event is delivered before the server has sent the second."""
    gate = threading.Event()

    def answer(connection: Connection) -> None:
        first, *rest = streamed("a", "b")[1:]
        connection.stream(first, end=False)
        assert gate.wait(PATIENCE)
        connection.send(b"".join(b"%x\r\n%s\r\n" % (len(f), f) for f in rest) + b"0\r\n\r\n")

    with serving(answer) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with model_request_stream_sync(model, MESSAGES) as stream:
            event = next(iter(stream))
            assert event.event_kind == "part_start"
            gate.set()
            for _ in stream:
                pass
            assert stream.response.text == "ab"
