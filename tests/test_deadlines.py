"""Every limit on a clock of the test's own: each passes at its instant, and by its name.

The clocks jump whenever all tasks wait, so that ten minutes take none, and what has
passed is exact. The HTTP client is in memory: a list of steps, each with its seconds.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import anyio
import httpx
import pytest
from anyio import current_time, wait_all_tasks_blocked
from attrs import asdict, define, field, frozen

from direct_anyio import (
    Model,
    ModelAuthenticationError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelRequest,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    StreamedResponse,
    UnexpectedModelBehavior,
    infer_model,
    model_request,
    model_request_stream,
)
from direct_anyio._io import deadlines, transport
from direct_anyio._io.deadlines import Limits
from direct_anyio.models import http
from direct_anyio.models.http import HTTPModel, http_model

from .serving import DONE, completion, delta, frame

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


pytestmark = pytest.mark.usefixtures("no_backoff")


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
        told: Further headers of the answer.
        requests: How many were sent.
        closed: How many responses were closed, in time or not.
    """

    connect: float = 0
    write: float = 0
    headers: float = 0
    body: list[Step] = field(factory=list)
    close: float = 0
    status: int = 200
    extra_headers: dict[str, str] = field(factory=dict)
    requests: int = 0
    closed: int = 0

    def build_request(self, method: str, url: str, **more: Any) -> Any:
        return more["extensions"]["trace"]

    async def send(
        self, request: Any, *, stream: bool = False, follow_redirects: bool = False
    ) -> Any:
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
        self.headers = {"content-type": kind, **memory.extra_headers}
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


class SetLimits(Protocol):
    """Sets the limits of requests: most of them to the same seconds, others by name."""

    def __call__(self, seconds: float, **others: float) -> None: ...


@pytest.fixture
def set_limits(monkeypatch: pytest.MonkeyPatch) -> SetLimits:
    def set_limits(seconds: float, **others: float) -> None:
        limits = Limits(**{**dict.fromkeys(asdict(Limits()), seconds), **others})
        monkeypatch.setattr(deadlines, "STREAMED", limits)
        monkeypatch.setattr(deadlines, "UNARY", limits)

    return set_limits


@pytest.mark.parametrize("limit", ROWS)
async def test_a_limit_passes(limit: str, set_limits: SetLimits) -> None:
    """With no other limit at all, it ends the wait at its very second, and says its name."""
    row = ROWS[limit]
    # Reading on behind an answer is a favour, not a wait that has an end of its own.
    set_limits(math.inf, **{"drain": 0, limit: 7.25})
    started = current_time()
    if row.raises:
        with pytest.raises(ModelTimeoutError, match=r"took more than 7\.25 s") as caught:
            await _read(_model(row.stalled))
        assert caught.value.limit == limit
    else:
        assert (await _read(_model(row.stalled))).response.state == "complete"
    assert current_time() - started == pytest.approx(7.25, abs=1e-6)


@pytest.mark.parametrize("limit", ROWS)
async def test_no_other_limit_passes(limit: str, set_limits: SetLimits) -> None:
    """With every other limit at a second, a wait of five is its own affair."""
    row = ROWS[limit]
    others = dict.fromkeys((limit, "total", *row.also), math.inf)
    set_limits(1, **others)
    started = current_time()
    stream = await _read(_model(row.slow))
    assert stream.response.state == "complete"
    assert current_time() - started == pytest.approx(5, abs=1e-6)


async def test_waiting_for_a_place(set_limits: SetLimits) -> None:
    """In the request queue only the limit `pool` holds, where there is one; it is left free."""
    set_limits(math.inf, pool=3, total=1)
    memory = Memory(body=WHOLE)
    model = _model(memory)
    limiter = (await model.clients()).limiter
    holders = [object() for _ in range(int(limiter.total_tokens))]
    for holder in holders:
        await limiter.acquire_on_behalf_of(holder)
    started = current_time()
    with pytest.raises(ModelTimeoutError, match="request queue took more than 3 s") as caught:
        await _read(model)
    assert (caught.value.limit, caught.value.phase) == ("pool", "pool")
    assert current_time() - started == pytest.approx(3, abs=1e-6)
    assert memory.requests == 0
    limiter.release_on_behalf_of(holders[0])
    assert (await _read(model)).response.text == "Hello"
    assert limiter.borrowed_tokens == len(holders) - 1


@pytest.mark.parametrize("stream", [True, False])
async def test_the_time_in_the_queue_does_not_count(stream: bool) -> None:
    """A request waits for its turn as long as it takes; `request_timeout` begins behind that."""
    model = _model(Memory(headers=4, body=WHOLE))
    limiter = (await model.clients()).limiter
    limiter.total_tokens = 1
    await limiter.acquire_on_behalf_of(model)
    times = []

    async def ask() -> None:
        with pytest.raises(ModelTimeoutError, match="setting `request_timeout`"):
            settings: Any = {"request_timeout": 3}
            if stream:
                async with model_request_stream(model, MESSAGES, model_settings=settings):
                    pass
            await model_request(model, MESSAGES, model_settings=settings)
        times.append(current_time() - started)

    started = current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.sleep(10_000)
        limiter.release_on_behalf_of(model)
    assert times == [pytest.approx(10_003, abs=1e-6)]


async def test_waiting_for_a_place_is_not_tried_again(set_limits: SetLimits) -> None:
    """Another attempt would only stand in line again: a request gives up at once."""
    set_limits(math.inf, pool=3)
    memory = Memory(body=WHOLE)
    model = _model(memory)
    limiter = (await model.clients()).limiter
    limiter.total_tokens = 1
    await limiter.acquire_on_behalf_of(memory)
    started = current_time()
    with pytest.raises(ModelTimeoutError) as caught:
        await model_request(model, MESSAGES)
    assert current_time() - started == pytest.approx(3, abs=1e-6)
    assert (memory.requests, caught.value.attempts) == (0, ())


async def test_the_first_in_line_is_served_first() -> None:
    """Requests that wait for a place get it in the order in which they came."""
    model = _model(Memory(headers=1, body=WHOLE))
    limiter = (await model.clients()).limiter
    limiter.total_tokens = 1
    served = []

    async def ask(number: int) -> None:
        await _read(model)
        served.append((number, round(current_time() - started, 6)))

    started = current_time()
    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(ask, number)
            # With no task left to run, the clock would jump.
            while limiter.borrowed_tokens + limiter.statistics().tasks_waiting <= number:
                await anyio.lowlevel.checkpoint()
    assert served == [(0, 1), (1, 2), (2, 3), (3, 4)]


@pytest.mark.parametrize("seconds", [0.5, 2.0])
async def test_the_body_of_an_error(seconds: float, set_limits: SetLimits) -> None:
    """An error is told with what came of its body in time."""
    set_limits(math.inf, error_body=seconds)
    memory = Memory(status=400, body=[(0, b'{"error": "so far'), STALL])
    started = current_time()
    with pytest.raises(ModelHTTPError, match="so far"):
        await _read(_model(memory))
    assert current_time() - started == pytest.approx(seconds, abs=1e-6)
    assert memory.closed == 1


async def test_the_body_of_an_error_that_is_long() -> None:
    """What comes within the limit is read until it is enough for an error, and no further."""
    memory = Memory(status=400, body=_dripping(b"x" * 100_000, 0.5))
    started = current_time()
    with pytest.raises(ModelHTTPError):
        await _read(_model(memory))
    assert current_time() - started == pytest.approx(0.5, abs=1e-6)
    assert memory.closed == 1


@pytest.mark.parametrize("body", [[STALL], _dripping(b"x", 0.3)], ids=["silent", "dripping"])
async def test_the_body_of_an_error_that_is_tried_again(body: list[Step]) -> None:
    """Each attempt waits two seconds for it, and for no more."""
    memory = Memory(status=502, body=body)
    started = current_time()
    with pytest.raises(ModelServerError) as caught:
        await model_request(_model(memory), MESSAGES)
    assert current_time() - started == pytest.approx(6, abs=1e-6)
    assert (memory.requests, memory.closed, len(caught.value.attempts)) == (3, 3, 2)


async def test_a_page_that_does_not_end() -> None:
    """An answer of the wrong type is told by its first bytes; its end is not waited for."""
    page: list[Step] = [(0, b"<html>Sign in"), STALL]
    memory = Memory(extra_headers={"content-type": "text/html"}, body=page)
    started = current_time()
    with pytest.raises(UnexpectedModelBehavior, match="got text/html, body:\n<html>Sign in"):
        await _read(_model(memory))
    assert current_time() == started


# Seconds of each limit where the user sets none; then those of a request that is no stream.
DEFAULTS: dict[str, float] = {
    "connect": 10,
    "write": 60,
    "headers": 120,
    "first_event": 300,
    "idle": 300,
    "progress": 600,
    "total": 3600,
}
DEFAULTS_UNARY: dict[str, float] = {"connect": 10, "write": 60, "headers": 600}


@pytest.mark.parametrize("limit", DEFAULTS)
async def test_the_default_limits(limit: str) -> None:
    """Each wait has a limit where the user sets none: nothing waits for ever."""
    started = current_time()
    with pytest.raises(ModelTimeoutError) as caught:
        await _read(_model(ROWS[limit].stalled))
    assert caught.value.limit == limit
    assert current_time() - started == pytest.approx(DEFAULTS[limit])


@pytest.mark.parametrize("limit", DEFAULTS_UNARY)
async def test_the_default_limits_of_a_request(limit: str) -> None:
    """A request that is no stream may take ten minutes to be answered."""
    settings: Any = {"max_retries": 0}
    started = current_time()
    with pytest.raises(ModelTimeoutError):
        await model_request(_model(ROWS[limit].stalled), MESSAGES, model_settings=settings)
    assert current_time() - started == pytest.approx(DEFAULTS_UNARY[limit])


NO_CONTENT = {
    "pings": PING,
    "no text": EMPTY,
    "a role": delta(role="assistant"),
    "a usage": frame({"id": "1", "choices": [], "usage": {"prompt_tokens": 1}}),
    "a byte": b"x",
}


@pytest.mark.parametrize("case", NO_CONTENT)
async def test_what_has_no_content_is_no_progress(case: str, set_limits: SetLimits) -> None:
    """However much of it comes, it keeps neither `first_event` nor `progress` from passing."""
    set_limits(math.inf, first_event=20, progress=30)
    drip = _dripping(NO_CONTENT[case], 0.5)
    for body, limit, seconds in ((drip, "first_event", 20), ([(0, HELLO), *drip], "progress", 30)):
        started = current_time()
        with pytest.raises(ModelTimeoutError) as caught:
            await _read(_model(Memory(body=body)))
        assert caught.value.limit == limit
        assert current_time() - started == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(("limit", "requests"), [("write", 1), ("headers", 3), ("first_event", 3)])
async def test_what_may_be_charged_twice(limit: str, requests: int, set_limits: SetLimits) -> None:
    """A request that was sent, and not answered in time, is repeated only on request."""
    set_limits(math.inf, **{limit: 5})
    for settings, times in (({}, 1), ({"retry_ambiguous": True}, requests)):
        memory = ROWS[limit].stalled
        memory.requests = 0
        started = current_time()
        with pytest.raises(ModelTimeoutError, match="Timed out"):
            async with model_request_stream(
                _model(memory), MESSAGES, model_settings=cast("Any", settings)
            ):
                pass
        assert memory.requests == times
        assert current_time() - started == pytest.approx(5 * times, abs=1e-6)


DATE = {"date": "Thu, 22 Jan 2015 12:00:00 GMT"}
# What the answers say, to the seconds of two waits, and what the error says of them.
OWN = 1.0 + 2.0
WAITS: dict[str, tuple[dict[str, str], float, float | None]] = {
    "nothing": ({}, OWN, None),
    "seconds": ({"retry-after": "1"}, 2 * 1.1, 1),
    "decimals": ({"retry-after": "0.5"}, 2 * 0.55, 0.5),
    "many seconds": ({"retry-after": "60"}, 2 * 61, 60),
    "milliseconds": ({"retry-after-ms": "300"}, 2 * 0.33, 0.3),
    "both": ({"retry-after-ms": "300", "retry-after": "5"}, 2 * 0.33, 0.3),
    "no milliseconds": ({"retry-after-ms": "soon", "retry-after": "5"}, 2 * 5.5, 5),
    # The server's clock is years behind, and only the difference counts.
    "a date": (DATE | {"retry-after": "Thu, 22 Jan 2015 12:00:02 GMT"}, 2 * 2.2, 2),
    "a date of old": (DATE | {"retry-after": "Thursday, 22-Jan-15 12:00:02 GMT"}, 2 * 2.2, 2),
    "a date of C": (DATE | {"retry-after": "Thu Jan 22 12:00:02 2015"}, 2 * 2.2, 2),
    "a date that is over": (DATE | {"retry-after": "Thu, 22 Jan 2015 11:59:00 GMT"}, OWN, None),
    "a date on our clock": ({"retry-after": "Thu, 22 Jan 2015 12:00:02 GMT"}, OWN, None),
    **{value: ({"retry-after": value}, OWN, None) for value in ("0", "-5", "nan", "inf", "soon")},
}


@pytest.mark.parametrize("case", WAITS)
async def test_a_provider_may_ask_for_a_wait(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for as long as asked, or a tenth longer; else as long as we think best."""
    extra_headers, seconds, asked = WAITS[case]
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    memory = Memory(status=429, extra_headers=extra_headers, body=[(0, b"{}")])
    started = current_time()
    with pytest.raises(ModelRateLimitError) as caught:
        await model_request(_model(memory), MESSAGES)
    assert current_time() - started == pytest.approx(seconds, abs=1e-6)
    assert (memory.requests, caught.value.retry_after) == (3, asked)


# `Retry-After` and `request_timeout`, to the seconds until the error and the requests made.
TOO_LATE = [(30, 5, 0, 1), (2, 5, 4, 3), (2, 4, 2, 2), (2, 3, 2, 2), (2, 2, 0, 1)]


@pytest.mark.parametrize(("wait", "timeout", "seconds", "requests"), TOO_LATE)
async def test_no_wait_reaches_the_end(
    wait: int, timeout: int, seconds: int, requests: int
) -> None:
    """A retry that would come too late is not waited for: the last error is raised at once."""
    memory = Memory(status=503, extra_headers={"retry-after": str(wait)}, body=[(0, b"{}")])
    settings: Any = {"request_timeout": timeout}
    started = current_time()
    with pytest.raises(ModelUnavailableError) as caught:
        await model_request(_model(memory), MESSAGES, model_settings=settings)
    assert current_time() - started == pytest.approx(seconds, abs=1e-6)
    assert (memory.requests, caught.value.retry_after) == (requests, wait)


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


async def test_a_ping_is_a_sign_of_life(set_limits: SetLimits) -> None:
    """Pings keep `idle` from passing, and never `progress`."""
    set_limits(math.inf, idle=2, progress=20)
    started = current_time()
    with pytest.raises(ModelTimeoutError) as caught:
        await _read(_model(Memory(body=[(0, HELLO), *_dripping(PING, 1)])))
    assert caught.value.limit == "progress"
    assert current_time() - started == pytest.approx(20, abs=1e-6)
    assert caught.value.response is not None
    assert caught.value.response.text == "Hello"


async def test_a_slow_reader_is_not_idle(set_limits: SetLimits) -> None:
    """A reader that takes an hour over each event is no fault of the provider."""
    set_limits(math.inf, idle=1, progress=1, first_event=1)
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
    waiting = Memory(status=429, extra_headers={"retry-after": "30"}, body=[(0, b"{}")])
    with pytest.raises(TimeoutError) as caught:
        with anyio.fail_after(0.25):
            await model_request(_model(waiting), MESSAGES)
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


async def test_a_clock_on_the_wall_has_no_say(
    monkeypatch: pytest.MonkeyPatch, set_limits: SetLimits
) -> None:
    """Setting the machine's clock while a stream is under way changes nothing."""
    set_limits(10)
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
    monkeypatch.setattr(transport, "MAX_BATCH", 1)
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


async def test_what_does_not_end_behind_an_answer(set_limits: SetLimits) -> None:
    """Of what follows the end so much is read on, and no more, however long it may take."""
    set_limits(math.inf)
    memory = Memory(body=[*WHOLE, *_dripping(b"x" * 60_000, 1)])
    started = current_time()
    assert (await _read(_model(memory))).state == "complete"
    assert current_time() - started == pytest.approx(2, abs=1e-6)
    assert memory.closed == 1


async def test_a_usage_that_is_late(set_limits: SetLimits) -> None:
    """What follows an answer that is whole is waited for, as long as `tail`; its loss is noted."""
    set_limits(math.inf, tail=5)
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    for seconds, tokens in ((4, 2), (6, 0)):
        late = frame({"id": "1", "choices": [], "usage": usage})
        body: list[Step] = [(0, HELLO), (0, delta("stop")), (seconds, late), (0, DONE)]
        stream = await _read(_model(Memory(body=body)))
        assert stream.usage().output_tokens == tokens
        noted = (stream.provider_details or {}).get("direct_anyio", {})
        assert noted.get("tail_lost", False) == (not tokens)


class Untraced(httpx.AsyncBaseTransport):
    """A transport that tells of no step: it takes the request in pieces, then answers."""

    def __init__(self, piece: float, head: float, *, has_trace: bool = False) -> None:
        self._piece, self._head, self._tells = piece, head, has_trace

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._tells:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            await anyio.sleep(self._piece)
        if self._tells:
            await request.extensions["trace"]("http11.receive_response_headers.started", {})
        await anyio.sleep(self._head)
        return httpx.Response(200, json=completion("well"))


async def _through(transport: Untraced, text: str = "Go on.", **settings: Any) -> str | None:
    asked = [ModelRequest.user_text_prompt(text)]
    async with httpx.AsyncClient(transport=transport) as client:
        model = infer_model("openai:x", api_key="k", base_url="http://test/v1", http_client=client)
        return (await model_request(model, asked, model_settings=cast(Any, settings))).text


async def test_a_transport_that_tells_of_no_step() -> None:
    """What answers by itself, such as a mock, has as long as the head of an answer."""
    assert await _through(Untraced(piece=0, head=500)) == "well"
    with pytest.raises(
        ModelTimeoutError, match="head of the response took more than 20 s; the setting `timeout`"
    ) as caught:
        await _through(Untraced(piece=0, head=21), timeout=20)
    assert (caught.value.limit, caught.value.phase) == ("headers", "headers")


async def test_an_upload_that_goes_on() -> None:
    """The limit `write` is for each piece: a long upload may take longer, a stalled one not."""
    large = "x" * 1_000_000
    slow = Untraced(piece=59, head=0, has_trace=True)
    assert await _through(slow, large, request_timeout=3600) == "well"
    started = current_time()
    with pytest.raises(ModelTimeoutError, match=r"sending .* took more than 60 s"):
        await _through(Untraced(piece=61, head=0, has_trace=True), large)
    assert current_time() - started == pytest.approx(60, abs=1e-6)


@pytest.mark.parametrize("step", ["downloaded", "serve"])
async def test_the_total_holds_before_anything_is_sent(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are downloaded, and a local server that starts, take of the same time."""

    async def stalls(*args: Any) -> Any:
        await anyio.sleep(FOR_EVER)

    monkeypatch.setattr(http, step, stalls)
    row = http_model("openai:x", api_key="k", base_url="http://test/v1", downloads=True)
    local = http.HTTPModel(row._provider, "x", api_key="k", base_url=None)
    started = current_time()
    with pytest.raises(ModelTimeoutError) as caught:
        await model_request(
            row if step == "downloaded" else local,
            MESSAGES,
            model_settings={"request_timeout": 7},
        )
    assert (caught.value.limit, caught.value.provider) == ("total", "openai")
    assert current_time() - started == pytest.approx(7, abs=1e-6)


@pytest.mark.parametrize(("kind", "attempts"), [("sync", 0), ("async", 0), ("async", 1)])
async def test_the_total_holds_for_a_function_that_returns_the_key(
    kind: str, attempts: int
) -> None:
    """It may hang at the first attempt, or as it is asked once more after a 401."""
    over = threading.Event()
    asked: list[str] = []

    def text() -> str:
        asked.append("k")
        return "k" if len(asked) <= attempts else ""

    async def hanging_later() -> str:
        if not text():
            await anyio.sleep_forever()
        return "k"

    memory = Memory(status=401, body=[(0, b"{}")])
    function = hanging_later if kind == "async" else lambda: text() or str(over.wait(10))
    model = infer_model("openai:x", api_key=function, base_url="https://t/v1", http_client=memory)
    try:
        with pytest.raises(ModelTimeoutError, match="for the API key's function") as caught:
            await model_request(model, MESSAGES, model_settings={"request_timeout": 20})
    finally:
        over.set()
    error = caught.value
    assert (memory.requests, error.limit, error.provider) == (attempts, "total", "openai")
    assert len(error.attempts) == attempts
    assert isinstance(error.__cause__, ModelAuthenticationError if attempts else type(None))
