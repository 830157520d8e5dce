"""Grows a response from items and says which events come now.

This is the one place where a `ModelResponse` is built. Parts grow in lists of pieces,
joined when somebody looks, so that the work is linear in the length of the answer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any, TypeAlias

import attrs
from attrs import define, field

from ..content import BinaryImage
from ..events import (
    FinalResultEvent,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
    is_placeholder,
)
from ..exceptions import ResponseTooLarge, UnexpectedModelBehavior
from ..messages import FinishReason, ModelResponse, ResponseState
from ..parts import (
    BuiltinToolCallPart,
    FilePart,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from .codec import Delta, Item, PartChunk, ResponseInfo, WholePart
from .ending import Ending, Progress

__all__ = ("Accumulator",)

MAX_PARTS = 1024
"""The most parts that a response may have."""

_ENDING = (TextPart, ThinkingPart, ToolCallPart, BuiltinToolCallPart)
"""The parts whose end is an event."""

# The part that a delta can add to, for chunks that do not say which one they mean.
_GROWS: dict[type[Delta], tuple[type[Any], ...]] = {
    TextPartDelta: (TextPart,),
    ThinkingPartDelta: (ThinkingPart,),
    ToolCallPartDelta: (ToolCallPart, BuiltinToolCallPart, ToolCallPartDelta),
}

_Unfinished: TypeAlias = ModelResponsePart | ToolCallPartDelta


def _started(delta: Delta, id: str | None) -> _Unfinished:
    """Return the part that begins with `delta`; a call without a name is still a delta."""
    match delta:
        case TextPartDelta():
            return TextPart(delta.content_delta, id=id, provider_details=delta.provider_details)
        case ThinkingPartDelta():
            return ThinkingPart(
                delta.content_delta or "",
                id=id,
                signature=delta.signature_delta,
                provider_name=delta.provider_name,
                provider_details=delta.provider_details,
            )
    call = delta.as_part()
    return delta if call is None else attrs.evolve(call, id=id)


def _only_text(delta: Delta, part: Any) -> str | None:
    """Return the text of a delta that brings `part` nothing else that is new."""
    match delta:
        case TextPartDelta(provider_details=None):
            return delta.content_delta
        case ThinkingPartDelta(signature_delta=None, provider_details=None):
            known = delta.provider_name in (None, part.provider_name)
            return delta.content_delta if known else None
        # Some gateways repeat the id, or write '' for a name and an id that are known.
        case ToolCallPartDelta(
            tool_name_delta=None | "", provider_details=None, args_delta=str(text)
        ):
            known = delta.tool_call_id in (None, "", part.tool_call_id)
            args = part.args_delta if isinstance(part, ToolCallPartDelta) else part.args
            # Arguments that are a dict take no text; `apply` says so.
            return None if isinstance(args, dict) or not known else text
    return None


@define(eq=False)
class _Growth:
    """A part that grows.

    Pieces are joined when the part is looked at. A signal handler may look at it while it
    grows, in the same thread: so what has been joined is one value, replaced in one step.

    Attributes:
        grown: The part, and how many of the pieces it contains.
        id: The id that its first delta brought.
        announced: False between the end of the part before it and its own start.
        pieces: The texts that were added.
    """

    grown: tuple[_Unfinished, int]
    id: str | None = None
    announced: bool = True
    pieces: list[str] = field(factory=list)

    @property
    def is_nameless(self) -> bool:
        """Whether it is a call that still has no name; one of which nothing is known is none."""
        part = self.grown[0]
        if not isinstance(part, ToolCallPartDelta):
            return False
        return bool(part.args_delta or part.tool_call_id or self.pieces)

    def add(self, delta: Delta) -> None:
        part, count = self.grown
        if not isinstance(part, _GROWS[type(delta)]):
            names = type(delta).__name__, type(part).__name__
            raise UnexpectedModelBehavior("The response adds a {} to a {}".format(*names))
        text = _only_text(delta, part)
        is_begun = 0 < len(self.pieces) - count < 4 and isinstance(delta, ToolCallPartDelta)
        if is_begun and is_placeholder("".join(self.pieces[count:])):
            self.whole()  # it may be replaced
        if text is not None:
            self.pieces.append(text)
        else:
            self.grown = self._applied(self.whole(), delta), len(self.pieces)

    def whole(self) -> _Unfinished:
        (part, count), end = self.grown, len(self.pieces)
        if count < end:
            text = "".join(self.pieces[count:end])
            delta: Delta = ToolCallPartDelta(args_delta=text)
            if isinstance(part, TextPart):
                delta = TextPartDelta(text)
            elif isinstance(part, ThinkingPart):
                delta = ThinkingPartDelta(content_delta=text)
            part = self._applied(part, delta)
            self.grown = part, end
        return part

    def _applied(self, part: _Unfinished, delta: Delta) -> _Unfinished:
        if isinstance(delta, ToolCallPartDelta):
            grown = delta.apply(part)
            if isinstance(part, ToolCallPartDelta) and isinstance(grown, ToolCallPart):
                # The part's id came with its first chunk, before its name did.
                return attrs.evolve(grown, id=self.id)
            return grown
        assert not isinstance(part, ToolCallPartDelta)
        return delta.apply(part)


@define(eq=False)
class Accumulator:
    """The state of one response.

    Attributes:
        parameters: What the request offered; says which part is the final result.
        provider_name: The provider.
        provider_url: Its base URL.
        model_name: The model that was asked, until the response names one.
        timestamp: When the response began.
        final_result_event: The one final result event, once there was one.
        suspended: Whether the provider has paused, so that a whole answer is not complete.
        ending: How far the response is.
        is_unread: Whether the events are not read, so that none are made.
    """

    parameters: ModelRequestParameters
    model_name: str
    timestamp: datetime
    provider_name: str | None = None
    provider_url: str | None = None
    provider_response_id: str | None = None
    provider_details: dict[str, Any] | None = None
    finish_reason: FinishReason | None = None
    usage: RequestUsage = field(factory=RequestUsage)
    final_result_event: FinalResultEvent | None = None
    suspended: bool = False
    ending: Ending = field(factory=Ending)
    is_unread: bool = False
    _parts: list[_Growth] = field(factory=list, init=False)
    _indexes: dict[Hashable, int] = field(factory=dict, init=False)
    _last_started: int | None = field(default=None, init=False)

    def feed(self, item: Item) -> Iterable[ModelResponseStreamEvent]:
        """Take one item and return the events that it makes.

        Raises:
            UnexpectedModelBehavior: The item does not fit what came before.
        """
        if isinstance(item, PartChunk):
            return self._grow(item)
        if isinstance(item, ResponseInfo):
            self.model_name = item.model_name or self.model_name
            self.provider_response_id = item.provider_response_id or self.provider_response_id
            if item.finish_reason or "finish_reason" in (item.provider_details or ()):
                self.finish_reason = item.finish_reason  # the last one counts, also an unknown one
            if item.usage is not None:
                self.usage = _later(self.usage, item.usage)
            if item.suspended is not None:
                self.suspended = item.suspended
            if item.provider_details:
                self.provider_details = (self.provider_details or {}) | item.provider_details
            if item.notes:
                self.note(**item.notes)
        elif isinstance(item, WholePart):
            return self._place(item)
        else:
            note = self.ending.take(item, self.model_name)
            if note is not None:
                self.note(**{note: True})
        return ()

    def close(self) -> Iterator[ModelResponseStreamEvent]:
        """End the last part, and with it the response; only for an answer that is whole.

        Raises:
            UnexpectedModelBehavior: A tool call never had a name.
        """
        if any(growth.is_nameless for growth in self._parts):
            raise UnexpectedModelBehavior("The response has a tool call without a name")
        last = self._last_started
        self._last_started = None
        if last is not None:
            yield from self._part_end(last, None)
        self.ending.progress = Progress.CLOSED

    @property
    def final_state(self) -> ResponseState:
        """The state of the response once it is whole."""
        return "suspended" if self.suspended else "complete"

    def snapshot(self, state: ResponseState) -> ModelResponse:
        """Return the response as far as it has been fed."""
        details = self.provider_details
        if details:
            # Their lists may grow with the response.
            details = {
                key: [*value] if isinstance(value, list) else value
                for key, value in details.items()
            }
        return ModelResponse(
            self.parts(),
            usage=self.usage,
            model_name=self.model_name,
            timestamp=self.timestamp,
            provider_name=self.provider_name,
            provider_url=self.provider_url,
            provider_details=details,
            provider_response_id=self.provider_response_id,
            finish_reason=self.finish_reason,
            state=state,
        )

    def note(self, **flags: Any) -> None:
        """Add a note of our own to the provider's details, under `direct_anyio`."""
        details = self.provider_details or {}
        noted = {**details.get("direct_anyio", {}), **flags}
        self.provider_details = {**details, "direct_anyio": noted}

    def parts(self) -> Iterator[ModelResponsePart]:
        """Return the parts so far; a call that has no name yet is none."""
        for growth in self._parts:
            part = growth.whole()
            if growth.announced and not isinstance(part, ToolCallPartDelta):
                yield part

    def _grow(self, chunk: PartChunk) -> Iterable[ModelResponseStreamEvent]:
        key, delta = chunk.key, chunk.delta
        index = self._latest(delta) if key is None else self._indexes.get(key)
        if index is None:
            return self._start(key, _Growth((_started(delta, chunk.id), 0), chunk.id))
        growth = self._parts[index]
        before = growth.grown[0]
        growth.add(delta)
        if isinstance(before, ToolCallPartDelta):
            # It starts once it has a name.
            part = growth.grown[0]
            return () if isinstance(part, ToolCallPartDelta) else self._announce(index, part)
        if self.is_unread:
            return ()
        if isinstance(delta, ToolCallPartDelta) and not delta.tool_call_id:
            # Readers of deltas go by the call's id.
            call: Any = growth.grown[0]
            delta = attrs.evolve(delta, tool_call_id=call.tool_call_id)
        return (PartDeltaEvent(index=index, delta=delta),)

    def _place(self, item: WholePart) -> Iterable[ModelResponseStreamEvent]:
        """Start a whole part, in the place of the part of its key where there is one."""
        index = None if item.key is None else self._indexes.get(item.key)
        if index is None:
            return self._start(item.key, _Growth((item.part, 0)))
        self._parts[index] = _Growth((item.part, 0))
        return self._announce(index, item.part)

    def _latest(self, delta: Delta) -> int | None:
        """Return the index of the latest part, None where a delta without a key starts another."""
        if not self._parts or not isinstance(self._parts[-1].grown[0], _GROWS[type(delta)]):
            return None
        # A name without a key is a new call: names come whole.
        is_new = isinstance(delta, ToolCallPartDelta) and delta.tool_name_delta
        return None if is_new else len(self._parts) - 1

    def _start(self, key: Hashable, growth: _Growth) -> Iterable[ModelResponseStreamEvent]:
        if len(self._parts) == MAX_PARTS:
            raise ResponseTooLarge(f"The response has more than {MAX_PARTS} parts")
        index = len(self._parts)
        self._parts.append(growth)
        if key is not None:
            self._indexes[key] = index
        part = growth.grown[0]
        return () if isinstance(part, ToolCallPartDelta) else self._announce(index, part)

    def _announce(self, index: int, part: ModelResponsePart) -> Iterator[ModelResponseStreamEvent]:
        if self.is_unread:
            return
        growth = self._parts[index]
        growth.announced = False
        before, self._last_started = self._last_started, index
        previous_kind = None
        if before is not None:
            previous = self._parts[before].grown[0]
            previous_kind = None if isinstance(previous, ToolCallPartDelta) else previous.part_kind
            yield from self._part_end(before, part.part_kind)
        growth.announced = True
        yield PartStartEvent(index=index, part=part, previous_part_kind=previous_kind)
        if self.final_result_event is not None:
            return
        final: FinalResultEvent | None = None
        offered = self.parameters
        match part:
            case TextPart() if offered.allow_text_output:
                final = FinalResultEvent(tool_name=None, tool_call_id=None)
            case FilePart(content=BinaryImage()) if offered.allow_image_output:
                final = FinalResultEvent(tool_name=None, tool_call_id=None)
            case ToolCallPart():
                tool = offered.tool_defs.get(part.tool_name)
                if tool is not None and tool.kind == "output":
                    name, id = part.tool_name, part.tool_call_id
                    final = FinalResultEvent(tool_name=name, tool_call_id=id)
                elif tool is not None and tool.defer:
                    final = FinalResultEvent(tool_name=None, tool_call_id=None)
        if final is not None:
            self.final_result_event = final
            yield final

    def _part_end(self, index: int, next_kind: str | None) -> tuple[PartEndEvent, ...]:
        part = self._parts[index].whole()
        if not isinstance(part, _ENDING):
            return ()
        return (PartEndEvent(index=index, part=part, next_part_kind=next_kind),)


_MAX_DETAILS = 100
"""Counts that a response may have beside the usual ones; their names are the server's."""
_COUNTS = tuple(each.name for each in attrs.fields(RequestUsage) if each.name != "details")


def _later(before: RequestUsage, after: RequestUsage) -> RequestUsage:
    """Return the later of two totals; what it leaves out has not changed."""
    counts = {name: getattr(after, name) or getattr(before, name) for name in _COUNTS}
    both = chain(after.details.items(), before.details.items())
    details: dict[str, int] = {}
    for name, number in both:
        if len(details) < _MAX_DETAILS:
            details.setdefault(name, number)
    return RequestUsage(**counts, details=details)
