"""The constructor for Alibaba Cloud's Model Studio."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("AlibabaProvider",)


class AlibabaProvider(OpenAICompatible):
    """Alibaba Cloud's Model Studio; the arguments are those of `Endpoint`."""

    row_name = "alibaba"
