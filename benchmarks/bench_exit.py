"""How long it takes to leave a stream whose server has gone silent, against bare httpx.

    python benchmarks/bench_exit.py [runs]

The server, in a process of its own, sends one word and then stalls. A row is a way to leave:
milliseconds from the moment of leaving to the end of the block, and until the server has seen
the connection close, each as 50th and 99th percentile. That moment is the call that asks for a
cancellation, or the instant that a deadline passes. Then: how long a process lives after SIGINT
(median, maximum), and how many threads are left after 200 have each left a blocking stream.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing, suppress
from functools import partial
from itertools import product
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from socketserver import BaseRequestHandler, ThreadingTCPServer
from subprocess import DEVNULL, PIPE, Popen
from threading import Thread, Timer, active_count
from time import monotonic
from typing import Any

import anyio
import httpx
from anyio.from_thread import run_sync, start_blocking_portal
from anyio.lowlevel import current_token
from loopback import HEAD, event

import direct_anyio as ours

MESSAGES = [ours.ModelRequest.user_text_prompt("Go on.")]
PAUSE, WARM_UP, CHILDREN, CALLERS = 0.003, 5, 20, 200  # a pause is in seconds
WAITING = ("cancelled scope", "fail_after", "Task.cancel()")
WAYS = ("break", "exception", "never read", "aclose()", "aclosing(generator)", *WAITING)
BLOCKING = ("break", "exception", "never read", "close() by a thread", "left as it opens")
CHILD = """
import sys, httpx, direct_anyio as ours
model = ours.infer_model("openai:x", api_key="none", base_url=sys.argv[1])
with {} as stream:
    for each in getattr(stream, "iter_lines", lambda: stream)(): print("reads", flush=True)
"""
OPENED = {
    "direct_anyio": "ours.model_request_stream_sync(model, [ours.ModelRequest([])])",
    "bare httpx": "httpx.stream('POST', sys.argv[1], timeout=None)",
}


class _Stalling(BaseRequestHandler):
    def handle(self) -> None:
        word = event(0)
        with suppress(ConnectionError):
            if self.request.recv(65536):
                self.request.sendall(HEAD + b"%x\r\n%s\r\n" % (len(word), word))
            while self.request.recv(65536):
                pass
        self.server.reports.send(monotonic())  # type: ignore[attr-defined]


def _serve(reports: Connection) -> None:
    ThreadingTCPServer.request_queue_size = CALLERS
    with ThreadingTCPServer(("127.0.0.1", 0), _Stalling) as server:
        server.reports = reports  # type: ignore[attr-defined]
        reports.send(server.server_address[1])
        server.serve_forever()


def _started() -> tuple[str, Connection]:
    """Start the server; return its base URL, and where it tells when a connection was closed."""
    receive, send = Pipe(duplex=False)
    get_context("spawn").Process(target=_serve, args=(send,), daemon=True).start()
    return f"http://127.0.0.1:{receive.recv()}/v1", receive


class _Run:
    """When a block was left, when it was over, and when the server saw that."""

    left = over = seen = 0.0

    def leave(self, function: Callable[[], object] = int) -> None:
        self.left = monotonic()
        function()

    def close(self) -> None:
        self.over = monotonic()


def _events(stream: Any, lines: str) -> Any:
    return getattr(stream, lines)() if isinstance(stream, httpx.Response) else stream


async def _words(opened: Any) -> AsyncIterator[Any]:
    async with opened as stream:
        async for each in _events(stream, "aiter_lines"):
            yield each


async def _leave(way: str, opened: Any, run: _Run) -> None:
    opened = aclosing(_words(opened)) if way == "aclosing(generator)" else opened
    token, ends = current_token(), suppress(LookupError, TimeoutError, asyncio.CancelledError)
    with ends, anyio.fail_after(60) as scope, closing(run):
        async with opened as stream:
            events = _events(stream, "aiter_lines")
            if way != "never read":
                await anext(events)
            if way == "fail_after":
                run.left = monotonic() + PAUSE
                scope.deadline = anyio.current_time() + PAUSE
            elif way in WAITING:
                reported: Any = scope if way == "cancelled scope" else asyncio.current_task()
                Timer(PAUSE, run_sync, [run.leave, reported.cancel], {"token": token}).start()
            while way in WAITING:
                await anext(events)
            run.leave()
            if way == "exception":
                raise LookupError
            if way == "aclose()":
                await stream.aclose()


def _leave_blocking(way: str, opened: Any, run: _Run) -> None:
    with suppress(LookupError, ours.UserError), closing(run), opened as stream:
        if way == "never read":
            getattr(stream, "get", int)()  # ours is open now, as httpx's is
        elif way != "left as it opens":
            next(held := _events(stream, "iter_lines"))  # dropped, httpx's would close now
        if way == "close() by a thread":
            Timer(PAUSE, run.leave, [stream.close]).start()
            list(held)
        run.leave()
        if way == "exception":
            raise LookupError


def _print(way: str, *columns: list[float], last: float = 0.99) -> None:
    ranks = product(map(sorted, columns), (0.5, last))
    cells = (times[int(rank * (len(times) - 1))] for times, rank in ranks)
    print(f"{way:<28}" + "".join(f"{seconds * 1e3:10.2f}" for seconds in cells))


def _row(way: str, leave: Callable[[Any, _Run], object], kinds: Any, saw: Any, runs: int) -> None:
    taken: list[list[_Run]] = [[] for _ in kinds]
    for _ in range(WARM_UP + runs):
        for opened, done in zip(kinds, taken, strict=True):
            done.append(_Run())
            leave(opened(), done[-1])
            done[-1].seen = saw and saw()
    columns = product((each[WARM_UP:] for each in taken), ("over", "seen") if saw else ("over",))
    _print(way, *([getattr(run, when) - run.left for run in done] for done, when in columns))


def _deaths(opened: str, url: str) -> Iterator[float]:
    """Interrupt processes that read, one after the other; yields how long each lives on."""
    command = [sys.executable, "-c", CHILD.format(opened), url]
    children: Any = [Popen(command, stdout=PIPE, stderr=DEVNULL) for _ in range(CHILDREN)]
    for child in [child for child in children if child.stdout.readline()]:
        started = monotonic()
        child.send_signal(signal.SIGINT)
        child.wait()
        yield monotonic() - started


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    before = active_count()
    print(f"{f'{runs} runs; ms':28}{'direct_anyio':>20}{'seen':>20}{'bare httpx':>20}{'seen':>20}")
    url, reports = _started()
    model = ours.infer_model("openai:x", api_key="none", base_url=url)
    for backend in ("asyncio", "trio"):
        bare = partial(httpx.AsyncClient(timeout=None).stream, "POST", url)
        kinds = [partial(ours.model_request_stream, model, MESSAGES), bare]
        with start_blocking_portal(backend) as portal:
            for way in WAYS if backend == "asyncio" else WAYS[:-1]:
                leave = partial(portal.call, _leave, way)
                _row(f"{backend}, {way}", leave, kinds, reports.recv, runs)
    blocking = partial(ours.model_request_stream_sync, model, MESSAGES)
    kinds = [blocking, partial(httpx.Client(timeout=None).stream, "POST", url)]
    for way in BLOCKING:
        leave = partial(_leave_blocking, way)
        pair = kinds[:1] if way in BLOCKING[3:] else kinds  # httpx has no such way
        _row(f"blocking, {way}", leave, pair, way != BLOCKING[-1] and reports.recv, runs)
    for name, opened in OPENED.items():
        _print(f"SIGINT, {name}", list(_deaths(opened, url)), last=1)
    args = [("break", blocking(), _Run()) for _ in range(CALLERS)]
    callers = [Thread(target=_leave_blocking, args=each) for each in args]
    for act in (Thread.start, Thread.join):
        for each in callers:
            act(each)
    print(f"{'threads left, 200 callers':<28}{active_count() - before:10}")


if __name__ == "__main__":
    main()
