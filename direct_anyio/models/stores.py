"""Where `CachedModel` keeps responses: in memory, or in an SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from os import PathLike
from typing import Any, Protocol

from anyio import CapacityLimiter
from anyio.lowlevel import checkpoint

from .._io.offload import run_in_thread
from .._io.processes import ProcessLock
from .._io.run import in_this_run
from ..exceptions import UserError
from ..history import dump_messages, load_messages
from ..messages import ModelResponse

__all__ = ("MemoryCache", "ResponseCache", "SQLiteCache")

BUSY_SECONDS = 30.0
"""How long a statement waits while other processes use the database."""


class ResponseCache(Protocol):
    """Where responses are kept; a store of your own has these methods."""

    async def get(self, key: str) -> ModelResponse | None:
        """Return the response of a key, None where there is none."""
        ...

    async def set(self, key: str, response: ModelResponse) -> None:
        """Keep the response of a key."""
        ...

    async def forget(self, key: str) -> None:
        """Keep the response of a key no longer."""
        ...


class MemoryCache:
    """Keeps the responses that were asked for last, in this process, for all of its threads.

    Args:
        max_entries: The most responses to keep.

    Raises:
        UserError: `max_entries` is below 1.
    """

    def __init__(self, max_entries: int = 1024) -> None:
        if max_entries < 1:
            raise UserError(f"`max_entries` is a number above 0, not {max_entries!r}")
        self._max_entries = max_entries
        self._responses: OrderedDict[str, ModelResponse] = OrderedDict()
        self._lock = ProcessLock()

    async def get(self, key: str) -> ModelResponse | None:
        """Return the response of a key, None where there is none."""
        await checkpoint()
        with self._lock:
            response = self._responses.get(key)
            if response is not None:
                self._responses.move_to_end(key)
            return response

    async def set(self, key: str, response: ModelResponse) -> None:
        """Keep the response of a key, and evict the least recently used one."""
        with self._lock:
            self._responses[key] = response
            self._responses.move_to_end(key)
            while len(self._responses) > self._max_entries:
                self._responses.popitem(last=False)

    async def forget(self, key: str) -> None:
        """Keep the response of a key no longer."""
        with self._lock:
            self._responses.pop(key, None)


_inherited: list[sqlite3.Connection | None] = []


class SQLiteCache:
    """Keeps responses in an SQLite database, for all processes that use the same file.

    The file is in WAL mode, and only its owner can read and write it. Each process
    has one connection, which its threads and event loops share.

    Args:
        path: The file; it is made where there is none.

    Raises:
        UserError: At the first use: the file is damaged, or holds something else.
        OSError: At any use: the database cannot be used.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._lock = ProcessLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()

    def __reduce__(self) -> tuple[type[SQLiteCache], tuple[str]]:
        return type(self), (self._path,)

    async def get(self, key: str) -> ModelResponse | None:
        """Return the response of a key, None where there is none.

        Raises:
            ValueError: What is kept cannot be read.
        """
        rows = await self._run("SELECT response FROM responses WHERE key = ?", key)
        if not rows:
            return None
        try:
            (message,) = load_messages(rows[0][0])
        except UserError as exc:
            raise ValueError(f"a response in {self._path} cannot be read: {exc}") from exc
        return message if isinstance(message, ModelResponse) else None

    async def set(self, key: str, response: ModelResponse) -> None:
        """Keep the response of a key."""
        kept = dump_messages([response])
        await self._run("INSERT OR REPLACE INTO responses VALUES (?, ?)", key, kept)

    async def forget(self, key: str) -> None:
        """Keep the response of a key no longer."""
        await self._run("DELETE FROM responses WHERE key = ?", key)

    def close(self) -> None:
        """Close this process's connection; the next use opens another."""
        with self._lock:
            self._leave_inherited()
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def __del__(self) -> None:
        # Not for an object whose making failed.
        if getattr(self, "_connection", None) is not None:
            self.close()

    def _leave_inherited(self) -> None:
        """Forget a connection that a fork has brought along, which must not be closed either."""
        if self._process != os.getpid():
            _inherited.append(self._connection)
            self._connection, self._process = None, os.getpid()

    async def _run(self, statement: str, *values: Any) -> list[Any]:
        limiter = in_this_run(self, partial(CapacityLimiter, 1))
        return await run_in_thread(self.execute, statement, values, limiter=limiter)

    def execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Run a statement in this thread, and return its rows.

        Raises:
            OSError: The database cannot be used.
            UserError: The file is damaged, or holds something else.
        """
        with self._lock:
            self._leave_inherited()
            try:
                if self._connection is None:
                    self._connection = _opened(self._path)
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.OperationalError as exc:
                raise OSError(f"The response cache {self._path} cannot be used: {exc}") from exc
            except sqlite3.Error as exc:
                raise UserError(
                    f"{self._path} is not a response cache, or is damaged ({exc}): delete it, or "
                    "name another."
                ) from exc


def _opened(path: str) -> sqlite3.Connection:
    """Open a database, and make its table where it is new.

    Raises:
        OSError: The file cannot be opened.
        sqlite3.Error: It is damaged, or the database of another program.
    """
    if path != ":memory:":
        try:
            # The files beside it get the same permissions from SQLite.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as exc:
            raise OSError(f"The response cache {path} cannot be opened: {exc}") from exc
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # In this order, since another process may make the table in between.
        is_new = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
        columns = [row[1] for row in connection.execute("PRAGMA table_info(responses)")]
        if not is_new and columns != ["key", "response"]:
            raise sqlite3.DatabaseError("it has other tables")
        with suppress(sqlite3.OperationalError):
            # SQLite does not wait where another process does the same.
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, response BLOB NOT NULL)"
        )
    except BaseException:
        connection.close()
        raise
    return connection
