"""The constructor for Anthropic."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import Endpoint, SDKClient, refuse

__all__ = ("AnthropicProvider",)


@frozen(repr=False)
class AnthropicProvider(Endpoint):
    """Anthropic; the arguments are those of `Endpoint`."""

    row_name = "anthropic"

    anthropic_client: SDKClient | None = field(
        default=None, kw_only=True, repr=False, validator=refuse
    )
