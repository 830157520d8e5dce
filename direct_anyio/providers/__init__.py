"""The providers: one row for each, and how their names are looked up.

A gateway that speaks a protocol we have is one row more.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

import attrs

from ..dialects._anthropic_models import anthropic_profile
from ..dialects._gemini_models import google_model_profile
from ..dialects._openai import OpenAIModelProfile
from ..dialects.openai_chat import OpenAIChatCodec
from ..exceptions import UserError
from ..profiles import by_name
from . import _families as families
from ._gateways import AZURE, GATEWAYS, behind_gateway
from ._row import Late, MakeCodec, Provider, spoken_by

__all__ = ("PROVIDERS", "MakeCodec", "Provider", "google_cloud", "provider_of", "spoken_by")


def _openai(name: str) -> OpenAIModelProfile:
    return attrs.evolve(families.openai(name), openai_chat_supports_allowed_tools=True)


def local_profile(name: str) -> OpenAIModelProfile:
    """Return the profile of a local model."""
    is_other = name != "smollm2"  # whose chat template leaves tools out
    return OpenAIModelProfile(
        supports_tools=is_other,
        default_structured_output_mode="tool" if is_other else "native",
        supports_json_schema_output=True,
        supports_json_object_output=True,
        openai_supports_strict_tool_definition=False,
        tool_results_must_match=False,
    )


_OPENAI = Provider(
    name="openai",
    codec=OpenAIChatCodec,
    base_url="https://api.openai.com/v1",
    base_url_env=("OPENAI_BASE_URL",),
    key_env=("OPENAI_API_KEY",),
    header_env={"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"},
    profile=_openai,
    reported_url="{}/",
)


def _google_cloud_url(environ: Mapping[str, str]) -> str:
    from ..dialects.gemini import google_cloud_url

    project = environ.get("GOOGLE_CLOUD_PROJECT")
    if not project:
        raise UserError(
            "Google Cloud needs a project: set the `GOOGLE_CLOUD_PROJECT` environment variable, "
            "or pass `base_url=` to `infer_model`."
        )
    return google_cloud_url(project, environ.get("GOOGLE_CLOUD_LOCATION") or "us-central1")


_RESPONSES = Late("openai_responses", "OpenAIResponsesCodec")


def responses_at(row: Provider, url: str) -> tuple[Provider, str]:
    """Return how a server of the Responses protocol is asked: OpenAI's own, or another."""
    is_own = url.rstrip("/") == row.base_url
    return (row if is_own else attrs.evolve(row, codec=_RESPONSES)), url


def _gemini_at(row: Provider, url: str) -> tuple[Provider, str]:
    """Return how a server of Gemini's protocol is asked: Google's own as its client does."""
    if not (urlsplit(url).hostname or "").endswith(".googleapis.com"):
        return row, url
    codec = partial(row.codec, schema_member="parameters_json_schema")
    return attrs.evolve(row, codec=codec), url


_GEMINI = Provider(
    name="google-gla",
    codec=Late("gemini", "GeminiCodec"),
    at_url=_gemini_at,
    base_url="https://generativelanguage.googleapis.com",
    base_url_env=("GOOGLE_GEMINI_BASE_URL",),
    key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    key_header="x-goog-api-key",
    key_format="{}",
    profile=google_model_profile,
    reported_url="{}/",
)
# The key is an access token, which lives for an hour.
_GOOGLE_CLOUD = Provider(
    name="google-vertex",
    codec=partial(Late("gemini", "GeminiCodec"), cloud=True, root=""),
    find_url=_google_cloud_url,
    at_url=_gemini_at,
    key_env=("CLOUDSDK_AUTH_ACCESS_TOKEN",),
    profile=google_model_profile,
    reported_url="{origin}/",
)

_ROWS = (
    _OPENAI,
    attrs.evolve(_OPENAI, name="openai-chat", reported_name="openai"),
    attrs.evolve(
        _OPENAI,
        name="openai-responses",
        codec=partial(_RESPONSES, types_texts=False),
        at_url=responses_at,
        reported_name="openai",
    ),
    attrs.evolve(
        AZURE,
        name="azure-responses",
        codec=_RESPONSES,
        reported_name="azure",
    ),
    Provider(
        name="deepseek-responses",
        codec=_RESPONSES,
        base_url="https://api.deepseek.com",
        key_env=("DEEPSEEK_API_KEY",),
        profile=families.deepseek,
        reported_name="deepseek",
    ),
    Provider(
        name="openrouter-responses",
        codec=_RESPONSES,
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        profile=families.by_vendor(),
        reported_name="openrouter",
    ),
    Provider(
        name="anthropic",
        codec=Late("anthropic", "AnthropicCodec"),
        base_url="https://api.anthropic.com",
        base_url_env=("ANTHROPIC_BASE_URL",),
        key_env=("ANTHROPIC_API_KEY",),
        key_header="x-api-key",
        key_format="{}",
        profile=anthropic_profile,
    ),
    Provider(
        name="mistral",
        codec=Late("mistral", "MistralCodec"),
        base_url="https://api.mistral.ai",
        base_url_env=("MISTRAL_BASE_URL",),
        key_env=("MISTRAL_API_KEY",),
        profile=families.at_mistral,
    ),
    Provider(
        name="cohere",
        codec=Late("cohere", "CohereCodec"),
        base_url="https://api.cohere.com",
        base_url_env=("CO_BASE_URL",),
        key_env=("CO_API_KEY",),
        profile=families.cohere,
    ),
    Provider(
        name="groq",
        codec=Late("groq", "GroqCodec"),
        base_url="https://api.groq.com",
        base_url_env=("GROQ_BASE_URL",),
        key_env=("GROQ_API_KEY",),
        profile=families.groq,
    ),
    _GEMINI,
    attrs.evolve(_GEMINI, name="google", reported_name="google-gla"),
    _GOOGLE_CLOUD,
    attrs.evolve(_GOOGLE_CLOUD, name="google-cloud", reported_name="google-vertex"),
    Provider(
        name="local",
        codec=OpenAIChatCodec,
        default_key="none",
        profile=local_profile,
        settings={"temperature": 0},
        local=True,
    ),
)

PROVIDERS: dict[str, Provider] = {
    row.name: row for row in (*_ROWS, *GATEWAYS, *behind_gateway(_ROWS))
}


def google_cloud(project: str | None, location: str | None) -> Provider:
    """Return Google Cloud's row for a project and a location, else those of the environment."""
    arguments = {"GOOGLE_CLOUD_PROJECT": project, "GOOGLE_CLOUD_LOCATION": location}
    given = {name: value for name, value in arguments.items() if value}
    return attrs.evolve(
        _GOOGLE_CLOUD, find_url=lambda environ: _google_cloud_url({**environ, **given})
    )


def provider_of(model: str) -> tuple[Provider, str]:
    """Return the provider and the model's own name for `'provider:model'`.

    Raises:
        UserError: There is no such provider, or no name behind the colon.
    """
    prefix, colon, name = model.partition(":")
    if not colon:
        own = by_name(model, _OWN, "")
        vendor, slash, short = model.partition("/")
        if slash and (nearest_provider(vendor) or "bedrock" in vendor.lower()):
            hint = _suggestion(vendor, short)
        else:
            hint = f" Did you mean '{own}:{model}'?" if own else _all_providers()
        raise UserError(f"Unknown model: {model}. Write it as 'provider:model'.{hint}")
    if prefix not in PROVIDERS:
        raise UserError(f"Unknown provider: {prefix}.{_suggestion(prefix, name)}")
    if not name:
        raise UserError(f"No model is named in {model!r}: write it as '{prefix}:model'.")
    return PROVIDERS[prefix], name


# By how the names of a provider's own models start.
_OWN = {
    "claude": "anthropic",
    "command": "cohere",
    "deepseek": "deepseek",
    "gemini": "google",
    "gpt": "openai",
    "mistral": "mistral",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
}


# As other libraries call them.
_ALIASES = {
    "azure-openai": "azure",
    "azureopenai": "azure",
    "chatgpt": "openai",
    "claude": "anthropic",
    "cohere-chat": "cohere",
    "dashscope": "alibaba",
    "fireworks-ai": "fireworks",
    "gemini": "google",
    "google-ai": "google",
    "google-genai": "google",
    "googleai": "google",
    "hf": "huggingface",
    "hosted-vllm": "vllm",
    "hugging-face": "huggingface",
    "kimi": "moonshotai",
    "llama-cpp": "llamacpp",
    "llama.cpp": "llamacpp",
    "lm-studio": "lmstudio",
    "meta-llama": "meta",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "nim": "nvidia",
    "nvidia-nim": "nvidia",
    "ollama-chat": "ollama",
    "open-router": "openrouter",
    "qwen": "alibaba",
    "responses": "openai-responses",
    "together-ai": "together",
    "togetherai": "together",
    "vertex": "google-vertex",
    "vertex-ai": "google-vertex",
    "vertexai": "google-vertex",
    "x-ai": "xai",
    "zhipu": "zai",
}

_BEDROCK = (
    "Amazon's own protocol is not spoken here. Bedrock also speaks Chat Completions: "
    "`infer_model('openai:{name}', base_url='https://bedrock-runtime.us-east-1.amazonaws.com/"
    "openai/v1', api_key=...)`; for its other models, use a gateway such as 'litellm:{name}'."
)


def nearest_provider(name: str) -> str | None:
    """Return the provider that may be meant by a name, None where none may."""
    plain = name.lower().replace("_", "-")
    known = plain if plain in PROVIDERS else _ALIASES.get(plain)
    return known or next(iter(difflib.get_close_matches(plain, PROVIDERS, n=1, cutoff=0.75)), None)


def _suggestion(prefix: str, name: str) -> str:
    """Return what to write for a provider that is not known."""
    if "bedrock" in prefix.lower():
        return f" {_BEDROCK.format(name=name)}"
    near = nearest_provider(prefix)
    return f" Did you mean '{near}:{name}'?" if near else _all_providers()


def _all_providers() -> str:
    return f" The providers are {', '.join(sorted(PROVIDERS))}."
