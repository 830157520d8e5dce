"""What each model around a model costs, per request and per event, against the bare one.

    python benchmarks/bench_wrappers.py [requests] [events]

The model inside answers at once, so all that is measured is ours. The cache is asked for
what it does not have in the first column, and for what it has in the last.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from direct_anyio import (
    CachedModel,
    ConcurrencyLimitedModel,
    FallbackModel,
    FunctionModel,
    Model,
    ModelRequest,
    ModelResponse,
    RateLimitedModel,
    RateLimiter,
    TextPart,
    WrapperModel,
    model_request,
    model_request_stream,
)


class _Forgetful:
    """A cache that keeps nothing."""

    async def get(self, key: str) -> ModelResponse | None:
        return None

    async def set(self, key: str, response: ModelResponse) -> None:
        pass


WRAPPERS: dict[str, Callable[[Model], Model]] = {
    "none": lambda model: model,
    "WrapperModel": WrapperModel,
    "FallbackModel": FallbackModel,
    "ConcurrencyLimitedModel": lambda model: ConcurrencyLimitedModel(model, 10),
    "RateLimitedModel": lambda model: RateLimitedModel(
        model, RateLimiter(requests_per_minute=1e9, tokens_per_minute=1e12)
    ),
    "CachedModel, not found": lambda model: CachedModel(model, _Forgetful()),
    "CachedModel, found": CachedModel,
}


def _model(events: int) -> FunctionModel:
    async def answer(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse([TextPart("yes")])

    async def words(messages: Any, info: Any) -> AsyncIterator[str]:
        for _ in range(events):
            yield "word "

    return FunctionModel(answer, stream_function=words)


async def _measure(model: Model, requests: int, events: int) -> tuple[float, float]:
    """Return microseconds of a request, and of an event of a stream."""
    asked = [ModelRequest.user_text_prompt("Go on.")]
    await model_request(model, asked)
    started = time.perf_counter()
    for _ in range(requests):
        await model_request(model, asked)
    request = (time.perf_counter() - started) / requests
    streamed = [ModelRequest.user_text_prompt("Stream.")]
    started = time.perf_counter()
    async with model_request_stream(model, streamed) as stream:
        await stream.drain()
    return request * 1e6, (time.perf_counter() - started) / events * 1e6


def main() -> None:
    """Print the table: medians of five alternating rounds."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    events = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WRAPPERS}
    for _ in range(5):
        for name, wrap in WRAPPERS.items():
            taken[name].append(asyncio.run(_measure(wrap(_model(events)), requests, events)))
    print(f"{'wrapper':<26} {'us a request':>13} {'ratio':>6} {'us an event':>13} {'ratio':>6}")
    bare = [statistics.median(column) for column in zip(*taken["none"], strict=True)]
    for name, rounds in taken.items():
        request, event = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"{name:<26} {request:>13.1f} {request / bare[0]:>6.2f} "
            f"{event:>13.2f} {event / bare[1]:>6.2f}"
        )


if __name__ == "__main__":
    main()
