"""The settings that are known, their types, and what to write in the place of unknown ones.

An unknown setting is an error, since it would have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from ..exceptions import UserError
from ..settings import COMMON_SETTINGS
from .known import nearest

__all__ = ("check_keywords", "known_settings", "types_of")

# Keys that pydantic-ai knows and no provider of ours: they are dropped, so that settings can be
# shared with models elsewhere.
_OF_OTHERS = (
    "bedrock_additional_model_requests_fields",
    "bedrock_additional_model_response_fields_paths",
    "bedrock_cache_instructions",
    "bedrock_cache_messages",
    "bedrock_cache_tool_definitions",
    "bedrock_guardrail_config",
    "bedrock_inference_profile",
    "bedrock_performance_configuration",
    "bedrock_prompt_variables",
    "bedrock_request_metadata",
    "bedrock_service_tier",
    "cache",
    "cerebras_clear_thinking",
    "citations",
    "decision_boolean_threshold",
    "decision_route_threshold",
    "framing_announcement",
    "mcp_model_preferences",
    "openrouter_cache_instructions",
    "openrouter_cache_messages",
    "openrouter_cache_tool_definitions",
    "snowflake_reasoning",
    "typesafe_boolean_threshold",
    "typesafe_tool_call_threshold",
    "xai_agent_count",
    "xai_include_attachment_search_output",
    "xai_include_code_execution_output",
    "xai_include_collections_search_output",
    "xai_include_encrypted_content",
    "xai_include_inline_citations",
    "xai_include_mcp_output",
    "xai_include_web_search_output",
    "xai_include_x_search_output",
    "xai_logprobs",
    "xai_max_turns",
    "xai_previous_response_id",
    "xai_reasoning_effort",
    "xai_store_messages",
    "xai_top_logprobs",
    "xai_user",
    "zai_clear_thinking",
)


@cache
def known_settings() -> dict[str, Any]:
    """Return the types of all settings that some model has, and of those of other libraries."""
    # Only for a key that is not of the common ones: all dialects are slow to import.
    from ..dialects.anthropic import AnthropicModelSettings
    from ..dialects.gemini import GoogleModelSettings
    from ..dialects.groq import GroqModelSettings
    from ..dialects.mistral import MistralModelSettings
    from ..dialects.openai_chat import CerebrasModelSettings, OpenAIChatModelSettings
    from ..dialects.openai_responses import OpenAIResponsesModelSettings
    from ..dialects.openrouter import OpenRouterModelSettings

    classes = (
        AnthropicModelSettings,
        CerebrasModelSettings,
        GoogleModelSettings,
        GroqModelSettings,
        MistralModelSettings,
        OpenAIChatModelSettings,
        OpenAIResponsesModelSettings,
        OpenRouterModelSettings,
    )
    known: dict[str, Any] = dict.fromkeys(_OF_OTHERS, Any)
    for cls in classes:
        for key, takes in get_type_hints(cls).items():
            # Where two protocols share a setting, it takes what either takes.
            known[key] = known.get(key, takes) | takes
    return known | COMMON_SETTINGS


def types_of(settings: Mapping[str, object]) -> Mapping[str, Any]:
    """Return the types of all settings that may be among some.

    Raises:
        UserError: One of them is unknown; the message names the nearest that is known.
    """
    strange = settings.keys() - COMMON_SETTINGS.keys()
    if strange and (strange := strange - known_settings().keys()):
        problems: list[str] = []
        for key in sorted(map(str, strange)):
            near = nearest(key, sorted(known_settings()))
            if key in _HINTS:
                problems.append(f"Unknown setting: {key!r}; {_HINTS[key]}.")
            else:
                hint = f" Did you mean {near!r}?" if near else ""
                problems.append(f"Unknown setting: {key!r}.{hint}")
        raise UserError(" ".join(problems))
    return COMMON_SETTINGS if settings.keys() <= COMMON_SETTINGS.keys() else known_settings()


_STEP = "`timeout` sets the steps of an attempt, `request_timeout` all of the request"
_OFFERED = "pass `model_request_parameters=ModelRequestParameters({})`"
_TOOLS = _OFFERED.format("function_tools=[ToolDefinition.from_callable(some_function)]")
_MADE = "pass it to `infer_model(...)`"
_IN_A_MESSAGE = "say it in a message: `SystemPromptPart`, or `instructions` of a `ModelRequest`"

# Of other libraries, of providers' own APIs, and of the names of limits in our errors.
_HINTS = {
    "api_key": _MADE,
    "base_url": _MADE,
    "connect": _STEP,
    "extra_query": "write the query into the `base_url` of `infer_model(...)`",
    "first_event": "the setting is 'first_event_timeout'",
    "functions": _TOOLS,
    "headers": "the setting for more headers is 'extra_headers'; for the wait for them, 'timeout'",
    "idle": _STEP,
    "instructions": _IN_A_MESSAGE,
    "max_completion_tokens": "the setting is 'max_tokens'",
    "max_output_tokens": "the setting is 'max_tokens'",
    "model": "it is the first argument of the request",
    "n": "a request has one answer; make several requests at once",
    "num_retries": "the setting is 'max_retries'",
    "pool": "`timeout=httpx.Timeout(60, pool=30)` limits the wait in the request queue",
    "reasoning": "the setting for all models is 'thinking', such as 'low'",
    "reasoning_effort": "the setting for all models is 'thinking', such as 'low'",
    "response_format": _OFFERED.format("output_object=OutputObjectDefinition.from_type(SomeClass)"),
    "stop": "the setting is 'stop_sequences', a list of texts",
    "stream": "call `model_request_stream`",
    "system": _IN_A_MESSAGE,
    "thinking_budget": "the setting for all models is 'thinking', such as 'low'",
    "thinking_config": "the setting for all models is 'thinking', such as 'low'",
    "tools": _TOOLS,
    "total": "the setting is 'request_timeout'",
    "write": _STEP,
}


def check_keywords(function: str, keywords: Mapping[str, object]) -> None:
    """Check that a call has no unknown keyword arguments.

    Raises:
        TypeError: It has one; the message says what to write.
    """
    for key in keywords:
        hint = _HINTS.get(key)
        if key in known_settings():
            hint = f"it is a setting: pass `model_settings={{{key!r}: ...}}`"
        suggestion = f"; {hint}" if hint else ""
        raise TypeError(f"{function}() got an unexpected keyword argument {key!r}{suggestion}.")
