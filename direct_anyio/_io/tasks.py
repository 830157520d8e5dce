"""Task groups that never show: an error leaves as itself, and no scope stays with the user.

A task group that is held open across a `yield` puts its cancel scope around whatever the
user's task does next. Where the generator is then dropped, or left by another task, that
scope is cancelled or never left, and the user's own task with it (PEP 789). So the group
of a block that the user holds open lives in a task of its own.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any
from warnings import warn

import anyio
from anyio import CancelScope, Event, get_cancelled_exc_class, get_current_task
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


@asynccontextmanager
async def open_task_group_apart() -> AsyncIterator[TaskGroup]:
    """Open a task group in a task of its own, so that any task may leave the block.

    The block may be left out of order, in another task, or by the garbage collector. Its
    end cancels what runs in the group, and waits for that, whatever comes meanwhile. The
    tasks pass their failures on themselves; only what ends a program is raised.

    Yields:
        The group.
    """
    apart = _Apart()
    entered = get_current_task().id
    _spawn(apart.host)
    try:
        await apart.opened.wait()
        yield apart.group
    except GeneratorExit:
        # trio warns by itself.
        if _is_asyncio() and get_current_task().id != entered:
            warn("A stream was dropped, not closed: leave its block", ResourceWarning, stacklevel=2)
        raise
    finally:
        apart.leave.set()
        await _until(apart.over)
        if apart.failure is not None:
            raise apart.failure


class _Apart:
    """A task group, and the task that opens it and closes it."""

    group: TaskGroup

    def __init__(self) -> None:
        self.opened, self.leave, self.over = Event(), Event(), Event()
        self.failure: BaseException | None = None

    async def host(self) -> None:
        try:
            async with anyio.create_task_group() as self.group:
                self.opened.set()
                await self.leave.wait()
                self.group.cancel_scope.cancel()
        except get_cancelled_exc_class():
            pass  # The event loop ends, and with it all that nobody waits for.
        except BaseExceptionGroup as exc:
            self.failure = _lone(exc)
        finally:
            self.opened.set()
            self.over.set()


_hosts: set[Any] = set()
"""An event loop of asyncio's holds its tasks weakly."""


def _is_asyncio() -> bool:
    return hasattr(current_token().native_token, "create_task")


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
