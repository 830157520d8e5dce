"""What a stream yields: parts that start, grow and end.

`direct_anyio.messages` exports them too.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs
from attrs import field, frozen

from ._record import Record
from ._values import to_json
from .exceptions import UnexpectedModelBehavior
from .parts import (
    BuiltinToolCallPart,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    new_tool_call_id,
)

__all__ = (
    "FinalResultEvent",
    "ModelResponsePartDelta",
    "ModelResponseStreamEvent",
    "PartDeltaEvent",
    "PartEndEvent",
    "PartStartEvent",
    "TextPartDelta",
    "ThinkingPartDelta",
    "ToolCallPartDelta",
)


def _merged(a: dict[str, Any] | None, b: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**(a or {}), **b} if b else a


@frozen(repr=False)
class TextPartDelta(Record):
    """More text for a `TextPart`.

    Attributes:
        content_delta: The text to append.
        provider_details: The provider's own data to merge into the part's.
    """

    content_delta: str
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    part_delta_kind: Literal["text"] = field(default="text", kw_only=True)

    def apply(self, part: ModelResponsePart) -> TextPart:
        """Return `part` grown by this delta.

        Raises:
            ValueError: `part` is not a `TextPart`.
        """
        if not isinstance(part, TextPart):
            raise ValueError("Cannot apply TextPartDeltas to non-TextParts")
        return attrs.evolve(
            part,
            content=part.content + self.content_delta,
            provider_details=_merged(part.provider_details, self.provider_details),
        )


@frozen(repr=False, kw_only=True)
class ThinkingPartDelta(Record):
    """More thought for a `ThinkingPart`.

    Attributes:
        content_delta: The text to append.
        signature_delta: The signature, which replaces an earlier one.
        provider_name: The provider that signed.
        provider_details: The provider's own data to merge into the part's.
    """

    content_delta: str | None = None
    signature_delta: str | None = None
    provider_name: str | None = None
    provider_details: dict[str, Any] | None = None
    part_delta_kind: Literal["thinking"] = "thinking"

    def apply(self, part: ModelResponsePart) -> ThinkingPart:
        """Return `part` grown by this delta.

        Raises:
            ValueError: `part` is not a `ThinkingPart`.
        """
        if not isinstance(part, ThinkingPart):
            raise ValueError("Cannot apply ThinkingPartDeltas to non-ThinkingParts")
        return attrs.evolve(
            part,
            content=part.content + (self.content_delta or ""),
            signature=self.signature_delta or part.signature,
            provider_name=self.provider_name or part.provider_name,
            provider_details=_merged(part.provider_details, self.provider_details),
        )


@frozen(repr=False, kw_only=True)
class ToolCallPartDelta(Record):
    """More of a tool call.

    Attributes:
        tool_name_delta: More of the tool's name.
        args_delta: More of the arguments: JSON text to append, or members to merge.
        tool_call_id: The call's id, once it is known.
        provider_details: The provider's own data to merge into the part's.
    """

    tool_name_delta: str | None = None
    args_delta: str | dict[str, Any] | None = None
    tool_call_id: str | None = None
    provider_details: dict[str, Any] | None = None
    part_delta_kind: Literal["tool_call"] = "tool_call"

    def as_part(self) -> ToolCallPart | None:
        """Return the call that this delta is the whole of, None while it has no name."""
        if not self.tool_name_delta:
            return None
        return ToolCallPart(
            self.tool_name_delta,
            self.args_delta,
            self.tool_call_id or new_tool_call_id(),
            provider_details=self.provider_details,
        )

    def apply(
        self, part: ModelResponsePart | ToolCallPartDelta
    ) -> ToolCallPart | BuiltinToolCallPart | ToolCallPartDelta:
        """Return `part`, a call or a call that has no name yet, grown by this delta.

        Raises:
            UnexpectedModelBehavior: One of the two holds JSON text, the other a dict.
            ValueError: `part` is not a call.
        """
        if isinstance(part, ToolCallPartDelta):
            name = (part.tool_name_delta or "") + (self.tool_name_delta or "")
            grown = ToolCallPartDelta(
                tool_name_delta=name or None,
                args_delta=joined_args(part.args_delta, self.args_delta),
                tool_call_id=self.tool_call_id or part.tool_call_id,
                provider_details=_merged(part.provider_details, self.provider_details),
            )
            return grown.as_part() or grown
        if not isinstance(part, (ToolCallPart, BuiltinToolCallPart)):
            raise ValueError(
                f"Can only apply ToolCallPartDeltas to tool calls or their deltas, not {part}"
            )
        return attrs.evolve(
            part,
            tool_name=part.tool_name + (self.tool_name_delta or ""),
            args=joined_args(part.args, self.args_delta),
            tool_call_id=self.tool_call_id or part.tool_call_id,
            provider_details=_merged(part.provider_details, self.provider_details),
        )


def is_placeholder(args: str | dict[str, Any] | None) -> bool:
    """Return whether arguments are an empty object, which some servers write before they come."""
    if isinstance(args, str):
        return args[:1] in ("{", " ", "\n") and "".join(args.split()) == "{}"
    return args == {}


def joined_args(
    args: str | dict[str, Any] | None, delta: str | dict[str, Any] | None
) -> str | dict[str, Any] | None:
    """Return tool arguments grown by a delta of the same kind.

    An empty text is of both kinds; so is `{}`, which nothing can follow, but which some servers
    write before the arguments come.

    Raises:
        UnexpectedModelBehavior: One is JSON text, the other a dict.
    """
    if delta is None or (args is not None and delta in ("", {})):
        return args
    is_blank = isinstance(delta, str) and not delta.strip()
    if args in (None, ""):
        return delta
    if isinstance(args, dict) and is_blank:
        return args
    if is_placeholder(args) and not is_blank:
        return delta
    if isinstance(args, str) and isinstance(delta, str):
        return args + delta
    if isinstance(args, dict) and isinstance(delta, dict):
        return {**args, **delta}
    types = ("JSON", "non-JSON") if isinstance(delta, str) else ("dict", "non-dict")
    raise UnexpectedModelBehavior(
        f"Cannot apply {types[0]} deltas to {types[1]} tool arguments "
        f"({to_json(args)}, {to_json(delta)})"
    )


ModelResponsePartDelta: TypeAlias = TextPartDelta | ThinkingPartDelta | ToolCallPartDelta


@frozen(repr=False, kw_only=True)
class PartStartEvent(Record):
    """A part has started.

    Attributes:
        index: Its place in the response, from 0.
        part: What is known of it; the deltas that follow add to it.
        previous_part_kind: `part_kind` of the part before it, None for the first.
    """

    index: int
    part: ModelResponsePart
    previous_part_kind: str | None = None
    event_kind: Literal["part_start"] = "part_start"


@frozen(repr=False, kw_only=True)
class PartDeltaEvent(Record):
    """A part has grown.

    Attributes:
        index: Its place in the response, from 0.
        delta: What is to be added to it.
    """

    index: int
    delta: ModelResponsePartDelta
    event_kind: Literal["part_delta"] = "part_delta"


@frozen(repr=False, kw_only=True)
class PartEndEvent(Record):
    """A text, thinking or tool call part is complete.

    Attributes:
        index: Its place in the response, from 0.
        part: The whole part.
        next_part_kind: `part_kind` of the part after it, None for the last.
    """

    index: int
    part: ModelResponsePart
    next_part_kind: str | None = None
    event_kind: Literal["part_end"] = "part_end"


@frozen(repr=False, kw_only=True)
class FinalResultEvent(Record):
    """The part that has just started is what the request asked for.

    Attributes:
        tool_name: The output tool that is being called, None for text or an image.
        tool_call_id: That call's id.
    """

    tool_name: str | None
    tool_call_id: str | None
    event_kind: Literal["final_result"] = "final_result"


ModelResponseStreamEvent: TypeAlias = (
    PartStartEvent | PartDeltaEvent | PartEndEvent | FinalResultEvent
)
