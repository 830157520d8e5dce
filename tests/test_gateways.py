"""Rows for the gateways: where they are, how they take the key, what their models can do."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import httpx
import pytest

from direct_anyio import (
    ModelMessage,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ModelSettings,
    TextPart,
    ThinkingPart,
    ToolDefinition,
    UnexpectedModelBehavior,
    UnheededSettingWarning,
    UserError,
    infer_model,
    model_request,
)
from direct_anyio._core.json_schema import inlined_defs, openai_json_schema
from direct_anyio.dialects._openai import OpenAIModelProfile
from direct_anyio.profiles import ModelProfile
from direct_anyio.providers import PROVIDERS
from direct_anyio.providers._gateways import GATEWAYS

ANSWER = {"choices": [{"finish_reason": "stop", "message": {"content": "Yes."}}]}
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt("Hello")]
TOOL = ModelRequestParameters(function_tools=[ToolDefinition(name="f")], allow_text_output=False)


async def sent(
    name: str,
    messages: list[ModelMessage] = HELLO,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    base_url: str | None = None,
) -> httpx.Request:
    """Return what a model of this name is sent."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    client: Any = httpx.AsyncClient(transport=httpx.MockTransport(handle), trust_env=False)
    model = infer_model(name, api_key="key", base_url=base_url, http_client=client)
    # What is answered is no answer in every protocol, and of no interest.
    with suppress(UnexpectedModelBehavior):
        await model_request(
            model, messages, model_settings=settings, model_request_parameters=parameters
        )
    return seen[0]


def body_of(request: httpx.Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.content)
    return body


@pytest.mark.parametrize("row", GATEWAYS, ids=lambda row: str(row.name))
async def test_every_gateway_takes_a_request(row: Any) -> None:
    """Each row has a URL and a key's header, and its codec writes a request."""
    base_url = None if row.base_url else "https://mine.test/v1"
    request = await sent(f"{row.name}:vendor/model", base_url=base_url)
    assert str(request.url).startswith(row.base_url or "https://mine.test/v1")
    assert request.headers[row.key_header] == row.key_format.format("key")
    sent_messages = body_of(request).get("messages") or body_of(request)["input"]
    assert sent_messages == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("name", "environ", "url"),
    [
        ("heroku", {"HEROKU_INFERENCE_URL": "https://eu.test/"}, "https://eu.test/v1"),
        (
            "snowflake",
            {"SNOWFLAKE_ACCOUNT": "me"},
            "https://me.snowflakecomputing.com/api/v2/cortex/v1",
        ),
        ("ollama", {}, "http://localhost:11434/v1"),
        ("vllm", {"VLLM_BASE_URL": "http://gpu:8000/v1"}, "http://gpu:8000/v1"),
        ("vllm", {}, None),
        (
            "databricks",
            {"DATABRICKS_HOST": "https://me.cloud.databricks.com/"},
            "https://me.cloud.databricks.com/serving-endpoints",
        ),
        ("lmstudio", {}, "http://localhost:1234/v1"),
        ("lmstudio", {"LM_STUDIO_API_BASE": "http://gpu:1234/v1"}, "http://gpu:1234/v1"),
        ("gateway/openai", {}, "https://gateway.pydantic.dev/proxy/openai"),
        (
            "gateway/groq",
            {"PYDANTIC_AI_GATEWAY_BASE_URL": "http://localhost:8787"},
            "http://localhost:8787/groq",
        ),
    ],
)
def test_base_urls(name: str, environ: dict[str, str], url: str | None) -> None:
    """A base URL comes from its variable, made whole where that names less than a URL."""
    assert PROVIDERS[name].url(environ) == url


async def test_openrouter_is_sent_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's name and address go along where the environment has them."""
    monkeypatch.setenv("OPENROUTER_APP_URL", "https://app.test")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "App")
    request = await sent("openrouter:openai/gpt-4o")
    assert request.headers["http-referer"] == "https://app.test"
    assert request.headers["x-title"] == "App"


async def test_openrouter_settings() -> None:
    """Routing and thinking are members of the body."""
    settings: Any = {"openrouter_models": ["a/b"], "thinking": "high", "max_tokens": 5}
    body = body_of(await sent("openrouter:openai/gpt-4o", settings=settings))
    assert body["models"] == ["a/b"]
    assert body["reasoning"] == {"effort": "high", "enabled": True}
    assert body["max_tokens"] == 5


async def test_openrouter_thoughts_go_back_as_they_came() -> None:
    """A thought of OpenRouter's own is sent back as a detail, another one is not."""
    detail_sent = {"format": "anthropic-claude-v1", "index": 0, "type": "reasoning.text"}
    own = ThinkingPart(
        "Hm.", signature="s", provider_name="openrouter", provider_details=detail_sent
    )
    answer = ModelResponse([own, TextPart("Hi")], provider_name="openrouter")
    body = body_of(await sent("openrouter:anthropic/claude", [*HELLO, answer, *HELLO]))
    detail = {"id": None, "text": "Hm.", "signature": "s"} | detail_sent
    assert body["messages"][1] == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_details": [detail],
    }


async def test_deepseek_thoughts_go_back_in_their_field() -> None:
    """DeepSeek wants thoughts back in `reasoning_content`, and its reasoner no demands."""
    answer = ModelResponse([ThinkingPart("Hm."), TextPart("Hi")])
    messages = [*HELLO, answer, *HELLO]
    body = body_of(await sent("deepseek:deepseek-reasoner", messages, parameters=TOOL))
    assert body["messages"][1]["reasoning_content"] == "Hm."
    assert body["tool_choice"] == "auto"
    body = body_of(await sent("deepseek:deepseek-chat", messages, parameters=TOOL))
    assert body["tool_choice"] == "required"


async def test_cerebras_drops_what_it_refuses() -> None:
    """Settings that a gateway refuses are not sent."""
    settings: ModelSettings = {"frequency_penalty": 1, "parallel_tool_calls": True, "seed": 1}
    with pytest.warns(UnheededSettingWarning, match="frequency_penalty"):
        body = body_of(await sent("cerebras:llama3.1-8b", settings=settings, parameters=TOOL))
    assert "frequency_penalty" not in body
    assert "parallel_tool_calls" not in body
    assert body["seed"] == 1


async def test_azure_names_the_deployment() -> None:
    """Azure has the model in the path and its version in the query."""
    request = await sent("azure:gpt-4o", base_url="https://me.openai.azure.com")
    assert request.url.path == "/openai/deployments/gpt-4o/chat/completions"
    assert request.url.params["api-version"]
    assert request.headers["api-key"] == "key"


async def test_azure_filter_is_an_answer() -> None:
    """A prompt that Azure filters is answered by nothing, as with a filtered answer."""
    document = {"error": {"code": "content_filter", "message": "filtered"}}
    transport = httpx.MockTransport(lambda request: httpx.Response(400, json=document))
    client: Any = httpx.AsyncClient(transport=transport, trust_env=False)
    model = infer_model("azure:m", api_key="k", base_url="https://a.test", http_client=client)
    response = await model_request(model, HELLO)
    assert list(response.parts) == []
    assert response.finish_reason == "content_filter"


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("together:meta-llama/Llama-4", inlined_defs),
        ("ollama:qwen3", inlined_defs),
        ("openrouter:openai/gpt-4o", openai_json_schema),
        ("openrouter:nobody/model:free", openai_json_schema),
        ("nebius:openai/gpt-oss-120b", inlined_defs),
    ],
)
def test_families(name: str, transform: Any) -> None:
    """A model's family tells what schemas it reads, wherever it is served."""
    provider, _, model = name.partition(":")
    assert PROVIDERS[provider].profile(model).json_schema_transformer is transform


def test_gateways_that_need_a_vendor() -> None:
    """Where a name must have its vendor before a slash, one without is refused."""
    with pytest.raises(UserError, match="vendor/model"):
        PROVIDERS["vercel"].profile("gpt-4o")


def test_a_family_never_takes_away_what_the_gateway_can() -> None:
    """A family adds to what its gateway says."""
    profile: ModelProfile = PROVIDERS["crusoe"].profile("deepseek-ai/DeepSeek-R1")
    assert profile.supports_json_schema_output
    assert profile.ignore_streamed_leading_whitespace
    assert isinstance(profile, OpenAIModelProfile)


@pytest.mark.parametrize(
    ("name", "base_url", "typed"),
    [
        ("openai-responses", None, False),
        ("openai-responses", "https://api.openai.com/v1/", False),
        ("openai-responses", "http://localhost:8080/v1", True),
        ("azure-responses", "https://r.openai.azure.com", True),
        ("deepseek-responses", None, True),
        ("meta", None, True),
    ],
)
async def test_messages_say_what_they_are(name: str, base_url: str | None, typed: bool) -> None:
    """Servers of the Responses protocol but OpenAI's own know a message by its type alone."""
    messages = [*HELLO, ModelResponse([TextPart("Hi")]), *HELLO]
    request = await sent(f"{name}:m", messages, base_url=base_url)
    item = body_of(request)["input"][1]
    assert item == {"role": "assistant", "content": "Hi"} | ({"type": "message"} if typed else {})


SAMPLING = {
    "temperature": 0,
    "top_p": 0.5,
    "presence_penalty": 1,
    "frequency_penalty": 1,
    "logit_bias": {"1": 1},
    "openai_logprobs": True,
    "openai_top_logprobs": 2,
}
IN_CHAT = {key.removeprefix("openai_") for key in SAMPLING}


@pytest.mark.parametrize(
    ("model", "settings", "reasons"),
    [
        ("gpt-4.1", {}, False),
        ("gpt-5-chat-latest", {}, False),
        ("gpt-5", {}, True),
        ("gpt-5", {"thinking": False}, True),
        ("gpt-5.1", {}, False),
        ("gpt-5.1-2025-11-13", {"openai_reasoning_effort": "none"}, False),
        ("gpt-5.1", {"openai_reasoning_effort": "low"}, True),
        ("gpt-5.1", {"thinking": True}, True),
        ("gpt-5.1-codex", {}, True),
        ("gpt-5.2", {"thinking": False}, False),
        ("gpt-5.2-chat-latest", {}, True),
        ("gpt-5.2-pro", {}, True),
        ("gpt-5.3-codex", {}, False),
        ("gpt-5.4-mini", {}, False),
        ("gpt-5.5", {}, True),
        ("gpt-5.5", {"openai_reasoning_effort": "none"}, False),
        ("gpt-5.6-sol", {"thinking": False}, False),
        ("gpt-6-luna", {}, True),
        ("gpt-6.1-sol", {"thinking": False}, True),
        ("o3", {}, True),
        ("olmo-3", {}, False),
    ],
)
@pytest.mark.filterwarnings("ignore::direct_anyio.UnheededSettingWarning")
async def test_sampling_settings_where_a_model_does_not_reason(
    model: str, settings: Any, reasons: bool
) -> None:
    """They are dropped only where it reasons, unasked or asked, in both protocols."""
    sent_messages: Any = {**SAMPLING, **settings}
    body = body_of(await sent(f"openai:{model}", settings=sent_messages))
    assert body.keys() & IN_CHAT == (set() if reasons else IN_CHAT)
    body = body_of(await sent(f"openai-responses:{model}", settings=sent_messages))
    kept = {"temperature", "top_p", "top_logprobs"}
    assert body.keys() & kept == (set() if reasons else kept)
    included = "message.output_text.logprobs" in body.get("include", ())
    assert included is not reasons


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("openai:m", "max_completion_tokens"),
        ("azure:gpt-5", "max_completion_tokens"),
        ("azure:Mistral-Large-3", "max_tokens"),
        ("cerebras:m", "max_completion_tokens"),
        ("moonshotai:m", "max_completion_tokens"),
        ("deepseek:deepseek-chat", "max_tokens"),
        ("heroku:m", "max_tokens"),
        ("huggingface:openai/gpt-oss-20b", "max_tokens"),
        ("ollama:qwen3", "max_tokens"),
        ("sambanova:m", "max_tokens"),
        ("together:meta-llama/x", "max_tokens"),
        ("zai:glm-5", "max_tokens"),
        ("nvidia:meta/llama", "max_tokens"),
        ("databricks:databricks-claude-sonnet-4-5", "max_tokens"),
    ],
)
async def test_the_name_of_the_limit(name: str, limit: str) -> None:
    """Some providers heed the older name of `max_tokens` alone, some the newer."""
    body = body_of(await sent(name, settings={"max_tokens": 7}, base_url="https://h.test"))
    assert body[limit] == 7
    assert len(body.keys() & {"max_tokens", "max_completion_tokens"}) == 1


@pytest.mark.parametrize(
    ("name", "base_url", "member"),
    [
        ("google:gemini-3-pro-preview", None, "parameters_json_schema"),
        ("google:gemini-3-pro-preview", "http://localhost:4000", "parametersJsonSchema"),
        (
            "google-cloud:gemini-2.5-pro",
            "https://us-central1-aiplatform.googleapis.com/v1",
            "parameters_json_schema",
        ),
        ("google-cloud:gemini-2.5-pro", "http://localhost:4000", "parametersJsonSchema"),
        ("gateway/google:gemini-2.5-pro", None, "parametersJsonSchema"),
    ],
)
async def test_schemas_of_functions_at_gemini(name: str, base_url: str | None, member: str) -> None:
    """Servers but Google's own know the documented spelling alone."""
    body = body_of(await sent(name, parameters=TOOL, base_url=base_url))
    (declared,) = body["tools"][0]["functionDeclarations"]
    assert declared.keys() == {"name", "description", member}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("chat", "/proxy/openai/chat/completions"),
        ("responses", "/proxy/openai/responses"),
        ("gemini", "/proxy/google-vertex/v1beta1/publishers/google/models/m:generateContent"),
        ("google", "/proxy/google-vertex/v1beta1/publishers/google/models/m:generateContent"),
        ("google-cloud", "/proxy/google-vertex/v1beta1/publishers/google/models/m:generateContent"),
    ],
)
async def test_names_behind_the_gateway(name: str, path: str) -> None:
    """A protocol's name does where a provider's would."""
    request = await sent(f"gateway/{name}:m")
    assert (request.url.host, request.url.path) == ("gateway.pydantic.dev", path)
    assert request.headers["authorization"] == "Bearer key"


@pytest.mark.parametrize(
    "name",
    [
        "heroku:claude-opus-4-5",
        "heroku:gpt-oss-120b",
        "meta:muse-spark-1.3",
        "openrouter:anthropic/claude-sonnet-4.5",
        "snowflake:claude-haiku-4-5",
        "snowflake:openai-gpt-5.6-sol",
        "anthropic:claude-haiku-5-5",
        "databricks:databricks-claude-opus-4-8",
    ],
)
def test_models_with_native_output(name: str) -> None:
    """A model that can be held to a schema can be so wherever it is served."""
    provider, _, model = name.partition(":")
    assert PROVIDERS[provider].profile(model).supports_json_schema_output


@pytest.mark.parametrize(
    ("name", "mode", "native", "tools"),
    [
        ("snowflake:llama4-maverick", "prompted", False, False),
        ("heroku:claude-3-haiku", "tool", False, True),
        ("local:smollm2", "native", True, False),
        ("local:/models/other.gguf", "tool", True, True),
        ("groq:meta-llama/llama-guard-4-12b", "tool", False, True),
        ("anthropic:claude-opus-4-8", "tool", True, True),
        ("anthropic:claude-sonnet-5", "native", True, True),
        ("anthropic:claude-fable-5-2", "native", True, True),
        ("anthropic:claude-haiku-5-5", "native", True, True),
        ("anthropic:claude-mythos-preview", "tool", False, True),
    ],
)
def test_default_output_modes(name: str, mode: str, native: bool, tools: bool) -> None:
    """A model that thinks unasked is held to a schema, since a forced call keeps it from it."""
    provider, _, model = name.partition(":")
    profile = PROVIDERS[provider].profile(model)
    assert profile.default_structured_output_mode == mode
    assert profile.supports_json_schema_output is native
    assert profile.supports_tools is tools


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("heroku:claude-opus-5-5", "auto"),
        ("openrouter:anthropic/claude-opus-4.5", "required"),
        ("heroku:gpt-oss-120b", "auto"),
        ("openrouter:openai/gpt-oss-120b", "auto"),
    ],
)
async def test_models_that_cannot_be_forced(name: str, choice: str) -> None:
    """No call is demanded of them, wherever they are served."""
    body = body_of(await sent(name, parameters=TOOL))
    assert body["tool_choice"] == choice


def _effort(effort: str) -> dict[str, Any]:
    return {"reasoning_effort": effort}


def _object(effort: str) -> dict[str, Any]:
    return {"reasoning": {"effort": effort}, "temperature": 1}


_MUSE = [{"effort": effort} for effort in ("medium", "minimal", "low", "high")]
_OFF = {"thinking": {"type": "disabled"}}
_ON = {"thinking": {"type": "enabled"}}
_CAN = [_effort("medium"), _effort("none"), _effort("low"), _effort("high")]
_ALWAYS = [_effort("medium"), _effort("low"), _effort("low"), _effort("high")]
_LOW_OR_HIGH = [_effort("high"), _effort("low"), _effort("low"), _effort("high")]
_NOTHING: list[dict[str, Any]] = [{}, {}, {}, {}]


# What `thinking=True`, `False`, 'low' and 'high' add to the body.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crusoe:zai-org/GLM-5.3", _LOW_OR_HIGH),
        ("crusoe:deepseek-ai/DeepSeek-V4.1-Flash", _CAN),
        ("crusoe:meta-llama/Llama-3.3-70B-Instruct", _NOTHING),
        ("deepseek:deepseek-chat", _NOTHING),
        ("deepseek:deepseek-flash", _CAN),
        ("deepseek:deepseek-reasoner", _ALWAYS),
        ("deepseek:deepseek-v4-pro", _CAN),
        ("heroku:claude-4-5-sonnet", _CAN),
        ("heroku:claude-opus-5-5", _ALWAYS),
        ("heroku:kimi-k2-thinking", _CAN),
        ("litellm:anthropic/claude-sonnet-4-5", _CAN),
        ("litellm:google/gemini-2.5-flash", _CAN),
        ("litellm:google/gemini-2.0-flash", _NOTHING),
        ("vercel:google/gemini-2.5-pro", _ALWAYS),
        ("vercel:anthropic/claude-fable-5-1", _ALWAYS),
        ("together:deepseek-ai/DeepSeek-R1", _ALWAYS),
        ("nebius:openai/gpt-oss-120b", _ALWAYS),
        ("xai:grok-4.3", _CAN),
        ("xai:grok-2-vision-1212", _NOTHING),
        ("vllm:Qwen/Qwen3-8B", _CAN),
        ("vllm:Qwen/Qwen3-235B-A22B-Thinking-2507", _ALWAYS),
        ("vllm:Qwen/Qwen3-Coder-30B", _NOTHING),
        ("ollama:qwen3", _CAN),
        ("ollama:llama3.2", _NOTHING),
        ("moonshotai:kimi-k2.6", [_CAN[0], _OFF, _CAN[2], _CAN[3]]),
        ("moonshotai:kimi-k2.7-code", _ALWAYS),
        ("moonshotai:kimi-k3", _LOW_OR_HIGH),
        ("moonshotai:moonshot-v1-8k", _NOTHING),
        ("cerebras:gpt-oss-120b", _ALWAYS),
        ("cerebras:zai-glm-4.6", [{}, _effort("none"), {}, {}]),
        ("cerebras:llama3.1-8b", _NOTHING),
        ("zai:glm-4.7", [_ON, _OFF, _ON, _ON]),
        ("zai:glm-5.3", [_ON, _ON | _effort("low"), _ON | _effort("low"), _ON | _effort("high")]),
        (
            "snowflake:claude-sonnet-4-6",
            [_object("medium"), {}, _object("low"), _object("high")],
        ),
        ("snowflake:openai-gpt-5.6-luna", _CAN),
        ("huggingface:deepseek-ai/DeepSeek-R1", _NOTHING),
        (
            "openrouter:openai/gpt-5",
            [
                {"reasoning": {"effort": "medium", "enabled": True}},
                {"reasoning": {"effort": "minimal"}},
                {"reasoning": {"effort": "low", "enabled": True}},
                {"reasoning": {"effort": "high", "enabled": True}},
            ],
        ),
        ("mistral:magistral-medium-latest", [_effort(e) for e in ("high", "none", "high", "high")]),
        ("mistral:mistral-large-latest", _NOTHING),
        ("meta:muse-wonder-1.0", [{"reasoning": each} for each in _MUSE]),
    ],
)
def test_thinking(name: str, expected: list[dict[str, Any]]) -> None:
    """Each gateway is told how hard a model thinks by the member that it has for it."""
    model: Any = infer_model(name, api_key="k", base_url="https://h.test/v1")

    def body(settings: Any) -> Any:
        return model.codec.encode(HELLO, settings, ModelRequestParameters(), stream=False).body

    plain = body({})
    for level, added in zip((True, False, "low", "high"), expected, strict=True):
        assert body({"thinking": level}) == plain | added
