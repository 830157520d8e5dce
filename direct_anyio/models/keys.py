"""The keys of a model: a text, a function that returns one, or several of either.

A function is asked for each attempt, so a token that expires is one line of the user's.
Several keys are used one at a time: the one in use stays in use until the provider limits
or refuses it, since what a provider has cached belongs to one account.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence, Set
from contextlib import AbstractContextManager
from inspect import isawaitable, iscoroutinefunction, signature
from time import monotonic
from typing import Any, Self, TypeAlias

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from attrs import define, field

from .._core.secrets import Hidden
from .._io.offload import run_in_thread
from .._io.retry import RetryReason
from ..exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    UserError,
)

__all__ = ("APIKey", "KeyFunction", "Keys", "RequestKeys")

KeyFunction: TypeAlias = Callable[[], str | Awaitable[str]]
"""A function without arguments that returns a key, sync or async.

A sync one runs in a worker thread, so it may block; an async one is awaited in the event
loop of the request.
"""

APIKey: TypeAlias = str | KeyFunction | Sequence[str | KeyFunction]
"""A key, a function that returns one, or several of either, of which one is used at a time."""

RATE_LIMIT_PAUSE = 10.0
"""Seconds for which a rate-limited key is not used where the provider does not say."""

REFUSED_PAUSE = 60.0
"""Seconds for which a key is not used that was refused, or has no quota left."""

MIN_KEY_LENGTH = 8
"""Characters of a real key; what is shorter, or has no digit, is a word in its place."""

MAX_THREADS = 40
"""Sync functions that run at once in an event loop. They have worker threads of their own:
those of anyio's default may all be waiting for requests."""

_OF_KEY = (ModelRateLimitError, ModelQuotaExceededError, ModelAuthenticationError)
"""What another key may mend."""

_limiter: RunVar[CapacityLimiter] = RunVar("direct_anyio.keys")


@define(eq=False, repr=False)
class _Key:
    """One key, and until when it is to be left alone.

    Attributes:
        source: The text, or the function.
        until: On the clock of `time.monotonic`, which all event loops share.
        is_stated: Whether the provider said when.
        is_refused: Whether it was refused, or has no quota left, and not rate-limited.
    """

    source: Hidden
    until: float = field(default=0.0, init=False)
    is_stated: bool = field(default=False, init=False)
    is_refused: bool = field(default=False, init=False)

    def rank(self, now: float, is_spent: bool) -> tuple[int, float]:
        """Return what orders keys: free ones first, refused ones last."""
        if self.until <= now:
            return 0, is_spent
        return (2 if self.is_refused else 1), self.until

    def leave_alone(self, error: ModelAPIError) -> None:
        self.is_refused = not isinstance(error, ModelRateLimitError)
        self.is_stated = error.retry_after is not None
        default = REFUSED_PAUSE if self.is_refused else RATE_LIMIT_PAUSE
        self.until = monotonic() + (default if error.retry_after is None else error.retry_after)

    async def ask(self, within: Callable[[], AbstractContextManager[None]]) -> Hidden:
        """Return the text of the key.

        Raises:
            UserError: The function returned something else than a key.
        """
        if isinstance(self.source.reveal(), str):
            return self.source
        with within():
            key = Hidden(await self._answer())
        return _checked(key, "returned")

    async def _answer(self) -> Any:
        """Return what the function returns."""
        source = self.source
        call = type(source.reveal()).__call__
        if iscoroutinefunction(source.reveal()) or iscoroutinefunction(call):
            return await source.reveal()()
        # In a list, since trio lets no worker thread return an awaitable.
        answer = await run_in_thread(
            lambda: [source.reveal()()], abandon_on_cancel=True, limiter=_threads()
        )
        return await answer[0] if isawaitable(answer[0]) else answer[0]


def _threads() -> CapacityLimiter:
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(MAX_THREADS)
        _limiter.set(limiter)
    return limiter


class Keys:
    """The keys of a model, shared by all of its requests, in all event loops and threads.

    They do not print. A copy of the model shares them; in a pickle they are what the user
    passed, and nothing that a function returned.

    Args:
        api_key: As the user passed it.

    Raises:
        UserError: It is no key, or holds what cannot be sent.
    """

    def __init__(self, api_key: APIKey | Hidden) -> None:
        hidden = api_key if isinstance(api_key, Hidden) else Hidden(api_key)
        del api_key
        is_list = isinstance(hidden.reveal(), Sequence) and not isinstance(
            hidden.reveal(), (str, bytes)
        )
        sources = [Hidden(each) for each in hidden.reveal()] if is_list else [hidden]
        self._keys = tuple(_Key(_checked(source)) for source in sources)
        if not self._keys:
            raise UserError("`api_key` is an empty list: pass one key at least.")
        self._in_use = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Keys, ([key.source.reveal() for key in self._keys],)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __len__(self) -> int:
        return len(self._keys)

    def account(self, host: str) -> tuple[str, Hashable]:
        """Return what tells apart whose requests wait for each other, and share retries.

        Models with the same keys at the same host have the same account; a function's keys
        are shared with no other model.
        """
        sources = tuple(key.source.reveal() for key in self._keys)
        return host, hash(sources) if all(isinstance(each, str) for each in sources) else self

    def are_secret(self) -> bool:
        """Return whether one of them looks like a real key, and not like a word in its place."""
        sources = (key.source.reveal() for key in self._keys)
        return any(
            not isinstance(each, str)
            or (len(each) >= MIN_KEY_LENGTH and any(map(str.isdigit, each)))
            for each in sources
        )

    def place(self, key: _Key) -> str:
        """Return how a key is called in messages, which never show it."""
        return f"key {self._keys.index(key) + 1} of {len(self)}"

    def best(self, spent: Set[_Key]) -> _Key:
        """Return the key for an attempt: the one in use, or the next that is not left alone.

        Where all are, it is the one whose time ends first; of those that were not refused,
        where there are any.
        """
        now, keys = monotonic(), self._keys
        in_turn = keys[self._in_use :] + keys[: self._in_use]
        key = min(in_turn, key=lambda key: key.rank(now, key in spent))
        self._in_use = keys.index(key)
        return key

    def has_other(self, spent: Set[_Key]) -> bool:
        """Return whether there is a key that is neither spent nor left alone."""
        now = monotonic()
        return any(key.until <= now and key not in spent for key in self._keys)


@define(eq=False, repr=False)
class RequestKeys:
    """The keys of a model as one request uses them.

    Attributes:
        keys: The keys.
        within: The limit on the time that a function may take.
    """

    keys: Keys
    within: Callable[[], AbstractContextManager[None]]
    _key: _Key | None = field(default=None, init=False)
    _sent: Hidden | None = field(default=None, init=False)
    _fresh: Hidden | None = field(default=None, init=False)
    _is_refreshed: bool = field(default=False, init=False)
    _spent: set[_Key] = field(factory=set, init=False)

    async def next(self) -> Hidden:
        """Return the key for the next attempt; a function is asked for it."""
        if self._fresh is None:
            self._key = self.keys.best(self._spent)
            self._fresh = await self._key.ask(self.within)
        self._sent, self._fresh = self._fresh, None
        return self._sent

    async def replaces(self, error: ModelAPIError) -> bool:
        """Return whether an attempt that failed is repeated at once, with another key.

        That is so at most once for a function whose new key is another one, and once for
        each of the other keys.

        Args:
            error: What it failed of.
        """
        key = self._key
        if key is None or not isinstance(error, _OF_KEY):
            return False
        # What a key may not do (403), a new one of the same account may not do, either.
        is_stale = isinstance(error, ModelAuthenticationError) and error.status_code != 403
        if is_stale and not self._is_refreshed and not isinstance(key.source.reveal(), str):
            self._is_refreshed = True
            fresh = await key.ask(self.within)
            if self._sent is None or fresh.reveal() != self._sent.reveal():
                self._fresh = fresh
                return True
        if len(self.keys) == 1:
            return False
        # Another request may have taken the last free key, so that a spent one was tried again.
        is_first = key not in self._spent
        error.add_note(f"It was asked with {self.keys.place(key)} of `api_key`.")
        key.leave_alone(error)
        self._spent.add(key)
        return is_first and self.keys.has_other(self._spent)

    def wait(
        self, error: ModelAPIError, reason: RetryReason | None
    ) -> tuple[RetryReason | None, float | None]:
        """Return how a failure is retried, and the seconds that a provider asks to wait.

        Where no key of several is left, the one counts that can be used first.

        Args:
            error: The failure.
            reason: How it is retried for a single key, None where it is not.
        """
        if len(self.keys) == 1 or not isinstance(error, _OF_KEY):
            return reason, error.retry_after
        first = self.keys.best(self._spent)
        seconds = first.until - monotonic()
        reason = None if first.is_refused and seconds > 0 else "throttle"
        return reason, max(0.0, seconds) if first.is_stated else None


def _checked(source: Hidden, how: str = "passed") -> Hidden:
    """Return a key as it can be sent, or a function as it is.

    Args:
        source: What the user passed, or a function of the user's returned.
        how: 'passed' or 'returned'.

    Raises:
        UserError: It is neither; the message never shows it.
    """
    # Not raised where it is found: reports of an error show the local variables of its frames.
    wrong = _fault(source, how)
    if wrong is not None:
        raise UserError(wrong)
    return Hidden(source.reveal().strip()) if isinstance(source.reveal(), str) else source


def _fault(source: Hidden, how: str) -> str | None:
    """Return what is wrong with a key, or with what is to return one."""
    value = source.reveal()
    if isinstance(value, str):
        key = value.strip()
        for position, character in enumerate(key):
            if not "!" <= character <= "~":
                return f"The API key has an invalid character at position {position}."
        return None if key else "The API key is empty."
    type_name = type(value).__name__
    if how == "returned":
        return (
            f"The function for `api_key` returned no text, but {type_name}: it must return the key "
            "itself, such as `credential.get_token(scope).token`."
        )
    if not callable(value):
        return (
            "`api_key` is a text, a function such as "
            f"`lambda: credential.get_token(scope).token`, or a list of these, not {type_name}."
        )
    try:
        signature(value).bind()
    except TypeError:
        return "A function for `api_key` takes no arguments; this one does."
    except ValueError:
        pass  # some functions that are written in C have no signature
    return None
