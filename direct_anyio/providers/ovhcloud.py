"""The constructor for OVHcloud AI Endpoints."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("OVHcloudProvider",)


class OVHcloudProvider(OpenAICompatible):
    """OVHcloud AI Endpoints; the arguments are those of `Endpoint`."""

    row_name = "ovhcloud"
