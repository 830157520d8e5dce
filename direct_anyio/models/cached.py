"""A cache of whole responses, looked up by everything that a request says."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import warnings
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from os import PathLike
from typing import Any, Protocol

import attrs
from anyio import CapacityLimiter, Event
from anyio.lowlevel import RunVar, checkpoint
from attrs import define

from .._core.encoding import listed
from .._io.offload import run_in_thread
from .._io.processes import ProcessLock
from .._io.run import in_this_run
from .._io.tasks import held_open
from .._json import text_of
from .._stored import STORED
from .._values import default, plain
from ..exceptions import ResponseCacheWarning, UserError
from ..history import ModelMessagesTypeAdapter, dump_messages, load_messages
from ..messages import ModelMessage, ModelResponse
from ..settings import ModelSettings, merge_model_settings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from .base import Model, ModelCall
from .inference import KnownModelName
from .whole import WholeResponse
from .wrapper import WrapperModel, outcome

__all__ = ("CachedModel", "MemoryCache", "ResponseCache", "SQLiteCache")

BUSY = 30.0
"""Seconds that a statement waits for other processes to leave the database alone."""

# Settings that say nothing about the answer: how long to wait, and whom to tell.
_NOT_ASKED = {
    "timeout",
    "request_timeout",
    "first_event_timeout",
    "max_retries",
    "retry_ambiguous",
    "on_retry",
}
# Fields of the records themselves that are never sent; what a tool is given or returns is not
# looked into.
_OF_A_MESSAGE = {"timestamp", "run_id", "metadata"}
_OF_A_PART = {"timestamp", "metadata"}


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

    The file is in WAL mode and can be read and written by nobody but its owner. Each process
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
        return await run_in_thread(self._execute, statement, values, limiter=limiter)

    def _execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock, _no_raw_errors(self._path):
            self._leave_inherited()
            if self._connection is None:
                self._connection = _opened(self._path)
            return self._connection.execute(statement, values).fetchall()


@contextmanager
def _no_raw_errors(path: str) -> Iterator[None]:
    """Raise errors of SQLite's as `UserError` where the file is at fault, else as `OSError`."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise OSError(f"The response cache {path} cannot be used: {exc}") from exc
    except sqlite3.Error as exc:
        raise UserError(
            f"{path} is no response cache, or a damaged one ({exc}): delete it, or name another."
        ) from exc


def _opened(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        try:
            # The files beside it get the same permissions from SQLite.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as exc:
            raise OSError(f"The response cache {path} cannot be opened: {exc}") from exc
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the table where the database is new.

    Raises:
        sqlite3.DatabaseError: It is somebody else's database.
    """
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


@define(eq=False)
class _Flight:
    """A whole request under way, for those who ask the same in the same event loop.

    Attributes:
        over: Set when the request has ended.
        response: The response, where it was kept.
        failed: Whether the request has failed; one that was cancelled has not.
    """

    over: Event
    response: ModelResponse | None = None
    failed: bool = False


@contextmanager
def _leading(flights: dict[tuple[int, str], _Flight], place: tuple[int, str]) -> Iterator[_Flight]:
    """Let others wait for the block, unless there is one already that they wait for."""
    flight = _Flight(Event())
    leads = flights.setdefault(place, flight) is flight
    try:
        yield flight
    except Exception:
        flight.failed = True
        raise
    finally:
        if leads:
            del flights[place]
        flight.over.set()


_flights: RunVar[dict[tuple[int, str], _Flight]] = RunVar("direct_anyio-cached")


class CachedModel(WrapperModel):
    """Answers a request that was answered before with the same response.

    Two requests are the same that have equal messages, settings and parameters; times, run ids
    and metadata of messages and parts are not compared, as they are never sent. Only whole
    responses are kept. A response from the cache says so in
    `provider_details['direct_anyio']['cached']`.

    Equal requests at the same time are one: the others wait for a request that is not streamed,
    and where it is cancelled the next of them asks. A streamed request is waited for by nobody,
    as its reader may take any time.

    A store that fails costs no answer: a `ResponseCacheWarning` tells of it.

    Args:
        wrapped: The model, or its name.
        cache: Where the responses are kept; in memory by default.
        keep: Which responses are kept, besides being whole; a function, async or not. One that
            raises says no, with a warning.
    """

    def __init__(
        self,
        wrapped: Model | KnownModelName,
        cache: ResponseCache | None = None,
        *,
        keep: Callable[[ModelResponse], bool | Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__(wrapped)
        self.cache = MemoryCache() if cache is None else cache
        self.keep = keep

    async def forget(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> None:
        """Keep the response to a request no longer, so that the next one is asked."""
        offered = model_request_parameters or ModelRequestParameters()
        call = ModelCall(listed(messages), model_settings, offered, stream=False)
        await self.cache.forget(self._key(call))

    @held_open
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        """Open the response from the cache, else ask for it."""
        key = self._key(call)
        flights = _flights.get(None)
        if flights is None:
            _flights.set(flights := {})
        place = id(self.cache), key
        kept = await self._kept(key)
        while kept is None and place in flights:
            other = flights[place]
            await other.over.wait()
            if other.failed:
                break
            kept = other.response
        if kept is not None:
            yield WholeResponse(_marked(kept), call.parameters)
        elif call.stream:
            async with self.wrapped.open(call) as stream:
                yield stream
            await self._keep(key, stream.response)
        else:
            with _leading(flights, place) as flight:
                asked = call.messages, call.settings, call.parameters
                response = await self.wrapped.request(*asked)
                if await self._keep(key, response):
                    flight.response = response
            yield WholeResponse(response, call.parameters)

    async def _kept(self, key: str) -> ModelResponse | None:
        """Return what the store has, None also where it fails.

        Raises:
            UserError: The store cannot be used at all.
        """
        try:
            return await self.cache.get(key)
        except UserError:
            raise
        except Exception as exc:
            _warn(f"The response cache could not be read, so the model is asked: {exc!r}")
            return None

    async def _keep(self, key: str, response: ModelResponse) -> bool:
        """Keep a response that is to be kept, and return whether it is."""
        if response.state != "complete":
            return False
        try:
            if self.keep is not None and not await outcome(self.keep(response)):
                return False
        except Exception as exc:
            _warn(f"`keep` failed, so the response is not kept: {exc!r}")
            return False
        try:
            await self.cache.set(key, response)
        except Exception as exc:
            _warn(f"The response cache could not be written: {exc!r}")
        return True

    def _key(self, call: ModelCall) -> str:
        asked = merge_model_settings(self.settings, call.settings) or {}
        messages = ModelMessagesTypeAdapter.dump_python(call.messages, mode="json")
        said = {
            "model": [self.system, self.base_url, self.model_name],
            "messages": [*map(_said, messages)],
            "settings": {
                key: value
                for key, value in asked.items()
                if value is not None and key not in _NOT_ASKED
            },
            "parameters": call.parameters,
        }
        try:
            text = text_of(plain(said, STORED), sort_keys=True, default=default)
        except (UserError, ValueError) as exc:
            raise UserError(f"The request cannot be cached: {exc}") from exc
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _said(message: dict[str, Any]) -> dict[str, Any]:
    """Return a dumped message without those of its own fields that are never sent."""
    parts = [
        {name: value for name, value in part.items() if name not in _OF_A_PART}
        for part in message["parts"]
    ]
    rest = {name: value for name, value in message.items() if name not in _OF_A_MESSAGE}
    return rest | {"parts": parts}


def _marked(response: ModelResponse) -> ModelResponse:
    details = response.provider_details or {}
    ours = {**details.get("direct_anyio", {}), "cached": True}
    return attrs.evolve(response, provider_details={**details, "direct_anyio": ours})


def _warn(text: str) -> None:
    warnings.warn(text, ResponseCacheWarning, stacklevel=3)
