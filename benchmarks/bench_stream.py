"""Time of a whole stream, against the same bytes read by bare httpx and `json.loads`.

    python benchmarks/bench_stream.py [events] [rounds]

The rounds alternate, so that a noisy machine is noisy for all; figures are medians.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
from loopback import serving

from direct_anyio import (
    ModelRequest,
    infer_model,
    model_request_stream,
    model_request_stream_sync,
)

MESSAGES = [ModelRequest.user_text_prompt("Count.")]
BODY: dict[str, Any] = {"model": "x", "messages": [], "stream": True}


def _loaded(line: str) -> bool:
    if line.startswith("data: {"):
        json.loads(line[6:])
    return True


async def _bare(url: str) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(2):
            started = time.perf_counter()
            async with client.stream("POST", f"{url}/chat/completions", json=BODY) as response:
                async for line in response.aiter_lines():
                    _loaded(line)
            _times.append(time.perf_counter() - started)


async def _ours(url: str) -> None:
    model = infer_model("openai:x", api_key="none", base_url=url)
    for _ in range(2):
        started = time.perf_counter()
        async with model_request_stream(model, MESSAGES) as stream:
            async for _event in stream:
                pass
        _times.append(time.perf_counter() - started)


def _bare_sync(url: str) -> None:
    with httpx.Client() as client:
        for _ in range(2):
            started = time.perf_counter()
            with client.stream("POST", f"{url}/chat/completions", json=BODY) as response:
                for line in response.iter_lines():
                    _loaded(line)
            _times.append(time.perf_counter() - started)


def _ours_sync(url: str) -> None:
    model = infer_model("openai:x", api_key="none", base_url=url)
    for _ in range(2):
        started = time.perf_counter()
        with model_request_stream_sync(model, MESSAGES) as stream:
            for _event in stream:
                pass
        _times.append(time.perf_counter() - started)


_times: list[float] = []


def _on(backend: str, function: Callable[[str], Any], url: str) -> None:
    anyio.run(function, url, backend=backend)


def main() -> None:
    """Print the table."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    cases: dict[str, tuple[Callable[[str], None], Callable[[str], None]]] = {
        "async, asyncio": (lambda u: _on("asyncio", _bare, u), lambda u: _on("asyncio", _ours, u)),
        "async, trio": (lambda u: _on("trio", _bare, u), lambda u: _on("trio", _ours, u)),
        "sync": (_bare_sync, _ours_sync),
    }
    print(f"{events} events, one an HTTP chunk; {rounds} rounds; medians")
    print(f"{'caller':<16} {'bare httpx':>12} {'direct_anyio':>13} {'ratio':>6} {'us/event':>9}")
    with serving(events) as url:
        for caller, pair in cases.items():
            medians = _alternated(pair, url, rounds)
            bare, ours = medians
            each = ours / events * 1e6
            print(
                f"{caller:<16} {bare * 1e3:>9.1f} ms {ours * 1e3:>10.1f} ms "
                f"{ours / bare:>6.2f} {each:>9.1f}"
            )


def _alternated(pair: tuple[Callable[[str], None], ...], url: str, rounds: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in pair]
    for _ in range(rounds):
        for number, run in enumerate(pair):
            _times.clear()
            run(url)
            # The first request of a client opens a connection and imports; the second counts.
            taken[number].append(_times[-1])
    return [statistics.median(times) for times in taken]


if __name__ == "__main__":
    main()
