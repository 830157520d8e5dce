"""The two ends of a pump: a task that waits for something sends items to a reader.

What the pump is ahead of its reader is bounded, so a slow reader stops the pump. The
reader takes all that has arrived at once, so a fast pump costs one append an item. A
failure travels in band, behind the items that came before it: the reader raises it, the
task group never sees it.

A cancelled reader loses nothing: items stay here until a call returns them. A memory
object stream hands an item to the waiting task, and with it the item is lost where a
native cancellation of asyncio's comes before that task has woken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import anyio
from anyio import CancelScope, Event
from anyio.lowlevel import checkpoint

__all__ = ("Pipe", "Source")

ItemT = TypeVar("ItemT")
BatchT_co = TypeVar("BatchT_co", covariant=True)


class Source(Protocol[BatchT_co]):
    """The only part of a stream that waits."""

    async def receive(self, *, tail: bool = False) -> BatchT_co:
        """Wait for a batch.

        Args:
            tail: Whether the answer is whole already, so that the wait is short.

        Raises:
            anyio.EndOfStream: There are no more.
        """
        ...

    def progressed(self) -> None:
        """Take note that the reader got an event out of what it received."""
        ...

    async def aclose(self, *, drain: bool) -> None:
        """Stop; with `drain`, first let an answer that is whole run out, for a moment."""
        ...


class Pipe(Generic[ItemT]):
    """What a pump task and its reader share.

    Args:
        weigh: The weight of an item.
        full: The weight from which on a send waits for the reader.

    Attributes:
        scope: Cancels the pump.
    """

    def __init__(self, weigh: Callable[[ItemT], int], full: int) -> None:
        self._weigh = weigh
        self._full = full
        self._items: list[ItemT] = []
        self._weight = 0
        self._arrived = Event()
        self._taken = Event()
        self._is_over = False
        self._has_left = False
        self._failure: BaseException | None = None
        self.scope = CancelScope()

    async def send(self, item: ItemT) -> None:
        """Send an item, waiting while there is no room.

        The wait is shielded: what was read is passed on, and only the reader's leaving
        may stop that.

        Raises:
            anyio.BrokenResourceError: The reader has left.
        """
        while self._weight >= self._full and not self._has_left:
            self._taken = Event()
            with CancelScope(shield=True):
                await self._taken.wait()
        if self._has_left:
            raise anyio.BrokenResourceError
        self._items.append(item)
        self._weight += self._weigh(item)
        self._arrived.set()

    def finish(self, failure: BaseException | None = None) -> None:
        """Send the end, or the failure, behind what was sent before."""
        self._is_over, self._failure = True, failure
        self._arrived.set()

    async def receive(self) -> list[ItemT]:
        """Wait for items, and return all that have arrived.

        Raises:
            anyio.EndOfStream: The pump has finished.
            anyio.ClosedResourceError: The reader has left.
            Exception: What the pump failed of.
        """
        await checkpoint()
        while not self._items:
            if self._has_left:
                raise anyio.ClosedResourceError
            if self._is_over:
                raise self._failure or anyio.EndOfStream
            self._arrived = Event()
            await self._arrived.wait()
        return self._take()

    def receive_nowait(self) -> list[ItemT] | None:
        """Return what has arrived, None where nothing has."""
        return self._take() if self._items else None

    def _take(self) -> list[ItemT]:
        items, self._items, self._weight = self._items, [], 0
        self._taken.set()
        return items

    def leave(self) -> None:
        """Let go of the pump: a send in progress breaks, any other wait is cancelled."""
        self._has_left = True
        self._items.clear()
        self._arrived.set()
        self._taken.set()
        self.scope.cancel()
