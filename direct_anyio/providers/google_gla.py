"""The constructor for the Gemini API alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ._endpoint import Endpoint

if TYPE_CHECKING:
    from .._io.run import HTTPClient
    from ..models.keys import APIKey

__all__ = ("GoogleGLAProvider",)


@frozen(repr=False)
class GoogleGLAProvider(Endpoint):
    """The Gemini API.

    Attributes:
        api_key: The key, instead of the one in the environment; see `APIKey`.
        http_client: An `httpx.AsyncClient` to send with; it stays yours to close.
    """

    row_name = "google-gla"

    api_key: APIKey | None = field(default=None, repr=False)
    http_client: HTTPClient | None = None
