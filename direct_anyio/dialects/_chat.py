"""What the chat protocols share: tools, response formats and usage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen

from .._core.codec import (
    Item,
    JSONObject,
    ModelCodec,
    count,
    dictionary,
)
from .._core.tool_choice import choice_of
from ..exceptions import UserError
from ..messages import FinishReason
from ..parts import ThinkingPart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import (
    ModelRequestParameters,
    OutputObjectDefinition,
    ToolDefinition,
)
from ..usage import RequestUsage
from ._openai import OpenAIModelProfile, effort_member
from ._shared import mapped_settings

__all__ = (
    "FINISH_REASONS",
    "ChatCodec",
    "Quirks",
    "offer",
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


@frozen(kw_only=True)
class Quirks:
    """What a gateway does beside the protocol; each is a function of what it is about.

    Attributes:
        settings: From settings, the model's profile and its name to members of the body: those
            of settings of the gateway's own, and what asks for thinking.
        thoughts: From a message or delta, and the provider's name, to items, where it
            has thoughts of its own form.
        marks_tagged: Whether thoughts between tags are marked as the provider's.
        usage: From a `usage` object to what has been used.
        details: From a choice and its document to `provider_details`.
        path: From a model's name to what follows the base URL.
        failed: From an error document to items, None where it is an error.
        send_back: From a thinking part of the gateway's own to what it expects back in
            `reasoning_details`, None where it is sent like any other's.
    """

    settings: Callable[[ModelSettings, OpenAIModelProfile, str], JSONObject] = (
        lambda settings, profile, name: effort_member(settings, profile)
    )
    thoughts: Callable[[JSONObject, str], Iterable[Item]] = lambda message, provider_name: ()
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
    body = {"tools": [tool_of(tool) for tool in offered.values()], "tool_choice": choice}
    return body | mapped_settings(settings, {"parallel_tool_calls": "parallel_tool_calls"})


def refuse_builtin_tools(parameters: ModelRequestParameters, protocol: str) -> None:
    """Refuse the provider's own tools, for a protocol that has none.

    Raises:
        UserError: There are some.
    """
    if parameters.builtin_tools:
        names = ", ".join(type(tool).__name__ for tool in parameters.builtin_tools)
        raise UserError(f"{protocol} does not support {names}")


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
