"""A server in a process of its own that streams a completion, one event an HTTP chunk."""

from __future__ import annotations

import json
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def event(number: int, finish: str | None = None) -> bytes:
    """Return one frame, of the size that a provider's have."""
    choice = {"index": 0, "delta": {"content": f" word{number}"}, "finish_reason": finish}
    document = {
        "id": "chatcmpl-B8fEkQe8x2kVnDf6Vw3",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "benchmark-model",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [choice],
    }
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def body(events: int) -> bytes:
    """Return a whole chunked body."""
    frames = [*(event(number) for number in range(events)), event(events, "stop")]
    frames.append(b"data: [DONE]\n\n")
    return b"".join(b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames) + b"0\r\n\r\n"


def _serve(events: int, ready: Connection) -> None:
    response = HEAD + body(events)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ready.send(server.getsockname()[1])
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_answer, args=(connection, response), daemon=True).start()


def _answer(connection: socket.socket, response: bytes) -> None:
    with connection:
        while _request_came(connection):
            connection.sendall(response)


def _request_came(connection: socket.socket) -> bool:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return False
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    missing = int(lengths[0].partition(b":")[2]) - len(rest) if lengths else 0
    while missing > 0:
        missing -= len(connection.recv(missing))
    return True


@contextmanager
def serving(events: int) -> Iterator[str]:
    """Run the server; yields its base URL."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(events, send), daemon=True
    )
    process.start()
    try:
        yield f"http://127.0.0.1:{receive.recv()}/v1"
    finally:
        process.terminate()
        process.join()
