"""So many requests and tokens a minute, over all models that share a limiter."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio

from .._io.processes import ProcessLock
from .._io.queueing import queued
from .._io.tasks import held_open
from ..exceptions import ModelRateLimitError
from ..messages import ModelMessage, ModelResponse
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from . import KnownModelName, Model
from .attempts import Retry
from .wrapper import WrapperModel

__all__ = ("RateLimitedModel", "RateLimiter")

MINUTE = 60.0
"""Seconds."""


class _Bucket:
    """Fills evenly to its capacity in a minute; may go below zero, and is waited for then."""

    def __init__(self, capacity: float, now: float) -> None:
        self._capacity = capacity
        self._level = capacity
        self._at = now

    def take(self, amount: float, now: float) -> None:
        self._fill(now)
        self._level -= amount

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until there is as much, as far as it can hold that."""
        self._fill(now)
        missing = min(amount, self._capacity) - self._level
        return max(0.0, missing) * MINUTE / self._capacity

    def _fill(self, now: float) -> None:
        gained = (now - self._at) * self._capacity / MINUTE
        self._level, self._at = min(self._capacity, self._level + gained), now


class RateLimiter:
    """Spaces requests out; works over all threads and event loops of the process.

    Tokens are charged once a response tells how many it used, so the request that goes
    over the limit is let through, and those after it wait.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: Tokens read and written; None for no limit.
        clock: Tells the time, in seconds from some point.
    """

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._lock = ProcessLock()
        self._requests = _bucket(requests_per_minute, clock())
        self._tokens = _bucket(tokens_per_minute, clock())
        self._paused_until = clock()

    async def admit(self) -> None:
        """Wait until another request may be sent, and count it."""
        with queued("rate"):
            wait = self._take()
            while wait > 0:
                # Somebody else may be quicker, or a pause may have come in between.
                await anyio.sleep(wait)
                wait = self._take()

    def _take(self) -> float:
        """Count a request that may be sent now, or return the seconds until one may."""
        with self._lock:
            now = self._clock()
            wait = max(
                self._paused_until - now,
                self._requests.wait(1, now) if self._requests else 0.0,
                self._tokens.wait(1, now) if self._tokens else 0.0,
            )
            if wait <= 0 and self._requests:
                self._requests.take(1, now)
            return wait

    def used(self, tokens: int) -> None:
        """Charge tokens that a response used."""
        with self._lock:
            if self._tokens:
                self._tokens.take(tokens, self._clock())

    def pause(self, seconds: float) -> None:
        """Hold all requests back, as a provider's Retry-After asks, but no more than a minute.

        Where that was too short, the provider says so again.
        """
        with self._lock:
            until = self._clock() + min(seconds, MINUTE)
            self._paused_until = max(self._paused_until, until)


def _bucket(capacity: float | None, now: float) -> _Bucket | None:
    if capacity is None:
        return None
    if capacity <= 0:
        raise ValueError(f"a rate limit must be above 0, not {capacity}")
    return _Bucket(capacity, now)


class RateLimitedModel(WrapperModel):
    """A model that is asked only so often; a 429 holds back all who share its limiter.

    Args:
        wrapped: The model, or its name.
        limiter: The limiter.
    """

    def __init__(self, wrapped: Model | KnownModelName, limiter: RateLimiter) -> None:
        super().__init__(wrapped)
        self.limiter = limiter

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request when the limiter lets it."""
        await self.limiter.admit()
        settings = self._told(model_settings)
        try:
            response = await self.wrapped.request(messages, settings, model_request_parameters)
        except ModelRateLimitError as exc:
            self.limiter.pause(exc.retry_after or 0)
            raise
        self.limiter.used(response.usage.total_tokens)
        return response

    @held_open
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream a response when the limiter lets it."""
        await self.limiter.admit()
        settings = self._told(model_settings)
        asked = self.wrapped.request_stream(messages, settings, model_request_parameters)
        try:
            async with asked as stream:
                try:
                    yield stream
                finally:
                    self.limiter.used(stream.usage().total_tokens)
        except ModelRateLimitError as exc:
            self.limiter.pause(exc.retry_after or 0)
            raise

    def _told(self, settings: ModelSettings | None) -> ModelSettings:
        """Return the settings with a hook that learns of each 429 that is retried inside."""
        settings = settings or ModelSettings()
        theirs = settings.get("on_retry")

        def on_retry(retry: Retry) -> Any:
            if isinstance(retry.error, ModelRateLimitError):
                self.limiter.pause(retry.delay)
            return theirs(retry) if theirs is not None else None

        return {**settings, "on_retry": on_retry}
