"""The constructor for Pydantic's gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs import field, frozen

from ..exceptions import UserError
from . import PROVIDERS, Provider
from ._endpoint import Endpoint

if TYPE_CHECKING:
    from .._io.run import HTTPClient
    from ..models.keys import APIKey

__all__ = ("gateway_provider",)


@frozen(repr=False)
class _Gateway(Endpoint):
    """A provider behind the gateway.

    Attributes:
        upstream: The provider.
        route: The route there, instead of the provider's own.
    """

    upstream: str
    route: str | None = field(default=None, kw_only=True)

    @property
    def row(self) -> Provider:
        """The row of the table."""
        row = PROVIDERS.get(f"gateway/{self.upstream}")
        if row is None:
            raise UserError(f"The provider {self.upstream!r} is not known behind the gateway.")
        return row

    @property
    def url(self) -> str | None:
        """The base URL that the user gave, with the route."""
        if self.base_url is None:
            return None
        row = self.row
        if self.route:
            row = attrs.evolve(row, base_url_format=f"{{}}/{self.route}")
        return row.completed(self.base_url.strip())


def gateway_provider(
    upstream_provider: str,
    *,
    route: str | None = None,
    api_key: APIKey | None = None,
    base_url: str | None = None,
    http_client: HTTPClient | None = None,
) -> Endpoint:
    """Return a provider behind Pydantic's gateway.

    Args:
        upstream_provider: The provider, such as `'openai'` or `'anthropic'`.
        route: The route there, where `base_url` is given; the provider's own by default.
        api_key: The gateway's key, instead of the one in the environment; see `APIKey`.
        base_url: The gateway's base URL, instead of the usual one.
        http_client: An `httpx.AsyncClient` to send with; it stays yours to close.
    """
    return _Gateway(
        upstream_provider,
        route=route,
        api_key=api_key,
        base_url=base_url,
        http_client=http_client,
    )
