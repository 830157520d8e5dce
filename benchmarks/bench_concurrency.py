"""CPU time of a request with 10, 100 and 1,000 of them at once, against bare httpx.

    python benchmarks/bench_concurrency.py [requests]

Bare httpx queues in its own pool of 100 connections; we queue before it. The server
answers in a process of its own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from loopback import serving

from direct_anyio import ModelRequest, infer_model, model_request_stream

MESSAGES = [ModelRequest.user_text_prompt("Count.")]
BODY: dict[str, Any] = {"model": "x", "messages": [], "stream": True}


async def _all(one: Callable[[], Awaitable[None]], total: int, at_once: int) -> float:
    """Return the CPU seconds of a request, with `at_once` of them waiting for an answer."""
    left = iter(range(total))

    async def work() -> None:
        for _ in left:
            await one()

    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return (time.process_time() - started) / total


async def _bare(url: str, total: int, at_once: int) -> float:
    async with httpx.AsyncClient(timeout=None) as client:

        async def one() -> None:
            async with client.stream("POST", f"{url}/chat/completions", json=BODY) as response:
                async for _line in response.aiter_lines():
                    pass

        await one()
        return await _all(one, total, at_once)


async def _ours(url: str, total: int, at_once: int) -> float:
    model = infer_model("openai:x", api_key="none", base_url=url)

    async def one() -> None:
        async with model_request_stream(model, MESSAGES) as stream:
            async for _event in stream:
                pass

    await one()
    return await _all(one, total, at_once)


def main() -> None:
    """Print the table."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{total} streams of 20 events; CPU ms a request, and times that of 10 at once")
    print(f"{'at once':>8} {'bare httpx':>18} {'direct_anyio':>18}")
    first: dict[str, float] = {}
    with serving(20) as url:
        for at_once in (10, 100, 1000):
            cells = []
            for name, run in (("bare", _bare), ("ours", _ours)):
                taken = asyncio.run(run(url, total, at_once)) * 1e3
                first.setdefault(name, taken)
                cells.append(f"{taken:8.2f} ms  {taken / first[name]:4.1f}x")
            print(f"{at_once:>8} {cells[0]:>18} {cells[1]:>18}")


if __name__ == "__main__":
    main()
