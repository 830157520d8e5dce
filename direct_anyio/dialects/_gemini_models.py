"""What Google's models can do, and how their thinking is set.

Fact, where none stands below: https://ai.google.dev/gemini-api/docs/models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from .._core.codec import JSONObject
from .._core.thinking import LEVELS
from ..builtin_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    WebFetchTool,
    WebSearchTool,
)
from ..exceptions import UserError
from ..profiles import ModelProfile, by_name
from ._gemini_schema import google_json_schema

__all__ = ("GoogleModelProfile", "google_model_profile", "thinking_config")

_SCALE = ("MINIMAL", "LOW", "MEDIUM", "HIGH")


@frozen(repr=False, kw_only=True)
class GoogleModelProfile(ModelProfile):
    """What one of Google's models can do.

    Attributes:
        google_thinking: How thinking is asked for: by a budget of tokens or by a level;
            None where it does not think.
        google_thinking_levels: The levels that it knows, the least first.
        google_least_thinking_budget: The least budget that it takes; 0 is no thinking.
        google_supports_tool_combination: Whether function tools and built-in tools go
            together, and its API has built-in tools in parts.
        google_supports_validated_calls: Whether calls can be held to their schema.
        google_returnable_files: MIME types of files that a tool's result may hold; others
            are sent beside it.
    """

    google_thinking: Literal["budget", "level"] | None = None
    google_thinking_levels: tuple[str, ...] = _SCALE
    google_least_thinking_budget: int = 0
    google_supports_tool_combination: bool = False
    google_supports_validated_calls: bool = False
    google_returnable_files: frozenset[str] = frozenset()


# Models that do not know all levels, by the start of their names, the longest first.
# Fact: https://ai.google.dev/gemini-api/docs/thinking.
_LEVELS = {
    "gemini-3.1-flash-lite-image": ("MINIMAL", "HIGH"),
    "gemini-3.1-flash-image": ("MINIMAL", "HIGH"),
    "gemini-3.1-pro-preview": ("LOW", "MEDIUM", "HIGH"),
    "gemini-3-pro-preview": ("LOW", "HIGH"),
    "gemini-3.7-flash": ("LOW", "MEDIUM", "HIGH"),
    "gemini-3.8-flash": ("LOW", "MEDIUM", "HIGH"),
    "gemini-4-argon": ("LOW", "MEDIUM", "HIGH"),
    "gemini-4-carbon": ("LOW", "MEDIUM", "HIGH"),
}

_BUILTIN_TOOLS = frozenset({CodeExecutionTool, FileSearchTool, WebFetchTool, WebSearchTool})

# Fact: https://ai.google.dev/gemini-api/docs/function-calling, on multimodal responses.
_RETURNABLE = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})


def google_model_profile(model_name: str) -> GoogleModelProfile:
    """Return what one of Google's models can do, by its name."""
    name = model_name.rpartition("/")[2]
    draws = "image" in name
    thinks = _thinking_of(name)
    # Gemini 3 and later.
    is_new = thinks == "level"
    always = "pro" in name and "flash" not in name
    return GoogleModelProfile(
        json_schema_transformer=google_json_schema,
        tool_name_pattern="[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}",
        supports_tools=not draws,
        supports_image_output=draws,
        supports_json_schema_output=is_new or not draws,
        supports_json_object_output=is_new or not draws,
        supports_native_output_with_tools=is_new,
        supported_builtin_tools=_BUILTIN_TOOLS | ({ImageGenerationTool} if draws else frozenset()),
        google_thinking=thinks,
        google_thinking_levels=by_name(name, _LEVELS, _SCALE),
        google_least_thinking_budget=128 if always else 0,
        google_supports_tool_combination=is_new,
        google_supports_validated_calls=thinks is not None and not draws,
        google_returnable_files=_RETURNABLE if is_new else frozenset(),
    )


def _thinking_of(name: str) -> Literal["budget", "level"] | None:
    if "gemma" in name or name == "gemini-pro" or "gemini-2.5-flash-image" in name:
        return None
    if "gemini-2.5" in name:
        return "budget"
    return None if "gemini-1" in name or "gemini-2." in name else "level"


# The unified `thinking` as a budget of tokens and as a level.
_BUDGETS = {
    "minimal": 128,
    "low": 2048,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}


def thinking_config(settings: Mapping[str, Any], profile: GoogleModelProfile) -> JSONObject | None:
    """Return how a model is to think, None where that is left to it.

    A model that cannot stop thinking is asked for the least that it can do.

    Raises:
        UserError: `thinking` is none of the levels.
    """
    own = settings.get("google_thinking_config")
    if own:
        # Levels are an enum, which is written in capitals.
        return {key: each.upper() if isinstance(each, str) else each for key, each in own.items()}
    thinking, how = settings.get("thinking"), profile.google_thinking
    if thinking is None or how is None:
        return None
    if thinking is False:
        if how == "budget":
            return {"thinkingBudget": profile.google_least_thinking_budget}
        return {"thinkingLevel": profile.google_thinking_levels[0]}
    if thinking is True:
        return {"includeThoughts": True}
    if thinking not in _BUDGETS:
        raise UserError(f"`thinking` is {thinking!r}, but the levels are {list(_BUDGETS)}.")
    if how == "budget":
        return {"includeThoughts": True, "thinkingBudget": _BUDGETS[thinking]}
    wanted = min(LEVELS.index(thinking), len(_SCALE) - 1)
    # The nearest of the model's levels; of two, the lower.
    level = min(profile.google_thinking_levels, key=lambda level: abs(_SCALE.index(level) - wanted))
    return {"includeThoughts": True, "thinkingLevel": level}
