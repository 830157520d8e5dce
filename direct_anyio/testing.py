"""For the tests of programs that ask models: answers by script, and recorded traffic.

`ScriptedModel` answers what a script says, and a `Gate` in the script holds the answer
until the test lets it go on, so that a test of a stream needs no sleep. `Recorder` and
`Replayer` are HTTP clients: one writes real traffic down, without the keys, and the
other gives it back chunk by chunk, in any event loop and without a network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Self, TypeAlias

import anyio
from anyio.lowlevel import current_token
from attrs import define, field, frozen

from ._cassette import Cassette, RecordedChunk, RecordedExchange
from ._core.accumulator import Accumulator
from ._core.codec import Item, ResponseInfo, WholePart, text_chunk
from ._io.tasks import held_open
from ._record import Record
from ._traffic import Recorder, Replayer
from .messages import ModelMessage, ModelResponsePart, now
from .models import ModelCall, ModelLayer
from .models.items import stream_items
from .profiles import TEST_PROFILE, ModelProfileSpec
from .settings import ModelSettings
from .streaming import StreamedResponse
from .tools import ModelRequestParameters
from .usage import RequestUsage

__all__ = (
    "Cassette",
    "Cue",
    "Gate",
    "RecordedChunk",
    "RecordedExchange",
    "Recorder",
    "Replayer",
    "ScriptedModel",
    "ScriptedRequest",
)

PATIENCE = 10.0
"""Seconds that `Gate.wait_reached` waits."""


class _Latch:
    """Is set once; threads and event loops, any number of each, can wait for that."""

    def __init__(self) -> None:
        self._future: Future[None] = Future()

    def set(self) -> None:
        with suppress(InvalidStateError):
            self._future.set_result(None)

    def wait_blocking(self, timeout: float | None) -> None:
        self._future.result(timeout)

    async def wait(self) -> None:
        event, token = anyio.Event(), current_token().native_token

        def wake(_: Future[None]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and the wait with it
                _soon(token)(event.set)

        self._future.add_done_callback(wake)
        await event.wait()


def _soon(token: Any) -> Callable[[Callable[[], None]], object]:
    """Return what runs a function in an event loop, from any thread and without waiting."""
    soon: Callable[[Callable[[], None]], object] = (
        token.run_sync_soon if hasattr(token, "run_sync_soon") else token.call_soon_threadsafe
    )
    return soon


class Gate:
    """A place in a script where the answer waits until the gate is opened.

    ```py
    gate = Gate()
    model = ScriptedModel('The capital ', gate, 'is Paris.')
    ```

    Any thread and any event loop may open it. Once open it stays open, so a gate serves
    one request.
    """

    def __init__(self) -> None:
        self._reached = _Latch()
        self._opened = _Latch()

    def open(self) -> None:
        """Let the answer go on; opening twice is opening once."""
        self._opened.set()

    async def reached(self) -> None:
        """Wait until an answer has come to the gate; all before it has been passed on."""
        await self._reached.wait()

    def wait_reached(self, timeout: float | None = PATIENCE) -> None:
        """Wait in blocking code until an answer has come to the gate.

        Args:
            timeout: Seconds to wait, None for as long as it takes.

        Raises:
            TimeoutError: None came in time.
        """
        self._reached.wait_blocking(timeout)

    async def wait(self) -> None:
        """Come to the gate and wait until it is open, as the model does."""
        self._reached.set()
        await self._opened.wait()


Cue: TypeAlias = str | ModelResponsePart | RequestUsage | Exception | Gate
"""One step of a script."""


@frozen(repr=False)
class ScriptedRequest(Record):
    """What a scripted model was asked.

    Attributes:
        messages: The messages.
        model_settings: The settings, the model's own among them.
        model_request_parameters: What was offered, as the model's profile takes it.
    """

    messages: tuple[ModelMessage, ...]
    model_settings: ModelSettings
    model_request_parameters: ModelRequestParameters


class ScriptedModel(ModelLayer):
    """A model that answers every request with the same script.

    Each step of the script is one of these:

    - a text: a delta; texts that follow each other, or have only usage and gates between
      them, make one part,
    - a part, such as a `ToolCallPart`: comes in one piece,
    - a `RequestUsage`: what has been used so far, all in all,
    - an exception: is raised there,
    - a `Gate`: the answer waits there.

    As over HTTP, a stream opens with its first content, so what the script raises before
    that is raised by the opening. A whole response is the same script, run to its end.

    Args:
        *script: The steps.
        model_name: The name.
        profile: What the model can do, everything by default.
        settings: Settings for every request.

    Attributes:
        script: The steps.
        requests: What it was asked, the latest request last.

    Raises:
        TypeError: Something in the script is no step.
    """

    def __init__(
        self,
        *script: Cue,
        model_name: str = "scripted",
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        super().__init__(settings=settings, profile=profile or TEST_PROFILE)
        for cue in script:
            if not isinstance(cue, Cue):
                raise TypeError(f"A script may not hold {type(cue).__name__}")
        self.script = script
        self.requests: list[ScriptedRequest] = []
        self._model_name = model_name

    @property
    def model_name(self) -> str:
        """The name."""
        return self._model_name

    @property
    def system(self) -> str:
        """Always 'scripted'."""
        return "scripted"

    @held_open
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        """Run the script, and open the response that it makes; a delta for each of its texts."""
        settings, offered = self.prepare_request(call.settings, call.parameters)
        self.requests.append(ScriptedRequest(tuple(call.messages), settings, offered))
        accumulator = Accumulator(
            parameters=offered,
            model_name=self._model_name,
            timestamp=now(),
            provider_name=self.system,
        )
        play = _Play(iter(self.script))
        async with stream_items(play, accumulator, StreamedResponse, settings) as stream:
            yield stream


@define(eq=False)
class _Play:
    """One run of a script.

    It is no async generator, which would have to be closed where its reader leaves early.
    """

    _cues: Iterator[Cue]
    _parts: int = field(default=0, init=False)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Iterable[Item]:
        for cue in self._cues:
            match cue:
                case Gate():
                    await cue.wait()
                case Exception():
                    raise cue
                case str():
                    return (text_chunk(("text", self._parts), cue),)
                case RequestUsage():
                    return (ResponseInfo(usage=cue),)
                case _:
                    self._parts += 1
                    return (WholePart(("part", self._parts), cue),)
        raise StopAsyncIteration
