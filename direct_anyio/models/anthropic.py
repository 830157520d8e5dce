"""Anthropic's models, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.anthropic import AnthropicCodec, AnthropicModelSettings
from ._named import NamedModel

__all__ = ("AnthropicModel", "AnthropicModelName", "AnthropicModelSettings")

AnthropicModelName: TypeAlias = str
"""A model's name, such as `'claude-haiku-4-5'`."""


class AnthropicModel(NamedModel):
    """Anthropic's models; the arguments are those of `NamedModel`."""

    home = "anthropic"
    speaks = AnthropicCodec
