"""At most so many requests at once, of one model or of several that share a limiter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from anyio import CapacityLimiter

from .._io.queueing import queued
from .._io.run import in_this_run
from .._io.tasks import held_open
from ..exceptions import ConcurrencyLimitExceeded, UserError
from ..streaming import StreamedResponse
from .base import Model, ModelCall
from .inference import KnownModelName, infer_model
from .wrapper import WrapperModel

__all__ = ("ConcurrencyLimitedModel", "ConcurrencyLimiter", "limit_model_concurrency")


class ConcurrencyLimiter:
    """Lets so many requests run at once, and so many wait, first come first served.

    It counts for each event loop by itself; blocking code shares one loop.

    Args:
        max_running: Requests under way at once.
        max_queued: Requests that may wait; None for any number.
        name: For errors.

    Raises:
        UserError: `max_running` is below 1, or `max_queued` below 0.
    """

    def __init__(
        self, max_running: int, *, max_queued: int | None = None, name: str | None = None
    ) -> None:
        if max_running < 1:
            raise UserError(f"`max_running` is at least 1, not {max_running}")
        if max_queued is not None and max_queued < 0:
            raise UserError(f"`max_queued` is at least 0, or None for any number, not {max_queued}")
        self.max_running = max_running
        self.max_queued = max_queued
        self.name = name

    @held_open
    async def slot(self) -> AsyncIterator[None]:
        """Hold a place while the block runs.

        Raises:
            ConcurrencyLimitExceeded: Too many are waiting already.
        """
        limiter = self._here()
        # A borrower of its own: the slot of a stream may be left by another task.
        borrower = object()
        waiting = limiter.statistics().tasks_waiting
        is_full = limiter.available_tokens <= 0 and self.max_queued is not None
        if is_full and waiting >= (self.max_queued or 0):
            raise ConcurrencyLimitExceeded(
                f"The concurrency limit {self.name or ''} has {self.max_running} requests running "
                f"and {waiting} waiting; raise `max_queued`, or send fewer at once."
            )
        with queued(self.name or "concurrency"):
            await limiter.acquire_on_behalf_of(borrower)
        try:
            yield
        finally:
            limiter.release_on_behalf_of(borrower)

    @property
    def running(self) -> int:
        """Requests under way in this event loop."""
        return self._here().statistics().borrowed_tokens

    @property
    def queued(self) -> int:
        """Requests waiting in this event loop."""
        return self._here().statistics().tasks_waiting

    def _here(self) -> CapacityLimiter:
        return in_this_run(self, partial(CapacityLimiter, self.max_running))


class ConcurrencyLimitedModel(WrapperModel):
    """A model that is asked by so many at once; a stream holds its place to its end.

    Args:
        wrapped: The model, or its name.
        limiter: The limiter, shared or not; a number makes one.
    """

    def __init__(self, wrapped: Model | KnownModelName, limiter: ConcurrencyLimiter | int) -> None:
        super().__init__(wrapped)
        self.limiter: ConcurrencyLimiter = (
            ConcurrencyLimiter(limiter) if isinstance(limiter, int) else limiter
        )

    @held_open
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        """Ask the wrapped model when its turn has come."""
        async with self.limiter.slot(), self.wrapped.open(call) as stream:
            yield stream


def limit_model_concurrency(
    model: Model | KnownModelName, limiter: ConcurrencyLimiter | int | None
) -> Model:
    """Return `model` under a limiter, or as it is where that is None."""
    return infer_model(model) if limiter is None else ConcurrencyLimitedModel(model, limiter)
