"""The settings that more than one provider knows.

A provider's own settings carry its prefix (`openai_user`) and are listed with its
dialect. A setting that a model does not know is left out of its request; a key that
nobody knows is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

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
            reads. A float for all, or anything shaped like `httpx.Timeout`.
        request_timeout: Seconds of wall-clock time for the whole request: waiting for
            a connection, attempts, backoff and the reading of a stream.
        first_event_timeout: Seconds from the head of a streamed response to its
            first event.
        max_retries: Attempts after a first one that failed before any event was
            delivered; 0 switches retries off.
        retry_ambiguous: Whether a request is repeated that timed out after it was sent;
            it may have been accepted, and charged, already.
        on_retry: Called with a `Retry` before each wait for another attempt.
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


def merge_model_settings(
    base: ModelSettings | None, overrides: ModelSettings | None
) -> ModelSettings | None:
    """Return `base` with the keys of `overrides` laid over it, None where both are None."""
    if base and overrides:
        return base | overrides
    return base or overrides
