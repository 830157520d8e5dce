"""The providers: one row for each, and how their names are looked up.

A gateway that speaks a protocol we have is one row more.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TypeAlias

from attrs import field, frozen

from ._core.codec import Codec
from .dialects.openai_chat import OpenAIChatCodec, OpenAIModelProfile
from .exceptions import UserError
from .profiles import ModelProfile
from .settings import ModelSettings

__all__ = ("PROVIDERS", "Provider", "provider_of")

MakeCodec: TypeAlias = Callable[..., Codec]
"""Takes `model_name`, `provider_name` and `profile`."""

Profiles: TypeAlias = Callable[[str], ModelProfile]
"""From a model's name to what it can do."""


@frozen(kw_only=True)
class Provider:
    """One row of the table.

    Attributes:
        name: What stands before the colon of a model's name.
        codec: Makes the codec of its wire protocol.
        base_url: Its base URL, None where the user must tell.
        base_url_env: Environment variables that replace it, the first that is set.
        key_env: Environment variables for the key, the first that is set.
        default_key: The key where none is set, None where one must be.
        key_header: The header that the key goes in.
        key_format: How it is written there.
        profile: What its models can do.
        settings: Settings for every request, under the user's.
        reported_name: The name that responses carry, where it is another one.
        local: Whether a server of our own on this machine serves it.
    """

    name: str
    codec: MakeCodec
    base_url: str | None = None
    base_url_env: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    default_key: str | None = None
    key_header: str = "authorization"
    key_format: str = "Bearer {}"
    profile: Profiles = field(default=lambda name: OpenAIModelProfile())
    settings: ModelSettings | None = None
    reported_name: str = ""
    local: bool = False

    def key(self, environ: Mapping[str, str]) -> str | None:
        """Return the key in `environ`, None where there is none."""
        return _first(self.key_env, environ)

    def url(self, environ: Mapping[str, str]) -> str | None:
        """Return the base URL, None where the user must tell."""
        return _first(self.base_url_env, environ) or self.base_url


def _first(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


_SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
)


def _openai(name: str) -> OpenAIModelProfile:
    reasons = name.startswith("o") or (name.startswith("gpt-5") and "gpt-5-chat" not in name)
    return OpenAIModelProfile(
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_image_output=any(mark in name for mark in ("gpt-5", "o3", "4.1", "4o")),
        openai_unsupported_model_settings=_SAMPLING if reasons else (),
        openai_system_prompt_role="user" if name.startswith("o1-mini") else None,
        openai_chat_supports_web_search="-search-preview" in name,
        openai_supports_encrypted_reasoning_content=reasons,
    )


def _json_schema(name: str) -> OpenAIModelProfile:
    return OpenAIModelProfile(
        supports_json_schema_output=True,
        supports_json_object_output=True,
        openai_supports_strict_tool_definition=False,
    )


_OPENAI = Provider(
    name="openai",
    codec=OpenAIChatCodec,
    base_url="https://api.openai.com/v1",
    base_url_env=("OPENAI_BASE_URL",),
    key_env=("OPENAI_API_KEY",),
    profile=_openai,
)

_ROWS = (
    _OPENAI,
    Provider(
        name="openai-chat",
        codec=OpenAIChatCodec,
        base_url="https://api.openai.com/v1",
        base_url_env=("OPENAI_BASE_URL",),
        key_env=("OPENAI_API_KEY",),
        profile=_openai,
        reported_name="openai",
    ),
    Provider(
        name="ollama",
        codec=OpenAIChatCodec,
        base_url="http://localhost:11434/v1",
        base_url_env=("OLLAMA_BASE_URL",),
        key_env=("OLLAMA_API_KEY",),
        default_key="api-key-not-set",
        profile=_json_schema,
    ),
    Provider(
        name="local",
        codec=OpenAIChatCodec,
        default_key="none",
        profile=_json_schema,
        settings={"temperature": 0},
        local=True,
    ),
)

PROVIDERS: dict[str, Provider] = {row.name: row for row in _ROWS}


def provider_of(model: str) -> tuple[Provider, str]:
    """Return the provider and the model's own name for `'provider:model'`.

    Raises:
        UserError: There is no such provider, or no name behind the colon.
    """
    prefix, colon, name = model.partition(":")
    if not colon:
        known = ", ".join(sorted(PROVIDERS))
        raise UserError(
            f"Unknown model: {model}. Write it as 'provider:model'; the providers are {known}."
        )
    if prefix not in PROVIDERS:
        raise UserError(f"Unknown provider: {prefix}.{_suggestion(prefix, name)}")
    if not name:
        raise UserError(f"No model is named in {model!r}: write it as '{prefix}:model'.")
    return PROVIDERS[prefix], name


def _suggestion(prefix: str, name: str) -> str:
    near = difflib.get_close_matches(prefix, PROVIDERS, n=1)
    if near:
        return f" Did you mean '{near[0]}:{name}'?"
    return f" The providers are {', '.join(sorted(PROVIDERS))}."
