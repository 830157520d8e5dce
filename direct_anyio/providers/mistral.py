"""The constructor for Mistral AI."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import Endpoint, SDKClient, refuse

__all__ = ("MistralProvider",)


@frozen(repr=False)
class MistralProvider(Endpoint):
    """Mistral AI; the arguments are those of `Endpoint`."""

    row_name = "mistral"

    mistral_client: SDKClient | None = field(
        default=None, kw_only=True, repr=False, validator=refuse
    )
