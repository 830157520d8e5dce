"""The constructor for Vercel's AI Gateway."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("VercelProvider",)


class VercelProvider(OpenAICompatible):
    """Vercel's AI Gateway; the arguments are those of `Endpoint`."""

    row_name = "vercel"
