"""How long each step of a request may take, in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from anyio import CancelScope
from attrs import define, evolve, frozen

from ..exceptions import ModelTimeoutError, Phase, UserError, shown
from ..settings import ModelSettings, TimeoutLike

__all__ = ("Limits", "Total", "limits_of", "timed_out", "within_total")

Seconds: TypeAlias = float

FOREVER = 1e15
"""Seconds that are taken for no limit."""


@frozen(kw_only=True)
class Limits:
    """Seconds for each step; infinity for no limit.

    Attributes:
        pool: Waiting in the request queue for one of our connections to be free. It has no
            limit unless the user sets one, and no other limit passes meanwhile.
        connect: Name look-up, TCP and TLS together.
        write: Sending a piece of the request, 64 KiB at most.
        headers: From the request sent to the head of the response.
        first_event: From the head to the first item of content.
        idle: Between two reads of the body.
        progress: Waiting for an event, while nothing but pings and the like arrives.
        tail: From the answer's last word to the end of the body: usage and the like.
        error_body: Reading the body of an error.
        drain: Reading on after the end, so that the connection can be used again.
        close: Closing.
        total: All of it, with the reader's own time; what has arrived is still delivered.
    """

    pool: Seconds = math.inf
    connect: Seconds = 10
    write: Seconds = 60
    headers: Seconds = 120
    first_event: Seconds = 300
    idle: Seconds = 300
    progress: Seconds = 600
    tail: Seconds = 5
    error_body: Seconds = 2
    drain: Seconds = 0.25
    close: Seconds = 1
    total: Seconds = 3600


@define
class Total:
    """When all of a request must be over; its time in the request queue does not count.

    Attributes:
        at: On the clock of the event loop.
    """

    at: float


STREAMED = Limits()
UNARY = Limits(headers=600, first_event=600, total=600)


def limits_of(settings: ModelSettings, *, stream: bool) -> Limits:
    """Return the limits that the settings ask for.

    `timeout` sets the steps of one attempt, never `total`; `request_timeout` sets that.

    Raises:
        UserError: A timeout is not a number above zero.
    """
    timeout: Any = settings.get("timeout")
    asked: dict[str, Seconds] = {}
    if isinstance(timeout, TimeoutLike):
        for step in ("pool", "connect", "write"):
            asked[step] = _seconds(f"timeout.{step}", getattr(timeout, step))
        read = _seconds("timeout.read", timeout.read)
        asked |= dict.fromkeys(("headers", "first_event", "idle"), read)
    elif timeout is not None:
        steps = ("connect", "write", "headers", "first_event", "idle")
        asked = dict.fromkeys(steps, _seconds("timeout", timeout))
    for key, limit in (("first_event_timeout", "first_event"), ("request_timeout", "total")):
        if key in settings:
            asked[limit] = _seconds(key, settings[key])  # type: ignore[literal-required]
    return evolve(STREAMED if stream else UNARY, **asked)


def _seconds(name: str, value: Any) -> Seconds:
    if value is None:
        return math.inf
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        # There are whole numbers that no clock can add.
        return value if value < FOREVER else math.inf
    raise UserError(f"The setting {name!r} takes seconds above 0, not {shown(value)}")


_ABOUT = {
    "pool": ("waiting in the request queue", "`timeout`, an httpx.Timeout"),
    "connect": ("connecting", "`timeout`"),
    "write": ("sending a part of the request", "`timeout`"),
    "headers": ("the wait for the head of the response", "`timeout`"),
    "first_event": ("the wait for the first content", "`first_event_timeout` or `timeout`"),
    "idle": ("the wait for more of the response", "`timeout`"),
    "total": ("the whole request", "`request_timeout`"),
}
"""What each limit is on, and the setting that changes it; the others have none."""


def timed_out(
    model_name: str, limit: str, seconds: Seconds, phase: Phase, awaited: str
) -> ModelTimeoutError:
    """Return the error for a limit that passed; it names the setting that changes the limit.

    Args:
        model_name: The model that was asked.
        limit: Name of the limit.
        seconds: How long it is.
        phase: What was being waited for.
        awaited: Who was.
    """
    what, setting = _ABOUT.get(limit, ("the wait for an event", ""))
    changed = f"; the setting {setting} changes this limit" if setting else ""
    error = ModelTimeoutError(
        model_name,
        f"Timed out waiting for {awaited}: {what} took more than {seconds:g} s{changed}.",
    )
    error.limit, error.phase = limit, phase
    return error


@contextmanager
def within_total(model_name: str, limits: Limits, total: Total, awaited: str) -> Iterator[None]:
    """Hold a block, in which the model is not asked yet, to the limit on all of a request.

    Raises:
        ModelTimeoutError: It passed.
    """
    with CancelScope(deadline=total.at) as scope:
        yield
    if scope.cancelled_caught:
        raise timed_out(model_name, "total", limits.total, "connect", awaited)
