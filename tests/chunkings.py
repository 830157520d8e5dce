"""The ways in which a network may cut a body; a decoder must give the same for all of them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

__all__ = ("cuts", "every_chunking", "every_line_end")

EVERY_CUT = 2 * 1024
"""Bytes up to which a body is cut in two at every place."""

SAMPLED_CUTS = 200
RANDOM_CHUNKINGS = 20

FRAME_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def every_chunking(body: bytes) -> Iterator[list[bytes]]:
    """Yield `body` whole, byte by byte, cut in two and in 20 random ways, the same every time.

    It is cut in two at every place, if longer than 2 KiB at a sample of places and around the end
    of every frame.
    """
    yield [body]
    yield [body[at : at + 1] for at in range(len(body))]
    for cut in cuts(body):
        yield [body[:cut], body[cut:]]
    for seed in range(RANDOM_CHUNKINGS):
        yield list(_random_chunks(body, random.Random(seed)))


def every_line_end(body: bytes) -> Iterator[bytes]:
    """Yield `body`, whose lines end with LF, as it is, with CR LF and with CR."""
    for end in (b"\n", b"\r\n", b"\r"):
        yield body.replace(b"\n", end)


def cuts(body: bytes) -> list[int]:
    """Return the places at which a body is cut in two."""
    inside = range(1, len(body))
    if len(body) <= EVERY_CUT:
        return list(inside)
    sample = random.Random(len(body)).sample(inside, SAMPLED_CUTS)
    edges = (match.end() + by for match in FRAME_END.finditer(body) for by in (-1, 0, 1))
    return sorted({*sample, *edges}.intersection(inside))


def _random_chunks(body: bytes, rng: random.Random) -> Iterator[bytes]:
    largest = 2 ** rng.randint(1, 12)  # some chunkings are fine, some are coarse
    at = 0
    while at < len(body):
        size = rng.randint(1, largest)
        yield body[at : at + size]
        at += size
