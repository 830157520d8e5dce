"""What Anthropic's models can do, by the beginnings of their names.

A model that is not known here is taken for one without quirks. Facts: Anthropic's model
overview and its pages on thinking, effort and structured outputs.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from attrs import frozen

from ..builtin_tools import (
    AbstractBuiltinTool,
    CodeExecutionTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
)
from ..profiles import ModelProfile, by_name

__all__ = ("AnthropicModelProfile", "Effort", "anthropic_profile")

_UNKNOWN_MAX_TOKENS = 16_384

_Off: TypeAlias = Literal["adaptive", "between_tools", "disabled"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]


@frozen(repr=False, kw_only=True)
class AnthropicModelProfile(ModelProfile):
    """What a model that speaks the Messages protocol can do.

    Attributes:
        anthropic_supports_adaptive_thinking: Whether it decides itself how long to think;
            otherwise it is given a number of tokens.
        anthropic_supports_budget_thinking: Whether it can be given a number of tokens.
        anthropic_efforts: The levels of effort that it knows, none if it has none.
        anthropic_thinking_off: What `thinking=False` sends; None where a model that is
            asked for nothing does not think, 'adaptive' where one cannot stop.
        anthropic_supports_sampling: Whether temperature, top_p and top_k may be set.
        anthropic_supports_forced_tool_choice: Whether a tool call can be demanded.
        anthropic_code_execution: The version of its code execution.
        anthropic_max_output_tokens: The most tokens that it writes, thoughts included; None
            where that is not known. A greater `max_tokens` is lowered to it.
        anthropic_default_max_tokens: What `max_tokens` is where a request does not say.
    """

    supported_builtin_tools: frozenset[type[AbstractBuiltinTool]] = frozenset(
        {CodeExecutionTool, MCPServerTool, MemoryTool, WebFetchTool, WebSearchTool}
    )
    # Facts: the error texts of the API, such as "`tool_use` ids must be unique" and "text
    # content blocks must contain non-whitespace text".
    tool_call_id_pattern: str | None = r"[a-zA-Z0-9_-]+"
    tool_call_ids_must_be_unique: bool = True
    refuses_blank_text: bool = True
    refuses_trailing_blanks: bool = True
    anthropic_supports_adaptive_thinking: bool = False
    anthropic_supports_budget_thinking: bool = True
    anthropic_efforts: tuple[Effort, ...] = ()
    anthropic_thinking_off: _Off | None = None
    anthropic_supports_sampling: bool = True
    anthropic_supports_forced_tool_choice: bool = True
    anthropic_code_execution: Literal["20250825", "20260120"] = "20250825"
    anthropic_max_output_tokens: int | None = None
    anthropic_default_max_tokens: int = _UNKNOWN_MAX_TOKENS


# Decide themselves how long to think, refuse a budget and sampling settings, know 'xhigh'.
_NEWEST = (
    "claude-fable-5",
    "claude-haiku-5-5",
    "claude-mythos-5",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-5",
)
_OF_4_6 = ("claude-opus-4-6", "claude-sonnet-4-6")
_OF_4_5 = ("claude-opus-4-5", "claude-sonnet-4-5")

_ADAPTIVE = (*_NEWEST, *_OF_4_6, "claude-mythos-preview")
_WITH_EFFORT = (*_NEWEST, *_OF_4_6, "claude-opus-4-5")
_STRUCTURED = (*_NEWEST, *_OF_4_6, *_OF_4_5, "claude-haiku-4-5", "claude-opus-4-1")
_NEW_CODE_EXECUTION = (*_NEWEST, *_OF_4_6, *_OF_4_5)

# The most tokens that models write. Fact: `max_tokens` in Anthropic's Models API.
_MOST_TOKENS: dict[str, int | None] = {
    **dict.fromkeys((*_NEWEST, *_OF_4_6), 128_000),
    **dict.fromkeys((*_OF_4_5, "claude-haiku-4-5"), 64_000),
}

# Models that refuse a request whose input and `max_tokens` are together more than their
# context, or that write no more than this, and so much is asked of them.
_OLDER_MAX_TOKENS = 4096
_OLDER = re.compile(
    r"claude-([23]|instant|4-)|claude-opus-4(-[012]|@|$)|claude-sonnet-4(-[02]|@|$)"
)

_UNFORCED = (
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
)

# What `thinking=False` sends, the first that fits; a model of none of these does not think
# unless it is asked to.
_THINKING_OFF: dict[str, _Off | None] = {
    "claude-fable-5": "adaptive",
    "claude-mythos-": "adaptive",
    "claude-opus-5-5": "adaptive",
    "claude-sonnet-5-5": "between_tools",
    "claude-haiku-5-5": "disabled",
    "claude-opus-5": "disabled",
    "claude-sonnet-5": "disabled",
}


def anthropic_profile(name: str) -> AnthropicModelProfile:
    """Return what the model of a name can do.

    The names that platforms give it are known, too, such as
    `us.anthropic.claude-haiku-4-5-20251001-v1:0` and `anthropic/claude-haiku-4.5`.
    """
    name = name.lower().rpartition("/")[2].rpartition("anthropic.")[2].replace(".", "-")
    newest = name.startswith(_NEWEST)
    most = by_name(name, _MOST_TOKENS, None)
    unknown = _OLDER_MAX_TOKENS if _OLDER.match(name) else _UNKNOWN_MAX_TOKENS
    off: _Off | None = by_name(name, _THINKING_OFF, None)
    structured = name.startswith(_STRUCTURED)
    return AnthropicModelProfile(
        supports_json_schema_output=structured,
        # A tool that must be called keeps a model from thinking.
        default_structured_output_mode="native" if structured and off else "tool",
        tool_name_pattern="[a-zA-Z0-9_-]{1,128}",
        anthropic_supports_adaptive_thinking=name.startswith(_ADAPTIVE),
        anthropic_supports_budget_thinking=not newest,
        anthropic_efforts=_efforts(name),
        anthropic_thinking_off=off,
        anthropic_supports_sampling=not newest,
        anthropic_supports_forced_tool_choice=not name.startswith(_UNFORCED),
        anthropic_code_execution=(
            "20260120" if name.startswith(_NEW_CODE_EXECUTION) else "20250825"
        ),
        anthropic_max_output_tokens=most,
        anthropic_default_max_tokens=most or unknown,
    )


def _efforts(name: str) -> tuple[Effort, ...]:
    if not name.startswith(_WITH_EFFORT):
        return ()
    if name.startswith("claude-opus-4-5"):
        return ("low", "medium", "high")
    if name.startswith(_NEWEST):
        return ("low", "medium", "high", "xhigh", "max")
    return ("low", "medium", "high", "max")
