"""The constructor for Google: the Gemini API and Google Cloud."""

from __future__ import annotations

from typing import TypeAlias

import attrs
from attrs import field, frozen

from . import PROVIDERS, Provider, google_cloud
from ._endpoint import Endpoint, SDKClient, refuse

__all__ = ("GoogleProvider", "VertexAILocation")

VertexAILocation: TypeAlias = str
"""A location of Google Cloud, such as `'europe-west4'` or `'global'`."""

_EXPRESS_URL = "https://aiplatform.googleapis.com/v1beta1"


@frozen(repr=False)
class GoogleProvider(Endpoint):
    """The Gemini API; or Google Cloud, where a project or a location is given.

    Attributes:
        api_key: The key. With a project it is an access token, such as
            `gcloud auth print-access-token` prints, or a function that returns one; in
            Google Cloud without one, a key of its express mode, which no function returns.
        project: The project at Google Cloud.
        location: Where its models are, 'us-central1' by default.
        vertexai: Whether it is Google Cloud, where neither of the two says.
        credentials: Refused: pass a function that returns an access token as `api_key`.
        client: Refused: a client of the vendor's SDK.
    """

    project: str | None = field(default=None, kw_only=True)
    location: VertexAILocation | None = field(default=None, kw_only=True)
    vertexai: bool | None = field(default=None, kw_only=True)
    credentials: object | None = field(default=None, kw_only=True, repr=False, validator=refuse)
    client: SDKClient | None = field(default=None, kw_only=True, repr=False, validator=refuse)

    @property
    def row(self) -> Provider:
        """The row of the table: the Gemini API's, or Google Cloud's with a project."""
        place = self.project or self.location
        if not (bool(place) if self.vertexai is None else self.vertexai):
            return PROVIDERS["google-gla"]
        if self.api_key and not place and not callable(self.api_key):
            return attrs.evolve(
                PROVIDERS["google-vertex"],
                base_url=_EXPRESS_URL,
                find_url=None,
                key_header="x-goog-api-key",
                key_format="{}",
            )
        return google_cloud(self.project, self.location)
