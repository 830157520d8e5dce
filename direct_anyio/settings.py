"""The settings that more than one provider knows.

A provider's own settings carry its prefix (`openai_user`) and are listed with its
dialect. A setting that a model does not know is left out of its request; a key that
nobody knows is an error, as is a value of a wrong type. None is as good as absent, but
for `request_timeout` and `first_event_timeout`, where it is no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypedDict, cast, get_type_hints, runtime_checkable

from ._annotations import fits, type_name
from .exceptions import UserError, shown

__all__ = (
    "ModelSettings",
    "ServiceTier",
    "ThinkingLevel",
    "TimeoutLike",
    "ToolChoice",
    "merge_model_settings",
)

ThinkingLevel = bool | Literal["minimal", "low", "medium", "high", "xhigh", "max"]
ToolChoice = Literal["none", "required", "auto"] | list[str] | None
ServiceTier = Literal["auto", "default", "flex", "priority"]


@runtime_checkable
class TimeoutLike(Protocol):
    """Four timeouts in seconds, None for no limit; the shape of `httpx.Timeout`."""

    @property
    def connect(self) -> float | None: ...  # noqa: D102
    @property
    def read(self) -> float | None: ...  # noqa: D102
    @property
    def write(self) -> float | None: ...  # noqa: D102
    @property
    def pool(self) -> float | None: ...  # noqa: D102


class ModelSettings(TypedDict, total=False):
    """What a request asks for beside its messages; every key may be left out.

    Attributes:
        max_tokens: The most tokens that the model may write.
        temperature: Randomness, from 0 (most likely tokens) to 1 or 2.
        top_p: Share of the probability mass to choose from, 0 to 1.
        top_k: Number of most likely tokens to choose from.
        timeout: Seconds that each step of one attempt may take: to connect, to send,
            until the response starts, until its first event, between two of its
            reads. A float for all, or anything shaped like `httpx.Timeout`, whose `pool`
            is the only limit on the wait for a free connection.
        request_timeout: Seconds of wall-clock time for the whole request: attempts,
            backoff and the reading of a stream. The wait for a free connection does not
            count.
        first_event_timeout: Seconds from the head of a streamed response to its
            first event.
        max_retries: Attempts after a first one that failed before any event was
            delivered; 0 switches retries off. One with another key does not count.
        retry_ambiguous: Whether a request is repeated that timed out after it was sent;
            it may have been accepted, and charged, already.
        on_retry: Called with a `Retry` before each further attempt, and the wait for it.
        parallel_tool_calls: Whether the model may call several tools in one response.
        tool_choice: 'auto', 'none', 'required', or the names of the tools to choose from.
        thinking: Whether and how hard the model thinks before it answers.
        seed: Makes sampling repeatable, as far as the provider can.
        presence_penalty: Above 0, discourages tokens that have been used at all.
        frequency_penalty: Above 0, discourages tokens the more often they were used.
        logit_bias: Token id to bias, -100 to 100.
        stop_sequences: Texts at which the model stops writing.
        service_tier: The provider's class of service.
        extra_headers: HTTP headers to add; one of ours of the same name is replaced.
        extra_body: Members to add to the JSON body; ours of the same name are replaced.
    """

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    timeout: float | TimeoutLike
    request_timeout: float
    first_event_timeout: float
    max_retries: int
    retry_ambiguous: bool
    on_retry: Callable[[Any], object]
    parallel_tool_calls: bool
    tool_choice: ToolChoice
    thinking: ThinkingLevel
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: dict[str, int]
    stop_sequences: list[str]
    service_tier: ServiceTier
    extra_headers: dict[str, str]
    extra_body: Any


class RetryHook:
    """Calls the hook of a model around a model for each retry, and then that of the request.

    Args:
        first: The hook that is called first.
        others: What stands as `on_retry` in the settings of the request, None for nothing.
    """

    def __init__(self, first: Callable[[Any], object], others: Callable[[Any], object] | None):
        self._first = first
        self._others = others

    def __call__(self, retry: Any) -> object:
        self._first(retry)
        return self._others(retry) if self._others is not None else None

    def over(self, base: Callable[[Any], object]) -> RetryHook:
        """Return the hook where `base` counts unless the request has an `on_retry` of its own."""
        others = self._others
        if isinstance(others, RetryHook):
            return RetryHook(self._first, others.over(base))
        return RetryHook(self._first, others or base)


def merge_model_settings(
    base: ModelSettings | None, overrides: ModelSettings | None
) -> ModelSettings | None:
    """Return `base` with the keys of `overrides` laid over it, None where both are None."""
    if base and overrides:
        merged = base | overrides
        hook, own = overrides.get("on_retry"), base.get("on_retry")
        if isinstance(hook, RetryHook) and own is not None:
            merged["on_retry"] = hook.over(own)
        return merged
    return base or overrides


COMMON_SETTINGS: dict[str, Any] = {
    **get_type_hints(ModelSettings),
    # Ids of tokens are whole numbers, which JSON writes as text.
    "logit_bias": dict[str | int, float],
    "extra_body": dict[str, Any],
}
"""What each of the settings takes."""


def checked_settings(settings: ModelSettings, annotations: Mapping[str, Any]) -> ModelSettings:
    """Return settings without those that are None; for a timeout that is no limit.

    Args:
        settings: The settings.
        annotations: The type of each, by its key. Timeouts are tested where they become limits.

    Raises:
        UserError: One is of the wrong type; the message names it.
    """
    given = {k: v for k, v in settings.items() if v is not None or k.endswith("_timeout")}
    for key, value in given.items():
        takes = None if key.endswith("timeout") else _misfit(key, value, annotations[key])
        if takes is not None:
            # What is put into requests by hand may be secret.
            got = type(value).__name__ if key.startswith("extra_") else shown(value)
            raise UserError(f"The setting {key!r} takes {takes}, not {got}")
    return cast(ModelSettings, given)


def _misfit(key: str, value: Any, annotation: Any) -> str | None:
    """Return what a setting takes, None where the value is that."""
    if key == "max_retries":
        return None if fits(int)(value) and value >= 0 else "a whole number from 0 up"
    return None if fits(annotation)(value) else type_name(annotation)
