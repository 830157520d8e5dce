"""Models around models: fallback, limits, a cache, and a wrapper of one's own."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from direct_anyio import (
    ConcurrencyLimitExceeded,
    FallbackExceptionGroup,
    FunctionModel,
    InstrumentedModel,
    Model,
    ModelAPIError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelRequest,
    ModelResponse,
    TestModel,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)
from direct_anyio.models.cached import CachedModel
from direct_anyio.models.concurrency import (
    ConcurrencyLimitedModel,
    ConcurrencyLimiter,
    limit_model_concurrency,
)
from direct_anyio.models.fallback import FallbackModel, RejectedResponse
from direct_anyio.models.openai import OpenAIChatModel
from direct_anyio.models.rate_limit import RateLimitedModel, RateLimiter
from direct_anyio.models.stores import MemoryCache, SQLiteCache
from direct_anyio.models.wrapper import WrapperModel
from direct_anyio.providers.openai import OpenAIProvider

from .callers import CALLERS, Caller, failing, saying
from .serving import Connection, answering, delta, reply, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_a_wrapper_passes_everything_on(caller: Caller) -> None:
    """A bare wrapper is the model that it wraps, through every function."""
    inner = saying("inner words")
    outer = WrapperModel(inner)
    response = await caller(outer, MESSAGES)
    assert response.text == "inner words"
    assert (outer.model_name, outer.system, outer.base_url) == ("inner words", "test", None)
    assert outer.profile == inner.profile
    assert outer.seed == 0
    assert repr(outer) == "WrapperModel(TestModel('inner words'))"


async def test_the_next_model_answers_for_one_that_fails(caller: Caller) -> None:
    """A failing model is followed by the next, and the response tells so."""
    model = FallbackModel(failing(ModelHTTPError(500, "m")), saying("second"))
    response = await caller(model, MESSAGES)
    assert response.text == "second"
    assert response.provider_details is not None
    (reported,) = response.provider_details["direct_anyio"]["fallback_from"]
    assert reported.startswith("ModelHTTPError: status_code: 500")


async def test_all_models_may_fail(caller: Caller) -> None:
    """When nobody is left there is one group with an error for each."""
    model = FallbackModel(failing(ModelHTTPError(500, "a")), failing(ModelHTTPError(503, "b")))
    with pytest.raises(FallbackExceptionGroup, match="All models") as caught:
        await caller(model, MESSAGES)
    assert [getattr(exc, "status_code", None) for exc in caught.value.exceptions] == [500, 503]


async def test_another_kind_of_error_is_raised(caller: Caller) -> None:
    """What `fallback_on` does not name leaves as itself."""
    with pytest.raises(UserError, match="mine"):
        await caller(FallbackModel(failing(UserError("mine")), saying("second")), MESSAGES)
    with pytest.raises(ModelAPIError):
        model = FallbackModel(
            failing(ModelAPIError("m", "x")), saying("s"), fallback_on=(KeyError,)
        )
        await caller(model, MESSAGES)


async def test_a_function_decides_on_the_exception(caller: Caller) -> None:
    """A function of the exception may stand where a type may."""

    def on(exc: Exception) -> bool:
        return "yes" in str(exc)

    yes = FallbackModel(failing(ValueError("yes")), saying("second"), fallback_on=on)
    assert (await caller(yes, MESSAGES)).text == "second"
    no = FallbackModel(failing(ValueError("no")), saying("second"), fallback_on=on)
    with pytest.raises(ValueError, match="no"):
        await caller(no, MESSAGES)


async def test_a_function_decides_on_the_response() -> None:
    """A response that is not wanted is followed by the next model's."""

    def refuses(response: ModelResponse) -> bool:
        return response.text == "Sorry."

    model = FallbackModel(saying("Sorry."), saying("Sure."), fallback_on=[ModelAPIError, refuses])
    assert (await model_request(model, MESSAGES)).text == "Sure."
    with pytest.raises(FallbackExceptionGroup) as caught:
        await model_request(FallbackModel(saying("Sorry."), fallback_on=refuses), MESSAGES)
    (rejected,) = caught.value.exceptions
    assert isinstance(rejected, RejectedResponse)
    assert rejected.response is not None
    assert rejected.response.text == "Sorry."


async def test_a_stream_falls_back_until_its_first_content() -> None:
    """An error before content asks the next model; one behind content is raised."""

    def broken(connection: Connection) -> None:
        connection.stream(delta(content="so far"), b'data: {"error": {"code": 500}}\n\n')

    refused = reply({}, "500 Internal Server Error", "x-should-retry: false")
    with serving(refused) as first, serving(answering("second")) as second:
        served = infer_model("openai:x", api_key="k", base_url=first.url)
        other = infer_model("openai:y", api_key="k", base_url=second.url)
        async with model_request_stream(FallbackModel(served, other), MESSAGES) as stream:
            assert (await stream.drain()).text == "second"
        first.handler = broken
        async with model_request_stream(FallbackModel(served, other), MESSAGES) as stream:
            with pytest.raises(ModelHTTPError):
                await stream.drain()
        assert stream.response.text == "so far"


async def test_so_many_run_and_so_many_wait() -> None:
    """A limiter lets two run and one wait, and refuses the fourth; places are handed on."""
    gates = [anyio.Event() for _ in range(4)]
    started: list[int] = []

    async def wait(messages: Any, info: Any) -> ModelResponse:
        number = len(started)
        started.append(number)
        await gates[number].wait()
        return ModelResponse([TextPart("done")])

    limiter = ConcurrencyLimiter(2, max_queued=1, name="small")
    models = [ConcurrencyLimitedModel(FunctionModel(wait), limiter) for _ in range(3)]
    async with anyio.create_task_group() as group:
        for model in models:
            group.start_soon(model_request, model, MESSAGES)
        await anyio.wait_all_tasks_blocked()
        assert (len(started), limiter.running, limiter.queued) == (2, 2, 1)
        with pytest.raises(ConcurrencyLimitExceeded, match="small has 2 requests running and 1"):
            await model_request(models[0], MESSAGES)
        gates[0].set()
        await anyio.wait_all_tasks_blocked()
        assert (len(started), limiter.running, limiter.queued) == (3, 2, 0)
        for gate in gates:
            gate.set()
    assert limiter.running == 0


async def test_a_stream_holds_its_place_to_the_end() -> None:
    """The slot of a stream is free when its block is left, not before."""
    limiter = ConcurrencyLimiter(1)
    model = ConcurrencyLimitedModel(saying("a b c"), limiter)
    async with model_request_stream(model, MESSAGES) as stream:
        async for _ in stream:
            assert limiter.running == 1
            break
        assert limiter.running == 1
    assert limiter.running == 0


async def test_a_cancelled_waiter_leaves_the_queue() -> None:
    """Cancelling a request that waits for its turn frees its place in the queue."""
    limiter = ConcurrencyLimiter(1)
    model = ConcurrencyLimitedModel(saying("a"), limiter)
    async with limiter.slot(), anyio.create_task_group() as group:
        group.start_soon(model_request, model, MESSAGES)
        await anyio.wait_all_tasks_blocked()
        assert limiter.queued == 1
        group.cancel_scope.cancel()
    assert (limiter.running, limiter.queued) == (0, 0)
    assert (await model_request(model, MESSAGES)).text == "a"


def test_limits_are_sensible() -> None:
    """A limit of nothing is refused, and no limiter is no wrapper."""
    with pytest.raises(UserError, match="at least 1"):
        ConcurrencyLimiter(0)
    with pytest.raises(UserError, match="at least 0"):
        ConcurrencyLimiter(1, max_queued=-3)
    for limit in (0, -1, float("nan")):
        with pytest.raises(UserError, match="above 0"):
            RateLimiter(requests_per_minute=limit)
        with pytest.raises(UserError, match="above 0"):
            RateLimiter(tokens_per_minute=limit)
    with pytest.raises(UserError, match="above 0"):
        MemoryCache(0)
    with pytest.raises(UserError, match="fallback_on"):
        FallbackModel("test", fallback_on=[])
    with pytest.raises(UserError, match="model_timeout"):
        FallbackModel("test", model_timeout=0)
    assert isinstance(limit_model_concurrency("test", None), TestModel)
    assert isinstance(limit_model_concurrency("test", 3), ConcurrencyLimitedModel)


class _Clock:
    """A clock that sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        monkeypatch.setattr(anyio, "sleep", self.sleep)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


async def test_requests_are_spaced_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two a minute: the third waits until the first is a minute old, and so on."""
    clock = _Clock(monkeypatch)
    limiter = RateLimiter(requests_per_minute=2, clock=clock)
    for _ in range(4):
        await limiter.admit()
    assert clock.slept == [60.0]
    assert clock.now == 60.0


async def test_tokens_are_charged_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that went over the limit holds the next request back for a minute."""
    clock = _Clock(monkeypatch)
    limiter = RateLimiter(tokens_per_minute=60, clock=clock)
    await limiter.admit()
    limiter.used(90)
    await limiter.admit()
    assert clock.slept == [60.0]
    limiter.used(float("inf"))
    await limiter.admit()
    assert clock.slept == [60.0, 60.0]


async def test_a_429_pauses_all_who_share(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """One model's Retry-After holds back the other models of its limiter."""
    clock = _Clock(monkeypatch)
    limiter = RateLimiter(requests_per_minute=1000, clock=clock)
    error = ModelRateLimitError(429, "m")
    error.retry_after = 12.0
    with pytest.raises(ModelRateLimitError):
        await caller(RateLimitedModel(failing(error), limiter), MESSAGES)
    assert (await caller(RateLimitedModel(saying("a"), limiter), MESSAGES)).text == "a"
    assert clock.slept == [12.0]


async def test_a_retried_429_pauses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 that the model retries by itself is known to the limiter as well."""
    throttled = reply({}, "429 Too Many Requests", "retry-after-ms: 1")

    def answer(connection: Connection) -> None:
        first = len(connection.server.received) == 1
        (throttled if first else answering("a"))(connection)

    paused: list[float] = []
    limiter = RateLimiter()
    monkeypatch.setattr(limiter, "pause", paused.append)
    with serving(answer) as server:
        inner = infer_model("openai:x", api_key="k", base_url=server.url)
        assert (await model_request(RateLimitedModel(inner, limiter), MESSAGES)).text == "a"
    assert len(paused) == 1


def _counting(parts: list[Any]) -> tuple[FunctionModel, list[int]]:
    asked: list[int] = []

    async def answer(messages: Any, info: Any) -> ModelResponse:
        asked.append(1)
        return ModelResponse(parts)

    async def stream(messages: Any, info: Any) -> AsyncIterator[Any]:
        asked.append(1)
        for part in parts:
            yield part.content

    return FunctionModel(answer, stream_function=stream), asked


CACHES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda path: MemoryCache(),
    "sqlite": lambda path: SQLiteCache(path / "responses.sqlite"),
}


@pytest.mark.parametrize("cache", CACHES)
async def test_the_same_request_is_asked_once(caller: Caller, cache: str, tmp_path: Path) -> None:
    """An equal request is answered from the cache, at whatever time it is made."""
    text = "A long answer that is streamed in more than one piece, or so one would think."
    inner, asked = _counting([TextPart(text)])
    model = CachedModel(inner, CACHES[cache](tmp_path))
    first = await caller(model, [ModelRequest.user_text_prompt("Go on.")])
    second = await caller(model, [ModelRequest.user_text_prompt("Go on.")])
    assert (first.text, second.text) == (text, text)
    assert second.usage == first.usage
    assert second.provider_details is not None
    assert second.provider_details["direct_anyio"]["cached"]
    assert len(asked) == 1
    await caller(model, [ModelRequest.user_text_prompt("Go on!")])
    await caller(model, MESSAGES, model_settings={"temperature": 1})
    assert len(asked) == 3


async def test_a_kept_stream_is_replayed_as_a_stream() -> None:
    """A stream from the cache has a start, deltas and an end, and the same parts."""
    parts = [ThinkingPart("Hm. " * 20), TextPart("Yes. " * 20), ToolCallPart("f", {"a": 1}, "id")]
    inner, _ = _counting(parts)
    model = CachedModel(inner)
    whole = await model_request(model, MESSAGES)
    async with model_request_stream(model, MESSAGES) as stream:
        kinds = [event.event_kind async for event in stream]
    assert stream.response.parts == whole.parts
    assert kinds.count("part_start") == kinds.count("part_end") == 3
    assert kinds.count("part_delta") > 5


async def test_a_stream_that_was_left_is_not_kept() -> None:
    """Only a whole response may answer for the next request."""
    inner, asked = _counting([TextPart("a"), TextPart("b")])
    model = CachedModel(inner)
    for _ in range(2):
        async with model_request_stream(model, MESSAGES) as stream:
            async for _event in stream:
                break
    assert len(asked) == 2


async def test_the_memory_cache_evicts() -> None:
    """The least recently used response is evicted first."""
    cache = MemoryCache(max_entries=2)
    for key in "abc":
        await cache.set(key, ModelResponse([TextPart(key)]))
        await cache.get("a")
    assert await cache.get("b") is None
    assert await cache.get("a") is not None


NESTINGS: dict[str, Callable[[Model], Model]] = {
    "limit in cache": lambda model: CachedModel(ConcurrencyLimitedModel(model, 1)),
    "cache in limit": lambda model: ConcurrencyLimitedModel(CachedModel(model), 1),
    "all": lambda model: RateLimitedModel(
        FallbackModel(CachedModel(ConcurrencyLimitedModel(WrapperModel(model), 2))), RateLimiter()
    ),
}


@pytest.mark.parametrize("nesting", NESTINGS)
async def test_they_nest_in_any_order(caller: Caller, nesting: str) -> None:
    """Wrappers of wrappers answer as the model inside does."""
    response = await caller(NESTINGS[nesting](saying("inside")), MESSAGES)
    assert response.text == "inside"


class _Redacting(WrapperModel):
    """Takes numbers out of what is said, as the documentation shows."""

    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> ModelResponse:
        import attrs

        response = await super().request(messages, model_settings, model_request_parameters)
        texts = [
            attrs.evolve(part, content=re.sub(r"\d+", "#", part.content))
            for part in response.parts
            if isinstance(part, TextPart)
        ]
        return attrs.evolve(response, parts=texts)


def test_a_wrapper_of_ones_own_works_in_blocking_code() -> None:
    """A subclass with one method is enough, and the functions do the rest."""
    model = _Redacting(saying("Call 555-1234."))
    assert model_request_sync(model, MESSAGES).text == "Call #-#."
    with model_request_stream_sync(model, MESSAGES) as stream:
        assert [event.event_kind for event in stream][-1] == "part_end"


def test_models_print_as_they_were_made() -> None:
    """By class, with the models inside; no key shows."""
    openai = OpenAIChatModel("gpt-5", provider=OpenAIProvider(api_key="sk-a-key"))
    model = FallbackModel(CachedModel(openai), infer_model("groq:x", api_key="gsk-a-key"), "test")
    assert repr(model) == (
        "FallbackModel(CachedModel(OpenAIChatModel('openai:gpt-5')), "
        "HTTPModel('groq:x'), TestModel('test'))"
    )


WRAPPERS: dict[str, Callable[[Model], Model]] = {
    "bare": lambda model: model,
    "wrapper": WrapperModel,
    "fallback": lambda model: FallbackModel(model, "test"),
    "concurrency": lambda model: ConcurrencyLimitedModel(model, 2),
    "rate": lambda model: RateLimitedModel(model, RateLimiter(requests_per_minute=600)),
    "cached": CachedModel,
    "instrumented": InstrumentedModel,
    "nested": lambda model: WrapperModel(ConcurrencyLimitedModel(model, 2)),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.filterwarnings("ignore:A stream was dropped:ResourceWarning")
def test_a_stream_that_is_open_as_the_event_loop_ends(
    backend: str, wrapper: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is closed in silence, whichever of its generators the event loop closes first."""
    pytest.importorskip(backend)

    def begin(connection: Connection) -> None:
        connection.stream(delta(content="a"), end=False)
        connection.closed_by_peer()

    held: list[Any] = []

    async def leave_open(url: str) -> None:
        model = infer_model("openai:x", api_key="k", base_url=url)
        held.append(model_request_stream(WRAPPERS[wrapper](model), MESSAGES))
        stream = await held[0].__aenter__()
        assert (await anext(stream)).part.content == "a"

    with serving(begin) as server:
        for _ in range(4):  # they are closed in the order of a set
            anyio.run(leave_open, server.url, backend=backend)
            held.clear()
        assert server.all_left()
    gc.collect()
    assert not caplog.records


async def test_a_cache_that_many_threads_use() -> None:
    """Two event loops forget the least recently used response at the same time."""
    model = CachedModel(TestModel(), MemoryCache(max_entries=1))

    async def ask(seed: int) -> None:
        for n in range(200):
            prompt = ModelRequest.user_text_prompt(str((n + seed) % 3))
            await model_request(model, [prompt])

    async def in_thread(seed: int) -> None:
        await anyio.to_thread.run_sync(anyio.run, ask, seed)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        async with anyio.create_task_group() as group:
            for seed in range(4):
                group.start_soon(in_thread, seed)
    finally:
        sys.setswitchinterval(interval)
