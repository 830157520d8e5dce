"""What belongs to one run of an event loop: its HTTP clients and the limit on their use.

A connection never leaves the loop that made it. So each run opens its clients on first
use and closes them as the run ends: the event loop closes the async generators that it
has seen started, and the clients live inside one.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any, Protocol

import anyio
from anyio import CapacityLimiter, current_time
from anyio.lowlevel import EventLoopToken, RunVar, RunvarToken, current_token
from attrs import define, field, frozen

from ..exceptions import UserError

__all__ = ("MAX_CONNECTIONS", "BoundClient", "Clients", "HTTPClient", "Lifetime", "current_clients")

MAX_CONNECTIONS = 100
"""Requests that are under way at once in a run, of all models that ask for this number."""

UNKNOWN_POOL = 10
"""The same for a client of the user's whose own limit cannot be read."""

EACH = 8
"""Requests that one client of ours is given at once."""

IDLE = 5.0
"""Seconds for which a client is kept that nobody needs. The next request closes it after
that, as httpx does with an idle connection."""

CLOSE = 1.0
"""Seconds that closing a client may take."""

_TRANSPORT = "direct_anyio._io.transport"


class HTTPClient(Protocol):
    """What is asked of an HTTP client; `httpx.AsyncClient` and `httpx2.AsyncClient` fit."""

    def build_request(self, *args: Any, **kwargs: Any) -> Any: ...
    async def send(self, request: Any, *, stream: bool = ...) -> Any: ...
    async def aclose(self) -> None: ...


@define(eq=False)
class _Share:
    """A client, how many requests it has, and since when it has had none."""

    client: HTTPClient
    busy: int = 0
    since: float = 0.0


@define(eq=False)
class Clients:
    """The HTTP clients of an event loop, and the line of the requests that want one.

    A client looks at all of its connections whenever a request begins or ends. With a
    hundred of them that takes longer than the request itself, so none of ours has more than
    a few.

    Attributes:
        make: Makes a client.
        limiter: Holds a place for each request that is under way.
        each: Requests that one client is given at once.
    """

    make: Callable[[], HTTPClient]
    limiter: CapacityLimiter
    each: float = EACH
    _shares: list[_Share] = field(factory=list, init=False)
    _is_closed: bool = field(default=False, init=False)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[HTTPClient]:
        """Lend the first client that has not enough to do, for one request.

        Raises:
            UserError: The connections were closed while the request was in line.
        """
        await self._shrink()
        if self._is_closed:
            raise UserError("The block of this model was left before the request was sent.")
        share = next((each for each in self._shares if each.busy < self.each), None)
        if share is None:
            share = _Share(self.make())
            self._shares.append(share)
        share.busy += 1
        try:
            yield share.client
        finally:
            share.busy -= 1
            share.since = current_time()

    async def _shrink(self) -> None:
        """Close the last client, where it is not the only one and nobody has needed it long."""
        if len(self._shares) < 2:
            return
        last = self._shares[-1]
        if not last.busy and current_time() - last.since > IDLE:
            await self._close(self._shares.pop())

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        while self._shares:
            await self._close(self._shares.pop())

    async def _close(self, share: _Share) -> None:
        # What does not close in good order is none of the next request's business.
        with anyio.move_on_after(CLOSE, shield=True), suppress(Exception):
            await share.client.aclose()


@frozen
class _Run:
    """The clients of one run, by the limit on their use, and the generator they live in."""

    clients: dict[float, Clients]
    life: AsyncGenerator[dict[float, Clients], None]


_current: RunVar[_Run] = RunVar("direct_anyio.run")


async def transport() -> Any:
    """Return the module that speaks HTTP; its import takes 0.1 s, so not on the loop."""
    # Not from `sys.modules`, where a module stands while it is still being imported.
    return _loaded or await anyio.to_thread.run_sync(_load)


_loaded: ModuleType | None = None


def _load() -> ModuleType:
    global _loaded
    module = import_module(_TRANSPORT)
    # A first client makes httpx import what it imports late, another 50 ms. One that cannot be
    # made is the business of who needs it.
    with suppress(UserError):
        module.new_client()
    _loaded = module
    return module


async def _life() -> AsyncGenerator[dict[float, Clients], None]:
    clients: dict[float, Clients] = {}
    try:
        yield clients
    finally:
        for each in clients.values():
            await each.aclose()


async def current_clients(most: float) -> Clients:
    """Return the clients of the current event loop that have at most `most` requests at once.

    They are made on first use, and shared by all who ask for the same number.
    """
    module = await transport()
    run = _current.get(None)
    if run is None:
        life = _life()
        run = _Run(await anext(life), life)
        _current.set(run)
    if most not in run.clients:
        run.clients[most] = Clients(module.new_client, CapacityLimiter(most))
    return run.clients[most]


@define(eq=False)
class _Entered:
    """Clients that last for a block, or for several inside each other."""

    clients: Clients
    count: int = 0
    token: RunvarToken[_Entered] | None = None


@define(eq=False)
class Lifetime:
    """The clients of a model whose lifetime is a block, counted for each event loop.

    Attributes:
        most: Requests at once.
    """

    most: float
    _entered: RunVar[_Entered] = field(factory=lambda: RunVar("direct_anyio.lifetime"), init=False)

    def of_run(self) -> Clients | None:
        """Return what was entered in the current event loop."""
        here = self._entered.get(None)
        return None if here is None else here.clients

    async def enter(self) -> None:
        """Begin a block, or another one inside it."""
        module = await transport()
        here = self._entered.get(None)
        if here is None:
            here = _Entered(Clients(module.new_client, CapacityLimiter(self.most)))
            here.token = self._entered.set(here)
        here.count += 1

    async def leave(self) -> None:
        """End a block; with the outermost the connections are closed."""
        here = self._entered.get()
        here.count -= 1
        if not here.count:
            assert here.token is not None
            self._entered.reset(here.token)
            await here.clients.aclose()


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
        most: Requests at once; its own pool may allow fewer.
    """

    client: HTTPClient = field(validator=_sends_async)
    most: float
    _loop: EventLoopToken | None = field(default=None, init=False)
    _clients: Clients | None = field(default=None, init=False)

    @property
    def offline(self) -> bool:
        """Whether the client reaches nobody, as one that replays, so that it is never forbidden."""
        return bool(getattr(self.client, "offline", False))

    def enter(self) -> Clients:
        """Return the client for use in the current event loop.

        Raises:
            UserError: It was used in another loop before, or it is closed.
        """
        if getattr(self.client, "is_closed", False):
            raise UserError("The `http_client` of this model is closed: pass an open one.")
        if getattr(self.client, "any_loop", False):
            # It has no connections of its own, so nobody need wait for one.
            return self._lending(math.inf)
        loop = current_token()
        if self._clients is None or self._loop is None:
            self._loop, self._clients = loop, self._lending(min(self.most, _pool_size(self.client)))
        if self._loop != loop:
            raise UserError(
                "The `http_client` of this model belongs to another event loop: make one in "
                "each loop, or pass none, and each loop gets its own."
            )
        return self._clients

    def _lending(self, most: float) -> Clients:
        return Clients(lambda: self.client, CapacityLimiter(most), math.inf)


def _pool_size(client: HTTPClient) -> int:
    """Return how many requests the pool of a client of the user's takes at once."""
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    return int(getattr(pool, "_max_connections", UNKNOWN_POOL))
