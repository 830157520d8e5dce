"""Thousands of requests at once to a slow server, and a healthy host beside a silent one.

    python benchmarks/bench_crowd.py [requests] [seconds that an answer takes]

Bare httpx has a pool of 100 connections and no limit, and takes minutes for the queue in it;
pydantic-ai takes part where it is installed. First: how many requests of one task group are
answered, and in what time. Then: how long 20 requests to a healthy host take while 200 to
another host get no answer, against the same 20 alone. The server is in a process of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import anyio
import httpx

from direct_anyio import ModelRequest, infer_model, model_request

ANSWER = (
    b'{"id":"1","model":"m","created":1,"object":"chat.completion","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
SILENT, HEALTHY = 200, 20
BODY = {"model": "m", "messages": [{"role": "user", "content": "Go on."}]}
Ask = Callable[[], Awaitable[Any]]


async def _answer(delay: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            await asyncio.sleep(delay)
            writer.write(HEAD % len(ANSWER) + ANSWER)
    writer.close()


def _serve(delays: list[float], ready: Connection) -> None:
    async def serve() -> None:
        servers = [
            await asyncio.start_server(partial(_answer, delay), "127.0.0.1", 0, backlog=4096)
            for delay in delays
        ]
        ready.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def _serving(*delays: float) -> Iterator[list[str]]:
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(list(delays), send), daemon=True
    )
    process.start()
    try:
        yield [f"http://127.0.0.1:{port}/v1" for port in receive.recv()]
    finally:
        process.terminate()
        process.join()


@asynccontextmanager
async def _bare(*urls: str) -> Any:
    async with httpx.AsyncClient(timeout=None) as client:
        yield [partial(client.post, f"{url}/chat/completions", json=BODY) for url in urls]


@asynccontextmanager
async def _ours(*urls: str) -> Any:
    messages = [ModelRequest.user_text_prompt("Go on.")]
    models = [infer_model("openai:m", api_key="none", base_url=url) for url in urls]
    yield [partial(model_request, model, messages) for model in models]


@asynccontextmanager
async def _theirs(*urls: str) -> Any:
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelRequest
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    messages = [ModelRequest.user_text_prompt("Go on.")]
    models = [
        OpenAIChatModel("m", provider=OpenAIProvider(api_key="none", base_url=url)) for url in urls
    ]
    yield [partial(model_request, model, messages) for model in models]


CLIENTS: dict[str, Callable[..., Any]] = {"direct_anyio": _ours}
if find_spec("pydantic_ai"):
    CLIENTS["pydantic-ai"] = _theirs
CLIENTS["bare httpx"] = _bare


async def _crowd(ask: Ask, count: int) -> tuple[Counter[str], float]:
    """Return how so many requests at once ended, and the seconds that they took."""
    ended: Counter[str] = Counter()

    async def one() -> None:
        try:
            await ask()
            ended["answered"] += 1
        except Exception as exc:
            ended[type(exc).__name__] += 1

    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
    return ended, time.perf_counter() - started


async def _beside(healthy: Ask, silent: Ask) -> float | None:
    """Return the seconds of the healthy requests beside the silent, None where they hang."""
    taken: float | None = None
    async with anyio.create_task_group() as group:
        for _ in range(SILENT):
            group.start_soon(silent)
        await anyio.sleep(0.5)
        with anyio.move_on_after(10):
            _, taken = await _crowd(healthy, HEALTHY)
        group.cancel_scope.cancel()
    return taken


async def _run(client: Callable[..., Any], count: int, urls: list[str]) -> tuple[str, str]:
    async with client(*urls) as (slow, healthy, silent):
        await healthy()
        ended, seconds = await _crowd(slow, count)
        _, alone = await _crowd(healthy, HEALTHY)
        beside = await _beside(healthy, silent)
    reported = "hangs" if beside is None else f"{alone * 1e3:.0f} -> {beside * 1e3:.0f} ms"
    return f"{dict(ended)} in {seconds:.1f} s", reported


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    delay = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    print(f"{count} requests, {delay:g} s each; then {HEALTHY} to another host beside {SILENT}")
    with _serving(delay, 0.0, 3600.0) as urls:
        for name, client in CLIENTS.items():
            crowd, reported = asyncio.run(_run(client, count, urls))
            print(f"{name:<14} {crowd:<40} {reported}", flush=True)


if __name__ == "__main__":
    main()
