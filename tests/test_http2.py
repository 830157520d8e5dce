"""HTTP/2, which a client of the user's may speak: streams share a connection, and no fate.

The peer is h2 behind the sockets of `serving`. Each connection has a thread, which calls
one function for each request that has come and another for each stream that is reset.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from attrs import define, field

from direct_anyio import ModelRequest, exceptions, infer_model, model_request_stream
from direct_anyio._io import deadlines, transport
from direct_anyio._io.pump import BUFFER
from direct_anyio.models.http import HTTPModel

from . import test_cancellation
from .callers import streamed, unary
from .serving import DONE, PATIENCE, Server, answering, completion, delta, serving
from .test_cancellation import MESSAGES, MOST, Act, Stage, Suspensions, pumps_driven_by

pytest.importorskip("h2")

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, PingAckReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

LIMITS = {"timeout": 0.15, "first_event_timeout": PATIENCE}
"""Seconds; the first has to pass, and is waited for."""

pytestmark = pytest.mark.usefixtures("no_backoff")

Answer = Callable[["Stream"], None]


@define(eq=False)
class Peer:
    """One connection; what is done to it here is sent behind the frame that came."""

    socket: socket.socket
    answer: Answer
    on_reset: Answer
    nonsense: bytes = b""
    state: H2Connection = field(factory=lambda: H2Connection(H2Configuration(client_side=False)))
    streams: dict[int, Stream] = field(factory=dict)

    def serve(self) -> None:
        self.state.initiate_connection()
        self.flush()
        while data := self.socket.recv(65536):
            for event in self.state.receive_data(data):
                self._take(event)
            self.flush()

    def _take(self, event: Any) -> None:
        match event:
            case RequestReceived():
                self.streams[event.stream_id] = Stream(self, event.stream_id)
            case DataReceived():
                self.streams[event.stream_id].asked += event.data
                self.state.acknowledge_received_data(len(event.data), event.stream_id)
            case StreamEnded():
                self.answer(self.streams[event.stream_id])
            case StreamReset():
                self.on_reset(self.streams.pop(event.stream_id))
            case PingAckReceived():
                self.leave()

    def flush(self) -> None:
        self.socket.sendall(self.state.data_to_send())

    def leave(self, last: int | None = None) -> None:
        """Close, behind all that was sent, and behind a GOAWAY where `last` is given."""
        if last is not None:
            self.state.close_connection(last_stream_id=last)
        self.socket.sendall(self.state.data_to_send() + self.nonsense)
        self.socket.shutdown(socket.SHUT_RDWR)


@define(eq=False)
class Stream:
    """One request, and its answer in the making; where it is reset already, nobody reads."""

    peer: Peer
    number: int
    asked: bytes = b""

    def head(self) -> None:
        kind = "text/event-stream" if json.loads(self.asked)["stream"] else "application/json"
        with suppress(ProtocolError):
            self.peer.state.send_headers(self.number, [(":status", "200"), ("content-type", kind)])

    def send(self, data: bytes, end: bool = False) -> None:
        with suppress(ProtocolError):
            self.peer.state.send_data(self.number, data, end_stream=end)


def _whole(stream: Stream) -> None:
    stream.head()
    if json.loads(stream.asked)["stream"]:
        stream.send(delta(content="a"))
        stream.send(delta("stop") + DONE, end=True)
    else:
        stream.send(json.dumps(completion("a")).encode(), end=True)


def _begun(stream: Stream) -> None:
    stream.head()
    stream.send(delta(content="a") if json.loads(stream.asked)["stream"] else b"{")


def _ignored(stream: Stream) -> None:
    pass


def _first(answer: Answer) -> Answer:
    """Return what answers the first request so, and each one after it in full."""
    rest: list[Answer] = [answer]
    return lambda stream: rest.pop()(stream) if rest else _whole(stream)


@asynccontextmanager
async def staged(library: str, answer: Answer, on_reset: Answer = _ignored) -> AsyncIterator[Stage]:
    module: Any = pytest.importorskip(library)

    def greet(accepted: socket.socket, server: Server) -> None:
        Peer(accepted, answer, on_reset).serve()

    with serving(answering(), greet) as server:
        async with module.AsyncClient(http1=False, http2=True, timeout=None) as client:
            model = infer_model("openai:x", api_key="k", base_url=server.url, http_client=client)
            assert isinstance(model, HTTPModel)
            clients = await model.clients()
            with anyio.fail_after(PATIENCE):
                yield Stage(server, model, clients)
            assert clients.limiter.borrowed_tokens == 0


library = test_cancellation.library


async def test_requests_at_once(library: str) -> None:
    """Streamed or not, all are under way on one connection before the first is answered."""
    held: list[Stream] = []

    def hold(stream: Stream) -> None:
        held.append(stream)
        if len(held) == 8:
            for each in held:
                _whole(each)

    async with staged(library, hold) as stage:
        async with anyio.create_task_group() as group:
            for caller in [unary, streamed] * 4:
                group.start_soon(caller, stage.model, MESSAGES)
        assert stage.server.connections == 1


async def test_a_stream_that_is_left(library: str) -> None:
    """The server is told at once, and the other stream of the connection goes on."""

    def finish(left: Stream) -> None:
        for other in left.peer.streams.values():
            other.send(delta("stop") + DONE, end=True)

    async with staged(library, _begun, finish) as stage:
        async with model_request_stream(stage.model, MESSAGES) as other:
            await anext(other)
            async with model_request_stream(stage.model, MESSAGES) as stream:
                async for _ in stream:
                    break
            assert (await other.drain()).text == "a"
        assert stage.server.connections == 1


async def test_a_stream_that_is_left_unread(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its reader is far behind, it is left at once, and not after the limit `close`."""
    slow = PATIENCE / 4
    monkeypatch.setattr(deadlines, "STREAMED", deadlines.Limits(close=slow))
    # One event fills the pipe, so that the pump waits for its reader and not for the peer.
    monkeypatch.setattr(transport, "MAX_BATCH", 1)

    def much(stream: Stream) -> None:
        stream.head()
        for _ in range(4 * BUFFER):
            stream.send(delta(content="a"))

    async with staged(library, much) as stage:
        async with model_request_stream(stage.model, MESSAGES) as stream:
            source: Any = stream._source
            while not source._pipe._send.statistics().tasks_waiting_send:
                await checkpoint()
            left = anyio.current_time()
        assert anyio.current_time() - left < slow


def _away(last: int) -> Answer:
    return lambda stream: stream.peer.leave(last)


def _closed(stream: Stream) -> None:
    stream.peer.leave()


def _reset(stream: Stream) -> None:
    stream.peer.state.reset_stream(stream.number, ErrorCodes.REFUSED_STREAM)


def _nonsense(stream: Stream) -> None:
    """Send data on the stream 0, which is none, when what came before it has been read."""
    stream.peer.nonsense = b"\0\0\5\0\1\0\0\0\0hello"
    stream.peer.state.ping(b"are you?")


def _then(end: Answer, begin: Answer) -> Answer:
    def both(stream: Stream) -> None:
        begin(stream)
        end(stream)

    return both


FAULTS: dict[str, tuple[Answer, type[exceptions.ModelAPIError], str, str | None]] = {
    "gone away at once": (_away(0), exceptions.ModelConnectionError, "headers", None),
    "gone away in the request": (_away(1), exceptions.ModelConnectionError, "headers", None),
    "refused": (_reset, exceptions.ModelConnectionError, "headers", None),
    "closed before the head": (_closed, exceptions.ModelConnectionError, "headers", None),
    "nonsense before the head": (_nonsense, exceptions.UnexpectedModelBehavior, "headers", None),
    "reset in the body": (_then(_reset, _begun), exceptions.StreamInterrupted, "body", None),
    "closed in the body": (_then(_closed, _begun), exceptions.StreamInterrupted, "body", None),
    "nonsense in the body": (_then(_nonsense, _begun), exceptions.StreamInterrupted, "body", None),
    "no head": (_ignored, exceptions.ModelTimeoutError, "headers", "headers"),
    "silence in the body": (_begun, exceptions.ModelTimeoutError, "body", "idle"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_one_error(name: str, library: str) -> None:
    """It is typed, in its phase, and the next request is answered."""
    answer, kind, phase, limit = FAULTS[name]
    settings: Any = {"max_retries": 0} | (LIMITS if limit else {})
    async with staged(library, _first(answer)) as stage:
        with pytest.raises(kind) as caught:
            await streamed(stage.model, MESSAGES, model_settings=settings)
        assert type(caught.value) is kind
        assert (caught.value.phase, getattr(caught.value, "limit", None)) == (phase, limit)
        assert (await unary(stage.model, MESSAGES)).text == "a"


@pytest.mark.parametrize("end", [_closed, _away(1)], ids=["closed", "gone away"])
async def test_a_kept_connection_that_is_closed(end: Answer, library: str) -> None:
    """The next request makes another, and costs no retry."""
    async with staged(library, _first(_then(end, _whole))) as stage:
        for _ in range(2):
            response = await unary(stage.model, MESSAGES, model_settings={"max_retries": 0})
            assert response.text == "a"
        assert stage.server.connections == 2


@pytest.mark.parametrize("begin", [_ignored, _begun], ids=["before the head", "in the body"])
async def test_a_connection_that_is_dead(begin: Answer, library: str) -> None:
    """After a limit has passed in its silence it gets no other request, and none is lost."""
    dead: set[Peer] = set()

    def answer(stream: Stream) -> None:
        if not dead:
            begin(stream)
            stream.peer.flush()
            dead.add(stream.peer)
        elif stream.peer not in dead:
            _whole(stream)

    settings: Any = LIMITS | {"max_retries": 0}
    async with staged(library, answer) as stage:
        with pytest.raises(exceptions.ModelTimeoutError):
            await streamed(stage.model, MESSAGES, model_settings=settings)
        for _ in range(2):
            response = await unary(stage.model, MESSAGES, model_settings=settings)
            assert response.text == "a"
        assert stage.server.connections == 2


ACTS = [test_cancellation._unary, test_cancellation._to_the_end, test_cancellation._left_early]
FINISH = [ModelRequest.user_text_prompt("Finish.")]


@pytest.mark.parametrize("waking", [False, True], ids=["waiting", "waking"])
@pytest.mark.parametrize("act", ACTS)
async def test_cancelled_at_every_wait(act: Act, waking: bool, library: str) -> None:
    """No task is left, and the connection serves its other stream and the next request."""
    other: list[Stream] = []

    def answer(stream: Stream) -> None:
        if not other:
            other.append(stream)
            _begun(stream)
            return
        _whole(stream)
        if b"Finish." in stream.asked:
            other.pop().send(delta("stop") + DONE, end=True)

    async with staged(library, answer) as stage:
        before = test_cancellation._tasks()
        for n in range(1, MOST):
            suspensions = Suspensions({}, waking)
            async with model_request_stream(stage.model, MESSAGES) as stream:
                await anext(stream)
                with CancelScope() as scope, pumps_driven_by(suspensions):
                    suspensions.at[n] = scope.cancel
                    await suspensions.drive(act(stage))
                assert (await unary(stage.model, FINISH)).text == "a"
                assert (await stream.drain()).text == "a"
            assert test_cancellation._tasks() == before
            assert stage.clients.limiter.borrowed_tokens == 0
            if suspensions.count < n:
                assert n > 5
                break
        assert stage.server.connections == 1
