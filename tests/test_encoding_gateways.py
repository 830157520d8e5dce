"""What gateways do beside Chat Completions: addresses, and exact bodies."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import (
    ModelRequest,
    OutputObjectDefinition,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    UserPromptPart,
)
from direct_anyio.builtin_tools import WebSearchTool
from direct_anyio.content import DocumentUrl
from direct_anyio.providers import PROVIDERS

from .encoding import (
    HELLO_SAID,
    LOOSE,
    NATIVE,
    PDF,
    PROMPT,
    PROMPTED,
    SCHEMA,
    STRICT,
    WAV,
    F,
    JSONObject,
    Row,
    addressed,
    compared,
    sent,
    turn,
    user,
)

PLAIN: JSONObject = {"messages": [HELLO_SAID], "stream": False}
KEY = {"authorization": "Bearer key"}

# Where each is, by model; the base URL is told where the row has none.
ADDRESSES: dict[str, tuple[str, JSONObject]] = {
    "alibaba:qwen-max": (
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
        KEY,
    ),
    "cerebras:llama3.1-8b": (
        "https://api.cerebras.ai/v1/chat/completions",
        KEY | {"x-cerebras-3rd-party-integration": "direct-anyio"},
    ),
    "crusoe:openai/gpt-oss-120b": (
        "https://api.inference.crusoecloud.com/v1/chat/completions",
        KEY,
    ),
    "deepseek:deepseek-chat": ("https://api.deepseek.com/chat/completions", KEY),
    "fireworks:accounts/fireworks/models/qwq-32b": (
        "https://api.fireworks.ai/inference/v1/chat/completions",
        KEY,
    ),
    "github:openai/gpt-4o": ("https://models.github.ai/inference/chat/completions", KEY),
    "grok:grok-4": ("https://api.x.ai/v1/chat/completions", KEY),
    "heroku:claude-4-sonnet": ("https://us.inference.heroku.com/v1/chat/completions", KEY),
    "huggingface:Qwen/Qwen3-32B": ("https://router.huggingface.co/v1/chat/completions", KEY),
    "litellm:gpt-4o": ("https://mine.test/v1/chat/completions", KEY),
    "moonshotai:kimi-k2-0905-preview": ("https://api.moonshot.ai/v1/chat/completions", KEY),
    "nebius:openai/gpt-oss-120b": ("https://api.studio.nebius.com/v1/chat/completions", KEY),
    "ollama:qwen3": ("http://localhost:11434/v1/chat/completions", KEY),
    "openai-chat:gpt-4o": ("https://api.openai.com/v1/chat/completions", KEY),
    "openrouter:openai/gpt-4o": ("https://openrouter.ai/api/v1/chat/completions", KEY),
    "ovhcloud:gpt-oss-20b": (
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1/chat/completions",
        KEY,
    ),
    "sambanova:DeepSeek-R1": ("https://api.sambanova.ai/v1/chat/completions", KEY),
    "snowflake:claude-4-sonnet": ("https://mine.test/v1/chat/completions", KEY),
    "together:meta-llama/Llama-4": ("https://api.together.xyz/v1/chat/completions", KEY),
    "vercel:openai/gpt-4o": (
        "https://ai-gateway.vercel.sh/v1/chat/completions",
        KEY | {"x-title": "direct-anyio"},
    ),
    "vllm:qwen3": ("https://mine.test/v1/chat/completions", KEY),
    "xai:grok-4": ("https://api.x.ai/v1/chat/completions", KEY),
    "zai:glm-4.6": ("https://api.z.ai/api/paas/v4/chat/completions", KEY),
    "meta:llama": ("https://api.meta.ai/v1/responses", KEY),
    "gateway/openai:gpt-4o": ("https://gateway.pydantic.dev/proxy/openai/chat/completions", KEY),
    "gateway/anthropic:claude-haiku-4-5": (
        "https://gateway.pydantic.dev/proxy/anthropic/v1/messages",
        KEY | {"anthropic-version": "2023-06-01", "beta": "true"},
    ),
    "gateway/groq:llama-3.3-70b-versatile": (
        "https://gateway.pydantic.dev/proxy/groq/openai/v1/chat/completions",
        KEY,
    ),
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the environment tells of providers out of addresses."""
    for row in PROVIDERS.values():
        for name in (*row.base_url_env, *row.header_env.values(), *row.query_env.values()):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("model", ADDRESSES)
async def test_addresses(model: str) -> None:
    """Each gateway has a URL, a header for the key, and few more."""
    url, more = ADDRESSES[model]
    base = "https://mine.test/v1" if "mine.test" in url else None
    assert await addressed(model, base) == (url, more)


def at(model: str, members: Any, **asked: Any) -> Row:
    """Return a row of what a model is sent."""
    named = model.partition(":")[2]
    expected = members if isinstance(members, str) else {"model": named} | members
    return {"model": model} | asked, expected


def answered(message: JSONObject) -> JSONObject:
    return {"messages": [HELLO_SAID, message, HELLO_SAID]}


def content(piece: JSONObject) -> JSONObject:
    return {"messages": [{"role": "user", "content": [piece]}]}


THOUGHT = turn(ThinkingPart("Hm."), TextPart("Hi"))
IN_FIELD = answered({"role": "assistant", "content": "Hi", "reasoning_content": "Hm."})
IN_TAGS = answered({"role": "assistant", "content": "<think>\nHm.\n</think>\n\nHi"})
IN_LONG_TAGS = answered({"role": "assistant", "content": "<thinking>\nHm.\n</thinking>\n\nHi"})
MUST: JSONObject = {"function_tools": [LOOSE], "allow_text_output": False}
FREE: JSONObject = {"tools": [F], "tool_choice": "auto"}
FORCED: JSONObject = {"tools": [F], "tool_choice": "required"}
JSON_SCHEMA: JSONObject = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "point",
            "schema": SCHEMA,
            "description": "A point.",
            "strict": True,
        },
    }
}
JSON_OBJECT: JSONObject = {
    "messages": [{"role": "system", "content": PROMPT}, HELLO_SAID],
    "response_format": {"type": "json_object"},
}


def strict(*, known: bool) -> JSONObject:
    function: JSONObject = {"name": "g", "description": "", "parameters": SCHEMA}
    function |= {"strict": True} if known else {}
    return {"tools": [{"type": "function", "function": function}], "tool_choice": "auto"}


def audio(data: str) -> JSONObject:
    return content({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})


NO_NATIVE = "Native structured output is not supported by this model."

QUIRKS: dict[str, Row] = {
    "alibaba hears bytes": at("alibaba:qwen-max", audio("+/8="), messages=user(WAV)),
    "alibaba's omni hears URIs": at(
        "alibaba:Qwen3-Omni-Flash", audio("data:audio/wav;base64,+/8="), messages=user(WAV)
    ),
    "azure reads no documents": at(
        "azure:gpt-4o",
        "Chat Completions cannot be sent a file of type application/pdf",
        messages=user(PDF),
        url="https://a.test",
    ),
    "cerebras refuses some settings": at(
        "cerebras:llama3.1-8b",
        FREE | {"seed": 1, "stop": ["."]},
        settings={
            "frequency_penalty": 1,
            "presence_penalty": 1,
            "logit_bias": {"1": 1},
            "parallel_tool_calls": True,
            "service_tier": "flex",
            "seed": 1,
            "stop_sequences": ["."],
        },
        function_tools=[LOOSE],
    ),
    "cerebras is told not to reason": at(
        "cerebras:gpt-oss-120b",
        {"disable_reasoning": True},
        settings={"cerebras_disable_reasoning": True},
    ),
    "cerebras is told to reason": at(
        "cerebras:qwen-3-32b",
        {"disable_reasoning": False},
        settings={"cerebras_disable_reasoning": False},
    ),
    "cerebras's coder cannot be forced": at("cerebras:qwen-3-coder-480b", FREE, **MUST),
    "cerebras's coder takes nothing strict": at(
        "cerebras:qwen-3-coder-480b", strict(known=False), function_tools=[STRICT]
    ),
    "cerebras's others do": at("cerebras:qwen-3-32b", strict(known=True), function_tools=[STRICT]),
    "crusoe knows schemas": at("crusoe:meta-llama/Llama-4", JSON_SCHEMA, **NATIVE),
    "crusoe knows JSON": at("crusoe:meta-llama/Llama-4", JSON_OBJECT, **PROMPTED),
    "crusoe's gpt-oss cannot be forced": at("crusoe:openai/gpt-oss-120b", FREE, **MUST),
    "deepseek reads thoughts in a field": at("deepseek:deepseek-chat", IN_FIELD, messages=THOUGHT),
    "deepseek knows JSON": at("deepseek:deepseek-chat", JSON_OBJECT, **PROMPTED),
    "deepseek knows no schemas": at("deepseek:deepseek-chat", NO_NATIVE, **NATIVE),
    "deepseek can be forced": at("deepseek:deepseek-chat", FORCED, **MUST),
    "deepseek's reasoner cannot": at("deepseek:deepseek-reasoner", FREE, **MUST),
    "grok takes nothing strict": at("grok:grok-4", strict(known=False), function_tools=[STRICT]),
    "xai takes nothing strict": at("xai:grok-4", strict(known=False), function_tools=[STRICT]),
    "fireworks takes strict tools": at(
        "fireworks:accounts/fireworks/models/qwq-32b", strict(known=True), function_tools=[STRICT]
    ),
    "github's OpenAI": at("github:openai/gpt-4o", JSON_SCHEMA, **NATIVE),
    "heroku is sent thoughts in tags": at("heroku:nova-pro", IN_TAGS, messages=THOUGHT),
    "heroku's Claude has tags of its own": at(
        "heroku:claude-4-sonnet", IN_LONG_TAGS, messages=THOUGHT
    ),
    "litellm's own names are OpenAI's": at(
        "litellm:gpt-4o", JSON_SCHEMA, **NATIVE, url="https://mine.test/v1"
    ),
    "litellm's of another vendor are not": at(
        "litellm:mistral/mistral-large", NO_NATIVE, **NATIVE, url="https://mine.test/v1"
    ),
    "moonshot reads thoughts in a field": at("moonshotai:kimi-k2", IN_FIELD, messages=THOUGHT),
    "moonshot cannot be forced": at("moonshotai:kimi-k2", FREE, **MUST),
    "moonshot knows JSON": at("moonshotai:kimi-k2", JSON_OBJECT, **PROMPTED),
    "nebius's gpt-oss cannot be forced": at("nebius:openai/gpt-oss-120b", FREE, **MUST),
    "ollama is sent thoughts in tags": at("ollama:qwen3", IN_TAGS, messages=THOUGHT),
    "ollama knows schemas, not strict": at(
        "ollama:qwen3",
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "point", "schema": SCHEMA, "description": "A point."},
            }
        },
        **NATIVE,
    ),
    "ollama takes nothing strict": at("ollama:qwen3", strict(known=False), function_tools=[STRICT]),
    "snowflake's Claude has tags of its own": at(
        "snowflake:claude-4-sonnet", IN_LONG_TAGS, messages=THOUGHT, url="https://mine.test/v1"
    ),
    "snowflake takes nothing strict": at(
        "snowflake:claude-4-sonnet",
        strict(known=False),
        function_tools=[STRICT],
        url="https://mine.test/v1",
    ),
    "vercel's Claude has tags of its own": at(
        "vercel:anthropic/claude-haiku-4.5", IN_LONG_TAGS, messages=THOUGHT
    ),
    "vllm knows schemas": at("vllm:qwen3", JSON_SCHEMA, **NATIVE, url="https://mine.test/v1"),
    "zai reads thoughts in a field": at("zai:glm-4.6", IN_FIELD, messages=THOUGHT),
}


def effort(value: str | None) -> JSONObject:
    return {} if value is None else {"reasoning_effort": value}


def efforts(*values: str | None) -> list[JSONObject]:
    return list(map(effort, values))


NOTHING: list[JSONObject] = [{}] * 5
DISABLED: JSONObject = {"thinking": {"type": "disabled"}}
ENABLED: JSONObject = {"thinking": {"type": "enabled"}}
CAN_THINK = efforts("none", "medium", "low", "high", "high")
ALWAYS_THINKS = efforts("low", "medium", "low", "high", "high")


def cortex(value: str) -> JSONObject:
    return {"reasoning": {"effort": value}, "temperature": 1}


LEVELS = (False, True, "low", "high", "max")

# What each level of thinking becomes.
THINKING: dict[str, list[JSONObject]] = {
    "cerebras:gpt-oss-120b": ALWAYS_THINKS,
    "cerebras:kimi-k3": efforts("low", "high", "low", "high", "max"),
    "cerebras:llama3.1-8b": NOTHING,
    "cerebras:qwen-3.8": efforts("none", None, None, None, None),
    "cerebras:zai-glm-4.7": efforts("none", None, None, None, None),
    "cerebras:zai-glm-5.3": efforts("low", "high", "low", "high", "max"),
    "deepseek:deepseek-chat": NOTHING,
    "deepseek:deepseek-reasoner": ALWAYS_THINKS,
    "deepseek:deepseek-v4-pro": CAN_THINK,
    "grok:grok-3-mini": efforts("none", "high", "low", "high", "high"),
    "huggingface:Qwen/Qwen3-32B": NOTHING,
    "moonshotai:kimi-k2": NOTHING,
    "moonshotai:kimi-k2.5": [DISABLED, *CAN_THINK[1:]],
    "moonshotai:kimi-k2-thinking": ALWAYS_THINKS,
    "moonshotai:kimi-k3": efforts("low", "high", "low", "high", "max"),
    "ollama:qwen3": CAN_THINK,
    "ollama:qwen3-coder": NOTHING,
    "openrouter:anthropic/claude-haiku-4.5": [
        {"reasoning": {"effort": "none"}},
        *(
            {"reasoning": {"effort": level, "enabled": True}}
            for level in ("medium", "low", "high", "max")
        ),
    ],
    "openrouter:openai/o3": [
        {"reasoning": {"effort": "low"}},
        *(
            {"reasoning": {"effort": level, "enabled": True}}
            for level in ("medium", "low", "high", "max")
        ),
    ],
    "snowflake:claude-4-sonnet": [{}, *map(cortex, ("medium", "low", "high", "high"))],
    "snowflake:openai-o3": ALWAYS_THINKS,
    "vllm:Qwen/Qwen3-32B": CAN_THINK,
    "vllm:Qwen/Qwen3-4B-Thinking-2507": ALWAYS_THINKS,
    "vllm:Qwen/Qwen3-4B-Instruct-2507": NOTHING,
    "xai:grok-2": NOTHING,
    "xai:grok-4.5": ALWAYS_THINKS,
    "xai:grok-4.7": efforts("low", "medium", "low", "high", "xhigh"),
    "zai:glm-4.6": [DISABLED, *[ENABLED] * 4],
    "zai:glm-5.3": [
        ENABLED | effort("low"),
        ENABLED,
        *(ENABLED | effort(level) for level in ("low", "high", "max")),
    ],
}


LIMITS: dict[str, str] = {
    "cerebras:llama3.1-8b": "max_completion_tokens",
    "deepseek:deepseek-chat": "max_tokens",
    "heroku:nova-pro": "max_tokens",
    "huggingface:Qwen/Qwen3-32B": "max_tokens",
    "moonshotai:kimi-k2": "max_completion_tokens",
    "ollama:qwen3": "max_tokens",
    "openrouter:openai/gpt-4o": "max_tokens",
    "sambanova:DeepSeek-R1": "max_tokens",
    "together:meta-llama/Llama-4": "max_tokens",
    "xai:grok-4": "max_completion_tokens",
    "zai:glm-4.6": "max_tokens",
}


def test_limits() -> None:
    """`max_tokens` has the name that the gateway documents."""
    rows = {model: at(model, {LIMITS[model]: 5}, settings={"max_tokens": 5}) for model in LIMITS}
    made, wanted = compared(rows, PLAIN)
    assert made == wanted


def test_thinking() -> None:
    """A level of thinking is said as the gateway takes it, or not at all."""
    made = {}
    for model in THINKING:
        url = "https://mine.test/v1" if model.startswith(("snowflake", "vllm")) else None
        common = {"model": model.partition(":")[2], **PLAIN}
        bodies = [sent(model, settings={"thinking": each}, url=url).body for each in LEVELS]
        made[model] = [
            {key: value for key, value in (body or {}).items() if key not in common}
            for body in bodies
        ]
    assert made == THINKING


TOLD = {"format": "anthropic-claude-v1", "index": 0}


def detailed(kind: str | None, *, name: str = "openrouter", **more: Any) -> list[Any]:
    """Return a conversation in which a gateway's thought is sent back."""
    details = None if kind is None else TOLD | {"type": kind}
    thought = ThinkingPart("Hm.", provider_name=name, provider_details=details, **more)
    return turn(thought, TextPart("Hi"), provider=name)


def details(*members: JSONObject) -> JSONObject:
    return answered({"role": "assistant", "content": "Hi", "reasoning_details": list(members)})


TEXT_DETAIL: JSONObject = TOLD | {
    "id": "r1",
    "type": "reasoning.text",
    "text": "Hm.",
    "signature": "s",
}
CLAUDE = "openrouter:anthropic/claude-haiku-4.5"


def openrouter(member: str, value: Any) -> Row:
    return at(CLAUDE, {member: value}, settings={f"openrouter_{member}": value})


OPENROUTER: dict[str, Row] = {
    "nothing": at(CLAUDE, {}),
    "max_tokens": at(CLAUDE, {"max_tokens": 5}, settings={"max_tokens": 5}),
    "models": openrouter("models", ["a/b"]),
    "provider": openrouter("provider", {"order": ["a"]}),
    "preset": openrouter("preset", "mine"),
    "transforms": openrouter("transforms", ["middle-out"]),
    "reasoning": openrouter("reasoning", {"max_tokens": 5}),
    "usage": openrouter("usage", {"include": True}),
    "thinking": at(
        CLAUDE, {"reasoning": {"effort": "medium", "enabled": True}}, settings={"thinking": True}
    ),
    "thinking hard": at(
        CLAUDE, {"reasoning": {"effort": "xhigh", "enabled": True}}, settings={"thinking": "xhigh"}
    ),
    "not thinking": at(CLAUDE, {"reasoning": {"effort": "none"}}, settings={"thinking": False}),
    "own setting before thinking": at(
        CLAUDE,
        {"reasoning": {"max_tokens": 5}},
        settings={"thinking": "high", "openrouter_reasoning": {"max_tokens": 5}},
    ),
    "web search": at(
        CLAUDE,
        {"web_search_options": {"search_context_size": "low"}},
        builtin_tools=[WebSearchTool(search_context_size="low")],
    ),
    "a document by URL": at(
        CLAUDE,
        content(
            {
                "type": "file",
                "file": {"file_data": "https://a.test/b.pdf", "filename": "filename.pdf"},
            }
        ),
        messages=user(DocumentUrl("https://a.test/b.pdf")),
    ),
    "a thought with text": at(
        CLAUDE,
        details(TEXT_DETAIL),
        messages=detailed("reasoning.text", id="r1", signature="s"),
    ),
    "a summary": at(
        CLAUDE,
        details(TOLD | {"id": None, "type": "reasoning.summary", "summary": "Hm."}),
        messages=detailed("reasoning.summary"),
    ),
    "an encrypted thought": at(
        CLAUDE,
        details(TOLD | {"id": None, "type": "reasoning.encrypted", "data": "s"}),
        messages=detailed("reasoning.encrypted", signature="s"),
    ),
    "a thought of a new type": at(
        CLAUDE,
        details(TOLD | {"id": None, "type": "reasoning.new"}),
        messages=detailed("reasoning.new"),
    ),
    "a thought that was no detail": at(
        CLAUDE,
        answered({"role": "assistant", "content": "Hi", "reasoning": "Hm."}),
        messages=detailed(None),
    ),
    "a thought of another provider's": at(
        CLAUDE,
        answered({"role": "assistant", "content": "Hi", "reasoning": "Hm."}),
        messages=detailed("reasoning.text", name="vercel"),
    ),
    "a thought at Snowflake": at(
        "snowflake:claude-4-sonnet",
        details(TEXT_DETAIL),
        messages=detailed("reasoning.text", name="snowflake", id="r1", signature="s"),
        url="https://mine.test/v1",
    ),
    "OpenAI's know schemas": at("openrouter:openai/gpt-4o", JSON_SCHEMA, **NATIVE),
    "Google's do": at(
        "openrouter:google/gemini-2.5-pro",
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "p", "schema": SCHEMA, "strict": False},
            }
        },
        output_mode="native",
        output_object=OutputObjectDefinition(json_schema=SCHEMA, name="p", strict=False),
    ),
    "a vendor's tilde": at("openrouter:~openai/gpt-4o", JSON_SCHEMA, **NATIVE),
    "a name without a vendor": at(
        "openrouter:gpt-4o", "The model must be named 'vendor/model', not 'gpt-4o'"
    ),
    "o1-mini has no system prompts": at(
        "openrouter:openai/o1-mini",
        {"messages": [{"role": "user", "content": "A"}, HELLO_SAID]},
        messages=[ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")])],
    ),
}


@pytest.mark.parametrize("rows", [QUIRKS, OPENROUTER], ids=("quirks", "openrouter"))
def test_exact_bodies(rows: dict[str, Row]) -> None:
    """Each request has exactly this body."""
    made, wanted = compared(rows, PLAIN)
    assert made == wanted
