"""Which settings of a request have no effect on what is sent.

A setting is heeded if the request differs without it, or with another value. So no dialect keeps
a list of what it ignores, and none can forget an entry. The comparison is made on a short sample
conversation, once for each combination of model and settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import attrs

from ..builtin_tools import AbstractBuiltinTool
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import SystemPromptPart, TextPart, ThinkingPart, UserPromptPart
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, ToolDefinition
from .codec import ModelCodec

__all__ = ("unheeded",)

# Settings that are heeded outside of the codec, or refused where they cannot be.
_ELSEWHERE = frozenset(
    (
        "extra_body",
        "extra_headers",
        "first_event_timeout",
        "max_retries",
        "on_retry",
        "request_timeout",
        "retry_ambiguous",
        "timeout",
        "tool_choice",
    )
)

# Values that ask for what a model does anyway.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
    "stop_sequences": ([], ()),
    "temperature": (1,),
    "top_p": (1,),
}

# Ends of the names of settings about function tools, which have no effect without any.
_OF_TOOLS = ("tool_calls", "tool_definitions")

_PREFIXES = frozenset(
    (
        "anthropic",
        "bedrock",
        "cerebras",
        "cohere",
        "google",
        "groq",
        "mistral",
        "openai",
        "openrouter",
        "snowflake",
        "xai",
        "zai",
    )
)

_TOOL = ToolDefinition(name="sample")

_LONGEST_WORD = 24
"""Characters of a text that may be a keyword, such as an effort or a tier."""


def unheeded(
    codec: ModelCodec, settings: ModelSettings, parameters: ModelRequestParameters
) -> tuple[str, ...]:
    """Return the settings that have no effect on a request, in alphabetical order.

    Those with another provider's prefix are left out: they are meant for another model. Options of
    the provider's own tools follow, such as `web_search.max_uses`.

    Args:
        codec: Writes the request.
        settings: The settings of the request.
        parameters: What the request offers.
    """
    has_tools = bool(parameters.tool_defs)
    own = (codec.settings_prefix, codec.provider_name.partition("-")[0])
    asked = {
        key: value
        for key, value in settings.items()
        if key not in _ELSEWHERE
        and value is not None
        and value not in _NEUTRAL.get(key, ())
        and (has_tools or not key.endswith(_OF_TOOLS))
        and (not _is_prefixed(key) or key.startswith(own))
    }
    try:
        ignored = _ignored(codec, _Settings(asked), has_tools) if asked else ()
        for tool in parameters.builtin_tools:
            ignored += _ignored_options(codec, cast(Any, type(tool)), _Settings(_options(tool)))
    except Exception:  # a value that cannot be written is an error of the encoder
        return ()
    return ignored


class _Settings(dict[str, Any]):
    """Settings as a key of a cache.

    Those that differ only in numbers and long texts are equal, since a seed or the id of a user
    may be another one in each request.
    """

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(_shape(self))

    def __eq__(self, other: object) -> bool:
        return _shape(self) == _shape(other)


def _shape(value: Any) -> object:
    """Return what of a value may decide whether it is heeded."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return type(value), value > 0
        case str():
            return value if len(value) <= _LONGEST_WORD else str
        case Mapping():
            return frozenset((key, _shape(each)) for key, each in value.items())
        case list() | tuple():
            return tuple(map(_shape, value))
    return type(value)


@lru_cache(maxsize=256)
def _ignored(codec: ModelCodec, settings: _Settings, has_tools: bool) -> tuple[str, ...]:
    common = {key: value for key, value in settings.items() if not _is_prefixed(key)}
    return tuple(
        key
        for key in sorted(settings)
        # A common setting may be overridden by one of the provider's own.
        if not _matters(codec, key, settings, has_tools)
        and not (key in common and _matters(codec, key, common, has_tools))
    )


def _options(tool: AbstractBuiltinTool) -> dict[str, Any]:
    values = ((field, getattr(tool, field.name)) for field in attrs.fields(type(tool)))
    return {field.name: value for field, value in values if value != field.default}


@lru_cache(maxsize=256)
def _ignored_options(codec: ModelCodec, tool_class: Any, options: _Settings) -> tuple[str, ...]:
    """Return the options of a tool of the provider's own that have no effect."""
    tool = tool_class(**options)
    request = _sample(codec, {}, False, tool)
    ignored = []
    for field in attrs.fields(tool_class):
        if field.name in options and field.default is not attrs.NOTHING:
            without = attrs.evolve(tool, **{field.name: field.default})
            if request == _sample(codec, {}, False, without) and not isinstance(request, str):
                ignored.append(f"{tool.kind}.{field.name}")
    return tuple(ignored)


def _is_prefixed(key: str) -> bool:
    return key.partition("_")[0] in _PREFIXES


def _matters(codec: ModelCodec, key: str, settings: Mapping[str, Any], has_tools: bool) -> bool:
    """Return whether a setting changes a request."""
    request, value = _sample(codec, settings, has_tools), settings[key]
    without = {name: each for name, each in settings.items() if name != key}
    if request != _sample(codec, without, has_tools):
        return True
    if key == "thinking" and codec.profile.thinking_always_enabled:
        return value is True
    if key == "thinking" and value is False:
        return True  # without a setting such a model does not think
    # The value may be the default: then another value would be sent.
    if not isinstance(value, (int, float)):
        return False
    other = not value if isinstance(value, bool) else value + 1
    return bool(request != _sample(codec, {**without, key: other}, has_tools))


def _sample(
    codec: ModelCodec,
    settings: Mapping[str, Any],
    has_tools: bool,
    builtin: AbstractBuiltinTool | None = None,
) -> Any:
    """Return a request with these settings, or what a codec says of why it cannot be written."""
    messages: list[ModelMessage] = [
        ModelRequest([SystemPromptPart("a"), UserPromptPart("b")], instructions="c"),
        ModelResponse(
            [
                ThinkingPart("d", id="rs_1", signature="s", provider_name=codec.provider_name),
                TextPart("e", id="msg_1"),
            ],
            provider_name=codec.provider_name,
            provider_response_id="resp_1",
        ),
        ModelRequest([UserPromptPart("f")]),
    ]
    parameters = ModelRequestParameters(
        function_tools=[_TOOL] if has_tools else [],
        builtin_tools=[] if builtin is None else [builtin],
    )
    try:
        return codec.encode(messages, cast(ModelSettings, dict(settings)), parameters, stream=True)
    except Exception as exc:  # the request itself will fail, too, and then it is explained
        return repr(exc)
