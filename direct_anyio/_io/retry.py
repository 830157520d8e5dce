"""When a failed attempt is followed by another, and how long after.

Only what provably did no work is repeated, and never anything after content has been
delivered. A budget shared by all requests to a host keeps an outage from being answered
with a storm: its costs are those of the AWS SDKs' standard mode.
"""

from __future__ import annotations

import random
import re
from collections.abc import Hashable
from typing import Literal, TypeAlias

from attrs import define, field

from ..exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelTimeoutError,
    StreamInterrupted,
)
from .processes import ProcessLock

__all__ = ("Budget", "budget_of", "delay_before", "retry_reason", "most_retries")

RetryReason: TypeAlias = Literal["transient", "throttle"]

MAX_RETRIES = 2
"""Attempts after the first."""

MAX_RETRY_AFTER = 60.0
"""Seconds; a provider that asks for more is not waited for: the error says how long."""

MAX_BACKOFF = 8.0
"""Seconds."""

_BASE: dict[RetryReason, float] = {"transient": 0.5, "throttle": 1.0}
_COST: dict[RetryReason, int] = {"transient": 14, "throttle": 5}

_TRANSIENT = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_THROTTLE = frozenset({429, 529})

_ONCE = frozenset({409})
"""A conflict with another request is over by the next attempt, or is none that passes."""

_AMBIGUOUS = ("headers", "first_event")
"""Limits after which the provider may be at work already, and charge for it."""

# As OpenSSL, glibc, macOS and Windows say it. The text names the host as well, so no mark
# may be what a host might be called.
_LASTING = (
    "[ssl",
    "certificate verify failed",
    "name or service not known",
    "nodename nor servname",
    "getaddrinfo failed",
    "proxy authentication required",
)


def retry_reason(error: ModelAPIError, *, ambiguous: bool) -> RetryReason | None:
    """Return how an error is retried, None where it is not.

    Args:
        error: What an attempt failed of.
        ambiguous: Whether to repeat what may have been accepted, and charged, already.
    """
    if isinstance(error, ModelHTTPError):
        if isinstance(error, (ModelContextWindowExceededError, ModelQuotaExceededError)):
            return None
        throttled = error.status_code == 503 and error.retry_after is not None
        if error.status_code in _THROTTLE or throttled:
            return "throttle"
        return "transient" if error.status_code in _TRANSIENT else None
    if isinstance(error, ModelTimeoutError):
        repeats = error.limit == "connect" or (ambiguous and error.limit in _AMBIGUOUS)
        return "transient" if repeats else None
    if isinstance(error, StreamInterrupted) or not isinstance(error, ModelConnectionError):
        return None
    # A bad certificate or an unknown name is the same the next time.
    text = str(error).lower()
    is_lasting = any(mark in text for mark in _LASTING) or _REFUSED.search(text) is not None
    return None if error.phase == "connect" and is_lasting else "transient"


def most_retries(error: ModelAPIError, asked: int) -> int:
    """Return how often an error is retried at most, where the settings ask for `asked`."""
    is_once = isinstance(error, ModelHTTPError) and error.status_code in _ONCE
    return min(asked, 1) if is_once else asked


_REFUSED = re.compile(r"the proxy did not connect to \S+: (?:3\d\d|4(?!08|25|29)\d\d)\b")
"""A proxy's answer that will be the same the next time."""


def delay_before(attempt: int, reason: RetryReason, retry_after: float | None) -> float | None:
    """Return the seconds to wait before a retry, None where the wait would be too long.

    Args:
        attempt: How many attempts have failed.
        reason: How it is retried.
        retry_after: Seconds that the provider asks for.
    """
    if retry_after is None:
        # Full jitter: clients that failed together do not come back together.
        return random.uniform(0, min(MAX_BACKOFF, _BASE[reason] * 2 ** (attempt - 1)))
    if retry_after > MAX_RETRY_AFTER:
        return None
    return retry_after + random.uniform(0, min(1.0, retry_after / 10))


@define(eq=False)
class Budget:
    """Tokens that retries to one host with one key cost; refilled by successes."""

    capacity: int = 500
    _tokens: int = field(default=500, init=False)

    def take(self, reason: RetryReason) -> int | None:
        """Return the price of a retry, taken from the budget; None where it has too little."""
        price = _COST[reason]
        with _budgets_lock:
            if self._tokens < price:
                return None
            self._tokens -= price
        return price

    def refund(self, tokens: int) -> None:
        """Give back what the last retry cost, or 1 for a success at the first attempt."""
        with _budgets_lock:
            self._tokens = min(self.capacity, self._tokens + tokens)

    @property
    def is_full(self) -> bool:
        """Whether nothing is taken from it."""
        return self._tokens == self.capacity


_budgets: dict[Hashable, Budget] = {}
_budgets_lock = ProcessLock()
"""For the table and all of its budgets: it is held for a microsecond."""

MAX_BUDGETS = 1000
"""Budgets that are kept; the least recently used is evicted, of those that are full if any is."""


def budget_of(account: Hashable) -> Budget:
    """Return the budget of a host and key, shared by all loops and threads."""
    with _budgets_lock:
        if account in _budgets:
            budget = _budgets.pop(account)
        else:
            budget = Budget()
            if len(_budgets) >= MAX_BUDGETS:
                least = next((each for each in _budgets if _budgets[each].is_full), None)
                del _budgets[next(iter(_budgets)) if least is None else least]
        _budgets[account] = budget
        return budget
