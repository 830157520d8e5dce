"""How much a request used, in tokens."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen

from ._record import Record, as_dict

__all__ = ("RequestUsage",)

_DETAIL_COUNTS = (
    "cache_write_tokens",
    "cache_read_tokens",
    "input_audio_tokens",
    "cache_audio_read_tokens",
    "output_audio_tokens",
)


@frozen(repr=False, kw_only=True)
class RequestUsage(Record):
    """Tokens that one request used, as its provider counts them.

    A count that the provider did not give is 0. Add two usages with `+`.

    Attributes:
        input_tokens: Tokens read by the model, cached ones included.
        cache_write_tokens: Tokens written to the provider's prompt cache.
        cache_read_tokens: Tokens read from the provider's prompt cache.
        output_tokens: Tokens written by the model, thinking included.
        input_audio_tokens: Audio tokens read.
        cache_audio_read_tokens: Audio tokens read from the cache.
        output_audio_tokens: Audio tokens written.
        details: Other counts under the provider's names, such as `reasoning_tokens`.
    """

    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    input_audio_tokens: int = 0
    cache_audio_read_tokens: int = 0
    output_audio_tokens: int = 0
    details: dict[str, int] = field(factory=dict, converter=as_dict)

    @property
    def total_tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    @property
    def requests(self) -> int:
        """Always 1: the usage of one request."""
        return 1

    @classmethod
    def extract(
        cls,
        data: Any,
        *,
        provider: str,
        provider_url: str,
        provider_fallback: str,
        api_flavor: str = "default",
        details: dict[str, int] | None = None,
    ) -> RequestUsage:
        """Return the usage that a provider's response tells, as `genai-prices` reads it.

        Args:
            data: The response, as JSON was read.
            provider: The provider's name.
            provider_url: Its base URL, which is tried first.
            provider_fallback: A provider that counts as it does, where it is not known.
            api_flavor: The protocol, such as 'chat' or 'responses'.
            details: Other counts.

        Raises:
            UserError: `genai-prices` is not installed.
        """
        from ._prices import counts_in

        counts = counts_in(data, (provider, provider_fallback), provider_url, api_flavor)
        known = {field.name for field in attrs.fields(cls)}
        more = {name: count for name, count in counts.items() if name not in known}
        own = {name: count for name, count in counts.items() if name in known}
        return cls(**own, details=more | (details or {}))

    def __add__(self, other: RequestUsage) -> RequestUsage:
        if not isinstance(other, RequestUsage):
            return NotImplemented
        mine, theirs = attrs.asdict(self), attrs.asdict(other)
        mine["details"] = _added(mine["details"], theirs.pop("details"))
        return RequestUsage(**_added(mine, theirs))

    def has_values(self) -> bool:
        """Return whether any count is set."""
        return any(attrs.asdict(self).values())

    def opentelemetry_attributes(self) -> dict[str, int]:
        """Return the counts under OpenTelemetry's GenAI attribute names."""
        details = self.details | {name: getattr(self, name) for name in _DETAIL_COUNTS}
        named = {
            "gen_ai.usage.input_tokens": self.input_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
            **{f"gen_ai.usage.details.{name}": count for name, count in details.items()},
        }
        return {name: count for name, count in named.items() if count}

    def __repr__(self) -> str:
        counts = attrs.asdict(self).items()
        return f"RequestUsage({', '.join(f'{name}={n!r}' for name, n in counts if n)})"


def _added(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return a | {name: a.get(name, 0) + value for name, value in b.items()}
