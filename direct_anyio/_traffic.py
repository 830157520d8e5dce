"""HTTP clients that record real traffic, without its secrets, and replay it in tests.

Users find them in `direct_anyio.testing`.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import anyio
from anyio import current_time
from attrs import Factory, define, evolve, field, frozen

from ._cassette import Cassette, RecordedChunk, RecordedExchange
from ._core.secrets import SECRET_NAME, Secrets
from ._io.run import HTTPClient, LoopFreeClient, current_clients
from .exceptions import UserError

__all__ = ("Recorder", "Replayer")

_SECRET_FIELD = re.compile(
    "(.*[_-])?(authorization|api[_-]?key|password|secret|"
    "(access|auth|authorization|bearer|refresh)[_-]?token)",
    re.I,
)
"""Texts under such a name in a request's JSON are secrets, such as the key of an MCP server."""

_URL = re.compile(r"https?://\S+", re.I)

_KEPT_HEADERS = {
    *("content-type", "content-encoding"),
    *("date", "retry-after", "retry-after-ms", "x-should-retry"),
    *("request-id", "x-request-id"),
}
"""The headers of a response that say something about the answer."""


def _url(url: str, secrets: Secrets) -> str:
    """Return a URL without its secrets, which are learnt."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    secrets.learn(dict(pairs))
    shown = [(name, "***" if SECRET_NAME.search(name) else value) for name, value in pairs]
    host = parts.netloc.rpartition("@")[2]
    bare = parts._replace(netloc=host, query=urlencode(shown, safe="*"))
    return secrets.hidden(urlunsplit(bare))


def _without_secrets(document: Any, secrets: Secrets, is_headers: bool = False) -> Any:
    """Return a request's JSON without its secrets, which are learnt.

    They have a name of a secret, are headers for another server, or are in a URL.
    """
    match document:
        case dict():
            is_secret = SECRET_NAME.search if is_headers else _SECRET_FIELD.fullmatch
            hidden = {
                name: value
                for name, value in document.items()
                if isinstance(value, str) and is_secret(name)
            }
            # By a name that always counts.
            for value in hidden.values():
                secrets.learn({"secret": value})
            return {
                name: "***"
                if name in hidden
                else _without_secrets(value, secrets, name.lower() == "headers")
                for name, value in document.items()
            }
        case list():
            return [_without_secrets(each, secrets) for each in document]
        case str() if _URL.fullmatch(document):
            return _url(document, secrets)
    return document


@frozen
class _Built:
    """A request as `build_request` was asked for it."""

    method: str
    url: str
    more: dict[str, Any] = field(repr=False)

    def exchange(self, secrets: Secrets) -> RecordedExchange:
        """Return the request as it is written down, with no response yet."""
        url = _url(self.url, secrets)
        text = (self.more.get("content") or b"").decode(errors="replace")
        try:
            document = json.loads(text) if text else None
        except ValueError:
            document = text
        # What is learnt in one place is hidden in all.
        body = secrets.without(_without_secrets(document, secrets))
        return RecordedExchange(self.method, url, body, 0, {}, 0.0, ())


class Recorder(LoopFreeClient):
    """An HTTP client that sends with another one and writes down what goes over the wire.

    ```py
    recorder = Recorder()
    model = infer_model('openai:gpt-4.1-mini', http_client=recorder)
    ...
    recorder.cassette.save('cassette.json')
    ```

    Headers of requests are not written down at all, and of responses only a few. Keys
    are removed from URLs and bodies: what a header or a query parameter held whose name
    tells of a secret, if it has eight characters or more. A compressed body is kept as
    it came and cannot be searched; none is asked for.

    Args:
        client: Who sends: an `httpx.AsyncClient` or `httpx2.AsyncClient`, which stays in
            its event loop and stays yours to close; None for a client of ours in each.

    Attributes:
        any_loop: Whether every event loop may use it.
    """

    def __init__(self, client: HTTPClient | None = None) -> None:
        self.any_loop: bool = client is None
        self._client = client
        self._transport = getattr(client, "_transport", None)  # tells the size of its pool
        self._recordings: list[_Recording] = []

    @property
    def is_closed(self) -> bool:
        """Whether the client that sends is closed."""
        return bool(getattr(self._client, "is_closed", False))

    @property
    def cassette(self) -> Cassette:
        """What has been recorded; a response that is still being read, as far as it is."""
        begun = [each for each in list(self._recordings) if each.has_begun]
        secrets = Secrets()
        for each in begun:
            each.add_secrets(secrets)
        return Cassette(tuple(each.exchange(secrets) for each in begun))

    def build_request(self, method: str, url: Any, **kwargs: Any) -> Any:
        """Return a request for `send`."""
        return _Built(method, str(url), kwargs)

    async def send(
        self, request: Any, *, stream: bool = True, follow_redirects: bool = False
    ) -> Any:
        """Send a request and return the response; its body is written down as it is read."""
        async with AsyncExitStack() as stack:
            client = self._client
            if client is None:
                address = urlsplit(request.url).netloc
                clients = await current_clients(address, "recorded", math.inf)
                client = await stack.enter_async_context(clients.acquire())
            sent = client.build_request(request.method, request.url, **request.more)
            recording = _Recording(evolve(request, url=str(sent.url)), sent, current_time())
            # Here, since the order of requests is that of the cassette.
            self._recordings.append(recording)
            recording.begin(
                await client.send(sent, stream=True, follow_redirects=False), stack.pop_all()
            )
        return recording

    async def aclose(self) -> None:
        """Do nothing: the client that sends is closed by the user."""


@define(eq=False)
class _Recording:
    """A response that is being read, and what is written down of it."""

    _request: _Built
    _sent: Any = field(repr=False)
    _at: float
    _response: Any = field(default=None, init=False)
    _lending: AsyncExitStack = field(factory=AsyncExitStack, init=False)
    _after: float = field(default=0.0, init=False)
    _chunks: list[RecordedChunk] = field(factory=list, init=False)
    _cut: str | None = field(default="its reader left", init=False)
    _left: bool = field(default=False, init=False)
    _body: Any = field(default=None, init=False)

    def begin(self, response: Any, lending: AsyncExitStack) -> None:
        self._lending = lending
        self._after = self._passed()
        self._body = aiter(response.stream)
        self._response = response

    def _passed(self) -> float:
        """Return the seconds since it was last called."""
        before, self._at = self._at, current_time()
        return self._at - before

    @property
    def has_begun(self) -> bool:
        return self._response is not None

    @property
    def status_code(self) -> int:
        return int(self._response.status_code)

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self._response.headers
        return headers

    @property
    def stream(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            data: bytes = await anext(self._body)
        except StopAsyncIteration:
            self._end(None)
            raise
        except Exception as exc:
            self._end(str(exc) or type(exc).__name__)
            raise
        self._chunks.append(RecordedChunk(data, self._passed()))
        return data

    def _end(self, cut: str | None) -> None:
        # What is read of a closed response says nothing of how it ended.
        if not self._left:
            self._cut = cut

    async def aclose(self) -> None:
        self._left = True
        async with self._lending:
            await self._response.aclose()

    def add_secrets(self, secrets: Secrets) -> None:
        """Add the secrets of the request, which other exchanges may show, too."""
        # By now its headers hold what the client added as it sent, such as its `auth`.
        secrets.learn(self._sent.headers)

    def exchange(self, secrets: Secrets) -> RecordedExchange:
        """Return what has been written down, without secrets."""
        asked = self._request.exchange(secrets)
        kept = {name.lower(): value for name, value in self.headers.items()}
        # A secret may lie across the boundaries of chunks.
        body = BytesIO(secrets.masked(b"".join(chunk.data for chunk in self._chunks)))
        chunks = (evolve(chunk, data=body.read(len(chunk.data))) for chunk in self._chunks)
        return evolve(
            asked,
            status=self.status_code,
            headers={n: secrets.hidden(v) for n, v in kept.items() if n in _KEPT_HEADERS},
            after=self._after,
            chunks=tuple(chunks),
            cut=None if self._cut is None else secrets.hidden(self._cut),
        )


class Replayer(LoopFreeClient):
    """An HTTP client that answers from a cassette; any event loop may use it.

    A recording answers a request of the same method, path and JSON body, and answers
    once; of several that fit, the first that is left. The body comes in the chunks that
    it was recorded in.

    ```py
    model = infer_model('openai:gpt-4.1-mini', api_key='none', http_client=Replayer(path))
    ```

    Args:
        cassette: The cassette, or the path of its file.
        timing: Whether head and chunks come at the pace of the recording, instead of at
            once.

    Attributes:
        any_loop: Whether every event loop may use it; always.
        offline: Whether it sends nothing, so that it may be used where real requests are
            forbidden; always.

    Raises:
        UserError: The cassette cannot be read.
    """

    any_loop = True
    offline = True

    def __init__(self, cassette: Cassette | str | Path, *, timing: bool = False) -> None:
        if not isinstance(cassette, Cassette):
            cassette = Cassette.load(cassette)
        self._cassette = cassette
        self._pace = 1.0 if timing else 0.0
        self._left: defaultdict[str, deque[RecordedExchange]] = defaultdict(deque)
        for exchange in cassette.exchanges:
            self._left[exchange.key].append(exchange)

    def build_request(self, method: str, url: Any, **kwargs: Any) -> Any:
        """Return a request for `send`."""
        return _Built(method, str(url), kwargs)

    async def send(
        self, request: Any, *, stream: bool = True, follow_redirects: bool = False
    ) -> Any:
        """Return the recorded response.

        Raises:
            UserError: There is no recording for this request.
        """
        secrets = Secrets()
        secrets.learn(request.more.get("headers") or {})
        asked = request.exchange(secrets)
        try:
            # From here on no other thread can have it.
            exchange = self._left[asked.key].popleft()
        except IndexError:
            raise UserError(self._cassette.no_recording(asked)) from None
        trace = (request.more.get("extensions") or {}).get("trace")
        if trace is not None:
            # Waiting for the head is not waiting for a connection.
            await trace("http11.receive_response_headers.started", {})
        await anyio.sleep(exchange.after * self._pace)
        return _Replayed(exchange, self._pace)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


@define(eq=False)
class _Replayed:
    """A response from a cassette."""

    _exchange: RecordedExchange
    _pace: float
    _chunks: Iterator[RecordedChunk] = field(
        default=Factory(lambda self: iter(self._exchange.chunks), takes_self=True), init=False
    )

    @property
    def status_code(self) -> int:
        return self._exchange.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._exchange.headers

    @property
    def stream(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            await anyio.sleep(chunk.after * self._pace)
            return chunk.data
        if self._exchange.cut is not None:
            raise ConnectionError(f"the recording ends here ({self._exchange.cut})")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._chunks = iter(())
