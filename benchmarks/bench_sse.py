"""How fast server-sent events are decoded, against a plain line loop and httpx-sse.

Run `python benchmarks/bench_sse.py`. Every figure is the best of five runs, of fewer where they
take long. httpx-sse is measured where it is installed, with the text decoder that it needs.
"""

from __future__ import annotations

import codecs
import platform
from collections.abc import Callable, Iterator
from time import perf_counter

from direct_anyio._core.sse import SSEDecoder

try:
    from httpx_sse import _decoders as httpx_sse
except ImportError:
    httpx_sse = None

RUNS = 5
PATIENCE = 2.0
"""Seconds after which a figure gets no further run."""

CAP = 64 * 1024 * 1024

FRAME = (
    b'data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,'
    b'"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" hello"}}]}\n\n'
)
NAMED = b"event: content_block_delta\n" + FRAME


def direct(chunks: list[bytes]) -> int:
    """Decode with our decoder; return the number of events, as the others do."""
    decoder = SSEDecoder(max_line=CAP, max_event=CAP)
    return sum(1 for chunk in chunks for _ in decoder.feed(chunk))


def naive(chunks: list[bytes]) -> int:
    """Take lines off the front of one growing buffer, knowing LF and `data` only."""
    return sum(1 for _ in _naive_events(chunks))


def _naive_events(chunks: list[bytes]) -> Iterator[bytes]:
    buffer = b""
    data: list[bytes] = []
    for chunk in chunks:
        buffer += chunk
        while b"\n" in buffer:
            line, buffer = buffer.split(b"\n", 1)
            if line.startswith(b"data: "):
                data.append(line[6:])
            elif not line and data:
                yield b"\n".join(data)
                data = []


def via_httpx_sse(chunks: list[bytes]) -> int:
    """Decode with the two decoders of httpx-sse, behind an incremental UTF-8 decoder."""
    text = codecs.getincrementaldecoder("utf-8")(errors="replace")
    lines, events = httpx_sse.SSELineDecoder(), httpx_sse.SSEDecoder()
    return sum(
        events.decode(line) is not None
        for chunk in chunks
        for line in lines.decode(text.decode(chunk))
    )


def cut(body: bytes, size: int) -> list[bytes]:
    """Cut `body` into chunks of `size` bytes."""
    return [body[at : at + size] for at in range(0, len(body), size)]


def best(decode: Callable[[list[bytes]], int], chunks: list[bytes], events: int) -> float:
    """Return the seconds of the fastest run."""
    times: list[float] = []
    while len(times) < RUNS and sum(times) < PATIENCE:
        started = perf_counter()
        found = decode(chunks)
        times.append(perf_counter() - started)
        assert found == events, (decode, found)
    return min(times)


CASES: list[tuple[str, list[bytes], int]] = [
    ("one event a chunk", [FRAME] * 50_000, 50_000),
    ("one named event a chunk", [NAMED] * 50_000, 50_000),
    ("400 events a chunk", [FRAME * 400] * 125, 50_000),
    ("400 named events a chunk", [NAMED * 400] * 125, 50_000),
    ("events in 7-byte chunks", cut(FRAME * 2_000, 7), 2_000),
    ("128 KiB line, byte by byte", cut(b"data: " + b"x" * 2**17 + b"\n\n", 1), 1),
    ("1 MiB line, 100-byte chunks", cut(b"data: " + b"x" * 2**20 + b"\n\n", 100), 1),
    ("32 MiB line, 64 KiB chunks", cut(b"data: " + b"x" * 2**25 + b"\n\n", 2**16), 1),
]

RIVALS = {"line loop": naive, **({"httpx-sse": via_httpx_sse} if httpx_sse else {})}


def main() -> None:
    """Print one row a case: our time, and how many times longer the others take."""
    print(f"Python {platform.python_version()}, {platform.machine()}")
    heads = "".join(f"{name:>12}" for name in RIVALS)
    print(f"{'':30}{'ms':>10}{'us/event':>10}{'MB/s':>8}{heads}")
    for name, chunks, events in CASES:
        ours = best(direct, chunks, events)
        speed = sum(map(len, chunks)) / ours / 1e6
        ratios = (best(rival, chunks, events) / ours for rival in RIVALS.values())
        shown = "".join(f"{ratio:11.1f}x" for ratio in ratios)
        print(f"{name:30}{ours * 1e3:10.1f}{ours / events * 1e6:10.2f}{speed:8.0f}{shown}")


if __name__ == "__main__":
    main()
