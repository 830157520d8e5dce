"""Groq's chat protocol: exact bodies."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import (
    ModelRequest,
    OutputObjectDefinition,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolDefinition,
    UserPromptPart,
)
from direct_anyio.builtin_tools import CodeExecutionTool, WebSearchTool
from direct_anyio.content import BinaryContent, CachePoint, DocumentUrl, ImageUrl
from direct_anyio.dialects.groq import GroqModelProfile
from direct_anyio.parts import BuiltinToolCallPart
from direct_anyio.profiles import ModelProfile

from .encoding import (
    BY_BYTES,
    CALL,
    CALL_ID,
    CALL_SAID,
    HELLO_SAID,
    LOOSE,
    OUTPUT,
    PDF,
    PNG,
    PROMPT,
    PROMPTED,
    SCHEMA,
    F,
    JSONObject,
    Row,
    addressed,
    compared,
    result,
    returned,
    tool_said,
    turn,
    user,
)

MODEL = "llama-3.3-70b-versatile"
PLAIN: JSONObject = {"model": MODEL, "messages": [HELLO_SAID], "stream": False}
OUT: JSONObject = {
    "type": "function",
    "function": {"name": "out", "description": "", "parameters": SCHEMA},
}


def thinks(thinking: Any, **expected: Any) -> Row:
    return {"settings": {"thinking": thinking}}, expected


SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "all": (
        {
            "settings": {
                "stop_sequences": ["END"],
                "max_tokens": 5,
                "temperature": 0.0,
                "top_p": 0.5,
                "seed": 1,
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "logit_bias": {"1": -1},
                "groq_reasoning_format": "raw",
                "groq_reasoning_effort": "default",
            }
        },
        {
            "stop": ["END"],
            "max_tokens": 5,
            "temperature": 0.0,
            "top_p": 0.5,
            "seed": 1,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "logit_bias": {"1": -1},
            "reasoning_format": "raw",
            "reasoning_effort": "default",
        },
    ),
    "thinking of a model that does not": thinks("high"),
}

# Graded: low, medium and high.
GPT_OSS: dict[str, Row] = {
    "left to it": ({}, {}),
    "False": thinks(False, reasoning_effort="low", reasoning_format="hidden"),
    "True": thinks(True, reasoning_effort="medium", reasoning_format="parsed"),
    "minimal": thinks("minimal", reasoning_effort="low", reasoning_format="parsed"),
    "low": thinks("low", reasoning_effort="low", reasoning_format="parsed"),
    "medium": thinks("medium", reasoning_effort="medium", reasoning_format="parsed"),
    "high": thinks("high", reasoning_effort="high", reasoning_format="parsed"),
    "xhigh": thinks("xhigh", reasoning_effort="high", reasoning_format="parsed"),
    "max": thinks("max", reasoning_effort="high", reasoning_format="parsed"),
    "own settings before thinking": (
        {
            "settings": {
                "thinking": "low",
                "groq_reasoning_effort": "high",
                "groq_reasoning_format": "hidden",
            }
        },
        {"reasoning_effort": "high", "reasoning_format": "hidden"},
    ),
}

# On or off.
QWEN: dict[str, Row] = {
    "False": thinks(False, reasoning_effort="none"),
    "True": thinks(True, reasoning_format="parsed"),
    "low": thinks("low", reasoning_format="parsed"),
}

# On.
DEEPSEEK: dict[str, Row] = {
    "False": thinks(False),
    "high": thinks("high", reasoning_format="parsed"),
}


def content(piece: JSONObject, *items: Any) -> Row:
    return {"messages": user(*items)}, {"messages": [{"role": "user", "content": [piece]}]}


CONTENTS: dict[str, Row] = {
    "a text and a cache point": content({"type": "text", "text": "Hi"}, "Hi", CachePoint()),
    "an image by URL": content(
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png", "detail": "low"}},
        ImageUrl("https://a.test/b.png", vendor_metadata={"detail": "low"}),
    ),
    "an image": content(
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,+/8=", "detail": "high"}},
        BinaryContent(PNG.data, media_type="image/png", vendor_metadata={"detail": "high"}),
    ),
    "an image whose bytes are wanted": (
        {"messages": user(ImageUrl("https://a.test/b.png", force_download=True))},
        BY_BYTES.format("https://a.test/b.png"),
    ),
    "a document": (
        {"messages": user(PDF)},
        "Groq reads texts and images, not BinaryContent such as this",
    ),
    "a document by URL": (
        {"messages": user(DocumentUrl("https://a.test/b.pdf"))},
        "Groq reads texts and images, not DocumentUrl such as this",
    ),
}


def answer(message: JSONObject, *parts: Any) -> Row:
    return {"messages": turn(*parts)}, {"messages": [HELLO_SAID, message, HELLO_SAID]}


CALLED = [HELLO_SAID, {"role": "assistant", "tool_calls": [CALL_SAID]}]

MESSAGES: dict[str, Row] = {
    "system prompts and instructions": (
        {
            "messages": [
                ModelRequest(
                    [SystemPromptPart("Be brief."), UserPromptPart("Hello")], instructions="Please."
                )
            ]
        },
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "system", "content": "Please."},
                HELLO_SAID,
            ]
        },
    ),
    "texts": answer({"role": "assistant", "content": "A\n\nB"}, TextPart("A"), TextPart("B")),
    "a thought": answer(
        {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nA"},
        ThinkingPart("Hm.", signature="s", provider_name="groq"),
        TextPart("A"),
    ),
    "web search": answer(
        {"role": "assistant", "content": "A"},
        BuiltinToolCallPart("web_search", {"query": "x"}, "1", provider_name="groq"),
        TextPart("A"),
    ),
    "nothing": (
        {"messages": turn()},
        {"messages": [HELLO_SAID, {"role": "assistant"}, HELLO_SAID]},
    ),
    "a text and a call": (
        {"messages": turn(TextPart("A"), CALL)},
        {
            "messages": [
                HELLO_SAID,
                {"role": "assistant", "content": "A", "tool_calls": [CALL_SAID]},
                tool_said("ok"),
            ]
        },
    ),
    "a result": (
        {"messages": returned(result({"a": 1}))},
        {"messages": [*CALLED, tool_said('{"a":1}')]},
    ),
    "a retry": (
        {"messages": returned(RetryPromptPart("No", tool_name="f", tool_call_id=CALL_ID))},
        {"messages": [*CALLED, tool_said("No\n\nFix the errors and try again.")]},
    ),
}

G = ToolDefinition(name="g", parameters_json_schema=SCHEMA, strict=False)
G_SAID: JSONObject = {
    "type": "function",
    "function": {"name": "g", "description": "", "parameters": SCHEMA},
}


def chosen(choice: Any, expected: Any, *tools: JSONObject, **more: Any) -> Row:
    asked = {"settings": {"tool_choice": choice}, "function_tools": [LOOSE, G]} | more
    return asked, {"tools": list(tools), "tool_choice": expected}


WITH_OUTPUT: JSONObject = {"output_tools": [OUTPUT], "output_mode": "tool"}

TOOLS: dict[str, Row] = {
    "no choice": chosen(None, "auto", F, G_SAID),
    "none": chosen("none", "none", F, G_SAID),
    "required": chosen("required", "required", F, G_SAID),
    "one": chosen(["g"], {"type": "function", "function": {"name": "g"}}, F, G_SAID),
    "both": chosen(["g", "f"], "required", F, G_SAID),
    "some": chosen(["g", "f"], "required", F, G_SAID, **WITH_OUTPUT),
    "none beside an output tool": chosen("none", "auto", OUT, **WITH_OUTPUT),
    "none beside one that must be called": chosen(
        "none",
        {"type": "function", "function": {"name": "out"}},
        *(F, G_SAID, OUT),
        **WITH_OUTPUT,
        allow_text_output=False,
    ),
    "a call must be": chosen(
        None, "required", F, G_SAID, OUT, **WITH_OUTPUT, allow_text_output=False
    ),
    "parallel": (
        {"settings": {"parallel_tool_calls": False}, "function_tools": [LOOSE]},
        {"tools": [F], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "parallel without tools": ({"settings": {"parallel_tool_calls": False}}, {}),
}

ABLE = GroqModelProfile(supports_json_schema_output=True, supports_json_object_output=True)
TOLD: JSONObject = {"role": "system", "content": PROMPT}


def shaped(strict: bool | None) -> Row:
    shape = OutputObjectDefinition(json_schema=SCHEMA, name="point", strict=strict)
    schema = {"name": "point", "schema": SCHEMA, "strict": strict}
    return (
        {"output_mode": "native", "output_object": shape, "profile": ABLE},
        {"response_format": {"type": "json_schema", "json_schema": schema}},
    )


OUTPUTS: dict[str, Row] = {
    "native": shaped(None),
    "native, strict": shaped(True),
    "native, not strict": shaped(False),
    "native beside tools": (
        shaped(True)[0] | {"function_tools": [LOOSE]},
        shaped(True)[1] | {"tools": [F], "tool_choice": "auto"},
    ),
    "prompted": (
        PROMPTED | {"profile": ABLE},
        {"messages": [TOLD, HELLO_SAID], "response_format": {"type": "json_object"}},
    ),
    "prompted beside tools": (
        PROMPTED | {"profile": ABLE, "function_tools": [LOOSE]},
        {"messages": [TOLD, HELLO_SAID], "tools": [F], "tool_choice": "auto"},
    ),
}

COMPOUND: dict[str, Row] = {
    "web search": ({"builtin_tools": [WebSearchTool()]}, {}),
    "allowed domains": (
        {"builtin_tools": [WebSearchTool(allowed_domains=["a.test"])]},
        {"search_settings": {"include_domains": ["a.test"]}},
    ),
    "blocked domains": (
        {"builtin_tools": [WebSearchTool(blocked_domains=["b.test"])]},
        {"search_settings": {"exclude_domains": ["b.test"]}},
    ),
    "code": (
        {"builtin_tools": [CodeExecutionTool()]},
        "CodeExecutionTool is not supported by 'groq/compound'",
    ),
}

TABLES: dict[str, tuple[str, dict[str, Row]]] = {
    "settings": (MODEL, SETTINGS),
    "contents": (MODEL, CONTENTS),
    "messages": (MODEL, MESSAGES),
    "tools": (MODEL, TOOLS),
    "outputs": (MODEL, OUTPUTS),
    "gpt-oss": ("openai/gpt-oss-20b", GPT_OSS),
    "qwen": ("qwen/qwen3-32b", QWEN),
    "deepseek": ("deepseek-r1-distill-llama-70b", DEEPSEEK),
    "another profile": (
        "mine",
        {
            "thinking": ({"settings": {"thinking": "high"}, "profile": ModelProfile()}, {}),
            "thinking, not graded": (
                {
                    "settings": {"thinking": "high"},
                    "profile": GroqModelProfile(supports_thinking=True),
                },
                {"reasoning_format": "parsed"},
            ),
            "no thinking": (
                {
                    "settings": {"thinking": False},
                    "profile": GroqModelProfile(supports_thinking=True),
                },
                {},
            ),
            "a search": (
                {"builtin_tools": [WebSearchTool()], "profile": ModelProfile()},
                "WebSearchTool is not supported by 'mine'",
            ),
        },
    ),
    "searches": ("groq/compound", COMPOUND),
    "compound-beta": (
        "compound-beta",
        {"web search": COMPOUND["allowed domains"]},
    ),
    "no searches": (
        MODEL,
        {
            "web search": (
                {"builtin_tools": [WebSearchTool()]},
                f"WebSearchTool is not supported by '{MODEL}'",
            )
        },
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    model, rows = TABLES[table]
    made, wanted = compared(rows, PLAIN | {"model": model}, model=f"groq:{model}")
    assert made == wanted


async def test_address() -> None:
    """The path has the protocol's name in it."""
    url, more = await addressed(f"groq:{MODEL}")
    assert url == "https://api.groq.com/openai/v1/chat/completions"
    assert more == {"authorization": "Bearer key"}
