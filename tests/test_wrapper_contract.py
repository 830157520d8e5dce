"""One contract for every model around a model, and for every two within each other."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import product
from typing import Any

import anyio
import pytest

from direct_anyio import (
    CachedModel,
    ConcurrencyLimitedModel,
    FallbackModel,
    InstrumentedModel,
    Model,
    ModelCall,
    ModelHTTPError,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    RateLimitedModel,
    RateLimiter,
    RequestUsage,
    StreamedResponse,
    TextPart,
    UserError,
    WrapperModel,
    infer_model,
    model_request,
    model_request_stream,
)
from direct_anyio.exceptions import FallbackExceptionGroup
from direct_anyio.models.whole import RequestedWhole

from .callers import failing, streamed, unary
from .serving import Connection, answering, delta, reply, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


class _OneMethod(WrapperModel):
    @asynccontextmanager
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        async with self.wrapped.open(call) as stream:
            yield stream


class _OnlyRequest(WrapperModel):
    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> ModelResponse:
        return await super().request(messages, model_settings, model_request_parameters)


class _OnlyStream(WrapperModel):
    @asynccontextmanager
    async def request_stream(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> AsyncIterator[StreamedResponse]:
        async with super().request_stream(
            messages, model_settings, model_request_parameters
        ) as stream:
            yield stream


class _Both(WrapperModel):
    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> ModelResponse:
        return await self.wrapped.request(messages, model_settings, model_request_parameters)

    def request_stream(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        return self.wrapped.request_stream(messages, model_settings, model_request_parameters)


SHIPPED: dict[str, Callable[[Model], Model]] = {
    "wrapper": WrapperModel,
    "fallback": FallbackModel,
    "concurrency": lambda model: ConcurrencyLimitedModel(model, 3),
    "rate": lambda model: RateLimitedModel(model, RateLimiter(requests_per_minute=6000)),
    "cached": CachedModel,
    "instrumented": InstrumentedModel,
}
WRAPPERS: dict[str, Callable[[Model], Model]] = {
    **SHIPPED,
    "one method": _OneMethod,
    "request": _OnlyRequest,
    "stream": _OnlyStream,
    "both": _Both,
}


def _nested(outer: str, inner: str) -> Callable[[Model], Model]:
    return lambda model: WRAPPERS[outer](WRAPPERS[inner](model))


NESTINGS = WRAPPERS | {
    f"{outer} of {inner}": _nested(outer, inner) for outer, inner in product(SHIPPED, SHIPPED)
}
WAYS = {"whole": unary, "streamed": streamed}


@pytest.fixture(params=NESTINGS.values(), ids=list(NESTINGS))
def around(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.filterwarnings("ignore::direct_anyio.UnheededSettingWarning")
async def test_hooks_and_notes_pass(around: Any, way: Any) -> None:
    """A retry is told to the model's own `on_retry`, and the response keeps its notes."""

    def answer(connection: Connection) -> None:
        first = len(connection.server.received) == 1
        failed = reply({}, "503 Service Unavailable", "retry-after-ms: 1")
        (failed if first else answering("Hello ", "you"))(connection)

    reported: list[int] = []
    settings: Any = {"on_retry": lambda retry: reported.append(retry.attempt), "top_k": 3}
    with serving(answer) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url, settings=settings)
        response = await way(around(model), MESSAGES)
    assert (response.text, response.state, reported) == ("Hello you", "complete", [1])
    assert response.provider_name == "openai"
    notes = response.provider_details["direct_anyio"]
    assert notes["unheeded"] == ["top_k"]
    assert len(notes["attempts"]) == 1


class _Paused(Model):
    """Answers as a provider does that has paused."""

    @property
    def model_name(self) -> str:
        return "paused"

    @property
    def system(self) -> str:
        return "anthropic"

    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> ModelResponse:
        return ModelResponse(
            [TextPart("so far")],
            usage=RequestUsage(input_tokens=7, output_tokens=2),
            model_name="claude-sonnet-4-5",
            provider_name="anthropic",
            provider_response_id="id-1",
            state="suspended",
            metadata={"own": 1},
        )

    def request_stream(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        call = ModelCall(messages, model_settings, model_request_parameters, stream=True)
        return RequestedWhole(self, call)


async def test_a_suspended_answer_passes_with_its_costs(around: Any, way: Any) -> None:
    """The state, the tokens and what prices are found by are those of the model inside."""
    model = around(_Paused())
    response = await way(model, MESSAGES)
    assert (response.state, response.text, response.metadata) == ("suspended", "so far", {"own": 1})
    assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 2)
    assert (response.model_name, response.provider_name) == ("claude-sonnet-4-5", "anthropic")
    assert response.provider_response_id == "id-1"


async def test_an_error_passes_as_it_is(around: Any, way: Any) -> None:
    """It is the same object, but for a fallback, whose group holds it."""
    error = ModelHTTPError(500, "m")
    with pytest.raises((ModelHTTPError, FallbackExceptionGroup)) as caught:
        await way(around(failing(error)), MESSAGES)
    found: Any = caught.value
    while isinstance(found, FallbackExceptionGroup):
        (found,) = found.exceptions
    assert found is error
    mistake = UserError("mine")
    with pytest.raises(UserError) as seen:
        await way(around(failing(mistake)), MESSAGES)
    assert seen.value is mistake


async def test_a_request_that_is_cancelled_ends(around: Any, way: Any) -> None:
    """The connection is closed, and the next request through the same models is answered."""

    def hang(connection: Connection) -> None:
        connection.server.handler = answering("later")
        connection.closed_by_peer()

    with serving(hang) as server:
        model = around(infer_model("openai:x", api_key="k", base_url=server.url))
        async with anyio.create_task_group() as group:
            group.start_soon(way, model, MESSAGES)
            while not server.received:
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert (await way(model, MESSAGES)).text == "later"
    assert server.all_left()


async def test_a_stream_may_be_left(around: Any) -> None:
    """What is left early is closed at once, and keeps what it delivered."""

    def begin(connection: Connection) -> None:
        connection.stream(delta(content="a"), delta(content="b", finish="stop"))
        connection.closed_by_peer()

    with serving(begin) as server:
        model = around(infer_model("openai:x", api_key="k", base_url=server.url))
        async with model_request_stream(model, MESSAGES) as stream:
            async for _ in stream:
                break
        assert stream.state == "interrupted"
        assert stream.response.text is not None
    assert server.all_left()


async def test_messages_settings_and_parameters_pass(around: Any, way: Any) -> None:
    """The model inside is asked what was asked, whole where it is asked so."""
    seen: list[Any] = []

    class _Inner(_Paused):
        async def request(
            self, messages: Any, model_settings: Any, model_request_parameters: Any
        ) -> ModelResponse:
            seen.append((messages, model_settings, model_request_parameters))
            return await super().request(messages, model_settings, model_request_parameters)

    parameters = ModelRequestParameters(allow_text_output=False)
    settings: Any = {"temperature": 0.5}
    await way(
        around(_Inner()),
        MESSAGES,
        model_settings=settings,
        model_request_parameters=parameters,
    )
    ((messages, sent, offered),) = seen
    assert messages == MESSAGES
    assert {key: value for key, value in sent.items() if key != "on_retry"} == settings
    assert offered == parameters


async def test_one_override_serves_both_ways(way: Any) -> None:
    """A wrapper that changes what `request`, or `respond`, returns changes streams too."""

    class _Louder(WrapperModel):
        async def request(
            self, messages: Any, model_settings: Any, model_request_parameters: Any
        ) -> ModelResponse:
            response = await super().request(messages, model_settings, model_request_parameters)
            return ModelResponse([TextPart((response.text or "").upper())])

    class _Counted(WrapperModel):
        count = 0

        @asynccontextmanager
        async def request_stream(
            self, messages: Any, model_settings: Any, model_request_parameters: Any
        ) -> AsyncIterator[StreamedResponse]:
            self.count += 1
            async with super().request_stream(
                messages, model_settings, model_request_parameters
            ) as stream:
                yield stream

    with serving(answering("hello")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        assert (await way(_Louder(model), MESSAGES)).text == "HELLO"
        assert (await way(CachedModel(_Louder(model)), MESSAGES)).text == "HELLO"
        counted = _Counted(model)
        assert (await way(WrapperModel(counted), MESSAGES)).text == "hello"
        assert counted.count == 1


async def test_a_whole_request_is_whole_on_the_wire() -> None:
    """A request that is not streamed is asked for in one piece, through whatever is around."""
    with serving(answering("hello")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        for name, wrapper in WRAPPERS.items():
            server.received.clear()
            await model_request(wrapper(model), MESSAGES)
            (received,) = server.received
            assert bool(received.json.get("stream")) is (name == "stream"), name


@pytest.mark.parametrize("name", [*SHIPPED, "bare"])
async def test_models_are_copied_and_sent_to_other_processes(name: str) -> None:
    """Also after use; a copy asks for itself."""
    with serving(answering("hello")) as server:
        bare = infer_model("openai:x", api_key="k", base_url=server.url)
        model = bare if name == "bare" else SHIPPED[name](bare)
        await model_request(model, MESSAGES)
        for other in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
            assert (await model_request(other, MESSAGES)).text == "hello"
