"""A model for unit tests: it answers at once, the same every time, and asks nobody."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import attrs
from anyio.lowlevel import checkpoint

from .._core.accumulator import Accumulator
from .._core.codec import Item, ResponseInfo, WholePart, text_chunk
from .._core.estimate import estimated_tokens, estimated_usage
from .._core.sample import sample_of
from .._values import to_json
from ..exceptions import UserError
from ..messages import (
    BinaryImage,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    now,
)
from ..profiles import TEST_PROFILE, ModelProfileSpec
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters, ToolDefinition
from ..usage import RequestUsage
from .base import Model
from .items import stream_items

__all__ = ("TestModel", "TestStreamedResponse")


# A PNG of one transparent pixel.
_PIXEL = a2b_base64(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class TestStreamedResponse(StreamedResponse):
    """The stream of a test model."""

    __test__ = False


class TestModel(Model):
    """Calls all tools once, then answers with what the request asks for.

    That is a call of the output tool, JSON that fits the schema of a native or prompted output,
    an image of one pixel, or a text.

    Args:
        call_tools: The function tools to call first, or 'all'.
        custom_output_text: What to answer, instead of what the tools returned.
        custom_output_args: What to call the output tool with, or to answer as JSON, instead
            of made-up values.
        seed: Chooses among the values that a schema allows.
        model_name: The name.
        profile: What the model can do, everything by default.
        settings: Settings for every request.

    Attributes:
        last_model_request_parameters: What the last request offered.
    """

    __test__ = False

    def __init__(
        self,
        *,
        call_tools: list[str] | Literal["all"] = "all",
        custom_output_text: str | None = None,
        custom_output_args: Any | None = None,
        seed: int = 0,
        model_name: str = "test",
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        super().__init__(settings=settings, profile=profile or TEST_PROFILE)
        self.call_tools = call_tools
        self.custom_output_text = custom_output_text
        self.custom_output_args = custom_output_args
        self.seed = seed
        self.last_model_request_parameters: ModelRequestParameters | None = None
        self._model_name = model_name

    @property
    def model_name(self) -> str:
        """The name."""
        return self._model_name

    @property
    def system(self) -> str:
        """Always 'test'."""
        return "test"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the answer, its usage estimated."""
        await checkpoint()
        _, offered = self._prepared(model_settings, model_request_parameters)
        response = ModelResponse(self._answer(messages, offered), model_name=self._model_name)
        return attrs.evolve(response, usage=estimated_usage([*messages, response]))

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Stream the answer, text word by word."""
        settings, offered = self._prepared(model_settings, model_request_parameters)
        accumulator = Accumulator(
            parameters=offered,
            model_name=self._model_name,
            timestamp=now(),
            provider_name=self.system,
            usage=estimated_usage(messages),
        )
        batches = _items(self._answer(messages, offered), accumulator.usage)
        return stream_items(batches, accumulator, TestStreamedResponse, settings)

    def _prepared(
        self, settings: ModelSettings | None, offered: ModelRequestParameters
    ) -> tuple[ModelSettings, ModelRequestParameters]:
        if offered.builtin_tools:
            raise UserError("TestModel does not support built-in tools")
        merged, prepared = self.prepare_request(settings, offered)
        self.last_model_request_parameters = prepared
        return merged, prepared

    def _answer(
        self, messages: list[ModelMessage], offered: ModelRequestParameters
    ) -> list[ModelResponsePart]:
        tools = list(offered.function_tools)
        if self.call_tools != "all":
            by_name = {tool.name: tool for tool in tools}
            unknown = [name for name in self.call_tools if name not in by_name]
            if unknown:
                raise UserError(f"TestModel is to call tools that are not offered: {unknown}")
            tools = [by_name[name] for name in self.call_tools]
        if tools and not any(isinstance(message, ModelResponse) for message in messages):
            return [self._call(tool) for tool in tools]
        retried = self._retried(messages, tools, offered)
        if retried:
            return retried
        if self.custom_output_text is not None and not offered.allow_text_output:
            raise UserError("Plain response not allowed, but `custom_output_text` is set.")
        needs_tool = (
            self.custom_output_text is None
            and self.custom_output_args is not None
            and offered.output_object is None
        )
        if offered.allow_text_output and not needs_tool:
            return [TextPart(self._text(messages, offered))]
        if offered.allow_image_output:
            return [FilePart(BinaryImage(_PIXEL, media_type="image/png"))]
        if not offered.output_tools:
            raise UserError("TestModel has neither text nor an output tool to answer with")
        tool = offered.output_tools[self.seed % len(offered.output_tools)]
        return [self._call(tool, self._output_args(tool))]

    def _retried(
        self,
        messages: list[ModelMessage],
        tools: list[ToolDefinition],
        offered: ModelRequestParameters,
    ) -> list[ModelResponsePart]:
        parts = messages[-1].parts if messages else ()
        names = {part.tool_name for part in parts if isinstance(part, RetryPromptPart)}
        again = [self._call(tool) for tool in tools if tool.name in names]
        outputs = [tool for tool in offered.output_tools if tool.name in names]
        return [*again, *(self._call(tool, self._output_args(tool)) for tool in outputs)]

    def _text(self, messages: list[ModelMessage], offered: ModelRequestParameters) -> str:
        """Return the text to answer with: JSON where a native or prompted output is asked for."""
        if self.custom_output_text is not None:
            return self.custom_output_text
        if offered.output_object is None:
            parts = (part for m in messages if isinstance(m, ModelRequest) for part in m.parts)
            returns = (part for part in parts if isinstance(part, ToolReturnPart))
            returned = {part.tool_name: part.content for part in returns}
            return to_json(returned) if returned else "success (no tool calls)"
        if self.custom_output_args is not None:
            return to_json(self.custom_output_args)
        return to_json(sample_of(offered.output_object.json_schema, self.seed))

    def _output_args(self, tool: ToolDefinition) -> Any:
        args = self.custom_output_args
        if args is None:
            return None
        return {tool.outer_typed_dict_key: args} if tool.outer_typed_dict_key else args

    def _call(self, tool: ToolDefinition, args: Any = None) -> ToolCallPart:
        if args is None:
            args = sample_of(tool.parameters_json_schema, self.seed)
        return ToolCallPart(tool.name, args, f"pyd_ai_tool_call_id__{tool.name}")


async def _items(
    parts: Iterable[ModelResponsePart], usage: RequestUsage
) -> AsyncIterator[Iterable[Item]]:
    for index, part in enumerate(parts):
        if not isinstance(part, TextPart):
            yield (WholePart(index, part),)
            continue
        for word in ("", *_words(part.content)):
            usage = usage + RequestUsage(output_tokens=estimated_tokens(word))
            yield text_chunk(index, word), ResponseInfo(usage=usage)


def _words(text: str) -> Iterator[str]:
    """Return the words of a text with the space behind each; a lone one in two halves."""
    words = text.split(" ")
    if len(words) == 1 and len(text) > 2:
        middle = len(text) // 2
        yield from (text[:middle], text[middle:])
        return
    yield from (f"{word} " for word in words[:-1])
    yield words[-1]
