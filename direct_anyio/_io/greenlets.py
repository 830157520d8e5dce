"""Greenlets in place of threads, as the monkey patches of gevent and eventlet put them there.

Where `threading` is patched, a new thread is a greenlet that shares its thread with the code
that waits for it. asyncio knows one running event loop for each thread, so a loop in such a
greenlet hides while it waits: the other greenlets may run event loops of their own.
"""

from __future__ import annotations

import _thread
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from selectors import BaseSelector, SelectorKey

__all__ = (
    "call_in_turn",
    "import_advice",
    "new_event_loop",
    "queues_are_green",
    "threads_are_green",
)


def threads_are_green() -> bool:
    """Return whether a new thread is a greenlet."""
    return _origin(_thread.start_new_thread) in ("gevent", "eventlet")


def queues_are_green() -> bool:
    """Return whether a thread that waits for a queue of another thread would wait for ever.

    So it is where gevent has patched queues but not threads: `patch_all(thread=False)`.
    """
    import queue

    return _origin(queue.SimpleQueue) == "gevent" and not threads_are_green()


def import_advice() -> str | None:
    """Return how trio, which httpx imports where it is installed, can be behind a patch."""
    import socket

    return {
        "gevent": "`import trio` in the main thread, behind `monkey.patch_all()`",
        "eventlet": "`import trio` before `eventlet.monkey_patch()`",
    }.get(_origin(socket.socket))


_turns: Any = None
"""A lock for greenlets."""


def call_in_turn(function: Callable[[], object]) -> None:
    """Call a function in one of gevent's greenlets at a time.

    An import needs that where it starts a process, as trio's does: other greenlets run while it
    waits, and get modules that are half imported.
    """
    global _turns
    _turns = _turns or import_module("gevent.lock").RLock()
    with _turns:
        function()


def _origin(thing: object) -> str:
    return str(getattr(thing, "__module__", "")).partition(".")[0]


def new_event_loop() -> AbstractEventLoop:
    """Make an event loop for a greenlet."""
    from asyncio import SelectorEventLoop

    return SelectorEventLoop(cast("BaseSelector", _HidingSelector()))


class _HidingSelector:
    """A selector whose event loop is not the running one while it waits."""

    def __init__(self) -> None:
        from selectors import DefaultSelector

        self._selector = DefaultSelector()
        self._others: AbstractEventLoop | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)

    def select(self, timeout: float | None) -> list[tuple[SelectorKey, int]]:
        from asyncio import _get_running_loop, _set_running_loop

        ours = _get_running_loop()
        _set_running_loop(self._others)
        try:
            return self._selector.select(timeout)
        finally:
            self._others = _get_running_loop()
            _set_running_loop(ours)
