"""The functions: a request to any model, streamed or not, from async or blocking code.

The only abstraction is the translation of what goes in and what comes out, so that all
models share one API.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from sys import is_finalizing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never
from warnings import warn

import anyio
from anyio.from_thread import BlockingPortal

from ._blocking import Task, call, open_portal, portal_for, wait
from ._core.encoding import listed
from .exceptions import UserError, shown
from .messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, added_text
from .models import KnownModelName, Model, infer_model
from .models.known import check_keywords
from .settings import ModelSettings
from .streaming import StreamedResponse
from .tools import ModelRequestParameters
from .usage import RequestUsage

if TYPE_CHECKING:
    from .models.instrumented import InstrumentationSettings

__all__ = (
    "StreamedResponseSync",
    "model_request",
    "model_request_stream",
    "model_request_stream_sync",
    "model_request_sync",
    "open_portal",
)

CLOSE_LIMIT = 2.0
"""Seconds that a block which is left while it opens waits for its request to be over."""

STREAM_INITIALIZATION_TIMEOUT: float | None = None
"""Seconds that `StreamedResponseSync.get()` and its like wait for the stream to open;
None leaves it to the limits of the request."""


_NOTHING = ModelRequestParameters()


async def model_request(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    **misplaced: Never,
) -> ModelResponse:
    """Make a request to a model and return the whole response.

    ```py
    from direct_anyio import ModelRequest, model_request


    async def main():
        response = await model_request(
            'anthropic:claude-haiku-4-5',
            [ModelRequest.user_text_prompt('What is the capital of France?')],
        )
        print(response)
    ```

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` was told.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        The response, with the tokens used.

    Raises:
        UserError: The request cannot be made.
        ModelAPIError: It failed.
    """
    check_keywords("model_request", misplaced)
    prepared = _prepare_model(model, instrument)
    return await prepared.request(*_asked(messages, model_settings, model_request_parameters))


def model_request_stream(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    **misplaced: Never,
) -> AbstractAsyncContextManager[StreamedResponse]:
    """Make a request to a model and stream the response.

    ```py
    from direct_anyio import ModelRequest, model_request_stream


    async def main():
        messages = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]
        async with model_request_stream('openai:gpt-4.1-mini', messages) as stream:
            async for text in stream.text_deltas():
                print(text, end='', flush=True)
    ```

    Iterate over the stream itself for all of its events, such as tool calls.

    The request is sent as the block is entered, and has ended when it is left.

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` was told.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        An async context manager for the stream.

    Raises:
        UserError: There is no such model.
    """
    check_keywords("model_request_stream", misplaced)
    prepared = _prepare_model(model, instrument)
    return prepared.request_stream(*_asked(messages, model_settings, model_request_parameters))


def model_request_sync(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    portal: BlockingPortal | None = None,
    **misplaced: Never,
) -> ModelResponse:
    """Make a request to a model from blocking code and return the whole response.

    ```py
    from direct_anyio import ModelRequest, model_request_sync

    response = model_request_sync(
        'anthropic:claude-haiku-4-5',
        [ModelRequest.user_text_prompt('What is the capital of France?')],
    )
    print(response)
    ```

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` was told.
        portal: Where the request runs, instead of the portal of the process.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        The response, with the tokens used.

    Raises:
        UserError: The request cannot be made.
        ModelAPIError: It failed.
        RuntimeError: An event loop is running in this thread.
    """
    check_keywords("model_request_sync", misplaced)
    portal = portal_for(portal, "await model_request(...)")
    prepared = _prepare_model(model, instrument)
    return call(
        portal,
        prepared.request,
        *_asked(messages, model_settings, model_request_parameters),
    )


def model_request_stream_sync(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    portal: BlockingPortal | None = None,
    **misplaced: Never,
) -> StreamedResponseSync:
    """Make a request to a model from blocking code and stream the response.

    ```py
    from direct_anyio import ModelRequest, model_request_stream_sync

    messages = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]
    with model_request_stream_sync('openai:gpt-4.1-mini', messages) as stream:
        for text in stream.text_deltas():
            print(text, end='', flush=True)
    ```

    Iterate over the stream itself for all of its events, such as tool calls.

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` was told.
        portal: Where the request runs, instead of the portal of the process.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        A context manager for the stream.

    Raises:
        UserError: There is no such model.
    """
    check_keywords("model_request_stream_sync", misplaced)
    stream = model_request_stream(
        model,
        messages,
        model_settings=model_settings,
        model_request_parameters=model_request_parameters,
        instrument=instrument,
    )
    return StreamedResponseSync(stream, portal=portal)


def _prepare_model(
    model: Model | KnownModelName | str, instrument: InstrumentationSettings | bool | None
) -> Model:
    prepared = infer_model(model)
    # Until that module is imported, tracing has not been switched on.
    if instrument or (instrument is None and f"{__package__}.models.instrumented" in sys.modules):
        from .models.instrumented import instrument_model

        return instrument_model(prepared, instrument)
    return prepared


def _asked(
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    offered: ModelRequestParameters | None,
) -> tuple[list[ModelMessage], ModelSettings | None, ModelRequestParameters]:
    """Return what is asked as models take it.

    Raises:
        UserError: It is of another type; the message shows what to write.
    """
    checked = listed(messages)
    if settings is not None and not isinstance(settings, Mapping):
        raise UserError(
            "`model_settings` is a dict, such as {'max_tokens': 100}, "
            f"not of type {type(settings).__name__}"
        )
    if offered is not None and not isinstance(offered, ModelRequestParameters):
        raise UserError(
            "`model_request_parameters` is a ModelRequestParameters, such as "
            f"ModelRequestParameters(function_tools=[...]); got {shown(offered)}"
        )
    return checked, settings, offered or _NOTHING


class _Held:
    """A stream that one task enters, holds open and leaves, for readers in other threads."""

    def __init__(self, cm: AbstractAsyncContextManager[StreamedResponse]) -> None:
        self.opened: Future[StreamedResponse | _Foreign] = Future()
        # Beside the future, which takes a lock to be asked.
        self.is_open = False
        self._cm = cm
        self._leave: anyio.Event | None = None

    async def run(self) -> None:
        leave = self._leave = anyio.Event()
        try:
            async with self._cm as stream:
                own = isinstance(stream, StreamedResponse)
                self.is_open = True
                self.opened.set_result(stream if own else _Foreign(stream))
                await leave.wait()
        except BaseException as exc:
            if self.opened.done():
                raise
            if isinstance(exc, (Exception, KeyboardInterrupt, SystemExit)):
                self.opened.set_exception(exc)
                return
            # A cancellation means nothing outside its event loop.
            self.opened.set_exception(UserError("The stream was left before it was open."))
            raise

    def let_go_by(self, task: Task[None]) -> None:
        """Have the stream left soon, from any thread; where it still opens, that is cancelled."""
        if self.is_open and self._leave is not None:
            task.call_soon(self._leave.set)
        else:
            task.cancel()


class StreamedResponseSync:
    """A streamed response for blocking code; iterate over it for its events.

    Use it in a `with` block. Any thread may create it, iterate over it and leave it.
    The request is sent as the block is entered; an error of it is raised by the first
    use of the stream, or else by the end of the block.

    Args:
        _async_stream_cm: What opens the stream, such as `model_request_stream` returns.
        portal: Where it runs, instead of the portal of the process.
    """

    # For an object whose making failed.
    _task: Task[None] | None = None

    def __init__(
        self,
        _async_stream_cm: AbstractAsyncContextManager[StreamedResponse],
        *,
        portal: BlockingPortal | None = None,
    ) -> None:
        self._given_portal = portal
        # Apart, so that the task in the portal does not keep this object alive.
        self._held = _Held(_async_stream_cm)
        self._is_told = self._is_left = False
        self._entering = threading.Lock()
        self._busy = threading.Lock()
        # Both making an event and looking at the response change the fold. A signal handler
        # may look while its own thread makes an event.
        self._folding = threading.RLock()

    def __enter__(self) -> StreamedResponseSync:
        portal = portal_for(self._given_portal, "async with model_request_stream(...)")
        # Never released, and never waited for.
        if not self._entering.acquire(blocking=False):
            raise UserError("A StreamedResponseSync can be entered only once.")
        self._task = Task(portal, self._held.run)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if exc_type is GeneratorExit:
            # The garbage collector may close a generator, at any place in any thread.
            self._leave()
            return
        self.close()
        failure = self._failure()
        if exc_val is None and failure is not None and not self._is_told:
            raise failure

    def close(self) -> None:
        """Leave the stream: the connection is closed now, and nothing more is read.

        It has been closed when this returns, but for a thread that runs an event loop: there
        it is closed soon.
        """
        if self._task is None:
            raise _not_entered()
        if self._task.is_over:
            return
        is_open = self._held.is_open
        self._leave()
        if self._task.host.may_be_awaited():
            # An opening that is cancelled has failed of that, which is no news.
            with suppress(CancelledError):
                self._task.join(None if is_open else CLOSE_LIMIT)

    def _leave(self) -> None:
        """Have the stream left soon, without waiting for that."""
        if self._task is not None and not self._task.is_over:
            self._is_left = True
            self._is_told = self._is_told or not self._held.is_open
            self._held.let_go_by(self._task)

    def cancel(self) -> None:
        """Leave the stream; the same as `close`."""
        self.close()

    def text_deltas(self) -> Iterator[str]:
        """Stream the text of the response alone, as it comes; as `StreamedResponse.text_deltas`.

        ```py
        with model_request_stream_sync('openai:gpt-4.1-mini', messages) as stream:
            for text in stream.text_deltas():
                print(text, end='', flush=True)
        ```

        Raises:
            ModelAPIError: The answer was cut short; `response` of the error holds what came.
        """
        for event in self:
            if text := added_text(event, self):
                yield text

    def drain(self) -> ModelResponse:
        """Read the stream to its end and return the whole response.

        Raises:
            ModelAPIError: There is no whole response.
        """
        for _ in self:
            pass
        return self.response

    def __del__(self) -> None:
        if self._task is None or self._is_left or self._task.is_over:
            return
        # As Python ends, the portal's thread stands still, perhaps with a lock.
        if not is_finalizing():
            self._leave()
            warn("A StreamedResponseSync was never closed", ResourceWarning, 2, source=self)

    def __iter__(self) -> Iterator[ModelResponseStreamEvent]:
        """Stream the response as events; a second loop goes on where the first stopped."""
        self._check_entered()
        return self

    def __next__(self) -> ModelResponseStreamEvent:
        """Return the next event.

        Raises:
            StopIteration: The response is complete.
            ModelAPIError: It never will be; `response` of the error holds what came.
            UserError: The stream was left, or another thread is waiting for its next event.
        """
        stream, task = self._stream(None), self._check_entered()
        if not self._busy.acquire(blocking=False):
            raise UserError("Another thread is waiting for the next event of this stream.")
        try:
            while (event := self._advance(stream)) is None:
                if stream.state in ("complete", "suspended"):
                    raise StopIteration
                call(task.portal, stream._fill)
            return event
        finally:
            self._busy.release()

    def _advance(self, stream: StreamedResponse | _Foreign) -> ModelResponseStreamEvent | None:
        with self._folding:
            return stream._advance()

    def _check_entered(self) -> Task[None]:
        if self._task is None:
            raise _not_entered()
        self._task.host.check_process()
        return self._task

    def _stream(self, timeout: float | None) -> StreamedResponse | _Foreign:
        """Return the stream, once it is open, or raise what kept it from opening.

        Raises:
            RuntimeError: It is not open after `timeout` seconds.
        """
        task = self._check_entered()
        opened = self._held.opened
        if not wait(opened, task.host, timeout):
            raise RuntimeError("Stream failed to initialize within timeout")
        self._is_told = True
        return opened.result()

    def _failure(self) -> BaseException | None:
        """Return what kept the stream from opening."""
        return self._held.opened.exception() if self._held.opened.done() else None

    def _member(self) -> Any:
        stream = self._stream(STREAM_INITIALIZATION_TIMEOUT)
        return stream.stream if isinstance(stream, _Foreign) else stream

    def get(self) -> ModelResponse:
        """Return the response as far as its events have been delivered."""
        member = self._member()
        with self._folding:
            return member.get()  # type: ignore[no-any-return]

    @property
    def response(self) -> ModelResponse:
        """The response as far as its events have been delivered."""
        return self.get()

    def usage(self) -> RequestUsage:
        """Return the tokens used, as far as the provider has told."""
        return self._member().usage()  # type: ignore[no-any-return]

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self._member().model_name  # type: ignore[no-any-return]

    @property
    def timestamp(self) -> datetime:
        """When the response began."""
        return self._member().timestamp  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        opened = self._held.opened
        if opened.done() and opened.exception() is None:
            return repr(self._member())
        return f"{type(self).__name__}(context_entered={self._task is not None})"


def _not_entered() -> RuntimeError:
    return RuntimeError(
        "StreamedResponseSync must be used as a context manager. "
        "Use: `with model_request_stream_sync(...) as stream:`"
    )


class _Foreign:
    """A stream of somebody else's making: an async iterable with a stream's members."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.state = "incomplete"
        self._events: AsyncIterator[ModelResponseStreamEvent] | None = None
        self._next: ModelResponseStreamEvent | None = None

    def _advance(self) -> ModelResponseStreamEvent | None:
        event, self._next = self._next, None
        return event

    async def _fill(self) -> None:
        self._events = self._events or aiter(self.stream)
        try:
            self._next = await anext(self._events)
        except StopAsyncIteration:
            self.state = "complete"
