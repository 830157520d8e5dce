"""Every request lets other tasks run and can be cancelled, whoever answers and however fast."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from anyio import CancelScope

from direct_anyio import (
    CachedModel,
    ConcurrencyLimitedModel,
    FallbackModel,
    FunctionModel,
    InstrumentedModel,
    Model,
    ModelRequest,
    ModelResponse,
    ModelTimeoutError,
    RateLimitedModel,
    RateLimiter,
    SQLiteCache,
    TestModel,
    TextPart,
    infer_model,
)
from direct_anyio.models.stores import MemoryCache
from direct_anyio.testing import Gate, ScriptedModel

from .callers import Caller, streamed, unary
from .serving import answering, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
CALLERS = pytest.mark.parametrize("caller", [unary, streamed])


async def _answer_stream(messages: Any, info: Any) -> AsyncIterator[str]:
    yield "a"


def _function() -> Model:
    return FunctionModel(
        lambda messages, info: ModelResponse([TextPart("a")]), stream_function=_answer_stream
    )


MODELS: dict[str, Callable[[Any], Model]] = {
    "test": lambda path: TestModel(),
    "function": lambda path: _function(),
    "scripted": lambda path: ScriptedModel("a"),
    "wrapped": lambda path: FallbackModel(ConcurrencyLimitedModel(TestModel(), 2), "test"),
    "rate": lambda path: RateLimitedModel(TestModel(), RateLimiter(requests_per_minute=600)),
    "instrumented": lambda path: InstrumentedModel(TestModel()),
    "memory": lambda path: CachedModel(TestModel(), MemoryCache()),
    "sqlite": lambda path: CachedModel(TestModel(), SQLiteCache(path / "cache")),
}


@CALLERS
@pytest.mark.parametrize("name", MODELS)
async def test_a_request_is_a_checkpoint(name: str, caller: Caller, tmp_path: Any) -> None:
    """It can be cancelled before it answers; a second time too, as from a cache."""
    model = MODELS[name](tmp_path)
    for _ in range(2):
        await caller(model, MESSAGES)
        with CancelScope() as scope:
            scope.cancel()
            await caller(model, MESSAGES)
        assert scope.cancelled_caught


@CALLERS
async def test_a_real_request_is_a_checkpoint(caller: Caller) -> None:
    """One that goes out over a socket can be cancelled before it does."""
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with CancelScope() as scope:
            scope.cancel()
            await caller(model, MESSAGES)
    assert scope.cancelled_caught
    assert not server.received


async def _forever(messages: Any, info: Any) -> ModelResponse:
    await anyio.sleep_forever()
    raise AssertionError


async def _forever_stream(messages: Any, info: Any) -> AsyncIterator[str]:
    yield "a"
    await anyio.sleep_forever()


SLOW: dict[str, Callable[[], Model]] = {
    "function": lambda: FunctionModel(_forever, stream_function=_forever_stream),
    "scripted before": lambda: ScriptedModel(Gate(), "a"),
    "scripted within": lambda: ScriptedModel("a", Gate(), "b"),
}


@CALLERS
@pytest.mark.parametrize("name", SLOW)
async def test_doubles_heed_the_limit_on_all_of_a_request(name: str, caller: Caller) -> None:
    """`request_timeout` ends a request to a test double, as it ends one to a provider."""
    with pytest.raises(ModelTimeoutError, match="`request_timeout`") as caught:
        await caller(SLOW[name](), MESSAGES, model_settings={"request_timeout": 0.01})
    assert caught.value.limit == "total"
