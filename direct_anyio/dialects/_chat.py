"""What the chat protocols share: messages of roles, tool calls, thoughts between tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from attrs import frozen

from .._core.codec import Item, text_chunk, thinking_chunk, tool_call_chunk, typed
from .._core.instructions import instructions_of
from .._core.returned import text_and_files
from .._core.tool_choice import choice_of
from ..content import FileUrl, UserContent
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    RetryPromptPart,
    SystemPromptPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, ToolDefinition
from ..usage import RequestUsage

__all__ = (
    "FINISH_REASONS",
    "JSONObject",
    "Quirks",
    "TaggedText",
    "call_chunk",
    "call_of",
    "conversation",
    "count",
    "image_piece",
    "members",
    "moment",
    "request_messages",
    "split_by_tags",
    "text_piece",
    "tool_of",
    "tools_and_choice",
    "undownloaded",
    "usage_of",
)

JSONObject: TypeAlias = dict[str, Any]

Prompt: TypeAlias = Callable[[str | Sequence[UserContent]], Any]
"""Writes what a user says."""

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
    "function_call": "tool_call",
    "error": "error",
}


def _nothing(*_: Any) -> Any:
    return ()


@frozen(kw_only=True)
class Quirks:
    """What a gateway does beside the protocol; each is a function of what it is about.

    Attributes:
        settings: From settings to members of the body.
        thoughts: From a message or delta, and the provider's name, to items, where it
            has thoughts of its own form.
        marks_tagged: Whether thoughts between tags are marked as the provider's.
        usage: From a `usage` object to what has been used.
        details: From a choice and its document to `provider_details`.
        path: From a model's name to what follows the base URL.
        failed: From an error document to items, None where it is an error indeed.
        send_back: From a thinking part of the gateway's own to what it wants back in
            `reasoning_details`, None where it is sent like any other's.
    """

    settings: Callable[[ModelSettings], JSONObject] = lambda settings: {}
    thoughts: Callable[[JSONObject, str], Iterable[Item]] = _nothing
    marks_tagged: bool = True
    usage: Callable[[JSONObject], RequestUsage] = lambda usage: usage_of(usage)
    details: Callable[[JSONObject, JSONObject], JSONObject] = lambda choice, document: {}
    send_back: Callable[[ThinkingPart], JSONObject | None] = lambda part: None
    path: Callable[[str], str] = lambda model_name: "/chat/completions"
    failed: Callable[[Any], Iterable[Item] | None] = lambda document: None


def conversation(
    messages: Sequence[ModelMessage],
    parameters: ModelRequestParameters,
    request: Callable[[ModelRequest], Iterator[JSONObject]],
    response: Callable[[ModelResponse], Iterator[JSONObject]],
    role: str = "system",
) -> list[JSONObject]:
    """Return all messages, the instructions behind the system prompts."""
    said: list[JSONObject] = []
    for message in messages:
        said.extend(request(message) if isinstance(message, ModelRequest) else response(message))
    instructions = instructions_of(messages, parameters)
    if instructions:
        # Of system prompts there are mostly one or none.
        place = sum(1 for each in said if each["role"] == "system")
        said.insert(place, {"role": role, "content": instructions})
    return said


def request_messages(
    message: ModelRequest, prompt: Prompt, role: str = "system"
) -> Iterator[JSONObject]:
    """Yield the messages of one request.

    Args:
        message: The request.
        prompt: Writes what the user says.
        role: The role of system prompts.

    Raises:
        UserError: It holds a part that cannot be sent.
    """
    files: list[UserContent] = []
    for part in message.parts:
        match part:
            case SystemPromptPart():
                yield {"role": role, "content": part.content}
            case UserPromptPart():
                yield {"role": "user", "content": prompt(part.content)}
            case ToolReturnPart():
                text, returned = text_and_files(part)
                files.extend(returned)
                yield _tool_message(part.tool_call_id, text)
            case RetryPromptPart(tool_name=None):
                yield {"role": "user", "content": part.model_response()}
            case RetryPromptPart():
                yield _tool_message(part.tool_call_id, part.model_response())
            case _:
                raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")
    if files:
        # All results of one turn must come before anything else does.
        yield {"role": "user", "content": prompt(files)}


def _tool_message(call_id: str, content: str) -> JSONObject:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def text_piece(text: str) -> JSONObject:
    """Return a text in a list of contents."""
    return {"type": "text", "text": text}


def undownloaded(item: FileUrl) -> UserError:
    """Return the error for a file that had to be downloaded before it can be sent."""
    return UserError(
        f"The file at {item.url[:200]} must be downloaded before it can be sent: pass "
        "`downloads=True` to `infer_model`, or send the bytes as `BinaryContent`."
    )


def image_piece(url: str, metadata: JSONObject | None) -> JSONObject:
    """Return an image in a list of contents."""
    image = {"url": url}
    if metadata:
        image["detail"] = metadata.get("detail", "auto")
    return {"type": "image_url", "image_url": image}


def tool_of(tool: ToolDefinition) -> JSONObject:
    """Return a tool as it is offered."""
    function: JSONObject = {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.parameters_json_schema,
    }
    return {"type": "function", "function": function}


def call_of(part: ToolCallPart) -> JSONObject:
    """Return a tool call that is sent back."""
    function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
    return {"id": part.tool_call_id, "type": "function", "function": function}


def call_chunk(key: Any, call: JSONObject, details: JSONObject | None = None) -> Item:
    """Return the item for a tool call, or for some of one."""
    function = call.get("function") or {}
    return tool_call_chunk(
        ("call", key),
        name=function.get("name"),
        args=function.get("arguments"),
        call_id=call.get("id"),
        details=details,
    )


def members(settings: ModelSettings, table: Mapping[str, str]) -> JSONObject:
    """Return the members of a body that settings make, by a table from one to the other."""
    said = {name: settings.get(key) for key, name in table.items() if key in settings}
    return {name: value for name, value in said.items() if value is not None}


def tools_and_choice(
    settings: ModelSettings, parameters: ModelRequestParameters
) -> tuple[dict[str, ToolDefinition], str, str | None]:
    """Return the tools to offer, the mode, and the name of the one that must be called.

    For protocols that cannot choose from some of the tools: only those are offered.
    """
    choice = choice_of(settings, parameters)
    offered = parameters.tool_defs
    if choice.names is None:
        return offered, choice.mode, None
    if choice.mode == "required" and len(choice.names) == 1:
        return offered, choice.mode, choice.names[0]
    return {name: offered[name] for name in choice.names}, choice.mode, None


def moment(created: Any) -> datetime:
    """Return seconds since 1970 as a time."""
    return datetime.fromtimestamp(created, UTC)


def count(value: Any) -> int:
    """Return a count; negative ones, and what is no number, are 0."""
    return max(0, int(value)) if isinstance(value, (int, float)) else 0


_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")


def usage_of(usage: JSONObject) -> RequestUsage:
    """Return a `usage` object as `RequestUsage`; negative counts are 0."""
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    more = {key: value for key, value in usage.items() if key not in _TOTALS}
    details = {
        key: count(value)
        for key, value in (*more.items(), *completion.items())
        if isinstance(value, int)
    }
    return RequestUsage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cache_read_tokens=count(prompt.get("cached_tokens")),
        input_audio_tokens=count(prompt.get("audio_tokens")),
        output_audio_tokens=count(completion.get("audio_tokens")),
        details=details,
    )


def split_by_tags(text: str, tags: tuple[str, str]) -> Iterator[tuple[bool, str]]:
    """Split a text at thinking tags; yields whether each piece is a thought.

    An opening tag that is never closed is dropped, and what follows it is text.
    """
    start, end = tags
    while text:
        before, opened, rest = text.partition(start)
        if before:
            yield False, before
        thought, closed, text = rest.partition(end)
        if closed:
            yield True, thought
        elif opened and thought:
            yield False, thought


class TaggedText:
    """Reads text in which thoughts stand between tags.

    Args:
        tags: What opens and closes a thought.
        skips_blank: Whether a streamed text that starts as blank space is no text yet.
        id: The id of the thoughts.
        provider_name: The provider, which thoughts are marked with.
    """

    def __init__(
        self,
        tags: tuple[str, str],
        *,
        skips_blank: bool,
        id: str | None = None,
        provider_name: str | None = None,
    ) -> None:
        self._tags = tags
        self._skips_blank = skips_blank
        self._marks = (id, provider_name)
        # Counts the parts that the tags make.
        self._place = 0
        self._in_thought = False
        self._in_text = False

    def streamed(self, text: str) -> Iterator[Item]:
        """Read a piece of a stream, in which a tag is a token of its own."""
        if text == self._tags[1 if self._in_thought else 0]:
            self._place += 1
            self._in_thought = not self._in_thought
            self._in_text = False
            if self._in_thought:
                yield self._thought("")
        elif self._in_thought:
            yield self._thought(text)
        elif self._in_text or not (self._skips_blank and text.isspace()):
            self._in_text = True
            yield text_chunk(("content", self._place), text)

    def whole(self, content: Any) -> Iterator[Item]:
        """Read a whole text, in which tags may stand anywhere."""
        for is_thought, text in split_by_tags(typed(content or "", str), self._tags):
            self._place += 1
            yield self._thought(text) if is_thought else text_chunk(("content", self._place), text)

    def _thought(self, text: str) -> Item:
        id, provider_name = self._marks
        return thinking_chunk(("content", self._place), text, id=id, provider_name=provider_name)
