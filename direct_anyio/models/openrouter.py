"""The models behind OpenRouter, by class."""

from __future__ import annotations

from ..dialects.openrouter import OpenRouterModelSettings
from .openai import OpenAIChatModel

__all__ = ("OpenRouterModel", "OpenRouterModelSettings")


class OpenRouterModel(OpenAIChatModel):
    """The models behind OpenRouter; the arguments are those of `NamedModel`.

    A name starts with its vendor, as in `'anthropic/claude-haiku-4.5'`.
    """

    home = "openrouter"
