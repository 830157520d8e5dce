"""The constructor for OpenAI, or any server that speaks its protocol."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import OpenAICompatible

__all__ = ("OpenAIProvider",)


@frozen(repr=False)
class OpenAIProvider(OpenAICompatible):
    """OpenAI, or any server that speaks its protocol.

    Attributes:
        base_url: The base URL, instead of the provider's.
        api_key: The key, instead of the one in the environment.
    """

    row_name = "openai"

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
