"""One span for each request, whichever way it ends, with metrics, and content on demand."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar, copy_context
from types import SimpleNamespace, coroutine
from typing import Any

import anyio
import attrs
import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from direct_anyio import (
    BinaryContent,
    ImageUrl,
    Model,
    ModelHTTPError,
    ModelMessage,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ModelSettings,
    RequestUsage,
    StreamInterrupted,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UserError,
    UserPromptPart,
    infer_model,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)
from direct_anyio._io.queueing import queued
from direct_anyio.direct import _prepare_model
from direct_anyio.models import StreamedResponse
from direct_anyio.models.concurrency import ConcurrencyLimitedModel
from direct_anyio.models.function import AgentInfo, FunctionModel
from direct_anyio.models.instrumented import (
    InstrumentationSettings,
    InstrumentedModel,
    instrument_all,
    instrument_model,
)
from direct_anyio.models.rate_limit import RateLimitedModel, RateLimiter
from direct_anyio.models.test import TestModel

from .callers import CALLERS
from .conftest import BACKENDS
from .serving import (
    Connection,
    Handler,
    Server,
    answering,
    delta,
    frame,
    reply,
    serving,
)

trace = pytest.importorskip("opentelemetry.trace")
pytest.importorskip("opentelemetry.sdk")

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: E402
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: E402
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import (  # noqa: E402
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import (  # noqa: E402
    BatchSpanProcessor,
    SimpleSpanProcessor,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: E402
    InMemorySpanExporter,
)

ASKED: list[ModelMessage] = [ModelRequest.user_text_prompt("SECRET question")]
STATE = "direct_anyio.response.state"


class Seen:
    """What was traced, and the settings that trace it."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def settings(self, **more: Any) -> InstrumentationSettings:
        return InstrumentationSettings(
            tracer_provider=self.tracers, meter_provider=self.meters, **more
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if "chat" in span.name]

    @property
    def span(self) -> ReadableSpan:
        """The only one."""
        (span,) = self.spans
        return span

    def event(self, name: str) -> Event:
        """The only event of a name; on a busy machine there may be waits in queues, too."""
        (event,) = (event for event in self.span.events if event.name == name)
        return event

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """The points of each metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        scopes = [scope for each in data.resource_metrics for scope in each.scope_metrics]
        return {
            metric.name: list(metric.data.data_points)
            for scope in scopes
            for metric in scope.metrics
        }


@pytest.fixture
def seen() -> Iterator[Seen]:
    seen = Seen()
    yield seen
    seen.tracers.shutdown()
    seen.meters.shutdown()


@pytest.fixture(autouse=True)
def nothing_fails_to_detach(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """OpenTelemetry logs an error where a context is left that is not the current one."""
    yield
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [each for each in errors if each.name.startswith("opentelemetry")] == []


@pytest.fixture
def traced_by_default(seen: Seen) -> Iterator[Seen]:
    instrument_all(seen.settings())
    yield seen
    instrument_all(False)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def usage(span: ReadableSpan) -> tuple[int, int] | None:
    recorded = attributes(span)
    if "gen_ai.usage.input_tokens" not in recorded:
        return None
    return recorded["gen_ai.usage.input_tokens"], recorded["gen_ai.usage.output_tokens"]


# --- eight ways of leaving ---------------------------------------------------------------


def counted(text: str, prompt: int, finish: str | None = None) -> bytes:
    """Return a frame that tells tokens used for it, as some providers do in each."""
    document = json.loads(delta(finish, content=text)[6:])
    usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
    return frame({**document, "usage": usage})


def whole(connection: Connection) -> None:
    connection.stream(counted("one", 3), counted(" two", 0, "stop"), b"data: [DONE]\n\n")


def stuck(connection: Connection) -> None:
    connection.stream(counted("one", 3), end=False)
    connection.closed_by_peer()


def broken(connection: Connection) -> None:
    connection.stream(counted("one", 3), end=False)
    connection.socket.shutdown(socket.SHUT_RDWR)


def interrupting(connection: Connection) -> None:
    """Press Ctrl-C once the reader waits for the second event."""
    connection.stream(counted("one", 3), end=False)
    reading.wait()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    connection.closed_by_peer()


reading = threading.Event()
failing = reply({"error": {"message": "SECRET question was asked"}}, "500 Internal Server Error")

Way = Callable[[Model, InstrumentationSettings, ModelSettings], Awaitable[None]]
IMPATIENT: ModelSettings = {"timeout": httpx.Timeout(10, read=0.3), "max_retries": 0}


async def read_all(model: Model, traced: InstrumentationSettings, how: ModelSettings) -> None:
    async with model_request_stream(model, ASKED, model_settings=how, instrument=traced) as stream:
        async for _ in stream:
            pass


async def leave(model: Model, traced: InstrumentationSettings, how: ModelSettings) -> None:
    async with model_request_stream(model, ASKED, instrument=traced) as stream:
        await anext(stream)


async def fail(model: Model, traced: InstrumentationSettings, how: ModelSettings) -> None:
    with pytest.raises((ModelHTTPError, StreamInterrupted, TimeoutError)):
        await read_all(model, traced, how)


async def cancel(model: Model, traced: InstrumentationSettings, how: ModelSettings) -> None:
    begun = anyio.Event()

    async def read() -> None:
        async with model_request_stream(model, ASKED, instrument=traced) as stream:
            await anext(stream)
            begun.set()
            await stream.drain()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await begun.wait()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()


async def press(model: Model, traced: InstrumentationSettings, how: ModelSettings) -> None:
    async def read() -> None:
        async with model_request_stream(model, ASKED, instrument=traced) as stream:
            await anext(stream)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await read()


NAMES = ["handler", "state", "used", "error"]
LEFT = {
    "complete": (whole, "complete", (3, 1), None),
    "left early": (stuck, "interrupted", (3, 1), None),
    "error before": (failing, "incomplete", None, "ModelServerError"),
    "error within": (broken, "incomplete", (3, 1), "StreamInterrupted"),
    "cancelled": (stuck, "interrupted", (3, 1), None),
    "timed out": (stuck, "incomplete", (3, 1), "ModelTimeoutError"),
    "Ctrl-C": (stuck, "interrupted", (3, 1), None),
}
WAYS: dict[str, Way] = {
    "complete": read_all,
    "left early": leave,
    "error before": fail,
    "error within": fail,
    "cancelled": cancel,
    "timed out": fail,
    "Ctrl-C": press,
}


@contextmanager
def asked_of(handler: Handler) -> Iterator[Model]:
    with serving(handler) as server:
        yield infer_model("openai:x", api_key="none", base_url=server.url)


def check(seen: Seen, way: str) -> None:
    """There is one span, and one duration, with state, usage and error of the way it ended."""
    _, state, used, error = LEFT[way]
    recorded = attributes(seen.span)
    assert (recorded[STATE], usage(seen.span), recorded.get("error.type")) == (state, used, error)
    assert seen.span.end_time is not None
    assert seen.span.status.is_ok is (error is None)
    (duration,) = seen.metrics["gen_ai.client.operation.duration"]
    assert duration.count == 1
    assert duration.attributes[STATE] == state
    assert duration.attributes.get("error.type") == error
    assert "SECRET" not in seen.span.to_json()


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_is_one_span_however_it_is_left(seen: Seen, way: str) -> None:
    """Every way of leaving ends the span once, with state and partial usage, and no content."""
    with asked_of(LEFT[way][0]) as model:
        await WAYS[way](model, seen.settings(), IMPATIENT)
    check(seen, way)
    opened = way != "error before"
    assert ("gen_ai.response.time_to_first_chunk" in attributes(seen.span)) is opened
    assert ("gen_ai.client.operation.time_to_first_chunk" in seen.metrics) is opened


def read_all_sync(stream: Any) -> None:
    with stream:
        for _ in stream:
            pass


def leave_sync(stream: Any) -> None:
    with stream:
        next(stream)


def fail_sync(stream: Any) -> None:
    with pytest.raises((ModelHTTPError, StreamInterrupted, TimeoutError)):
        read_all_sync(stream)


def close_elsewhere(stream: Any) -> None:
    with stream:
        next(stream)
        thread = threading.Thread(target=stream.close)
        thread.start()
        # Whatever the reader is told, it is no error of the request.
        with suppress(Exception):
            for _ in stream:
                pass
        thread.join()


def press_sync(stream: Any) -> None:
    def read() -> None:
        with stream:
            next(stream)
            reading.set()
            for _ in stream:
                pass

    reading.clear()
    with pytest.raises(KeyboardInterrupt):
        read()


WAYS_SYNC: dict[str, Callable[[Any], None]] = {
    "complete": read_all_sync,
    "left early": leave_sync,
    "error before": fail_sync,
    "error within": fail_sync,
    "cancelled": close_elsewhere,
    "timed out": fail_sync,
    "Ctrl-C": press_sync,
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("way", WAYS_SYNC)
def test_a_blocking_stream_is_one_span_however_it_is_left(
    seen: Seen, way: str, backend: str
) -> None:
    """The same holds across the portal, where the reader's error never passes the task."""
    handler = interrupting if way == "Ctrl-C" else LEFT[way][0]
    with start_blocking_portal(backend) as portal, serving(handler) as server:
        model = infer_model("openai:x", api_key="none", base_url=server.url)
        stream = model_request_stream_sync(
            model, ASKED, model_settings=IMPATIENT, instrument=seen.settings(), portal=portal
        )
        WAYS_SYNC[way](stream)
    check(seen, way)


async def test_a_swallowed_error_is_an_error_of_the_span(seen: Seen) -> None:
    """A program that catches the error inside the block still has it in the trace."""
    with asked_of(broken) as model:
        asked = model_request_stream(model, ASKED, instrument=seen.settings())
        async with asked as stream:
            with pytest.raises(StreamInterrupted):
                await stream.drain()
    check(seen, "error within")


async def test_an_error_of_the_program_is_none_of_the_request(seen: Seen) -> None:
    """What the block raises itself leaves the span without an error."""

    async def read(model: Model) -> None:
        async with model_request_stream(model, ASKED, instrument=seen.settings()) as stream:
            await anext(stream)
            raise ValueError("mine")

    with asked_of(stuck) as model, pytest.raises(ValueError, match="mine"):
        await read(model)
    check(seen, "left early")


# --- forgotten streams -------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forgotten_stream_ends_its_span(backend: str) -> None:
    """A stream that is entered by hand and dropped is left by the collector, and is traced."""
    code = f"""
import anyio, gc, tests.test_instrumented as t
seen = t.Seen()
async def main():
    with t.asked_of(t.stuck) as model:
        opened = t.model_request_stream(model, t.ASKED, instrument=seen.settings())
        await anext(await opened.__aenter__())
        del opened
        gc.collect()
        while not seen.spans:
            await anyio.lowlevel.checkpoint()
try:
    anyio.run(main, backend={backend!r})
except BaseException as exc:
    print(type(exc).__name__, exc)
gc.collect()
told = t.attributes(seen.span)
print(len(seen.spans), told[t.STATE], t.usage(seen.span), told.get('error.type'))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-1:] == ["1 interrupted (3, 1) None"], run.stdout + run.stderr
    assert "detach" not in run.stderr


class Lonely(Model):
    """A model whose stream needs no task, and so no event loop to be collected in."""

    def __init__(self, answer: ModelResponse | None = None) -> None:
        super().__init__()
        self.answer = answer or ModelResponse([TextPart("\ud800")])

    @property
    def model_name(self) -> str:
        return "lonely"

    @property
    def system(self) -> str:
        return "test"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        return self.answer

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        partial = ModelResponse([], state="incomplete")
        stream: Any = SimpleNamespace(model_name="lonely", get=lambda: partial)
        yield stream


def test_a_stream_whose_loop_is_gone_ends_its_span(seen: Seen) -> None:
    """Where no loop is left to leave the stream in, the collector ends the span by itself."""
    loop = asyncio.new_event_loop()
    opened = model_request_stream(Lonely(), ASKED, instrument=seen.settings())
    loop.run_until_complete(entered(opened))
    loop.close()
    assert seen.spans == []
    del opened
    gc.collect()
    assert attributes(seen.span)[STATE] == "interrupted"


class Paused(Lonely):
    """A model that waits for nobody, in no event loop."""

    async def request(self, *_: Any, **__: Any) -> ModelResponse:
        await pause()
        return self.answer


@coroutine
def pause() -> Generator[None, None, None]:
    yield


def test_a_request_that_is_closed_half_way_ends_its_span(seen: Seen) -> None:
    """A coroutine that is closed where it waits, in another context, is interrupted."""
    asked = model_request(Paused(), ASKED, instrument=seen.settings())
    copy_context().run(asked.send, None)
    asked.close()
    assert attributes(seen.span)[STATE] == "interrupted"


async def test_a_stream_of_somebody_elses_making_is_traced(seen: Seen) -> None:
    """Of a stream that is none of ours, the error is what the block was left by."""

    async def read() -> None:
        async with model_request_stream(Lonely(), ASKED, instrument=seen.settings()):
            raise LookupError

    with pytest.raises(LookupError):
        await read()
    recorded = attributes(seen.span)
    assert (recorded[STATE], recorded["error.type"]) == ("incomplete", "LookupError")


async def test_leaving_twice_is_leaving_once(seen: Seen) -> None:
    """Who leaves a block by hand once more counts no second request."""
    opened = model_request_stream(TestModel(), ASKED, instrument=seen.settings())
    async with opened as stream:
        await stream.drain()
    await opened.__aexit__(None, None, None)
    (duration,) = seen.metrics["gen_ai.client.operation.duration"]
    assert (len(seen.spans), duration.count) == (1, 1)


async def entered(opened: Any) -> None:
    await opened.__aenter__()


def test_a_forgotten_blocking_stream_reaches_the_collector() -> None:
    """As the process ends, a stream that nobody left is cancelled, and its span is exported."""
    collected: list[bytes] = []

    def collect(connection: Connection) -> None:
        if "/traces" in connection.request.line:
            collected.append(connection.request.body)
            reply(b"", kind="application/x-protobuf")(connection)
        else:
            stuck(connection)

    code = """
import sys, tests.test_instrumented as t
tracers = t.TracerProvider()
exporter = t.OTLPSpanExporter(endpoint=sys.argv[1] + "/traces")
tracers.add_span_processor(t.BatchSpanProcessor(exporter))
model = t.infer_model("openai:x", api_key="none", base_url=sys.argv[1])
traced = t.InstrumentationSettings(tracer_provider=tracers)
stream = t.model_request_stream_sync(model, t.ASKED, instrument=traced).__enter__()
next(stream)
"""
    with serving(collect) as server:
        subprocess.run([sys.executable, "-c", code, server.url], check=True, timeout=60)
    (span,) = exported(collected)
    recorded = {each.key: each.value for each in span.attributes}
    assert recorded[STATE].string_value == "interrupted"
    assert recorded["gen_ai.usage.output_tokens"].int_value == 1


def exported(bodies: list[bytes]) -> list[Any]:
    requests = [trace_service_pb2.ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


# --- the four functions ----------------------------------------------------------------------


async def ask(model: Model, caller: str, seen: Seen) -> None:
    await CALLERS[caller](model, ASKED, instrument=seen.settings())


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_function_traces(seen: Seen, caller: str) -> None:
    """Each function makes one span, under the caller's, of kind CLIENT, with the metrics."""
    tracer = seen.tracers.get_tracer("test")
    with serving(answering("one", " two")) as server:
        model = infer_model("openai:gpt-4.1-mini", api_key="none", base_url=server.url)
        with tracer.start_as_current_span("outer") as outer:
            await CALLERS[caller](
                model,
                ASKED,
                model_settings={"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["."]},
                instrument=seen.settings(),
            )
            assert trace.get_current_span() is outer
    span, recorded = seen.span, attributes(seen.span)
    assert (span.name, span.kind) == ("chat gpt-4.1-mini", trace.SpanKind.CLIENT)
    assert span.parent is not None
    assert span.parent.span_id == outer.get_span_context().span_id
    first = recorded.pop("gen_ai.response.time_to_first_chunk", None)
    is_streamed = "streamed" in caller
    assert (first is not None) is recorded.pop("gen_ai.request.stream", False) is is_streamed
    tokens = 2
    assert recorded == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4.1-mini",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": (".",),
        "gen_ai.response.model": "served-model",
        "gen_ai.response.id": "chat-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": tokens,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        STATE: "complete",
    }
    counts = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in seen.metrics["gen_ai.client.token.usage"]
    }
    assert counts == {"input": 3, "output": tokens}
    assert ("gen_ai.client.operation.time_to_first_chunk" in seen.metrics) is ("streamed" in caller)


CALLER: ContextVar[str] = ContextVar("CALLER")


@pytest.mark.parametrize("caller", CALLERS)
async def test_the_callers_context_reaches_the_model(seen: Seen, caller: str) -> None:
    """A model sees the caller's variables, with the request's span as the current one."""
    recorded: list[object] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        recorded.extend((CALLER.get(), trace.get_current_span()))
        return ModelResponse([TextPart("hello")])

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        recorded.extend((CALLER.get(), trace.get_current_span()))
        yield "hello"

    CALLER.set("me")
    model = FunctionModel(answer, stream_function=stream)
    await CALLERS[caller](model, ASKED, instrument=seen.settings())
    assert recorded[0] == "me"
    assert recorded[1].get_span_context() == seen.span.context  # type: ignore[attr-defined]


@pytest.mark.parametrize("caller", ["unary", "streamed"])
async def test_the_transport_is_inside_the_span(seen: Seen, caller: str) -> None:
    """Instrumentation of the HTTP client makes its spans under that of the request."""
    current: list[Any] = []

    async def sent(request: httpx.Request) -> None:
        current.append(trace.get_current_span().get_span_context())

    with serving(answering("one")) as server:
        async with httpx.AsyncClient(event_hooks={"request": [sent]}) as client:
            model = infer_model("openai:x", api_key="none", base_url=server.url, http_client=client)
            await CALLERS[caller](model, ASKED, instrument=seen.settings())
    assert current == [seen.span.context]


async def test_many_at_once_do_not_mix(seen: Seen) -> None:
    """Concurrent requests of one task group are siblings under the same caller."""
    tracer = seen.tracers.get_tracer("test")
    model = TestModel()
    with tracer.start_as_current_span("caller") as caller:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask, model, "streamed", seen)
    parents = {span.parent.span_id for span in seen.spans if span.parent}
    assert (len(seen.spans), parents) == (5, {caller.get_span_context().span_id})


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_cancelled_function_ends_its_span(seen: Seen, caller: str) -> None:
    """A request that is cancelled before any answer is interrupted, and no error."""
    arrived = threading.Event()

    def silent(connection: Connection) -> None:
        arrived.set()
        connection.closed_by_peer()

    with serving(silent) as server, start_blocking_portal() as portal:
        model = infer_model("openai:x", api_key="none", base_url=server.url)
        if "sync" in caller:
            portal_asks(portal, caller, model, seen, arrived)
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(ask, model, caller, seen)
                await anyio.to_thread.run_sync(arrived.wait)
                group.cancel_scope.cancel()
    recorded = attributes(seen.span)
    assert (recorded[STATE], usage(seen.span), "error.type" in recorded) == (
        "interrupted",
        None,
        False,
    )


def portal_asks(
    portal: BlockingPortal, caller: str, model: Model, seen: Seen, arrived: threading.Event
) -> None:
    """Ask through a function of blocking code, and cancel what the portal runs."""

    def ask() -> None:
        with suppress(UserError, BaseException):
            if caller == "unary_sync":
                model_request_sync(model, ASKED, instrument=seen.settings(), portal=portal)
            else:
                read_all_sync(
                    model_request_stream_sync(
                        model, ASKED, instrument=seen.settings(), portal=portal
                    )
                )

    thread = threading.Thread(target=ask)
    thread.start()
    arrived.wait()
    portal.start_task_soon(portal.stop, True)
    thread.join()


# --- retries -----------------------------------------------------------------------------


async def test_a_retry_is_an_event(seen: Seen) -> None:
    """Each attempt that failed is told with its error and the delay; the user's hook is, too."""
    recorded: list[object] = []

    def answer(connection: Connection) -> None:
        if len(connection.server.received) < 2:
            reply({"error": {}}, "503 Service Unavailable", "retry-after: 0")(connection)
        else:
            answering("one")(connection)

    with asked_of(answer) as model:
        await model_request(
            model, ASKED, model_settings={"on_retry": recorded.append}, instrument=seen.settings()
        )
    event = seen.event("direct_anyio.retry")
    about = dict(event.attributes or {})
    assert about.pop("direct_anyio.delay") >= 0  # type: ignore[operator]
    assert about == {
        "error.type": "ModelUnavailableError",
        "http.response.status_code": 503,
        "direct_anyio.attempt": 1,
    }
    assert attributes(seen.span)["direct_anyio.attempts"] == 2
    assert len(recorded) == 1
    assert seen.span.status.is_ok


async def test_a_wait_in_a_queue_is_an_event(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a place inside a request tells its span for how long."""
    clock = iter((100.0, 100.0, 100.0, 107.0))
    monkeypatch.setattr("direct_anyio._io.queueing.current_time", lambda: next(clock))

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        with queued("nobody before"):
            pass
        with queued("somebody before"):
            pass
        return ModelResponse([TextPart("hello")])

    await model_request(FunctionModel(answer), ASKED, instrument=seen.settings())
    recorded = [(event.name, dict(event.attributes or {})) for event in seen.span.events]
    about = {"direct_anyio.queue": "somebody before", "direct_anyio.wait": 7.0}
    assert recorded == [("direct_anyio.queued", about)]


QUEUES: dict[str, Callable[[Model], Model]] = {
    "concurrency": lambda model: ConcurrencyLimitedModel(model, 1),
    "connections": lambda model: model,
    "rate": lambda model: RateLimitedModel(model, RateLimiter(requests_per_minute=60)),
}


@pytest.mark.parametrize("queue", QUEUES)
async def test_every_queue_tells_of_its_waits(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    """Limiters, and the pool of connections, are the queues that a request waits in."""
    monkeypatch.setattr("direct_anyio.models.instrumented.MIN_WAIT", 0.0)
    with asked_of(answering("one")) as model:
        await model_request(QUEUES[queue](model), ASKED, instrument=seen.settings())
    recorded = {
        str(dict(event.attributes or {})["direct_anyio.queue"]) for event in seen.span.events
    }
    assert recorded == {queue, "connections"}


async def test_an_error_of_unary_has_what_was_read(seen: Seen) -> None:
    """The partial response that an error carries counts, and its status is told."""
    with asked_of(failing) as model, pytest.raises(ModelHTTPError):
        await model_request(
            model, ASKED, model_settings={"max_retries": 0}, instrument=seen.settings()
        )
    check(seen, "error before")
    event = seen.event("exception")
    assert dict(event.attributes or {}) == {"exception.type": "ModelServerError"}
    assert attributes(seen.span)["http.response.status_code"] == 500


# --- content -----------------------------------------------------------------------------

PIXEL = b"\x89PNG-bytes"
HISTORY: list[ModelMessage] = [
    ModelRequest(
        [
            UserPromptPart(
                [
                    "SECRET look",
                    ImageUrl("https://host/a.png"),
                    ImageUrl("data:image/png;base64," + base64.b64encode(PIXEL).decode()),
                    BinaryContent(PIXEL, media_type="image/png"),
                ]
            )
        ],
        instructions="SECRET rules",
    ),
    ModelResponse([ThinkingPart("hm"), ToolCallPart("look", '{"at": 1}', "call-1")]),
    ModelRequest(
        [ToolReturnPart("look", {"file": BinaryContent(PIXEL, media_type="image/png")}, "call-1")],
        instructions="SECRET rules",
    ),
]
OFFERED = ModelRequestParameters(function_tools=[ToolDefinition(name="look", description="SECRET")])


async def of_history(seen: Seen, **settings: Any) -> dict[str, Any]:
    model = TestModel(call_tools=[], custom_output_text="SECRET answer")
    await model_request(
        model,
        HISTORY,
        model_request_parameters=OFFERED,
        instrument=seen.settings(**settings),
    )
    return attributes(seen.span)


async def test_content_is_off(seen: Seen) -> None:
    """By default a span says nothing of messages, instructions, tools and answers."""
    await of_history(seen)
    assert "SECRET" not in seen.span.to_json()
    assert base64.b64encode(PIXEL).decode() not in seen.span.to_json()


async def test_content_is_recorded_in_the_words_of_the_conventions(seen: Seen) -> None:
    """Where it is asked for, content follows the JSON schemas, without the bytes of files."""
    recorded = await of_history(seen, include_content=True)
    blob = {"type": "blob", "mime_type": "image/png", "modality": "image"}
    call = {"id": "call-1", "name": "look"}
    assert json.loads(recorded["gen_ai.input.messages"]) == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "SECRET look"},
                {"type": "uri", "modality": "image", "uri": "https://host/a.png"},
                blob,
                blob,
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", **call, "arguments": {"at": 1}},
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", **call, "response": {"file": blob}}],
        },
    ]
    assert json.loads(recorded["gen_ai.system_instructions"]) == [
        {"type": "text", "content": "SECRET rules"}
    ]
    (answer,) = json.loads(recorded["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "text", "content": "SECRET answer"}]
    (tool,) = json.loads(recorded["gen_ai.tool.definitions"])
    assert (tool["type"], tool["name"], tool["description"]) == ("function", "look", "SECRET")
    assert base64.b64encode(PIXEL).decode() not in seen.span.to_json()


async def test_files_are_told_where_that_is_asked_for(seen: Seen) -> None:
    """The bytes of files are a switch of their own."""
    recorded = await of_history(seen, include_content=True, include_binary_content=True)
    data = base64.b64encode(PIXEL).decode()
    assert recorded["gen_ai.input.messages"].count(data) == 3


class Unshown:
    def __str__(self) -> str:
        raise ValueError("no text for me")


async def test_what_cannot_be_shown_costs_no_answer(seen: Seen) -> None:
    """Content that cannot be written as JSON is left out, and the request goes on."""
    messages = [*HISTORY, ModelRequest([ToolReturnPart("look", Unshown(), "call-2")])]
    await model_request(Lonely(), messages, instrument=seen.settings(include_content=True))
    recorded = attributes(seen.span)
    assert recorded["direct_anyio.content_error"] == "ValueError"
    recorded["gen_ai.output.messages"].encode()


async def test_an_error_with_content_has_its_message_and_traceback(seen: Seen) -> None:
    """Where content is on, the provider's words are told."""
    with asked_of(failing) as model, pytest.raises(ModelHTTPError):
        await model_request(
            model,
            ASKED,
            model_settings={"max_retries": 0},
            instrument=seen.settings(include_content=True),
        )
    event = seen.event("exception")
    assert "SECRET question was asked" in str((event.attributes or {})["exception.message"])
    assert "SECRET question was asked" in str(seen.span.status.description)


# --- metrics and prices ------------------------------------------------------------------


async def test_buckets_and_cost(seen: Seen) -> None:
    """The histograms have the buckets of the conventions; a known model has a price."""
    pytest.importorskip("genai_prices")
    answer = ModelResponse(
        [TextPart("hi")],
        usage=RequestUsage(input_tokens=1_000_000, output_tokens=1_000_000),
        model_name="gpt-4.1-mini",
        provider_name="openai",
    )
    await model_request(Lonely(answer), ASKED, instrument=seen.settings())
    points = {name: each[0] for name, each in seen.metrics.items()}
    cost = attributes(seen.span)["operation.cost"]
    assert 1 < cost < 10
    assert points["operation.cost"].sum == cost
    assert points["gen_ai.client.token.usage"].explicit_bounds[:3] == (1, 4, 16)
    assert points["gen_ai.client.token.usage"].explicit_bounds[-1] == 67108864
    bounds = points["gen_ai.client.operation.duration"].explicit_bounds
    assert (bounds[0], bounds[-1], len(bounds)) == (0.01, 81.92, 14)


async def test_a_price_that_nobody_knows_is_left_out(seen: Seen) -> None:
    """A model without a price has no cost, rather than one of 0."""
    await model_request(TestModel(), ASKED, instrument=seen.settings())
    assert "operation.cost" not in attributes(seen.span)
    assert "operation.cost" not in seen.metrics


async def test_an_older_api_has_buckets_of_its_own(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenTelemetry before 1.30 cannot be told buckets, and records without."""
    from opentelemetry.sdk.metrics import Meter

    modern = Meter.create_histogram

    def old(self: Meter, name: str, unit: str = "", description: str = "") -> Any:
        return modern(self, name, unit, description)

    monkeypatch.setattr(Meter, "create_histogram", old)
    await model_request(TestModel(), ASKED, instrument=seen.settings())
    assert seen.metrics["gen_ai.client.operation.duration"][0].count == 1


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_collector_receives_spans_and_metrics(caller: str) -> None:
    """The real exporters send to a server shaped like a collector what the request did."""
    with serving(reply(b"", kind="application/x-protobuf")) as collector:
        tracers = TracerProvider()
        tracers.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{collector.url}/traces"))
        )
        exporter = OTLPMetricExporter(endpoint=f"{collector.url}/metrics")
        meters = MeterProvider([PeriodicExportingMetricReader(exporter)])
        traced = InstrumentationSettings(
            tracer_provider=tracers, meter_provider=meters, include_content=True
        )
        with serving(answering("one", " two")) as server:
            model = infer_model("openai:x", api_key="none", base_url=server.url)
            await CALLERS[caller](model, ASKED, instrument=traced)
        await anyio.to_thread.run_sync(tracers.shutdown)
        await anyio.to_thread.run_sync(meters.shutdown)
    (span,) = exported(bodies(collector, "/traces"))
    assert (span.name, span.kind) == ("chat x", 3)
    (metrics,) = [
        metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
        for body in bodies(collector, "/metrics")
    ]
    (scope,) = metrics.resource_metrics[0].scope_metrics
    assert scope.scope.name == "direct_anyio"
    assert {metric.name for metric in scope.metrics} >= {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
    }


def bodies(collector: Server, path: str) -> list[bytes]:
    return [each.body for each in collector.received if path in each.line]


# --- switches ----------------------------------------------------------------------------


@pytest.mark.parametrize("caller", CALLERS)
async def test_instrument_all_is_the_default(traced_by_default: Seen, caller: str) -> None:
    """A request that says nothing is traced as `instrument_all` was told; False is not."""
    await CALLERS[caller](TestModel(), ASKED, instrument=False)
    assert traced_by_default.spans == []
    await CALLERS[caller](TestModel(), ASKED)
    assert len(traced_by_default.spans) == 1


def test_what_is_wrapped_is_wrapped_once(seen: Seen) -> None:
    """A model that is traced already is taken as it is, and none is traced unasked."""
    model = TestModel()
    traced = instrument_model(model, seen.settings())
    assert isinstance(traced, InstrumentedModel)
    assert traced.wrapped is model
    assert instrument_model(traced, True) is traced
    assert _prepare_model(model, None) is _prepare_model(model, False) is model
    assert isinstance(_prepare_model("test", True), InstrumentedModel)


async def test_true_uses_the_global_providers(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sets the global providers, as `logfire.configure()` does, sees the spans."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", seen.tracers)
    await model_request(TestModel(), ASKED, instrument=True)
    assert seen.span.name == "chat test"


def test_without_the_package_tracing_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the command that installs OpenTelemetry; no tracing needs none."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    for ask in (
        lambda: instrument_all(),
        lambda: InstrumentedModel(TestModel()),
        lambda: model_request_stream("test", ASKED, instrument=True),
    ):
        with pytest.raises(UserError, match=r"pip install 'direct-anyio\[otel\]'"):
            ask()
    _prepare_model("test", None)


def test_version_1_is_refused() -> None:
    """Settings of a format that is not written are a mistake, those of a newer one are not."""
    with pytest.raises(UserError, match="log events"):
        InstrumentationSettings(version=1)
    assert attrs.evolve(InstrumentationSettings(), version=3).version == 3


def test_importing_the_functions_imports_no_opentelemetry() -> None:
    """Who does not trace does not pay."""
    code = (
        "from direct_anyio import model_request, ModelRequest; import sys; "
        "import direct_anyio.models.instrumented; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'genai'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
