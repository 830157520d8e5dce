"""The constructor for Azure OpenAI."""

from __future__ import annotations

import attrs
from attrs import field, frozen

from . import Provider
from ._endpoint import OpenAICompatible

__all__ = ("AzureProvider",)


@frozen(repr=False)
class AzureProvider(OpenAICompatible):
    """Azure OpenAI.

    Attributes:
        azure_endpoint: The resource's URL, such as `'https://name.openai.azure.com'`.
        api_version: The query parameter `api-version`.
    """

    row_name = "azure"

    azure_endpoint: str | None = field(default=None, kw_only=True)
    api_version: str | None = field(default=None, kw_only=True)

    @property
    def row(self) -> Provider:
        """The row of the table, with the version that is asked for."""
        row = super().row
        if self.api_version is None:
            return row
        return attrs.evolve(row, query={"api-version": self.api_version}, query_env={})

    @property
    def url(self) -> str | None:
        """The resource's URL."""
        return self.azure_endpoint or self.base_url
