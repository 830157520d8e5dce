"""Google's models, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.gemini import GeminiCodec, GoogleModelSettings
from ..providers import Provider
from ._named import NamedModel

__all__ = ("GoogleModel", "GoogleModelName", "GoogleModelSettings")

GoogleModelName: TypeAlias = str
"""A model's name, such as `'gemini-2.5-flash'`."""


class GoogleModel(NamedModel):
    """Gemini, at the Gemini API or in Google Cloud; the arguments are those of `NamedModel`.

    By name the provider is 'google-gla', 'google-vertex' or 'gateway'.
    """

    home = "google-gla"
    speaks = GeminiCodec

    @classmethod
    def _named(cls, provider: str | None) -> Provider:
        # The Gemini API itself has no place behind the gateway.
        return super()._named("gateway/google-vertex" if provider == "gateway" else provider)
