"""`StreamedResponseSync`: a stream for blocking code, which a task in a portal holds open."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from importlib import import_module
from sys import is_finalizing
from types import TracebackType
from typing import Any
from warnings import warn

import anyio
from anyio.from_thread import BlockingPortal

from ._blocking import Task, call, portal_for, wait
from .exceptions import UserError
from .messages import ModelResponse, ModelResponseStreamEvent, added_text
from .streaming import StreamedResponse
from .usage import RequestUsage

__all__ = ("StreamedResponseSync",)

CLOSE_LIMIT = 2.0
"""Seconds that a block which is left while it opens waits for its request to be over."""


class _HeldStream:
    """A stream that one task enters, holds open and leaves, for readers in other threads."""

    def __init__(self, cm: AbstractAsyncContextManager[StreamedResponse]) -> None:
        self.opened: Future[StreamedResponse | _OtherStream] = Future()
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
                self.opened.set_result(stream if own else _OtherStream(stream))
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

    def leave_in(self, task: Task[None]) -> None:
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
        self._held = _HeldStream(_async_stream_cm)
        self._is_reported = self._is_left = False
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
        if exc_val is None and failure is not None and not self._is_reported:
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
            self._is_reported = self._is_reported or not self._held.is_open
            self._held.leave_in(self._task)

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

    def _advance(self, stream: StreamedResponse | _OtherStream) -> ModelResponseStreamEvent | None:
        with self._folding:
            return stream._advance()

    def _check_entered(self) -> Task[None]:
        if self._task is None:
            raise _not_entered()
        self._task.host.check_process()
        return self._task

    def _stream(self, timeout: float | None) -> StreamedResponse | _OtherStream:
        """Return the stream, once it is open, or raise what kept it from opening.

        Raises:
            RuntimeError: It is not open after `timeout` seconds.
        """
        task = self._check_entered()
        opened = self._held.opened
        if not wait(opened, task.host, timeout):
            raise RuntimeError("Stream failed to initialize within timeout")
        self._is_reported = True
        return opened.result()

    def _failure(self) -> BaseException | None:
        """Return what kept the stream from opening."""
        return self._held.opened.exception() if self._held.opened.done() else None

    def _member(self) -> Any:
        # Programs set it in that module, which imports this one.
        direct = import_module(f"{__package__}.direct")
        stream = self._stream(direct.STREAM_INITIALIZATION_TIMEOUT)
        return stream.stream if isinstance(stream, _OtherStream) else stream

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
        """Return the tokens used, as far as the provider has sent them."""
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


class _OtherStream:
    """A stream of another library: an async iterable with the members of a stream."""

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
