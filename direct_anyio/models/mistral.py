"""Mistral AI's models, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.mistral import MistralCodec, MistralModelSettings
from ._named import NamedModel

__all__ = ("MistralModel", "MistralModelName", "MistralModelSettings")

MistralModelName: TypeAlias = str
"""A model's name, such as `'mistral-large-latest'`."""


class MistralModel(NamedModel):
    """Mistral AI's models; the arguments are those of `NamedModel`."""

    home = "mistral"
    speaks = MistralCodec
