"""What Anthropic's models can do, by the beginnings of their names.

A model that is not known here is taken for one without quirks. Facts: Anthropic's model
overview and its pages on thinking, effort and structured outputs.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from ..builtin_tools import (
    AbstractBuiltinTool,
    CodeExecutionTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
)
from ..profiles import ModelProfile

__all__ = ("AnthropicModelProfile", "Effort", "anthropic_profile")

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
            told nothing does not think, 'adaptive' where one cannot stop.
        anthropic_supports_sampling: Whether temperature, top_p and top_k may be set.
        anthropic_supports_forced_tool_choice: Whether a tool call can be demanded.
        anthropic_code_execution: The version of its code execution.
    """

    supported_builtin_tools: frozenset[type[AbstractBuiltinTool]] = frozenset(
        {CodeExecutionTool, MCPServerTool, MemoryTool, WebFetchTool, WebSearchTool}
    )
    anthropic_supports_adaptive_thinking: bool = False
    anthropic_supports_budget_thinking: bool = True
    anthropic_efforts: tuple[Effort, ...] = ()
    anthropic_thinking_off: Literal["disabled", "between_tools", "adaptive"] | None = None
    anthropic_supports_sampling: bool = True
    anthropic_supports_forced_tool_choice: bool = True
    anthropic_code_execution: Literal["20250825", "20260120"] = "20250825"


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

_UNFORCED = (
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
)

# What `thinking=False` sends, the first that fits; a model of none of these does not think
# unless it is told to.
_THINKING_OFF: tuple[tuple[str, Literal["adaptive", "between_tools", "disabled"]], ...] = (
    ("claude-fable-5", "adaptive"),
    ("claude-mythos-", "adaptive"),
    ("claude-opus-5-5", "adaptive"),
    ("claude-sonnet-5-5", "between_tools"),
    ("claude-haiku-5-5", "disabled"),
    ("claude-opus-5", "disabled"),
    ("claude-sonnet-5", "disabled"),
)


def anthropic_profile(name: str) -> AnthropicModelProfile:
    """Return what the model of a name can do."""
    newest = name.startswith(_NEWEST)
    return AnthropicModelProfile(
        tool_name_pattern="[a-zA-Z0-9_-]{1,128}",
        supports_json_schema_output=name.startswith(_STRUCTURED),
        anthropic_supports_adaptive_thinking=name.startswith(_ADAPTIVE),
        anthropic_supports_budget_thinking=not newest,
        anthropic_efforts=_efforts(name),
        anthropic_thinking_off=next(
            (off for prefix, off in _THINKING_OFF if name.startswith(prefix)), None
        ),
        anthropic_supports_sampling=not newest,
        anthropic_supports_forced_tool_choice=not name.startswith(_UNFORCED),
        anthropic_code_execution=(
            "20260120" if name.startswith(_NEW_CODE_EXECUTION) else "20250825"
        ),
    )


def _efforts(name: str) -> tuple[Effort, ...]:
    if not name.startswith(_WITH_EFFORT):
        return ()
    if name.startswith("claude-opus-4-5"):
        return ("low", "medium", "high")
    if name.startswith(_NEWEST):
        return ("low", "medium", "high", "xhigh", "max")
    return ("low", "medium", "high", "max")
