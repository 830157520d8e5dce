"""Follows a request through httpcore, which tells of each step that it begins and ends.

So a limit holds for a phase, a step that must not be cut short is shielded, and what
httpcore would forget is known. httpx and httpx2 pass the trace on; a transport of
another kind, such as a mock, tells of nothing.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from anyio import CancelScope, current_time
from anyio.lowlevel import checkpoint_if_cancelled
from attrs import define, field, frozen

from ..exceptions import Phase
from .http2 import Multiplexed, multiplexed
from .run import HTTPClient

__all__ = ("Trace",)

_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence before the first probe, seconds between two, and probes in vain after
which a connection is dead: two minutes in all."""


@frozen
class _Step:
    """What the beginning or the end of a step means.

    Attributes:
        phase: The phase that begins with it.
        makes: Whether it has made a connection.
        forgets: Whether httpcore forgets a connection that is cancelled from here to the next
            step, which then keeps its place in the pool for ever. There is nothing to wait
            for meanwhile, so no limit need pass.
        breaks: Whether a cancellation would break the connection for others: where a part of
            a head of HTTP/2 is lost, none after it can be read.
    """

    phase: Phase | None = None
    makes: bool = False
    forgets: bool = False
    breaks: bool = False


_STEPS = {
    "connection.connect_tcp.started": _Step(phase="connect"),
    "connection.connect_tcp.complete": _Step(makes=True, forgets=True),
    "connection.connect_unix_socket.started": _Step(phase="connect"),
    "connection.connect_unix_socket.complete": _Step(makes=True, forgets=True),
    "connection.start_tls.complete": _Step(forgets=True),
    "socks.connect_tcp.started": _Step(phase="connect"),
    "socks.connect_tcp.complete": _Step(makes=True, forgets=True),
    "socks.start_tls.complete": _Step(forgets=True),
    "proxy.start_tls.started": _Step(phase="connect"),
    "proxy.start_tls.complete": _Step(forgets=True),
    "http11.send_request_headers.started": _Step(phase="write"),
    "http11.receive_response_headers.started": _Step(phase="headers"),
    "http2.send_connection_init.complete": _Step(breaks=True),
    "http2.send_request_headers.started": _Step(phase="write", breaks=True),
    "http2.receive_response_headers.started": _Step(phase="headers"),
}
"""By the names that httpcore gives them."""


@define(eq=False)
class Trace:
    """Where a request is.

    Attributes:
        client: Who sends it.
        enter: Called with each phase as it begins.
        limiting: Cancels what is being waited for.
        has_events: Whether httpcore has traced anything.
        made: The connection that was made for the request, None for a kept one.
        via: The host that was connected to, which may be a proxy.
        head_is_out: Whether the head of the request was sent.
        shared: The request's stream of a connection of HTTP/2.
        head: The status and the headers of the answer, once they are there.
    """

    client: HTTPClient
    enter: Callable[[Phase], None]
    limiting: CancelScope
    has_events: bool = field(default=False, init=False)
    made: Any = field(default=None, init=False)
    via: str | None = field(default=None, init=False)
    head_is_out: bool = field(default=False, init=False)
    shared: Multiplexed | None = field(default=None, init=False)
    head: tuple[int, dict[str, str]] | None = field(default=None, init=False)
    _limit: float = field(default=math.inf, init=False)

    async def __call__(self, name: str, info: dict[str, Any]) -> None:
        """Take note of a step."""
        self.has_events = True
        step = _STEPS.get(name, _Step())
        self.via = info.get("host", self.via)
        if step.makes:
            self.made = info["return_value"]
            # Have the system probe a silent connection, so that no router forgets it.
            with suppress(AttributeError, OSError):  # a stream of another kind
                connected = self.made.get_extra_info("socket")
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in _PROBES.items():
                    if hasattr(socket, option):
                        connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        # A cancellation is kept out of a step that must not be cut short.
        limiting = self.limiting
        if step.forgets:
            # Here httpcore still forgets it cleanly. A shield does not hold off the scope's
            # own deadline.
            await checkpoint_if_cancelled()
            self._limit, limiting.deadline = limiting.deadline, math.inf
        else:
            limiting.deadline = min(limiting.deadline, self._limit)
            self._limit = math.inf
        limiting.shield = step.forgets or step.breaks
        # A request to a proxy is a part of connecting.
        if getattr(info.get("request"), "method", None) == b"CONNECT":
            return
        if step.phase is not None:
            self.enter(step.phase)
        # The end of a step does not tell whose it was: a proxy's head was not ours.
        self.head_is_out &= step.phase != "write"
        if name == "http2.send_request_headers.started":
            self.shared = multiplexed(self.client, info)
        self.head_is_out |= name.endswith("send_request_headers.complete")
        if name.endswith("receive_response_headers.complete"):
            # The status and the headers, in either version of HTTP.
            returned = info["return_value"]
            status = next(each for each in returned if isinstance(each, int))
            fields = next(each for each in returned if isinstance(each, list))
            names = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
            self.head = status, {name.lower(): value for name, value in names}

    async def abandon(self, seconds: float, *, connecting: bool) -> None:
        """End what httpcore drops without closing, in so many seconds.

        Args:
            seconds: How long that may take.
            connecting: Whether the connection is still being made.
        """
        if connecting and self.made is not None:
            with CancelScope(shield=True, deadline=current_time() + seconds):
                await self.made.aclose()
        if self.shared is not None:
            await self.shared.reset(seconds)
