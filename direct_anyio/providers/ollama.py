"""The constructor for Ollama."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import OpenAICompatible

__all__ = ("OllamaProvider",)


@frozen(repr=False)
class OllamaProvider(OpenAICompatible):
    """Ollama.

    Attributes:
        base_url: The base URL, instead of the provider's.
        api_key: The key, instead of the one in the environment.
    """

    row_name = "ollama"

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
