"""The constructor for Fireworks AI."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("FireworksProvider",)


class FireworksProvider(OpenAICompatible):
    """Fireworks AI; the arguments are those of `Endpoint`."""

    row_name = "fireworks"
