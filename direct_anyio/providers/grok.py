"""The constructor for xAI, as `grok`."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("GrokProvider",)


class GrokProvider(OpenAICompatible):
    """XAI, as `grok`; the arguments are those of `Endpoint`."""

    row_name = "grok"
