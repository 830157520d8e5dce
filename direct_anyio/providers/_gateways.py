"""Gateways and servers that speak a protocol of OpenAI's: one row for each.

Facts: the documentation of each, and the names of environment variables that users know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import attrs

from .._core.codec import Item, JSONObject, Mark, ResponseInfo, dictionary
from ..builtin_tools import WebSearchTool
from ..dialects._chat import Quirks, usage_of
from ..dialects._openai import OpenAIModelProfile, effort_member
from ..dialects._shared import mapped_settings
from ..dialects.openai_chat import OpenAIChatCodec
from ..dialects.openrouter import OPENROUTER, detailed_thoughts, thought_detail
from ..exceptions import UserError
from ..profiles import ModelProfile, by_name
from ..settings import ModelSettings
from ..usage import RequestUsage
from ._families import (
    ALWAYS_THINKS,
    CAN_THINK,
    STARTS,
    Family,
    anthropic,
    by_start,
    by_vendor,
    compatible,
    glm,
    grok,
    inlining,
    mistral,
    moonshot,
    openai,
    qwen,
)
from ._row import Late, Provider

__all__ = ("AZURE", "GATEWAYS", "behind_gateway")


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
# Providers that document `max_tokens` alone; some of them heed no other name for it.
_OLDER_LIMIT = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=False)
# Servers of the user's own put a call and its result into a template, together or not.
_UNMATCHED = OpenAIModelProfile(tool_results_must_match=False)
_OWN_SERVER = _NO_STRICT.update(_JSON_OUTPUT).update(_OLDER_LIMIT).update(_UNMATCHED)
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


_MUSE = OpenAIModelProfile(
    supports_json_schema_output=True,
    supports_json_object_output=True,
    supported_builtin_tools=frozenset({WebSearchTool}),
    openai_supports_tool_choice_required=False,
    openai_chat_supports_web_search=True,
    openai_supports_encrypted_reasoning_content=True,
    openai_supports_phase=True,
    openai_reasoning_efforts=("minimal", "low", "medium", "high", "xhigh", "max"),
)


def snowflake_profile(name: str) -> ModelProfile:
    """Return the profile of a model at Cortex.

    It takes tools and formats for models of OpenAI and Anthropic alone. Fact:
    https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api.
    """
    name = name.lower()
    if name.startswith("openai-"):
        return openai(name.removeprefix("openai-"))
    if name.startswith("claude"):
        return attrs.evolve(anthropic(name), supports_json_schema_output=True)
    family = by_start(STARTS | {"snowflake-llama": inlining})
    return attrs.evolve(
        family(name), supports_tools=False, default_structured_output_mode="prompted"
    )


def deepseek_profile(name: str) -> ModelProfile:
    """Return the profile of a model at DeepSeek."""
    # Its reasoner cannot be made to call a tool.
    forces = name != "deepseek-reasoner"
    base = attrs.evolve(_IN_FIELD.update(_OLDER_LIMIT), openai_supports_tool_choice_required=forces)
    return compatible(by_start(), base)(name)


def openrouter_profile(name: str) -> ModelProfile:
    """Return the profile of a model at OpenRouter."""
    base = OpenAIModelProfile(
        openai_chat_send_back_thinking_parts="field",
        openai_chat_thinking_field="reasoning",
        openai_chat_supports_max_completion_tokens=False,
        openai_chat_supports_file_urls=True,
        openai_chat_supports_web_search=True,
    )
    return compatible(by_vendor(needed=True), base)(name.removeprefix("~"))


def alibaba_profile(name: str) -> ModelProfile:
    """Return the profile of a model at Alibaba."""
    hears = "omni" in name.lower()
    base = OpenAIModelProfile(openai_chat_audio_input_encoding="uri" if hears else "base64")
    return compatible(qwen, base)(name.lower())


def ollama_profile(name: str) -> ModelProfile:
    """Return the profile of a model at Ollama."""
    base = attrs.evolve(_OWN_SERVER, openai_chat_thinking_field="reasoning")
    profile = compatible(by_start(), base)(name)
    if name.startswith("qwen3") and "coder" not in name:
        profile = profile.update(OpenAIModelProfile(openai_reasoning_efforts=CAN_THINK))
    return profile


# By the start of a name. Fact: https://inference-docs.cerebras.ai/capabilities/reasoning.
_CEREBRAS_EFFORTS = {
    "gpt-oss": ALWAYS_THINKS,
    "kimi-k3": ("low", "high", "max"),
    "qwen-3.8": ("none",),
    "zai-glm-5.3": ("low", "high", "max"),
    "zai-glm": ("none",),
}


def cerebras_profile(name: str) -> ModelProfile:
    """Return the profile of a model at Cerebras."""
    efforts = OpenAIModelProfile(openai_reasoning_efforts=by_name(name, _CEREBRAS_EFFORTS, ()))
    return compatible(by_start(), _CEREBRAS)(name).update(efforts)


def cerebras_settings(settings: ModelSettings, profile: OpenAIModelProfile, _: str) -> JSONObject:
    """Return the switch for thinking, and an effort."""
    own = mapped_settings(settings, {"cerebras_disable_reasoning": "disable_reasoning"})
    return own | effort_member(settings, profile)


def own_effort(settings: ModelSettings, profile: OpenAIModelProfile, _: str) -> JSONObject:
    """Return an effort only where it is asked for by its own setting."""
    return mapped_settings(settings, {"openai_reasoning_effort": "reasoning_effort"})


def zai_settings(settings: ModelSettings, profile: OpenAIModelProfile, _: str) -> JSONObject:
    """Return Z.AI's switch for thinking, with an effort for models that know efforts."""
    thinking = settings.get("thinking")
    body = own_effort(settings, profile, "")
    if thinking is None:
        return body
    always = profile.openai_reasoning_efforts and "none" not in profile.openai_reasoning_efforts
    if thinking is False and not always:
        return body | {"thinking": {"type": "disabled"}}
    effort = effort_member(settings, profile) if always and thinking is not True else {}
    return {"thinking": {"type": "enabled"}} | effort | body


# By the start of a name; most Kimis that think cannot be stopped.
_MOONSHOT_EFFORTS = {
    "kimi-k2.5": CAN_THINK,
    "kimi-k2.6": CAN_THINK,
    "kimi-k2.7": ALWAYS_THINKS,
    "kimi-k2-thinking": ALWAYS_THINKS,
    "kimi-k3": ("low", "high", "max"),
    "kimi-thinking": ALWAYS_THINKS,
}


def moonshot_profile(name: str) -> ModelProfile:
    """Return the profile of a model at Moonshot AI."""
    base = attrs.evolve(_IN_FIELD, openai_supports_tool_choice_required=False)
    efforts = OpenAIModelProfile(openai_reasoning_efforts=by_name(name, _MOONSHOT_EFFORTS, ()))
    return compatible(moonshot, base)(name).update(efforts)


def moonshot_settings(settings: ModelSettings, profile: OpenAIModelProfile, _: str) -> JSONObject:
    """Return an effort; the API has a switch of its own in the place of 'none'."""
    body = effort_member(settings, profile)
    off = {"thinking": {"type": "disabled"}}
    return off if body.get("reasoning_effort") == "none" else body


def snowflake_settings(
    settings: ModelSettings, profile: OpenAIModelProfile, name: str
) -> JSONObject:
    """Return an effort, for Claude in the object that Cortex reads; it does not think by itself."""
    body = effort_member(settings, profile)
    if not name.startswith("claude"):
        return body
    effort = body.get("reasoning_effort", "none")
    # Cortex takes no other temperature where a model thinks.
    return {} if effort == "none" else {"reasoning": {"effort": effort}, "temperature": 1}


def vllm_profile(name: str) -> ModelProfile:
    """Return the profile of a model at vLLM, which has a switch for some families' thinking."""
    base = _JSON_OUTPUT.update(_UNMATCHED)
    profile = compatible(by_vendor(otherwise=by_start()), base)(name)
    own = name.lower().rpartition("/")[2]
    fixed = own.startswith(("qwen3-coder", "qwen3.8")) or "-instruct" in own
    can = own.startswith(("qwen3", "gemma-4", "deepseek-v4")) and not fixed
    if not can:
        return profile
    efforts = ALWAYS_THINKS if "-thinking" in own else CAN_THINK
    return profile.update(OpenAIModelProfile(openai_reasoning_efforts=efforts))


def azure_refusal(document: Any) -> Iterable[Item] | None:
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


def common_totals(usage: JSONObject) -> RequestUsage:
    """Read the counts that all providers behind Hugging Face's router have in common."""
    common = ("prompt_tokens", "completion_tokens")
    return usage_of({name: usage.get(name) for name in common})


_AT_AZURE = {
    "meta-": inlining,
    **STARTS,
    **dict.fromkeys(
        ("mistral", "ministral", "magistral"), lambda name: _OLDER_LIMIT.update(mistral(name))
    ),
}
_AZURE_PROFILE = OpenAIModelProfile(openai_chat_supports_document_input=False)
_AZURE_V1 = partial(OpenAIChatCodec, quirks=Quirks(failed=azure_refusal))
_AZURE_DEPLOYMENT = partial(
    OpenAIChatCodec,
    quirks=Quirks(path=lambda name: f"/deployments/{name}/chat/completions", failed=azure_refusal),
)


def azure_at(row: Provider, url: str) -> tuple[Provider, str]:
    """Return how Azure is asked at a URL: by its v1 API, or by the one before it.

    The v1 API takes no version and names no deployment in its paths, and neither do endpoints
    that serve one model. Fact:
    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle.
    """
    head, mark, query = url.partition("?")
    head = head.rstrip("/")
    if (urlsplit(head).hostname or "").endswith(".models.ai.azure.com"):
        head = f"{head.removesuffix('/v1')}/v1"
    if head.endswith("/v1"):
        if row.query:
            raise UserError("Azure's v1 API takes no `api_version`: leave it out.")
        return attrs.evolve(row, query_env={}), f"{head}{mark}{query}"
    codec = _AZURE_DEPLOYMENT if row.codec is _AZURE_V1 else row.codec
    head = f"{head.removesuffix('/openai')}/openai"
    version = {"api-version": "2024-10-21", **row.query}
    return attrs.evolve(row, query=version, codec=codec), f"{head}{mark}{query}"


AZURE = Provider(
    name="azure",
    codec=_AZURE_V1,
    base_url_env=("AZURE_OPENAI_ENDPOINT",),
    at_url=azure_at,
    key_env=("AZURE_OPENAI_API_KEY",),
    key_header="api-key",
    key_format="{}",
    takes_tokens=True,
    query_env={"api-version": "OPENAI_API_VERSION"},
    profile=compatible(by_start(_AT_AZURE, openai), _AZURE_PROFILE),
    reported_url="{}/",
)

GATEWAYS = (
    _row(
        "alibaba",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "ALIBABA_API_KEY",
        "DASHSCOPE_API_KEY",
        profile=alibaba_profile,
    ),
    AZURE,
    _row(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        quirks=Quirks(settings=cerebras_settings),
        headers={"x-cerebras-3rd-party-integration": "direct-anyio"},
        profile=cerebras_profile,
    ),
    _row(
        "crusoe",
        "https://api.inference.crusoecloud.com/v1",
        "CRUSOE_API_KEY",
        profile=compatible(by_vendor(), _JSON_OUTPUT),
    ),
    _row(
        "databricks",
        None,
        "DATABRICKS_TOKEN",
        base_url_env=("DATABRICKS_HOST",),
        base_url_format="{}/serving-endpoints",
        profile=lambda name: compatible(
            by_start(STARTS | {"claude": anthropic, "gpt-5": openai}), _OLDER_LIMIT
        )(name.removeprefix("databricks-")),
    ),
    _row(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
        "DEEPINFRA_TOKEN",
        profile=compatible(by_vendor(), _OLDER_LIMIT),
    ),
    _row("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY", profile=deepseek_profile),
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
    _row("grok", "https://api.x.ai/v1", "GROK_API_KEY", profile=compatible(grok, _NO_STRICT)),
    _row(
        "heroku",
        "https://us.inference.heroku.com/v1",
        "HEROKU_INFERENCE_KEY",
        base_url_env=("HEROKU_INFERENCE_URL",),
        base_url_format="{}/v1",
        profile=compatible(
            by_start(STARTS | {"claude": anthropic, "nova": inlining}), _OLDER_LIMIT
        ),
        reported_url="{}/",
    ),
    _row(
        "huggingface",
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        quirks=Quirks(settings=own_effort, marks_tagged=False, usage=common_totals),
        profile=lambda name: OpenAIModelProfile().update(by_vendor()(name)).update(_OLDER_LIMIT),
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
    _row(
        "llamacpp",
        "http://localhost:8080/v1",
        "LLAMA_API_KEY",
        base_url_env=("LLAMACPP_BASE_URL",),
        default_key="api-key-not-set",
        profile=compatible(by_start(), _OWN_SERVER),
    ),
    _row(
        "lmstudio",
        "http://localhost:1234/v1",
        "LM_STUDIO_API_KEY",
        base_url_env=("LM_STUDIO_API_BASE",),
        default_key="api-key-not-set",
        profile=compatible(by_vendor(otherwise=by_start()), _OWN_SERVER),
    ),
    Provider(
        name="meta",
        codec=Late("openai_responses", "OpenAIResponsesCodec"),
        base_url="https://api.meta.ai/v1",
        key_env=("META_API_KEY",),
        profile=compatible(base=_MUSE),
    ),
    _row("minimax", "https://api.minimax.io/v1", "MINIMAX_API_KEY"),
    _row(
        "moonshotai",
        "https://api.moonshot.ai/v1",
        "MOONSHOTAI_API_KEY",
        base_url_env=("MOONSHOTAI_BASE_URL",),
        quirks=Quirks(settings=moonshot_settings),
        profile=moonshot_profile,
    ),
    _row(
        "nebius",
        "https://api.studio.nebius.com/v1",
        "NEBIUS_API_KEY",
        profile=compatible(by_vendor(needed=True)),
    ),
    _row(
        "nvidia",
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_API_KEY",
        profile=compatible(by_vendor(), _OLDER_LIMIT),
    ),
    _row(
        "ollama",
        "http://localhost:11434/v1",
        "OLLAMA_API_KEY",
        base_url_env=("OLLAMA_BASE_URL",),
        default_key="api-key-not-set",
        profile=ollama_profile,
        reported_url="{}/",
    ),
    _row(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        quirks=OPENROUTER,
        header_env={"http-referer": "OPENROUTER_APP_URL", "x-title": "OPENROUTER_APP_TITLE"},
        profile=openrouter_profile,
    ),
    _row(
        "ovhcloud",
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        "OVHCLOUD_API_KEY",
        profile=compatible(by_start()),
    ),
    _row(
        "perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        profile=compatible(base=_OLDER_LIMIT),
    ),
    _row(
        "sambanova",
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
        base_url_env=("SAMBANOVA_BASE_URL",),
        profile=compatible(by_start(), _OLDER_LIMIT),
    ),
    _row(
        "snowflake",
        None,
        "SNOWFLAKE_TOKEN",
        quirks=Quirks(
            settings=snowflake_settings, thoughts=detailed_thoughts, send_back=thought_detail
        ),
        base_url_env=("SNOWFLAKE_ACCOUNT",),
        base_url_format="https://{}.snowflakecomputing.com/api/v2/cortex/v1",
        profile=compatible(snowflake_profile, _NO_STRICT),
    ),
    _row(
        "together",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
        profile=compatible(by_vendor(), _OLDER_LIMIT),
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
        profile=vllm_profile,
        reported_url="{}/",
    ),
    _row("xai", "https://api.x.ai/v1", "XAI_API_KEY", profile=compatible(grok, _NO_STRICT)),
    _row(
        "zai",
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        quirks=Quirks(settings=zai_settings),
        profile=compatible(glm, _IN_FIELD.update(_OLDER_LIMIT)),
    ),
)

_BEHIND = {
    "openai": ("openai", "openai"),
    "openai-chat": ("openai-chat", "openai"),
    "chat": ("openai-chat", "openai"),
    "openai-responses": ("openai-responses", "openai"),
    "responses": ("openai-responses", "openai"),
    "anthropic": ("anthropic", "anthropic"),
    "groq": ("groq", "groq"),
    "google-vertex": ("google-vertex", "google-vertex/v1beta1"),
    "google-cloud": ("google-vertex", "google-vertex/v1beta1"),
    "google": ("google-vertex", "google-vertex/v1beta1"),
    "gemini": ("google-vertex", "google-vertex/v1beta1"),
}
"""From a name behind Pydantic's gateway to the row of its provider, and its route there."""


def behind_gateway(rows: Iterable[Provider]) -> tuple[Provider, ...]:
    """Return rows for the providers that Pydantic's gateway stands before."""
    base = "https://gateway.pydantic.dev/proxy"
    by_name = {row.name: row for row in rows}
    return tuple(
        attrs.evolve(
            by_name[provider],
            name=f"gateway/{name}",
            base_url=f"{base}/{route}",
            base_url_env=("PYDANTIC_AI_GATEWAY_BASE_URL", "PAIG_BASE_URL"),
            find_url=None,  # it stands before a project of its own
            base_url_format=f"{{}}/{route}",
            key_env=("PYDANTIC_AI_GATEWAY_API_KEY", "PAIG_API_KEY"),
            key_header="authorization",
            key_format="Bearer {}",
            header_env={},
            reported_name=by_name[provider].reported_name or provider,
            reported_url="{}/",
        )
        for name, (provider, route) in _BEHIND.items()
    )
