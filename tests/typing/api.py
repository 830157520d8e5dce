"""What a type checker makes of the public API; checked, not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from direct_anyio import (
    APIKey,
    KnownModelName,
    Model,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    OutputObjectDefinition,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    UserPromptPart,
    WrapperModel,
    infer_model,
    model_request_stream,
    model_request_stream_sync,
)
from direct_anyio.messages import ModelMessagesTypeAdapter
from direct_anyio.providers.openai import OpenAIProvider


@dataclass
class City:
    name: str


async def look_up(city: City, *, deep: bool = False) -> str:
    return f"{city.name} {deep}"


def outputs(response: ModelResponse) -> None:
    assert_type(response.output(City), City)
    assert_type(response.output(list[int]), list[int])
    assert_type(response.output(dict[str, City]), dict[str, City])
    assert_type(response.output(str), str)
    anything: Any = int | None
    assert_type(response.output(anything), Any)


def narrowed(response: ModelResponse, request: ModelRequest) -> None:
    for part in response.parts:
        if part.part_kind == "text":
            assert_type(part, TextPart)
        elif part.part_kind == "tool-call":
            assert_type(part, ToolCallPart)
    for asked in request.parts:
        if asked.part_kind == "user-prompt":
            assert_type(asked, UserPromptPart)


async def texts() -> None:
    async with model_request_stream("any:model", []) as stream:
        async for text in stream.text_deltas():
            assert_type(text, str)
    with model_request_stream_sync("openai:gpt-5", []) as blocking:
        for text in blocking.text_deltas():
            assert_type(text, str)
    name: KnownModelName = "made:up"
    WrapperModel(name)
    assert_type(ModelMessagesTypeAdapter.validate_json(b"[]"), list[ModelMessage])


def definitions() -> None:
    assert_type(ToolDefinition.from_callable(look_up), ToolDefinition)
    assert_type(ToolDefinition.from_callable(City, name="city", strict=True), ToolDefinition)
    assert_type(OutputObjectDefinition.from_type(City), OutputObjectDefinition)
    assert_type(OutputObjectDefinition.from_type(list[int] | None), OutputObjectDefinition)


def key() -> str:
    return "k"


async def later_key() -> str:
    return "k"


def keys() -> None:
    assert_type(infer_model("openai:x", api_key=lambda: "k"), Model)
    assert_type(infer_model("openai:x", api_key=later_key), Model)
    assert_type(infer_model("openai:x", api_key=["k", key, later_key]), Model)
    texts: list[str] = ["k"]
    given: APIKey = texts
    assert_type(OpenAIProvider(api_key=given), OpenAIProvider)
