"""A fold turns what a source brings into events and keeps the response.

It never waits: `take` is given what has arrived, `next_event` returns what comes of it. Events
are made one at a time, when the reader asks for the next, so that a snapshot never shows what
the reader has not been given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..events import ModelResponseStreamEvent
from ..exceptions import EmptyResponse
from ..messages import ModelResponse, ResponseState
from .accumulator import Accumulator
from .codec import Item, Mark, ResponseInfo
from .ending import Progress

if TYPE_CHECKING:
    from .decoder import Decoder

__all__ = ("Fold",)

LARGE = 512 * 1024
"""Bytes from which on a document is read in a worker thread: it takes some milliseconds."""

# Members of an enum are slow to look up, and these are with every event.
FINISHED, ENDED, CLOSED = Progress.FINISHED, Progress.ENDED, Progress.CLOSED


class Fold:
    """The one place of what has arrived and has not been read.

    Args:
        decoder: Makes items of what arrives.
        accumulator: Makes events of items, and keeps the response.
    """

    def __init__(self, decoder: Decoder[Any], accumulator: Accumulator) -> None:
        self.accumulator = accumulator
        self._decoder = decoder
        self._arrived: Iterator[Item] | None = None
        self._events: Iterator[ModelResponseStreamEvent] = iter(())

    @property
    def has_more(self) -> bool:
        """Whether something has arrived that no event has been made of."""
        return self._arrived is not None

    @property
    def awaits_tail(self) -> bool:
        """Whether the answer is whole but for what may follow a finish reason."""
        return self._decoder.has_last_frame and self.accumulator.ending.progress is FINISHED

    def is_large(self, batch: Any) -> bool:
        """Return whether an event loop should not wait while a batch, or a mark, is read."""
        return self._decoder.weight(b"" if isinstance(batch, Mark) else batch) > LARGE

    def decoded(self, batch: Any) -> Iterator[Item]:
        """Return, lazily, the items of a batch, or the last ones for a mark; for `take`."""
        return self._decoder.close(batch) if isinstance(batch, Mark) else self._decoder.feed(batch)

    def decoded_now(self, batch: Any) -> Iterator[Item]:
        """Return the items of a batch, or of a mark, all decoded, and behind them the failure."""
        items: list[Item] = []
        try:
            items.extend(self.decoded(batch))
        except Exception as exc:
            return chain(items, _failing(exc))
        return iter(items)

    def take(self, items: Iterable[Item]) -> None:
        """Take items that have arrived, once all events of those before have been made."""
        self._arrived = iter(items)

    def has_begun(self) -> bool:
        """Return whether the answer has begun with what has arrived: its first content is there.

        What comes before that is folded, and makes no events.

        Raises:
            EmptyResponse: The answer has ended without content and without a finish reason.
            StreamInterrupted: It was cut short.
        """
        for item in self._arrived or ():
            if isinstance(item, ResponseInfo):
                self.accumulator.feed(item)
                continue
            if isinstance(item, Mark) and item is not Mark.FINISHED:
                self.accumulator.feed(item)
                raise EmptyResponse("The response ended without anything in it")
            assert self._arrived is not None
            self._arrived = chain((item,), self._arrived)
            return True
        self._arrived = None
        return False

    def next_event(self) -> ModelResponseStreamEvent | None:
        """Return the next event, None where more must arrive first, or the response is closed.

        Raises:
            ModelAPIError: What arrived is an error, or cannot be read, or the answer is not whole.
        """
        ending = self.accumulator.ending
        while True:
            for event in self._events:
                return event
            if ending.progress is ENDED:
                self._events = self.accumulator.close()
            elif self._arrived is None or ending.progress is CLOSED:
                return None
            else:
                items, self._arrived = self._arrived, None
                self._events = self._folded(items)

    def put_back(self, events: Iterable[ModelResponseStreamEvent]) -> None:
        """Have `next_event` return events that it has returned before."""
        self._events = chain(events, self._events)

    def _folded(self, items: Iterable[Item]) -> Iterator[ModelResponseStreamEvent]:
        accumulator, ending = self.accumulator, self.accumulator.ending
        for item in items:
            yield from accumulator.feed(item)
            if ending.progress is ENDED:
                return

    def snapshot(self, state: ResponseState) -> ModelResponse:
        """Return the response as far as its events have been made."""
        return self.accumulator.snapshot(state)


def _failing(exc: Exception) -> Iterator[Item]:
    raise exc
    yield
