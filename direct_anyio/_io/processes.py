"""Locks that a forked process may use, whatever was held at the fork.

A fork copies the memory and the calling thread alone, so a lock that another thread holds is
never released in the child. Not every fork calls the hooks of `os.register_at_fork` (uWSGI
forks in C), so nothing here relies on them.
"""

from __future__ import annotations

import os
import threading

__all__ = ("ProcessLock",)


class ProcessLock:
    """A reentrant lock for the threads of one process; each process begins with a free one.

    A copy, and one that was pickled, is another lock.
    """

    def __init__(self) -> None:
        self._locks: dict[int, threading.RLock] = {}

    def __reduce__(self) -> tuple[type[ProcessLock], tuple[()]]:
        return type(self), ()

    def __enter__(self) -> None:
        process = os.getpid()
        lock = self._locks.get(process) or self._locks.setdefault(process, threading.RLock())
        lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._locks[os.getpid()].release()
