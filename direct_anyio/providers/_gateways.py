"""Gateways and servers that speak a protocol of OpenAI's: one row for each.

Facts: the documentation of each, and the names of environment variables that users know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs

from .._core.codec import Item, Mark, ResponseInfo, dictionary
from ..dialects._chat import JSONObject, Quirks, members, usage_of
from ..dialects._openai import OpenAIModelProfile
from ..dialects.openai_chat import OpenAIChatCodec
from ..dialects.openrouter import OPENROUTER, detailed_thoughts, thought_detail
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..usage import RequestUsage
from ._families import (
    STARTS,
    VENDORS,
    Family,
    anthropic,
    by_start,
    by_vendor,
    compatible,
    harmony,
    inlining,
    openai,
    plain,
    qwen,
)
from ._row import Late, Provider

__all__ = ("GATEWAYS", "behind_gateway")


def _row(
    name: str,
    base_url: str | None,
    *key_env: str,
    quirks: Quirks | None = None,
    profile: Family | None = None,
    **more: Any,
) -> Provider:
    codec: Callable[..., OpenAIChatCodec] = OpenAIChatCodec
    if quirks is not None:
        codec = partial(OpenAIChatCodec, quirks=quirks)
    return Provider(
        name=name,
        codec=codec,
        base_url=base_url,
        key_env=key_env,
        profile=profile or compatible(),
        **more,
    )


_NO_STRICT = OpenAIModelProfile(openai_supports_strict_tool_definition=False)
_JSON_OUTPUT = OpenAIModelProfile(
    supports_json_schema_output=True,
    supports_json_object_output=True,
)
_IN_FIELD = OpenAIModelProfile(
    supports_json_object_output=True,
    openai_chat_thinking_field="reasoning_content",
    openai_chat_send_back_thinking_parts="field",
)
_CEREBRAS = OpenAIModelProfile(
    openai_unsupported_model_settings=(
        "frequency_penalty",
        "logit_bias",
        "presence_penalty",
        "parallel_tool_calls",
        "service_tier",
    )
)
_GPT_OSS = VENDORS | {"openai": harmony}


def _deepseek(name: str) -> ModelProfile:
    # Its reasoner cannot be made to call a tool.
    forces = name != "deepseek-reasoner"
    base = attrs.evolve(_IN_FIELD, openai_supports_tool_choice_required=forces)
    return compatible(by_start(), base)(name)


def _openrouter(name: str) -> ModelProfile:
    base = OpenAIModelProfile(
        openai_chat_send_back_thinking_parts="field",
        openai_chat_thinking_field="reasoning",
        openai_chat_supports_max_completion_tokens=False,
        openai_chat_supports_file_urls=True,
        openai_chat_supports_web_search=True,
    )
    return compatible(by_vendor(needed=True), base)(name.removeprefix("~"))


def _alibaba(name: str) -> ModelProfile:
    hears = "omni" in name.lower()
    base = OpenAIModelProfile(openai_chat_audio_input_encoding="uri" if hears else "base64")
    return compatible(qwen, base)(name.lower())


def _fireworks(name: str) -> ModelProfile:
    return compatible(by_start())(name.removeprefix("accounts/fireworks/models/"))


def _cerebras_thinking(settings: ModelSettings) -> JSONObject:
    """Return what tells Cerebras whether to think."""
    said = members(settings, {"cerebras_disable_reasoning": "disable_reasoning"})
    return said | ({"disable_reasoning": True} if settings.get("thinking") is False else {})


def _zai_thinking(settings: ModelSettings) -> JSONObject:
    thinking = settings.get("thinking")
    if thinking is None:
        return {}
    return {"thinking": {"type": "disabled" if thinking is False else "enabled"}}


def _filtered(document: Any) -> Iterable[Item] | None:
    """Read Azure's refusal of a prompt as an answer, which it is elsewhere."""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or error.get("code") != "content_filter":
        return None
    details: JSONObject = {"finish_reason": "content_filter"}
    result = dictionary(error.get("innererror")).get("content_filter_result")
    if result:
        details["content_filter_result"] = result
    info = ResponseInfo(finish_reason="content_filter", provider_details=details)
    return (info, Mark.FINISHED)


def _totals(usage: JSONObject) -> RequestUsage:
    """Read the counts that all providers behind Hugging Face's router have in common."""
    common = ("prompt_tokens", "completion_tokens")
    return usage_of({name: usage.get(name) for name in common})


_AZURE = Quirks(
    path=lambda name: f"/openai/deployments/{name}/chat/completions",
    failed=_filtered,
)
_AZURE_PROFILE = OpenAIModelProfile(openai_chat_supports_document_input=False)

GATEWAYS = (
    _row(
        "alibaba",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "ALIBABA_API_KEY",
        "DASHSCOPE_API_KEY",
        profile=_alibaba,
    ),
    _row(
        "azure",
        None,
        "AZURE_OPENAI_API_KEY",
        quirks=_AZURE,
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        key_header="api-key",
        key_format="{}",
        query={"api-version": "2024-10-21"},
        query_env={"api-version": "OPENAI_API_VERSION"},
        profile=compatible(by_start(STARTS | {"meta-": inlining}, openai), _AZURE_PROFILE),
        reported_url="{}/openai/",
    ),
    _row(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        quirks=Quirks(settings=_cerebras_thinking),
        headers={"x-cerebras-3rd-party-integration": "direct-anyio"},
        profile=compatible(by_start(), _CEREBRAS),
    ),
    _row(
        "crusoe",
        "https://api.inference.crusoecloud.com/v1",
        "CRUSOE_API_KEY",
        profile=compatible(by_vendor(_GPT_OSS), _JSON_OUTPUT),
    ),
    _row("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY", profile=_deepseek),
    _row(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        profile=lambda name: compatible(by_start())(
            name.removeprefix("accounts/fireworks/models/")
        ),
    ),
    _row(
        "github",
        "https://models.github.ai/inference",
        "GITHUB_API_KEY",
        profile=compatible(by_vendor(otherwise=openai)),
    ),
    _row("grok", "https://api.x.ai/v1", "GROK_API_KEY", profile=compatible(base=_NO_STRICT)),
    _row(
        "heroku",
        "https://us.inference.heroku.com/v1",
        "HEROKU_INFERENCE_KEY",
        base_url_env=("HEROKU_INFERENCE_URL",),
        base_url_format="{}/v1",
        reported_url="{}/",
    ),
    _row(
        "huggingface",
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        quirks=Quirks(marks_tagged=False, usage=_totals),
        profile=by_vendor(),
    ),
    _row(
        "litellm",
        None,
        "LITELLM_API_KEY",
        base_url_env=("LITELLM_BASE_URL",),
        default_key="litellm-placeholder",
        profile=compatible(by_vendor(otherwise=openai)),
        reported_url="{}/",
    ),
    Provider(
        name="meta",
        codec=Late("openai_responses", "OpenAIResponsesCodec"),
        base_url="https://api.meta.ai/v1",
        key_env=("META_API_KEY",),
        profile=compatible(base=OpenAIModelProfile(openai_supports_tool_choice_required=False)),
    ),
    _row(
        "moonshotai",
        "https://api.moonshot.ai/v1",
        "MOONSHOTAI_API_KEY",
        base_url_env=("MOONSHOTAI_BASE_URL",),
        profile=compatible(
            lambda name: ModelProfile(ignore_streamed_leading_whitespace=True),
            attrs.evolve(_IN_FIELD, openai_supports_tool_choice_required=False),
        ),
    ),
    _row(
        "nebius",
        "https://api.studio.nebius.com/v1",
        "NEBIUS_API_KEY",
        profile=compatible(by_vendor(_GPT_OSS, needed=True)),
    ),
    _row(
        "ollama",
        "http://localhost:11434/v1",
        "OLLAMA_API_KEY",
        base_url_env=("OLLAMA_BASE_URL",),
        default_key="api-key-not-set",
        profile=compatible(
            by_start(),
            attrs.evolve(
                _NO_STRICT.update(_JSON_OUTPUT),
                openai_chat_thinking_field="reasoning",
                # A call and its result are text in a template, together or not.
                tool_results_must_match=False,
            ),
        ),
        reported_url="{}/",
    ),
    _row(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        quirks=OPENROUTER,
        header_env={"http-referer": "OPENROUTER_APP_URL", "x-title": "OPENROUTER_APP_TITLE"},
        profile=_openrouter,
    ),
    _row(
        "ovhcloud",
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        "OVHCLOUD_API_KEY",
        profile=compatible(by_start()),
    ),
    _row(
        "sambanova",
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
        base_url_env=("SAMBANOVA_BASE_URL",),
        profile=compatible(by_start()),
    ),
    _row(
        "snowflake",
        None,
        "SNOWFLAKE_TOKEN",
        quirks=Quirks(thoughts=detailed_thoughts, send_back=thought_detail),
        base_url_env=("SNOWFLAKE_ACCOUNT",),
        base_url_format="https://{}.snowflakecomputing.com/api/v2/cortex/v1",
        profile=compatible(
            by_start(STARTS | {"claude": anthropic, "snowflake-llama": inlining}), _NO_STRICT
        ),
    ),
    _row(
        "together",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
        profile=compatible(by_vendor()),
    ),
    _row(
        "vercel",
        "https://ai-gateway.vercel.sh/v1",
        "VERCEL_AI_GATEWAY_API_KEY",
        "VERCEL_OIDC_TOKEN",
        headers={"x-title": "direct-anyio"},
        profile=compatible(by_vendor(needed=True)),
    ),
    _row(
        "vllm",
        None,
        "VLLM_API_KEY",
        base_url_env=("VLLM_BASE_URL",),
        default_key="api-key-not-set",
        profile=compatible(
            by_vendor(otherwise=by_start()),
            attrs.evolve(_JSON_OUTPUT, tool_results_must_match=False),
        ),
        reported_url="{}/",
    ),
    _row("xai", "https://api.x.ai/v1", "XAI_API_KEY", profile=compatible(base=_NO_STRICT)),
    _row(
        "zai",
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        quirks=Quirks(settings=_zai_thinking),
        profile=compatible(plain, _IN_FIELD),
    ),
)

_BEHIND = {
    "openai": "openai",
    "openai-chat": "openai",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic",
    "groq": "groq",
    "google-vertex": "google-vertex/v1beta1",
}
"""The providers that Pydantic's gateway stands before, and where each is there."""


def behind_gateway(rows: Iterable[Provider]) -> tuple[Provider, ...]:
    """Return rows for the providers that Pydantic's gateway stands before."""
    base = "https://gateway.pydantic.dev/proxy"
    return tuple(
        attrs.evolve(
            row,
            name=f"gateway/{row.name}",
            base_url=f"{base}/{_BEHIND[row.name]}",
            base_url_env=("PYDANTIC_AI_GATEWAY_BASE_URL", "PAIG_BASE_URL"),
            find_url=None,  # it stands before a project of its own
            base_url_format=f"{{}}/{_BEHIND[row.name]}",
            key_env=("PYDANTIC_AI_GATEWAY_API_KEY", "PAIG_API_KEY"),
            key_header="authorization",
            key_format="Bearer {}",
            reported_name=row.reported_name or row.name,
            reported_url="{}/",
        )
        for row in rows
        if row.name in _BEHIND
    )
