"""Sends a prepared request, in as many attempts as it takes to get its first content."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import anyio
from anyio.abc import TaskGroup
from attrs import define, field, frozen

from .._core.failures import retry_after
from .._core.secrets import Secrets
from .._io.deadlines import Limits, Total, within_total
from .._io.environment import proxy_secrets
from .._io.retry import MAX_RETRIES, delay_before, most_retries, retry_reason
from .._io.run import import_transport
from .._record import Record
from ..exceptions import (
    ModelAPIError,
    ModelHTTPError,
    ModelTimeoutError,
    printable,
)
from ..messages import now
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from .keys import RequestKeys
from .opening import PreparedRequest, Target, open_response

if TYPE_CHECKING:
    from .._io.transport import Exchange, Request

__all__ = ("RequestAttempts", "Retry")

logger: logging.Logger = logging.getLogger("direct_anyio")
"""Logs each request as it is over, at DEBUG, and each retry, at INFO; without keys."""

_REQUEST_IDS = ("request-id", "x-request-id")


@frozen(repr=False)
class Retry(Record):
    """A retry that is about to happen, as the setting `on_retry` is given it.

    Attributes:
        error: What the last attempt failed of.
        attempt: How many attempts have failed.
        delay: Seconds until the next; 0 where it has another key.
    """

    error: ModelAPIError
    attempt: int
    delay: float


@define(eq=False)
class RequestAttempts:
    """The attempts of one request, and what they have in common.

    Attributes:
        target: Where the request is sent.
        settings: How it should answer.
        limits: How long each step may take.
    """

    target: Target
    settings: ModelSettings
    limits: Limits
    _begun: float = field(init=False)
    _total: Total = field(init=False)
    _keys: RequestKeys = field(init=False)
    _secrets: Secrets = field(init=False, factory=Secrets)
    _failed: list[str] = field(init=False, factory=list)
    _replaced: int = field(init=False, default=0)
    _last: ModelAPIError | None = field(init=False, default=None)
    _price: int = field(init=False, default=1)
    _may_retry: bool = field(init=False, default=True)

    def __attrs_post_init__(self) -> None:
        self._begun = time.perf_counter()
        self._total = Total(anyio.current_time() + self.limits.total)
        self._keys = RequestKeys(self.target.keys, partial(self.before, "the API key's function"))

    async def open(self, group: TaskGroup, prepared: PreparedRequest) -> StreamedResponse:
        """Send the request and wait for its first content, in as many attempts as it takes.

        Raises:
            ModelAPIError: There is none.
        """
        transport = await import_transport()
        self._secrets.learn(prepared.headers | dict(parse_qsl(urlsplit(prepared.url).query)))
        while True:
            try:
                response = await self._attempt(group, transport, prepared)
            except ModelAPIError as error:
                if isinstance(error, ModelTimeoutError):
                    error.__cause__ = error.__cause__ or self._last
                await self._back_off(error)
                if self.target.moved is not None:
                    with self.before("a local server"):
                        prepared = await self.target.moved(prepared)
            else:
                self.target.budget.refund(self._price)
                if self._failed:
                    response._note(attempts=list(self._failed))
                return response

    @contextmanager
    def before(self, awaited: str) -> Iterator[None]:
        """Hold what comes before an attempt to the limit on all of the request."""
        try:
            with within_total(self.target.model_name, self.limits, self._total, awaited):
                yield
        except ModelAPIError as error:
            error.__cause__ = error.__cause__ or self._last
            self._describe(error, {})
            raise

    async def _back_off(self, error: ModelAPIError) -> None:
        """Wait before the next attempt; one with another key follows at once.

        Raises:
            ModelAPIError: The very error, where there is to be no other attempt.
        """
        self._last = error
        self._failed.append(f"{type(error).__name__}: {error}")
        if await self._keys.replaces(error):
            self._replaced += 1
            delay = 0.0
        else:
            delay = self._delay(error)
        on_retry = self.settings.get("on_retry")
        if on_retry is not None:
            on_retry(Retry(error, len(self._failed), delay))
        logger.info(
            "%r: attempt %d failed, and the next follows in %.1f s: %s",
            self.target.model,
            len(self._failed),
            delay,
            self._failed[-1],
        )
        await anyio.sleep(delay)

    def log(self, response: StreamedResponse | None, exc: BaseException | None) -> None:
        """Log how the request ended, at DEBUG.

        Args:
            response: Its stream, None where it never opened.
            exc: What it or its reader failed of.
        """
        if not logger.isEnabledFor(logging.DEBUG):
            return
        seconds = time.perf_counter() - self._begun
        if response is not None and response.state != "incomplete":
            how = f"{response.state}, finish reason {response.finish_reason}, {response.usage()}"
        else:
            exc = (response and response._failure) or exc
            text = f": {exc}" if isinstance(exc, ModelAPIError) else ""
            how = f"no answer, {type(exc).__name__}{text}"
        attempts = len(self._failed) + (response is not None)
        logger.debug("%r: %.3f s, attempts %d, %s", self.target.model, seconds, attempts, how)

    def _delay(self, error: ModelAPIError) -> float:
        """Return the seconds before the next attempt, and take its price from the budget.

        Raises:
            ModelAPIError: The very error, where there is to be no other attempt.
        """
        reason = retry_reason(error, ambiguous=self.settings.get("retry_ambiguous", False))
        reason, asked = self._keys.wait(error, reason)
        attempt = len(self._failed) - self._replaced
        most = most_retries(error, self.settings.get("max_retries", MAX_RETRIES))
        if reason is None or not self._may_retry or attempt > most:
            raise error
        delay = delay_before(attempt, reason, asked)
        if delay is None or anyio.current_time() + delay >= self._total.at:
            raise error
        price = self.target.budget.take(reason)
        if price is None:
            error.add_note("It was not tried again: too many requests to this host fail.")
            raise error
        self._price = price
        return delay

    async def _attempt(
        self, group: TaskGroup, transport: Any, prepared: PreparedRequest
    ) -> StreamedResponse:
        clients = await self.target.clients()

        async def key_headers() -> dict[str, str]:
            headers = self.target.key_headers(await self._keys.next())
            self._secrets.learn(headers)
            return headers

        request: Request = transport.Request(
            self.target.model_name,
            "GET" if prepared.body is None else "POST",
            prepared.url,
            prepared.headers,
            prepared.body,
            late_headers=key_headers,
        )
        try:
            exchange: Exchange = await transport.open_exchange(
                group, request, clients, self.limits, self._total
            )
        except ModelAPIError as exc:
            self._describe(exc, {})
            raise
        describe = partial(self._describe, headers=exchange.headers)
        try:
            return await open_response(exchange, self.target, prepared, describe)
        except BaseException as exc:
            await exchange.aclose(drain=False)
            if isinstance(exc, ModelAPIError):
                describe(exc)
            raise

    def _describe(self, error: ModelAPIError, headers: Mapping[str, str]) -> None:
        error.model_name = error.model_name or self.target.model_name
        error.provider = self.target.system
        error.phase = error.phase or "body"
        error.attempts = tuple(self._failed)
        named = (headers[name] for name in _REQUEST_IDS if name in headers)
        error.request_id = next((printable(id, 200) for id in named), None)
        if isinstance(error, ModelHTTPError):
            asked = retry_after(headers, now())
            error.retry_after = error.retry_after if asked is None else asked
        self._may_retry = headers.get("x-should-retry", "").lower() != "false"
        # Some providers, and more gateways, say what they were sent.
        self._secrets.learn(proxy_secrets())
        self._secrets.scrub(error)
