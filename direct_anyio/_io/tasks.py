"""Task groups that raise a lone error unwrapped, and leave no cancel scope with the user.

A task group that is held open across a `yield` puts its cancel scope around whatever the
user's task does next. Where the generator is then dropped, or left by another task, that
scope is cancelled or never left, and the user's own task with it (PEP 789). So the group
of a block that the user holds open lives in a task of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    _AsyncGeneratorContextManager,
    asynccontextmanager,
    suppress,
)
from contextvars import copy_context
from functools import wraps
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar
from warnings import warn

import anyio
from anyio import CancelScope, Event, get_cancelled_exc_class
from anyio.abc import TaskGroup
from anyio.lowlevel import current_token

from ..exceptions import UserError

__all__ = ("Entered", "HostedTaskGroup", "held_open", "open_task_group", "start_later")

ArgsT = ParamSpec("ArgsT")
ResultT = TypeVar("ResultT")


@asynccontextmanager
async def open_task_group() -> AsyncIterator[TaskGroup]:
    """Open a task group whose body and tasks raise what they raised, not a group of it.

    The body's own exception is raised as it is, not in a group, whatever the cancelled tasks did
    meanwhile; an exception group that the body raised passes as it was. Cancellation
    is left to the backend. A task's KeyboardInterrupt or SystemExit wins over all others.

    Yields:
        The group; its tasks are cancelled when the body raises.
    """
    of_body: BaseException | None = None
    of_tasks: BaseException | None = None
    cancelled: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            try:
                yield group
            except anyio.get_cancelled_exc_class() as exc:
                cancelled = exc
                raise
            except BaseException as exc:
                # Kept out of the group, which would wrap it.
                of_body = exc
                group.cancel_scope.cancel()
    except BaseExceptionGroup as exc:
        of_tasks = _lone(exc)
    if of_body is not None and not isinstance(of_tasks, (KeyboardInterrupt, SystemExit)):
        raise of_body
    if of_tasks is not None:
        raise of_tasks
    if cancelled is not None:
        # anyio's group has taken a native cancellation of asyncio's, which came in the same step
        # as one of a scope, for its own.
        raise cancelled


_ENDS = "The event loop ends, and takes no more streams."


class HostedTaskGroup:
    """A task group that a task of its own opens and closes, so that any task may leave the block.

    The block may be left out of order, in another task, or by the garbage collector. Its
    end cancels what runs in the group, and waits for that, whatever comes meanwhile. The
    tasks pass their failures on themselves; what one raises all the same is raised at the
    end of the block, in place of the block's own exception.

    No generator: a collector that finds several within each other closes them at once.
    """

    _group: TaskGroup
    _task: object = None

    def __init__(self) -> None:
        self._opened, self._leave, self._over = Event(), Event(), Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> TaskGroup:
        self._spawn()
        try:
            await self._opened.wait()
            if self._over.is_set():
                raise UserError(_ENDS)
        except BaseException:
            await self._end()
            raise
        return self._group

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        try:
            if exc_type is GeneratorExit and _is_collected():
                message = "A stream was dropped, not closed: leave its block"
                warn(message, ResourceWarning, stacklevel=2)
        finally:
            await self._end()

    def _spawn(self) -> None:
        """Start the host as a task outside of all task groups."""
        loop: Any = current_token().native_token
        if _is_asyncio():
            self._task = task = loop.create_task(self._host())
            # Also where the loop ends before the task has begun.
            task.add_done_callback(lambda _: self._report_end())
            return
        import trio

        try:
            trio.lowlevel.spawn_system_task(self._host, context=copy_context())
        except RuntimeError as exc:
            raise UserError(_ENDS) from exc

    async def _end(self) -> None:
        self._leave.set()
        await _until(self._over)
        if self._failure is not None:
            raise self._failure

    async def _host(self) -> None:
        cancelled = get_cancelled_exc_class()
        try:
            async with anyio.create_task_group() as self._group:
                self._opened.set()
                await self._leave.wait()
                self._group.cancel_scope.cancel()
        except cancelled:
            pass  # The event loop ends and cancels all tasks.
        except BaseExceptionGroup as exc:
            self._failure = _lone(exc)
        finally:
            self._report_end()

    def _report_end(self) -> None:
        self._opened.set()
        self._over.set()


class Entered:
    """A block that must be entered first; iterating over it is an error that says so."""

    def __aiter__(self) -> NoReturn:
        raise TypeError(
            "A stream is entered first: `async with model_request_stream(...) as stream:`, "
            "and then `async for text in stream.text_deltas():`"
        )


class _HeldOpen(Entered, _AsyncGeneratorContextManager[ResultT]):
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        is_closed = getattr(self.gen, "ag_frame", None) is None
        if exc_type is GeneratorExit and (is_closed or _is_collected()):
            return None
        return await super().__aexit__(exc_type, exc_val, exc_tb)


def held_open(
    function: Callable[ArgsT, AsyncIterator[ResultT]],
) -> Callable[ArgsT, AbstractAsyncContextManager[ResultT]]:
    """Make an async generator a block that a user holds open; as `asynccontextmanager` does.

    Where the garbage collector or the end of the event loop closes generators one within the
    other, each is closed by itself, so the outer one leaves the inner one alone.
    """

    @wraps(function)
    def block(*args: ArgsT.args, **kwargs: ArgsT.kwargs) -> AbstractAsyncContextManager[ResultT]:
        return _HeldOpen(function, args, kwargs)  # type: ignore[arg-type]

    return block


_later: set[Any] = set()
"""Tasks of asyncio's that `start_later` has started; the event loop itself does not keep them."""


def start_later(seconds: float, function: Callable[[], Awaitable[None]]) -> None:
    """Call an async function after some time, where the event loop has not ended by then.

    No task is there before, and none that the user's own wait for.

    Args:
        seconds: How long to wait.
        function: The function, which raises nothing.
    """
    if _is_asyncio():
        loop: Any = current_token().native_token

        def start() -> None:
            task = loop.create_task(function())
            _later.add(task)
            task.add_done_callback(_later.discard)

        loop.call_later(seconds, start)
        return
    import trio

    async def wait() -> None:
        await trio.sleep(seconds)
        await function()

    with suppress(RuntimeError):  # The run is about to end.
        trio.lowlevel.spawn_system_task(wait)


def _is_asyncio() -> bool:
    return hasattr(current_token().native_token, "create_task")


def _is_collected() -> bool:
    """Return whether the garbage collector closes a generator, on asyncio; trio warns by itself.

    asyncio does that in a task whose only work it is.
    """
    if not _is_asyncio():
        return False
    import asyncio

    task = asyncio.current_task()
    return task is not None and type(task.get_coro()).__name__ == "async_generator_athrow"


async def _until(over: Event) -> None:
    """Wait for an event; a cancellation is raised after it has come."""
    # Looked up now, since a coroutine may be closed when there is no event loop any more.
    cancelled = get_cancelled_exc_class()
    after: BaseException | None = None
    while not over.is_set():
        try:
            with CancelScope(shield=True):
                await over.wait()
        except cancelled as exc:
            # A native one of asyncio's, which knows no shield.
            after = exc
    if after is not None:
        raise after


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc


def _lone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error that is no cancellation, the group where there are more."""
    leaves = list(_leaves(group))
    for exc in leaves:
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            return exc
    errors = [exc for exc in leaves if not isinstance(exc, anyio.get_cancelled_exc_class())]
    if not errors:
        return leaves[0]
    return errors[0] if len(errors) == 1 else group
