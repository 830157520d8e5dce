"""What belongs to one run of an event loop: its HTTP client and the limit on its use.

A connection never leaves the loop that made it. So each run opens its client on first
use and closes it as the run ends: the event loop closes the async generators that it has
seen started, and the client lives inside one.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from importlib import import_module
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any, Protocol

import anyio
from anyio import CapacityLimiter
from anyio.lowlevel import EventLoopToken, RunVar, current_token
from attrs import define, field

from ..exceptions import UserError

__all__ = ("BoundClient", "HTTPClient", "Lifetime", "Run", "current_run")

MAX_CONNECTIONS = 100
"""Requests of one run that are under way at once; more wait in turn."""

UNKNOWN_POOL = 10
"""The same for a client of the user's whose own limit cannot be read."""

_TRANSPORT = "direct_anyio._io.transport"


class HTTPClient(Protocol):
    """What is asked of an HTTP client; `httpx.AsyncClient` and `httpx2.AsyncClient` fit."""

    def build_request(self, *args: Any, **kwargs: Any) -> Any: ...
    async def send(self, request: Any, *, stream: bool = ...) -> Any: ...
    async def aclose(self) -> None: ...


@define(eq=False)
class Run:
    """One run of an event loop.

    Attributes:
        client: Its HTTP client.
        limiter: Holds a place for each request that is under way.
        life: The generator that the client lives in.
    """

    client: HTTPClient
    life: AsyncGenerator[HTTPClient, None]
    limiter: CapacityLimiter = field(factory=lambda: CapacityLimiter(MAX_CONNECTIONS))


_current: RunVar[Run] = RunVar("direct_anyio.run")


async def transport() -> Any:
    """Return the module that speaks HTTP; its import takes 0.1 s, so not on the loop."""
    module = sys.modules.get(_TRANSPORT)
    if module is None:
        module = await anyio.to_thread.run_sync(_load)
    return module


def _load() -> ModuleType:
    module = import_module(_TRANSPORT)
    # A first client makes httpx import what it imports late, another 50 ms.
    module.new_client()
    return module


async def _life(client: HTTPClient) -> AsyncGenerator[HTTPClient, None]:
    try:
        yield client
    finally:
        await client.aclose()


async def current_run() -> Run:
    """Return the run of the current event loop, opened on first use."""
    module = await transport()
    run = _current.get(None)
    if run is None:
        life = _life(module.new_client())
        run = Run(await anext(life), life)
        _current.set(run)
    return run


@define(eq=False)
class _Entered:
    """A client that lasts for a block, or for several inside each other."""

    client: HTTPClient
    limiter: CapacityLimiter = field(factory=lambda: CapacityLimiter(MAX_CONNECTIONS))
    count: int = 0


class Lifetime:
    """The client of a model whose lifetime is a block, counted for each event loop."""

    def __init__(self) -> None:
        self._entered: RunVar[_Entered | None] = RunVar("direct_anyio.lifetime")

    def of_run(self) -> _Entered | None:
        """Return what was entered in the current event loop."""
        return self._entered.get(None)

    async def enter(self) -> None:
        """Open a client, or count another block on the one that is open."""
        module = await transport()
        here = self.of_run()
        if here is None:
            here = _Entered(module.new_client())
            self._entered.set(here)
        here.count += 1

    async def leave(self) -> None:
        """Count a block less, and close the client behind the last."""
        here = self.of_run()
        assert here is not None
        here.count -= 1
        if not here.count:
            self._entered.set(None)
            await here.client.aclose()


def _sends_async(bound: object, attribute: object, client: HTTPClient) -> None:
    if not iscoroutinefunction(getattr(client, "send", None)):
        raise UserError(
            f"`http_client` is an httpx.AsyncClient or an httpx2.AsyncClient, not {client!r:.80}"
        )


@define(eq=False)
class BoundClient:
    """A client of the user's, which stays with the event loop of its first use.

    Attributes:
        client: The client; whoever made it closes it.
    """

    client: HTTPClient = field(validator=_sends_async)
    _loop: EventLoopToken | None = None
    _limiter: CapacityLimiter | None = None

    @property
    def offline(self) -> bool:
        """Whether the client reaches nobody, as one that replays, so that it is never forbidden."""
        return bool(getattr(self.client, "offline", False))

    def enter(self) -> tuple[HTTPClient, CapacityLimiter]:
        """Return the client and its limiter for use in the current event loop.

        Raises:
            UserError: It was used in another loop before, or it is closed.
        """
        if getattr(self.client, "is_closed", False):
            raise UserError("The `http_client` of this model is closed: pass an open one.")
        if getattr(self.client, "any_loop", False):
            # It has no connections of its own, so nobody need wait for one.
            return self.client, CapacityLimiter(MAX_CONNECTIONS)
        loop = current_token()
        if self._limiter is None or self._loop is None:
            self._loop, self._limiter = loop, CapacityLimiter(_pool_size(self.client))
        if self._loop != loop:
            raise UserError(
                "The `http_client` of this model belongs to another event loop: make one in "
                "each loop, or pass none, and each loop gets its own."
            )
        return self.client, self._limiter


def _pool_size(client: HTTPClient) -> int:
    """Return how many requests may be under way: ours or the client's limit, the smaller."""
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    size = getattr(pool, "_max_connections", UNKNOWN_POOL)
    return int(min(MAX_CONNECTIONS, size))
