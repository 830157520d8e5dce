"""The constructor for Cohere."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import Endpoint, SDKClient, refuse

__all__ = ("CohereProvider",)


@frozen(repr=False)
class CohereProvider(Endpoint):
    """Cohere; the arguments are those of `Endpoint`."""

    row_name = "cohere"

    cohere_client: SDKClient | None = field(
        default=None, kw_only=True, repr=False, validator=refuse
    )
