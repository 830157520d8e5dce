"""Models by the names of their classes, as users of pydantic-ai know them.

What `infer_model` makes of a string, these make of a class, a model's name and a
provider: by its name or by a constructor of `direct_anyio.providers`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from .._core.secrets import hide
from ..dialects.openai_chat import OpenAIChatCodec
from ..dialects.openai_responses import OpenAIResponsesCodec
from ..exceptions import UserError
from ..profiles import ModelProfileSpec
from ..providers import PROVIDERS, Provider, provider_of, spoken_by
from ..providers._endpoint import Endpoint
from ..settings import ModelSettings
from .http import HTTPModel, access

__all__ = ("NamedModel",)


class NamedModel(HTTPModel):
    """A model that is made by the name of its class.

    Args:
        model_name: The model's name at its provider.
        provider: What makes `OpenAIProvider(...)` and the like; or a provider's name;
            or 'gateway', for Pydantic's gateway.
        profile: What the model can do, instead of what is known of it.
        settings: Settings for every request.
        downloads: As for `infer_model`.

    Raises:
        UserError: There is no such provider, it speaks another protocol, or its key is
            missing.
    """

    home: ClassVar[str]
    speaks: ClassVar[type[Any]]

    def __init__(
        self,
        model_name: str,
        *,
        provider: Endpoint | str | None = None,
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
        downloads: bool = False,
    ) -> None:
        endpoint = provider if isinstance(provider, Endpoint) else _At(self._named(provider))
        row, key, url = access(endpoint.row, model_name, hide(endpoint.api_key), endpoint.url)
        super().__init__(
            _speaking(self.speaks, row),
            model_name,
            api_key=key,
            base_url=url,
            http_client=endpoint.http_client,
            downloads=downloads,
            settings=settings,
            profile=profile,
        )

    @classmethod
    def _named(cls, provider: str | None) -> Provider:
        name = f"gateway/{cls.home}" if provider == "gateway" else provider or cls.home
        return provider_of(f"{name}:-")[0]


@attrs.frozen(repr=False)
class _At(Endpoint):
    """A provider as its row is."""

    known: Provider

    @property
    def row(self) -> Provider:
        return self.known


def _speaking(wanted: type[Any], row: Provider) -> Provider:
    """Return a row that speaks a protocol."""
    spoken = spoken_by(row.codec)
    if spoken is wanted:
        return row
    if wanted is OpenAIResponsesCodec and spoken is OpenAIChatCodec:
        return attrs.evolve(row, codec=OpenAIResponsesCodec)
    fitting = sorted(
        name
        for name, each in PROVIDERS.items()
        if spoken_by(each.codec) is wanted and not name.startswith("gateway/")
    )
    raise UserError(
        f"The provider {row.name!r} speaks another protocol than this model's. "
        f"Providers that speak it: {', '.join(fitting)}."
    )
