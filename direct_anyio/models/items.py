"""Streams of items, for models that speak no HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    aclosing,
    nullcontext,
)
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import anyio

from .._core.accumulator import Accumulator
from .._core.codec import Item
from .._core.decoder import ItemsDecoder
from .._core.fold import Fold
from .._io.deadlines import Total, limits_of, within_total
from .._io.pump import Pipe
from .._io.tasks import HostedTaskGroup, held_open
from ..settings import ModelSettings
from ..streaming import StreamedResponse

__all__ = ("closing", "stream_items", "time_limit")

READ_AHEAD = 16
"""Batches of items that are passed on as one, where their reader is slow."""

StreamT = TypeVar("StreamT", bound=StreamedResponse)


def closing(items: AsyncIterable[Any]) -> AbstractAsyncContextManager[Any]:
    """Return what closes an async generator here and now, not in the garbage collector."""
    return aclosing(items) if isinstance(items, AsyncGenerator) else nullcontext()


def time_limit(
    model_name: str, settings: ModelSettings, *, stream: bool
) -> Callable[[], AbstractContextManager[None]]:
    """Return what holds each wait of a request to the setting `request_timeout`, from now on.

    Args:
        model_name: The model, for the error.
        settings: The settings.
        stream: Whether the answer is streamed.
    """
    if settings.get("request_timeout") is None:
        return nullcontext
    limits = limits_of(settings, stream=stream)
    total = Total(anyio.current_time() + limits.total)
    return partial(within_total, model_name, limits, total, "the model's function")


class _ItemSource:
    """A source of items that a task of its own pumps.

    Args:
        limited: What holds a wait to its limit.
    """

    def __init__(self, limited: Callable[[], AbstractContextManager[None]]) -> None:
        self._limited = limited
        self._pipe: Pipe[Iterable[Item]] = Pipe(lambda _: 1, READ_AHEAD)

    async def pump(self, batches: AsyncIterable[Iterable[Item]]) -> None:
        # A cancellation from without is no end: the reader may be out of its reach.
        failure: BaseException | None = anyio.ClosedResourceError()
        try:
            with self._pipe.scope:
                async with closing(batches):
                    async for batch in batches:
                        await self._pipe.send(batch)
            failure = None
        except anyio.BrokenResourceError:
            pass
        except (Exception, KeyboardInterrupt, SystemExit) as exc:
            failure = exc
        finally:
            self._pipe.finish(failure)

    async def receive(self, *, tail: bool = False, progressed: bool = False) -> Iterable[Item]:
        with self._limited():
            batches = await self._pipe.receive()
        return chain.from_iterable(batches)

    async def aclose(self, *, drain: bool) -> None:
        self._pipe.leave()


@held_open
async def stream_items(
    batches: AsyncIterable[Iterable[Item]],
    accumulator: Accumulator,
    stream_class: type[StreamT],
    settings: ModelSettings,
) -> AsyncIterator[StreamT]:
    """Stream a response from items, for models that speak no HTTP.

    Args:
        batches: Items, in batches; read in a task of its own.
        accumulator: What the response is grown in.
        stream_class: The class of the stream.
        settings: Of which `request_timeout` holds.

    Yields:
        The stream; it is left with the block.
    """
    async with HostedTaskGroup() as group:
        source = _ItemSource(time_limit(accumulator.model_name, settings, stream=True))
        group.start_soon(source.pump, batches)
        try:
            stream = stream_class(source, Fold(ItemsDecoder(), accumulator))
            await stream._begin()
            try:
                yield stream
            finally:
                await stream.aclose()
        finally:
            await source.aclose(drain=False)
