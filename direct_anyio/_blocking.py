"""The portal that blocking code goes through: one event loop thread for the process.

Every blocking door uses the same portal, so connections are kept alive between calls,
and no client is ever used in two event loops.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from anyio import CancelScope, sleep_forever
from anyio.from_thread import BlockingPortal, check_cancelled, start_blocking_portal
from anyio.lowlevel import current_token

from .exceptions import UserError

__all__ = ("Task", "call", "check_process", "open_portal", "portal_for", "wait")

ResultT = TypeVar("ResultT")

TICK = 0.05
"""Seconds between two looks at whether the task that waits for this thread is cancelled."""

LOOK = 0.5
"""Seconds between two looks at whether the event loop has ended."""

EXIT_LIMIT = 1.0
"""Seconds that the end of the process waits for what was under way to be cancelled."""


_Opened: TypeAlias = Future[tuple[BlockingPortal, Future[None]]]
"""A portal, once there is one, and what is done when its loop has ended."""


class _ProcessPortal:
    """The portal of this process, started on first use and stopped as the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def get(self) -> BlockingPortal:
        # Whoever is interrupted here leaves the portal to whoever comes next.
        with self._lock:
            if self._opened is None or self._is_dead(self._opened):
                self._opened = self._start()
        return self._opened.result()[0]

    def _is_dead(self, opened: _Opened) -> bool:
        """Return whether the loop has ended, as a task's SystemExit makes it."""
        return opened.done() and (opened.exception() is not None or opened.result()[1].done())

    def _start(self) -> _Opened:
        opened: _Opened = Future()
        watcher = threading.Thread(
            target=self._watch, args=(opened,), name="direct_anyio-exit", daemon=True
        )
        watcher.start()
        # The interpreter waits for no daemon thread, but it must wait for this one to end.
        atexit.register(watcher.join, EXIT_LIMIT)
        return opened

    def _watch(self, opened: _Opened) -> None:
        """Keep the portal open until the main thread has ended, then cancel what it runs.

        `atexit` would come too late: it waits for threads that wait for our calls.
        """
        try:
            with start_blocking_portal("asyncio", name="direct_anyio-portal") as portal:
                opened.set_result((portal, portal.start_task_soon(sleep_forever)))
                threading.main_thread().join()
                raise _ProcessEnds
        except _ProcessEnds:
            pass
        except BaseException as exc:
            opened.set_exception(exc)


class _ProcessEnds(Exception):
    """Makes the portal's context manager cancel what is still running."""


_process = _ProcessPortal()

_used: WeakKeyDictionary[BlockingPortal, Any] = WeakKeyDictionary()
"""Portals, and the event loops that run them."""

_lost: WeakSet[BlockingPortal] = WeakSet()
"""Portals of the process that this one was forked from: nothing here runs their loops."""


def _after_fork() -> None:
    global _process
    _process = _ProcessPortal()
    _lost.update(_used)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def check_process(portal: BlockingPortal) -> None:
    """Check that a portal's loop runs in this process.

    Raises:
        UserError: It runs in the process that this one was forked from.
    """
    if portal in _lost:
        raise UserError(
            "This portal or stream belongs to the process that this one was forked from: "
            "make one in each process."
        )


def portal_for(portal: BlockingPortal | None, twin: str) -> BlockingPortal:
    """Return the portal to use: the given one, else that of the process.

    Args:
        portal: The user's own.
        twin: Name of the async function to use inside an event loop.

    Raises:
        RuntimeError: An event loop is running in this thread, which would stand still;
            or gevent has taken the place of threads, in which no event loop can run.
        UserError: The portal is that of another process.
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
    portal = portal or _process.get()
    check_process(portal)
    _know(portal)
    return portal


def _know(portal: BlockingPortal) -> None:
    if portal not in _used:
        with _portal_errors():
            _used[portal] = portal.call(current_token).native_token


def _has_ended(portal: BlockingPortal) -> bool:
    """Return whether the event loop is closed; only asyncio forgets tasks that have not begun."""
    is_closed: Callable[[], bool] = getattr(_used.get(portal), "is_closed", bool)
    return is_closed()


@contextmanager
def _portal_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as exc:
        raise UserError(f"The portal cannot be used: {exc}") from exc


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


@contextmanager
def open_portal(
    backend: str = "asyncio", backend_options: dict[str, Any] | None = None
) -> Iterator[BlockingPortal]:
    """Open a portal of your own: an event loop in a thread, for as long as the block lasts.

    Pass it as `portal=` to the blocking doors, for trio or for a lifetime that you choose.

    Args:
        backend: 'asyncio' or 'trio'.
        backend_options: As `anyio.run` takes them, such as `{'use_uvloop': True}`.

    Yields:
        The portal; what still runs as the block ends is waited for, or cancelled where
        the block ends with an exception.
    """
    with start_blocking_portal(backend, backend_options) as portal:
        _know(portal)
        yield portal


class _Ended(Exception):
    """Carries what ends a program to the thread that called; it would end the portal's loop."""


class Task(Generic[ResultT]):
    """A function that runs in a portal, for threads that wait for it or call it off.

    Args:
        portal: Where it runs.
        function: The function.
        args: Its arguments.

    Attributes:
        portal: Where it runs.
        future: What it returns or raises.

    Raises:
        UserError: The portal is closed.
    """

    portal: BlockingPortal
    future: Future[ResultT]

    def __init__(
        self, portal: BlockingPortal, function: Callable[..., Awaitable[ResultT]], *args: Any
    ) -> None:
        self.portal = portal
        self._scope: CancelScope | None = None
        self._soon: Callable[[Callable[[], object]], object] | None = None
        self._is_off = False
        try:
            with _portal_errors():
                self.future = portal.start_task_soon(self._run, function, *args)
        except BaseException:
            # Interrupted in between, the function is on its way all the same.
            self.call_off()
            raise

    async def _run(self, function: Callable[..., Awaitable[ResultT]], *args: Any) -> ResultT:
        loop: Any = current_token().native_token
        with CancelScope() as self._scope:
            self._soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
            if self._is_off:
                self._scope.cancel()
            try:
                return await function(*args)
            except (KeyboardInterrupt, SystemExit) as exc:
                raise _Ended from exc
        raise CancelledError

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or runs in the process that this one was forked from."""
        return self.future.done() or self.portal in _lost

    def call_off(self) -> None:
        """Cancel the function, from any thread, and without waiting for that."""
        self._is_off = True
        if self._scope is not None:
            self.soon(self._scope.cancel)

    def soon(self, function: Callable[[], object]) -> None:
        """Call a plain function in the event loop, from any thread, and without waiting.

        Where the task has not begun, or its loop is over, nothing is called.
        """
        if self._soon is not None:
            with suppress(RuntimeError):
                self._soon(function)

    def result(self) -> ResultT:
        """Wait for the function; interrupted, it is called off.

        Raises:
            UserError: The portal was closed meanwhile.
        """
        try:
            return _carried(lambda: wait(self.future, self.portal))
        except CancelledError:
            raise UserError(_CLOSED) from None
        except BaseException:
            # Never `portal.call`: it leaves the task running when Ctrl-C interrupts the wait.
            self.call_off()
            raise

    def join(self, timeout: float | None) -> None:
        """Wait for the end, also where the task that waits for this thread is cancelled.

        Args:
            timeout: Seconds, None for no limit.
        """
        try:
            _carried(lambda: self.future.result(timeout))
        except BaseException:
            self.call_off()
            raise


def _carried(result: Callable[[], ResultT]) -> ResultT:
    """Return a result, or raise what ended the program that made it."""
    try:
        return result()
    except _Ended as exc:
        raise exc.__cause__ or exc from None


def call(
    portal: BlockingPortal, function: Callable[..., Awaitable[ResultT]], *args: Any
) -> ResultT:
    """Run `function` in the portal and wait for it; interrupted, it is cancelled.

    Raises:
        UserError: The portal is closed.
    """
    return Task(portal, function, *args).result()


_CLOSED = "The portal was closed while a request was under way."


def wait(future: Future[ResultT], portal: BlockingPortal, timeout: float | None = None) -> ResultT:
    """Wait for a future; in a worker thread of anyio's, no longer than its task does.

    Args:
        future: The future.
        portal: Where it comes from.
        timeout: Seconds, None for no limit.

    Raises:
        TimeoutError: It takes longer.
        UserError: The event loop has ended, and it will never come.
    """
    until = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        tick = TICK if _has_host() else LOOK
        has_ended = _has_ended(portal)
        try:
            return future.result(min(tick, until - time.monotonic()))
        except TimeoutError:
            if future.done():
                return future.result()  # Its own error, or what has come just now.
            if time.monotonic() >= until:
                raise
            if has_ended:
                raise UserError(_CLOSED) from None


def _has_host() -> bool:
    """Return whether a task waits for this thread; where it is cancelled, raise so."""
    try:
        check_cancelled()
    except RuntimeError:
        return False
    return True
