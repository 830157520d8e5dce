"""Cancellation at every point where a request waits: only Cancelled escapes, nothing is left.

A harness drives a request, and the pump that owns its response, and cancels at the n-th
time that either waits: as the wait begins, as it ends, again during the cleanup, or as
asyncio itself cancels a task. After each the limiter is free, no task is left, the pool
holds idle connections alone, and the server sees every other one close.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import import_module
from random import Random
from typing import Any

import anyio
import httpx
import pytest
import sniffio
from anyio import CancelScope, CapacityLimiter, current_time
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal
from anyio.lowlevel import checkpoint
from attrs import define, field

from direct_anyio import (
    ConcurrencyLimitedModel,
    FallbackModel,
    ModelRequest,
    ModelRequestParameters,
    ModelTimeoutError,
    RateLimitedModel,
    RateLimiter,
    infer_model,
    list_models,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)
from direct_anyio._io import deadlines, run, transport
from direct_anyio._io.tasks import HostedTaskGroup, _lone, open_task_group
from direct_anyio._io.trace import Trace
from direct_anyio.models.http import HTTPModel

from .callers import CALLERS
from .serving import (
    PATIENCE,
    SSE_HEAD,
    Connection,
    Greeter,
    Handler,
    Server,
    answering,
    chunk,
    delta,
    reply,
    serving,
    streamed,
    tls,
    trusting,
)

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
LARGE = [ModelRequest.user_text_prompt("x" * 4_000_000)]


pytestmark = pytest.mark.usefixtures("no_backoff")


Act = Callable[["Stage"], Coroutine[Any, Any, None]]


@define(eq=False)
class Suspensions:
    """Counts each wait of what it drives, and calls back as a wait begins or has ended."""

    at: dict[int, Callable[[], None]]
    on_waking: bool = False
    count: int = 0

    @types.coroutine
    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        resume: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
        while True:
            try:
                trap = resume()
            except StopIteration as exc:
                return exc.value
            self.count += 1
            due = self.at.pop(self.count, None)
            if due is not None and not self.on_waking:
                due()
            try:
                value = yield trap
            except BaseException as exc:
                resume = _thrower(coroutine, exc)
            else:
                resume = _sender(coroutine, value)
            if due is not None and self.on_waking:
                due()


def _sender(coroutine: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)


def _thrower(coroutine: Coroutine[Any, Any, Any], exc: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(exc)


@contextmanager
def pumps_driven_by(suspensions: Suspensions) -> Iterator[None]:
    """Count the waits of the pumps, too."""
    pump = transport.Exchange.pump

    async def driven(self: Any, *args: Any) -> None:
        await suspensions.drive(pump(self, *args))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport.Exchange, "pump", driven)
        yield


@define(eq=False)
class Stage:
    """A server, and a model that has clients of its own with two places."""

    server: Server
    model: HTTPModel
    clients: run.Clients
    _left: int = field(default=0, init=False)

    def check(self) -> None:
        """Nothing is held: no place, no busy connection."""
        for line in self.lines:
            assert line.limiter.borrowed_tokens == 0
            assert line.limiter.statistics().tasks_waiting == 0
            assert not line._busy
        assert all(connection.is_idle() for connection in self.kept)

    @property
    def limiter(self) -> CapacityLimiter:
        return self.clients.limiter

    @property
    def lines(self) -> list[run.Clients]:
        """The model's clients, and those of the event loop."""
        return [self.clients, *(run._clients_of_run.get(None) or {}).values()]

    @property
    def kept(self) -> list[Any]:
        ours: list[Any] = [free.client for line in self.lines for free in line._free]
        return [kept for client in ours for kept in client._transport._pool.connections]

    async def all_closed(self) -> None:
        """Wait until the server has seen every connection close that is not kept."""
        while self._left < self.server.connections - len(self.kept):
            assert await anyio.to_thread.run_sync(self.server.left.acquire, True, PATIENCE)
            self._left += 1


@asynccontextmanager
async def staged(
    library: str, handler: Handler, greet: Greeter | None = None, places: int = 2
) -> AsyncIterator[Stage]:
    module: Any = pytest.importorskip(library)
    with pytest.MonkeyPatch.context() as patch, serving(handler, greet) as server:
        patch.setattr(transport.new_client, "__defaults__", (module,))
        # An upload has few pieces, so that its waits can all be tried.
        patch.setattr(transport, "WRITE_SIZE", 1_000_000)
        url = server.url.replace("http:", "https:") if greet else server.url
        model = infer_model("openai:x", api_key="k", base_url=url, max_connections=places)
        assert isinstance(model, HTTPModel)
        async with model:
            stage = Stage(server, model, await model.clients())
            yield stage
            for line in stage.lines:
                await line.aclose()


async def _unary(stage: Stage) -> None:
    await model_request(stage.model, MESSAGES)


async def _upload(stage: Stage) -> None:
    await model_request(stage.model, LARGE)


async def _to_the_end(stage: Stage) -> None:
    async with model_request_stream(stage.model, MESSAGES) as stream:
        await stream.drain()


async def _left_early(stage: Stage) -> None:
    async with model_request_stream(stage.model, MESSAGES) as stream:
        async for _ in stream:
            break


async def _left_by_an_error(stage: Stage) -> None:
    mine = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with model_request_stream(stage.model, MESSAGES) as stream:
            async for _ in stream:
                raise mine
    assert caught.value is mine


async def _wrapped(stage: Stage) -> None:
    limited = RateLimitedModel(ConcurrencyLimitedModel(stage.model, 1), RateLimiter())
    async with model_request_stream(FallbackModel(limited, stage.model), MESSAGES) as stream:
        await stream.drain()


async def _in_a_block_of_its_own(stage: Stage) -> None:
    async with infer_model("openai:x", api_key="k", base_url=stage.server.url) as model:
        await model_request(model, MESSAGES)


async def _listed(stage: Stage) -> None:
    assert await list_models("openai", api_key="k", base_url=stage.server.url) == ["x"]


async def _counted(stage: Stage) -> None:
    url = stage.server.url.removesuffix("/v1")
    model = infer_model("anthropic:x", api_key="k", base_url=url)
    used = await model.count_tokens([*MESSAGES], None, ModelRequestParameters())
    assert used.input_tokens == 7


async def _in_line(stage: Stage) -> None:
    """Wait for a place until those that hold them let go."""
    let_go = anyio.Event()

    async def hold(*, task_status: TaskStatus[None]) -> None:
        async with stage.limiter:
            task_status.started()
            await let_go.wait()

    async def wait_for_a_line() -> None:
        while not stage.limiter.statistics().tasks_waiting:
            await checkpoint()
        let_go.set()

    async with anyio.create_task_group() as group:
        await group.start(hold)
        await group.start(hold)
        group.start_soon(wait_for_a_line)
        await model_request(stage.model, MESSAGES)


def _bit_by_bit(connection: Connection) -> None:
    """Open slowly: the head, then words without content, then content, one write each."""
    if not connection.request.json["stream"]:
        answering("a")(connection)
        return
    connection.stream(end=False)
    for each in (delta(role="assistant"), b": ping\n\n", delta(content=""), delta(content="a")):
        connection.send(b"%x\r\n%s\r\n" % (len(each), each))
    each = delta("stop") + b"data: [DONE]\n\n"
    connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(each), each))


def _second_time(connection: Connection) -> None:
    """Fail every second request."""
    if len(connection.server.received) % 2:
        reply({}, "503 Service Unavailable")(connection)
    else:
        answering("a")(connection)


def _endless(connection: Connection) -> None:
    """Send a word, then as many as are taken; a whole request gets its answer."""
    if not connection.request.json["stream"]:
        answering("a")(connection)
        return
    connection.stream(delta(content="one "), end=False)
    more = b"%x\r\n%s\r\n" % (len(delta(content="x" * 9000)), delta(content="x" * 9000))
    while True:
        connection.send(more)


Scenario = tuple[Act, Handler]

SCENARIOS: dict[str, Scenario] = {
    "unary": (_unary, answering("a", "b")),
    "upload": (_upload, answering("a")),
    "to the end": (_to_the_end, answering("a", "b", "c")),
    "opening": (_to_the_end, _bit_by_bit),
    "left early": (_left_early, _endless),
    "left by an error": (_left_by_an_error, _endless),
    "backoff": (_unary, _second_time),
    "in line": (_in_line, answering("a")),
    "wrapped": (_wrapped, answering("a")),
    "a block of its own": (_in_a_block_of_its_own, answering("a")),
    "listed": (_listed, reply({"data": [{"id": "x"}]})),
    "counted": (_counted, reply({"input_tokens": 7})),
}

MOST = 400
"""Waits that no scenario reaches."""


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Any:
    return SCENARIOS[request.param]


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def _tasks() -> int:
    """Return how many tasks the event loop has; trio's timers of idle connections are none."""
    if sniffio.current_async_library() == "trio":
        trio: Any = import_module("trio")
        nurseries = trio.lowlevel.current_root_task().child_nurseries
        system = [task.name for nursery in nurseries for task in nursery.child_tasks]
        timers = sum("start_later" in name for name in system)
        return int(trio.lowlevel.current_statistics().tasks_living) - timers
    return len(asyncio.all_tasks())


async def _cancelled_at(stage: Stage, act: Act, n: int, m: int, waking: bool) -> bool:
    """Act, cancelled at wait `n`, and from outside at the `m`-th after it.

    Returns:
        Whether it came that far.
    """
    before = _tasks()
    outer, inner = CancelScope(), CancelScope()
    suspensions = Suspensions({n: inner.cancel, n + m: outer.cancel}, waking)
    with outer, inner, pumps_driven_by(suspensions):
        await suspensions.drive(act(stage))
    reached = suspensions.count >= n
    assert reached or not inner.cancel_called
    stage.check()
    assert _tasks() == before
    return reached


async def _swept(stage: Stage, act: Act, again: list[int], waking: bool) -> int:
    tried = 0
    for m in again:
        for n in range(1, MOST):
            if not await _cancelled_at(stage, act, n, m, waking):
                break
            tried += 1
            if n % 8 == 0:
                await stage.all_closed()
        else:
            raise AssertionError("it never ends")
    return tried


@pytest.mark.parametrize("waking", [False, True], ids=["waiting", "waking"])
async def test_cancelled_at_every_wait(scenario: Scenario, library: str, waking: bool) -> None:
    """Wherever a request is cancelled, nothing of it is left and the next one works."""
    act, handler = scenario
    async with staged(library, handler) as stage:
        assert await _swept(stage, act, [MOST], waking) > 5
        await stage.all_closed()
        await act(stage)
        stage.check()


async def test_cancelled_twice(scenario: Scenario) -> None:
    """A second cancellation, anywhere in the cleanup of the first, changes nothing."""
    act, handler = scenario
    async with staged("httpx", handler) as stage:
        assert await _swept(stage, act, [1, 2, 3, 5], waking=False) > 20
        await stage.all_closed()
        await act(stage)
        stage.check()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_native_cancellation(scenario: Scenario, library: str, times: int) -> None:
    """`Task.cancel()`, once or at several waits in a row, is a cancellation like any other."""
    act, handler = scenario
    async with staged(library, handler) as stage:
        for n in range(1, MOST):
            before = _tasks()
            suspensions = Suspensions({})
            with pumps_driven_by(suspensions):
                task = asyncio.ensure_future(_as_task(suspensions, act(stage)))
                suspensions.at.update(dict.fromkeys(range(n, n + times), _canceller(task)))
                (ended,) = await asyncio.gather(task, return_exceptions=True)
            assert ended is None or isinstance(ended, asyncio.CancelledError), ended
            stage.check()
            assert _tasks() == before
            if suspensions.count < n:
                break
        await stage.all_closed()
        await act(stage)
        stage.check()


async def test_a_cancelled_task_waits_in_peace() -> None:
    """Who is cancelled, and leaves a block that takes long to end, waits for it once."""

    async def slow_to_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with CancelScope(shield=True):
                for _ in range(20):
                    await checkpoint()

    async def hold() -> None:
        async with HostedTaskGroup() as group:
            group.start_soon(slow_to_end)
            await checkpoint()
            scope.cancel()

    suspensions = Suspensions({})
    with CancelScope() as scope:
        await suspensions.drive(hold())
    assert suspensions.count < 10


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancellation_while_a_block_ends() -> None:
    """`Task.cancel()` is put off until what the block held is over, and never lost."""
    gate = anyio.Event()

    async def slow_to_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with CancelScope(shield=True):
                await gate.wait()

    async def hold() -> None:
        async with HostedTaskGroup() as group:
            group.start_soon(slow_to_end)
            await checkpoint()

    task = asyncio.ensure_future(hold())
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def _canceller(task: asyncio.Future[None]) -> Callable[[], None]:
    def cancel() -> None:
        task.cancel()

    return cancel


async def _as_task(suspensions: Suspensions, coroutine: Coroutine[Any, Any, None]) -> None:
    await suspensions.drive(coroutine)


async def test_cancelled_in_a_handshake(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside of TLS, too, a cancellation leaves no connection that nobody will close."""
    monkeypatch.setattr(transport, "_ssl_context", trusting)
    monkeypatch.setattr(transport, "MAX_KEPT", 0)
    async with staged(library, answering("a"), tls("127.0.0.1")) as stage:
        for waking in (False, True):
            assert await _swept(stage, _unary, [MOST], waking) > 8
        await stage.all_closed()


def _cancelled(limiting: CancelScope) -> None:
    limiting.cancel()


def _passed(limiting: CancelScope) -> None:
    limiting.deadline = current_time()


@pytest.mark.parametrize("pass_", [_cancelled, _passed], ids=["before", "meanwhile"])
async def test_a_limit_that_passes_as_a_connection_is_made(
    pass_: Callable[[CancelScope], None], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the very turn in which a connection is made, too, its limit costs no place in the pool."""
    reported = Trace.__call__

    async def passing(self: Trace, name: str, info: dict[str, Any]) -> None:
        if name == "connection.connect_tcp.complete":
            pass_(self.limiting)
        await reported(self, name, info)

    async with staged(library, answering("a")) as stage:
        with monkeypatch.context() as patch:
            patch.setattr(Trace, "__call__", passing)
            for _ in range(3):
                with pytest.raises(ModelTimeoutError):
                    await model_request(stage.model, MESSAGES, model_settings={"max_retries": 0})
        assert stage.kept == []
        stage.check()
        await _unary(stage)
        await stage.all_closed()


CANCELLATIONS = {"httpx": 5_000, "httpx2": 1_000}
CROWD = 200
"""Requests that stand in line at once."""


async def _a_crowd_that_is_sent_away(stage: Stage, random: Random) -> int:
    """Send a crowd into line, and each of it away while some are on their way."""
    scopes = [CancelScope() for _ in range(CROWD)]

    async def ask(scope: CancelScope) -> None:
        with scope:
            await model_request(stage.model, MESSAGES)

    async with anyio.create_task_group() as group:
        for scope in scopes:
            group.start_soon(ask, scope)
        for scope in random.sample(scopes, CROWD):
            if random.random() < 0.1:
                await checkpoint()
            scope.cancel()
    return sum(scope.cancelled_caught for scope in scopes)


async def test_a_pool_survives_a_crowd(library: str) -> None:
    """Thousands of cancellations in a line for two places cost neither of them."""
    seeded = Random(1)
    async with staged(library, answering("a")) as stage:
        cancelled = 0
        while cancelled < CANCELLATIONS[library]:
            cancelled += await _a_crowd_that_is_sent_away(stage, seeded)
            stage.check()
        for _ in range(100):
            assert (await model_request(stage.model, MESSAGES)).text == "a"
        await stage.all_closed()


LIVE = 200
"""Streams that are open at the same time."""


async def test_many_live_streams() -> None:
    """Of many streams at once a random half is cancelled; the other half is whole."""
    gate = threading.Event()

    def half(connection: Connection) -> None:
        first, *rest = (chunk(each) for each in streamed("a", *"b" * 50)[1:])
        connection.send(SSE_HEAD + first)
        gate.wait(PATIENCE)
        for each in rest:
            connection.send(each)
        connection.send(chunk(b""))

    scopes = [CancelScope() for _ in range(LIVE)]
    opened = [anyio.Event() for _ in range(LIVE)]
    texts: list[str | None] = [None] * LIVE
    doomed = set(Random(1).sample(range(LIVE), LIVE // 2))

    async def read(stage: Stage, number: int) -> None:
        with scopes[number]:
            async with model_request_stream(stage.model, MESSAGES) as stream:
                await anext(stream)
                opened[number].set()
                texts[number] = (await stream.drain()).text

    async with staged("httpx", half, places=LIVE) as stage:
        async with anyio.create_task_group() as group:
            for number in range(LIVE):
                group.start_soon(read, stage, number)
            for each in opened:
                await each.wait()
            assert stage.limiter.borrowed_tokens == LIVE
            for number in doomed:
                scopes[number].cancel()
            gate.set()
        stage.check()
        await stage.all_closed()
    whole = {number for number, text in enumerate(texts) if text == "a" + "b" * 50}
    assert whole == set(range(LIVE)) - doomed


async def test_closing_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose closing has no time left is closed all the same, and nothing is left.

    The garbage collector would warn of a generator of the library's that is left.
    """
    monkeypatch.setattr(deadlines, "STREAMED", deadlines.Limits(close=0))

    def endless(connection: Connection) -> None:
        connection.send(SSE_HEAD)
        with suppress(ConnectionError):
            while True:
                connection.send(chunk(streamed("a" * 100_000)[1]))

    async with staged("httpx", endless) as stage:
        async with model_request_stream(stage.model, MESSAGES) as stream:
            await anext(stream)
            exchange: Any = stream._source
            # The library's generator waits at its `yield` where the pump waits for its reader.
            while not exchange._pipe._send.statistics().tasks_waiting_send:
                await checkpoint()
        stage.check()
        await stage.all_closed()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # trio's, of the generator that is left
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_body_without_end_that_never_waits() -> None:
    """A user's transport may give one; leaving the stream ends all the same."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"".join(streamed("a"))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=endless())

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        model = infer_model("openai:x", api_key="k", http_client=client)
        with anyio.fail_after(PATIENCE):
            async with model_request_stream(model, MESSAGES) as stream:
                await anext(stream)


def test_ctrl_c_ends_a_request_that_is_no_stream() -> None:
    """A blocking call that is interrupted closes its connection while the process lives on."""
    closed = threading.Event()

    def interrupt(connection: Connection) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if connection.closed_by_peer():
            closed.set()

    with serving(interrupt) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(KeyboardInterrupt):
            model_request_sync(model, MESSAGES)
        assert closed.wait(PATIENCE / 2)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_block_that_is_left_while_it_opens(backend: str) -> None:
    """A blocking stream that never opened is over when its block is, not a moment later."""
    asked = threading.Event()

    def silent(connection: Connection) -> None:
        asked.set()
        connection.closed_by_peer()

    async def tasks() -> int:
        return _tasks()

    with serving(silent) as server, start_blocking_portal(backend) as portal:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        before = portal.call(tasks)
        with model_request_stream_sync(model, MESSAGES, portal=portal):
            assert asked.wait(PATIENCE)
        assert portal.call(tasks) == before


async def test_a_block_apart_cancels_its_tasks() -> None:
    """What still runs in a group apart is cancelled as its block ends, and over by then."""
    let_go, over = anyio.Event(), anyio.Event()

    async def linger() -> None:
        try:
            await let_go.wait()
        finally:
            over.set()

    async def hold() -> None:
        async with HostedTaskGroup() as group:
            group.start_soon(linger)

    ended = []
    async with anyio.create_task_group() as group:
        group.start_soon(hold)
        await anyio.wait_all_tasks_blocked()
        ended.append(over.is_set())
        let_go.set()
    assert ended == [True]


async def test_a_task_group_does_not_show() -> None:
    """The lone error of a task leaves as itself, of many the group; the body's own wins."""

    async def fail(error: BaseException) -> None:
        raise error

    async def run_group(body: BaseException | None, *tasks: BaseException) -> None:
        async with open_task_group() as group:
            for error in tasks:
                group.start_soon(fail, error)
            if body is not None:
                raise body
            await anyio.sleep_forever()

    lone, other, body = KeyError(1), ValueError(2), OSError(3)
    with pytest.raises(KeyError) as of_task:
        await run_group(None, lone)
    assert of_task.value is lone
    with pytest.raises(OSError, match="3") as of_body:
        await run_group(body, lone)
    assert of_body.value is body
    with pytest.raises(ExceptionGroup) as group:
        await run_group(None, lone, other)
    assert set(group.value.exceptions) == {lone, other}


def test_ctrl_c_in_a_task_wins() -> None:
    """KeyboardInterrupt leaves a task group as itself, whatever else failed in it."""
    interrupt = KeyboardInterrupt()
    errors = BaseExceptionGroup("", [KeyError(1), BaseExceptionGroup("", [interrupt])])
    assert _lone(errors) is interrupt


@pytest.mark.parametrize("caller", ["unary", "streamed"])
@pytest.mark.parametrize("first", [True, False])
def test_a_native_cancellation_in_the_step_of_a_limit(
    caller: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not lost: the caller is cancelled or told of the limit, and gets no partial answer."""

    async def ask(url: str) -> Any:
        model = infer_model("openai:x", api_key="k", base_url=url)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        call_at = loop.call_at

        def with_cancellation(when: float, callback: Any, *args: Any, **more: Any) -> Any:
            def limit() -> None:
                if first:
                    loop.call_soon(task.cancel)
                callback()
                if not first:
                    loop.call_soon(task.cancel)

            is_limit = "_timeout" in callback.__name__ and when - loop.time() < 0.1
            return call_at(when, limit) if is_limit else call_at(when, callback, *args, **more)

        monkeypatch.setattr(loop, "call_at", with_cancellation)
        settings: Any = {"request_timeout": 0.05, "max_retries": 0}
        return await CALLERS[caller](model, MESSAGES, model_settings=settings)

    def begin(connection: Connection) -> None:
        connection.stream(delta(content="one "), end=False)
        connection.closed_by_peer()

    with serving(begin) as server:
        for _ in range(3):
            with pytest.raises((asyncio.CancelledError, ModelTimeoutError)):
                asyncio.run(ask(server.url))
        assert server.all_left()
