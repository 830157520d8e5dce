"""What a type checker makes of the public API; checked, not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from direct_anyio import (
    APIKey,
    Model,
    ModelResponse,
    OutputObjectDefinition,
    ToolDefinition,
    infer_model,
)
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
