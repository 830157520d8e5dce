"""The constructor for OpenAI, or any server that speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ._endpoint import OpenAICompatible

if TYPE_CHECKING:
    from ..models.keys import APIKey

__all__ = ("OpenAIProvider",)


@frozen(repr=False)
class OpenAIProvider(OpenAICompatible):
    """OpenAI, or any server that speaks its protocol.

    Attributes:
        base_url: The base URL, instead of the provider's.
        api_key: The key, instead of the one in the environment; see `APIKey`.
    """

    row_name = "openai"

    base_url: str | None = None
    api_key: APIKey | None = field(default=None, repr=False)
