"""The constructor for a LiteLLM proxy."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import OpenAICompatible

__all__ = ("LiteLLMProvider",)


@frozen(repr=False)
class LiteLLMProvider(OpenAICompatible):
    """A LiteLLM proxy.

    Attributes:
        api_base: The proxy's base URL.
    """

    row_name = "litellm"

    api_base: str | None = field(default=None, kw_only=True)

    @property
    def url(self) -> str | None:
        """The proxy's base URL."""
        return self.api_base or self.base_url
