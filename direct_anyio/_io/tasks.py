"""A task group that never shows: a lone error leaves it as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

__all__ = ("open_task_group",)


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
