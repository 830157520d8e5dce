"""How an answer is held to a schema, by what the model can do; and test doubles that answer so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import attrs
import pytest

from direct_anyio import (
    BinaryImage,
    FilePart,
    ModelProfile,
    ModelRequest,
    ModelRequestParameters,
    OutputObjectDefinition,
    ToolDefinition,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
)
from direct_anyio.models.test import TestModel
from direct_anyio.profiles import TEST_PROFILE
from direct_anyio.tools import OutputMode

HELLO = [ModelRequest.user_text_prompt("Describe Paris.")]


@dataclass
class City:
    """A city."""

    name: str
    size: Literal["small", "big"]


CITY = OutputObjectDefinition.from_type(City)
TOOL = ToolDefinition(name="f")


# The mode that an output without a mode takes, alone and beside a function tool; None where the
# model calls none.
@pytest.mark.parametrize(
    ("name", "alone", "beside_tools"),
    [
        ("openai:gpt-4.1", "native", "native"),
        ("anthropic:claude-sonnet-4-5", "native", "native"),
        ("anthropic:claude-3-5-haiku-latest", "tool", "tool"),
        ("google:gemini-3-pro-preview", "native", "native"),
        ("google:gemini-2.5-flash", "native", "tool"),
        ("google:gemini-2.5-flash-image", "prompted", None),
        ("local:smollm2", "native", None),
        ("mistral:mistral-large-latest", "tool", "tool"),
        ("vllm:llama", "native", "native"),
        ("test", "native", "native"),
    ],
)
def test_an_output_takes_the_best_mode(name: str, alone: str, beside_tools: str | None) -> None:
    model = infer_model(name, api_key="k", base_url="https://h.test/v1")
    for tools, mode in (([], alone), ([TOOL], beside_tools)):
        asked = ModelRequestParameters(output_object=CITY, function_tools=tools)
        if mode is None:
            with pytest.raises(UserError, match="Function tools are not supported"):
                model.prepare_request(None, asked)
            continue
        _, fitted = model.prepare_request(None, asked)
        assert fitted.output_mode == mode
        assert fitted.allow_text_output == (mode != "tool")
        assert (fitted.output_object is None) == (mode == "tool")
        assert [tool.name for tool in fitted.output_tools] == ["final_result"] * (mode == "tool")
        assert (fitted.prompted_output_template is None) == (mode != "prompted")


def test_an_output_tool_is_made_of_the_output() -> None:
    """The tool of mode 'tool' holds the model to the same schema, with the same description."""
    output = attrs.evolve(CITY, strict=True)
    asked = ModelRequestParameters(output_mode="tool", output_object=output)
    _, fitted = TestModel().prepare_request(None, asked)
    (tool,) = fitted.output_tools
    assert tool.kind == "output"
    assert tool.parameters_json_schema == CITY.json_schema
    assert (tool.description, tool.strict) == ("A city.", True)


@pytest.mark.parametrize("mode", ["text", "auto", "native", "prompted", "tool"])
@pytest.mark.parametrize("profile", [None, ModelProfile(supports_tools=False), ModelProfile()])
async def test_a_test_model_answers_by_the_schema(mode: OutputMode, profile: Any) -> None:
    """In every mode that the profile has; others are refused as by a real model."""
    model = TestModel(profile=profile)
    asked = ModelRequestParameters(output_mode=mode, output_object=CITY)
    if (mode == "native" and profile) or (
        mode in ("tool", "auto") and profile == ModelProfile(supports_tools=False)
    ):
        with pytest.raises(UserError, match="not supported"):
            await model_request(model, HELLO, model_request_parameters=asked)
        return
    response = await model_request(model, HELLO, model_request_parameters=asked)
    assert response.output(City) == City("a", "small")
    async with model_request_stream(model, HELLO, model_request_parameters=asked) as stream:
        response = await stream.drain()
    assert response.output(City) == City("a", "small")


@pytest.mark.parametrize("mode", ["native", "tool"])
async def test_a_test_model_is_given_its_answer(mode: OutputMode) -> None:
    args: dict[str, Any] = {"name": "Paris", "size": "big"}
    asked = ModelRequestParameters(
        output_mode=mode, output_object=CITY, allow_text_output=mode != "tool"
    )
    model = TestModel(custom_output_args=args)
    response = await model_request(model, HELLO, model_request_parameters=asked)
    assert response.output(City) == City(**args)


async def test_a_test_model_draws() -> None:
    asked = ModelRequestParameters(
        output_mode="image", allow_image_output=True, allow_text_output=False
    )
    response = await model_request(TestModel(), HELLO, model_request_parameters=asked)
    (part,) = response.parts
    assert isinstance(part, FilePart)
    assert isinstance(part.content, BinaryImage)
    assert part.content.data.startswith(b"\x89PNG")


def test_test_doubles_can_do_everything() -> None:
    assert TestModel().profile is TEST_PROFILE
