"""A fold turns what a source brings into events and keeps the response.

Three verbs: `feed`, `close`, `snapshot`. Events are made one at a time, when the reader
asks for the next, so that a snapshot never shows what the reader has not been given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..events import ModelResponseStreamEvent
from ..exceptions import EmptyResponse
from ..messages import ModelResponse, ResponseState
from .accumulator import Accumulator
from .codec import Item, Mark, ResponseInfo
from .ending import Progress

if TYPE_CHECKING:
    from .decoder import Decoder

__all__ = ("BytesFold", "Fold", "ItemFold", "ReadAhead")

LARGE = 512 * 1024
"""Bytes from which on a document is read in a worker thread: it takes some milliseconds."""

ENDED = Progress.ENDED

BatchT = TypeVar("BatchT")
BatchT_contra = TypeVar("BatchT_contra", contravariant=True)


class Fold(Protocol[BatchT_contra]):
    """What makes events out of batches."""

    accumulator: Accumulator

    @property
    def awaits_tail(self) -> bool:
        """Whether the answer is whole but for what may follow a finish reason."""
        ...

    def is_large(self, batch: Any) -> bool:
        """Return whether an event loop should not wait while a batch, or a mark, is read."""
        ...

    def read_ahead(self, batch: Any) -> Any:
        """Read a large batch, or what a mark ends; `feed` takes what is returned."""
        ...

    def feed(self, batch: BatchT_contra) -> Iterator[ModelResponseStreamEvent]:
        """Take a batch and return its events, each made as it is asked for."""
        ...

    def close(self, mark: Mark) -> Iterator[ModelResponseStreamEvent]:
        """Take the end of the source and return the last events."""
        ...

    def snapshot(self, state: ResponseState) -> ModelResponse:
        """Return the response as far as its events have been taken."""
        ...


class _Folding(Generic[BatchT]):
    """What the two folds share: items in, events out."""

    def __init__(self, accumulator: Accumulator) -> None:
        self.accumulator = accumulator

    def snapshot(self, state: ResponseState) -> ModelResponse:
        """Return the response as far as its events have been taken."""
        return self.accumulator.snapshot(state)

    def _folded(self, items: Iterable[Item]) -> Iterator[ModelResponseStreamEvent]:
        accumulator, ending = self.accumulator, self.accumulator.ending
        for item in items:
            yield from accumulator.feed(item)
            if ending.progress is ENDED:
                return


class ReadAhead:
    """Items that were made before they are asked for, and the failure behind them, if any.

    Args:
        items: What makes them; all are made here.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self._items: list[Item] = []
        self._failure: Exception | None = None
        try:
            self._items.extend(items)
        except Exception as exc:
            self._failure = exc

    def __iter__(self) -> Iterator[Item]:
        yield from self._items
        if self._failure is not None:
            raise self._failure


class ItemFold(_Folding[Iterable[Item]]):
    """Folds a source of items: a function's, or a script's. Its end is the answer's end."""

    awaits_tail = False

    def is_large(self, batch: Any) -> bool:
        """Return False: items have been read."""
        return False

    def read_ahead(self, batch: Any) -> Any:
        """Return a batch."""
        return batch

    def feed(self, batch: Iterable[Item]) -> Iterator[ModelResponseStreamEvent]:
        """Take items and return their events."""
        return self._folded(batch)

    def close(self, mark: Mark = Mark.END) -> Iterator[ModelResponseStreamEvent]:
        """Take the end and return the last events."""
        self.accumulator.feed(Mark.LAST)
        return self.accumulator.close()


class BytesFold(_Folding[bytes | ReadAhead]):
    """Folds the bytes of an HTTP response."""

    def __init__(self, decoder: Decoder, accumulator: Accumulator) -> None:
        super().__init__(accumulator)
        self._decoder = decoder
        self._held: deque[Item] = deque()
        self._rest: Iterator[Item] = iter(())

    @property
    def awaits_tail(self) -> bool:
        """Whether the answer is whole but for what may follow a finish reason."""
        is_finished = self.accumulator.ending.progress is Progress.FINISHED
        return is_finished and self._decoder.has_last_frame

    def is_large(self, batch: bytes | Mark) -> bool:
        """Return whether an event loop should not wait while a batch, or a mark, is read."""
        return self._decoder.weight(b"" if isinstance(batch, Mark) else batch) > LARGE

    def read_ahead(self, batch: bytes | Mark) -> ReadAhead:
        """Read a large batch, or what a mark ends; `feed` takes what is returned."""
        return ReadAhead(self._decoded(batch))

    def _decoded(self, batch: bytes | Mark | ReadAhead) -> Iterator[Item]:
        if isinstance(batch, bytes):
            return self._decoder.feed(batch)
        return self._decoder.close(batch) if isinstance(batch, Mark) else iter(batch)

    def hold(self, batch: bytes | Mark | ReadAhead) -> bool:
        """Decode up to the first content, or finish reason, and hold it, not yet folded.

        Returns:
            Whether there was one; if not, the next chunk is wanted.

        Raises:
            ModelAPIError: The answer ended, with neither.
        """
        self._rest = self._decoded(batch)
        for item in self._rest:
            if isinstance(item, Mark) and item is not Mark.FINISHED:
                self.accumulator.ending.take(item, self.accumulator.model_name)
                raise EmptyResponse("The response ended without anything in it")
            self._held.append(item)
            if not isinstance(item, ResponseInfo):
                return True
        return False

    def feed(self, batch: bytes | ReadAhead) -> Iterator[ModelResponseStreamEvent]:
        """Take bytes and return their events; none once nothing more is to be read."""
        if self.accumulator.ending.progress is ENDED:
            return iter(())
        return self._folded(self._decoded(batch))

    def held(self) -> Iterator[ModelResponseStreamEvent]:
        """Return the events of what was held, and of the rest of its chunk."""
        return self._folded(self._unheld())

    def close(self, mark: Mark = Mark.END) -> Iterator[ModelResponseStreamEvent]:
        """Take the end of the bytes and return the last events.

        Args:
            mark: Whether the body ended or broke off.

        Raises:
            StreamInterrupted: The answer is not whole.
        """
        if self.accumulator.ending.progress is not ENDED:
            yield from self._folded(self._decoder.close(mark))
        yield from self.accumulator.close()

    def _unheld(self) -> Iterator[Item]:
        while self._held:
            yield self._held.popleft()
        yield from self._rest
