"""A raw-socket HTTP server in threads, whose answers and faults a test writes itself."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import attrs

PATIENCE = 10.0
"""Seconds after which a wait in a test has failed."""

Handler = Callable[["Connection"], None]
Greeter = Callable[[socket.socket, "Server"], "socket.socket | None"]
"""Meets a connection before any request; returns the socket to serve, None where it is over."""


@attrs.define(eq=False)
class Received:
    """One request, as it came in."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define(eq=False)
class Connection:
    """One connection; a handler answers the request that has just come."""

    socket: socket.socket
    server: Server
    request: Received
    number: int

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def stream(self, *frames: bytes, end: bool = True) -> None:
        """Send a head and frames, each an HTTP chunk; with `end`, the last chunk."""
        self.send(SSE_HEAD + b"".join(map(chunk, frames)) + (chunk(b"") if end else b""))

    def closed_by_peer(self) -> bool:
        """Wait until the other side closes."""
        self.socket.settimeout(PATIENCE)
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


def abort(connection: socket.socket) -> None:
    """Close with a reset: what is under way in either direction is lost."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@cache
def _authority() -> Any:
    import trustme

    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """Return a client's context that trusts our authority."""
    context = ssl.create_default_context()
    _authority().configure_trust(context)
    return context


def tls(*names: str, **more: Any) -> Greeter:
    """Return what speaks TLS, with a certificate of our authority for these names."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _authority().issue_cert(*names, **more).configure_cert(context)
    return lambda accepted, server: context.wrap_socket(accepted, server_side=True)


SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def reply(
    body: bytes | object, status: str = "200 OK", *headers: str, kind: str = "application/json"
) -> Handler:
    """Return a handler that sends one whole response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(data)}"]
    head = "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n"
    return lambda connection: connection.send(head + data)


def completion(text: str, **more: Any) -> dict[str, Any]:
    """Return a whole Chat Completions response."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "served-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        **more,
    }


def delta(finish: str | None = None, **delta: Any) -> bytes:
    """Return a frame of a streamed Chat Completions response."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chat-1", "object": "chat.completion.chunk", "created": 1_700_000_000}
    return frame({**head, "model": "served-model", "choices": [choice]})


def frame(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def streamed(*texts: str) -> list[bytes]:
    """Return the frames of a whole streamed response."""
    usage = {"prompt_tokens": 3, "completion_tokens": len(texts), "total_tokens": 3 + len(texts)}
    counted = {"id": "chat-1", "model": "served-model", "choices": [], "usage": usage}
    words = [delta(content=text) for text in texts]
    return [delta(role="assistant"), *words, delta("stop"), frame(counted), DONE]


def answering(*texts: str) -> Handler:
    """Return a handler that answers streamed or whole, as it is asked."""

    def answer(connection: Connection) -> None:
        if connection.request.json.get("stream"):
            connection.stream(*streamed(*texts))
        else:
            reply(completion("".join(texts)))(connection)

    return answer


class Server:
    """Serves each connection in a thread of its own; keeps what it received."""

    def __init__(self, handler: Handler, greet: Greeter | None = None) -> None:
        self.handler = handler
        self.greet = greet
        self.over = threading.Event()
        """Set as the server closes; what stalls waits for it."""
        self.received: list[Received] = []
        self.connections = 0
        self.asked = threading.Semaphore(0)
        """Released for each request that has come."""
        self.left = threading.Semaphore(0)
        """Released for each connection that the other side has closed."""
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(accepted)
            self._start(self._serve, accepted, self.connections)

    def _serve(self, accepted: socket.socket, number: int) -> None:
        try:
            greeted = self.greet(accepted, self) if self.greet else accepted
            if greeted is not None:
                self._open.add(greeted)
                self._answer(greeted, number)
                self._open.discard(greeted)
        except OSError:
            pass
        finally:
            self._open.discard(accepted)
            accepted.close()
            self.left.release()

    def _answer(self, greeted: socket.socket, number: int) -> None:
        with greeted:
            while (request := _read(greeted)) is not None:
                self.received.append(request)
                self.asked.release()
                self.handler(Connection(greeted, self, request, number))

    def all_left(self) -> bool:
        """Wait until the other side has closed every connection."""
        return all(self.left.acquire(timeout=PATIENCE) for _ in range(self.connections))

    def close(self) -> None:
        """Close every connection, and wait for every thread."""
        self.over.set()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                # Closing alone does not wake a thread that waits for it.
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)


def _read(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", 0)):
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return Received(first, headers, body)


@contextmanager
def serving(handler: Handler, greet: Greeter | None = None) -> Iterator[Server]:
    server = Server(handler, greet)
    try:
        yield server
    finally:
        server.close()
