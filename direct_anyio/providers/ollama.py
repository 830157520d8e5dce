"""The constructor for Ollama."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ._endpoint import OpenAICompatible

if TYPE_CHECKING:
    from ..models.keys import APIKey

__all__ = ("OllamaProvider",)


@frozen(repr=False)
class OllamaProvider(OpenAICompatible):
    """Ollama.

    Attributes:
        base_url: The base URL, instead of the provider's.
        api_key: The key, instead of the one in the environment; see `APIKey`.
    """

    row_name = "ollama"

    base_url: str | None = None
    api_key: APIKey | None = field(default=None, repr=False)
