"""The portal that blocking code goes through: one event loop thread for the process.

Every blocking door uses the same portal, so connections are kept alive between calls,
and no client is ever used in two event loops.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from anyio import CancelScope
from anyio.from_thread import BlockingPortal, start_blocking_portal

from .exceptions import UserError

__all__ = ("call", "open_portal", "portal_for", "spawn")

ResultT = TypeVar("ResultT")

EXIT_LIMIT = 1.0
"""Seconds that the end of the process waits for what was under way to be cancelled."""


class _ProcessPortal:
    """The portal of this process, started on first use and stopped as the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._portal: BlockingPortal | None = None

    def get(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                self._portal = self._start()
            return self._portal

    def _start(self) -> BlockingPortal:
        opened: Future[BlockingPortal] = Future()
        watcher = threading.Thread(
            target=self._watch, args=(opened,), name="direct_anyio-exit", daemon=True
        )
        watcher.start()
        # The interpreter waits for no daemon thread, but it must wait for this one to end.
        atexit.register(watcher.join, EXIT_LIMIT)
        return opened.result()

    def _watch(self, opened: Future[BlockingPortal]) -> None:
        """Keep the portal open until the main thread has ended, then cancel what it runs.

        `atexit` would come too late: it waits for threads that wait for our calls.
        """
        try:
            with start_blocking_portal("asyncio", name="direct_anyio-portal") as portal:
                opened.set_result(portal)
                threading.main_thread().join()
                raise _ProcessEnds
        except _ProcessEnds:
            pass
        except BaseException as exc:
            opened.set_exception(exc)


class _ProcessEnds(Exception):
    """Makes the portal's context manager cancel what is still running."""


_process = _ProcessPortal()


def _forget() -> None:
    # A forked child has neither the threads nor the loop; it starts its own.
    global _process
    _process = _ProcessPortal()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def portal_for(portal: BlockingPortal | None, twin: str) -> BlockingPortal:
    """Return the portal to use: the given one, else that of the process.

    Args:
        portal: The user's own.
        twin: Name of the async function to use inside an event loop.

    Raises:
        RuntimeError: An event loop is running in this thread, which would stand still;
            or gevent has taken the place of threads, in which no event loop can run.
    """
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        raise RuntimeError(
            "gevent has patched `threading`, so there are no threads for the blocking door: "
            "call `gevent.monkey.patch_all(thread=False)`, or call from another process."
        )
    inside = _running_loop()
    if inside and portal is None and not _in_notebook():
        raise RuntimeError(
            f"A blocking call would stop the running {inside} event loop: "
            f"use `{twin}` instead, or call from another thread."
        )
    return portal or _process.get()


def _running_loop() -> str | None:
    """Return the library whose event loop is running in this thread."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return "trio"
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return "asyncio"
    return None


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code: its own loop may stand still."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    on_portal = threading.current_thread().name == "direct_anyio-portal"
    return getattr(shell, "kernel", None) is not None and not on_portal


def open_portal(
    backend: str = "asyncio", backend_options: dict[str, Any] | None = None
) -> AbstractContextManager[BlockingPortal]:
    """Open a portal of your own: an event loop in a thread, for as long as the block lasts.

    Pass it as `portal=` to the blocking doors, for trio or for a lifetime that you choose.

    Args:
        backend: 'asyncio' or 'trio'.
        backend_options: As `anyio.run` takes them, such as `{'use_uvloop': True}`.

    Returns:
        A context manager for the portal; what still runs as the block ends is waited
        for, or cancelled where the block ends with an exception.
    """
    return start_blocking_portal(backend, backend_options)


class _Task(Generic[ResultT]):
    """A function on its way to a portal; it can be called off before its future is known."""

    def __init__(self, function: Callable[..., Awaitable[ResultT]]) -> None:
        self._function = function
        self._scope: CancelScope | None = None
        self._is_off = False

    async def run(self, *args: Any) -> ResultT:
        with CancelScope() as self._scope:
            if self._is_off:
                self._scope.cancel()
            return await self._function(*args)
        raise CancelledError

    def call_off(self, portal: BlockingPortal) -> None:
        self._is_off = True
        if self._scope is not None:
            portal.start_task_soon(self._scope.cancel)


def spawn(
    portal: BlockingPortal, function: Callable[..., Awaitable[ResultT]], *args: Any
) -> Future[ResultT]:
    """Start `function` in the portal; interrupted while it does, it is cancelled.

    Raises:
        UserError: The portal is closed.
    """
    task = _Task(function)
    try:
        return portal.start_task_soon(task.run, *args)
    except RuntimeError as exc:
        raise UserError(f"The portal cannot be used: {exc}") from exc
    except BaseException:
        task.call_off(portal)
        raise


def call(
    portal: BlockingPortal, function: Callable[..., Awaitable[ResultT]], *args: Any
) -> ResultT:
    """Run `function` in the portal and wait for it; interrupted, it is cancelled.

    Raises:
        UserError: The portal is closed.
    """
    future = spawn(portal, function, *args)
    try:
        return future.result()
    except CancelledError:
        raise UserError("The portal was closed while a request was under way.") from None
    except BaseException:
        # Never `portal.call`: it leaves the task running when Ctrl-C interrupts the wait.
        future.cancel()
        raise
