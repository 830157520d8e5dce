"""The constructor for DeepSeek."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("DeepSeekProvider",)


class DeepSeekProvider(OpenAICompatible):
    """DeepSeek; the arguments are those of `Endpoint`."""

    row_name = "deepseek"
