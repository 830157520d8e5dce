"""The constructor for Moonshot AI."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("MoonshotAIProvider",)


class MoonshotAIProvider(OpenAICompatible):
    """Moonshot AI; the arguments are those of `Endpoint`."""

    row_name = "moonshotai"
