"""The constructor for Heroku's inference."""

from __future__ import annotations

from ._endpoint import OpenAICompatible

__all__ = ("HerokuProvider",)


class HerokuProvider(OpenAICompatible):
    """Heroku's inference; the arguments are those of `Endpoint`."""

    row_name = "heroku"
