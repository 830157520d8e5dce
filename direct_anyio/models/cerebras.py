"""The models at Cerebras, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.openai_chat import CerebrasModelSettings
from .openai import OpenAIChatModel

__all__ = ("CerebrasModel", "CerebrasModelName", "CerebrasModelSettings")

CerebrasModelName: TypeAlias = str
"""A model's name, such as `'gpt-oss-120b'`."""


class CerebrasModel(OpenAIChatModel):
    """The models at Cerebras; the arguments are those of `NamedModel`."""

    home = "cerebras"
