"""What a request offers the model beside messages: tools, and the shape of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

from attrs import field, frozen

from ._record import Record, tuple_of
from ._values import to_json
from .builtin_tools import AbstractBuiltinTool
from .exceptions import UserError, shown

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


_OUTPUT_MODES = get_args(OutputMode)


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
    parameters_json_schema: ObjectJsonSchema = field(
        factory=lambda: {"type": "object", "properties": {}}
    )
    description: str | None = None
    outer_typed_dict_key: str | None = None
    strict: bool | None = None
    sequential: bool = False
    kind: ToolKind = "function"
    metadata: dict[str, Any] | None = None
    timeout: float | None = None

    @classmethod
    def from_callable(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> ToolDefinition:
        """Return the tool that a function is, sync or async.

        Its parameters are read from the annotations; what the docstring says of each, in
        the style of Google, NumPy or Sphinx, is sent to the model, as is a text in an
        `Annotated`. A parameter without annotation takes anything, `*args` is left out,
        and `**kwargs` allows more members. The function is not called, and not kept.

        Args:
            function: A function, bound method, partial, class or callable object.
            name: The tool's name, the function's own by default.
            description: What it does, the docstring up to its sections by default.
            strict: Whether the provider must hold the model to the schema.

        Raises:
            UserError: A parameter has no JSON schema or can be given by position only, or
                the function has no name.
        """
        from ._type_schemas import described, parameters_of

        own_name, summary = described(function)
        if not (name or own_name):
            raise UserError(f"{function!r} has no name: give the tool one with `name=`")
        return cls(
            name=name or own_name,
            parameters_json_schema=parameters_of(function),
            description=description or summary,
            strict=strict,
        )

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

    @classmethod
    def from_type(
        cls,
        kind: Any,
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> OutputObjectDefinition:
        """Return the shape of a type's values, which `ModelResponse.output` reads back.

        A type whose values are no objects, such as `list[int]` or a union, is put into an
        object, as its member `response`.

        Args:
            kind: An attrs class, dataclass, TypedDict, named tuple, pydantic model, enum, or
                a type made of these, of numbers, texts, dates and the like, lists and dicts.
                Limits in an `Annotated`, as of `annotated_types`, are sent and checked.
            name: A name for the shape, that of the class by default.
            description: What it is, the docstring up to its sections by default.
            strict: Whether the provider must hold the model to the schema.

        Raises:
            UserError: The type has no JSON schema.
        """
        from ._type_schemas import description_of, schema_of, title_of

        schema = schema_of(kind)
        return cls(schema, name or title_of(kind), description or description_of(kind), strict)


def _tools(value: Iterable[ToolDefinition]) -> tuple[ToolDefinition, ...]:
    example = "ToolDefinition.from_callable(some_function)"
    return tuple_of(value, ToolDefinition, f"Tools are a list such as [{example}]")


def _builtin_tools(value: Iterable[AbstractBuiltinTool]) -> tuple[AbstractBuiltinTool, ...]:
    return tuple_of(value, AbstractBuiltinTool, "Tools are a list such as [WebSearchTool()]")


def _output_mode(value: OutputMode) -> OutputMode:
    if value not in _OUTPUT_MODES:
        modes = ", ".join(map(repr, _OUTPUT_MODES))
        raise UserError(f"`output_mode` is one of {modes}, not {shown(value)}")
    return value


def _output_object(value: OutputObjectDefinition | None) -> OutputObjectDefinition | None:
    if value is not None and not isinstance(value, OutputObjectDefinition):
        raise UserError(
            "`output_object` is such as OutputObjectDefinition.from_type(SomeClass); "
            f"got {shown(value)}"
        )
    return value


@frozen(repr=False, kw_only=True)
class ModelRequestParameters(Record):
    """What a request offers the model and how it must answer.

    Attributes:
        function_tools: Tools that the program runs.
        builtin_tools: Tools that the provider runs.
        output_mode: 'text'; 'tool', the answer is a call of an output tool; 'native',
            the provider holds the model to `output_object`; 'prompted', the model is
            told the schema; 'image'; 'auto', as the model's profile says.
        output_object: The shape of the answer. With 'text', the default, it is asked for in the
            best mode that the model has: 'native', else 'tool', else 'prompted'. In 'tool' it
            becomes an output tool, where there is none.
        output_tools: The output tools.
        prompted_output_template: Text with `{schema}` in it that tells the model.
        allow_text_output: Whether the model may answer with text.
        allow_image_output: Whether the model may answer with an image.
    """

    function_tools: Sequence[ToolDefinition] = field(default=(), converter=_tools)
    builtin_tools: Sequence[AbstractBuiltinTool] = field(default=(), converter=_builtin_tools)
    output_mode: OutputMode = field(default="text", converter=_output_mode)
    output_object: OutputObjectDefinition | None = field(default=None, converter=_output_object)
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
        """The text that tells the model the schema, None where there is none to send."""
        if not self.prompted_output_template or self.output_object is None:
            return None
        return self.prompted_output_template.format(schema=_described(self.output_object))


def _described(output: OutputObjectDefinition) -> str:
    named = {"title": output.name, "description": output.description}
    schema = output.json_schema | {key: value for key, value in named.items() if value}
    return to_json(schema, separators=(", ", ": "))
