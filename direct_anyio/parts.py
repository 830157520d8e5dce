"""The parts that messages are made of.

`direct_anyio.messages` exports them too. `now` and `new_tool_call_id` are the only
clock and the only randomness that a message needs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from ._record import Record
from ._values import as_text, plain, to_json
from .content import BinaryContent, UserContent
from .exceptions import UserError, shown

__all__ = (
    "BuiltinToolCallPart",
    "BuiltinToolReturnPart",
    "FilePart",
    "ModelRequestPart",
    "ModelResponsePart",
    "OpaquePart",
    "RetryPromptPart",
    "SystemPromptPart",
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
    "ToolReturnPart",
    "UserPromptPart",
    "new_tool_call_id",
    "now",
)

ToolOutcome = Literal["success", "failed", "denied", "interrupted", "retried"]


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def new_tool_call_id() -> str:
    """Return a new id for a tool call whose provider gave it none."""
    return f"pyd_ai_{uuid.uuid4().hex}"


_NO_TEXT = (bytes, bytearray, memoryview, Mapping, PathLike)
"""What is passed for text or a file by mistake."""


def _content(value: str | Sequence[UserContent]) -> str | tuple[UserContent, ...]:
    if isinstance(value, str):
        return value
    is_list = hasattr(value, "__iter__") and not isinstance(value, _NO_TEXT)
    items = tuple(value) if is_list else ()
    wrong = [item for item in items if isinstance(item, _NO_TEXT)]
    if wrong or not is_list:
        raise UserError(
            "What a user says is text, or a list such as UserPromptPart(['What is this?', "
            "ImageUrl('https://example.com/a.png')]), with files as BinaryContent.from_path(path) "
            "or BinaryContent(data, media_type='image/png'); "
            f"got {shown(wrong[0] if wrong else value)}"
        )
    return items


def _errors(value: str | Sequence[dict[str, Any]]) -> str | tuple[dict[str, Any], ...]:
    if isinstance(value, str):
        return value
    if not hasattr(value, "__iter__"):
        raise UserError(f"A retry prompt is text or a list of errors (dicts); got {shown(value)}")
    return tuple(value)


def _settled(value: Any) -> Any:
    # An iterator could be sent once only, and a result is sent in every request that follows.
    return list(value) if isinstance(value, Iterator) else value


def _plain_args(value: Any) -> Any:
    # A model of pydantic's or a dataclass is the object that it is written as.
    if value is None or isinstance(value, (str, dict, list, int, float)):
        return value
    tree = plain(value)
    return tree if isinstance(tree, dict) else value


def _narrowed(value: BinaryContent) -> BinaryContent:
    if not isinstance(value, BinaryContent):
        example = "FilePart(BinaryContent(b'...', media_type='image/png'))"
        raise UserError(f"A file of the model's is such as {example}; got {shown(value)}")
    return BinaryContent.narrow_type(value)


@frozen(repr=False)
class SystemPromptPart(Record):
    """Instructions from the program to the model.

    Attributes:
        content: The text.
        timestamp: When it was made.
        dynamic_ref: Name of the function that made it, for programs that make it anew.
    """

    content: str
    timestamp: datetime = field(factory=now, kw_only=True)
    dynamic_ref: str | None = field(default=None, kw_only=True)
    part_kind: Literal["system-prompt"] = field(default="system-prompt", kw_only=True)


@frozen(repr=False)
class UserPromptPart(Record):
    """What the user says.

    Attributes:
        content: Text, or a sequence of texts, files and cache points.
        timestamp: When it was made.
    """

    content: str | Sequence[UserContent] = field(converter=_content)
    timestamp: datetime = field(factory=now, kw_only=True)
    part_kind: Literal["user-prompt"] = field(default="user-prompt", kw_only=True)


class _ReturnedValue:
    """How a tool's result is put to a model; shared by the two kinds of tool return."""

    __slots__ = ()

    content: Any

    def model_response_str(self) -> str:
        """Return the result as text: text as it is, anything else as compact JSON.

        Raises:
            UserError: It cannot be written as JSON, since it holds itself, say.
        """
        return as_text(self.content)

    def model_response_object(self) -> dict[str, Any]:
        """Return the result as an object: one as it is, anything else under `return_value`.

        Raises:
            UserError: As `model_response_str`.
        """
        value = plain(self.content)
        return value if isinstance(value, dict) else {"return_value": value}

    def has_content(self) -> bool:
        """Return whether the tool returned anything: 0, False and '' are something."""
        return self.content is not None


@frozen(repr=False)
class ToolReturnPart(Record, _ReturnedValue):
    """What a tool returned.

    Attributes:
        tool_name: The tool.
        content: Its result: text, or anything that JSON can hold.
        tool_call_id: The call that this answers.
        metadata: The program's own data, which is not sent.
        timestamp: When the tool returned.
        outcome: How it went.
    """

    tool_name: str
    content: Any = field(converter=_settled)
    tool_call_id: str = field(factory=new_tool_call_id)
    metadata: Any = field(default=None, kw_only=True)
    timestamp: datetime = field(factory=now, kw_only=True)
    outcome: ToolOutcome = field(default="success", kw_only=True)
    part_kind: Literal["tool-return"] = field(default="tool-return", kw_only=True)


@frozen(repr=False)
class RetryPromptPart(Record):
    """Asks the model to try again, and says why.

    Attributes:
        content: What was wrong: text, or a list of validation errors.
        tool_name: The tool whose call was wrong, None where text was.
        tool_call_id: The call that this answers.
        timestamp: When it was made.
    """

    content: str | Sequence[dict[str, Any]] = field(converter=_errors)
    tool_name: str | None = field(default=None, kw_only=True)
    tool_call_id: str = field(factory=new_tool_call_id, kw_only=True)
    timestamp: datetime = field(factory=now, kw_only=True)
    part_kind: Literal["retry-prompt"] = field(default="retry-prompt", kw_only=True)

    def model_response(self) -> str:
        """Return the text that the model reads."""
        text = self.content if isinstance(self.content, str) else _described(self.content)
        if self.tool_name is None and isinstance(self.content, str):
            text = f"Validation feedback:\n{text}"
        return f"{text}\n\nFix the errors and try again."


def _described(errors: Sequence[dict[str, Any]]) -> str:
    shown = [{key: value for key, value in error.items() if key != "ctx"} for error in errors]
    listed = to_json(shown, indent=2)
    plural = len(errors) != 1
    return f"{len(errors)} validation error{'s' if plural else ''}:\n```json\n{listed}\n```"


@frozen(repr=False)
class TextPart(Record):
    """Text from the model.

    Attributes:
        content: The text.
        id: The provider's id of the part.
        provider_details: The provider's own data.
    """

    content: str
    id: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    part_kind: Literal["text"] = field(default="text", kw_only=True)

    def has_content(self) -> bool:
        """Return whether there is any text."""
        return bool(self.content)


@frozen(repr=False)
class ThinkingPart(Record):
    """A thought of the model.

    Attributes:
        content: The thought, '' where the provider keeps it to itself.
        id: The provider's id of the part.
        signature: What lets the provider check the thought when it is sent back.
        provider_name: The provider that signed; others are not sent the signature.
        provider_details: The provider's own data.
    """

    content: str
    id: str | None = field(default=None, kw_only=True)
    signature: str | None = field(default=None, kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    part_kind: Literal["thinking"] = field(default="thinking", kw_only=True)

    def has_content(self) -> bool:
        """Return whether there is any thought to read."""
        return bool(self.content)


@frozen(repr=False)
class FilePart(Record):
    """A file from the model.

    Attributes:
        content: The file.
        id: The provider's id of the part.
        provider_name: The provider that made it.
        provider_details: The provider's own data.
    """

    content: BinaryContent = field(converter=_narrowed)
    id: str | None = field(default=None, kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    part_kind: Literal["file"] = field(default="file", kw_only=True)

    def has_content(self) -> bool:
        """Return whether the file has any bytes."""
        return bool(self.content.data)


class _Arguments:
    """How a call's arguments are read; shared by the two kinds of tool call."""

    __slots__ = ()

    args: str | dict[str, Any] | None

    def args_as_dict(self) -> dict[str, Any]:
        """Return the arguments, {} where there are none.

        Raises:
            ValueError: They are not JSON, as in a call that was cut short.
            AssertionError: They are JSON, but no object.
        """
        if not self.args:
            return {}
        args = json.loads(self.args) if isinstance(self.args, str) else self.args
        assert isinstance(args, dict), "args should be a dict"
        return args

    def args_for(self, function: Callable[..., Any]) -> dict[str, Any]:
        """Return the arguments to call a function with: `function(**call.args_for(function))`.

        They are read as the types of its parameters say: a dataclass or a pydantic model, a date
        or an enum is made of the JSON that a model writes.

        Args:
            function: What `ToolDefinition.from_callable` made the tool of.

        Raises:
            UnexpectedModelBehavior: They are no JSON, as in a call that was cut short, or do not
                fit; the error names the places, and is what a `RetryPromptPart` may say.
            UserError: The parameters have no JSON schema.
        """
        from ._structure import arguments

        return arguments(function, self.args_as_json_str())

    def args_as_json_str(self) -> str:
        """Return the arguments as JSON text, '{}' where there are none."""
        if not self.args:
            return "{}"
        return self.args if isinstance(self.args, str) else to_json(self.args)

    def has_content(self) -> bool:
        """Return whether there are any arguments with a value."""
        return any(self.args.values()) if isinstance(self.args, dict) else bool(self.args)


@frozen(repr=False)
class ToolCallPart(Record, _Arguments):
    """The model asks the program to call a tool.

    Attributes:
        tool_name: The tool.
        args: Its arguments: JSON text as the model wrote it, or a dict; a dataclass, an attrs
            class or a pydantic model is stored as its dict.
        tool_call_id: The id to answer with.
        id: The provider's id of the part.
        provider_details: The provider's own data.
    """

    tool_name: str
    args: str | dict[str, Any] | None = field(default=None, converter=_plain_args)
    tool_call_id: str = field(factory=new_tool_call_id)
    id: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    part_kind: Literal["tool-call"] = field(default="tool-call", kw_only=True)


@frozen(repr=False)
class BuiltinToolCallPart(Record, _Arguments):
    """The provider calls a tool of its own, such as its web search.

    Attributes:
        tool_name: The tool.
        args: Its arguments.
        tool_call_id: The id of the call.
        id: The provider's id of the part.
        provider_name: The provider; others are not sent the call.
        provider_details: The provider's own data.
    """

    tool_name: str
    args: str | dict[str, Any] | None = field(default=None, converter=_plain_args)
    tool_call_id: str = field(factory=new_tool_call_id)
    id: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    part_kind: Literal["builtin-tool-call"] = field(default="builtin-tool-call", kw_only=True)


@frozen(repr=False)
class BuiltinToolReturnPart(Record, _ReturnedValue):
    """What a tool of the provider's own returned.

    Attributes:
        tool_name: The tool.
        content: Its result.
        tool_call_id: The call that this answers.
        metadata: The program's own data, which is not sent.
        timestamp: When it returned.
        outcome: How it went.
        provider_name: The provider; others are not sent the result.
        provider_details: The provider's own data.
    """

    tool_name: str
    content: Any = field(converter=_settled)
    tool_call_id: str = field(factory=new_tool_call_id)
    metadata: Any = field(default=None, kw_only=True)
    timestamp: datetime = field(factory=now, kw_only=True)
    outcome: ToolOutcome = field(default="success", kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    part_kind: Literal["builtin-tool-return"] = field(default="builtin-tool-return", kw_only=True)


@frozen(repr=False)
class OpaquePart(Record):
    """A part of a kind that this version does not know, kept as it was stored.

    It dumps back unchanged, and no model can be sent it.

    Attributes:
        data: The stored JSON object.
    """

    data: dict[str, Any]

    if TYPE_CHECKING:
        # Any other text, so that comparing `part_kind` tells all the other parts apart.
        part_kind: Literal["opaque"] = field(default="opaque", init=False)
    else:

        @property
        def part_kind(self) -> str:
            """The kind that is not known."""
            return str(self.data.get("part_kind") or self.data.get("kind"))

    @property
    def provider_name(self) -> str | None:
        """The provider that made it, where that is known."""
        name = self.data.get("provider_name")
        return name if isinstance(name, str) else None

    def has_content(self) -> bool:
        """Return False: there is nothing here that this version could show."""
        return False


ModelRequestPart: TypeAlias = (
    SystemPromptPart | UserPromptPart | ToolReturnPart | RetryPromptPart | OpaquePart
)
ModelResponsePart: TypeAlias = (
    TextPart
    | ToolCallPart
    | BuiltinToolCallPart
    | BuiltinToolReturnPart
    | ThinkingPart
    | FilePart
    | OpaquePart
)
