"""The fallback: conditions of all kinds, deadlines, lifetimes, traces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

import anyio
import pytest

from direct_anyio import (
    FallbackExceptionGroup,
    FallbackModel,
    FunctionModel,
    InstrumentationSettings,
    InstrumentedModel,
    Model,
    ModelAPIError,
    ModelHTTPError,
    ModelRequest,
    ModelResponse,
    ModelTimeoutError,
    RejectedResponse,
    UserError,
    WrapperModel,
    infer_model,
    model_request_stream,
)

from .callers import CALLERS, Caller, failing, saying
from .serving import Connection, answering, delta, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_conditions_may_be_async(caller: Caller) -> None:
    """An async function of an exception is awaited; what it returns counts."""

    async def on(exc: Exception) -> bool:
        await anyio.lowlevel.checkpoint()
        return "yes" in str(exc)

    yes = FallbackModel(failing(ValueError("yes")), saying("second"), fallback_on=on)
    assert (await caller(yes, MESSAGES)).text == "second"
    no = FallbackModel(failing(ValueError("no")), saying("second"), fallback_on=[on])
    with pytest.raises(ValueError, match="no"):
        await caller(no, MESSAGES)


async def test_conditions_on_responses(caller: Caller) -> None:
    """They are asked of whole responses, and of streams as far as these have come."""

    async def refuses(response: ModelResponse) -> bool:
        await anyio.lowlevel.checkpoint()
        return (response.text or "").startswith("Sorry")

    model = FallbackModel(saying("Sorry, no."), saying("Sure."), fallback_on=[refuses])
    response = await caller(model, MESSAGES)
    assert response.text == "Sure."
    assert response.provider_details is not None
    (calls,) = response.provider_details["direct_anyio"]["fallback_from"]
    assert calls.startswith("RejectedResponse")
    with pytest.raises(FallbackExceptionGroup) as caught:
        await caller(FallbackModel(saying("Sorry, no."), fallback_on=refuses), MESSAGES)
    (rejected,) = caught.value.exceptions
    assert isinstance(rejected, RejectedResponse)


async def test_a_stream_that_is_accepted_is_whole() -> None:
    """What a condition has looked at is delivered all the same, each event once."""

    def refuses(response: ModelResponse) -> bool:
        looked.append(response.text)
        return False

    looked: list[str | None] = []
    inner = saying("one two three")
    async with model_request_stream(inner, MESSAGES) as stream:
        plain = [type(event) async for event in stream]
    async with model_request_stream(FallbackModel(inner, fallback_on=refuses), MESSAGES) as stream:
        assert stream.state == "incomplete"
        events = [type(event) async for event in stream]
    assert events == plain
    assert (stream.response.text, stream.state) == ("one two three", "complete")
    assert len(looked) == 1


async def test_a_rejected_stream_is_closed_before_the_next_model_is_asked() -> None:
    """No two connections are open for one request."""

    def begin(connection: Connection) -> None:
        connection.stream(delta(content="Sorry"), end=False)
        connection.closed_by_peer()

    def refuses(response: ModelResponse) -> bool:
        return response.text == "Sorry"

    with serving(begin) as first, serving(answering("Sure.")) as second:
        models = [
            infer_model("openai:x", api_key="k", base_url=server.url) for server in (first, second)
        ]
        model = FallbackModel(*models, fallback_on=[ModelAPIError, refuses])
        async with model_request_stream(model, MESSAGES) as stream:
            assert first.all_left()
            assert (await stream.drain()).text == "Sure."


async def test_each_model_has_its_time(caller: Caller) -> None:
    """A model that does not answer in time is followed by the next."""

    async def hang(messages: Any, info: Any) -> ModelResponse:
        await anyio.sleep_forever()
        raise AssertionError

    async def hang_stream(messages: Any, info: Any) -> AsyncIterator[str]:
        await anyio.sleep_forever()
        yield ""

    slow = FunctionModel(hang, stream_function=hang_stream, model_name="slow")
    model = FallbackModel(slow, saying("second"), model_timeout=0.01)
    response = await caller(model, MESSAGES)
    assert response.text == "second"
    with pytest.raises(FallbackExceptionGroup) as caught:
        await caller(FallbackModel(slow, slow, model_timeout=0.01), MESSAGES)
    for exc in caught.value.exceptions:
        assert isinstance(exc, ModelTimeoutError)
        assert "0.01 s, the `model_timeout`" in str(exc)


class _Lifetime(WrapperModel):
    def __init__(self, wrapped: Model, calls: list[str], fails: str = "") -> None:
        super().__init__(wrapped)
        self.calls, self.fails = calls, fails

    async def __aenter__(self) -> Self:
        self.calls.append(f"enter {self.model_name}")
        if self.fails == "enter":
            raise UserError("enter")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.calls.append(f"exit {self.model_name}")
        if self.fails == "exit":
            raise UserError("exit")


@pytest.mark.parametrize("fails", ["enter", "exit"])
async def test_all_that_were_entered_are_left(fails: str) -> None:
    """Also where one of them raises."""
    calls: list[str] = []
    models = [
        _Lifetime(saying("a"), calls),
        _Lifetime(saying("b"), calls, fails),
        _Lifetime(saying("c"), calls),
    ]
    with pytest.raises(UserError, match=fails):
        async with FallbackModel(*models):
            pass
    entered = {each.removeprefix("enter ") for each in calls if each.startswith("enter")}
    left = {each.removeprefix("exit ") for each in calls if each.startswith("exit")}
    assert entered - left == ({"b"} if fails == "enter" else set())
    assert (len(entered), len(calls)) == ((2, 3) if fails == "enter" else (3, 6))


async def test_each_attempt_has_a_span(caller: Caller) -> None:
    """A failed attempt is an error in a child span; the request names who answered."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = InstrumentationSettings(
        tracer_provider=provider, meter_provider=MeterProvider([reader])
    )
    with serving(answering("Sure.")) as server:
        second = infer_model("groq:y", api_key="k", base_url=server.url)
        model = FallbackModel(failing(ModelHTTPError(500, "m")), second)
        assert (await caller(InstrumentedModel(model, settings), MESSAGES)).text == "Sure."
    spans: Any = exporter.get_finished_spans()
    failed, answered, request = spans
    assert failed.parent is not None
    assert failed.parent.span_id == answered.parent.span_id == request.context.span_id
    assert [span.status.is_ok for span in (failed, answered, request)] == [False, True, True]
    named = [span.attributes["gen_ai.provider.name"] for span in (failed, answered, request)]
    assert named == ["function", "groq", "groq"]
    metrics: Any = reader.get_metrics_data()
    durations = [
        point.count
        for resource in metrics.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if metric.name == "gen_ai.client.operation.duration"
    ]
    assert durations == [1]
