"""HTTP by httpx, or by httpx2 where the user brings a client of it.

The only module that touches either. One task owns each response: it sends the request,
reads the body and closes it, whatever happens to the task that asked. Errors of the
library are translated here, once.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NoReturn

import anyio
import httpx
from anyio import BrokenResourceError, CancelScope, Event, current_effective_deadline, current_time
from anyio.abc import TaskGroup
from anyio.lowlevel import cancel_shielded_checkpoint
from attrs import define, evolve, field, frozen

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
from .deadlines import Limits, Total, timed_out
from .environment import certificates, proxies
from .pump import Pipe
from .queueing import queued
from .run import Clients, HTTPClient
from .trace import Trace

__all__ = ("Exchange", "Request", "new_client", "open_exchange")

MAX_KEPT = 1
"""Connections that a client keeps: it has one request at a time."""

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body after which no more is read."""

MAX_DRAIN = 64 * 1024
"""Bytes that are read on after the end of an answer, to keep its connection."""

MAX_UNREAD = 256 * 1024
"""Bytes that the library may have read ahead, 64 KiB with httpcore; a source of more is left."""

MAX_BATCH = 64 * 1024
"""Bytes from which on a batch grows no more; eight batches are as far as we read ahead."""

WRITE_SIZE = 64 * 1024
"""Bytes of a request that must be accepted within the `write` limit."""


@frozen
class Request:
    """One HTTP request, whole.

    Attributes:
        model_name: For errors.
        method: GET or POST.
        url: The absolute URL.
        headers: The headers; never printed.
        content: The body.
        sni: The name to show and check in TLS, where the URL has an address in its place.
        hint: What to check where the server cannot be reached.
        late_headers: Returns more headers, the key among them, once it is this request's
            turn: what was known before may have changed by then. Those of `headers` count
            before them. It keeps the limit on all of a request itself.
    """

    model_name: str
    method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    sni: str | None = None
    hint: str = "Is the server running, and is the base URL right?"
    late_headers: Callable[[], Awaitable[dict[str, str]]] | None = None


_TLS_HINTS = {
    "CERTIFICATE_VERIFY_FAILED": (
        "The server is there, but its certificate is not trusted: for an authority of your own, "
        "set the environment variable SSL_CERT_FILE to the file of its certificate."
    ),
    "WRONG_VERSION_NUMBER": "The server does not speak TLS: is the base URL 'http://...'?",
}
"""What to look at where TLS failed, by what the error holds."""


@cache
def _ssl_context() -> Any:
    """Return what all connections trust; it takes 25 ms to build.

    Raises:
        UserError: The environment names a file that holds no certificates.
    """
    variable = certificates()
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as exc:
        raise UserError(f"The environment variable `{variable}` names no certificates.") from exc


def new_client(host: str, library: Any = httpx) -> HTTPClient:
    """Return a client that never queues, keeps no cookies and follows no redirects.

    Args:
        host: The host that it is for.
        library: httpx or httpx2.

    Queueing is left to our limiter: httpcore's own queue is quadratic, and a request
    cancelled in it holds its place for ever (encode/httpcore#1093).

    Raises:
        UserError: The proxies or certificates of the environment cannot be used.
    """
    made: dict[str, Any] = {
        "verify": _ssl_context(),
        "limits": library.Limits(max_connections=None, max_keepalive_connections=MAX_KEPT),
    }
    try:
        mounts = {
            pattern: None if proxy is None else library.AsyncHTTPTransport(proxy=proxy, **made)
            for pattern, proxy in proxies(host).items()
        }
    except (ImportError, ValueError) as exc:
        # A proxy that httpx does not know, or not yet.
        raise UserError(f"No HTTP client can be made: {exc}") from exc
    client = library.AsyncClient(
        timeout=None, follow_redirects=False, trust_env=False, mounts=mounts, **made
    )
    client.cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))
    return client  # type: ignore[no-any-return]


_DROPPED = ("Server disconnected", "<ConnectionTerminated", "<StreamReset")
"""Begin what httpcore says of a peer that is gone; the last two are of HTTP/2."""


_REDIRECTS = range(300, 400)


class _LateHeadersError(Exception):
    """Carries the error of `late_headers` to the task that asks."""


@define(eq=False)
class Exchange:
    """One HTTP request and its answer.

    Attributes:
        request: The request, as far as it is complete.
        status: The status of the answer.
        headers: Its headers, by lower-case name.
    """

    request: Request
    _limits: Limits
    _total: Total
    status: int = 0
    headers: dict[str, str] = field(factory=dict, repr=False)
    _phase: Phase = "pool"
    _trace: Trace | None = None
    _has_content: bool = False
    _waited: float = 0.0
    _is_built: bool = False
    _pipe: Pipe[bytes] = field(factory=lambda: Pipe(len, MAX_BATCH), init=False)
    _headed: Event = field(factory=Event, init=False)
    _limiting: CancelScope = field(factory=CancelScope, init=False)

    async def receive(self, *, tail: bool = False, progressed: bool = False) -> bytes:
        """Wait for bytes; what else has arrived comes with them.

        Args:
            tail: Whether the answer is whole already, so that the wait is short.
            progressed: Whether the reader got an event out of what came last.

        Raises:
            anyio.EndOfStream: The body is complete.
            ModelAPIError: It is not complete, and never will be.
        """
        if progressed:
            self._has_content, self._waited = True, 0.0
        # A limit costs a cancel scope, so only where there is something to wait for.
        return b"".join(self._pipe.receive_nowait() or await self._wait(tail))

    async def _wait(self, tail: bool) -> list[bytes]:
        """Wait for a batch under the limit that passes first."""
        started = current_time()
        limits, total = self._limits, self._total.at
        if tail:
            limit, deadline = "tail", min(started + limits.tail, total)
        else:
            waiting = "progress" if self._has_content else "first_event"
            deadlines = {
                "idle": started + limits.idle,
                waiting: started + getattr(limits, waiting) - self._waited,
                "total": total,
            }
            limit = min(deadlines, key=deadlines.__getitem__)
            deadline = deadlines[limit]
        try:
            with CancelScope(deadline=deadline):
                return await self._pipe.receive()
        finally:
            # Only our own waiting counts: a reader that sleeps is not the provider's fault.
            self._waited += current_time() - started
        if limit == "idle":
            self._retire()
        raise self._timed_out(limit, "body")

    def _retire(self) -> None:
        """Keep a connection of HTTP/2 that is silent, perhaps for ever, from later requests."""
        if self._trace is not None and self._trace.shared is not None:
            self._trace.shared.retire()

    async def read_error(self) -> bytes:
        """Return the start of the body, as much of it as comes in a moment."""
        passes = min(current_time() + self._limits.error_body, self._total.at)
        return await self._read(MAX_ERROR_BODY, passes)

    async def aclose(self, *, drain: bool) -> None:
        """Have the pump close the connection: now, or with `drain` once the body is complete.

        The pump does so in `_forward`, or as it leaves the client where there is no response.
        """
        try:
            if drain:
                await self._read(MAX_DRAIN, current_time() + self._limits.drain)
        finally:
            self._pipe.leave()
            # A step that must not be cut short has no more time than the closing.
            passes = current_time() + self._limits.close
            self._limiting.deadline = min(self._limiting.deadline, passes)

    async def _read(self, most: int, deadline: float) -> bytes:
        """Return what comes of the body until then, also of one that is cut short."""
        body = b""
        over = (anyio.EndOfStream, anyio.ClosedResourceError, ModelAPIError)
        with CancelScope(deadline=deadline), suppress(*over):
            while len(body) < most:
                body += b"".join(await self._pipe.receive())
        return body

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
                async with AsyncExitStack() as stack:
                    response = await self._respond(clients, stack)
                    self._phase = "body"
                    if response is not None:
                        await self._forward(response)
            failure = None
        except _LateHeadersError as exc:
            # Even what ends a program belongs to the task that asks.
            failure = exc.__cause__
        except Exception as exc:
            failure = exc
        finally:
            self._pipe.finish(failure)
            self._headed.set()

    async def _respond(self, clients: Clients, stack: AsyncExitStack) -> Any:
        """Wait for a connection, send the request and return the response, None for a redirect."""
        with self._limiting:
            begun = current_time()
            self._limiting.deadline = begun + self._limits.pool
            with queued("connections"):
                await stack.enter_async_context(clients.limiter)
            self._total.at += current_time() - begun
            client = await stack.enter_async_context(clients.acquire())
            await self._add_late_headers()
            return await self._send(client)
        if self._phase == "headers":
            self._retire()
        raise self._timed_out(self._phase, self._phase)

    async def _add_late_headers(self) -> None:
        """Ask for the headers that come late.

        Raises:
            _LateHeadersError: There are none; its cause says why.
        """
        request = self.request
        if request.late_headers is None:
            return
        self._limiting.deadline = math.inf
        try:
            headers = await request.late_headers()
        except BaseException as exc:
            if current_effective_deadline() == -math.inf:
                raise  # It is this task that is cancelled.
            raise _LateHeadersError from exc
        self.request = evolve(request, headers=headers | request.headers, late_headers=None)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase: its own limit holds from now on."""
        self._phase = phase
        seconds = getattr(self._limits, phase)
        self._limiting.deadline = min(current_time() + seconds, self._total.at)

    def _written(self) -> None:
        """Take note that a piece of the body is sent; the next has a limit of its own."""
        if self._phase == "write":
            self._enter("write")

    @property
    def stale(self) -> bool:
        """Whether it failed because a kept connection turned out to be dead.

        Then no byte of an answer came, and the connection was none of its own making.
        """
        trace = self._trace
        if trace is None or not trace.has_events or trace.made is not None:
            return False
        is_sent = self._phase in ("write", "headers") and not self.status
        return is_sent and not self._limiting.cancelled_caught

    async def _send(self, client: HTTPClient) -> Any:
        trace = self._trace = Trace(client, self._enter, self._limiting)
        try:
            response = await self._sent(client, trace)
        except Exception as exc:
            if trace.head is None or trace.head[0] not in _REDIRECTS:
                self._fail(exc)
            # The library cannot read where it leads; it is not followed anyway.
            self.status, self.headers = trace.head
            response = None
        else:
            self.status = response.status_code
            self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._headed.set()
        return response

    async def _sent(self, client: HTTPClient, trace: Trace) -> Any:
        request = self.request
        built = client.build_request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            timeout=None,
            extensions={"trace": trace} | ({"sni_hostname": request.sni} if request.sni else {}),
        )
        if request.content is not None and hasattr(built, "stream"):
            base: Any = type(built.stream)
            built.stream = _body_class(base)(request.content, self._written)
        self._is_built = True
        # A transport without traces, such as a mock, is in no other phase.
        self._enter("headers")
        try:
            # Whatever the default of a client of the user's is.
            return await client.send(built, stream=True, follow_redirects=False)
        except BaseException:
            await trace.abandon(self._limits.close, connecting=self._phase == "connect")
            raise

    async def _forward(self, response: Any) -> None:
        """Pass the body on until it ends or the reader leaves, and close the connection."""
        # The raw stream does not close itself at its end, so the check comes in time.
        chunks = aiter(response.stream)
        try:
            async for chunk in chunks:
                await self._pipe.send(chunk)
            _refuse_leftovers(response)
        except BrokenResourceError:
            pass
        except Exception as exc:
            self._fail(exc)
        finally:
            assert self._trace is not None
            await self._trace.abandon(self._limits.close, connecting=False)
            passes = current_time() + self._limits.close
            with CancelScope(shield=True, deadline=passes):
                await response.aclose()
            # Unwinds the library's nested generators here, not in the garbage collector, also
            # where the closing took too long. What they had read before comes out first, and
            # none of them may wait: a stream of HTTP/2 would, even where it is closed.
            with CancelScope(shield=True) as scope, suppress(Exception):
                scope.cancel()
                unread = MAX_UNREAD
                async for chunk in chunks:
                    unread -= len(chunk) + 1
                    if unread < 0:
                        break
                    await cancel_shielded_checkpoint()

    def _fail(self, exc: Exception) -> NoReturn:
        """Raise our error for one of the library's; a bug stays what it is."""
        translated = self._translated(exc)
        raise translated from (exc.__cause__ if translated is exc else exc)

    def _translated(self, exc: Exception) -> Exception:
        names = {cls.__name__ for cls in type(exc).__mro__}
        text = printable(_reason(exc)) or type(exc).__name__
        host = _host(self.request.url)
        head_is_out = self._trace is not None and self._trace.head_is_out
        # The library reads the head of an answer by HTTP/2 as if it could not be wrong.
        misread = head_is_out and self._phase == "headers" and isinstance(exc, ValueError)
        if misread:
            names.add("RemoteProtocolError")
        elif not names & {"HTTPError", "InvalidURL", "StreamError", "H2Error", "OSError"}:
            return exc
        # Behind our head, httpcore blames us for what a peer of HTTP/2 did.
        not_writable = "LocalProtocolError" in names and not head_is_out
        misled = bool(names & {"UnsupportedProtocol", "InvalidURL"})
        if not_writable or (misled and not self._is_built):
            return UserError(f"The request to {host} cannot be sent: {text}")
        if misled:
            error = UnexpectedModelBehavior(f"{host} redirects to an invalid URL: {text}")
            error.phase = "headers"
            return error
        if names & {"ConnectError", "ProxyError"}:
            self._phase = "connect"
        if self._phase == "body":
            is_ours = getattr(self._trace and self._trace.client, "is_closed", False)
            broke = "The HTTP client was closed" if is_ours else f"The connection to {host} broke"
            return self._failed(StreamInterrupted, f"{broke} during the response: {text}")
        if "ProxyError" in names:
            message = f"The proxy did not connect to {host}: {text}. Is it the right one?"
            return self._failed(ModelConnectionError, message)
        if self._phase == "connect":
            hints = [hint for sign, hint in _TLS_HINTS.items() if sign in text]
            hint = hints[0] if hints else self.request.hint
            via = None if self._trace is None else self._trace.via
            if via is not None and httpx.URL(self.request.url).raw_host != via.encode():
                host = f"{via}, the proxy for {host}"
            message = f"Could not connect to {host}: {text}. {hint}"
            return self._failed(ModelConnectionError, message)
        answered = head_is_out and self._phase == "headers"
        unreadable = "RemoteProtocolError" in names or (answered and "ProtocolError" in names)
        if unreadable and not text.startswith(_DROPPED):
            error = UnexpectedModelBehavior(
                f"{host} sent an HTTP response that cannot be read: {text}"
            )
            error.phase = self._phase
            return error
        message = f"The connection to {host} broke before the response: {text}"
        return self._failed(ModelConnectionError, message)

    def _failed(self, cls: type[ModelConnectionError], message: str) -> ModelConnectionError:
        error = cls(self.request.model_name, message)
        error.phase = self._phase
        return error

    def _timed_out(self, limit: str, phase: Phase) -> ModelTimeoutError:
        if limit != "pool" and current_time() >= self._total.at:
            limit = "total"
        seconds = getattr(self._limits, limit)
        host = _host(self.request.url)
        return timed_out(self.request.model_name, limit, seconds, phase, host)


class _Body:
    """A request's body, in pieces.

    The library's own is an async generator, which an upload that is cut short would leave
    to the garbage collector.
    """

    def __init__(self, content: bytes, written: Callable[[], None]) -> None:
        self._content = content
        self._written = written

    def __aiter__(self) -> _Body:
        starts = range(0, len(self._content), WRITE_SIZE)
        self._pieces = (self._content[start : start + WRITE_SIZE] for start in starts)
        return self

    async def __anext__(self) -> bytes:
        self._written()
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


@cache
def _body_class(base: Any) -> Any:
    """Return our body as a subclass of the library's, which accepts nothing else."""
    return type("Body", (_Body, base), {})


async def open_exchange(
    group: TaskGroup,
    request: Request,
    clients: Clients,
    limits: Limits,
    total: Total,
) -> Exchange:
    """Send a request and wait for the head of its answer.

    Args:
        group: Where the task runs that owns the response.
        request: The request.
        clients: One of them sends it, and is held until the response is closed.
        limits: How long each step may take.
        total: When all of it must be over; the time in the request queue is added to it.

    Raises:
        ModelAPIError: There is no answer.
        UserError: The request cannot be sent.
    """
    exchange = Exchange(request, limits, total)
    try:
        await _headed(group, exchange, clients)
    except ModelConnectionError:
        if not exchange.stale:
            raise
        # It may be the connection that failed, not the server: one more is free.
        exchange = Exchange(exchange.request, limits, total)
        await _headed(group, exchange, clients)
    return exchange


async def _headed(group: TaskGroup, exchange: Exchange, clients: Clients) -> None:
    group.start_soon(exchange.pump, clients)
    try:
        await exchange.head()
    except BaseException:
        # Also where the head came too late for the task that waited.
        await exchange.aclose(drain=False)
        raise


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

    There are bytes behind its end, or its length was given in two ways. Such bytes would
    be taken for the answer to the next request. Only httpcore's h11 state knows of them;
    where it is not found, as behind a mock, nothing is done.
    """
    try:
        state = response.stream._stream._httpcore_stream._stream._connection._h11_state
        leftover = state.trailing_data[0]
    except AttributeError:
        return
    # RFC 9112, 6.3: sending both is to be handled as an error.
    has_two_lengths = {"content-length", "transfer-encoding"} <= {*map(str.lower, response.headers)}
    if leftover or has_two_lengths:
        state.send_failed()
