"""The constructor for OpenRouter."""

from __future__ import annotations

import attrs
from attrs import field, frozen

from . import Provider
from ._endpoint import OpenAICompatible

__all__ = ("OpenRouterProvider",)


@frozen(repr=False)
class OpenRouterProvider(OpenAICompatible):
    """OpenRouter.

    Attributes:
        app_url: The URL of the program that asks, for OpenRouter's rankings.
        app_title: Its name there.
    """

    row_name = "openrouter"

    app_url: str | None = field(default=None, kw_only=True)
    app_title: str | None = field(default=None, kw_only=True)

    @property
    def row(self) -> Provider:
        """The row of the table, with the headers that tell who asks."""
        row = super().row
        arguments = {"http-referer": self.app_url, "x-title": self.app_title}
        given = {name: value for name, value in arguments.items() if value}
        env = {name: each for name, each in row.header_env.items() if name not in given}
        return attrs.evolve(row, headers={**row.headers, **given}, header_env=env)
