"""The constructor for Together AI."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("TogetherProvider",)


class TogetherProvider(OpenAICompatible):
    """Together AI; the arguments are those of `Endpoint`."""

    row_name = "together"
