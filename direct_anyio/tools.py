"""What a request offers the model beside messages: tools, and the shape of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from attrs import field, frozen

from ._record import Record
from .builtin_tools import AbstractBuiltinTool

__all__ = (
    "DEFAULT_OUTPUT_TOOL_NAME",
    "ModelRequestParameters",
    "ObjectJsonSchema",
    "OutputMode",
    "OutputObjectDefinition",
    "StructuredOutputMode",
    "ToolDefinition",
    "ToolKind",
)

DEFAULT_OUTPUT_TOOL_NAME = "final_result"
"""Name of an output schema that was given none."""

ObjectJsonSchema = dict[str, Any]
StructuredOutputMode = Literal["tool", "native", "prompted"]
OutputMode = Literal["text", "tool", "native", "prompted", "tool_or_text", "image", "auto"]
ToolKind = Literal["function", "output", "external", "unapproved"]


def _no_parameters() -> ObjectJsonSchema:
    return {"type": "object", "properties": {}}


@frozen(repr=False, kw_only=True)
class ToolDefinition(Record):
    """A tool that the model may call.

    Attributes:
        name: Its name.
        parameters_json_schema: JSON schema of its arguments, an object.
        description: What it does, for the model.
        outer_typed_dict_key: The member that wraps an output which is no object.
        strict: Whether the provider must hold the model to the schema (OpenAI,
            Anthropic); None to let the schema decide.
        sequential: Whether the program runs it alone.
        kind: 'function', run by the program; 'output', whose call is the answer;
            'external' and 'unapproved', run later or elsewhere.
        metadata: The program's own data, which is not sent.
        timeout: Seconds that the program gives it.
    """

    name: str
    parameters_json_schema: ObjectJsonSchema = field(factory=_no_parameters)
    description: str | None = None
    outer_typed_dict_key: str | None = None
    strict: bool | None = None
    sequential: bool = False
    kind: ToolKind = "function"
    metadata: dict[str, Any] | None = None
    timeout: float | None = None

    @property
    def defer(self) -> bool:
        """Whether its result comes from outside the program's own run."""
        return self.kind in ("external", "unapproved")


@frozen(repr=False)
class OutputObjectDefinition(Record):
    """The shape that an answer must have.

    Attributes:
        json_schema: JSON schema of the answer, an object.
        name: A name for it.
        description: What it is, for the model.
        strict: As in `ToolDefinition`.
    """

    json_schema: ObjectJsonSchema
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


def _tools(value: Iterable[ToolDefinition]) -> tuple[ToolDefinition, ...]:
    return tuple(value)


def _builtin_tools(value: Iterable[AbstractBuiltinTool]) -> tuple[AbstractBuiltinTool, ...]:
    return tuple(value)


@frozen(repr=False, kw_only=True)
class ModelRequestParameters(Record):
    """What a request offers the model and how it must answer.

    Attributes:
        function_tools: Tools that the program runs.
        builtin_tools: Tools that the provider runs.
        output_mode: 'text'; 'tool', the answer is a call of an output tool; 'native',
            the provider holds the model to `output_object`; 'prompted', the model is
            told the schema; 'image'; 'auto', as the model's profile says.
        output_object: The shape of a native or prompted answer.
        output_tools: The output tools.
        prompted_output_template: Text with `{schema}` in it that tells the model.
        allow_text_output: Whether the model may answer with text.
        allow_image_output: Whether the model may answer with an image.
    """

    function_tools: Sequence[ToolDefinition] = field(default=(), converter=_tools)
    builtin_tools: Sequence[AbstractBuiltinTool] = field(default=(), converter=_builtin_tools)
    output_mode: OutputMode = "text"
    output_object: OutputObjectDefinition | None = None
    output_tools: Sequence[ToolDefinition] = field(default=(), converter=_tools)
    prompted_output_template: str | None = None
    allow_text_output: bool = True
    allow_image_output: bool = False

    @property
    def tool_defs(self) -> dict[str, ToolDefinition]:
        """All tools that the model may call, by name."""
        return {tool.name: tool for tool in (*self.function_tools, *self.output_tools)}

    @property
    def prompted_output_instructions(self) -> str | None:
        """The text that tells the model the schema, None where nothing is to be told."""
        if not self.prompted_output_template or self.output_object is None:
            return None
        return self.prompted_output_template.format(schema=_described(self.output_object))


def _described(output: OutputObjectDefinition) -> str:
    import json

    named = {"title": output.name, "description": output.description}
    schema = output.json_schema | {key: value for key, value in named.items() if value}
    return json.dumps(schema)
