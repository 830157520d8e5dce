"""Task groups that never show: an error leaves as itself, and no scope stays with the user.

A task group that is held open across a `yield` puts its cancel scope around whatever the
user's task does next. Where the generator is then dropped, or left by another task, that
scope is cancelled or never left, and the user's own task with it (PEP 789). So the group
of a block that the user holds open lives in a task of its own.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from types import TracebackType
from typing import Any
from warnings import warn
from weakref import ref

import anyio
from anyio import CancelScope, Event, get_cancelled_exc_class
from anyio.abc import TaskGroup
from anyio.lowlevel import current_token

__all__ = ("open_task_group", "open_task_group_apart")


@asynccontextmanager
async def open_task_group() -> AsyncIterator[TaskGroup]:
    """Open a task group whose body and tasks raise what they raised, not a group of it.

    The body's own exception leaves bare and identical, whatever the cancelled tasks did
    meanwhile; an exception group that the body raised passes as it was. Cancellation
    is left to the backend. A task's KeyboardInterrupt or SystemExit wins over all others.

    Yields:
        The group; its tasks are cancelled when the body raises.
    """
    of_body: BaseException | None = None
    of_tasks: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            try:
                yield group
            except anyio.get_cancelled_exc_class():
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


def open_task_group_apart() -> AbstractAsyncContextManager[TaskGroup]:
    """Open a task group in a task of its own, so that any task may leave the block.

    The block may be left out of order, in another task, or by the garbage collector. Its
    end cancels what runs in the group, and waits for that, whatever comes meanwhile. The
    tasks pass their failures on themselves; only what ends a program is raised.
    """
    return _Apart()


class _Apart:
    """A task group, and the task that opens it and closes it.

    No generator: a collector that finds several within each other closes them at once.
    """

    _group: TaskGroup
    _entered: Callable[[], object] | None

    def __init__(self) -> None:
        self._opened, self._leave, self._over = Event(), Event(), Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> TaskGroup:
        self._entered = _current_task()
        _spawn(self._host)
        try:
            await self._opened.wait()
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
        if exc_type is GeneratorExit and self._is_elsewhere():
            warn("A stream was dropped, not closed: leave its block", ResourceWarning, stacklevel=2)
        await self._end()

    def _is_elsewhere(self) -> bool:
        """Return whether the block is left by another task, on asyncio; trio warns by itself."""
        here = _current_task()
        return here is not None and self._entered is not None and here() is not self._entered()

    async def _end(self) -> None:
        self._leave.set()
        await _until(self._over)
        if self._failure is not None:
            raise self._failure

    async def _host(self) -> None:
        try:
            async with anyio.create_task_group() as self._group:
                self._opened.set()
                await self._leave.wait()
                self._group.cancel_scope.cancel()
        except get_cancelled_exc_class():
            pass  # The event loop ends, and with it all that nobody waits for.
        except BaseExceptionGroup as exc:
            self._failure = _lone(exc)
        finally:
            self._opened.set()
            self._over.set()


_hosts: set[Any] = set()
"""An event loop of asyncio's holds its tasks weakly."""


def _is_asyncio() -> bool:
    return hasattr(current_token().native_token, "create_task")


def _current_task() -> Callable[[], object] | None:
    """Return a weak reference to the task of asyncio's that runs; its id may come again."""
    return ref(sys.modules["asyncio"].current_task()) if _is_asyncio() else None


def _spawn(function: Callable[[], Awaitable[None]]) -> None:
    """Start a task that is nobody's child."""
    if not _is_asyncio():
        sys.modules["trio"].lowlevel.spawn_system_task(function, context=copy_context())
        return
    loop: Any = current_token().native_token
    task = loop.create_task(function())
    _hosts.add(task)
    task.add_done_callback(_hosts.discard)


async def _until(over: Event) -> None:
    """Wait for an event; a cancellation is raised after it has come."""
    cancelled: BaseException | None = None
    while not over.is_set():
        try:
            with CancelScope(shield=True):
                await over.wait()
        except get_cancelled_exc_class() as exc:
            # A native one of asyncio's, which knows no shield.
            cancelled = exc
    if cancelled is not None:
        raise cancelled


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
