"""The two ends of a pump: a task that waits for something sends items to a reader.

Items cross in batches, on a bounded memory object stream, so a slow reader stops the
pump. The last batch grows until the reader takes it, so a fast pump costs one append an
item. A failure travels in band, behind the items that came before it: the reader raises
it, the task group never sees it.

A cancelled reader loses nothing. The stream hands an object to the waiting task, and with
it the object is lost where a native cancellation of asyncio's comes before that task has
woken: so it carries tokens, and the items stay here until a call returns them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import anyio
from anyio import CancelScope, WouldBlock
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ("Pipe", "Source")

ItemT = TypeVar("ItemT")
BatchT_co = TypeVar("BatchT_co", covariant=True)

BUFFER = 7
"""Batches that a pump may be ahead of its reader; with the growing one they are eight."""


class Source(Protocol[BatchT_co]):
    """The only part of a stream that waits."""

    async def receive(self, *, tail: bool = False, progressed: bool = False) -> BatchT_co:
        """Wait for a batch.

        Args:
            tail: Whether the answer is whole already, so that the wait is short.
            progressed: Whether the reader got an event out of what came last.

        Raises:
            anyio.EndOfStream: There are no more.
        """
        ...

    async def aclose(self, *, drain: bool) -> None:
        """Stop; with `drain`, first let an answer that is whole run out, for a moment."""
        ...


class Pipe(Generic[ItemT]):
    """What a pump task and its reader share.

    Args:
        weigh: The weight of an item.
        full: The weight from which on a batch grows no more.

    Attributes:
        scope: Cancels the pump.
    """

    _send: MemoryObjectSendStream[None]
    _receive: MemoryObjectReceiveStream[None]

    def __init__(self, weigh: Callable[[ItemT], int], full: int) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[None](BUFFER)
        self._weigh = weigh
        self._full = full
        self._items: list[ItemT] = []
        self._room = 0
        self._is_over = False
        self._has_left = False
        self._failure: BaseException | None = None
        self.scope = CancelScope()

    async def send(self, item: ItemT) -> None:
        """Send an item, waiting where eight batches have not been taken.

        Raises:
            anyio.BrokenResourceError: The reader has left.
        """
        if self._has_left:
            raise anyio.BrokenResourceError
        self._items.append(item)
        if self._room > 0:
            self._room -= self._weigh(item)
            return
        self._room = self._full - self._weigh(item)
        try:
            self._send.send_nowait(None)
        except WouldBlock:
            await self._send.send(None)

    def finish(self, failure: BaseException | None = None) -> None:
        """Send the end, or the failure, behind what was sent before."""
        self._is_over, self._failure = True, failure
        self._send.close()

    async def receive(self) -> list[ItemT]:
        """Wait for items, and return all that have arrived.

        Raises:
            anyio.EndOfStream: The pump has finished.
            anyio.ClosedResourceError: The reader has left.
            Exception: What the pump failed of.
        """
        while not self._items:
            if self._has_left:
                raise anyio.ClosedResourceError
            if self._is_over:
                raise self._failure or anyio.EndOfStream
            with suppress(anyio.EndOfStream):
                await self._receive.receive()
        return self._take()

    def receive_nowait(self) -> list[ItemT] | None:
        """Return what has arrived, None where nothing has."""
        return self._take() if self._items else None

    def _take(self) -> list[ItemT]:
        items, self._items, self._room = self._items, [], 0
        with suppress(WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
            while True:
                self._receive.receive_nowait()
        return items

    def leave(self) -> None:
        """Let go of the pump: a send in progress breaks, any other wait is cancelled."""
        self._has_left = True
        self._items.clear()
        self._receive.close()
        self.scope.cancel()
