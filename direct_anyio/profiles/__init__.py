"""What a model can do, and the habits it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
from attrs import field, frozen

from .._record import Record
from ..builtin_tools import SUPPORTED_BUILTIN_TOOLS, AbstractBuiltinTool
from ..tools import StructuredOutputMode

__all__ = (
    "DEFAULT_PROFILE",
    "TEST_PROFILE",
    "JsonSchemaTransform",
    "ModelProfile",
    "ModelProfileSpec",
    "by_name",
)

ProfileT = TypeVar("ProfileT", bound="ModelProfile")
ValueT = TypeVar("ValueT")

JsonSchemaTransform = Callable[[dict[str, Any], bool | None], tuple[dict[str, Any], bool]]
"""Takes a schema and `strict`; returns the schema as the model wants it, and whether it
can be held to strictly."""

PROMPTED_OUTPUT_TEMPLATE = """
Always respond with a JSON object that's compatible with this schema:

{schema}

Don't include any text or Markdown fencing before or after.
"""


@frozen(repr=False, kw_only=True)
class ModelProfile(Record):
    """What a model can do; a dialect adds keys of its own in a subclass.

    Attributes:
        supports_tools: Whether it calls tools.
        supports_json_schema_output: Whether output mode 'native' works.
        supports_json_object_output: Whether it can be held to JSON of any schema.
        supports_image_output: Whether it makes images.
        supports_native_output_with_tools: Whether output mode 'native' works beside function
            tools.
        default_structured_output_mode: What output mode 'auto' means.
        prompted_output_template: The instructions with the schema in output mode 'prompted'.
        native_output_requires_schema_in_instructions: Whether it is sent in 'native' too.
        json_schema_transformer: Makes a JSON schema fit the model.
        supports_thinking: Whether it can be asked to think, where the protocol has no key of
            its own for how.
        thinking_always_enabled: Whether it thinks even when it is asked not to.
        tool_name_pattern: A regular expression of the names of tools, and of schemas that are
            sent with their names, where the provider refuses others.
        thinking_tags: What encloses thoughts inside its text.
        ignore_streamed_leading_whitespace: Whether the blank space that a text starts with is
            dropped, for models that write some before a tool call.
        finish_reason_may_be_absent: Whether a stream that ends without a finish reason is
            whole, for servers that never give one; an answer that was cut off then passes
            for a whole one.
        supported_builtin_tools: The provider's own tools that it may use.
        tool_call_id_pattern: A regular expression that the whole id of a tool call must
            match; others are replaced in what is sent. None for any id.
        tool_call_ids_must_be_unique: Whether an id may stand for one call of a history;
            otherwise for one of a response.
        tool_results_must_match: Whether a call without a result, and a result without a
            call, are refused; if not, they are sent as they are.
        tool_results_must_follow: Whether the results of a response's calls must all come
            right behind it; otherwise anywhere behind it.
        refuses_blank_text: Whether text that is nothing but blank space is refused; it is
            left out.
        refuses_trailing_blanks: Whether a last text of the model's own is refused that ends
            in blank space; that is cut off.
    """

    supports_tools: bool = True
    supports_json_schema_output: bool = False
    supports_json_object_output: bool = False
    supports_image_output: bool = False
    supports_native_output_with_tools: bool = True
    default_structured_output_mode: StructuredOutputMode = "tool"
    prompted_output_template: str = PROMPTED_OUTPUT_TEMPLATE
    native_output_requires_schema_in_instructions: bool = False
    json_schema_transformer: JsonSchemaTransform | None = None
    supports_thinking: bool = False
    thinking_always_enabled: bool = False
    tool_name_pattern: str | None = None
    thinking_tags: tuple[str, str] = ("<think>", "</think>")
    ignore_streamed_leading_whitespace: bool = False
    finish_reason_may_be_absent: bool = False
    supported_builtin_tools: frozenset[type[AbstractBuiltinTool]] = field(
        default=SUPPORTED_BUILTIN_TOOLS
    )
    tool_call_id_pattern: str | None = None
    tool_call_ids_must_be_unique: bool = False
    tool_results_must_match: bool = True
    tool_results_must_follow: bool = True
    refuses_blank_text: bool = False
    refuses_trailing_blanks: bool = False

    @classmethod
    def from_profile(cls: type[ProfileT], profile: ModelProfile | None) -> ProfileT:
        """Return `profile` as one of this class, which a dialect reads its own keys from."""
        return profile if isinstance(profile, cls) else cls().update(profile)

    def update(self: ProfileT, profile: ModelProfile | None) -> ProfileT:
        """Return this profile with what another one sets, where this class has the key."""
        if profile is None:
            return self
        mine = {field.name for field in attrs.fields(type(self))}
        theirs = {
            field.name: getattr(profile, field.name)
            for field in attrs.fields(type(profile))
            if field.name in mine and getattr(profile, field.name) != field.default
        }
        return attrs.evolve(self, **theirs)


ModelProfileSpec = ModelProfile | Callable[[str], ModelProfile | None]
"""A profile, or a function from a model's name to one."""


def by_name(name: str, table: Mapping[str, ValueT], default: ValueT) -> ValueT:
    """Return what a table has for a model, by the start of its name; the first that fits."""
    return next((value for start, value in table.items() if name.startswith(start)), default)


DEFAULT_PROFILE = ModelProfile()

TEST_PROFILE = ModelProfile(
    supports_json_schema_output=True,
    supports_json_object_output=True,
    supports_image_output=True,
)
"""The profile of models for tests, which take every output mode."""
