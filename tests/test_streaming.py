"""Leaving a stream, in every way: it is closed, the exception is bare, what came is kept."""

from __future__ import annotations

import asyncio
import gc
import select
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import anyio
import httpx
import pytest
import sniffio
from anyio import CancelScope
from anyio.lowlevel import checkpoint

from direct_anyio import (
    ModelConnectionError,
    ModelRequest,
    PartDeltaEvent,
    PartStartEvent,
    StreamedResponse,
    StreamInterrupted,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
    model_request_stream_sync,
)
from direct_anyio._core import decoder
from direct_anyio._json import loads
from direct_anyio.models import Model
from direct_anyio.profiles import ModelProfile
from direct_anyio.testing import ScriptedModel

from .serving import PATIENCE, Connection, abort, answering, chunk, delta, frame, serving, streamed

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


async def test_an_open_stream_knows_who_answers() -> None:
    """What comes before the first content is known before the first event."""
    with serving(_endless(threading.Event())) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            known = stream.model_name, stream.provider_response_id
            assert stream.response.parts == ()
            await anext(stream)
            assert known == (stream.model_name, stream.provider_response_id)
            assert all(known)


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


async def _unread(stream: StreamedResponse) -> None:
    """Leave without a look."""


async def _closed_in_its_loop(stream: StreamedResponse) -> None:
    with pytest.raises(UserError, match="closed"):
        async for _ in stream:
            await stream.aclose()


async def _closed_by_a_block(stream: StreamedResponse) -> None:
    async with aclosing(stream) as events:
        async for _ in events:
            break


async def _cancelled_twice(stream: StreamedResponse) -> None:
    await stream.cancel()
    await stream.cancel()


async def _closed_in_another_task(stream: StreamedResponse) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(stream.aclose)


WAYS: dict[str, tuple[Callable[[StreamedResponse], Awaitable[None]], str | None]] = {
    "unread": (_unread, None),
    "closed in its loop": (_closed_in_its_loop, "one "),
    "closed by a block": (_closed_by_a_block, "one "),
    "cancelled twice": (_cancelled_twice, None),
    "closed in another task": (_closed_in_another_task, None),
}


@pytest.mark.parametrize("way", WAYS)
async def test_ways_to_leave(way: str) -> None:
    """However a stream is left, it is closed for good and what was delivered stays."""
    leave, text = WAYS[way]
    closed = threading.Event()
    with serving(_endless(closed)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            await leave(stream)
        assert await _saw(closed)
        for more in (stream.__anext__, stream.drain):
            with pytest.raises(UserError, match="closed"):
                await more()
    assert stream.response.state == "interrupted"
    assert stream.response.text == text


async def test_an_exit_stack_leaves_its_streams() -> None:
    """Streams that one exit stack holds are open together, and closed with it."""
    with serving(_endless(threading.Event())) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with AsyncExitStack() as stack:
            opening = [model_request_stream(model, MESSAGES) for _ in range(3)]
            streams = [await stack.enter_async_context(each) for each in opening]
            for stream in streams:
                await anext(stream)
        assert await anyio.to_thread.run_sync(server.all_left)
        assert server.connections == 3
    assert {stream.state for stream in streams} == {"interrupted"}


async def test_a_generator_of_the_readers_that_is_closed() -> None:
    """A generator around a stream, closed where it was made, closes the stream at once."""
    closed = threading.Event()

    async def words(model: Any) -> AsyncIterator[str | None]:
        async with model_request_stream(model, MESSAGES) as stream:
            async for _ in stream:
                yield stream.response.text

    with serving(_endless(closed)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with aclosing(words(model)) as texts:  # type: ignore[type-var]
            async for text in texts:
                assert text == "one "
                break
        assert await _saw(closed)


async def test_another_task_may_read() -> None:
    """A stream is read in any task, one at a time, while its block lasts."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            await anext(stream)
            async with anyio.create_task_group() as group:
                group.start_soon(stream.drain)
            assert stream.state == "complete"
    assert stream.response.text == "ab"


async def test_a_stream_is_closed_while_a_task_waits_for_it() -> None:
    """The task that waits for the next event is told that another has closed the stream."""
    raised: list[BaseException] = []
    with serving(_endless(threading.Event())) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:

            async def read() -> None:
                try:
                    await stream.drain()
                except UserError as exc:
                    raised.append(exc)

            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await _until_it_waits(stream)
                await stream.aclose()
    assert "closed while it was being read" in str(raised)
    assert stream.response.text == "one two "


async def _until_it_waits(stream: StreamedResponse) -> None:
    """Wait until all that the server sends has been delivered, and the reader wants more."""
    while not (stream.response.text == "one two " and stream._filling):
        await checkpoint()


async def test_draining() -> None:
    """What a loop left is drained; then there is no more, however often it is asked for."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            async for _ in stream:
                break
            response = await stream.drain()
            assert (response.text, response.state) == ("ab", "complete")
            assert await stream.drain() == response
            assert [event async for event in stream] == []
            await stream.aclose()
        assert await stream.drain() == response
        assert [event async for event in stream] == []
    assert stream.state == "complete"


async def test_a_wait_that_was_given_up_loses_nothing() -> None:
    """A reader that was cancelled as it waited gets every event, in order, when it returns."""
    gate = threading.Event()

    def answer(connection: Connection) -> None:
        first, *rest = streamed(*"abc")[1:]
        connection.stream(first, end=False)
        gate.wait(PATIENCE)
        for each in rest:
            connection.send(chunk(each))
        connection.send(chunk(b""))

    with serving(answer) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            for _ in range(3):
                async with anyio.create_task_group() as group:
                    group.start_soon(stream.drain)
                    while not stream._filling:
                        await checkpoint()
                    group.cancel_scope.cancel()
            assert stream.state == "incomplete"
            gate.set()
            assert (await stream.drain()).text == "abc"


async def test_a_cancellation_that_is_swallowed_comes_again() -> None:
    """A reader that swallows its cancellation is cancelled at its next wait, and its block ends."""
    closed = threading.Event()
    swallowed = 0
    with serving(_endless(closed)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with anyio.CancelScope() as scope:
            async with model_request_stream(model, MESSAGES) as stream:
                scope.cancel()
                while swallowed < 3:
                    try:
                        await stream.drain()
                    except anyio.get_cancelled_exc_class():
                        swallowed += 1
            assert stream.state == "interrupted"
            await checkpoint()
        assert scope.cancelled_caught
        assert await _saw(closed)


OFFERED = 256 * 1024 * 1024
"""Bytes that an eager server would send."""

TAKEN = 64 * 1024 * 1024
"""Bytes of them that it gets rid of at most; nearly all stay in the kernel."""


async def test_a_slow_reader_stops_the_server() -> None:
    """A server that sends without end waits while its reader does, and is left at once."""
    stuck, sent = threading.Event(), 0
    word = chunk(delta(content="x" * 100_000))

    def answer(connection: Connection) -> None:
        nonlocal sent
        connection.stream(delta(content="one "), end=False)
        while sent < OFFERED:
            if not select.select([], [connection.socket], [], 0.25)[1]:
                stuck.set()
            connection.send(word)
            sent += len(word)

    with serving(answer) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            await anext(stream)
            assert await _saw(stuck)
        assert await anyio.to_thread.run_sync(server.all_left)
    assert sent < TAKEN
    assert stream.response.text == "one "


@pytest.mark.parametrize("waits", [False, True], ids=["between", "waiting"])
@pytest.mark.parametrize("own", [False, True], ids=["block", "client"])
async def test_the_client_is_closed_under_a_stream(own: bool, waits: bool) -> None:
    """A stream whose client is closed fails and never hangs; what came is kept."""
    with serving(_endless(threading.Event())) as server:
        client = httpx.AsyncClient()
        model = infer_model(
            "openai:x", api_key="k", base_url=server.url, http_client=client if own else None
        )
        async with AsyncExitStack() as lifetime:
            await lifetime.enter_async_context(client)
            await lifetime.enter_async_context(model)
            async with model_request_stream(model, MESSAGES) as stream:

                async def read() -> None:
                    with pytest.raises(ModelConnectionError, match="client was closed"):
                        await stream.drain()

                async with anyio.create_task_group() as group:
                    if waits:
                        group.start_soon(read)
                        await _until_it_waits(stream)
                    await lifetime.aclose()
                    if not waits:
                        group.start_soon(read)
            if own:
                with pytest.raises(UserError, match="closed"):
                    await model_request(model, MESSAGES)
        assert await anyio.to_thread.run_sync(server.all_left)
    assert stream.response.state == "incomplete"
    assert stream.response.text in ("one ", "one two ")


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


async def _broken(model: Any) -> None:
    async def events() -> AsyncIterator[Any]:
        async with model_request_stream(model, MESSAGES) as stream:
            async for event in stream:
                yield event

    async for _ in events():
        break


async def _dropped(model: Any) -> None:
    await anext(await model_request_stream(model, MESSAGES).__aenter__())


async def _passed_on(model: Any) -> None:
    opened = model_request_stream(model, MESSAGES)
    async with anyio.create_task_group() as group:
        group.start_soon(opened.__aenter__)
    async with anyio.create_task_group() as group:
        group.start_soon(opened.__aexit__, None, None, None)


async def _crosswise(model: Any) -> None:
    first, second = (model_request_stream(model, MESSAGES) for _ in range(2))
    await first.__aenter__()
    await second.__aenter__()
    await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("leave", "warned"), [(_broken, 1), (_dropped, 1), (_passed_on, 0), (_crosswise, 0)]
)
async def test_a_block_is_left_by_anybody(leave: Any, warned: int) -> None:
    """Whoever leaves a block, and be it the garbage collector, the tasks around it go on."""
    closed = threading.Event()
    with serving(_endless(closed)) as server, warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", ResourceWarning)
        with anyio.fail_after(PATIENCE):
            await leave(infer_model("openai:x", api_key="k", base_url=server.url))
            gc.collect()
            assert await _saw(closed)
            for _ in range(5):
                await checkpoint()
    assert len(raised) == warned


async def test_a_server_that_never_gives_a_finish_reason() -> None:
    """Its answers are cut short unless the profile says otherwise, as the error does."""

    def answer(connection: Connection) -> None:
        connection.stream(delta(content="Hel"), delta(content="lo"))

    with serving(answer) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(StreamInterrupted, match="finish_reason_may_be_absent=True"):
            async with model_request_stream(model, MESSAGES) as stream:
                await stream.drain()
        lenient = ModelProfile(finish_reason_may_be_absent=True)
        model = infer_model("openai:x", api_key="k", base_url=server.url, profile=lenient)
        async with model_request_stream(model, MESSAGES) as stream:
            response = await stream.drain()
    assert (response.text, response.state) == ("Hello", "complete")
    assert response.provider_details is not None
    assert response.provider_details["direct_anyio"] == {"finish_reason_inferred": True}


async def test_a_suspended_answer_is_never_complete() -> None:
    """The stream ends, and its state says that the provider has only paused."""
    frames = [
        {"type": "content_block_start", "content_block": {"type": "text", "text": "Hm"}},
        {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}},
        {"type": "message_stop"},
    ]

    def answer(connection: Connection) -> None:
        connection.stream(*map(frame, frames))

    with serving(answer) as server:
        model = infer_model("anthropic:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            async for _ in stream:
                pass
            assert [event async for event in stream] == []
        assert (stream.state, stream.response.state) == ("suspended", "suspended")
        assert (await model_request(model, MESSAGES)).state == "suspended"
        assert await anyio.to_thread.run_sync(_drained, model) == ("suspended", [])


def _drained(model: Model) -> tuple[str, list[Any]]:
    """Return the state of a blocking stream at its end, and what a second loop brings."""
    with model_request_stream_sync(model, MESSAGES) as stream:
        state = stream.drain().state
        return state, list(stream)


# -- large documents ------------------------------------------------------------------------------

LARGE = "x" * 700_000


class Reading:
    """Notes which threads read large documents, and holds them until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, held: bool = False) -> None:
        self.threads: list[int] = []
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        if not held:
            self.may_go_on.set()
        monkeypatch.setattr(decoder, "loads", self._loads)

    def _loads(self, data: bytes) -> Any:
        if len(data) > len(LARGE):
            self.threads.append(threading.get_ident())
            self.begun.set()
            assert self.may_go_on.wait(PATIENCE)
        return loads(data)


async def test_large_documents_are_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole answer, and a frame of a stream, are read in a worker thread; small ones are not."""
    reading = Reading(monkeypatch)
    with serving(answering("Hello ", LARGE)) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        assert (await model_request(model, MESSAGES)).text == "Hello " + LARGE
        async with model_request_stream(model, MESSAGES) as stream:
            assert (await stream.drain()).text == "Hello " + LARGE
        assert len(reading.threads) == 2
        assert threading.get_ident() not in reading.threads
        with serving(answering("Hello")) as small:
            model = infer_model("openai:x", api_key="k", base_url=small.url)
            assert (await model_request(model, MESSAGES)).text == "Hello"
    assert len(reading.threads) == 2


async def test_a_cancelled_wait_for_a_large_document_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also a native cancellation, which no shield keeps out; the reader goes on."""
    reading = Reading(monkeypatch, held=True)
    with serving(answering("one ", LARGE, " two")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            assert isinstance(await anext(stream), PartStartEvent)

            async def wait() -> None:
                with CancelScope() as scope:
                    scopes.append(scope)
                    async for _ in stream:
                        pass

            scopes: list[CancelScope] = []
            if sniffio.current_async_library() == "asyncio":
                task = asyncio.ensure_future(wait())
                assert await _saw(reading.begun)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                reading.may_go_on.set()
            else:
                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    assert await _saw(reading.begun)
                    scopes[0].cancel()
                    reading.may_go_on.set()
            assert (await stream.drain()).text == f"one {LARGE} two"


# Text alone.

PARTS: list[Any] = [
    ThinkingPart("Hm."),
    TextPart("a"),
    TextPart("b"),
    ToolCallPart("look", {"at": 1}, "1"),
    TextPart("c"),
    TextPart(""),
    ThinkingPart("So."),
    ThinkingPart("Then."),
    TextPart("d"),
]


@pytest.mark.parametrize("parts", [PARTS, PARTS[3:], PARTS[:1], PARTS[3:4]])
async def test_the_text_of_a_stream(parts: list[Any]) -> None:
    """It comes piece by piece, nothing else does, and joined it is `response.text`."""
    model = ScriptedModel(*parts)
    async with model_request_stream(model, MESSAGES) as stream:
        texts = [text async for text in stream.text_deltas()]
    assert "".join(texts) == (stream.response.text or "")
    assert "" not in texts

    def blocking() -> list[str]:
        with model_request_stream_sync(model, MESSAGES) as stream:
            return list(stream.text_deltas())

    assert await anyio.to_thread.run_sync(blocking) == texts


async def test_the_text_of_a_stream_that_is_left_and_cut() -> None:
    """A second loop goes on where the first stopped, and raises what cut the answer short."""

    def cut(connection: Connection) -> None:
        connection.stream(*(delta(content=text) for text in "abc"), end=False)
        abort(connection.socket)

    with serving(cut) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            async for text in stream.text_deltas():
                assert text == "a"
                break
            texts = aiter(stream.text_deltas())
            assert [await anext(texts), await anext(texts)] == ["b", "c"]
            with pytest.raises(StreamInterrupted):
                await anext(texts)
