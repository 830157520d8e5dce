"""The constructor for Nebius AI Studio."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("NebiusProvider",)


class NebiusProvider(OpenAICompatible):
    """Nebius AI Studio; the arguments are those of `Endpoint`."""

    row_name = "nebius"
