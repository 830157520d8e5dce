"""The constructor for Groq."""

from __future__ import annotations

from attrs import field, frozen

from ._endpoint import Endpoint, SDKClient, refuse

__all__ = ("GroqProvider",)


@frozen(repr=False)
class GroqProvider(Endpoint):
    """Groq; the arguments are those of `Endpoint`."""

    row_name = "groq"

    groq_client: SDKClient | None = field(default=None, kw_only=True, repr=False, validator=refuse)
