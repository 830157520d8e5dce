"""A cache of whole responses, looked up by everything that a request says."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import closing
from os import PathLike
from typing import Any, Protocol

import attrs
from anyio.lowlevel import checkpoint

from .._core.accumulator import Accumulator
from .._core.codec import Item, ResponseInfo, WholePart, text_chunk, thinking_chunk
from .._io.offload import run_in_thread
from .._io.processes import ProcessLock
from .._io.tasks import held_open
from .._json import text_of
from .._stored import STORED
from .._values import default, plain
from ..exceptions import UserError
from ..history import ModelMessagesTypeAdapter, dump_messages, load_messages
from ..messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ThinkingPart, now
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from . import KnownModelName, Model
from .items import stream_items
from .wrapper import WrapperModel

__all__ = ("CachedModel", "MemoryCache", "ResponseCache", "SQLiteCache")

PIECE = 24
"""Characters of a text that a replayed stream brings at a time, about five tokens."""

# What says nothing about the answer: how long to wait, and whom to tell.
_NOT_ASKED = {
    "timeout",
    "request_timeout",
    "first_event_timeout",
    "max_retries",
    "retry_ambiguous",
    "on_retry",
}
_NOT_SAID = {"timestamp", "run_id", "metadata", "identifier"}


class ResponseCache(Protocol):
    """Where responses are kept; a store of your own has these two."""

    async def get(self, key: str) -> ModelResponse | None:
        """Return the response of a key, None where there is none."""
        ...

    async def set(self, key: str, response: ModelResponse) -> None:
        """Keep the response of a key."""
        ...


class MemoryCache:
    """Keeps the responses that were asked for last, in this process, for all of its threads.

    Args:
        max_entries: The most responses to keep.
    """

    def __init__(self, max_entries: int = 1024) -> None:
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
        """Keep the response of a key, and forget the least recently used one."""
        with self._lock:
            self._responses[key] = response
            self._responses.move_to_end(key)
            while len(self._responses) > self._max_entries:
                self._responses.popitem(last=False)


class SQLiteCache:
    """Keeps responses in an SQLite database, for all processes that use the same file.

    Args:
        path: The file; it is made where there is none.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = path

    async def get(self, key: str) -> ModelResponse | None:
        """Return the response of a key, None where there is none."""
        return await run_in_thread(self._get, key)

    async def set(self, key: str, response: ModelResponse) -> None:
        """Keep the response of a key."""
        await run_in_thread(self._set, key, dump_messages([response]))

    def _get(self, key: str) -> ModelResponse | None:
        with closing(self._open()) as database:
            found = database.execute("SELECT response FROM responses WHERE key = ?", (key,))
            row = found.fetchone()
        if row is None:
            return None
        (message,) = load_messages(row[0])
        return message if isinstance(message, ModelResponse) else None

    def _set(self, key: str, response: bytes) -> None:
        with closing(self._open()) as database, database:
            database.execute("INSERT OR REPLACE INTO responses VALUES (?, ?)", (key, response))

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path)
        database.execute(
            "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, response BLOB NOT NULL)"
        )
        return database


class CachedModel(WrapperModel):
    """Answers a request that was answered before with the same response.

    Two requests are the same that have equal messages, settings and parameters, times
    and ids of the program's own aside. Only whole responses are kept. A response from
    the cache says so in `provider_details['direct_anyio']['cached']`.

    Args:
        wrapped: The model, or its name.
        cache: Where the responses are kept; in memory by default.
    """

    def __init__(self, wrapped: Model | KnownModelName, cache: ResponseCache | None = None) -> None:
        super().__init__(wrapped)
        self.cache = MemoryCache() if cache is None else cache

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the response from the cache, else ask for it."""
        key = self._key(messages, model_settings, model_request_parameters)
        kept = await self.cache.get(key)
        if kept is not None:
            return _marked(kept)
        response = await self.wrapped.request(messages, model_settings, model_request_parameters)
        if response.state == "complete":
            await self.cache.set(key, response)
        return response

    @held_open
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream the response from the cache, else ask for it."""
        key = self._key(messages, model_settings, model_request_parameters)
        kept = await self.cache.get(key)
        if kept is not None:
            async with _replayed(_marked(kept), model_request_parameters) as replay:
                yield replay
            return
        async with self.wrapped.request_stream(
            messages, model_settings, model_request_parameters
        ) as stream:
            yield stream
        if stream.state == "complete":
            await self.cache.set(key, stream.response)

    def _key(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        offered: ModelRequestParameters,
    ) -> str:
        asked: Mapping[str, Any] = {**(self.settings or {}), **(settings or {})}
        said = {
            "model": [self.system, self.base_url, self.model_name],
            "messages": _said(ModelMessagesTypeAdapter.dump_python(messages, mode="json")),
            "settings": {key: value for key, value in asked.items() if key not in _NOT_ASKED},
            "parameters": offered,
        }
        try:
            text = text_of(plain(said, STORED), sort_keys=True, default=default)
        except (UserError, ValueError) as exc:
            raise UserError(f"The request cannot be cached: {exc}") from exc
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _said(value: Any) -> Any:
    """Return a message without what is the program's own."""
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items() if key not in _NOT_SAID}
    return [_said(each) for each in value] if isinstance(value, list) else value


def _marked(response: ModelResponse) -> ModelResponse:
    details = response.provider_details or {}
    ours = {**details.get("direct_anyio", {}), "cached": True}
    return attrs.evolve(response, provider_details={**details, "direct_anyio": ours})


@held_open
async def _replayed(
    response: ModelResponse, offered: ModelRequestParameters
) -> AsyncIterator[StreamedResponse]:
    accumulator = Accumulator(
        parameters=offered,
        model_name=response.model_name or "",
        timestamp=now(),
        provider_name=response.provider_name,
        provider_url=response.provider_url,
    )
    async with stream_items(
        _batches(response), accumulator, StreamedResponse, ModelSettings()
    ) as stream:
        yield stream


async def _batches(response: ModelResponse) -> AsyncIterator[Iterable[Item]]:
    yield (
        ResponseInfo(
            model_name=response.model_name,
            provider_response_id=response.provider_response_id,
            provider_details=response.provider_details,
            finish_reason=response.finish_reason,
            usage=response.usage,
        ),
    )
    for index, part in enumerate(response.parts):
        yield _items(index, part)


def _items(index: int, part: ModelResponsePart) -> Iterator[Item]:
    """Return a part as it might have been streamed: its text in pieces."""
    if not isinstance(part, (TextPart, ThinkingPart)):
        yield WholePart(index, part)
        return
    text = part.content
    yield WholePart(index, attrs.evolve(part, content=text[:PIECE]))
    chunk = text_chunk if isinstance(part, TextPart) else thinking_chunk
    for start in range(PIECE, len(text), PIECE):
        yield chunk(index, text[start : start + PIECE])
