"""A model that is a function of yours: for tests, scripts and models without HTTP."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from anyio.lowlevel import checkpoint
from attrs import field, frozen

from .._core.accumulator import Accumulator
from .._core.codec import (
    Item,
    ResponseInfo,
    WholePart,
    text_chunk,
    thinking_chunk,
    tool_call_chunk,
)
from .._core.estimate import estimated_tokens, estimated_usage
from .._core.instructions import instructions_of
from .._record import Record
from ..exceptions import UserError
from ..messages import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    ModelMessage,
    ModelResponse,
    now,
)
from ..profiles import TEST_PROFILE, ModelProfileSpec
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters, ToolDefinition
from ..usage import RequestUsage
from .base import Model
from .items import closing, stream_items, time_limit

__all__ = (
    "AgentInfo",
    "BuiltinToolCallsReturns",
    "DeltaThinkingCalls",
    "DeltaThinkingPart",
    "DeltaToolCall",
    "DeltaToolCalls",
    "FunctionDef",
    "FunctionModel",
    "FunctionStreamedResponse",
    "StreamFunctionDef",
)


@frozen(repr=False)
class AgentInfo(Record):
    """What a request offers, as a function model's function is given it.

    Attributes:
        function_tools: The tools that the program runs.
        allow_text_output: Whether the answer may be text.
        output_tools: The tools whose call is the answer.
        model_settings: The settings.
        model_request_parameters: All that the request offers.
        instructions: The instructions for this answer.
    """

    function_tools: Sequence[ToolDefinition]
    allow_text_output: bool
    output_tools: Sequence[ToolDefinition]
    model_settings: ModelSettings | None
    model_request_parameters: ModelRequestParameters
    instructions: str | None


@frozen(repr=False)
class DeltaToolCall(Record):
    """More of a tool call, from a stream function.

    Attributes:
        name: The tool.
        json_args: More of its arguments, as JSON text.
        tool_call_id: The call's id.
    """

    name: str | None = None
    json_args: str | None = None
    tool_call_id: str | None = field(default=None, kw_only=True)


@frozen(repr=False)
class DeltaThinkingPart(Record):
    """More of a thought, from a stream function.

    Attributes:
        content: More text.
        signature: Its signature.
    """

    content: str | None = None
    signature: str | None = field(default=None, kw_only=True)


DeltaToolCalls: TypeAlias = dict[int, DeltaToolCall]
DeltaThinkingCalls: TypeAlias = dict[int, DeltaThinkingPart]
BuiltinToolCallsReturns: TypeAlias = dict[int, BuiltinToolCallPart | BuiltinToolReturnPart]
Streamed: TypeAlias = str | DeltaToolCalls | DeltaThinkingCalls | BuiltinToolCallsReturns
FunctionDef: TypeAlias = Callable[
    [list[ModelMessage], AgentInfo], ModelResponse | Awaitable[ModelResponse]
]
StreamFunctionDef: TypeAlias = Callable[[list[ModelMessage], AgentInfo], AsyncIterator[Streamed]]


class FunctionStreamedResponse(StreamedResponse):
    """The stream of a function model."""


class FunctionModel(Model):
    """A model that calls a function of yours.

    Args:
        function: Takes the messages and an `AgentInfo` and returns a response; async or
            not. It runs in the event loop.
        stream_function: An async generator function of the same arguments. It yields
            text, or dicts of an index to a `DeltaToolCall` or a `DeltaThinkingPart`.
        model_name: The name, made of the functions' names by default.
        profile: What the model can do, everything by default.
        settings: Settings for every request.

    Raises:
        TypeError: Neither function is given.
    """

    def __init__(
        self,
        function: FunctionDef | None = None,
        *,
        stream_function: StreamFunctionDef | None = None,
        model_name: str | None = None,
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        if function is None and stream_function is None:
            raise TypeError("Either `function` or `stream_function` must be provided")
        super().__init__(settings=settings, profile=profile or TEST_PROFILE)
        self.function = function
        self.stream_function = stream_function
        named = (getattr(each, "__name__", "") for each in (function, stream_function))
        self._model_name = model_name or f"function:{':'.join(named)}"

    @property
    def model_name(self) -> str:
        """The name."""
        return self._model_name

    @property
    def system(self) -> str:
        """Always 'function'."""
        return "function"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Call the function and return its response, its usage estimated where it has none."""
        import attrs

        if self.function is None:
            raise TypeError("FunctionModel must receive a `function` for non-streamed requests")
        info = self._info(messages, model_settings, model_request_parameters)
        with time_limit(self.model_name, info.model_settings or {}, stream=False)():
            await checkpoint()
            response = self.function(messages, info)
            if inspect.isawaitable(response):
                response = await response
        if not isinstance(response, ModelResponse):
            raise UserError(
                "The function of a FunctionModel returns a ModelResponse, such as "
                f"ModelResponse([TextPart('Hello')]); got {response!r:.80}"
            )
        used = response.usage
        if not used.has_values():
            used = estimated_usage([*messages, response])
        return attrs.evolve(response, usage=used, model_name=self._model_name)

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Stream what the stream function yields; it runs in a task of its own."""
        if self.stream_function is None:
            raise TypeError("FunctionModel must receive a `stream_function` for streamed requests")
        info = self._info(messages, model_settings, model_request_parameters)
        accumulator = Accumulator(
            parameters=info.model_request_parameters,
            model_name=self._model_name,
            timestamp=now(),
            usage=RequestUsage(input_tokens=estimated_usage(messages).input_tokens),
        )
        batches = _items(self.stream_function(messages, info), accumulator.usage)
        return stream_items(
            batches, accumulator, FunctionStreamedResponse, info.model_settings or {}
        )

    def _info(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AgentInfo:
        settings, offered = self.prepare_request(model_settings, model_request_parameters)
        return AgentInfo(
            function_tools=offered.function_tools,
            allow_text_output=offered.allow_text_output,
            output_tools=offered.output_tools,
            model_settings=settings or None,
            model_request_parameters=offered,
            instructions=instructions_of(messages, offered),
        )


async def _items(
    streamed: AsyncIterator[Streamed], usage: RequestUsage
) -> AsyncIterator[Iterable[Item]]:
    """Return what a stream function yields as items, with the usage that they add up to."""
    async with closing(streamed):
        async for each in streamed:
            items = list(_translated(each))
            usage = usage + RequestUsage(output_tokens=_written(each))
            yield (*items, ResponseInfo(usage=usage))


def _translated(each: Streamed) -> Iterable[Item]:
    if isinstance(each, str):
        yield text_chunk("content", each)
        return
    for index, part in each.items():
        yield _item(index, part)


def _item(index: int, part: Any) -> Item:
    match part:
        case DeltaThinkingPart():
            return thinking_chunk(
                index, part.content, signature=part.signature, provider_name="function"
            )
        case DeltaToolCall():
            return tool_call_chunk(
                index, name=part.name, args=part.json_args, call_id=part.tool_call_id
            )
        case BuiltinToolCallPart() | BuiltinToolReturnPart():
            return WholePart(index, part)
    raise TypeError(f"A stream function may not yield {type(part).__name__}")


def _written(each: Streamed) -> int:
    if isinstance(each, str):
        return estimated_tokens(each)
    texts = (
        getattr(part, "json_args", None) or getattr(part, "content", None) or ""
        for part in each.values()
    )
    return sum(estimated_tokens(str(text)) for text in texts)
