"""So many requests and tokens a minute, over all models that share a limiter."""

from __future__ import annotations

import math
import time
from bisect import bisect_right, insort
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial

import anyio
from attrs import define

from .._io.processes import ProcessLock
from .._io.queueing import queued
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


@define(eq=False)
class _Ticket:
    """The place of a request in the order of all, with the time at which it may be sent."""

    slot: float
    is_sent: bool = False


class RateLimiter:
    """Spaces requests out; works over all threads and event loops of the process.

    First come, first served: each request reserves the next slot as it comes, and sleeps until
    then. No window of 60 s has more requests than are allowed. Tokens are charged once a
    response tells how many it used, so the request that goes over the limit is let through, and
    those after it wait until enough of the last minute's tokens are a minute old.

    A copy, and one that was pickled, begins anew.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: Tokens read and written; None for no limit.
        clock: Tells the time, in seconds from some point.

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
        # So many in a window of so many seconds: 0.5 a minute is 1 in 120 s.
        per_minute = math.inf if requests_per_minute is None else requests_per_minute
        self._most = max(1, math.floor(per_minute)) if per_minute < math.inf else math.inf
        self._window = MINUTE * self._most / per_minute if per_minute < math.inf else 0.0
        self._tickets: list[_Ticket] = []
        self._waiting = 0
        # The tokens of the last minute, each with its time, and their sum.
        self._charges: deque[tuple[float, float]] = deque()
        self._charged = 0.0
        self._resumes = -math.inf

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
            ticket, wait = self._reserve()
            try:
                while wait > 0:
                    slot = ticket.slot
                    await anyio.sleep(wait)
                    # Not by the clock, which need not be that of the event loop.
                    wait = ticket.slot - slot
            except BaseException:
                with self._lock:
                    self._tickets.remove(ticket)
                    self._waiting -= 1
                raise
            with self._lock:
                ticket.is_sent = True
                self._waiting -= 1

    def used(self, tokens: float) -> None:
        """Charge tokens that a response used."""
        if self._tokens is None or not tokens > 0:
            return
        with self._lock:
            now = self._clock()
            charge = min(tokens, self._tokens)
            self._charges.append((now, charge))
            self._charged += charge
            self._postpone(now)

    def pause(self, seconds: float) -> None:
        """Hold all requests back, as a provider's Retry-After asks, but no more than a minute.

        Where that was too short, the provider says so again.
        """
        with self._lock:
            now = self._clock()
            self._resumes = max(self._resumes, now + min(seconds, MINUTE))
            self._postpone(now)

    def repeated(self, delay: float) -> None:
        """Count a request that is sent again without having been admitted.

        Args:
            delay: Seconds from now until then.
        """
        with self._lock:
            now = self._clock()
            insort(self._tickets, _Ticket(now + delay, True), key=lambda ticket: ticket.slot)
            self._postpone(now, inserted=True)

    def _reserve(self) -> tuple[_Ticket, float]:
        """Return a ticket for the next slot, and the seconds until then."""
        with self._lock:
            now = self._clock()
            old = bisect_right(self._tickets, now - self._window, key=lambda each: each.slot)
            del self._tickets[:old]
            ticket = _Ticket(self._slot(self._earliest(now), len(self._tickets)))
            self._tickets.append(ticket)
            self._waiting += 1
            return ticket, ticket.slot - now

    def _slot(self, earliest: float, place: int) -> float:
        """Return the slot of a ticket: not before the last one's, and in no window that is full."""
        if place:
            earliest = max(earliest, self._tickets[place - 1].slot)
        if place >= self._most:
            earliest = max(earliest, self._tickets[int(place - self._most)].slot + self._window)
        return earliest

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

    def _postpone(self, now: float, *, inserted: bool = False) -> None:
        """Move the slots of those that wait, in their order, to where they may be sent now.

        Args:
            now: The time.
            inserted: Whether a ticket has come between theirs.
        """
        first, waiting = len(self._tickets), self._waiting
        while waiting:
            first -= 1
            waiting -= not self._tickets[first].is_sent
        earliest = self._earliest(now)
        if not inserted and (not self._waiting or earliest <= self._tickets[first].slot):
            return
        for place, ticket in enumerate(self._tickets[first:], first):
            if not ticket.is_sent:
                ticket.slot = max(ticket.slot, self._slot(earliest, place))


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
            async with self.wrapped.open(call.telling(self._retried)) as stream:
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
