"""The settings that more than one provider knows.

A provider's own settings carry its prefix (`openai_user`) and are listed with its
dialect. A setting that a model does not know is left out of its request; a key that
nobody knows is an error, as is a value of a wrong type. None is as good as absent, but
for `request_timeout` and `first_event_timeout`, where it is no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypedDict, cast, get_args, runtime_checkable

from .exceptions import UserError

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

_LEVELS = get_args(get_args(ThinkingLevel)[1])


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


def merge_model_settings(
    base: ModelSettings | None, overrides: ModelSettings | None
) -> ModelSettings | None:
    """Return `base` with the keys of `overrides` laid over it, None where both are None."""
    if base and overrides:
        return base | overrides
    return base or overrides


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _are_headers(value: Any) -> bool:
    return isinstance(value, Mapping) and _are_texts([*value.keys(), *value.values()])


# What fits, and how it is called. Timeouts are checked where they become limits.
_TAKES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_tokens": (_is_whole, "a whole number"),
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "top_k": (_is_whole, "a whole number"),
    "max_retries": (lambda value: _is_whole(value) and value >= 0, "a whole number from 0 up"),
    "retry_ambiguous": (_is_flag, "True or False"),
    "on_retry": (callable, "a function"),
    "parallel_tool_calls": (_is_flag, "True or False"),
    "thinking": (
        lambda value: _is_flag(value) or value in _LEVELS,
        f"True, False or one of {', '.join(map(repr, _LEVELS))}",
    ),
    "seed": (_is_whole, "a whole number"),
    "presence_penalty": (_is_number, "a number"),
    "frequency_penalty": (_is_number, "a number"),
    "logit_bias": (lambda value: isinstance(value, dict), "a dict of numbers"),
    "stop_sequences": (_are_texts, "a list of texts"),
    "extra_headers": (_are_headers, "a dict of texts"),
    "extra_body": (lambda value: isinstance(value, dict), "a dict"),
}


def checked_settings(settings: ModelSettings) -> ModelSettings:
    """Return settings without those that are None; for a timeout that is no limit.

    Raises:
        UserError: One is of the wrong type; the message names it.
    """
    said = {k: v for k, v in settings.items() if v is not None or k.endswith("_timeout")}
    for key, value in said.items():
        if key in _TAKES and not _TAKES[key][0](value):
            # What is put into requests by hand may be secret.
            shown = type(value).__name__ if key.startswith("extra_") else f"{value!r:.80}"
            raise UserError(f"The setting {key!r} takes {_TAKES[key][1]}, not {shown}")
    return cast(ModelSettings, said)
