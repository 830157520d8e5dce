"""A model behind HTTP: a row of the provider table, a codec, and the transport."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import anyio
from anyio.abc import TaskGroup
from attrs import define, field, frozen

from .. import __version__
from .._core.accumulator import Accumulator
from .._core.codec import Codec, HTTPCall, Reader
from .._core.decoder import BodyDecoder, Decoder, ItemsDecoder, StreamDecoder, failed_of
from .._core.failures import document_of, http_error, retry_after
from .._core.fold import BytesFold
from .._core.inflate import decompressed
from .._core.json import dumps
from .._io.deadlines import Limits, limits_of
from .._io.llama import find_weights, serve
from .._io.run import BoundClient, current_run, transport
from .._io.tasks import open_task_group
from .._provider import Provider
from ..exceptions import ModelAPIError, UnexpectedModelBehavior, UserError
from ..messages import ModelMessage, ModelResponse, now
from ..profiles import ModelProfile, ModelProfileSpec
from ..providers import provider_of
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from . import Model, check_allow_model_requests

if TYPE_CHECKING:
    from .._io.run import HTTPClient
    from .._io.transport import Exchange, Request

__all__ = ("HTTPModel", "http_model")

_REQUEST_IDS = ("request-id", "x-request-id")


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
        self._base_url = None if base_url is None else _checked_url(base_url)
        self._own_client = None if http_client is None else BoundClient(http_client)

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
        return self._provider.codec(
            model_name=self._model_name, provider_name=self.system, profile=self.profile
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

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """Send a request and stream the response.

        Yields:
            The stream, once its first content has arrived.
        """
        asked = self._ask(messages, model_settings, model_request_parameters, stream=True)
        async with asked as stream:
            yield stream

    @asynccontextmanager
    async def _ask(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> AsyncIterator[StreamedResponse]:
        check_allow_model_requests()
        if not messages:
            raise UserError(
                "There are no messages to answer: pass at least one, such as "
                "`ModelRequest.user_text_prompt('Hello')`."
            )
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        limits = limits_of(settings, stream=stream)
        codec = self.codec
        call = codec.encode(messages, settings, parameters, stream=stream)
        asking = _Asking(self, codec, parameters, limits, stream)
        async with open_task_group() as group:
            response = await asking.open(group, call, settings)
            try:
                yield response
            finally:
                await response.aclose()

    async def located(self) -> str:
        """Return the base URL, with a local server started."""
        if self._base_url is None:
            self._base_url = f"{await serve(self._model_name)}/v1"
        elif self._provider.local:
            await serve(self._model_name)
        return self._base_url

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

    def scrubbed(self, body: bytes) -> bytes:
        """Return a body without the key, which some providers echo."""
        key = self._key.value.encode()
        return body.replace(key, b"***") if len(key) > 7 else body


@define(eq=False)
class _Asking:
    """One request on its way to becoming a stream."""

    model: HTTPModel
    codec: Codec
    parameters: ModelRequestParameters
    limits: Limits
    stream: bool
    deadline: float = field(init=False, default=math.inf)

    async def open(
        self, group: TaskGroup, call: HTTPCall, settings: ModelSettings
    ) -> StreamedResponse:
        """Send the request and wait for its first content.

        Raises:
            ModelAPIError: There is none.
        """
        self.deadline = anyio.current_time() + self.limits.total
        url = await self.model.located() + call.path
        query = self.model._provider.all_query(os.environ) | call.query
        headers = self.model.headers(call, settings, stream=self.stream)
        body = None if call.body is None else call.body | (settings.get("extra_body") or {})
        library = await transport()
        request = library.Request(
            self.model.model_name,
            "GET" if body is None else "POST",
            f"{url}?{urlencode(query)}" if query else url,
            headers,
            None if body is None else dumps(body),
        )
        exchange = None
        try:
            exchange = await self._send(group, library, request)
            return await self._first_content(exchange)
        except BaseException as exc:
            if exchange is not None:
                await exchange.aclose(drain=False)
            if isinstance(exc, ModelAPIError):
                self._describe(exc, exchange)
            raise

    async def _send(self, group: TaskGroup, library: Any, request: Request) -> Exchange:
        own = self.model._own_client
        if own is not None:
            client, limiter = own.enter()
        else:
            run = await current_run()
            client, limiter = run.client, run.limiter
        exchange: Exchange = await library.open_exchange(
            group,
            request,
            client,
            None if self.model._provider.local else limiter,
            self.limits,
            self.deadline,
        )
        return exchange

    async def _first_content(self, exchange: Exchange) -> StreamedResponse:
        decoder = await self._decoder(exchange)
        accumulator = Accumulator(
            parameters=self.parameters,
            model_name=self.model.model_name,
            timestamp=now(),
            provider_name=self.model.system,
            provider_url=self.model._provider.reported_url.format(self.model.base_url),
        )
        fold = BytesFold(decoder, accumulator)
        try:
            while not fold.hold(await exchange.receive("first_event")):
                pass
        except anyio.EndOfStream:
            fold.hold_end()
        return StreamedResponse(exchange, fold, fold.held())

    async def _decoder(self, exchange: Exchange) -> Decoder:
        """Return what decodes the body, by what the head says it is.

        Raises:
            ModelHTTPError: The head says that it is an error.
            UnexpectedModelBehavior: It is neither a stream nor JSON.
        """
        reader = self.codec.reader(self.parameters)
        if not 200 <= exchange.status < 300:
            return await self._of_error(exchange, reader)
        if exchange.status == 204:
            raise UnexpectedModelBehavior("The response has no content (status 204)")
        kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        name = self.model.model_name
        decoder: Decoder
        if kind in ("application/json", "") and not (self.stream and not kind):
            decoder = BodyDecoder(reader.body, name)
        elif self.stream and kind in ("text/event-stream", ""):
            decoder = StreamDecoder(reader, name)
        else:
            start = (await exchange.read_error()).decode(errors="replace")
            wanted = "text/event-stream" if self.stream else "application/json"
            message = f"Expected a response of type {wanted}, got {kind or 'none'}"
            raise UnexpectedModelBehavior(message, start[:200])
        return decompressed(decoder, exchange.headers.get("content-encoding", ""))

    async def _of_error(self, exchange: Exchange, reader: Reader) -> Decoder:
        """Return what decodes an error that is an answer in truth; raise any other."""
        body = self.model.scrubbed(await exchange.read_error())
        document = document_of(body)
        answer = failed_of(reader)(document)
        if answer is not None:
            return ItemsDecoder(answer)
        if exchange.status < 400:
            host = urlsplit(exchange.headers.get("location", "")).netloc
            document = f"a redirect to {host or 'nowhere'}, which is not followed"
        error = http_error(exchange.status, document, self.model.model_name)
        error.phase = "headers"
        error.retry_after = retry_after(exchange.headers)
        raise error

    def _describe(self, error: ModelAPIError, exchange: Exchange | None) -> None:
        error.model_name = error.model_name or self.model.model_name
        error.provider = self.model.system
        error.phase = error.phase or "body"
        if exchange is not None:
            ids = (exchange.headers.get(name) for name in _REQUEST_IDS)
            error.request_id = next((id for id in ids if id), None)


def http_model(
    model: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    http_client: HTTPClient | None = None,
    settings: ModelSettings | None = None,
    profile: ModelProfileSpec | None = None,
) -> HTTPModel:
    """Return the model of a name; see `infer_model`.

    Raises:
        UserError: There is no such provider, or its key or base URL is missing.
    """
    provider, name = provider_of(model)
    if provider.local and base_url is None:
        find_weights(name)
    else:
        base_url = base_url or provider.url(os.environ)
        if base_url is None:
            raise UserError(
                f"The provider {provider.name!r} needs a base URL: {_how_to(provider.base_url_env)}"
                "pass `base_url=` to `infer_model`."
            )
    return HTTPModel(
        provider,
        name,
        api_key=api_key or _key_of(provider, base_url, os.environ),
        base_url=base_url,
        http_client=http_client,
        settings=settings,
        profile=profile,
    )


def _key_of(provider: Provider, base_url: str | None, environ: Mapping[str, str]) -> str:
    key = provider.key(environ) or provider.default_key
    if key:
        return key
    if base_url not in (None, provider.base_url):
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


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"The base URL must be like 'https://host/v1', not {url!r}")
    return url.rstrip("/")


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        named = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not named or any(c in "\r\n\0" for c in value):
            raise UserError(f"The header {name!r} has a name or value that cannot be sent.")
    return headers
