"""Reports how long a request waited in a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from anyio import current_time

__all__ = ("queued", "on_queued")

on_queued: ContextVar[Callable[[str, float], None] | None] = ContextVar("on_queued", default=None)
"""Called with the name of a queue and the seconds spent in it, in the task that waited."""


@contextmanager
def queued(name: str) -> Iterator[None]:
    """Measure the block, which waits for a place; a wait that is given up is reported, too."""
    report = on_queued.get()
    if report is None:
        yield
        return
    started = current_time()
    try:
        yield
    finally:
        report(name, current_time() - started)
