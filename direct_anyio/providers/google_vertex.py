"""The constructor for Google Cloud alone."""

from __future__ import annotations

from attrs import field, frozen

from . import Provider, google_cloud
from ._endpoint import Endpoint, refuse

__all__ = ("GoogleVertexProvider",)


@frozen(repr=False)
class GoogleVertexProvider(Endpoint):
    """Gemini at Google Cloud.

    Attributes:
        api_key: An access token, such as `gcloud auth print-access-token` prints, or a
            function that returns one.
        project_id: The project, instead of the one in the environment.
        region: Where its models are.
        service_account_file: Refused: pass a function that returns an access token as
            `api_key`.
        service_account_info: Refused, too.
    """

    project_id: str | None = field(default=None, kw_only=True)
    region: str = field(default="us-central1", kw_only=True)
    service_account_file: object | None = field(
        default=None, kw_only=True, repr=False, validator=refuse
    )
    service_account_info: object | None = field(
        default=None, kw_only=True, repr=False, validator=refuse
    )

    @property
    def row(self) -> Provider:
        """The row of the table, with the project and the region."""
        return google_cloud(self.project_id, self.region)
