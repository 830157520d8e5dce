"""What the chat protocols share: settings, tools, response formats, heads and usage.

What is none of chat alone, such as `members` and `heading`, serves the other dialects, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from .._core.codec import (
    Item,
    JSONObject,
    ModelCodec,
    ResponseInfo,
    count,
    dictionary,
    maybe,
)
from .._core.json_schema import checked_name
from .._core.tool_choice import choice_of
from ..exceptions import UserError
from ..messages import FinishReason
from ..parts import ThinkingPart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import (
    DEFAULT_OUTPUT_TOOL_NAME,
    ModelRequestParameters,
    OutputObjectDefinition,
    ToolDefinition,
)
from ..usage import RequestUsage
from ._openai import OpenAIModelProfile, effort_member

__all__ = (
    "FINISH_REASONS",
    "ChatCodec",
    "Quirks",
    "heading",
    "logprob",
    "members",
    "offer",
    "output_schema",
    "refuse_builtin_tools",
    "response_format",
    "tool_of",
    "tools_and_choice",
    "usage_of",
)

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
    "function_call": "tool_call",
}


def _nothing(*_: Any) -> Any:
    return ()


@frozen(kw_only=True)
class Quirks:
    """What a gateway does beside the protocol; each is a function of what it is about.

    Attributes:
        settings: From settings, the model's profile and its name to members of the body: those
            of settings of the gateway's own, and what it is told of thinking.
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

    settings: Callable[[ModelSettings, OpenAIModelProfile, str], JSONObject] = (
        lambda settings, profile, name: effort_member(settings, profile)
    )
    thoughts: Callable[[JSONObject, str], Iterable[Item]] = _nothing
    marks_tagged: bool = True
    usage: Callable[[JSONObject], RequestUsage] = lambda usage: usage_of(usage)
    details: Callable[[JSONObject, JSONObject], JSONObject] = lambda choice, document: {}
    send_back: Callable[[ThinkingPart], JSONObject | None] = lambda part: None
    path: Callable[[str], str] = lambda model_name: "/chat/completions"
    failed: Callable[[Any], Iterable[Item] | None] = lambda document: None


@frozen(kw_only=True)
class ChatCodec(ModelCodec):
    """What the codec of a chat protocol knows.

    Attributes:
        model_name: The model.
        provider_name: The provider.
        profile: What the model can do.
    """

    model_name: str
    provider_name: str
    profile: ModelProfile


def tool_of(tool: ToolDefinition) -> JSONObject:
    """Return a tool as it is offered."""
    function: JSONObject = {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.parameters_json_schema,
    }
    return {"type": "function", "function": function}


def offer(settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
    """Return the members of a body that offer tools, {} where there are none.

    For protocols that cannot choose from some of the tools.
    """
    offered, mode, name = tools_and_choice(settings, parameters)
    if not offered:
        return {}
    choice: Any = {"type": "function", "function": {"name": name}} if name else mode
    said = {"tools": [tool_of(tool) for tool in offered.values()], "tool_choice": choice}
    return said | members(settings, {"parallel_tool_calls": "parallel_tool_calls"})


def refuse_builtin_tools(parameters: ModelRequestParameters, protocol: str) -> None:
    """Refuse the provider's own tools, for a protocol that has none.

    Raises:
        UserError: There are some.
    """
    if parameters.builtin_tools:
        names = ", ".join(type(tool).__name__ for tool in parameters.builtin_tools)
        raise UserError(f"{protocol} knows no {names}")


def response_format(
    parameters: ModelRequestParameters,
    profile: ModelProfile,
    schema: Callable[[OutputObjectDefinition], JSONObject],
) -> JSONObject:
    """Return the member of a body that asks for JSON, {} where none is wanted."""
    if parameters.output_mode == "native" and parameters.output_object is not None:
        written = {"type": "json_schema", "json_schema": schema(parameters.output_object)}
        return {"response_format": written}
    if parameters.output_mode == "prompted" and profile.supports_json_object_output:
        return {"response_format": {"type": "json_object"}}
    return {}


def output_schema(output: OutputObjectDefinition, profile: ModelProfile) -> JSONObject:
    """Return the schema of an answer with its name; whether it is strict is not told."""
    name = checked_name(output.name or DEFAULT_OUTPUT_TOOL_NAME, profile.tool_name_pattern)
    said = {"name": name, "schema": output.json_schema}
    return said | ({"description": output.description} if output.description else {})


def members(settings: Mapping[str, Any], table: Mapping[str, str]) -> JSONObject:
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
    if choice.names is None or choice.demanded is not None:
        return offered, choice.mode, choice.demanded
    return {name: offered[name] for name in choice.names}, choice.mode, None


def heading(
    document: JSONObject, details: JSONObject | None = None, *, created: str = "created"
) -> ResponseInfo:
    """Return what the head of a response tells.

    Args:
        document: The response, or a frame of it.
        details: More of the provider's own data.
        created: The member that tells when it was made.
    """
    time = maybe(_moment, document.get(created) or None)
    dated = {} if time is None else {"timestamp": time}
    return ResponseInfo(
        model_name=document.get("model") or None,
        provider_response_id=document.get("id") or None,
        provider_details=dated | (details or {}),
    )


def _moment(created: Any) -> datetime:
    return datetime.fromtimestamp(created, UTC)


def logprob(token: Any) -> JSONObject:
    """Return the log probability of a token, and of those that were likely in its place."""
    keys = ("token", "logprob", "bytes")
    likely = map(dictionary, maybe(list, dictionary(token).get("top_logprobs")) or ())
    top = [{key: each.get(key) for key in keys} for each in likely]
    return {key: dictionary(token).get(key) for key in keys} | {"top_logprobs": top}


_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")


def usage_of(usage: JSONObject) -> RequestUsage:
    """Return a `usage` object as `RequestUsage`; negative counts are 0."""
    prompt = dictionary(usage.get("prompt_tokens_details"))
    completion = dictionary(usage.get("completion_tokens_details"))
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
