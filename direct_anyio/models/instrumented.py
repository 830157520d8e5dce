"""One span for each request, and its metrics, by OpenTelemetry.

    instrument_all()                                  every request of the process
    model_request(..., instrument=True)               this one
    InstrumentedModel(model, InstrumentationSettings(include_content=True))

A span begins as the request is asked for and ends as it is over, whichever way that
is: complete, left early, failed before or in the stream, cancelled, timed out,
interrupted, or forgotten. It is a child of the caller's current span, also across the
portal of the blocking functions, and the parent of whatever the request starts. Nothing is
ever attached to the caller's own context, so nothing can fail to be detached from it.

What a span says follows the GenAI semantic conventions: see `_core.telemetry`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context, copy_context
from functools import partial
from types import TracebackType, coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import field, frozen

from .. import __version__
from .._core.telemetry import (
    SCHEMA_URL,
    STATE,
    content_attributes,
    error_attributes,
    error_text,
    metric_attributes,
    output_attributes,
    request_attributes,
    response_attributes,
    token_counts,
)
from .._io.queueing import on_queued
from .._io.tasks import Entered
from .._record import Record
from ..exceptions import UserError
from ..messages import ModelResponse
from ..settings import ModelSettings, merge_model_settings
from ..streaming import StreamedResponse
from .base import Model, ModelCall
from .inference import KnownModelName
from .wrapper import WrapperModel, attempt_of

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter, MeterProvider
    from opentelemetry.trace import Tracer, TracerProvider

    from .attempts import Retry

__all__ = ("InstrumentationSettings", "InstrumentedModel", "instrument_all", "instrument_model")

ResultT = TypeVar("ResultT")

SCOPE = "direct_anyio"
COST = "operation.cost"

MIN_WAIT = 0.001
"""Seconds from which on a wait in a queue is an event."""

# The conventions ask for these: from 1 token to 67 million, from 0.01 s to 82 s.
TOKEN_BUCKETS = tuple(4**power for power in range(14))
SECOND_BUCKETS = tuple(0.01 * 2**power for power in range(14))


def _written(_: object, __: object, version: int) -> None:
    if version < 2:
        raise UserError("Version 1, of log events, is not written; leave `version` out.")


@frozen(repr=False, kw_only=True)
class InstrumentationSettings(Record):
    """What is traced of a request, and where to.

    Content is off unless asked for: where pydantic-ai has `include_content=True`, the
    default here is False, for messages go to a model, not to a log. Without it a span
    has no messages, tools or instructions, and no words of a provider's error document,
    which quotes the prompt.

    Attributes:
        tracer_provider: OpenTelemetry's; the global one where None, which
            `logfire.configure()` sets.
        meter_provider: The same for metrics.
        include_binary_content: Whether the bytes of files are recorded, as base64, where
            content is.
        include_content: Whether messages, instructions and tools are recorded, and all
            of an error's message and traceback.
        version: Accepted for porters from 2 on. There is one format, that of the GenAI
            semantic conventions 1.41.1; version 1, in log events, is refused.

    Raises:
        UserError: The version is 1.
    """

    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    include_binary_content: bool = False
    include_content: bool = False
    version: int = field(default=2, validator=_written)


_PLAIN = InstrumentationSettings()
_default: InstrumentationSettings | None = None


def instrument_all(instrument: InstrumentationSettings | bool = True) -> None:
    """Trace every request of the process whose `instrument` is left at None.

    Args:
        instrument: What is traced; True for `InstrumentationSettings()`, False for nothing.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    global _default
    settings = _settings_of(instrument)
    if settings is not None:
        _instruments_of(settings)
    _default = settings


def instrument_model(model: Model, instrument: InstrumentationSettings | bool | None) -> Model:
    """Return `model` traced, or as it is where that is not asked for or done already.

    Args:
        model: The model.
        instrument: What is traced; None for what `instrument_all` set.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    settings = _default if instrument is None else _settings_of(instrument)
    if settings is None or isinstance(model, InstrumentedModel):
        return model
    return InstrumentedModel(model, settings)


def _settings_of(instrument: InstrumentationSettings | bool) -> InstrumentationSettings | None:
    if isinstance(instrument, bool):
        return _PLAIN if instrument else None
    return instrument


class InstrumentedModel(WrapperModel):
    """A model whose every request is traced.

    Args:
        wrapped: The model, or its name.
        options: What is traced.

    Raises:
        UserError: OpenTelemetry is not installed.
    """

    _is_measured = True

    def __init__(
        self, wrapped: Model | KnownModelName, options: InstrumentationSettings | None = None
    ) -> None:
        super().__init__(wrapped)
        self.instrumentation_settings: InstrumentationSettings = options or _PLAIN
        _instruments_of(self.instrumentation_settings)

    def respond(self, call: ModelCall) -> AbstractAsyncContextManager[StreamedResponse]:
        """Ask the wrapped model under a span, which begins and ends with the block."""
        return _TracedStream(self, call)

    def _span(self, call: ModelCall) -> _RequestSpan:
        attributes = request_attributes(
            self.model_name,
            self.system,
            self.base_url,
            merge_model_settings(self.settings, call.settings) or ModelSettings(),
            call.parameters,
            stream=call.stream,
        )
        span = _RequestSpan(self.instrumentation_settings, attributes, self._is_measured)
        span.record_content(content_attributes, call.messages, call.parameters)
        return span


class _Attempt(InstrumentedModel):
    """One model's attempt at a request that another one may answer; it is counted with that."""

    _is_measured = False


class _TracedStream(Entered, AbstractAsyncContextManager[StreamedResponse]):
    """A stream under a span.

    A class, and no generator: who enters it and forgets it holds nothing else, so the
    span can end as it is collected, before the generators inside do. They are
    closed later, or never, and on trio cannot be closed from another task.
    """

    _span: _RequestSpan | None = None

    def __init__(self, model: InstrumentedModel, call: ModelCall) -> None:
        self._model = model
        self._call = call

    async def __aenter__(self) -> StreamedResponse:
        span = self._span = self._model._span(self._call)
        try:
            opened = self._model.wrapped.open(self._call.with_retry_hook(span.retried))
            self._inner = _Inside(span.context, opened)
            stream = await self._inner.__aenter__()
        except BaseException as exc:
            span.end(exc)
            raise
        span.opened(stream, is_streamed=self._call.stream)
        return stream

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        assert self._span is not None
        try:
            return await self._inner.__aexit__(exc_type, exc, tb)
        finally:
            self._span.end(exc)

    def __del__(self) -> None:
        if self._span is not None:
            # As the interpreter ends, half of it may be gone.
            with suppress(Exception):
                self._span.forget()


class _RequestSpan:
    """The span of one request.

    Attributes:
        context: The caller's context, with the span as the current one.
    """

    def __init__(
        self, settings: InstrumentationSettings, attributes: dict[str, Any], is_measured: bool
    ) -> None:
        from opentelemetry import context, trace

        self._stream: StreamedResponse | None = None
        self._settings = settings
        self._is_measured = is_measured
        self._attributes = attributes
        self._instruments = _instruments_of(settings)
        self._started = time.perf_counter()
        self._span = self._instruments.tracer.start_span(
            f"chat {attributes['gen_ai.request.model']}",
            context.get_current(),
            trace.SpanKind.CLIENT,
            attributes,
        )
        self._ended = False
        self.context = copy_context()
        # In a copy of our own, so there is nothing to detach.
        self.context.run(context.attach, trace.set_span_in_context(self._span))
        self.context.run(on_queued.set, self.waited)
        self.context.run(attempt_of.set, self._attempt)

    def opened(self, stream: StreamedResponse, *, is_streamed: bool) -> None:
        """Take note of the stream, and of the time to its first content: it opens with that."""
        self._stream = stream
        if not is_streamed:
            return
        seconds = time.perf_counter() - self._started
        self._span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        if not self._is_measured:
            return
        about = metric_attributes(self._attributes | {"gen_ai.response.model": stream.model_name})
        self.context.run(self._instruments.first_chunk.record, seconds, about)

    def _attempt(self, model: Model) -> Model:
        return model if isinstance(model, InstrumentedModel) else _Attempt(model, self._settings)

    def retried(self, retry: Retry) -> None:
        """Add an event for an attempt that failed, and is made again after `delay` seconds."""
        attributes = error_attributes(retry.error)
        attributes |= {"direct_anyio.attempt": retry.attempt, "direct_anyio.delay": retry.delay}
        self._span.add_event("direct_anyio.retry", attributes)
        self._span.set_attribute("direct_anyio.attempts", retry.attempt + 1)

    def waited(self, queue: str, seconds: float) -> None:
        """Add an event for a place that was waited for, where it was not free at once."""
        if seconds >= MIN_WAIT and not self._ended:
            attributes: dict[str, Any] = {"direct_anyio.queue": queue, "direct_anyio.wait": seconds}
            self._span.add_event("direct_anyio.queued", attributes)

    def record_content(self, attributes_of: Callable[..., dict[str, Any]], *of: Any) -> None:
        """Tell the span what was said, where that is asked for."""
        if not (self._settings.include_content and self._span.is_recording()):
            return
        try:
            content = attributes_of(*of, binary=self._settings.include_binary_content)
        except Exception as exc:
            # A value of the user's that cannot be shown must not cost the answer.
            content = {"direct_anyio.content_error": type(exc).__name__}
        self._span.set_attributes(content)

    def end(self, exc: BaseException | None) -> None:
        """End the span and record the metrics, unless that is done.

        Args:
            exc: What the request, or the block that read it, was left by.
        """
        if self._ended:
            return
        seconds = time.perf_counter() - self._started
        error = self._failure(exc)
        answer = self._answer(error)
        self._close(answer, error)
        # In the context of the span, so that an example of a metric can refer to it.
        if self._is_measured:
            self.context.run(self._record_metrics, seconds, answer)

    def forget(self) -> None:
        """End the span of a stream that nobody left, unless that is done.

        There are no metrics of it: they take locks that the code may hold under which
        the collector runs.
        """
        if not self._ended:
            self._close(self._answer(None), None)

    def _close(self, answer: ModelResponse | None, error: Exception | None) -> None:
        self._ended = True
        at = time.time_ns()
        attributes = {STATE: _state(answer, error)}
        if answer is not None:
            attributes |= response_attributes(answer) | self._instruments.cost_of(answer)
            self.record_content(output_attributes, answer)
        if error is not None:
            attributes |= error_attributes(error)
            from opentelemetry.trace import StatusCode

            text = error_text(error, content=self._settings.include_content)
            self._span.set_status(StatusCode.ERROR, text)
            if self._settings.include_content:
                self._span.record_exception(error)
            else:
                shown = {"exception.type": attributes["error.type"]}
                shown |= {"exception.message": text} if text else {}
                self._span.add_event("exception", shown)
        self._attributes |= attributes
        self._span.set_attributes(attributes)
        # What we have to say takes its time, but none of the request's.
        self._span.end(at)

    def _failure(self, exc: BaseException | None) -> Exception | None:
        """Return what the request failed of; to be left or cancelled is no failure."""
        if isinstance(self._stream, StreamedResponse):
            # It knows better: the block may swallow its error, and raise errors of its own,
            # and the blocking functions raise it in another thread.
            exc = self._stream._failure if self._stream.state == "incomplete" else None
        return exc if isinstance(exc, Exception) else None

    def _answer(self, error: Exception | None) -> ModelResponse | None:
        """Return what there is of a response: the stream's, or that of an error."""
        if self._stream is not None:
            return self._stream.get()
        return getattr(error, "response", None)

    def _record_metrics(self, seconds: float, answer: ModelResponse | None) -> None:
        about = metric_attributes(self._attributes)
        ended = {name: self._attributes.get(name) for name in ("error.type", STATE)}
        how = {name: value for name, value in ended.items() if value is not None}
        self._instruments.duration.record(seconds, about | how)
        if answer is not None:
            for token_type, count in token_counts(answer.usage).items():
                self._instruments.tokens.record(count, about | {"gen_ai.token.type": token_type})
        if COST in self._attributes:
            self._instruments.cost.record(self._attributes[COST], about)


def _state(response: ModelResponse | None, error: Exception | None) -> str:
    if error is not None:
        return "incomplete"
    state = "incomplete" if response is None else response.state
    # A stream that was dropped does not know that it was left.
    return "interrupted" if state == "incomplete" else state


@frozen(eq=False)
class _Instruments:
    """What spans and metrics are written with; one for each pair of providers."""

    tracer: Tracer
    duration: Histogram
    first_chunk: Histogram
    tokens: Histogram
    cost: Histogram
    calc_price: Callable[..., Any] | None

    def cost_of(self, response: ModelResponse) -> dict[str, float]:
        """Return what a response cost, in US dollars, {} where nobody knows."""
        if self.calc_price is None or not response.model_name or not response.usage.total_tokens:
            return {}
        named = {"provider_api_url": response.provider_url, "provider_id": response.provider_name}
        for key, value in named.items():
            # It raises LookupError where it does not know a model, and more on odd counts.
            with suppress(Exception):
                if value:
                    price = self.calc_price(response.usage, response.model_name, **{key: value})
                    return {COST: float(price.total_price)}
        return {}


def _instruments_of(settings: InstrumentationSettings) -> _Instruments:
    """Return the instruments for these settings.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.metrics import get_meter_provider
        from opentelemetry.trace import get_tracer_provider
    except ImportError as exc:
        raise UserError(
            "Tracing needs OpenTelemetry: `pip install 'direct-anyio[otel]'`, "
            "or leave `instrument` out."
        ) from exc
    global _made
    tracers = settings.tracer_provider or get_tracer_provider()
    meters = settings.meter_provider or get_meter_provider()
    for of_tracers, of_meters, instruments in _made:
        if of_tracers is tracers and of_meters is meters:
            return instruments
    try:
        from genai_prices import calc_price
    except ImportError:
        calc_price = None  # type: ignore[assignment]
    meter = meters.get_meter(SCOPE, __version__, SCHEMA_URL)
    seconds = partial(_histogram, meter, "s", SECOND_BUCKETS)
    instruments = _Instruments(
        tracers.get_tracer(SCOPE, __version__, SCHEMA_URL),
        seconds("gen_ai.client.operation.duration", "GenAI operation duration."),
        seconds("gen_ai.client.operation.time_to_first_chunk", "Time to the first content."),
        _histogram(
            meter, "{token}", TOKEN_BUCKETS, "gen_ai.client.token.usage", "Tokens read and written."
        ),
        _histogram(meter, "{USD}", (), COST, "What the request cost."),
        calc_price,
    )
    _made = ((tracers, meters, instruments), *_made[: MAX_INSTRUMENTS - 1])
    return instruments


MAX_INSTRUMENTS = 8
"""Pairs of providers whose instruments are kept: a user has one, but a suite of tests many."""

_made: tuple[tuple[TracerProvider, MeterProvider, _Instruments], ...] = ()
"""Instruments by the identity of their providers: those of logfire cannot be hashed."""


def _histogram(
    meter: Meter, unit: str, buckets: tuple[float, ...], name: str, description: str
) -> Histogram:
    if not buckets:
        return meter.create_histogram(name, unit, description)
    try:
        return meter.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=buckets
        )
    except TypeError:
        # OpenTelemetry before 1.30 takes no advice, and has buckets of its own.
        return meter.create_histogram(name, unit, description)


class _Inside(Generic[ResultT]):
    """An async context manager that is entered and left in a context of its own."""

    def __init__(self, context: Context, inner: AbstractAsyncContextManager[ResultT]) -> None:
        self._context = context
        self._inner = inner

    async def __aenter__(self) -> ResultT:
        return await _inside(self._context, self._inner.__aenter__())

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> bool | None:
        return await _inside(self._context, self._inner.__aexit__(exc_type, exc, tb))


async def _awaited(awaitable: Awaitable[ResultT]) -> ResultT:
    return await awaitable


@coroutine
def _inside(context: Context, awaitable: Awaitable[ResultT]) -> Generator[Any, Any, ResultT]:
    """Wait for `awaitable`, each of its steps run in `context`.

    The tasks that it starts inherit the context, and that of the waiting task is never
    touched: not by a cancellation, nor by a collector that closes it half way.
    """
    inner = _awaited(awaitable)
    step = partial(inner.send, None)
    while True:
        try:
            trap = context.run(step)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        try:
            step = partial(inner.send, (yield trap))
        except BaseException as exc:
            step = partial(inner.throw, exc)
