"""So many requests and tokens a minute, over all models that share a limiter."""

from __future__ import annotations

import math
import sys
import time
from bisect import bisect_right, insort
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial

import anyio

from .._io.processes import ProcessLock
from .._io.queueing import queued
from .._io.run import in_this_run
from .._io.tasks import held_open
from ..exceptions import ModelRateLimitError, UserError
from ..streaming import StreamedResponse
from .attempts import Retry
from .base import Model, ModelCall
from .inference import KnownModelName
from .wrapper import WrapperModel

__all__ = ("RateLimitedModel", "RateLimiter")

MINUTE = 60.0
"""Seconds."""


class RateLimiter:
    """Spaces requests out; works over all threads and event loops of the process.

    First come, first served in each event loop: one request sleeps until its slot, once unless a
    pause comes meanwhile, and the others wait in line. A request is let through where no window
    of 60 s becomes too full by it. What a model sends again by itself is counted, but not held
    back. Tokens are charged once a response says how many it used, so the request that
    goes over the limit is let through, and those after it wait until enough of the last minute's
    tokens are a minute old.

    A copy, and one that was pickled, begins anew.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: Tokens read and written; None for no limit.
        clock: Returns the time, in seconds from some point.

    Raises:
        UserError: A limit is not above 0.
    """

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for limit in (requests_per_minute, tokens_per_minute):
            if limit is not None and not limit > 0:
                raise UserError(f"A rate limit is a number above 0, not {limit!r}")
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute
        self._clock = clock
        self._lock = ProcessLock()
        # A number in a window of seconds: 0.5 a minute is 1 in 120 s.
        per_minute = math.inf if requests_per_minute is None else requests_per_minute
        self._most = max(1, math.floor(per_minute)) if per_minute < math.inf else sys.maxsize
        self._window = MINUTE * self._most / per_minute if per_minute < math.inf else 0.0
        # When requests of the last window were sent, and when those are that have a slot; sorted.
        self._slots: list[float] = []
        # The tokens of the last minute, each with its time, and their sum.
        self._charges: deque[tuple[float, float]] = deque()
        self._charged = 0.0
        self._resumes = self._latest = -math.inf

    def __reduce__(self) -> tuple[Callable[[], RateLimiter], tuple[()]]:
        again = partial(
            type(self),
            requests_per_minute=self._requests,
            tokens_per_minute=self._tokens,
            clock=self._clock,
        )
        return again, ()

    async def admit(self) -> None:
        """Wait until another request may be sent, and count it."""
        with queued("rate"):
            async with in_this_run(self, anyio.Lock):  # one waits for its slot, the others in line
                slot, now = self._reserve()
                try:
                    while slot > now:
                        await anyio.sleep(slot - now)
                        slot, now = self._reserve(slot)
                except BaseException:
                    with self._lock:
                        self._give_back(slot)
                    raise

    def used(self, tokens: float) -> None:
        """Charge tokens that a response used."""
        if self._tokens is None or not tokens > 0:
            return
        with self._lock:
            charge = min(tokens, self._tokens)
            self._charges.append((self._now(), charge))
            self._charged += charge

    def pause(self, seconds: float) -> None:
        """Hold all requests back, as a provider's Retry-After asks, but no more than a minute.

        Where that was too short, the provider says so again.
        """
        with self._lock:
            self._resumes = max(self._resumes, self._now() + min(seconds, MINUTE))

    def repeated(self, delay: float) -> None:
        """Count a request that is sent again without having been admitted.

        Args:
            delay: Seconds from now until then.
        """
        with self._lock:
            insort(self._slots, self._now() + delay)

    def _now(self) -> float:
        # The clock need not be that of the event loop, which the sleep is measured by.
        return max(self._clock(), self._latest)

    def _reserve(self, slept_until: float | None = None) -> tuple[float, float]:
        """Reserve the next slot.

        Args:
            slept_until: The slot that was reserved before; a pause may have moved it.

        Returns:
            The slot, and the time.
        """
        with self._lock:
            if slept_until is not None:
                self._latest = max(self._latest, slept_until)
                self._give_back(slept_until)
            now = self._now()
            del self._slots[: bisect_right(self._slots, now - self._window)]
            slot = self._free(self._earliest(now))
            insort(self._slots, slot)
            return slot, now

    def _give_back(self, slot: float) -> None:
        # Another event loop may have dropped it already, as older than the window.
        with suppress(ValueError):
            self._slots.remove(slot)

    def _free(self, slot: float) -> float:
        """Return the first free slot, from a time on: one that makes no window too full."""
        slots, most = self._slots, self._most
        while True:
            place = bisect_right(slots, slot)
            # With any `most` neighbors it must span a window; the last that do not count most.
            for first in reversed(range(max(0, place - most), min(place, len(slots) - most) + 1)):
                begin, end = min(slot, slots[first]), max(slot, slots[first + most - 1])
                if end < begin + self._window:
                    slot = slots[first] + self._window
                    break
            else:
                return slot

    def _earliest(self, now: float) -> float:
        """Return when tokens and cool-down let another request go."""
        while self._charges and self._charges[0][0] <= now - MINUTE:
            self._charged -= self._charges.popleft()[1]
        earliest = max(now, self._resumes)
        charged = self._charged
        for at, amount in self._charges:
            if self._tokens is None or charged < self._tokens:
                break
            charged -= amount
            earliest = max(earliest, at + MINUTE)
        return earliest


class RateLimitedModel(WrapperModel):
    """A model that is asked only so often; a 429 holds back all who share its limiter.

    Args:
        wrapped: The model, or its name.
        limiter: The limiter.
    """

    def __init__(self, wrapped: Model | KnownModelName, limiter: RateLimiter) -> None:
        super().__init__(wrapped)
        self.limiter = limiter

    @held_open
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        """Ask the wrapped model when the limiter lets it."""
        await self.limiter.admit()
        try:
            async with self.wrapped.open(call.with_retry_hook(self._retried)) as stream:
                try:
                    yield stream
                finally:
                    self.limiter.used(stream.usage().total_tokens)
        except ModelRateLimitError as exc:
            self.limiter.pause(exc.retry_after or 0)
            raise

    def _retried(self, retry: Retry) -> None:
        if isinstance(retry.error, ModelRateLimitError):
            self.limiter.pause(retry.delay)
        self.limiter.repeated(retry.delay)
