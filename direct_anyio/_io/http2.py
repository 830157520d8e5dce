"""Resets a stream of HTTP/2, which httpcore drops without a reset.

Where the reader of a response leaves, httpcore closes a connection of HTTP/1.1, but says
nothing to a peer of HTTP/2: the provider goes on generating, and what it sends takes up
the window that all streams of the connection share. Only httpcore's own state knows the
stream; where it is not found, as behind a mock, nothing is done.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from anyio import CancelScope, current_time
from attrs import frozen

__all__ = ("Multiplexed", "multiplexed")

CANCEL = 8
"""The error code of a stream that is no longer needed (RFC 9113, 7)."""


@frozen
class Multiplexed:
    """One stream among those of a connection.

    Attributes:
        connection: httpcore's connection.
        request: httpcore's request.
        number: The stream's.
    """

    connection: Any
    request: Any
    number: int

    async def reset(self, seconds: float) -> None:
        """Send RST_STREAM, and give up after so many seconds."""
        if self.connection._connection_error:
            return
        # It raises where the stream is over already.
        with suppress(Exception):
            for event in self.connection._events.get(self.number, ()):
                unread = getattr(event, "flow_controlled_length", 0)
                self.connection._h2_state.acknowledge_received_data(unread, self.number)
            self.connection._h2_state.reset_stream(self.number, CANCEL)
            with CancelScope(shield=True, deadline=current_time() + seconds) as scope:
                await self.connection._write_outgoing_data(self.request)
            # Half a frame may have been sent.
            self.connection._connection_error |= scope.cancelled_caught

    def retire(self) -> None:
        """Have no other request put on the connection, and close it behind those under way.

        A connection whose peer is gone without a word takes all that is written to it.
        """
        # As where a connection has used up the numbers that streams can have.
        self.connection._used_all_stream_ids = True


def multiplexed(client: Any, info: dict[str, Any]) -> Multiplexed | None:
    """Return the stream that a trace of httpcore's tells of, None where it is not found."""
    mounted = getattr(client, "_mounts", {}).values()
    pools = [getattr(each, "_pool", None) for each in (client._transport, *mounted)]
    for pool in filter(None, pools):
        for each in pool._requests:
            if each.request is info["request"]:
                return Multiplexed(each.connection._connection, each.request, info["stream_id"])
    return None
