"""Settings without effect are told: which they are, in the warning and in the response."""

from __future__ import annotations

import warnings
from typing import Any

import httpx
import pytest

from direct_anyio import (
    ModelRequest,
    ModelRequestParameters,
    ModelSettings,
    ToolDefinition,
    UnheededSettingWarning,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
)
from direct_anyio._core.tool_choice import choice_of
from direct_anyio._core.unheeded import _ignored, unheeded
from direct_anyio.builtin_tools import MCPServerTool, WebFetchTool, WebSearchTool

TOOLS = ModelRequestParameters(function_tools=[ToolDefinition(name="f")])
COMMON: ModelSettings = {
    "max_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 3,
    "parallel_tool_calls": False,
    "seed": 1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logit_bias": {"1": 2},
    "stop_sequences": ["x"],
    "service_tier": "flex",
}


def ignored(name: str, settings: Any, parameters: ModelRequestParameters = TOOLS) -> set[str]:
    codec: Any = infer_model(name, api_key="k", base_url="https://h.test/v1")
    return set(unheeded(codec.codec, settings, parameters))


# Of the common settings, those that a protocol or a model has nothing for.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai-chat:gpt-4.1", {"top_k"}),
        (
            "openai-responses:gpt-4.1",
            {"frequency_penalty", "logit_bias", "presence_penalty", "seed", "stop_sequences"}
            | {"top_k"},
        ),
        (
            "openai-chat:o3",
            {"frequency_penalty", "logit_bias", "presence_penalty", "temperature", "top_k"}
            | {"top_p"},
        ),
        (
            "anthropic:claude-sonnet-4-5",
            {"frequency_penalty", "logit_bias", "presence_penalty", "seed", "service_tier"},
        ),
        (
            "anthropic:claude-opus-4-8",
            {"frequency_penalty", "logit_bias", "presence_penalty", "seed", "service_tier"}
            | {"temperature", "top_k", "top_p"},
        ),
        ("google:gemini-2.5-flash", {"logit_bias", "parallel_tool_calls"}),
        ("groq:llama-3.3-70b-versatile", {"service_tier", "top_k"}),
        ("mistral:mistral-large-latest", {"logit_bias", "service_tier", "top_k"}),
        ("cohere:command-a-03-2025", {"logit_bias", "parallel_tool_calls", "service_tier"}),
        (
            "cerebras:llama3.1-8b",
            {"frequency_penalty", "logit_bias", "parallel_tool_calls", "presence_penalty"}
            | {"service_tier", "top_k"},
        ),
    ],
)
def test_common_settings_without_effect(name: str, expected: set[str]) -> None:
    assert ignored(name, COMMON) == expected


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        # What a model does anyway is no setting without effect.
        ("anthropic:claude-sonnet-4-5", {"presence_penalty": 0, "service_tier": "default"}, set()),
        ("google:gemini-2.5-flash", {"parallel_tool_calls": True}, set()),
        ("openai-chat:o3", {"temperature": 1, "top_p": 1.0}, set()),
        # So is the value that is sent by default.
        ("anthropic:claude-3-5-haiku-latest", {"max_tokens": 4096}, set()),
        ("anthropic:claude-3-5-haiku-latest", {"max_tokens": 8192}, set()),
        ("openai-chat:gpt-4.1", {"thinking": False}, set()),
        ("openai-chat:gpt-4.1", {"thinking": True}, {"thinking"}),
        ("cerebras:zai-glm-4.6", {"thinking": True}, set()),
        ("cerebras:zai-glm-4.6", {"thinking": "low"}, {"thinking"}),
        ("groq:deepseek-r1-distill-llama-70b", {"thinking": False}, {"thinking"}),
        ("mistral:magistral-medium-2506", {"thinking": False}, {"thinking"}),
        ("mistral:magistral-medium-latest", {"thinking": False}, set()),
        ("cohere:command-a-reasoning-08-2025", {"thinking": False}, set()),
        ("cohere:command-a-03-2025", {"thinking": True}, {"thinking"}),
        # A value whose opposite cannot be written.
        ("anthropic:claude-sonnet-4-5", {"anthropic_container": False}, set()),
        # One that another setting overrides has had its say.
        (
            "openai-chat:gpt-4.1",
            {"service_tier": "flex", "openai_service_tier": "priority"},
            set(),
        ),
        (
            "anthropic:claude-sonnet-4-5",
            {"thinking": "low", "anthropic_thinking": {"type": "enabled", "budget_tokens": 1024}},
            set(),
        ),
        # A setting of the protocol that this model or this protocol does not know.
        ("openai-chat:gpt-4.1", {"openai_truncation": "auto"}, {"openai_truncation"}),
        (
            "openrouter:openai/gpt-5",
            {"openrouter_cache_messages": 1},
            {"openrouter_cache_messages"},
        ),
        # One of another provider's is meant for another model.
        ("openai-chat:gpt-4.1", {"anthropic_metadata": {"user_id": "u"}}, set()),
        # Settings that other libraries have for all providers.
        ("openai-chat:gpt-4.1", {"cache": True}, {"cache"}),
        # These are heeded by the transport.
        ("openai-chat:gpt-4.1", {"timeout": 3, "max_retries": 0, "extra_body": {"a": 1}}, set()),
        ("snowflake:claude-sonnet-4-6", {"temperature": 0.5, "thinking": "low"}, {"temperature"}),
    ],
)
def test_settings_without_effect(name: str, settings: Any, expected: set[str]) -> None:
    assert ignored(name, settings) == expected


def test_a_setting_that_cannot_be_written() -> None:
    """It is told where it is to be written, and not here."""
    endless: dict[str, Any] = {}
    for _ in range(3000):
        endless = {"a": endless}
    assert ignored("openai-chat:gpt-4.1", {"openai_prediction": endless, "top_k": 1}) == set()


def test_settings_about_tools_wait_for_tools() -> None:
    settings: Any = {"parallel_tool_calls": False, "anthropic_cache_tool_definitions": True}
    for name in ("google:gemini-2.5-flash", "anthropic:claude-sonnet-4-5"):
        assert ignored(name, settings, ModelRequestParameters()) == set()
    # One that is itself a list of tools does not wait.
    builtin = {"openai_builtin_tools": [{"type": "x"}]}
    none = ModelRequestParameters()
    assert ignored("openai-chat:gpt-4.1", builtin, none) == {"openai_builtin_tools"}


@pytest.mark.parametrize(
    ("name", "tool", "expected"),
    [
        ("openai-responses:gpt-4.1", WebSearchTool(max_uses=2), {"web_search.max_uses"}),
        ("openai-responses:gpt-4.1", WebSearchTool(allowed_domains=["a.b"]), set()),
        ("anthropic:claude-sonnet-4-5", WebSearchTool(max_uses=2), set()),
        (
            "anthropic:claude-sonnet-4-5",
            MCPServerTool(id="a", url="https://a.b", headers={"a": "b"}),
            {"mcp_server.headers"},
        ),
        ("groq:compound-beta", WebSearchTool(max_uses=2), {"web_search.max_uses"}),
        (
            "google:gemini-3-pro-preview",
            WebFetchTool(max_content_tokens=9),
            {"web_fetch.max_content_tokens"},
        ),
        # This is refused, and so nothing else is told of it.
        ("openai-chat:gpt-4.1", WebSearchTool(max_uses=2), set()),
    ],
)
def test_options_of_builtin_tools(name: str, tool: Any, expected: set[str]) -> None:
    assert ignored(name, {}, ModelRequestParameters(builtin_tools=[tool])) == expected


# A value for each setting of a protocol's own, and a model that heeds it.
OWN: dict[str, dict[str, Any]] = {
    "anthropic:claude-opus-4-5": {
        "anthropic_metadata": {"user_id": "u"},
        "anthropic_thinking": {"type": "enabled", "budget_tokens": 1024},
        "anthropic_effort": "low",
        "anthropic_cache_tool_definitions": True,
        "anthropic_cache_instructions": True,
        "anthropic_cache_messages": "1h",
        "anthropic_container": {"id": "c"},
        "anthropic_betas": ["b"],
        "anthropic_service_tier": "standard_only",
    },
    "google:gemini-3-pro-preview": {
        "google_safety_settings": [{"category": "c", "threshold": "t"}],
        "google_thinking_config": {"thinking_level": "low"},
        "google_labels": {"a": "b"},
        "google_video_resolution": "MEDIA_RESOLUTION_LOW",
        "google_cached_content": "cachedContents/1",
        "google_logprobs": True,
        "google_top_logprobs": 3,
        "google_model_armor_config": {"promptTemplateName": "t"},
    },
    "groq:qwen/qwen3-32b": {"groq_reasoning_format": "raw", "groq_reasoning_effort": "none"},
    "mistral:mistral-large-latest": {"mistral_prompt_cache_key": "k"},
    "openai-chat:gpt-5": {
        "openai_reasoning_effort": "low",
        "openai_user": "u",
        "openai_service_tier": "flex",
        "openai_prediction": {"type": "content", "content": "x"},
        "openai_prompt_cache_key": "k",
        "openai_prompt_cache_retention": "24h",
        "openai_store": True,
        "openai_moderation": {"model": "m"},
        "openai_text_verbosity": "low",
        "openai_continuous_usage_stats": True,
    },
    "openai-responses:gpt-5.4": {
        "openai_reasoning_effort": "low",
        "openai_reasoning_summary": "auto",
        "openai_reasoning_context": "current_turn",
        "openai_send_reasoning_ids": False,
        "openai_previous_response_id": "auto",
        "openai_truncation": "auto",
        "openai_text_verbosity": "low",
        "openai_builtin_tools": [{"type": "computer"}],
        "openai_include_code_execution_outputs": True,
        "openai_include_web_search_sources": True,
        "openai_include_file_search_results": True,
        "openai_logprobs": True,
        "openai_user": "u",
        "openai_service_tier": "flex",
        "openai_store": True,
        "openai_prompt_cache_key": "k",
        "openai_prompt_cache_retention": "24h",
    },
    "openrouter:anthropic/claude-sonnet-4-5": {
        "openrouter_models": ["a/b"],
        "openrouter_provider": {"only": ["a"]},
        "openrouter_preset": "p",
        "openrouter_transforms": ["middle-out"],
        "openrouter_reasoning": {"effort": "low"},
        "openrouter_usage": {"include": True},
    },
    "cerebras:zai-glm-4.6": {"cerebras_disable_reasoning": True},
}


@pytest.mark.parametrize("name", OWN)
def test_own_settings_are_heeded(name: str) -> None:
    for key, value in OWN[name].items():
        needs = {"google_logprobs": True} if key == "google_top_logprobs" else {}
        assert ignored(name, {key: value, **needs}) == set()


ANSWER = {"choices": [{"finish_reason": "stop", "message": {"content": "Yes."}}]}


def test_numbers_and_texts_that_vary_are_tested_once() -> None:
    """A seed, or the id of a user, costs no comparison in each request."""
    model: Any = infer_model("anthropic:claude-haiku-4-5", api_key="k")
    before = _ignored.cache_info().misses
    for number in range(1, 5):
        metadata = {"user_id": f"{number:032}"}
        settings: Any = {"seed": number, "anthropic_metadata": metadata}
        assert unheeded(model.codec, settings, TOOLS) == ("seed",)
    assert _ignored.cache_info().misses == before + 1


async def test_the_user_is_warned() -> None:
    """A warning, once by Python's default filter, and a list in each response."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=ANSWER))
    client: Any = httpx.AsyncClient(transport=transport, trust_env=False)
    hello = [ModelRequest.user_text_prompt("Hi")]
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("default")
        for number in range(1, 3):
            settings: ModelSettings = {"top_k": number, "seed": number}
            model = infer_model("openai:gpt-4.1", api_key="k", http_client=client)
            response = await model_request(model, hello, model_settings=settings)
            assert (response.provider_details or {})["direct_anyio"]["unheeded"] == ["top_k"]
            async with model_request_stream(model, hello, model_settings=settings) as stream:
                response = await stream.drain()
            assert (response.provider_details or {})["direct_anyio"]["unheeded"] == ["top_k"]
    (warning,) = reported
    assert warning.category is UnheededSettingWarning
    assert "'top_k' has no effect on 'openai:gpt-4.1'" in str(warning.message)


@pytest.mark.parametrize("wanted", ["required", ["f"]])
@pytest.mark.parametrize(
    "name",
    [
        "moonshotai:kimi-k2.6",
        "deepseek:deepseek-reasoner",
        "meta:muse-wonder-1.0",
        "anthropic:claude-opus-5-5",
    ],
)
async def test_a_call_that_cannot_be_forced(name: str, wanted: Any) -> None:
    """A tool choice that the model does not know is refused before anything is sent."""
    model = infer_model(name, api_key="k")
    hello = [ModelRequest.user_text_prompt("Hi")]
    with pytest.raises(UserError, match="forced to call a tool"):
        await model_request(
            model,
            hello,
            model_settings={"tool_choice": wanted},
            model_request_parameters=TOOLS,
        )


def test_an_output_tool_is_left_to_a_model_that_cannot_be_forced() -> None:
    output = ToolDefinition(name="o", kind="output")
    parameters = ModelRequestParameters(
        output_mode="tool", output_tools=[output], allow_text_output=False
    )
    assert choice_of({}, parameters).mode == "required"
    assert choice_of({}, parameters, "it cannot").mode == "auto"
    assert choice_of({"tool_choice": "none"}, parameters, "it cannot").mode == "auto"
