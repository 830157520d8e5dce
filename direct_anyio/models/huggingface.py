"""Models behind Hugging Face's router, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.openai_chat import OpenAIChatCodec
from ..settings import ModelSettings
from ._named import NamedModel

__all__ = ("HuggingFaceModel", "HuggingFaceModelName", "HuggingFaceModelSettings")

HuggingFaceModelName: TypeAlias = str
"""A model's name with its vendor, such as `'deepseek-ai/DeepSeek-R1'`."""

HuggingFaceModelSettings = ModelSettings
"""Hugging Face has no settings of its own here."""


class HuggingFaceModel(NamedModel):
    """Models behind Hugging Face's router; the arguments are those of `NamedModel`."""

    home = "huggingface"
    speaks = OpenAIChatCodec
