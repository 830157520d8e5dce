"""Whether anything grows: minutes of requests to a server full of faults, left in every way.

    python benchmarks/soak.py [minutes] [seed] [--trace]

Half of the time (10 minutes by default) runs on asyncio, half on trio. Twenty workers, four
of them through the blocking function, ask for streams and whole answers, leave early and are
cancelled at random. Every few seconds each reads one answer, all at once, so that the pools
hold the same connections each time, and rests while open files, threads, tasks and memory are
counted; Python's own blocks with `--trace`, which slows everything. A line each 10 s tells.

Printed at the end: slopes per 1,000 requests, by least squares over the second half of each
backend's time. Exit status 1: something grew, or outlived its event loop, or an exception or a
warning was seen that is none of ours.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import struct
import sys
import threading
import traceback
import tracemalloc
import warnings
from array import array
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe, get_context
from socket import SO_LINGER, SOL_SOCKET
from statistics import linear_regression
from time import monotonic, sleep
from typing import Any

import anyio
import psutil
import trio
from anyio.to_thread import run_sync
from loopback import HEAD, body

import direct_anyio as ours

MESSAGES = [ours.ModelRequest.user_text_prompt("Go on.")]
WORKERS, BLOCKING, ROUND, REPORT, LONG = 16, 4, 2.5, 7.0, 1e6
MOST = {"fds": 0.0, "threads": 0.0, "tasks": 0.0, "RSS kB": 64.0, "traced kB": 1.0}
"""What is counted, and what it may grow by in 1,000 requests; 0 is by less than two in all."""
TASKS: dict[str, Any] = {
    "asyncio": lambda: len(asyncio.all_tasks()),
    "trio": lambda: trio.lowlevel.current_statistics().tasks_living,
}
FAULTS = Counter(none=45, slow=8, last=8, cut=8, reset=8, nothing=4, silent=3, noise=4, junk=4)
FAULTS.update({"429": 1, "503": 1, "429 soon": 3, "503 soon": 3})
"""What the server may do, and how many times of a hundred."""
LEVEL: Any = {"extra_headers": {"x-fault": "level"}}
MESSAGE = {"role": "assistant", "content": "word"}
WHOLE = json.dumps({"choices": [{"message": MESSAGE, "finish_reason": "stop"}]})

chance, gate = random.Random(), threading.Barrier(WORKERS + BLOCKING)
ended: Counter[str] = Counter()
foreign: list[str] = []


class _Faulty(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fault = self.headers.get("x-fault") or chance.choice(list(FAULTS.elements()))
        self.close_connection = fault not in ("none", "slow", "level") and not fault[0].isdigit()
        if fault == "level":
            gate.wait()
        elif fault == "silent":
            self.connection.recv(1)
        elif fault == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        for piece in _pieces(fault, HEAD + body(30) if asked.get("stream") else _reply(WHOLE)):
            self.connection.sendall(piece)
            sleep(0.002 * (fault == "slow"))


def _pieces(fault: str, answer: bytes) -> list[bytes]:
    noise, part = chance.randbytes(200), answer[: chance.randrange(len(answer))]
    made = {"nothing": [], "silent": [], "cut": [part], "reset": [part], "junk": [noise]}
    made["noise"] = [HEAD + b"c8\r\n" + noise + b"\r\n0\r\n\r\n"]
    made["slow"] = [answer[at : at + 500] for at in range(0, len(answer), 500)]
    if fault[0].isdigit():
        return [_reply("{}", fault[:3], "retry-after: 0.01" if "soon" in fault else "x: y")]
    return made.get(fault, [answer])


def _reply(content: str, status: str = "200", header: str = "x: y") -> bytes:
    head = f"HTTP/1.1 {status} .\r\n{header}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n{content}".encode()


def _serve(seed: float, ready: Any) -> None:
    chance.seed(seed)
    ThreadingHTTPServer.request_queue_size = 128
    with ThreadingHTTPServer(("127.0.0.1", 0), _Faulty) as server:
        server.handle_error = lambda *args: None  # type: ignore[method-assign]
        # Without a FIN, which would make a cut of a reset.
        server.shutdown_request = server.close_request  # type: ignore[method-assign]
        ready.send(server.server_address[1])
        server.serve_forever()


def _listen() -> None:
    """Note what nobody catches, too."""
    logging.captureWarnings(True)
    warnings.simplefilter("always")
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # below it tells what is slow
    logging.basicConfig(handlers=[handler := logging.Handler()])
    handler.emit = lambda record: foreign.append(record.getMessage())  # type: ignore[method-assign]
    sys.unraisablehook = lambda raised: foreign.append(f"{raised.exc_value!r}, {raised.object!r}")
    threading.excepthook = lambda raised: foreign.append(f"{raised.exc_value!r} in a thread")


async def _ask(model: Any, portal: Any, settings: Any, wanted: float) -> Any:
    if chance.random() < 0.3:
        return await ours.model_request(model, MESSAGES, model_settings=settings)
    async with ours.model_request_stream(model, MESSAGES, model_settings=settings) as stream:
        while wanted > 0 and await anext(stream, None):
            wanted -= 1
        if chance.random() < 0.2:
            await stream.aclose()


def _ask_blocking(model: Any, portal: Any, settings: Any, wanted: float) -> Any:
    asked: Any = {"model_settings": settings, "portal": portal}
    if chance.random() < 0.3:
        return ours.model_request_sync(model, MESSAGES, **asked)
    with ours.model_request_stream_sync(model, MESSAGES, **asked) as stream:
        while wanted > 0 and next(stream, None):
            wanted -= 1
        if chance.random() < 0.2:
            stream.close()


async def _work(caller: Any, model: Any, portal: Any, until: float) -> None:
    while monotonic() < until:
        how, settings = "done", {"timeout": 0.2, "max_retries": chance.choice((0, 0, 2))}
        delay = chance.choice((chance.uniform(0, 0.03), LONG, LONG))
        with anyio.move_on_after(delay) as scope:
            try:
                await caller(model, portal, settings, chance.choice((0, 1, 5, 99, 99)))
            except (ours.ModelAPIError, ours.UserError) as exc:
                how = type(exc).__name__
            except Exception:
                foreign.append(traceback.format_exc())
        ended["cancelled" if scope.cancelled_caught else how] += 1


async def _soak(backend: str, url: str, seconds: float, portal: Any, table: array[float]) -> None:
    model = ours.infer_model("openai:x", api_key="none", base_url=url)
    pool = ThreadPoolExecutor(BLOCKING)

    async def blocking(*args: Any) -> None:
        if chance.random() < 0.5:
            await run_sync(_ask_blocking, *args)
        else:  # in a thread that nobody's task waits for
            await run_sync(pool.submit(_ask_blocking, *args).result)

    callers, ends, reported = [_ask] * WORKERS + [blocking] * BLOCKING, monotonic() + seconds, 0.0
    while monotonic() < ends:
        async with anyio.create_task_group() as group:
            for caller in callers:
                group.start_soon(_work, caller, model, portal, monotonic() + ROUND)
        async with anyio.create_task_group() as group:
            for caller in callers:
                group.start_soon(caller, model, portal, LEVEL, LONG)
        await anyio.sleep(0.1)
        gc.collect()
        now = _counts(TASKS[backend]() + await run_sync(portal.call, TASKS[backend]))
        table.extend(now)
        if monotonic() > reported + REPORT:
            reported = monotonic()
            print(f"{backend:8}{ends - reported:7.0f} s to go", *(f"{each:10.0f}" for each in now))
    pool.shutdown()


def _counts(tasks: int) -> list[float]:
    process, traced = psutil.Process(), tracemalloc.get_traced_memory()[0]
    system = [process.num_fds(), threading.active_count(), tasks, process.memory_info().rss / 1024]
    return [ended.total(), *system, traced / 1024]


def _grown(backend: str, table: array[float], left: list[float]) -> list[str]:
    """Print how each gauge has grown; return the names of those that grew too much."""
    rows = [table[at : at + 6] for at in range(0, len(table), 6)]
    asked, *gauges = zip(*rows[len(rows) // 2 :], strict=True)
    slopes = [linear_regression(asked, each).slope * 1000 for each in gauges]
    grown = dict(zip(MOST, slopes, strict=True))
    print(f"{backend}, per 1,000:", *(f"{n} {s:+.3f}" for n, s in grown.items()), "left:", left)
    grown["fds"] = abs(grown["fds"])  # fewer are connections that the pool keeps no more
    once = 2000 / (asked[-1] - asked[0])
    return [n for n, s in grown.items() if s > (MOST[n] or once)] + ["left"] * any(left)


def main() -> None:
    """Run both halves, and tell."""
    given = [float(each) for each in sys.argv[1:] if each != "--trace"]
    minutes, seed = given + [10.0, 1.0][len(given) :]
    _listen()
    ready, send = Pipe(duplex=False)
    get_context("spawn").Process(target=_serve, args=(seed, send), daemon=True).start()
    url = f"http://127.0.0.1:{ready.recv()}/v1"
    print(f"{'':22}", *(f"{name:>10}" for name in ("requests", *MOST)))
    if "--trace" in sys.argv:
        tracemalloc.start()
    grown = []
    for backend in TASKS:
        before, table = _counts(0), array("d")
        with ours.open_portal(backend) as portal:
            anyio.run(_soak, backend, url, minutes * 30, portal, table, backend=backend)
        sleep(11)  # idle threads of trio's live for 10 s
        left = [after - at for at, after in zip(before[1:3], _counts(0)[1:3], strict=True)]
        grown += [f"{name} on {backend}" for name in _grown(backend, table, left)]
    print(dict(ended), *foreign, f"grew: {', '.join(grown) or 'nothing'}", sep="\n")
    sys.exit(bool(grown or foreign))


if __name__ == "__main__":
    main()
