"""What a provider's constructor makes: a row of the table, with what the user says of it.

The constructors have the names, modules and arguments that users of pydantic-ai know.
A client of a vendor's SDK has no place here; it is refused, by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import Attribute, field, frozen

from .._record import Record
from ..exceptions import UserError
from ..profiles import ModelProfile
from . import PROVIDERS, Provider

if TYPE_CHECKING:
    from .._io.run import HTTPClient
    from ..models.keys import APIKey

__all__ = ("Endpoint", "OpenAICompatible", "SDKClient", "refuse")


def refuse(endpoint: Endpoint, argument: Attribute[Any], value: object) -> None:
    """Raise for an argument that cannot be honoured; the validator of its field."""
    if value is not None:
        raise UserError(
            f"{type(endpoint).__name__} takes no `{argument.name}`: pass `http_client=`, an "
            "`httpx.AsyncClient`, and `api_key=` or `base_url=`, where those of the environment "
            "are not meant."
        )


SDKClient = object
"""A client of a vendor's SDK."""


@frozen(repr=False)
class Endpoint(Record):
    """A provider, with a key, an address or a client of the user's.

    Nothing is looked up before a model is made of it.

    Attributes:
        base_url: The base URL, instead of the provider's.
        api_key: The key, instead of the one in the provider's environment variable; a
            function that returns it, or several of either: see `infer_model`.
        http_client: An `httpx.AsyncClient` to send with; it stays yours to close.
    """

    row_name: ClassVar[str]

    base_url: str | None = field(default=None, kw_only=True)
    api_key: APIKey | None = field(default=None, kw_only=True, repr=False)
    http_client: HTTPClient | None = field(default=None, kw_only=True)

    @property
    def row(self) -> Provider:
        """The provider's row of the table."""
        return PROVIDERS[self.row_name]

    @property
    def url(self) -> str | None:
        """The base URL that the user gave."""
        return self.base_url

    @property
    def name(self) -> str:
        """The provider's name, as responses carry it."""
        return self.row.reported_name or self.row.name

    def model_profile(self, model_name: str) -> ModelProfile:
        """Return what a model of the provider can do."""
        return self.row.profile(model_name)


@frozen(repr=False)
class OpenAICompatible(Endpoint):
    """A provider that pydantic-ai speaks to through OpenAI's SDK."""

    openai_client: SDKClient | None = field(
        default=None, kw_only=True, repr=False, validator=refuse
    )
