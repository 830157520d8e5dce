"""The constructor for Cerebras."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("CerebrasProvider",)


class CerebrasProvider(OpenAICompatible):
    """Cerebras; the arguments are those of `Endpoint`."""

    row_name = "cerebras"
