"""HTTP by httpx, or by httpx2 where the user brings a client of it.

The only module that touches either. One task owns each response: it sends the request,
reads the body and closes it, whatever happens to the task that asked. Errors of the
library are translated here, once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import anyio
import httpx
from anyio import BrokenResourceError, CancelScope, Event, current_time
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from attrs import define, field, frozen

from ..exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelTimeoutError,
    Phase,
    StreamInterrupted,
    UnexpectedModelBehavior,
    UserError,
    printable,
)
from .deadlines import Limits, timed_out
from .http2 import Multiplexed, multiplexed
from .pump import Pipe
from .queueing import queued
from .run import EACH, Clients, HTTPClient

__all__ = ("Exchange", "Request", "new_client", "open_exchange")

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read."""

MAX_DRAIN = 64 * 1024
"""Bytes that are read on after the end of an answer, to keep its connection."""

FULL = 64 * 1024
"""Bytes from which on a batch grows no more; eight of them are as far as we read ahead."""

PIECE = 64 * 1024
"""Bytes of a request that must be accepted within the `write` limit."""


@frozen
class Request:
    """One HTTP request, whole.

    Attributes:
        model_name: For errors.
        method: GET or POST.
        url: The absolute URL.
        headers: All headers, the key among them; never printed.
        content: The body.
        sni: The name to show and check in TLS, where the URL has an address in its place.
    """

    model_name: str
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    sni: str | None = None


# It takes 25 ms to build, so it is built once, with the import and off the event loop.
_SSL_CONTEXT = httpx.create_ssl_context()


def new_client(library: Any = httpx) -> HTTPClient:
    """Return a client that never queues, keeps no cookies and follows no redirects.

    Queueing is left to our limiter: httpcore's own queue is quadratic, and a request
    cancelled in it holds its place for ever (encode/httpcore#1093).
    """
    try:
        client = library.AsyncClient(
            verify=_SSL_CONTEXT,
            timeout=None,
            limits=library.Limits(max_connections=None, max_keepalive_connections=EACH),
            follow_redirects=False,
        )
    except (ImportError, ValueError) as exc:
        # A proxy of the environment's that httpx does not know, or not yet.
        raise UserError(f"No HTTP client can be made: {exc}") from exc
    client.cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))
    return client  # type: ignore[no-any-return]


_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence before the first probe, seconds between two, and probes in vain after
which a connection is dead: two minutes in all."""

_PHASES: dict[str, Phase] = {
    "connection.connect_tcp.started": "connect",
    "connection.connect_unix_socket.started": "connect",
    "socks.connect_tcp.started": "connect",
    "proxy.start_tls.started": "connect",
    "http11.send_request_headers.started": "write",
    "http2.send_request_headers.started": "write",
    "http11.receive_response_headers.started": "headers",
    "http2.receive_response_headers.started": "headers",
}
"""What httpcore's trace calls the beginning of each phase."""

_MADE = (
    "connection.connect_tcp.complete",
    "connection.connect_unix_socket.complete",
    "socks.connect_tcp.complete",
)
"""What it calls that there is a new connection."""

_SHARED = "http2.send_request_headers.started"

_UNDIVIDED = (*_MADE, "http2.send_connection_init.complete", _SHARED)
"""What it calls the beginnings of steps that must not be cut short."""

_DROPPED = ("Server disconnected", "<ConnectionTerminated", "<StreamReset")
"""Begin what it says of a peer that is gone; the last two are of HTTP/2."""


@define(eq=False)
class Exchange:
    """One HTTP request and its answer.

    Attributes:
        status: The status of the answer.
        headers: Its headers, by lower-case name.
    """

    _request: Request
    _limits: Limits
    _deadline: float
    status: int = 0
    headers: dict[str, str] = field(factory=dict, repr=False)
    _phase: Phase = "pool"
    _is_traced: bool = False
    _client: HTTPClient | None = None
    _made: Any = None
    _via: str | None = None
    _head_is_out: bool = False
    _multiplexed: Multiplexed | None = None
    _has_content: bool = False
    _waited: float = 0.0
    _pipe: Pipe[bytes] = field(factory=lambda: Pipe(len, FULL), init=False)
    _headed: Event = field(factory=Event, init=False)
    _limiting: CancelScope = field(factory=CancelScope, init=False)

    async def receive(self, *, tail: bool = False) -> bytes:
        """Wait for bytes; what else has arrived comes with them.

        Args:
            tail: Whether the answer is whole already, so that the wait is short.

        Raises:
            anyio.EndOfStream: The body is complete, or its tail does not come.
            ModelAPIError: It is not complete, and never will be.
        """
        # A limit costs a cancel scope, so only where there is something to wait for.
        return b"".join(self._pipe.receive_nowait() or await self._wait(tail))

    def progressed(self) -> None:
        """Take note that the reader got an event out of what it received."""
        self._has_content, self._waited = True, 0.0

    async def _wait(self, tail: bool) -> list[bytes]:
        """Wait for a batch under the limit that passes first."""
        started = current_time()
        limit, deadline = self._next_limit(started, tail)
        try:
            with CancelScope(deadline=deadline):
                return await self._pipe.receive()
        finally:
            # Only our own waiting counts: a reader that sleeps is not the provider's fault.
            self._waited += current_time() - started
        if limit == "tail":
            raise anyio.EndOfStream
        raise self._timed_out(limit, "body")

    def _next_limit(self, now: float, tail: bool) -> tuple[str, float]:
        limits = self._limits
        if tail:
            return "tail", min(now + limits.tail, self._deadline)
        waiting = "progress" if self._has_content else "first_event"
        passes = {
            "idle": now + limits.idle,
            waiting: now + getattr(limits, waiting) - self._waited,
            "total": self._deadline,
        }
        limit = min(passes, key=passes.__getitem__)
        return limit, passes[limit]

    async def read_error(self) -> bytes:
        """Return the start of the body, as much of it as comes in a moment."""
        body = b""
        # One that is cut short is none the less the error that its status says.
        cut = (anyio.EndOfStream, ModelAPIError)
        passes = min(current_time() + self._limits.error_body, self._deadline)
        with CancelScope(deadline=passes), suppress(*cut):
            while len(body) < MAX_ERROR_BODY:
                body += b"".join(await self._pipe.receive())
        return body[:MAX_ERROR_BODY]

    async def aclose(self, *, drain: bool) -> None:
        """Close the connection now, or with `drain` once the body is complete, in a moment."""
        try:
            if drain:
                await self._drain()
        finally:
            self._pipe.leave()

    async def _drain(self) -> None:
        seen = 0
        over = (anyio.EndOfStream, anyio.ClosedResourceError, ModelAPIError)
        with anyio.move_on_after(self._limits.drain), suppress(*over):
            while seen < MAX_DRAIN:
                seen += sum(map(len, await self._pipe.receive()))

    async def head(self) -> None:
        """Wait for the head of the answer.

        Raises:
            ModelAPIError: There will be none.
        """
        await self._headed.wait()
        if not self.status:
            await self._pipe.receive()

    async def pump(self, clients: Clients) -> None:
        """Own the response: send the request, pass the body on, close."""
        # A cancellation from without is no end: the reader may be out of its reach.
        failure: BaseException | None = anyio.ClosedResourceError()
        try:
            with self._pipe.scope:
                await self._pump(clients)
            failure = None
        except Exception as exc:
            failure = exc
        finally:
            self._pipe.finish(failure)
            self._headed.set()

    async def _pump(self, clients: Clients) -> None:
        response: Any = None
        async with AsyncExitStack() as stack:
            with self._limiting:
                self._enter("pool")
                with queued("connections"):
                    await stack.enter_async_context(clients.limiter)
                self._client = await stack.enter_async_context(clients.lent())
                response = await self._send(self._client)
            if self._limiting.cancelled_caught:
                raise self._timed_out(self._phase, self._phase)
            self._phase = "body"
            await self._forward(response)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase: its own limit holds from now on."""
        self._phase = phase
        seconds = getattr(self._limits, phase)
        self._limiting.deadline = min(current_time() + seconds, self._deadline)

    async def _trace(self, name: str, info: dict[str, Any]) -> None:
        self._is_traced = True
        # A connection that is cancelled between its making and its use keeps its place in
        # httpcore's pool for ever, so there is no cancellation from here to the next step.
        # Nor in a head of HTTP/2: where a part of one is lost, none after it can be read.
        self._limiting.shield = name in _UNDIVIDED or name.endswith("start_tls.complete")
        if name in _PHASES:
            self._enter(_PHASES[name])
            self._via = info.get("host", self._via)
        elif name in _MADE:
            self._made = info["return_value"]
            _keep_alive(self._made)
        elif name.endswith("send_request_headers.complete"):
            self._head_is_out = True
        if name == _SHARED:
            self._multiplexed = multiplexed(self._client, info)

    def _written(self) -> None:
        """Take note that a piece of the body is sent; the next has a limit of its own."""
        if self._phase == "write":
            self._enter("write")

    @property
    def stale(self) -> bool:
        """Whether it failed because a kept connection turned out to be dead.

        Then no byte of an answer came, and the connection was none of its own making.
        """
        used_kept = self._is_traced and self._phase in ("write", "headers") and self._made is None
        return used_kept and not self._limiting.cancelled_caught and not self.status

    async def _send(self, client: HTTPClient) -> Any:
        request = self._request
        try:
            built = client.build_request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.content,
                timeout=None,
                extensions={"trace": self._trace}
                | ({"sni_hostname": request.sni} if request.sni else {}),
            )
            if request.content is not None and hasattr(built, "stream"):
                kind: Any = type(built.stream)
                built.stream = _body_class(kind)(request.content, self._written)
            # A transport without traces, such as a mock, is in no other phase.
            self._enter("headers")
            response = await self._sent(client, built)
        except Exception as exc:
            raise self._translated(exc) from exc
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._headed.set()
        return response

    async def _sent(self, client: HTTPClient, built: Any) -> Any:
        try:
            return await client.send(built, stream=True)
        except BaseException:
            # A cancellation in the TLS handshake makes httpcore forget its connection.
            if self._made is not None and self._phase == "connect":
                with CancelScope(shield=True, deadline=current_time() + self._limits.close):
                    await self._made.aclose()
            await self._reset()
            raise

    async def _reset(self) -> None:
        if self._multiplexed is not None:
            await self._multiplexed.reset(self._limits.close)

    async def _forward(self, response: Any) -> None:
        # The raw stream does not close itself at its end, so the check comes in time.
        chunks = aiter(response.stream)
        try:
            async for chunk in chunks:
                await self._pipe.send(chunk)
            _refuse_leftovers(response)
        except BrokenResourceError:
            pass
        except Exception as exc:
            raise self._translated(exc) from exc
        finally:
            await self._reset()
            passes = current_time() + self._limits.close
            with CancelScope(shield=True, deadline=passes) as scope:
                await response.aclose()
                if self._multiplexed is not None:
                    # A stream of HTTP/2 that is closed waits for bytes none the less.
                    scope.cancel()
                # Unwinds the library's nested generators here, not in the garbage collector.
                # What they had read before comes out first.
                with suppress(Exception):
                    async for _ in chunks:
                        await checkpoint()

    def _translated(self, exc: Exception) -> Exception:
        """Return our error for one of the library's; a bug stays what it is."""
        names = {kind.__name__ for kind in type(exc).__mro__}
        if not names & {"HTTPError", "InvalidURL", "StreamError", "H2Error", "OSError"}:
            return exc
        text = printable(_reason(exc)) or type(exc).__name__
        host = _host(self._request.url)
        # Behind our head, httpcore blames us for what a peer of HTTP/2 did.
        unsayable = "LocalProtocolError" in names and not self._head_is_out
        if unsayable or names & {"UnsupportedProtocol", "InvalidURL"}:
            return UserError(f"The request to {host} cannot be sent: {text}")
        if names & {"ConnectError", "ProxyError"}:
            self._phase = "connect"
        if self._phase == "body":
            is_ours = getattr(self._client, "is_closed", False)
            broke = "The HTTP client was closed" if is_ours else f"The connection to {host} broke"
            return self._failed(StreamInterrupted, f"{broke} during the response: {text}")
        if "ProxyError" in names:
            message = f"The proxy did not connect to {host}: {text}. Is it the right one?"
            return self._failed(ModelConnectionError, message)
        if self._phase == "connect":
            message = (
                f"Could not connect to {self._whom(host)}: {text}. "
                "Is the server running, and is the base URL right?"
            )
            return self._failed(ModelConnectionError, message)
        answered = self._head_is_out and self._phase == "headers"
        unreadable = "RemoteProtocolError" in names or (answered and "ProtocolError" in names)
        if unreadable and not text.startswith(_DROPPED):
            error = UnexpectedModelBehavior(f"{host} answered in no HTTP that can be read: {text}")
            error.phase = self._phase
            return error
        message = f"The connection to {host} broke before the response: {text}"
        return self._failed(ModelConnectionError, message)

    def _whom(self, host: str) -> str:
        """Return the host, and the proxy that stands before it."""
        direct = self._via is None or httpx.URL(self._request.url).host == self._via
        return host if direct else f"{self._via}, the proxy for {host}"

    def _failed(self, kind: type[ModelConnectionError], message: str) -> ModelConnectionError:
        error = kind(self._request.model_name, message)
        error.phase = self._phase
        return error

    def _timed_out(self, limit: str, phase: Phase) -> ModelTimeoutError:
        if current_time() >= self._deadline:
            limit = "total"
        seconds = getattr(self._limits, limit)
        host = _host(self._request.url)
        return timed_out(self._request.model_name, limit, seconds, phase, host)


class _Body:
    """A request's body, in pieces.

    The library's own is an async generator, which an upload that is cut short would leave
    to the garbage collector.
    """

    def __init__(self, content: bytes, written: Callable[[], None]) -> None:
        self._content = content
        self._written = written

    def __aiter__(self) -> _Body:
        starts = range(0, len(self._content), PIECE)
        self._pieces = (self._content[start : start + PIECE] for start in starts)
        return self

    async def __anext__(self) -> bytes:
        self._written()
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


@cache
def _body_class(kind: Any) -> Any:
    """Return our body as a kind of the library's, which insists on its own."""
    return type("Body", (_Body, kind), {})


async def open_exchange(
    group: TaskGroup,
    request: Request,
    clients: Clients,
    limits: Limits,
    deadline: float,
) -> Exchange:
    """Send a request and wait for the head of its answer.

    Args:
        group: Where the task runs that owns the response.
        request: The request.
        clients: One of them sends it, and is held until the response is closed.
        limits: How long each step may take.
        deadline: When all of it must be over, on the clock of the event loop.

    Raises:
        ModelAPIError: There is no answer.
        UserError: The request cannot be sent.
    """
    exchange = Exchange(request, limits, deadline)
    try:
        await _headed(group, exchange, clients)
    except ModelConnectionError:
        if not exchange.stale:
            raise
        # It may be the connection that failed, not the server: one more is free.
        exchange = Exchange(request, limits, deadline)
        await _headed(group, exchange, clients)
    return exchange


async def _headed(group: TaskGroup, exchange: Exchange, clients: Clients) -> None:
    group.start_soon(exchange.pump, clients)
    try:
        await exchange.head()
    except BaseException:
        # Also where the head came and nobody waited for it any more.
        await exchange.aclose(drain=False)
        raise


def _keep_alive(made: Any) -> None:
    """Have the system look after a silent connection, so that a router does not forget it."""
    connected = made.get_extra_info("socket")
    with suppress(AttributeError, OSError):  # A stream of another kind, or of another system.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _PROBES.items():
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _reason(exc: BaseException | None) -> str:
    """Return what an error says, else what its cause says: on trio, only that tells of TLS."""
    # httpcore raises one error for each stream of a connection, so the chain may be a ring.
    seen: list[BaseException] = []
    while exc is not None and not str(exc) and exc not in seen:
        seen.append(exc)
        exc = exc.__cause__ or exc.__context__
    return str(exc or "")


def _host(url: str) -> str:
    """Return scheme, host and port of a URL; the rest may hold a secret."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "an invalid URL"
    return f"{parsed.scheme}://{parsed.netloc.decode()}"


def _refuse_leftovers(response: Any) -> None:
    """Keep a connection from reuse of which we cannot be sure that this response is over.

    There are bytes behind its end, or its length was told in two ways. Such bytes would
    be taken for the answer to the next request. Only httpcore's h11 state knows of them;
    where it is not found, as behind a mock, nothing is done.
    """
    try:
        state = response.stream._stream._httpcore_stream._stream._connection._h11_state
        leftover = state.trailing_data[0]
    except AttributeError:
        return
    # RFC 9112, 6.3: a server that sent both ought to be handled as an error.
    told_twice = {"content-length", "transfer-encoding"} <= {*map(str.lower, response.headers)}
    if leftover or told_twice:
        state.send_failed()
