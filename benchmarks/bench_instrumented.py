"""What tracing costs: the same requests with `instrument` off and on.

    python benchmarks/bench_instrumented.py [requests] [events] [rounds]

The model needs no network, so nearly all the time is ours, and the ratio is the worst
there is: a request over a network takes a hundred times as long, and tracing no longer.
Rounds alternate; figures are medians. The spans go to OpenTelemetry's batch processor
and an exporter that drops them.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import anyio
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from direct_anyio import ModelRequest, ModelResponse, TextPart, model_request, model_request_stream
from direct_anyio.models.function import AgentInfo, FunctionModel
from direct_anyio.models.instrumented import InstrumentationSettings

MESSAGES = [ModelRequest.user_text_prompt("Count.")]


class _Dropped(SpanExporter):
    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _settings(**content: bool) -> InstrumentationSettings:
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(_Dropped(), max_queue_size=1 << 20))
    meters = MeterProvider([InMemoryMetricReader()])
    return InstrumentationSettings(tracer_provider=tracers, meter_provider=meters, **content)


CASES: dict[str, InstrumentationSettings | None] = {
    "off": None,
    "on": _settings(),
    "on, with content": _settings(include_content=True),
}


def _answer(messages: object, info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart("one")])


async def _words(count: int, messages: object, info: AgentInfo) -> AsyncIterator[str]:
    for _ in range(count):
        yield "word "


async def _unary(requests: int, settings: InstrumentationSettings | None) -> float:
    model = FunctionModel(_answer)
    started = time.perf_counter()
    for _ in range(requests):
        await model_request(model, MESSAGES, instrument=settings)
    return (time.perf_counter() - started) / requests


async def _streamed(events: int, settings: InstrumentationSettings | None) -> float:
    model = FunctionModel(stream_function=partial(_words, events))
    started = time.perf_counter()
    async with model_request_stream(model, MESSAGES, instrument=settings) as stream:
        async for _ in stream:
            pass
    return (time.perf_counter() - started) / events


Timed = Callable[[int, InstrumentationSettings | None], Awaitable[float]]


def _medians(backend: str, timed: Timed, size: int, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(rounds + 1):
        for case, settings in CASES.items():
            taken[case].append(anyio.run(timed, size, settings, backend=backend))
    # The first round imports and fills caches.
    return {case: statistics.median(times[1:]) for case, times in taken.items()}


def main() -> None:
    """Print the table."""
    given = [int(argument) for argument in sys.argv[1:]]
    requests, events, rounds = given + [500, 10_000, 7][len(given) :]
    print(f"{requests} requests, streams of {events} events, {rounds} rounds; medians")
    print(f"{'':<28} {'microseconds':>13} {'ratio':>6}")
    tables: dict[str, tuple[Timed, int]] = {
        "request": (_unary, requests),
        "event": (_streamed, events),
    }
    for backend in ("asyncio", "trio"):
        for what, (timed, size) in tables.items():
            medians = _medians(backend, timed, size, rounds)
            for case, seconds in medians.items():
                ratio = seconds / medians["off"]
                print(
                    f"{backend + ', ' + what + ' ' + case:<32} {seconds * 1e6:>9.2f} {ratio:>6.2f}"
                )


if __name__ == "__main__":
    main()
