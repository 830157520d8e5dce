"""Every limit on a clock of the test's own: each passes at its instant, and by its name.

The clocks jump whenever all tasks wait, so that ten minutes take none, and what has
passed is exact. The HTTP client is in memory: a list of steps, each with its seconds.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import anyio
import pytest
from anyio import current_time, wait_all_tasks_blocked
from attrs import asdict, define, field, frozen

from direct_anyio import (
    Model,
    ModelHTTPError,
    ModelRequest,
    ModelTimeoutError,
    StreamedResponse,
    infer_model,
    model_request,
    model_request_stream,
)
from direct_anyio._io import deadlines, retry, transport
from direct_anyio._io.deadlines import Limits
from direct_anyio.models.http import HTTPModel

from .serving import DONE, delta, frame

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
FOR_EVER = 10.0**6
"""Seconds that no test waits for."""


class _Jumping(selectors.DefaultSelector):
    """A selector that adds up what it would have waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0 if timeout else timeout)
        if timeout and not events:
            self.jumped += timeout
        return events


class _JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing else is to be done."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.jumped


def _jumping_trio() -> dict[str, Any]:
    return {"clock": import_module("trio.testing").MockClock(autojump_threshold=0)}


CLOCKS: dict[str, Callable[[], dict[str, Any]]] = {
    "asyncio": lambda: {"loop_factory": _JumpingLoop},
    "trio": _jumping_trio,
}


@pytest.fixture(params=[name for name in CLOCKS if find_spec(name)])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param, CLOCKS[request.param]()


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full jitter may be nothing at all, and no test pays for another."""
    monkeypatch.setattr("random.uniform", lambda least, most: 0.0)
    monkeypatch.setattr(retry, "_budgets", {})


Step = tuple[float, bytes]
"""Seconds to wait, and what comes then."""


@define(eq=False)
class Memory:
    """An HTTP client that answers from memory, and takes its time.

    Attributes:
        connect: Seconds for a connection.
        write: Seconds to send the request.
        headers: Seconds until the head comes.
        body: What comes of the body, and when.
        close: Seconds until the response is closed.
        status: The status of the answer.
        requests: How many were sent.
        closed: How many responses were closed, in time or not.
    """

    connect: float = 0
    write: float = 0
    headers: float = 0
    body: list[Step] = field(factory=list)
    close: float = 0
    status: int = 200
    requests: int = 0
    closed: int = 0

    def build_request(self, method: str, url: str, **more: Any) -> Any:
        return more["extensions"]["trace"]

    async def send(self, request: Any, *, stream: bool = False) -> Any:
        self.requests += 1
        for name, seconds in (
            ("connection.connect_tcp.started", self.connect),
            ("http11.send_request_headers.started", self.write),
            ("http11.receive_response_headers.started", self.headers),
        ):
            await request(name, {})
            await anyio.sleep(seconds)
        return Answer(self)

    async def aclose(self) -> None:
        """There is nothing to close."""


class Answer:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.status_code = memory.status
        kind = "text/event-stream" if memory.status == 200 else "application/json"
        self.headers = {"content-type": kind}
        self.stream = self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        for seconds, data in self._memory.body:
            if seconds:
                await anyio.sleep(seconds)
            yield data

    async def aclose(self) -> None:
        self._memory.closed += 1
        await anyio.sleep(self._memory.close)


def _model(memory: Memory) -> HTTPModel:
    model = infer_model("openai:x", api_key="k", base_url="http://test/v1", http_client=memory)
    assert isinstance(model, HTTPModel)
    return model


HELLO, MORE = delta(content="Hello"), delta(content=".")
PING = b": ping\n\n"
EMPTY = delta(content="")
END = delta("stop") + DONE
WHOLE: list[Step] = [(0, HELLO), (0, END)]


def _dripping(data: bytes, every: float, times: int = 10_000) -> list[Step]:
    return [(every, data)] * times


STALL = (FOR_EVER, b"")


@frozen
class Row:
    """What waits for ever, unless a limit passes.

    Attributes:
        stalled: A client that waits for ever where the limit holds.
        slow: One that waits for five seconds there, and then goes on.
        also: Other limits that hold for that wait.
        raises: Whether the limit is an error.
    """

    stalled: Memory
    slow: Memory
    also: tuple[str, ...] = ()
    raises: bool = True


def _row(step: str, **more: Any) -> Row:
    slow = Memory(body=WHOLE)
    setattr(slow, step, 5)
    stalled = Memory()
    setattr(stalled, step, FOR_EVER)
    return Row(stalled, slow, **more)


def _body(stalled: list[Step], slow: list[Step], *also: str, **more: Any) -> Row:
    return Row(Memory(body=stalled), Memory(body=slow), also, **more)


ROWS: dict[str, Row] = {
    "connect": _row("connect"),
    "write": _row("write"),
    "headers": _row("headers"),
    "first_event": _body(_dripping(PING, 0.5), [*_dripping(PING, 0.5, 10), *WHOLE]),
    "idle": _body([(0, HELLO), STALL], [(0, HELLO), (5, END)], "progress"),
    "progress": _body(
        [(0, HELLO), *_dripping(PING, 0.5)], [(0, HELLO), *_dripping(EMPTY, 0.5, 10), (0, END)]
    ),
    "total": _body(_dripping(MORE, 0.5), [*_dripping(MORE, 0.5, 10), (0, END)]),
    "tail": _body(
        [(0, HELLO), (0, delta("stop")), STALL],
        [(0, HELLO), (0, delta("stop")), (5, DONE)],
        raises=False,
    ),
    "drain": _body([*WHOLE, STALL], [*WHOLE, (5, b"")], raises=False),
    "close": Row(
        Memory(body=WHOLE, close=FOR_EVER), Memory(body=WHOLE, close=5), ("drain",), raises=False
    ),
}


async def _read(model: Model) -> StreamedResponse:
    async with model_request_stream(model, MESSAGES, model_settings={"max_retries": 0}) as stream:
        await stream.drain()
    return stream


def _limits(seconds: float, **others: float) -> Limits:
    return Limits(**{**dict.fromkeys(asdict(Limits()), seconds), **others})


@pytest.mark.parametrize("limit", ROWS)
async def test_a_limit_passes(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no other limit at all, it ends the wait at its very second, and says its name."""
    row = ROWS[limit]
    # Reading on behind an answer is a favour, not a wait that has an end of its own.
    monkeypatch.setattr(deadlines, "STREAMED", _limits(math.inf, **{"drain": 0, limit: 7.25}))
    started = current_time()
    if row.raises:
        with pytest.raises(ModelTimeoutError, match=f"{limit!r} limit of 7.25 s") as caught:
            await _read(_model(row.stalled))
        assert caught.value.limit == limit
    else:
        assert (await _read(_model(row.stalled))).response.state == "complete"
    assert current_time() - started == pytest.approx(7.25, abs=1e-6)


@pytest.mark.parametrize("limit", ROWS)
async def test_no_other_limit_passes(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every other limit at a second, a wait of five is its own affair."""
    row = ROWS[limit]
    others = dict.fromkeys((limit, "total", *row.also), math.inf)
    monkeypatch.setattr(deadlines, "STREAMED", _limits(1, **others))
    started = current_time()
    stream = await _read(_model(row.slow))
    assert stream.response.state == "complete"
    assert current_time() - started == pytest.approx(5, abs=1e-6)


@pytest.mark.parametrize(("seconds", "limit"), [(3.0, "pool"), (math.inf, "total")])
async def test_waiting_for_a_place(
    seconds: float, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In line for a connection the limits `pool` and `total` hold; the line is left free."""
    monkeypatch.setattr(deadlines, "STREAMED", _limits(math.inf, pool=seconds, total=9))
    memory = Memory(body=WHOLE)
    model = _model(memory)
    _, limiter = await model.client()
    holders = [object() for _ in range(int(limiter.total_tokens))]
    for holder in holders:
        await limiter.acquire_on_behalf_of(holder)
    started = current_time()
    with pytest.raises(ModelTimeoutError) as caught:
        await _read(model)
    assert (caught.value.limit, caught.value.phase) == (limit, "pool")
    assert current_time() - started == pytest.approx(min(seconds, 9), abs=1e-6)
    assert memory.requests == 0
    limiter.release_on_behalf_of(holders[0])
    assert (await _read(model)).response.text == "Hello"
    assert limiter.borrowed_tokens == len(holders) - 1


@pytest.mark.parametrize("seconds", [0.5, 2.0])
async def test_the_body_of_an_error(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is told with what came of its body in time."""
    monkeypatch.setattr(deadlines, "STREAMED", _limits(math.inf, error_body=seconds))
    memory = Memory(status=400, body=[(0, b'{"error": "so far'), STALL])
    started = current_time()
    with pytest.raises(ModelHTTPError, match="so far"):
        await _read(_model(memory))
    assert current_time() - started == pytest.approx(seconds, abs=1e-6)
    assert memory.closed == 1


async def test_the_default_limits() -> None:
    """Each wait has a limit where the user sets none: nothing waits for ever."""
    for row in (row for row in ROWS.values() if row.raises):
        with pytest.raises(ModelTimeoutError):
            await _read(_model(row.stalled))
    assert current_time() < 2 * 3600


async def test_a_timeout_with_fractions_has_no_part_in_the_total() -> None:
    """`timeout` is for each step of an attempt; `request_timeout` for all of it."""
    settings: Any = {"timeout": 3, "request_timeout": 10, "max_retries": 0}
    for body, limit in ((_dripping(PING, 2.5), "first_event"), (_dripping(MORE, 2.5), "total")):
        with pytest.raises(ModelTimeoutError) as caught:
            async with model_request_stream(
                _model(Memory(body=body)), MESSAGES, model_settings=settings
            ) as stream:
                await stream.drain()
        assert caught.value.limit == limit


async def test_a_ping_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings keep `idle` from passing, and never `progress`."""
    monkeypatch.setattr(deadlines, "STREAMED", _limits(math.inf, idle=2, progress=20))
    started = current_time()
    with pytest.raises(ModelTimeoutError) as caught:
        await _read(_model(Memory(body=[(0, HELLO), *_dripping(PING, 1)])))
    assert caught.value.limit == "progress"
    assert current_time() - started == pytest.approx(20, abs=1e-6)
    assert caught.value.response is not None
    assert caught.value.response.text == "Hello"


async def test_a_slow_reader_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes an hour over each event is no fault of the provider."""
    monkeypatch.setattr(deadlines, "STREAMED", _limits(math.inf, idle=1, progress=1, first_event=1))
    memory = Memory(body=[(0.5, HELLO), *_dripping(MORE, 0.5, 20), (0.5, END)])
    async with model_request_stream(_model(memory), MESSAGES) as stream:
        async for _ in stream:
            await anyio.sleep(3600)
    assert stream.response.text == "Hello" + "." * 20


async def test_a_readers_own_deadline() -> None:
    """`fail_after` around us raises its own TimeoutError, wherever we wait at the time."""
    for row in (row for row in ROWS.values() if row.raises):
        with pytest.raises(TimeoutError) as caught:
            with anyio.fail_after(0.25):
                await _read(_model(row.stalled))
        assert type(caught.value) is TimeoutError
    settings: Any = {"timeout": 0.25}
    with pytest.raises(ModelTimeoutError):
        with anyio.fail_after(1):
            await model_request(_model(Memory(headers=9)), MESSAGES, model_settings=settings)


async def test_the_total_holds_for_all_attempts() -> None:
    """A server that fails for ever is given up before `request_timeout`, not after it."""
    memory = Memory(headers=1, status=503, body=[(0, b"{}")])
    settings: Any = {"request_timeout": 4.5, "max_retries": 100}
    started = current_time()
    with pytest.raises((ModelTimeoutError, ModelHTTPError)):
        await model_request(_model(memory), MESSAGES, model_settings=settings)
    assert current_time() - started <= 4.5
    assert memory.requests == 5


async def test_a_clock_on_the_wall_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the machine's clock while a stream is under way changes nothing."""
    monkeypatch.setattr(deadlines, "STREAMED", _limits(10))
    jumps = iter(range(0, 10**9, 86_400))
    monkeypatch.setattr("time.time", lambda: float(next(jumps)))
    stream = await _read(_model(Memory(body=[(1, HELLO), (1, MORE), (1, END)])))
    assert stream.response.text == "Hello."


async def test_a_limit_costs_nothing_where_data_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel scope is entered only to wait: a reader that is behind never enters one."""
    entered = 0

    def scope(**more: Any) -> anyio.CancelScope:
        nonlocal entered
        entered += 1
        return anyio.CancelScope(**more)

    monkeypatch.setattr(transport, "CancelScope", scope)
    monkeypatch.setattr(transport, "FULL", 1)
    counts = []
    for events in (10, 210):
        entered = 0
        memory = Memory(body=[(0, HELLO), *_dripping(MORE, 0, events), (0, END)])
        async with model_request_stream(_model(memory), MESSAGES) as stream:
            async for _ in stream:
                await wait_all_tasks_blocked()
        assert len(stream.response.text or "") == events + 5
        counts.append(entered)
    assert counts[0] == counts[1]


async def test_a_usage_that_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows an answer that is whole is waited for, as long as `tail`."""
    monkeypatch.setattr(deadlines, "STREAMED", _limits(math.inf, tail=5))
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    for seconds, tokens in ((4, 2), (6, 0)):
        late = frame({"id": "1", "choices": [], "usage": usage})
        body: list[Step] = [(0, HELLO), (0, delta("stop")), (seconds, late), (0, DONE)]
        assert (await _read(_model(Memory(body=body)))).usage().output_tokens == tokens
