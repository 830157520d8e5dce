"""A model behind HTTP: a row of the provider table, a codec, and the transport."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from attrs import frozen

from .. import __version__
from .._core.codec import Codec, HTTPCall
from .._core.culprit import check_messages
from .._io.deadlines import limits_of
from .._io.download import Download, needs_download_of, with_files
from .._io.llama import find_weights, serve
from .._io.retry import Budget, budget_of
from .._io.run import MAX_CONNECTIONS, BoundClient, Clients, Lifetime, current_clients
from .._io.tasks import open_task_group, open_task_group_apart
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..profiles import ModelProfile, ModelProfileSpec
from ..providers import Provider, provider_of
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from . import Model, check_allow_model_requests
from .attempts import Asking

if TYPE_CHECKING:
    from .._io.run import HTTPClient

__all__ = ("HTTPModel", "access", "http_model")


@frozen(repr=False)
class Secret:
    """A key that does not print."""

    value: str

    def __repr__(self) -> str:
        return "Secret('***')"


class HTTPModel(Model):
    """A model that is asked over HTTP; made by `infer_model`.

    Args:
        provider: Its row of the table.
        model_name: Its name there.
        api_key: The key.
        base_url: The base URL, None for a server of our own on this machine.
        http_client: A client of the user's, None for one of ours in each event loop.
        max_connections: Requests that are under way at once in an event loop.
        downloads: Whether files are downloaded whose URL the model cannot read.
        settings: Settings for every request.
        profile: What the model can do, None for what the provider's row says.
    """

    def __init__(
        self,
        provider: Provider,
        model_name: str,
        *,
        api_key: str,
        base_url: str | None,
        http_client: HTTPClient | None = None,
        max_connections: int = MAX_CONNECTIONS,
        downloads: bool = False,
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(
            settings=(provider.settings or ModelSettings()) | (settings or {}),
            profile=profile,
        )
        self._provider = provider
        self._model_name = model_name
        self._key = Secret(_checked_key(api_key))
        self._is_served = base_url is None
        self._base_url = None if base_url is None else _checked_url(base_url)
        # A server of our own has a line of its own.
        self._most = math.inf if self._is_served else _checked_most(max_connections)
        self._lifetime = Lifetime(self._most)
        self._own_client = None if http_client is None else BoundClient(http_client, self._most)
        self._downloads = downloads

    @property
    def model_name(self) -> str:
        """The model's name at its provider."""
        return self._model_name

    @property
    def system(self) -> str:
        """The provider's name."""
        return self._provider.reported_name or self._provider.name

    @property
    def base_url(self) -> str | None:
        """The base URL, None for a local server that has not been started."""
        return self._base_url

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        profile = self._profile(self._model_name) if callable(self._profile) else self._profile
        return profile or self._provider.profile(self._model_name)

    @property
    def codec(self) -> Codec:
        """What speaks the model's protocol."""
        is_elsewhere = self._base_url != self._provider.base_url
        return self._provider.codec(
            model_name=self._model_name,
            provider_name=self.system,
            profile=self.profile,
            **(self._provider.codec_elsewhere if is_elsewhere else {}),
        )

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request and return the whole response; it is one on the wire, too."""
        asked = self._ask(messages, model_settings, model_request_parameters, stream=False)
        async with asked as stream:
            async for _ in stream:
                pass
        return stream.response

    async def count_tokens(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> RequestUsage:
        """Ask the provider what a request would read, without making it.

        Raises:
            UserError: The model's protocol does not count ahead of a request.
            ModelAPIError: It could not be asked.
        """
        from .counting import counting_of

        asked = self._ask(
            messages,
            model_settings,
            model_request_parameters,
            stream=False,
            codec=counting_of(self.codec),
        )
        async with asked as stream:
            response = await stream.drain()
        return response.usage

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request and stream the response.

        Returns:
            The stream's block, which is entered once its first content has arrived.
        """
        return self._ask(messages, model_settings, model_request_parameters, stream=True)

    @asynccontextmanager
    async def _ask(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        *,
        stream: bool,
        codec: Codec | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        if self._own_client is None or not self._own_client.offline:
            check_allow_model_requests()
        if not messages:
            raise UserError(
                "There are no messages to answer: pass at least one, such as "
                "`ModelRequest.user_text_prompt('Hello')`."
            )
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        limits = limits_of(settings, stream=stream)
        asking = Asking(self, codec or self.codec, parameters, settings, limits, stream)
        # The block of a stream is its reader's, and may be left by whoever comes along.
        opened = open_task_group_apart if stream else open_task_group
        async with opened() as group:
            response = await asking.open(group, messages)
            try:
                yield response
            finally:
                await response.aclose()

    async def with_files(self, messages: list[ModelMessage], codec: Codec) -> list[ModelMessage]:
        """Return messages with the bytes of those files that must not go by URL."""
        if not self._downloads:
            return messages
        fetch = Download(self._model_name, await self.clients())
        return await with_files(check_messages(messages), needs_download_of(codec), fetch)

    @property
    def budget(self) -> Budget:
        """What retries to this host with this key may cost."""
        return budget_of(urlsplit(self._base_url or "").netloc, self._key.value)

    async def clients(self) -> Clients:
        """Return the HTTP clients for the current event loop."""
        if self._own_client is not None:
            return self._own_client.enter()
        return self._lifetime.of_run() or await current_clients(self._most)

    async def __aenter__(self) -> Self:
        if self._own_client is None:
            await self._lifetime.enter()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._own_client is None:
            await self._lifetime.leave()

    async def locate(self) -> None:
        """See to it that there is a base URL: a local server is started, or started again."""
        if self._is_served:
            self._base_url = f"{await serve(self._model_name)}/v1"

    @property
    def reported_url(self) -> str:
        """The base URL as responses tell it."""
        origin = urlsplit(self._base_url or "")._replace(path="", query="", fragment="").geturl()
        return self._provider.reported_url.format(self._base_url, origin=origin)

    def query(self, call: HTTPCall) -> dict[str, str]:
        """Return the query parameters of a call: the provider's, then the dialect's."""
        return self._provider.all_query(os.environ) | call.query

    def headers(self, call: HTTPCall, settings: ModelSettings, *, stream: bool) -> dict[str, str]:
        """Return the headers of a call: ours, the dialect's, the key's, then the user's."""
        ours = {
            "content-type": "application/json",
            "accept": "text/event-stream" if stream else "application/json",
            "accept-encoding": "identity",
            "user-agent": f"direct-anyio/{__version__}",
            self._provider.key_header: self._provider.key_format.format(self._key.value),
        }
        ours |= self._provider.all_headers(os.environ)
        theirs = {name.lower(): value for name, value in settings.get("extra_headers", {}).items()}
        return _checked_headers(ours | call.headers | theirs)


def http_model(
    model: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    http_client: HTTPClient | None = None,
    max_connections: int = MAX_CONNECTIONS,
    downloads: bool = False,
    settings: ModelSettings | None = None,
    profile: ModelProfileSpec | None = None,
) -> HTTPModel:
    """Return the model of a name; see `infer_model`.

    Raises:
        UserError: There is no such provider, or its key or base URL is missing.
    """
    provider, name = provider_of(model)
    key, url = access(provider, name, api_key, base_url)
    return HTTPModel(
        provider,
        name,
        api_key=key,
        base_url=url,
        http_client=http_client,
        max_connections=max_connections,
        downloads=downloads,
        settings=settings,
        profile=profile,
    )


def access(
    provider: Provider, name: str, api_key: str | None, base_url: str | None
) -> tuple[str, str | None]:
    """Return the key and the base URL for a model: what the user told, else the environment.

    The base URL is None for a local model.

    Raises:
        UserError: One is missing, or there is no such local model.
    """
    url = base_url or provider.url(os.environ)
    is_own = base_url is not None or any(os.environ.get(v) for v in provider.base_url_env)
    if provider.local and url is None:
        find_weights(name)
    elif url is None:
        raise UserError(
            f"The provider {provider.name!r} needs a base URL: {_how_to(provider.base_url_env)}"
            "pass `base_url=` to `infer_model`."
        )
    return api_key or _key_of(provider, is_own), url


def _key_of(provider: Provider, is_own: bool) -> str:
    key = provider.key(os.environ) or provider.default_key
    if key:
        return key
    if is_own:
        # A server of the user's own mostly wants no key.
        return "api-key-not-set"
    raise UserError(
        f"The provider {provider.name!r} needs a key: {_how_to(provider.key_env)}"
        "pass `api_key=` to `infer_model`."
    )


def _how_to(variables: tuple[str, ...]) -> str:
    named = " or ".join(f"`{name}`" for name in variables)
    return f"set the {named} environment variable, or " if named else ""


def _checked_key(key: str) -> str:
    """Return a key as it can be sent; the message of the error never shows it."""
    key = key.strip()
    for position, character in enumerate(key):
        if not "!" <= character <= "~":
            raise UserError(f"The API key has an invalid character at position {position}.")
    return key


def _checked_most(max_connections: int) -> int:
    if type(max_connections) is int and max_connections > 0:
        return max_connections
    raise UserError(f"`max_connections` is a number above 0, not {max_connections!r}")


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password:
        # It would be shown in responses, histories and traces.
        raise UserError("The base URL must hold no user or password: pass `api_key=` instead.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"The base URL must be like 'https://host/v1', not {url!r}")
    return url.rstrip("/")


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        named = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        # What passes here must pass the library, whose errors show the value.
        sendable = value.isascii() and value.replace("\t", " ").isprintable()
        if not (named and sendable and value == value.strip()):
            raise UserError(f"The header {name!r} has a name or value that cannot be sent.")
    return headers
