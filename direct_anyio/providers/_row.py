"""What a provider is: one row of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from attrs import field, frozen

from .._core.codec import ModelCodec
from ..profiles import DEFAULT_PROFILE, ModelProfile
from ..settings import ModelSettings

__all__ = ("Late", "MakeCodec", "Profiles", "Provider", "spoken_by")

MakeCodec: TypeAlias = Callable[..., ModelCodec]
"""Takes `model_name`, `provider_name` and `profile`."""


@frozen
class Late:
    """A codec's constructor that imports its dialect when it is first called.

    Most programs speak one protocol, and the first request of a program should not hold
    its event loop for the modules of the others.

    Attributes:
        module: The module in `dialects`.
        name: The class.
    """

    module: str
    name: str

    def load(self) -> type[Any]:
        """Return the class."""
        codec: type[Any] = getattr(
            import_module(f"..dialects.{self.module}", __package__), self.name
        )
        return codec

    def __call__(self, **arguments: Any) -> ModelCodec:
        made: ModelCodec = self.load()(**arguments)
        return made


def spoken_by(make: Any) -> Any:
    """Return the class of the codecs that `make`, a row's `codec`, makes."""
    make = getattr(make, "func", make)
    return make.load() if isinstance(make, Late) else make


Profiles: TypeAlias = Callable[[str], ModelProfile]
"""From a model's name to what it can do."""


@frozen(kw_only=True)
class Provider:
    """One row of the table.

    Attributes:
        name: What stands before the colon of a model's name.
        codec: Makes the codec of its wire protocol.
        base_url: Its base URL, None where the user must tell.
        find_url: Finds the base URL in the environment, where it is made of several things.
        base_url_env: Environment variables that replace it, the first that is set.
        base_url_format: How one is made of such a variable.
        at_url: From the row and a base URL to both as they are used, for a provider that is
            asked otherwise at some of its URLs.
        key_env: Environment variables for the key, the first that is set.
        default_key: The key where none is set, None where one must be.
        key_header: The header that the key goes in.
        key_format: How it is written there.
        takes_tokens: Whether a JSON Web Token in the place of a key goes in `authorization`.
        headers: More headers.
        header_env: Headers whose value is in an environment variable, where it is set.
        query: Query parameters.
        query_env: Query parameters whose value is in an environment variable.
        profile: What its models can do.
        settings: Settings for every request, under the user's.
        reported_name: The name that responses carry, where it is another one.
        reported_url: How responses tell the base URL; `{origin}` is that without its path.
        local: Whether a server of our own on this machine serves it.
    """

    name: str
    codec: MakeCodec
    base_url: str | None = None
    find_url: Callable[[Mapping[str, str]], str] | None = None
    base_url_env: tuple[str, ...] = ()
    base_url_format: str = "{}"
    at_url: Callable[[Provider, str], tuple[Provider, str]] | None = None
    key_env: tuple[str, ...] = ()
    default_key: str | None = None
    key_header: str = "authorization"
    key_format: str = "Bearer {}"
    takes_tokens: bool = False
    headers: Mapping[str, str] = field(factory=dict)
    header_env: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    query_env: Mapping[str, str] = field(factory=dict)
    profile: Profiles = field(default=lambda name: DEFAULT_PROFILE)
    settings: ModelSettings | None = None
    reported_name: str = ""
    reported_url: str = "{}"
    local: bool = False

    def key(self, environ: Mapping[str, str]) -> str | None:
        """Return the key in `environ`, None where there is none."""
        return _first(self.key_env, environ)

    def key_headers(self, key: str) -> dict[str, str]:
        """Return the header that a key goes in."""
        if self.takes_tokens and _JSON_WEB_TOKEN.fullmatch(key):
            return {"authorization": f"Bearer {key}"}
        return {self.key_header: self.key_format.format(key)}

    def url(self, environ: Mapping[str, str]) -> str | None:
        """Return the base URL, None where the user must tell."""
        url = _first(self.base_url_env, environ)
        if url is None and self.find_url is not None:
            return self.find_url(environ)
        return self.base_url if url is None else self.completed(url)

    def completed(self, base: str) -> str:
        """Return the base URL that is made of what a variable holds, its query at the end."""
        head, mark, query = base.partition("?")
        return self.base_url_format.format(head.rstrip("/")) + mark + query

    def all_headers(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that its requests have beside the key's."""
        return {**self.headers, **_from_environment(self.header_env, environ)}

    def all_query(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the query parameters of its requests."""
        return {**self.query, **_from_environment(self.query_env, environ)}


_JSON_WEB_TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]+")
"""Three texts of base64url, the first of which is a JSON object (RFC 7519)."""


def _from_environment(names: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    values = {key: environ.get(name, "").strip() for key, name in names.items()}
    return {key: value for key, value in values.items() if value}


def _first(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    values = (environ.get(name, "").strip() for name in names)
    return next(filter(None, values), None)
