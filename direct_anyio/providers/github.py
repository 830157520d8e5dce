"""The constructor for GitHub Models."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("GitHubProvider",)


class GitHubProvider(OpenAICompatible):
    """GitHub Models; the arguments are those of `Endpoint`."""

    row_name = "github"
