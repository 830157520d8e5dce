"""A response in the making: a source that waits, a fold that does not.

`StreamedResponse` is what the functions yield. It ends when the answer does, raises what
cut it short, and keeps what it has delivered readable, however it was left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define, field

from ._core.codec import Item, Mark
from ._core.ending import Progress
from ._io.offload import Offloaded
from .exceptions import ModelAPIError, ModelConnectionError, UserError
from .messages import (
    FinalResultEvent,
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    ResponseState,
    added_text,
)
from .tools import ModelRequestParameters
from .usage import RequestUsage

if TYPE_CHECKING:
    from ._core.fold import Fold
    from ._io.pump import Source

__all__ = ("StreamedResponse",)


# Members of an enum are slow to look up, and these are with every event.
_FINISHED, _ENDED, _CLOSED = Progress.FINISHED, Progress.ENDED, Progress.CLOSED


@define(eq=False, repr=False)
class StreamedResponse:
    """A streamed response; iterate over it for its events.

    A second loop goes on where the first one stopped. `response` can be read at any
    time, also after the block was left, and holds what has been delivered.

    Args:
        source: Brings batches.
        fold: Makes events of them.
        describe: Adds what is known of the request to an error.
    """

    _source: Source[Any]
    _fold: Fold
    _describe: Callable[[ModelAPIError], None] | None = None
    _state: ResponseState = field(default="incomplete", init=False)
    _failure: BaseException | None = field(default=None, init=False)
    _left: bool = field(default=False, init=False)
    _filling: bool = field(default=False, init=False)
    _progressed: bool = field(default=False, init=False)
    _reading: Offloaded[Iterator[Item]] | None = field(default=None, init=False)

    def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Stream the response as events."""
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        """Return the next event.

        Raises:
            StopAsyncIteration: The response is complete.
            ModelAPIError: It never will be; `response` of the error holds what came.
            UserError: The stream was left, or another task is waiting for its next event.
        """
        while (event := self._advance()) is None:
            if self._is_closed:
                raise StopAsyncIteration
            await self._fill()
        return event

    def _advance(self) -> ModelResponseStreamEvent | None:
        """Return the next event of what has arrived, None where more must arrive first.

        Never waits. With `_fill` it is what `__anext__` is made of, for readers that wait
        elsewhere.
        """
        if self._failure is not None:
            raise UserError("The stream has failed; `response` holds what it delivered.")
        if self._left and not self._is_closed:
            raise UserError("The stream is closed; `response` holds what it delivered.")
        try:
            event = self._fold.next_event()
        except BaseException as exc:
            self._fail(exc)
            raise
        if event is not None:
            self._progressed = True
        elif self._is_closed:
            self._state = self._fold.accumulator.final_state
        return event

    @property
    def _is_closed(self) -> bool:
        return self._fold.accumulator.ending.progress is _CLOSED

    async def _fill(self) -> None:
        """Wait until more has arrived."""
        if self._filling:
            raise UserError(
                "Another task is waiting for the next event of this stream: iterate in one."
            )
        self._filling = True
        try:
            # Where a blocking reader was interrupted, it has come since.
            if not self._fold.has_more:
                self._fold.take(await self._received())
        except anyio.ClosedResourceError:
            raise UserError("The stream was closed while it was being read.") from None
        except Exception as exc:
            self._fail(exc)
            raise
        finally:
            self._filling = False

    async def _begin(self) -> None:
        """Wait for the first content; an error before it is raised as it is."""
        while not self._fold.has_begun():
            self._fold.take(await self._received())

    async def _received(self) -> Iterator[Item]:
        """Wait for more, and return its items."""
        if self._reading is None:
            tail = self._fold.awaits_tail
            progressed, self._progressed = self._progressed, False
            batch: Any
            try:
                batch = await self._source.receive(tail=tail, progressed=progressed)
            except anyio.EndOfStream:
                batch = Mark.END
            except ModelConnectionError:
                if self._fold.accumulator.ending.progress is not _FINISHED:
                    raise
                # The answer is whole; what broke is only what may follow it.
                batch = Mark.CUT
            if not self._fold.is_large(batch):
                return self._fold.decoded(batch)
            self._reading = Offloaded(partial(self._fold.decoded_now, batch))
        items = await self._reading.wait()
        self._reading = None
        return items

    def _fail(self, exc: BaseException) -> None:
        self._failure = exc
        if isinstance(exc, ModelAPIError):
            if self._describe is not None:
                self._describe(exc)
            else:
                exc.model_name = exc.model_name or self.model_name
                exc.provider = self.provider_name
                exc.phase = exc.phase or "body"
            exc.response = self.response

    def text_deltas(self) -> AsyncIterator[str]:
        """Stream the text of the response alone, as it comes.

        Thoughts, tool calls and the like are left out. Joined, the texts are `response.text`,
        which puts a blank line where something else came in between.

        ```py
        async with model_request_stream('openai:gpt-4.1-mini', messages) as stream:
            async for text in stream.text_deltas():
                print(text, end='', flush=True)
        ```

        Raises:
            ModelAPIError: The answer was cut short; `response` of the error holds what came.
        """
        return _TextDeltas(self)

    async def drain(self) -> ModelResponse:
        """Read the stream to its end and return the whole response.

        Raises:
            ModelAPIError: There is no whole response.
        """
        while True:
            while self._advance() is not None:
                pass
            if self._is_closed:
                return self.response
            await self._fill()

    def _peek(self) -> ModelResponse:
        """Return the response with all that has arrived; it is delivered all the same."""
        arrived: list[ModelResponseStreamEvent] = []
        while (event := self._advance()) is not None:
            arrived.append(event)
        response, self._state = self.response, "incomplete"
        self._fold.put_back(arrived)
        return response

    async def finish(self) -> ModelResponse:
        """Return the whole response where nobody reads its events.

        Raises:
            ModelAPIError: There is no whole response.
        """
        self._fold.accumulator.is_unread = True
        return await self.drain()

    async def cancel(self) -> None:
        """Leave the stream; the same as `aclose`."""
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the stream: the connection is closed now, and nothing more is read.

        What was delivered stays readable. Leaving twice is leaving once.
        """
        if self._left:
            return
        self._left = True
        if self._state == "incomplete" and self._failure is None:
            self._state = "interrupted"
        is_over = self._fold.accumulator.ending.progress in (_ENDED, _CLOSED)
        await self._source.aclose(drain=is_over)

    def _note(self, **flags: Any) -> None:
        """Add a note to the response, under `provider_details['direct_anyio']`."""
        self._fold.accumulator.note(**flags)

    @property
    def response(self) -> ModelResponse:
        """The response as far as its events have been delivered."""
        return self._fold.snapshot(self._state)

    def get(self) -> ModelResponse:
        """Return the response as far as its events have been delivered."""
        return self.response

    def usage(self) -> RequestUsage:
        """Return the tokens used, as far as the provider has sent them."""
        return self._fold.accumulator.usage

    @property
    def state(self) -> ResponseState:
        """How far it is: see `ModelResponse.state`."""
        return self._state

    @property
    def model_request_parameters(self) -> ModelRequestParameters:
        """What the request offered."""
        return self._fold.accumulator.parameters

    @property
    def final_result_event(self) -> FinalResultEvent | None:
        """The final result event, once it has been delivered."""
        return self._fold.accumulator.final_result_event

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self._fold.accumulator.model_name

    @property
    def provider_name(self) -> str | None:
        """The provider."""
        return self._fold.accumulator.provider_name

    @property
    def provider_url(self) -> str | None:
        """The provider's base URL."""
        return self._fold.accumulator.provider_url

    @property
    def provider_response_id(self) -> str | None:
        """The provider's id of the response."""
        return self._fold.accumulator.provider_response_id

    @property
    def provider_details(self) -> dict[str, Any] | None:
        """The provider's own data."""
        return self._fold.accumulator.provider_details

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the model stopped, once it has."""
        return self._fold.accumulator.finish_reason

    @property
    def timestamp(self) -> datetime:
        """When the response began."""
        return self._fold.accumulator.timestamp

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model_name={self.model_name!r}, state={self._state!r})"


@define(eq=False)
class _TextDeltas:
    """The text of a stream; no generator, of which trio warns where it is dropped."""

    _stream: StreamedResponse

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        async for event in self._stream:
            if text := added_text(event, self._stream):
                return text
        raise StopAsyncIteration
