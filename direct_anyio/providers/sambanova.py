"""The constructor for SambaNova."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("SambaNovaProvider",)


class SambaNovaProvider(OpenAICompatible):
    """SambaNova; the arguments are those of `Endpoint`."""

    row_name = "sambanova"
