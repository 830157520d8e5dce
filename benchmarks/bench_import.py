"""What importing costs over bare Python, and how long a first request holds its loop.

    python benchmarks/bench_import.py

Imports are timed in processes of their own, in turns with bare Python; medians of 15.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from loopback import serving

IMPORTS = {
    "import direct_anyio": 5,
    "from direct_anyio import model_request, ModelRequest": 120,
    "import httpx": None,
    "import trio": None,
}

FIRST_REQUEST = """
import asyncio, sys, threading, time
from direct_anyio import ModelRequest, infer_model, model_request_stream

gaps = []

async def tick():
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0)
        gaps.append(time.perf_counter() - before)

async def main():
    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    gaps.clear()
    model = infer_model("openai:x", api_key="k", base_url=sys.argv[1])
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Go.")]) as stream:
        async for _ in stream:
            pass
    ticker.cancel()
    print(max(gaps))

asyncio.run(main())
"""


def _wall(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    times: dict[str, list[float]] = {code: [] for code in ("pass", *IMPORTS)}
    for _ in range(15):
        for code, taken in times.items():
            taken.append(_wall(code))
    bare = statistics.median(times["pass"])
    print(f"bare Python {bare * 1e3:.0f} ms")
    for code, goal in IMPORTS.items():
        over = (statistics.median(times[code]) - bare) * 1e3
        print(f"{code:<54} +{over:6.1f} ms" + (f"  (goal {goal})" if goal else ""))
    with serving(20) as url:
        holds = [
            float(subprocess.check_output([sys.executable, "-c", FIRST_REQUEST, url]))
            for _ in range(7)
        ]
    print(f"a first request holds the loop {statistics.median(holds) * 1e3:.0f} ms at the longest")


if __name__ == "__main__":
    main()
