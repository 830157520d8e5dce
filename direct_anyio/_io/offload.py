"""Work that would hold up an event loop, done in a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from anyio import to_thread

__all__ = ("Offloaded",)

ResultT = TypeVar("ResultT")


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
        return await to_thread.run_sync(self._run)

    def _run(self) -> ResultT:
        with self._lock:
            if not self._results:
                self._results.append(self._work())
            return self._results[0]
