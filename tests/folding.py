"""Reads the bytes of a response without a connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from direct_anyio import ModelResponseStreamEvent
from direct_anyio._core.codec import Mark
from direct_anyio._core.ending import Progress
from direct_anyio._core.fold import Fold


def fed(fold: Fold, *batches: Any) -> list[ModelResponseStreamEvent]:
    """Give a fold batches of bytes, or a mark, and return the events that they make.

    Like a stream, it takes nothing more once the response is closed.
    """
    events: list[ModelResponseStreamEvent] = []
    for batch in batches:
        if fold.accumulator.ending.progress is not Progress.CLOSED:
            fold.take(fold.decoded(batch))
            events += iter(fold.next_event, None)
    return events


def read_all(fold: Fold, chunks: Iterable[bytes]) -> list[ModelResponseStreamEvent]:
    """Open and read a whole response, and return its events."""
    batches = iter([*chunks, Mark.END])
    for batch in batches:
        fold.take(fold.decoded(batch))
        if fold.has_begun():
            break
    events: list[ModelResponseStreamEvent] = []
    events += iter(fold.next_event, None)
    return events + fed(fold, *batches)
