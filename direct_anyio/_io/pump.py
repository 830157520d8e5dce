"""The two ends of a pump: a task that waits for something sends batches to a reader.

Batches cross a bounded memory object stream, so a slow reader stops the pump. A failure
travels in band, behind the batches that came before it: the reader raises it, the task
group never sees it.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import anyio
from anyio import CancelScope, WouldBlock
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

__all__ = ("BUFFER", "Pipe", "Source")

BatchT = TypeVar("BatchT")
BatchT_co = TypeVar("BatchT_co", covariant=True)

BUFFER = 16
"""Batches that a pump may be ahead of its reader."""


class Source(Protocol[BatchT_co]):
    """The only part of a stream that waits."""

    async def receive(self) -> BatchT_co:
        """Wait for a batch.

        Raises:
            anyio.EndOfStream: There are no more.
        """
        ...

    async def aclose(self, *, drain: bool) -> None:
        """Stop; with `drain`, first let an answer that is whole run out, for a moment."""
        ...


class Pipe(Generic[BatchT]):
    """What a pump task and its reader share.

    Attributes:
        scope: Cancels the pump.
    """

    _send: MemoryObjectSendStream[BatchT]
    _receive: MemoryObjectReceiveStream[BatchT]

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[BatchT](BUFFER)
        self._failure: BaseException | None = None
        self.scope = CancelScope()

    async def send(self, batch: BatchT) -> None:
        """Send a batch, waiting while the buffer is full.

        The wait is shielded: a cancelled send may have delivered or not, and only the
        reader's leaving, which closes the other end, may stop it.

        Raises:
            anyio.BrokenResourceError: The reader has left.
        """
        try:
            self._send.send_nowait(batch)
        except WouldBlock:
            with CancelScope(shield=True):
                await self._send.send(batch)

    def finish(self, failure: BaseException | None = None) -> None:
        """Send the end, or the failure, behind what was sent before."""
        self._failure = failure
        self._send.close()

    async def receive(self) -> BatchT:
        """Wait for a batch.

        Raises:
            anyio.EndOfStream: The pump has finished.
            Exception: What the pump failed of.
        """
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            if self._failure is not None:
                raise self._failure from None
            raise

    def receive_nowait(self) -> BatchT | None:
        """Return a batch that is here already, None where there is none."""
        try:
            return self._receive.receive_nowait()
        except (WouldBlock, anyio.EndOfStream):
            return None

    def leave(self) -> None:
        """Let go of the pump: a send in progress breaks, any other wait is cancelled."""
        self._receive.close()
        self.scope.cancel()
