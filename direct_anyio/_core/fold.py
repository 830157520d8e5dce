"""A fold turns what a source brings into events and keeps the response.

Three verbs: `feed`, `close`, `snapshot`. Events are made one at a time, when the reader
asks for the next, so that a snapshot never shows what the reader has not been given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..events import ModelResponseStreamEvent
from ..exceptions import EmptyResponse
from ..messages import ModelResponse, ResponseState
from .accumulator import Accumulator
from .codec import End, Item, ResponseInfo

if TYPE_CHECKING:
    from .decoder import Decoder

__all__ = ("BytesFold", "Fold", "ItemFold")

_NO_NEWS = (ResponseInfo(), End(final=True), End(final=True, bare=True), End(final=False))

BatchT = TypeVar("BatchT")
BatchT_contra = TypeVar("BatchT_contra", contravariant=True)


class Fold(Protocol[BatchT_contra]):
    """What makes events out of batches."""

    accumulator: Accumulator

    def feed(self, batch: BatchT_contra) -> Iterator[ModelResponseStreamEvent]:
        """Take a batch and return its events, each made as it is asked for."""
        ...

    def close(self) -> Iterator[ModelResponseStreamEvent]:
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
        accumulator = self.accumulator
        for item in items:
            yield from accumulator.feed(item)
            if accumulator.ended:
                return


class ItemFold(_Folding[Iterable[Item]]):
    """Folds a source of items: a function's, or a script's. Its end is the answer's end."""

    def feed(self, batch: Iterable[Item]) -> Iterator[ModelResponseStreamEvent]:
        """Take items and return their events."""
        return self._folded(batch)

    def close(self) -> Iterator[ModelResponseStreamEvent]:
        """Take the end and return the last events."""
        self.accumulator.whole = self.accumulator.ended = True
        return iter(self.accumulator.close())


class BytesFold(_Folding[bytes]):
    """Folds the bytes of an HTTP response."""

    def __init__(self, decoder: Decoder, accumulator: Accumulator) -> None:
        super().__init__(accumulator)
        self._decoder = decoder
        self._held: deque[Item] = deque()
        self._rest: Iterator[Item] = iter(())

    def hold(self, chunk: bytes) -> bool:
        """Decode up to the first item of content and hold it, not yet folded.

        Returns:
            Whether there was one; if not, the next chunk is wanted.
        """
        self._rest = self._decoder.feed(chunk)
        return self._hold()

    def hold_end(self) -> None:
        """Take the end of the bytes while nothing but held items has come.

        Raises:
            ModelAPIError: The answer is not whole, or there is nothing in it.
        """
        self._rest = self._decoder.close()
        self._hold()

    def _hold(self) -> bool:
        for item in self._rest:
            self._held.append(item)
            if isinstance(item, ResponseInfo):
                continue
            if isinstance(item, End) and all(each in _NO_NEWS for each in self._held):
                raise EmptyResponse("The response ended without anything in it")
            return True
        return False

    def feed(self, batch: bytes) -> Iterator[ModelResponseStreamEvent]:
        """Take bytes and return their events; none once nothing more is to be read."""
        return iter(()) if self.accumulator.ended else self._folded(self._decoder.feed(batch))

    def held(self) -> Iterator[ModelResponseStreamEvent]:
        """Return the events of what was held, and of the rest of its chunk."""
        return self._folded(self._unheld())

    def close(self) -> Iterator[ModelResponseStreamEvent]:
        """Take the end of the bytes and return the last events.

        Raises:
            StreamInterrupted: The answer is not whole.
        """
        if not self.accumulator.ended:
            yield from self._folded(self._decoder.close())
        yield from self.accumulator.close()

    def _unheld(self) -> Iterator[Item]:
        while self._held:
            yield self._held.popleft()
        yield from self._rest
