"""Greenlets in place of threads, as the monkey patches of gevent and eventlet put them there.

Where `threading` is patched, a new thread is a greenlet that shares its thread with the code
that waits for it. asyncio knows one running event loop for each thread, so a loop in such a
greenlet hides while it waits: the other greenlets may run event loops of their own.
"""

from __future__ import annotations

import _thread
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterator
    from selectors import BaseSelector, SelectorKey

__all__ = ("new_event_loop", "queues_are_green", "threads_are_green", "trio_kept_out")

_LIBRARIES = ("gevent", "eventlet")


def threads_are_green() -> bool:
    """Return whether a new thread is a greenlet."""
    return _origin(_thread.start_new_thread) in _LIBRARIES


def queues_are_green() -> bool:
    """Return whether a thread that waits for a queue of another thread would wait for ever.

    So it is where gevent has patched queues but not threads: `patch_all(thread=False)`.
    """
    import queue

    return _origin(queue.SimpleQueue) == "gevent" and not threads_are_green()


@contextmanager
def trio_kept_out() -> Iterator[None]:
    """Keep trio from being imported meanwhile, where sockets are patched.

    httpx imports it where it is installed. There that fails, or lets other greenlets run, which
    get modules that are half imported; and no event loop of trio's could run.
    """
    import socket

    is_kept_out = _origin(socket.socket) in _LIBRARIES and "trio" not in sys.modules
    if is_kept_out:
        sys.modules["trio"] = cast(Any, None)
    try:
        yield
    finally:
        if is_kept_out:
            sys.modules.pop("trio", None)


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
