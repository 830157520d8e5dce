"""The rate limiter: order, windows, tokens, cool-downs, any clock."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from direct_anyio import (
    FunctionModel,
    ModelRequest,
    ModelResponse,
    RateLimitedModel,
    RateLimiter,
    TextPart,
    infer_model,
    model_request,
    model_request_stream,
)

from .serving import Connection, answering, reply, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


async def _begun() -> None:
    """Let a task begin, so that it stands in line before the next."""
    for _ in range(3):
        await anyio.lowlevel.checkpoint()


class _Time:
    """A clock whose sleepers wake in order, each alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.sleeps = 0
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        monkeypatch.setattr("direct_anyio.models.rate_limit.anyio.sleep", self.sleep)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        event = anyio.Event()
        self._sleepers.append((self.now + seconds, self.sleeps, event))
        await event.wait()

    async def run_out(self) -> None:
        """Go on until nobody sleeps."""
        await anyio.wait_all_tasks_blocked()
        while self._sleepers:
            self._sleepers.sort(key=lambda sleeper: sleeper[:2])
            at, _, event = self._sleepers.pop(0)
            self.now = max(self.now, at)
            event.set()
            for _ in range(1000):  # far cheaper on asyncio than to wait until all are blocked
                if self._sleepers:
                    break
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("per_minute", [60, 7, 1, 0.5, 2.5])
async def test_no_window_has_more_than_allowed(
    per_minute: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which they came, with one sleep each, and none too many in any window."""
    time = _Time(monkeypatch)
    limiter = RateLimiter(requests_per_minute=per_minute, clock=time)
    sent: list[tuple[int, float]] = []

    async def ask(number: int) -> None:
        await limiter.admit()
        sent.append((number, time.now))

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(ask, number)
            await _begun()
        await time.run_out()
    assert [number for number, _ in sent] == list(range(200))
    assert time.sleeps <= 200
    most = max(1, int(per_minute))
    window = 60 * most / per_minute
    for (_, first), (_, later) in zip(sent, sent[most:], strict=False):
        assert later - first >= window - 1e-9
    assert sent[-1][1] == pytest.approx((199 // most) * window)


async def test_a_cancelled_waiter_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come later take it."""
    time = _Time(monkeypatch)
    limiter = RateLimiter(requests_per_minute=1, clock=time)
    await limiter.admit()
    for _ in range(20):
        async with anyio.create_task_group() as group:
            group.start_soon(limiter.admit)
            await _begun()
            group.cancel_scope.cancel()
    time._sleepers.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(limiter.admit)
        await time.run_out()
    assert time.now == 60.0


async def test_a_pause_moves_all_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cool-down that comes while they sleep holds them back, in order and spaced as before."""
    time = _Time(monkeypatch)
    limiter = RateLimiter(requests_per_minute=2, clock=time)
    sent: list[tuple[int, float]] = []

    async def ask(number: int) -> None:
        await limiter.admit()
        sent.append((number, time.now))

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(ask, number)
            await _begun()
        limiter.pause(1e9)  # a minute at most
        time.now = 40.0
        limiter.pause(50)
        await time.run_out()
    assert sent == [(0, 0), (1, 0), (2, 90), (3, 90), (4, 150), (5, 150)]


async def test_tokens_and_requests_wait_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that are charged while requests wait hold them back, none overtaking another."""
    time = _Time(monkeypatch)
    limiter = RateLimiter(requests_per_minute=2, tokens_per_minute=100, clock=time)
    sent: list[tuple[int, float]] = []

    async def ask(number: int) -> None:
        await limiter.admit()
        sent.append((number, time.now))
        limiter.used(60)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(ask, number)
            await _begun()
        await time.run_out()
    assert sent == [(0, 0), (1, 0), (2, 60), (3, 60), (4, 120), (5, 120)]


@pytest.mark.parametrize("ending", ["sent", "cancelled"])
async def test_another_loop_passes_the_slot(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that the other loop took for past is neither missed nor an error."""
    time = _Time(monkeypatch)
    limiter = RateLimiter(tokens_per_minute=10, clock=time)
    limiter.used(10)
    async with anyio.create_task_group() as group:
        group.start_soon(limiter.admit)
        await anyio.wait_all_tasks_blocked()
        time.now = 61.0
        limiter._reserve()  # as a request in another event loop does
        if ending == "cancelled":
            group.cancel_scope.cancel()
        else:
            await time.run_out()
    assert time.now == 61.0


def test_many_retries_at_once() -> None:
    """Thousands that come back at different times leave no window too full."""
    limiter = RateLimiter(requests_per_minute=50, clock=lambda: 0.0)
    for number in range(5000):
        limiter.repeated(number / 50)
    slot, _ = limiter._reserve()
    assert slot == pytest.approx(4950 / 50 + 60, abs=1)


@pytest.mark.parametrize("used", [float("inf"), float("nan"), 10**400, -5, 0])
async def test_odd_usages(used: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a response says that it used holds others back for a minute at most."""
    time = _Time(monkeypatch)
    limiter = RateLimiter(tokens_per_minute=10, clock=time)
    limiter.used(used)
    async with anyio.create_task_group() as group:
        group.start_soon(limiter.admit)
        await time.run_out()
    assert time.now <= 60


def test_a_clock_that_sleeping_does_not_move() -> None:
    """On trio's `MockClock` a minute passes at once, and a limiter by another clock goes on."""
    pytest.importorskip("trio")
    import trio
    import trio.testing

    async def main() -> float:
        started = trio.current_time()
        limiter = RateLimiter(requests_per_minute=3)
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(limiter.admit)
        return float(trio.current_time() - started)

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(main, clock=clock) == pytest.approx(180, abs=1)


def test_it_pickles_and_copies() -> None:
    """A copy has the same limits, and counts for itself."""
    limiter = RateLimiter(requests_per_minute=3, tokens_per_minute=100)
    anyio.run(limiter.admit)
    for other in (pickle.loads(pickle.dumps(limiter)), copy.deepcopy(limiter)):
        assert (other._requests, other._tokens, other._slots) == (3, 100, [])


async def test_retries_inside_are_counted() -> None:
    """What the model sends again by itself takes a place in the window, and `on_retry` is told."""

    def answer(connection: Connection) -> None:
        fails = len(connection.server.received) < 3
        failed = reply({}, "503 Service Unavailable", "retry-after-ms: 1")
        (failed if fails else answering("a"))(connection)

    reported: list[str] = []
    limiter = RateLimiter(requests_per_minute=100)
    with serving(answer) as server:
        own: Any = {"on_retry": lambda retry: reported.append("model")}
        inner = infer_model("openai:x", api_key="k", base_url=server.url, settings=own)
        model = RateLimitedModel(inner, limiter)
        assert (await model_request(model, MESSAGES)).text == "a"
        assert reported == ["model", "model"]
        assert len(limiter._slots) == 3
        server.received.clear()
        settings: Any = {"on_retry": lambda retry: reported.append("request")}
        await model_request(model, MESSAGES, model_settings=settings)
        assert reported[2:] == ["request", "request"]


async def test_a_stream_that_is_left_is_charged_what_it_told() -> None:
    """The tokens of an answer that nobody read to its end count as far as they are known."""

    async def words(messages: Any, info: Any) -> AsyncIterator[str]:
        yield "one two three"
        yield "four"

    charged: list[float] = []

    class _Limiter(RateLimiter):
        def used(self, tokens: float) -> None:
            charged.append(tokens)

    async def whole(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse([TextPart("one two three")])

    model = RateLimitedModel(FunctionModel(whole, stream_function=words), _Limiter())
    async with model_request_stream(model, MESSAGES) as stream:
        async for _ in stream:
            break
    await model_request(model, MESSAGES)
    assert [count > 0 for count in charged] == [True, True]
