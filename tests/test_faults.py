"""Faults of a network and of a server: each is one typed error, in time, with nothing left.

A row is what a loopback server does, and what must come of it. Every row runs through an
async function on both backends and through the blocking stream; after it the same client
answers the next request, and no place of the limiter is held. How long each limit is, to
the instant, is in `test_deadlines`; what cancellation leaves behind in `test_cancellation`.

Not here: a peer of HTTP/2, which our own client never offers, see `test_http2`; a
resolver that blocks for good, as its thread would outlive the test; and a network without
a route, which a machine alone has not got: a full backlog stands for it.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from attrs import field, frozen

from direct_anyio import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequest,
    ModelRequestRejectedError,
    ModelResponse,
    ModelServerError,
    ModelTimeoutError,
    StreamInterrupted,
    UnexpectedModelBehavior,
    UserError,
    infer_model,
    model_request_sync,
)
from direct_anyio._io import transport
from direct_anyio._io.deadlines import _ABOUT
from direct_anyio.models.http import HTTPModel

from .callers import streamed, streamed_sync, unary
from .serving import (
    PATIENCE,
    SSE_HEAD,
    Connection,
    Greeter,
    Handler,
    Server,
    abort,
    answering,
    chunk,
    completion,
    reply,
    serving,
    tls,
    trusting,
)
from .serving import streamed as frames

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
LARGE = [ModelRequest.user_text_prompt("x" * (16 * 1024 * 1024))]
SHORT = 0.15
"""Seconds of a limit that has to pass; it is waited for."""

Ask = Callable[..., Awaitable[ModelResponse]]


async def _portal(model: Any, messages: Any, **more: Any) -> ModelResponse:
    """The blocking stream, on a portal of its own, so that nothing of it may be left."""
    with start_blocking_portal("asyncio") as portal:
        return await streamed_sync(model, messages, portal=portal, **more)


@pytest.fixture(params=[unary, streamed, _portal], ids=["unary", "streamed", "streamed_sync"])
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


pytestmark = pytest.mark.usefixtures("no_backoff")


def _model(url: str) -> HTTPModel:
    model = infer_model("openai:x", api_key="k", base_url=url)
    assert isinstance(model, HTTPModel)
    return model


async def _works_again(caller: Ask, model: HTTPModel, server: Server) -> None:
    """The next request of the same client is answered, and the limiter is free."""
    server.greet, server.handler = None, answering("well")
    assert (await caller(model, MESSAGES)).text == "well"
    limiter = (await model.clients()).limiter
    assert limiter.borrowed_tokens == 0


def _answer_head(status: bytes, header: bytes) -> Handler:
    """Answer with a header that need not be text."""

    def handle(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 " + status + b"\r\n" + header + b"\r\ncontent-length: 0\r\n\r\n")

    return handle


def _no_byte_read(accepted: socket.socket, server: Server) -> None:
    server.over.wait(PATIENCE)


def _reset_at_once(accepted: socket.socket, server: Server) -> None:
    abort(accepted)


def _head_of(accepted: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += accepted.recv(4096)


def _reset_in_the_upload(accepted: socket.socket, server: Server) -> None:
    _head_of(accepted)
    abort(accepted)


def _refused_in_the_upload(accepted: socket.socket, server: Server) -> None:
    """Answer when the head has come, take no more in, and let the rest of it run out."""
    _head_of(accepted)
    accepted.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}")
    accepted.shutdown(socket.SHUT_WR)
    while accepted.recv(1024 * 1024):
        pass


def _sends(data: bytes) -> Handler:
    """Return a handler that sends bytes, and waits for the next request."""
    return lambda connection: connection.send(data)


def _says(data: bytes) -> Handler:
    """Return a handler that sends bytes and closes."""

    def answer(connection: Connection) -> None:
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_RDWR)

    return answer


def _hangs(data: bytes) -> Handler:
    """Return a handler that sends bytes and then nothing more."""

    def hang(connection: Connection) -> None:
        connection.send(data)
        connection.closed_by_peer()

    return hang


def _repeats(data: bytes, again: bytes, every: float = 0) -> Handler:
    """Return a handler that sends bytes, then others for ever, `every` so many seconds."""

    def repeat(connection: Connection) -> None:
        connection.send(data)
        while not connection.server.over.wait(every):
            connection.send(again)

    return repeat


def _resets(connection: Connection) -> None:
    abort(connection.socket)


def _closes(connection: Connection) -> None:
    connection.socket.shutdown(socket.SHUT_RDWR)


def _begins(then: Handler, data: bytes = b"") -> Handler:
    """Return a handler that begins a response of the kind that was asked for."""

    def begin(connection: Connection) -> None:
        kind = b"text/event-stream" if connection.request.json["stream"] else b"application/json"
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.send(head % kind + data)
        then(connection)

    return begin


def completion_bytes(text: str) -> bytes:
    return json.dumps(completion(text)).encode()


PAGE = "<html>\x1b[31m" + "bad gateway " * 10_000


UNUSED = answering("unused")


@frozen(kw_only=True)
class Fault:
    """What the server does, and what must come of it.

    Attributes:
        handler: Answers a request.
        greet: Meets the connection.
        raises: The class of the error.
        text: A pattern in its message.
        phase: Its phase.
        limit: The limit that passed.
        attempts: Connections or requests that it took.
        settings: What sets the limits.
        messages: What is sent.
    """

    handler: Handler = UNUSED
    greet: Greeter | None = None
    raises: type[Exception] = ModelConnectionError
    text: str | None = None
    phase: str | None = None
    limit: str | None = None
    attempts: int = 1
    settings: dict[str, Any] = field(factory=dict)
    messages: list[ModelRequest] = MESSAGES


def _late(limit: str, phase: str, handler: Handler, **more: Any) -> Fault:
    """Return a row of a server that is too slow for a short `timeout`."""
    settings = more.pop("settings", {"timeout": SHORT})
    return Fault(
        handler=handler,
        raises=ModelTimeoutError,
        text=_ABOUT[limit][0] if limit in _ABOUT else "the wait for an event",
        limit=limit,
        phase=phase,
        settings=settings,
        **more,
    )


def _nonsense(text: str, data: bytes) -> Fault:
    """Return a row of a server that does not speak HTTP: asked once, it is told so."""
    return Fault(handler=_says(data), raises=UnexpectedModelBehavior, text=text, phase="headers")


FAULTS: dict[str, Fault] = {
    "reset as it is accepted": Fault(greet=_reset_at_once, attempts=3),
    "reset before the head": Fault(handler=_resets, phase="headers", attempts=3),
    "closed before the head": Fault(handler=_closes, phase="headers", attempts=3),
    "closed in the head": Fault(
        handler=_says(b"HTTP/1.1 200 OK\r\nconte"), phase="headers", attempts=3
    ),
    "an upload that is not read": _late(
        "write", "write", answering("unused"), greet=_no_byte_read, messages=LARGE
    ),
    "an upload that is refused": Fault(
        greet=_refused_in_the_upload, raises=ModelHTTPError, messages=LARGE, text="413"
    ),
    "a reset in the upload": Fault(greet=_reset_in_the_upload, attempts=3, messages=LARGE),
    "no head": _late("headers", "headers", _hangs(b"")),
    "a head in drops": _late("headers", "headers", _repeats(b"HTTP/1.1 200 OK\r\n", b"x", 0.02)),
    "early hints for ever": _late(
        "headers", "headers", _repeats(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.001)
    ),
    "20,000 headers": _nonsense(
        "an HTTP", b"HTTP/1.1 200 OK\r\n" + b"x-more: 1\r\n" * 20_000 + b"\r\n"
    ),
    "a header of 1 MB": _nonsense("an HTTP", b"HTTP/1.1 200 OK\r\nx: " + b"x" * 1_000_000),
    "a banner of SSH": Fault(handler=_says(b"SSH-2.0-OpenSSH_9.6\r\n"), attempts=3),
    "a frame of HTTP/2": _nonsense("an HTTP", b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0"),
    "the status 000": _nonsense("an HTTP", b"HTTP/1.1 000 None\r\ncontent-length: 0\r\n\r\n"),
    "the status 099": _nonsense("an HTTP", b"HTTP/1.1 099 None\r\ncontent-length: 0\r\n\r\n"),
    "the status 999": Fault(handler=reply({}, "999 What"), raises=ModelHTTPError, text="999"),
    "an unknown coding": Fault(
        handler=reply(b"...", "200 OK", "content-encoding: br"),
        raises=UnexpectedModelBehavior,
        text="Content-Encoding: br",
    ),
    "no content": Fault(
        handler=_sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
        raises=UnexpectedModelBehavior,
        text="204",
    ),
    "not modified": Fault(
        handler=_sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"), raises=ModelHTTPError, text="304"
    ),
    "a page of HTML": Fault(
        handler=reply(PAGE.encode(), kind="text/html"),
        raises=UnexpectedModelBehavior,
        text="got text/html",
    ),
    "other protocols": _nonsense("an HTTP", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "an error in a body of 200": Fault(
        handler=reply({"error": {"message": "no credits", "code": 402}}),
        raises=ModelQuotaExceededError,
        text="no credits",
    ),
    "a body shorter than it is told": Fault(
        handler=_says(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"
        ),
        raises=StreamInterrupted,
        phase="body",
    ),
    "a body longer than it is told": Fault(
        handler=_sends(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{}"
        ),
        raises=UnexpectedModelBehavior,
    ),
    "broken chunks": Fault(
        handler=_begins(_closes, b"zz\r\n"), raises=StreamInterrupted, phase="body"
    ),
    "a reset in the body": Fault(
        handler=_begins(_resets, chunk(b" ")), raises=StreamInterrupted, phase="body"
    ),
    "silence behind the head": _late(
        "first_event", "body", _begins(_hangs(b"")), settings={"first_event_timeout": SHORT}
    ),
    "bad requests": Fault(handler=reply({}, "422 No"), raises=ModelRequestRejectedError),
    "an error page": Fault(
        handler=reply(PAGE.encode(), "502 Bad Gateway", kind="text/html"),
        raises=ModelServerError,
        attempts=3,
        text=r"^[^\x00-\x1f]{1,1000}$",
    ),
    "an error of 20 MB": Fault(
        handler=reply(b"x" * 20_000_000, "502 Bad Gateway"),
        raises=ModelServerError,
        attempts=3,
        text="^.{1,1000}$",
    ),
    "an error that is cut short": Fault(
        handler=_says(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 99\r\n\r\n{"),
        raises=ModelRequestRejectedError,
    ),
    "an error without an end": Fault(
        handler=_repeats(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"x" * 65536),
        raises=ModelServerError,
        attempts=3,
    ),
    **{
        f"a redirect of {status}": Fault(
            handler=reply(b"", f"{status} Elsewhere", "location: http://other.test/secret?key=1"),
            raises=ModelHTTPError,
            text=rf"status_code: {status}\b.* to other\.test, which is not followed",
            phase="headers",
        )
        for status in (301, 302, 303, 307, 308)
    },
    **{
        f"a redirect to {location!r}": Fault(
            handler=_answer_head(b"307 Elsewhere", b"location: " + location),
            raises=ModelHTTPError,
            text=r"status_code: 307\b.* to .* which is not followed",
            phase="headers",
        )
        for location in (b"http://[::1", b"http://[zz]/", b"//", b"mailto:x", b"\xff\xfe", b"\x01")
    },
    "a redirect within the host": Fault(
        handler=reply(b"", "307 Elsewhere", "location: /v2"),
        raises=ModelHTTPError,
        text="which is not followed",
    ),
}


def test_an_odd_redirect_behind_a_mock_is_the_servers() -> None:
    """Where nothing tells the status of the answer, it is still no mistake of the user's."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"location": "mailto:x"})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    model = infer_model("openai:x", api_key="k", base_url="http://a.test", http_client=client)
    with pytest.raises(UnexpectedModelBehavior, match="redirects to an invalid URL"):
        model_request_sync(model, MESSAGES)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_one_typed_error(caller: Ask, name: str) -> None:
    """It is raised as itself after as many attempts as it is worth; the next request works."""
    fault = FAULTS[name]
    settings: Any = fault.settings
    with serving(fault.handler, fault.greet) as server:
        model = _model(server.url)
        with pytest.raises(fault.raises, match=fault.text) as caught:
            await caller(model, fault.messages, model_settings=settings)
        error: Any = caught.value
        if fault.phase is not None:
            assert error.phase == fault.phase
        if fault.limit is not None:
            assert error.limit == fault.limit
        assert max(server.connections, len(server.received)) == fault.attempts
        await _works_again(caller, model, server)


@pytest.mark.parametrize("then", [_closes, _begins(_closes)], ids=["head", "body"])
async def test_an_error_names_its_cause(caller: Ask, then: Handler) -> None:
    """What the HTTP library raised is the cause of ours, for those who have to look deeper."""
    settings: Any = {"max_retries": 0}
    with serving(then) as server:
        with pytest.raises(ModelConnectionError) as caught:
            await caller(_model(server.url), MESSAGES, model_settings=settings)
    assert isinstance(caught.value.__cause__, httpx.HTTPError)


Place = Callable[[ExitStack, pytest.MonkeyPatch], str]
"""Sets up a network and returns the base URL of what cannot be reached there."""


def _server(stack: ExitStack, greet: Greeter | None, scheme: str = "https") -> str:
    server = stack.enter_context(serving(answering("unused"), greet))
    return f"{scheme}://127.0.0.1:{server.port}/v1"


def _nobody(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def _full(stack: ExitStack, family: int, host: str, port: int = 0) -> int:
    """Listen where no connection is accepted any more; return the port."""
    listener = stack.enter_context(socket.socket(family))
    listener.bind((host, port))
    listener.listen(0)
    address = listener.getsockname()
    for _ in range(3):
        waiting = stack.enter_context(socket.socket(family))
        waiting.setblocking(False)
        waiting.connect_ex(address)
    return int(address[1])


def _black_hole(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    return f"http://127.0.0.1:{_full(stack, socket.AF_INET, '127.0.0.1')}/v1"


def _silent_tls(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    return _server(stack, _no_byte_read)


def _plain_text(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    def answer(accepted: socket.socket, server: Server) -> None:
        accepted.recv(4096)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    return _server(stack, answer)


def _trusted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transport, "_ssl_context", trusting)


def _unknown_authority(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    return _server(stack, tls("127.0.0.1"))


def _expired(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    _trusted(patch)
    past = {"not_before": datetime(2020, 1, 1, tzinfo=UTC)}
    return _server(stack, tls("127.0.0.1", not_after=datetime(2021, 1, 1, tzinfo=UTC), **past))


def _another_name(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    _trusted(patch)
    return _server(stack, tls("elsewhere.test"))


def _lookup(patch: pytest.MonkeyPatch, answer: Callable[[], Any]) -> None:
    """Answer look-ups of `model.test`."""
    look_up = socket.getaddrinfo

    def patched(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        is_number = len(args) > 3 and args[3] & socket.AI_NUMERICHOST
        asked = host in ("model.test", b"model.test") and not is_number
        return answer() if asked else look_up(host, port, *args, **more)

    patch.setattr(socket, "getaddrinfo", patched)


def _fails(code: int, text: str) -> Place:
    def place(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
        def fail() -> None:
            raise socket.gaierror(code, text)

        _lookup(patch, fail)
        return "http://model.test/v1"

    return place


def _slow_lookup(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    gate = threading.Event()
    stack.callback(gate.set)

    def stall() -> list[Any]:
        gate.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    _lookup(patch, stall)
    return "http://model.test/v1"


def _no_proxy(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("HTTPS_PROXY", _nobody(stack, patch).removesuffix("/v1"))
    return "https://model.test/v1"


def _mute_proxy(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("HTTPS_PROXY", _server(stack, _no_byte_read, "http").removesuffix("/v1"))
    return "https://model.test/v1"


def _proxy_says(status: bytes) -> Place:
    def refuse(accepted: socket.socket, server: Server) -> None:
        _head_of(accepted)
        accepted.sendall(b"HTTP/1.1 %s\r\n\r\n" % status)

    def place(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
        proxy = _server(stack, refuse, "http").removesuffix("/v1")
        patch.setenv("HTTPS_PROXY", proxy.replace("//", "//user:pass-word@"))
        return "https://model.test/v1"

    return place


def _silent_proxy(stack: ExitStack, patch: pytest.MonkeyPatch) -> str:
    def accept(accepted: socket.socket, server: Server) -> None:
        _head_of(accepted)
        accepted.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        server.over.wait(PATIENCE)

    patch.setenv("HTTPS_PROXY", _server(stack, accept, "http").removesuffix("/v1"))
    return "https://model.test/v1"


@frozen
class Unreachable:
    """Where no connection can be made, and what must come of it."""

    place: Place
    text: str
    attempts: int = 1
    limit: str | None = None


UNREACHABLE = {
    "a closed port": Unreachable(_nobody, "Could not connect to http://127.0.0.1:[0-9]+: ", 3),
    "no answer to a connection": Unreachable(
        _black_hole, "connecting took more than", 3, "connect"
    ),
    "no answer to TLS": Unreachable(_silent_tls, "connecting took more than", 3, "connect"),
    "no TLS": Unreachable(_plain_text, "https://127.0.0.1.*SSL.*(?i:wrong.version|not)"),
    "an unknown authority": Unreachable(_unknown_authority, "127.0.0.1.*certificate verify"),
    "an expired certificate": Unreachable(_expired, "certificate has expired"),
    "a certificate of another": Unreachable(_another_name, "(?i:mismatch)"),
    "an unknown name": Unreachable(
        _fails(socket.EAI_NONAME, "Name or service not known"), "model.test.*not known"
    ),
    "a name that fails for now": Unreachable(
        _fails(socket.EAI_AGAIN, "Temporary failure in name resolution"), "model.test", 3
    ),
    "a slow look-up": Unreachable(_slow_lookup, "connecting took more than", 3, "connect"),
    "no answer to TLS behind a proxy": Unreachable(
        _silent_proxy, "connecting took more than", 3, "connect"
    ),
    "a proxy that is silent": Unreachable(_mute_proxy, "connecting took more than", 3, "connect"),
    "a proxy that knows us not": Unreachable(
        _proxy_says(b"407 Proxy Authentication Required"), r"^(?!.*pass-word).*proxy.*407"
    ),
    "a proxy that fails": Unreachable(
        _proxy_says(b"502 Bad Gateway"), r"^(?!.*pass-word).*proxy.*502", 3
    ),
    "a proxy that is not there": Unreachable(
        _no_proxy, "connect to 127.0.0.1, the proxy for https://model.test: ", 3
    ),
}


@pytest.mark.parametrize("name", UNREACHABLE)
async def test_a_place_that_cannot_be_reached(
    caller: Ask, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error of the connect phase with the reason, tried again where that may help."""
    row = UNREACHABLE[name]
    if row.place is _slow_lookup and caller is _portal:
        # A portal waits for its threads as it ends, and this one's is held up.
        caller = streamed_sync
    with ExitStack() as stack:
        model = _model(row.place(stack, monkeypatch))
        settings: Any = {"timeout": SHORT} if row.limit else {}
        with pytest.raises(ModelConnectionError, match=row.text) as caught:
            await caller(model, MESSAGES, model_settings=settings)
        assert caught.value.phase == "connect"
        assert getattr(caught.value, "limit", None) == row.limit
        assert len(caught.value.attempts) == row.attempts - 1
        limiter = (await model.clients()).limiter
        assert limiter.borrowed_tokens == 0


async def test_a_good_certificate(caller: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of an authority that is trusted, for this address, is accepted."""
    _trusted(monkeypatch)
    with serving(answering("well"), tls("127.0.0.1")) as server:
        model = _model(server.url.replace("http:", "https:"))
        assert (await caller(model, MESSAGES)).text == "well"


async def test_the_second_address_is_tried(caller: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose first address is dead is reached by its second."""
    with ExitStack() as stack:
        server = stack.enter_context(serving(answering("well")))
        try:
            _full(stack, socket.AF_INET6, "::1", server.port)
        except OSError:
            pytest.skip("there is no IPv6 here")
        kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        addresses = [
            (socket.AF_INET6, *kind, ("::1", server.port, 0, 0)),
            (socket.AF_INET, *kind, ("127.0.0.1", server.port)),
        ]
        _lookup(monkeypatch, lambda: addresses)
        model = _model(f"http://model.test:{server.port}/v1")
        settings: Any = {"timeout": 2}
        assert (await caller(model, MESSAGES, model_settings=settings)).text == "well"


def _in_both_ways(connection: Connection) -> None:
    """Tell the length twice, which is an old trick to smuggle a second answer."""
    body = chunk(completion_bytes("well")) + chunk(b"")
    kind = b"application/json"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n" % (kind, len(body))
    connection.send(head + b"transfer-encoding: chunked\r\n\r\n" + body)


def _with_hints(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3)
    answering("well")(connection)


def _whole(text: str) -> bytes:
    """Return a response to a unary request, as bytes."""
    body = completion_bytes(text)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _events(text: str) -> bytes:
    """Return a streamed response, as bytes."""
    return SSE_HEAD + b"".join(map(chunk, frames(text))) + chunk(b"")


def _and_more(connection: Connection) -> None:
    """Send the answer and, with it, an answer to a request that nobody made."""
    made = _events if connection.request.json["stream"] else _whole
    connection.send(made("well") + made("EVIL"))


def _and_more_than_told(connection: Connection) -> None:
    """Tell the length of the answer alone, and send more than that."""
    is_stream = connection.request.json["stream"]
    body = b"".join(frames("well")) if is_stream else completion_bytes("well")
    kind = b"text/event-stream" if is_stream else b"application/json"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    connection.send(head % (kind, len(body)) + body + _whole("EVIL"))


def _and_close(connection: Connection) -> None:
    answering("well")(connection)
    _closes(connection)


# What the server does, and how many connections two requests then take.
SURVIVED: dict[str, tuple[Handler, int]] = {
    "a length told twice": (_in_both_ways, 2),
    "early hints": (_with_hints, 1),
    "an answer too many": (_and_more, 2),
    "an answer longer than it is told": (_and_more_than_told, 2),
    "a whole answer too many to a streamed request": (_sends(_whole("well") + _whole("EVIL")), 2),
    "a stream in one piece": (reply(completion("well")), 1),
    "a kept connection that is dead": (_and_close, 2),
}


@pytest.mark.parametrize("name", SURVIVED)
@pytest.mark.parametrize("ask", [unary, streamed])
async def test_what_is_no_fault(ask: Ask, name: str) -> None:
    """The answer is the answer, and so is the next one; a doubtful connection is not kept."""
    handler, connections = SURVIVED[name]
    with serving(handler) as server:
        model = _model(server.url)
        for number in (1, 2):
            assert (await ask(model, MESSAGES)).text == "well"
            if connections > 1:
                assert await anyio.to_thread.run_sync(server.left.acquire, True, PATIENCE)
            assert len(server.received) == number
        assert server.connections == connections


ERRORS = {
    "an error": (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}", "400"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "304"),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("ask", [unary, streamed])
async def test_an_answer_behind_an_error_is_none(ask: Ask, name: str) -> None:
    """What is sent behind an error, which has no body or a short one, answers no request."""
    error, text = ERRORS[name]
    with serving(_sends(error + _whole("EVIL"))) as server:
        model = _model(server.url)
        for number in (1, 2):
            with pytest.raises(ModelAPIError, match=text):
                await ask(model, MESSAGES)
            assert (server.connections, len(server.received)) == (number, number)


async def test_a_connection_that_dies_in_use() -> None:
    """A kept connection that takes a request and closes is replaced: no retry, and no cost."""
    answered = set()

    def once(connection: Connection) -> None:
        if connection.number in answered:
            _closes(connection)
        else:
            answered.add(connection.number)
            answering("well")(connection)

    settings: Any = {"max_retries": 0}
    with serving(once) as server:
        model = _model(server.url)
        for _ in range(3):
            assert (await streamed(model, MESSAGES, model_settings=settings)).text == "well"
        assert (server.connections, len(server.received)) == (3, 5)
        assert [model.budget.take("transient") for _ in range(36)].count(None) == 1


async def test_a_server_that_dies_under_kept_connections() -> None:
    """However many connections are kept, a request that none of them takes is sent twice."""
    gate, well = threading.Barrier(5), True

    def answer(connection: Connection) -> None:
        if well:
            gate.wait(PATIENCE)
            answering("well")(connection)
        else:
            _closes(connection)

    settings: Any = {"max_retries": 0}
    with serving(answer) as server:
        model = _model(server.url)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(streamed, model, MESSAGES)
        well = False
        with pytest.raises(ModelConnectionError):
            await streamed(model, MESSAGES, model_settings=settings)
        assert len(server.received) == 5 + 2


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "foo://127.0.0.1:1"])
async def test_a_proxy_that_cannot_be_used(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment's that httpx does not know is the user's to mend."""
    if proxy.startswith("socks") and find_spec("socksio"):
        pytest.skip("it can be used here")
    monkeypatch.setenv("ALL_PROXY", proxy)
    model = _model("http://api.test/v1")
    with pytest.raises(UserError, match="No HTTP client can be made"):
        async with model:
            await streamed(model, MESSAGES)


UNSAYABLE: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "a line break in a header": (MESSAGES, {"extra_headers": {"x-a": "1\r\nx-b: 2"}}, "'x-a'"),
    "a zero in a header": (MESSAGES, {"extra_headers": {"x-a": "secret\0"}}, "'x-a'"),
    "a line break in a header's name": (MESSAGES, {"extra_headers": {"x\r\na": "1"}}, "header"),
    "a letter outside of Latin-1": (MESSAGES, {"extra_headers": {"x-a": "\u20ac"}}, "'x-a'"),
    "not a number": (MESSAGES, {"temperature": float("nan")}, "(?i:nan|number|JSON)"),
    "infinity": (MESSAGES, {"extra_body": {"x": float("inf")}}, "(?i:inf|number|JSON)"),
}


@pytest.mark.parametrize("name", UNSAYABLE)
async def test_what_cannot_be_said_is_never_sent(caller: Ask, name: str) -> None:
    """It is the caller's error, told before a connection is made, without the value."""
    messages, settings, text = UNSAYABLE[name]
    with serving(answering("unused")) as server:
        with pytest.raises(UserError, match=text) as caught:
            await caller(_model(server.url), messages, model_settings=settings)
        assert server.connections == 0
    assert "secret" not in str(caught.value)


async def test_a_lone_surrogate_is_replaced(caller: Ask) -> None:
    """Half a character, as a model may have produced it, does not poison a conversation."""
    with serving(answering("well")) as server:
        messages = [ModelRequest.user_text_prompt("a\ud800b")]
        assert (await caller(_model(server.url), messages)).text == "well"
    assert server.received[0].json["messages"][0]["content"] == "a\ufffdb"
