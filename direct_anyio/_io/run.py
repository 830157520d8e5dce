"""What belongs to one run of an event loop: its HTTP clients and the limits on their use.

A connection never leaves the loop that made it. So each run opens its clients on first
use and closes them as the run ends: the event loop closes the async generators that it
has seen started, and one of them knows the clients. Nothing outside of the loop refers to
them, so a loop that ends in any other way is collected with all that was opened in it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import ReferenceType, WeakKeyDictionary, WeakValueDictionary, ref

import anyio
from anyio import CapacityLimiter, current_time
from anyio.lowlevel import RunVar, RunvarToken, current_token
from attrs import define, field

from ..exceptions import UserError
from .greenlets import trio_kept_out
from .offload import run_in_thread
from .tasks import start_later

__all__ = (
    "MAX_CONNECTIONS",
    "BoundClient",
    "Clients",
    "HTTPClient",
    "Lifetime",
    "LoopFreeClient",
    "current_clients",
    "in_this_run",
    "import_transport",
)

ValueT = TypeVar("ValueT")

MAX_CONNECTIONS = 100
"""Requests that are under way at once in a run, for each host and each key."""

UNKNOWN_POOL_SIZE = 10
"""The same for a client of the user's whose own limit cannot be read."""

IDLE_SECONDS = 5.0
"""Seconds after its last request at which a connection is closed."""

CLOSE_SECONDS = 1.0
"""Seconds that closing a client may take."""

_TRANSPORT = "direct_anyio._io.transport"


_of_objects: RunVar[WeakKeyDictionary[Any, Any]] = RunVar("direct_anyio-of-objects")


def in_this_run(owner: object, make: Callable[[], ValueT]) -> ValueT:
    """Return an object's value for the current run of an event loop, made at the first call.

    Args:
        owner: The object; the value is dropped with it.
        make: Makes the value.
    """
    values = _of_objects.get(None)
    if values is None:
        _of_objects.set(values := WeakKeyDictionary())
    if owner not in values:
        values[owner] = make()
    value: ValueT = values[owner]
    return value


class HTTPClient(Protocol):
    """What is asked of an HTTP client; `httpx.AsyncClient` and `httpx2.AsyncClient` fit."""

    def build_request(self, *args: Any, **kwargs: Any) -> Any: ...
    async def send(
        self, request: Any, *, stream: bool = ..., follow_redirects: bool = ...
    ) -> Any: ...
    async def aclose(self) -> None: ...


class LoopFreeClient:
    """An HTTP client that need not belong to one event loop, such as one that replays.

    Attributes:
        any_loop: Whether every event loop may use it.
        offline: Whether it sends nothing, so that it may be used where real requests are
            forbidden.
    """

    any_loop: bool = False
    offline: bool = False


@define(eq=False)
class _Free:
    """A client that has no request, and since when."""

    client: HTTPClient
    since: float


@define(eq=False)
class Clients:
    """The HTTP clients for one host and key in an event loop, and the queue for them.

    A client of ours has one request at a time, so it is one connection: httpx looks at all
    connections of a client whenever a request begins or ends. The one that was used last is
    used first, and one that is not used again is closed by a timer.

    Attributes:
        limiter: Holds a place for each request that is under way; first come, first served.
        make: Makes a client.
        shared: A client of the user's, which takes all requests; then none is made.
    """

    limiter: CapacityLimiter
    make: Callable[[], HTTPClient]
    shared: HTTPClient | None = None
    _free: list[_Free] = field(factory=list, init=False)
    _busy: set[HTTPClient] = field(factory=set, init=False)
    _life: AsyncGenerator[None, None] | None = field(default=None, init=False)
    _is_watched: bool = field(default=False, init=False)
    _is_closed: bool = field(default=False, init=False)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[HTTPClient]:
        """Hold a client for one request.

        Raises:
            UserError: The connections were closed while the request was waiting.
        """
        if self._is_closed:
            raise UserError("The block of this model was left before the request was sent.")
        if self.shared is not None:
            yield self.shared
            return
        if self._life is None:
            self._life = self._until_the_run_ends()
            await anext(self._life)
        client = self._free.pop().client if self._free else self.make()
        self._busy.add(client)
        try:
            yield client
        finally:
            self._busy.discard(client)
            if not self._is_closed:
                self._free.append(_Free(client, current_time()))
                self._watch()

    def _watch(self) -> None:
        """Have the first client that is not used again closed in time.

        Until then the timer is what keeps this object alive.
        """
        if self._free and not self._is_watched:
            self._is_watched = True
            start_later(self._free[0].since + IDLE_SECONDS - current_time(), self._close_idle)

    async def _close_idle(self) -> None:
        self._is_watched = False
        while self._free and self._free[0].since + IDLE_SECONDS <= current_time():
            await _close(self._free.pop(0).client)
        self._watch()
        if not self._free and not self._busy and self._life is not None:
            life, self._life = self._life, None
            await life.aclose()

    async def _until_the_run_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._is_closed |= self._life is not None
            while self._free:
                await _close(self._free.pop().client)
            while self._busy:
                await _close(self._busy.pop())

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        if self._life is None:
            return
        life, self._life = self._life, None
        await life.aclose()


async def _close(client: HTTPClient) -> None:
    # An error of closing must not reach the next request.
    with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
        await client.aclose()


_clients_of_run: RunVar[WeakValueDictionary[Hashable, Clients]] = RunVar("direct_anyio.lines")
"""The clients of a run by host, key and limit, for as long as a request or a timer needs them."""


async def import_transport() -> Any:
    """Return the module that speaks HTTP; its import takes 0.1 s, so not on the loop."""
    # Not from `sys.modules`, where a module stands while it is still being imported.
    return _loaded or await run_in_thread(_load)


_loaded: ModuleType | None = None


def _load() -> ModuleType:
    global _loaded
    with trio_kept_out():
        module = import_module(_TRANSPORT)
        # A first client makes httpx import what it imports late, another 50 ms. One that cannot
        # be made is the business of who needs it.
        with suppress(UserError):
            module.new_client("")
    _loaded = module
    return module


async def current_clients(address: str, keys: Hashable, most: float) -> Clients:
    """Return the clients of the current event loop for one host and key.

    Args:
        address: The host, with its port.
        keys: The keys whose requests share a queue.
        most: How many of their requests are under way at once.
    """
    make = await _maker(address)
    by_account = _clients_of_run.get(None)
    if by_account is None:
        by_account = WeakValueDictionary()
        _clients_of_run.set(by_account)
    clients = by_account.get((address, keys, most))
    if clients is None:
        clients = by_account[address, keys, most] = Clients(CapacityLimiter(most), make)
    return clients


async def _maker(address: str) -> Callable[[], HTTPClient]:
    transport = await import_transport()
    return partial(transport.new_client, urlsplit(f"//{address}").hostname or "")


@define(eq=False)
class _Block:
    """The clients that last for a block, or for several inside each other."""

    clients: dict[Hashable, Clients] = field(factory=dict)
    count: int = 0
    token: RunvarToken[_Block] | None = None


@define(eq=False)
class Lifetime:
    """The clients of a model whose lifetime is a block, counted for each event loop."""

    _entered: RunVar[_Block] = field(factory=lambda: RunVar("direct_anyio.lifetime"), init=False)

    async def clients(self, address: str, keys: Hashable, most: float) -> Clients:
        """Return the clients for one host and key: the block's, else the event loop's.

        Takes what `current_clients` does.
        """
        block = self._entered.get(None)
        if block is None:
            return await current_clients(address, keys, most)
        account = address, keys
        if account not in block.clients:
            make = await _maker(address)
            block.clients.setdefault(account, Clients(CapacityLimiter(most), make))
        return block.clients[account]

    async def enter(self) -> None:
        """Begin a block, or another one inside it."""
        block = self._entered.get(None)
        if block is None:
            block = _Block()
            block.token = self._entered.set(block)
        block.count += 1

    async def leave(self) -> None:
        """End a block; with the outermost the connections are closed."""
        block = self._entered.get()
        block.count -= 1
        if not block.count:
            assert block.token is not None
            self._entered.reset(block.token)
            for clients in block.clients.values():
                await clients.aclose()


@define(eq=False)
class BoundClient:
    """A client of the user's, which stays with the event loop of its first use.

    Attributes:
        client: The client, which the user closes.
        most: Requests at once; its own pool may allow fewer.
    """

    client: HTTPClient
    most: float
    _loop: ReferenceType[Any] | None = field(default=None, init=False)
    _clients: Clients | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if not iscoroutinefunction(getattr(self.client, "send", None)):
            raise UserError(
                "`http_client` is an httpx.AsyncClient or an httpx2.AsyncClient, not "
                f"{self.client!r:.80}"
            )

    @property
    def offline(self) -> bool:
        """Whether the client only replays; then requests are never refused."""
        return isinstance(self.client, LoopFreeClient) and self.client.offline

    def enter(self) -> Clients:
        """Return the client for use in the current event loop.

        Raises:
            UserError: It was used in another loop before, or it is closed.
        """
        if getattr(self.client, "is_closed", False):
            raise UserError("The `http_client` of this model is closed: pass an open one.")
        if isinstance(self.client, LoopFreeClient) and self.client.any_loop:
            # It has no connections, so there is nothing to wait for.
            return self._shared(math.inf)
        loop = ref(current_token().native_token)
        if self._clients is None:
            pool = getattr(getattr(self.client, "_transport", None), "_pool", None)
            most = int(getattr(pool, "_max_connections", UNKNOWN_POOL_SIZE))
            self._loop, self._clients = loop, self._shared(min(self.most, most))
        if self._loop != loop:
            raise UserError(
                "The `http_client` of this model belongs to another event loop: make one in "
                "each loop, or pass none, and each loop gets its own."
            )
        return self._clients

    def _shared(self, most: float) -> Clients:
        return Clients(CapacityLimiter(most), lambda: self.client, self.client)
