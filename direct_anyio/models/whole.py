"""A whole response as a stream: one that was kept, or that a model returned in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

import anyio
import attrs
from anyio.lowlevel import checkpoint

from .._core.accumulator import Accumulator
from .._core.codec import Item, WholePart, text_chunk, thinking_chunk
from .._core.decoder import ItemsDecoder
from .._core.ending import Progress
from .._core.fold import Fold
from .._io.tasks import Entered
from ..messages import ModelResponse, ResponseState, TextPart, ThinkingPart
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters

if TYPE_CHECKING:
    from .base import Model, ModelCall

__all__ = ("RequestedWhole", "WholeResponse")

PIECE = 24
"""Characters of a text that an event brings, about five tokens."""


class WholeResponse(StreamedResponse):
    """A stream of a response that is there already; its texts come in pieces.

    Args:
        response: The response.
        parameters: What its request offered.
    """

    def __init__(self, response: ModelResponse, parameters: ModelRequestParameters) -> None:
        fold = _WholeFold(response, parameters)
        fold.take(_items_of_parts(response))
        super().__init__(_NothingMore(), fold)

    async def finish(self) -> ModelResponse:
        """Return the response, and make no events of it."""
        self._fold.accumulator.ending.progress = Progress.CLOSED
        self._state = self._fold.accumulator.final_state
        return self.response


class RequestedWhole(Entered):
    """A block that waits for `Model.request`, and holds what it returns as a stream.

    Args:
        model: The model.
        call: The request.
    """

    def __init__(self, model: Model, call: ModelCall) -> None:
        self._model = model
        self._call = call

    async def __aenter__(self) -> StreamedResponse:
        call = self._call
        response = await self._model.request(call.messages, call.settings, call.parameters)
        self._stream = WholeResponse(response, call.parameters)
        return self._stream

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self._stream.aclose()


class _WholeFold(Fold):
    def __init__(self, response: ModelResponse, parameters: ModelRequestParameters) -> None:
        self._response = response
        accumulator = Accumulator(
            parameters=parameters,
            model_name=response.model_name or "",
            timestamp=response.timestamp,
            provider_name=response.provider_name,
            provider_url=response.provider_url,
            provider_response_id=response.provider_response_id,
            provider_details=response.provider_details,
            finish_reason=response.finish_reason,
            usage=response.usage,
            suspended=response.state == "suspended",
        )
        super().__init__(ItemsDecoder(), accumulator)

    def snapshot(self, state: ResponseState) -> ModelResponse:
        """Return the response with the notes of the models around it, once it has been read."""
        if self.accumulator.ending.progress is not Progress.CLOSED:
            return super().snapshot(state)
        details = self.accumulator.provider_details
        if details is self._response.provider_details:
            return self._response
        return attrs.evolve(self._response, provider_details=details)


class _NothingMore:
    """The source of a stream whose events are there from the start."""

    async def receive(self, *, tail: bool = False, progressed: bool = False) -> NoReturn:
        await checkpoint()
        raise anyio.EndOfStream

    async def aclose(self, *, drain: bool) -> None:
        """Nothing is open."""


def _items_of_parts(response: ModelResponse) -> Iterator[Item]:
    """Return the parts as they might have been streamed."""
    for index, part in enumerate(response.parts):
        if not isinstance(part, (TextPart, ThinkingPart)):
            yield WholePart(index, part)
            continue
        text = part.content
        yield WholePart(index, attrs.evolve(part, content=text[:PIECE]))
        chunk = text_chunk if isinstance(part, TextPart) else thinking_chunk
        for start in range(PIECE, len(text), PIECE):
            yield chunk(index, text[start : start + PIECE])
