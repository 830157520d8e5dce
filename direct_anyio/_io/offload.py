"""Work that would hold up an event loop, done in a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from anyio import to_thread

from .greenlets import queues_are_green

__all__ = ("Offloaded", "run_in_thread")

ResultT = TypeVar("ResultT")


async def run_in_thread(work: Callable[..., ResultT], *args: Any, **options: Any) -> ResultT:
    """Call a function in a worker thread; in this one where that would fail.

    Under `gevent.monkey.patch_all(thread=False)` it would never return. Python 3.12 and later
    start no threads for `atexit` handlers, and 3.12.0 and 3.12.1 none for threads that outlive
    the main thread.

    Args:
        work: The function.
        args: Its arguments.
        options: As `anyio.to_thread.run_sync` takes them.
    """
    has_begun = False

    def begin() -> ResultT:
        nonlocal has_begun
        has_begun = True
        return work(*args)

    if queues_are_green():
        return work(*args)
    try:
        return await to_thread.run_sync(begin, **options)
    except RuntimeError:
        if has_begun or threading.main_thread().is_alive():
            raise
        return work(*args)


class Offloaded(Generic[ResultT]):
    """A call in a worker thread, made once, whose result a cancelled wait does not lose.

    Args:
        work: What to call.
    """

    def __init__(self, work: Callable[[], ResultT]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._results: list[ResultT] = []

    async def wait(self) -> ResultT:
        """Wait for the result; after a native cancellation of asyncio's, wait again."""
        return await run_in_thread(self._run)

    def _run(self) -> ResultT:
        with self._lock:
            if not self._results:
                self._results.append(self._work())
            return self._results[0]
