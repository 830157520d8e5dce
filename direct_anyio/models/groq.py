"""The models at Groq, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.groq import GroqCodec, GroqModelSettings
from ._named import NamedModel

__all__ = ("GroqModel", "GroqModelName", "GroqModelSettings")

GroqModelName: TypeAlias = str
"""A model's name, such as `'llama-3.3-70b-versatile'`."""


class GroqModel(NamedModel):
    """The models at Groq; the arguments are those of `NamedModel`."""

    home = "groq"
    speaks = GroqCodec
