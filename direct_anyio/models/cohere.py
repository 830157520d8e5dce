"""Cohere's models, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.cohere import CohereCodec
from ..settings import ModelSettings
from ._named import NamedModel

__all__ = ("CohereModel", "CohereModelName", "CohereModelSettings")

CohereModelName: TypeAlias = str
"""A model's name, such as `'command-a-03-2025'`."""

CohereModelSettings = ModelSettings
"""Cohere has no settings of its own here."""


class CohereModel(NamedModel):
    """Cohere's models; the arguments are those of `NamedModel`."""

    home = "cohere"
    speaks = CohereCodec
