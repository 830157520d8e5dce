"""The models at Cerebras, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.openai_chat import OpenAIChatModelSettings
from .openai import OpenAIChatModel

__all__ = ("CerebrasModel", "CerebrasModelName", "CerebrasModelSettings")

CerebrasModelName: TypeAlias = str
"""A model's name, such as `'gpt-oss-120b'`."""


class CerebrasModelSettings(OpenAIChatModelSettings, total=False):
    """Settings that only Cerebras knows, beside those of its protocol.

    Attributes:
        cerebras_disable_reasoning: Whether the model is kept from thinking.
    """

    cerebras_disable_reasoning: bool


class CerebrasModel(OpenAIChatModel):
    """The models at Cerebras; the arguments are those of `NamedModel`."""

    home = "cerebras"
