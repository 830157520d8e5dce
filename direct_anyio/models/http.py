"""A model behind HTTP: a row of the provider table, a codec, and the transport."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import AsyncIterator, Hashable
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote_plus, urlencode, urlsplit

from attrs import evolve

from .. import __version__
from .._core.codec import Codec, HTTPCall, ModelCodec
from .._core.encoding import check_messages, encode_request
from .._core.files import inlined, with_files
from .._core.secrets import Hidden, hide
from .._core.unheeded import unheeded
from .._core.urls import has_user, requestable
from .._io.deadlines import limits_of
from .._io.download import Download, downloaded
from .._io.environment import is_loopback
from .._io.llama import find_weights, serve
from .._io.retry import Budget, budget_of
from .._io.run import MAX_CONNECTIONS, BoundClient, Clients, Lifetime
from .._io.tasks import HostedTaskGroup, held_open, open_task_group
from .._json import dumps
from ..exceptions import UnencryptedKeyWarning, UnheededSettingWarning, UserError, printable
from ..messages import ModelMessage
from ..profiles import ModelProfile, ModelProfileSpec
from ..providers import Provider, provider_of
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from .attempts import RequestAttempts
from .base import ModelCall, ModelLayer, check_allow_model_requests
from .keys import APIKey, Keys
from .opening import PreparedRequest, Target

if TYPE_CHECKING:
    from .._io.run import HTTPClient

__all__ = ("HTTPModel", "access", "http_model")

MAX_LOCAL_REQUESTS = 4
"""Requests at once to a server of our own: it answers one, and has the next at hand. The
others wait here, without a limit."""


class HTTPModel(ModelLayer):
    """A model that is asked over HTTP; made by `infer_model`.

    Args:
        provider: Its row of the table.
        model_name: Its name there.
        api_key: The key, a function that returns it, or several of either.
        base_url: The base URL as `access` returns it, None for a server of our own on this
            machine. Its query is a part of every request.
        http_client: A client of the user's, None for one of ours in each event loop.
        max_connections: Requests to this host with these keys that are under way at once in
            an event loop.
        downloads: Whether files are downloaded whose URL the model cannot read.
        settings: Settings for every request.
        profile: What the model can do, None for what the provider's row says.
    """

    def __init__(
        self,
        provider: Provider,
        model_name: str,
        *,
        api_key: APIKey | Hidden,
        base_url: str | None,
        http_client: HTTPClient | None = None,
        max_connections: int = MAX_CONNECTIONS,
        downloads: bool = False,
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        self._provider = provider
        self._model_name = model_name
        self.keys: Keys = Keys(api_key)
        del api_key
        super().__init__(
            settings=(provider.settings or ModelSettings()) | (settings or {}),
            profile=profile,
        )
        self._is_served = base_url is None
        self._served_key: Hidden | None = None
        base, _, self._base_query = (base_url or "").partition("?")
        self._base_url = base.rstrip("/") or None
        if type(max_connections) is not int or max_connections <= 0:
            raise UserError(f"`max_connections` is a number above 0, not {max_connections!r}")
        self._most = (
            min(max_connections, MAX_LOCAL_REQUESTS) if self._is_served else max_connections
        )
        url = urlsplit(self._base_url or "")
        host = url.hostname or ""
        if url.scheme == "http" and not is_loopback(host) and self.keys.are_secret():
            warnings.warn(
                f"The key for {host} is sent over plain http://, which all on the way can read: "
                "use https://, or filter this UnencryptedKeyWarning where the network is trusted.",
                UnencryptedKeyWarning,
                stacklevel=2,
            )
        self._lifetime = Lifetime()
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

    def __repr__(self) -> str:
        # A report of an error may show a model whose making failed.
        name = f"{self.system}:{self.model_name}" if hasattr(self, "_provider") else "..."
        return f"{type(self).__name__}({name!r})"

    @property
    def base_url(self) -> str | None:
        """The base URL without its query, None for a local server that has not been started."""
        return self._base_url

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        return self._made_profile

    @cached_property
    def _made_profile(self) -> ModelProfile:
        # Several steps of each request ask for it.
        profile = self._profile(self._model_name) if callable(self._profile) else self._profile
        return profile or self._provider.profile(self._model_name)

    @property
    def codec(self) -> ModelCodec:
        """What speaks the model's protocol."""
        return self._provider.codec(
            model_name=self._model_name,
            provider_name=self.system,
            profile=self.profile,
        )

    def respond(self, call: ModelCall) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request, and open its response once its first content has arrived.

        A response that is not streamed is whole on the wire, too.
        """
        return self.ask(call)

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

        call = ModelCall(messages, model_settings, model_request_parameters, stream=False)
        async with self.ask(call, counting_of(self.codec)) as stream:
            response = await stream.finish()
        return response.usage

    @held_open
    async def ask(
        self, call: ModelCall, codec: Codec | None = None
    ) -> AsyncIterator[StreamedResponse]:
        """Send a request, in as many attempts as it takes.

        Args:
            call: The request.
            codec: What writes the request and reads the answer, where it is not the model's own.
        """
        if self._own_client is None or not self._own_client.offline:
            check_allow_model_requests()
        messages = check_messages(call.messages or [])
        if not messages:
            raise UserError(
                "There are no messages to answer: pass at least one, such as "
                "`ModelRequest.user_text_prompt('Hello')`."
            )
        settings, parameters = self.prepare_request(call.settings, call.parameters)
        ignored: tuple[str, ...] = ()
        if codec is None:
            own = codec = self.codec
            ignored = self._report_unheeded(own, settings, parameters)
        attempts = RequestAttempts(self._target, settings, limits_of(settings, stream=call.stream))
        # The block of a stream may be left by another task than the one that entered it.
        group_block = HostedTaskGroup() if call.stream else open_task_group()
        response: StreamedResponse | None = None
        failure: BaseException | None = None
        try:
            async with group_block as group:
                with attempts.before("files, or a local server"):
                    prepared = await self._prepared(
                        messages, codec, settings, parameters, stream=call.stream
                    )
                response = await attempts.open(group, prepared)
                if ignored:
                    response._note(unheeded=list(ignored))
                try:
                    yield response
                finally:
                    await response.aclose()
        except BaseException as exc:
            failure = exc
            raise
        finally:
            attempts.log(response, failure)
            del failure  # It would keep the frames that its traceback keeps.

    def _report_unheeded(
        self, codec: ModelCodec, settings: ModelSettings, parameters: ModelRequestParameters
    ) -> tuple[str, ...]:
        """Return the settings that have no effect, and warn of each."""
        ignored = unheeded(codec, settings, parameters)
        for key in ignored:
            # Without its value: Python shows each text once, and a seed may change each time.
            warnings.warn(
                f"The setting {key!r} has no effect on '{self._provider.name}:"
                f"{self._model_name}': leave it out, or set what the provider has instead.",
                UnheededSettingWarning,
                stacklevel=2,
            )
        return ignored

    async def _prepared(
        self,
        messages: list[ModelMessage],
        codec: Codec,
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> PreparedRequest:
        """Return what is to be sent, once the files are there and so is a local server.

        Raises:
            UserError: It cannot be written.
        """
        messages = with_files(messages, inlined)
        if self._downloads:
            fetch = Download(self._model_name, self._clients_for)
            try:
                messages = await downloaded(messages, codec.needs_download, fetch)
            except ValueError as exc:
                raise UserError(f"The messages cannot be sent: {exc}") from exc
        call = encode_request(codec, messages, settings, parameters, stream=stream)
        headers = self._headers(call, settings, stream=stream)
        body = None if call.body is None else call.body | (settings.get("extra_body") or {})

        await self.locate()
        return PreparedRequest(
            codec,
            parameters,
            stream,
            call,
            self._url(call),
            headers,
            None if body is None else dumps(body),
            self._reported_url,
        )

    async def _moved(self, prepared: PreparedRequest) -> PreparedRequest:
        """Return a request to a local server as it is sent to where that is now."""
        await self.locate()
        return evolve(prepared, url=self._url(prepared.call), reported_url=self._reported_url)

    @property
    def _target(self) -> Target:
        return Target(
            self,
            self._model_name,
            self.system,
            self.keys,
            self.key_headers,
            self.budget,
            self.clients,
            self._moved if self._is_served else None,
        )

    @property
    def budget(self) -> Budget:
        """What retries to this host with these keys may cost."""
        return budget_of(self._account)

    @property
    def _account(self) -> tuple[str, Hashable]:
        return self.keys.account(urlsplit(self._base_url or "").netloc)

    async def clients(self) -> Clients:
        """Return the HTTP clients for requests to the model in the current event loop."""
        return await self._clients_for(*self._account)

    async def _clients_for(self, address: str, keys: Hashable = "files") -> Clients:
        if self._own_client is not None:
            return self._own_client.enter()
        return await self._lifetime.clients(address, keys, self._most)

    async def __aenter__(self) -> Self:
        if self._own_client is None:
            await self._lifetime.enter()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._own_client is None:
            await self._lifetime.leave()

    async def locate(self) -> None:
        """Start the local server where it does not run, and take its base URL."""
        if self._is_served:
            server = await serve(self._model_name)
            self._base_url, self._served_key = f"{server.url}/v1", server.key

    @property
    def _reported_url(self) -> str:
        """The base URL as it is in responses."""
        origin = urlsplit(self._base_url or "")._replace(path="", query="", fragment="").geturl()
        return self._provider.reported_url.format(self._base_url, origin=origin)

    def _url(self, call: HTTPCall) -> str:
        """Return the URL of a call.

        A query parameter of the dialect replaces one of the base URL, and that one of the
        provider.
        """
        given = [pair for pair in self._base_query.split("&") if pair]
        names = [unquote_plus(pair.partition("=")[0]) for pair in given]
        ours = self._provider.all_query(os.environ)
        query = {name: value for name, value in ours.items() if name not in names} | call.query
        pairs = [pair for name, pair in zip(names, given, strict=True) if name not in call.query]
        pairs += [urlencode(query)] if query else []
        return f"{self._base_url}{call.path}" + (f"?{'&'.join(pairs)}" if pairs else "")

    def _headers(self, call: HTTPCall, settings: ModelSettings, *, stream: bool) -> dict[str, str]:
        """Return the headers of a call but for the key's: ours, the dialect's, the user's."""
        ours = {
            "content-type": "application/json",
            "accept": "text/event-stream" if stream else "application/json",
            "accept-encoding": "identity",
            "user-agent": f"direct-anyio/{__version__}",
        }
        ours |= self._provider.all_headers(os.environ)
        theirs = {name.lower(): value for name, value in settings.get("extra_headers", {}).items()}
        headers = ours | call.headers | theirs
        for name, value in headers.items():
            is_name = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
            # What passes here must pass the library, whose errors show the value.
            is_value = value.isascii() and value.replace("\t", " ").isprintable()
            if not (is_name and is_value and value == value.strip()):
                raise UserError(f"The header {name!r} has a name or value that cannot be sent.")
        # Best effort: the same for all attempts, for a provider that heeds it.
        headers.setdefault("idempotency-key", str(uuid.uuid4()))
        return headers

    def key_headers(self, key: Hidden) -> dict[str, str]:
        """Return the header that a key goes in."""
        return self._provider.key_headers((self._served_key or key).reveal())


def http_model(
    model: str,
    *,
    api_key: APIKey | Hidden | None = None,
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
    key = hide(api_key)
    del api_key
    provider, name = provider_of(model)
    provider, key, url = access(provider, name, key, base_url)
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
    provider: Provider, name: str, api_key: Hidden | None, base_url: str | None
) -> tuple[Provider, Hidden, str | None]:
    """Return the row, the key and the base URL for a model.

    Arguments replace what the environment says. The base URL is None for a local model.

    Raises:
        UserError: One is missing or not valid, or there is no such local model.
    """
    argument = str(base_url or "").strip()
    variable = next((v for v in provider.base_url_env if os.environ.get(v, "").strip()), None)
    url = argument or provider.url(os.environ)
    if provider.local and url is None:
        find_weights(name)
    elif url is None:
        raise UserError(
            f"The provider {provider.name!r} needs a base URL: {_how_to(provider.base_url_env)}"
            "pass `base_url=` to `infer_model`."
        )
    else:
        is_argument = argument or not variable
        source = "argument `base_url`" if is_argument else f"environment variable `{variable}`"
        _check_url(url, source)
        if provider.at_url is not None:
            provider, url = provider.at_url(provider, url)
    if api_key is None or api_key.reveal() == "":
        # A server of the user's own mostly needs no key.
        placeholder = "api-key-not-set" if argument or variable else ""
        api_key = Hidden(provider.key(os.environ) or provider.default_key or placeholder)
        if not api_key.reveal():
            raise UserError(
                f"The provider {provider.name!r} needs a key: {_how_to(provider.key_env)}"
                "pass `api_key=` to `infer_model` in Python."
            )
    return provider, api_key, url


def _how_to(variables: tuple[str, ...]) -> str:
    named = " or ".join(f"`{name}`" for name in variables)
    return f"set the {named} environment variable, or " if named else ""


def _check_url(url: str, source: str) -> None:
    """Do nothing where `url`, which comes from `source`, can be a base URL."""
    if has_user(url):
        # It would be shown in responses, histories and traces.
        raise UserError(
            f"The base URL of the {source} must hold no user or password: pass `api_key=` instead."
        )
    shown = repr(printable(url.partition("?")[0], 200))
    try:
        if requestable(url).fragment:
            raise ValueError("it has a fragment, behind '#', which is never sent")
    except ValueError as exc:
        raise UserError(
            f"The base URL {shown} of the {source} cannot be used: {exc}. It must be like "
            "'https://host/v1'."
        ) from exc
