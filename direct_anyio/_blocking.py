"""The portal that blocking code goes through: one event loop thread for the process.

All blocking functions use the same portal, so connections are kept alive between calls,
and no client is ever used in two event loops.

Whatever a finalizer or a signal handler may call here takes no lock that its own thread may
hold already, and never waits: the garbage collector runs at any place, in any thread, the
portal's own among them.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator
from concurrent import futures
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from sys import is_finalizing
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, ref

import anyio
from anyio import CancelScope, from_thread
from anyio.from_thread import BlockingPortal, check_cancelled, start_blocking_portal
from anyio.lowlevel import current_token
from attrs import frozen

from ._io.greenlets import new_event_loop, queues_are_green, threads_are_green
from ._io.processes import ProcessLock
from .exceptions import UserError

__all__ = ("Task", "call", "open_portal", "portal_for", "portal_host", "wait")

ResultT = TypeVar("ResultT")

TICK = 0.05
"""Seconds between two looks at whether the task that waits for this thread is cancelled."""

LOOK = 0.5
"""Seconds between two looks at whether the event loop has ended."""

EXIT_LIMIT = 1.0
"""Seconds that the end of the process waits for what was under way to be cancelled."""


@frozen
class _Host:
    """The event loop that runs a portal.

    Attributes:
        loop: A weak reference to it, since what is kept of a portal must not keep its loop.
        process: The id of its process.
        thread: The identifier of its thread.
    """

    loop: Callable[[], Any]
    process: int
    thread: int

    @classmethod
    def here(cls) -> _Host:
        """Return the event loop that runs in this thread."""
        return cls(ref(current_token().native_token), os.getpid(), threading.get_ident())

    @property
    def has_ended(self) -> bool:
        """Whether the event loop is closed; only asyncio forgets tasks that have not begun."""
        loop = self.loop()
        return loop is None or bool(getattr(loop, "is_closed", bool)())

    @property
    def is_foreign(self) -> bool:
        """Whether it runs in the process that this one was forked from."""
        return self.process != os.getpid()

    def check_process(self) -> None:
        """Check that it runs in this process.

        Raises:
            UserError: It runs in the process that this one was forked from.
        """
        if self.is_foreign:
            raise UserError(
                "This portal or stream belongs to the process that this one was forked from: "
                "make one in each process."
            )

    def may_be_awaited(self) -> bool:
        """Return whether this thread may wait for what runs there.

        It may not where it runs an event loop, this one or another: from there the garbage
        collector, or a reference that is dropped, may close a stream.
        """
        if is_finalizing() or self.thread == threading.get_ident():
            return False
        return not _running_loop() or _in_notebook()


_hosts: WeakKeyDictionary[BlockingPortal, _Host] = WeakKeyDictionary()
"""The event loops of the portals that were used."""

_portals: dict[Hashable, Future[BlockingPortal]] = {}
"""The portals of this process and of those that it was forked from."""

_starting = ProcessLock()


def _place() -> Hashable:
    """Return the process, and the thread where greenlets stay within one: each has a portal."""
    thread = threading.get_native_id() if threads_are_green() else None
    return os.getpid(), thread


def _process_portal() -> BlockingPortal:
    """Return the portal of this process; it is started on first use, and lasts as it does.

    Raises:
        RuntimeError: Its thread cannot be started, or threads are greenlets since too late.
    """
    theirs = getattr(from_thread, "get_ident", threading.get_ident)
    if threads_are_green() and theirs is not threading.get_ident:
        raise RuntimeError(
            "`threading` was patched after anyio had been imported: patch before direct_anyio is "
            "imported, which gunicorn does without `--preload`."
        )
    place = _place()
    with _starting:
        opened = _portals.get(place)
        if opened is None:
            opened = Future()
            try:
                threading.Thread(
                    target=_run_portal, args=(opened,), name="direct_anyio-portal", daemon=True
                ).start()
            except RuntimeError as exc:
                raise RuntimeError(
                    f"Blocking calls need a thread, and Python starts none here ({exc}). In an "
                    "`atexit` handler they work if the program has made one before; in a "
                    "sub-interpreter, use `anyio.run(model_request, ...)`."
                ) from exc
            # Behind the start, so that a signal handler in between never waits for a portal
            # that its own thread is about to start.
            _portals[place] = opened
            # Handlers run last in, first out: before those that are there already, such as what
            # exports the spans of what is cancelled.
            atexit.unregister(_cancel_running)
            atexit.register(_cancel_running)
    wait(opened, None)
    try:
        return opened.result()
    except BaseException:
        _portals.pop(place, None)
        raise


def _run_portal(opened: Future[BlockingPortal]) -> None:
    async def serve() -> None:
        loop: Any = current_token().native_token
        loop.set_default_executor(_LateExecutor())
        async with BlockingPortal() as portal:
            _hosts[portal] = _Host.here()
            opened.set_result(portal)
            try:
                await portal.sleep_until_stopped()
            finally:
                # As a task's SystemExit makes it; the next call starts another.
                _portals.pop(_place(), None)

    try:
        anyio.run(serve, backend_options=_options("asyncio"))
    except BaseException as exc:
        if not opened.done():
            opened.set_exception(exc)


def _options(backend: str) -> dict[str, Any]:
    """Return the backend's options for an event loop in a new thread, which may be a greenlet."""
    is_green = backend == "asyncio" and threads_are_green()
    return {"loop_factory": new_event_loop} if is_green else {}


class _LateExecutor(ThreadPoolExecutor):
    """Looks up names for the event loop, also after the main thread has ended.

    Python's executors take no work from then on, but threads that outlive the main thread
    and `atexit` handlers still make requests.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            if not queues_are_green():
                return super().submit(function, *args, **kwargs)
        except RuntimeError:
            pass
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as exc:
                future.set_exception(exc)

        try:
            threading.Thread(target=work, daemon=True).start()
        except RuntimeError:
            work()  # The last exit handlers run: blocking here holds up nothing else.
        return future


_running: set[Task[Any]] = set()
"""Tasks that have begun and not ended, in all portals."""


def _cancel_running() -> None:
    """As the process ends, cancel what runs in its portal, and wait a moment for that.

    The loop goes on: handlers that were registered before this one are served, too. Threads
    that Python waits for have ended by now.
    """
    opened = _portals.get(_place())
    portal = opened.result() if opened is not None and opened.done() else None
    ours = [task for task in list(_running) if task.portal is portal]
    for task in ours:
        task.cancel()
    # One that another thread is starting just now has no future yet.
    futures.wait([task.future for task in ours if hasattr(task, "future")], EXIT_LIMIT)


def portal_for(portal: BlockingPortal | None, twin: str) -> BlockingPortal:
    """Return the portal to use: the given one, else that of the process.

    Args:
        portal: The user's own.
        twin: Name of the async function to use inside an event loop.

    Raises:
        RuntimeError: An event loop is running in this thread, which would stand still; or
            Python is shutting down.
        UserError: The portal is that of another process, or of this thread.
    """
    if is_finalizing():
        raise RuntimeError("Python is shutting down: no more requests can be made.")
    inside = _running_loop()
    if inside and portal is None and not _in_notebook():
        raise RuntimeError(
            f"A blocking call would stop the running {inside} event loop: "
            f"use `{twin}` instead, or call from another thread."
        )
    portal = portal or _process_portal()
    host = portal_host(portal)
    host.check_process()
    if host.thread == threading.get_ident():
        raise UserError(
            f"This thread runs the portal's event loop, which would wait for itself: use `{twin}`."
        )
    return portal


def portal_host(portal: BlockingPortal) -> _Host:
    """Return the event loop that runs a portal.

    Raises:
        UserError: The portal is closed, or this thread runs its event loop.
    """
    if portal not in _hosts:
        with _portal_errors():
            _hosts[portal] = portal.call(_Host.here)
    return _hosts[portal]


@contextmanager
def _portal_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as exc:
        raise UserError(f"The portal cannot be used: {exc}") from exc


def _running_loop() -> str | None:
    """Return the library whose event loop is running in this thread.

    None among greenlets, where one of them that waits stops no other.
    """
    if threads_are_green() or queues_are_green():
        return None
    if "trio" in sys.modules:
        # An import statement waits for another thread that is importing it just now.
        import trio

        if trio.lowlevel.in_trio_run():
            return "trio"
    from asyncio import _get_running_loop

    return None if _get_running_loop() is None else "asyncio"


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code: its own loop may stand still."""
    if "IPython" not in sys.modules:
        return False
    return getattr(import_module("IPython").get_ipython(), "kernel", None) is not None


@contextmanager
def open_portal(
    backend: str = "asyncio", backend_options: dict[str, Any] | None = None
) -> Iterator[BlockingPortal]:
    """Open a portal of your own: an event loop in a thread, for as long as the block lasts.

    Pass it as `portal=` to the blocking functions, for trio or for a lifetime that you choose.

    Args:
        backend: 'asyncio' or 'trio'.
        backend_options: As `anyio.run` takes them, such as `{'use_uvloop': True}`.

    Yields:
        The portal; what still runs as the block ends is waited for, or cancelled where
        the block ends with an exception.
    """
    with start_blocking_portal(backend, _options(backend) | (backend_options or {})) as portal:
        portal_host(portal)
        yield portal


class _Ended(Exception):
    """Carries what ends a program to the thread that called; it would end the portal's loop."""


class Task(Generic[ResultT]):
    """A function that runs in a portal, for threads that wait for it or cancel it.

    Args:
        portal: Where it runs.
        function: The function.
        args: Its arguments.

    Attributes:
        portal: Where it runs.
        host: The portal's event loop.
        future: What it returns or raises.

    Raises:
        UserError: The portal is closed.
    """

    portal: BlockingPortal
    host: _Host
    future: Future[ResultT]

    def __init__(
        self, portal: BlockingPortal, function: Callable[..., Awaitable[ResultT]], *args: Any
    ) -> None:
        self.portal = portal
        self.host = _hosts[portal]
        self._scope: CancelScope | None = None
        self._soon: Callable[[Callable[[], object]], object] | None = None
        self._is_cancelled = self._has_ended = False
        try:
            with _portal_errors():
                self.future = portal.start_task_soon(self._run, function, *args)
        except BaseException:
            # Interrupted in between, the function is on its way all the same.
            self.cancel()
            raise

    async def _run(self, function: Callable[..., Awaitable[ResultT]], *args: Any) -> ResultT:
        loop: Any = current_token().native_token
        _running.add(self)
        try:
            with CancelScope() as self._scope:
                self._soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
                if self._is_cancelled:
                    self._scope.cancel()
                try:
                    return await function(*args)
                except (KeyboardInterrupt, SystemExit) as exc:
                    raise _Ended from exc
            raise CancelledError
        finally:
            self._has_ended = True
            _running.discard(self)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or runs in the process that this one was forked from."""
        # Not `future.done()`, which takes a lock.
        return self._has_ended or self.host.is_foreign

    def cancel(self) -> None:
        """Cancel the function, from any thread, and without waiting for that."""
        self._is_cancelled = True
        if self._scope is not None:
            self.call_soon(self._scope.cancel)

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a plain function in the event loop, from any thread, and without waiting.

        Where the task has not begun, or its loop is over, nothing is called.
        """
        if self._soon is not None:
            with suppress(RuntimeError):
                self._soon(function)

    def result(self) -> ResultT:
        """Wait for the function; interrupted, it is cancelled.

        Raises:
            UserError: The portal was closed meanwhile.
        """
        try:
            wait(self.future, self.host)
            return self._result()
        except CancelledError:
            raise UserError(_CLOSED) from None
        except BaseException:
            # Never `portal.call`: it leaves the task running when Ctrl-C interrupts the wait.
            self.cancel()
            raise

    def join(self, timeout: float | None) -> None:
        """Wait for the end, also where the task that waits for this thread is cancelled.

        Args:
            timeout: Seconds, None for no limit.

        Raises:
            BaseException: What the function raised.
        """
        try:
            if _done_within(self.future, timeout):
                self._result()
        except BaseException:
            self.cancel()
            raise

    def _result(self) -> ResultT:
        """Return the result, or raise what ended the program that made it."""
        try:
            return self.future.result()
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


_CLOSED = "The portal was closed, or the program has ended, while a request was under way."


def wait(future: Future[Any], host: _Host | None, timeout: float | None = None) -> bool:
    """Wait for a future; in a worker thread of anyio's, no longer than its task does.

    Args:
        future: The future.
        host: The event loop that it comes from; None for the one that is being started.
        timeout: Seconds, None for no limit.

    Returns:
        Whether it is done.

    Raises:
        UserError: The event loop has ended, and it will never come.
    """
    if future.done():
        return True
    until = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        try:
            check_cancelled()  # where a task waits for this thread and is cancelled, it raises
            tick = TICK
        except RuntimeError:
            tick = LOOK
        has_ended = is_finalizing() or (host is not None and host.has_ended)
        if _done_within(future, min(tick, until - time.monotonic())):
            return True
        if time.monotonic() >= until:
            return False
        if has_ended:
            raise UserError(_CLOSED)


def _done_within(future: Future[Any], seconds: float | None) -> bool:
    """Wait so long for a future and return whether it is done.

    `Future.result` would raise a TimeoutError, as the handler of an alarm may.
    """
    done = threading.Lock()
    done.acquire()
    future.add_done_callback(lambda _: done.release())
    return done.acquire(timeout=-1 if seconds is None else max(0.0, seconds))
