"""The two ends of a pump: a task that waits for something sends batches to a reader.

Batches cross a bounded memory object stream, so a slow reader stops the pump. The last
batch grows until the reader takes it, so a fast pump costs one append an item. A failure
travels in band, behind the batches that came before it: the reader raises it, the task
group never sees it.
"""

from __future__ import annotations

from collections.abc import Callable
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
        full: The weight from which on a batch grows no more.

    Attributes:
        scope: Cancels the pump.
    """

    _send: MemoryObjectSendStream[list[ItemT]]
    _receive: MemoryObjectReceiveStream[list[ItemT]]

    def __init__(self, weigh: Callable[[ItemT], int], full: int) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[list[ItemT]](BUFFER)
        self._weigh = weigh
        self._full = full
        self._growing: list[ItemT] | None = None
        self._room = 0
        self._failure: BaseException | None = None
        self.scope = CancelScope()

    async def send(self, item: ItemT) -> None:
        """Send an item, waiting while the buffer is full.

        The wait is shielded: a cancelled send may have delivered or not, and only the
        reader's leaving, which closes the other end, may stop it.

        Raises:
            anyio.BrokenResourceError: The reader has left.
        """
        if self._growing is not None and self._room > 0:
            self._growing.append(item)
            self._room -= self._weigh(item)
            return
        batch = [item]
        try:
            self._send.send_nowait(batch)
        except WouldBlock:
            with CancelScope(shield=True):
                await self._send.send(batch)
        self._growing, self._room = batch, self._full - self._weigh(item)

    def finish(self, failure: BaseException | None = None) -> None:
        """Send the end, or the failure, behind what was sent before."""
        self._failure = failure
        self._send.close()

    async def receive(self) -> list[ItemT]:
        """Wait for a batch; what else has arrived comes with it.

        Raises:
            anyio.EndOfStream: The pump has finished.
            Exception: What the pump failed of.
        """
        try:
            batch = await self._receive.receive()
        except anyio.EndOfStream:
            if self._failure is not None:
                raise self._failure from None
            raise
        return batch + (self.receive_nowait() or [])

    def receive_nowait(self) -> list[ItemT] | None:
        """Return what has arrived, None where nothing has."""
        batch: list[ItemT] = []
        try:
            while True:
                batch += self._receive.receive_nowait()
        except (WouldBlock, anyio.EndOfStream):
            # Whatever batch was growing, it is taken.
            self._growing = None
            return batch or None

    def leave(self) -> None:
        """Let go of the pump: a send in progress breaks, any other wait is cancelled."""
        self._receive.close()
        self.scope.cancel()
