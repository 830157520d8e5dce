"""Cohere's chat protocol: exact bodies."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import ModelRequest, RetryPromptPart, TextPart, ThinkingPart, ToolDefinition
from direct_anyio.builtin_tools import WebSearchTool
from direct_anyio.content import CachePoint, ImageUrl

from .encoding import (
    CALL,
    CALL_ID,
    CALL_SAID,
    HELLO_SAID,
    LOOSE,
    OUTPUT,
    PNG,
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

PLAIN: JSONObject = {"model": "command-a-03-2025", "messages": [HELLO_SAID], "stream": False}

SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "all": (
        {
            "settings": {
                "max_tokens": 5,
                "stop_sequences": ["END"],
                "temperature": 0.0,
                "top_p": 0.5,
                "top_k": 3,
                "seed": 0,
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
            }
        },
        {
            "max_tokens": 5,
            "stop_sequences": ["END"],
            "temperature": 0.0,
            "p": 0.5,
            "k": 3,
            "seed": 0,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
        },
    ),
    "thinking of a model that does not": ({"settings": {"thinking": "high"}}, {}),
}


def thinks(thinking: Any, type: str, **more: Any) -> Row:
    return {"settings": {"thinking": thinking}}, {"thinking": {"type": type} | more}


REASONING: dict[str, Row] = {
    "left to it": ({}, {}),
    "False": thinks(False, "disabled"),
    "True": thinks(True, "enabled"),
    "minimal": thinks("minimal", "enabled", token_budget=512),
    "low": thinks("low", "enabled", token_budget=2048),
    "medium": thinks("medium", "enabled", token_budget=8192),
    "high": thinks("high", "enabled", token_budget=16384),
    "xhigh": thinks("xhigh", "enabled", token_budget=24576),
    "max": thinks("max", "enabled", token_budget=31744),
}


def assistant(**more: Any) -> JSONObject:
    return {"role": "assistant"} | more


def text(text: str) -> JSONObject:
    return {"type": "text", "text": text}


def answer(message: JSONObject, *parts: Any) -> Row:
    return {"messages": turn(*parts)}, {"messages": [HELLO_SAID, message, HELLO_SAID]}


CALLED = [HELLO_SAID, assistant(tool_calls=[CALL_SAID])]

MESSAGES: dict[str, Row] = {
    "pieces of text": (
        {"messages": user("Hi", CachePoint(), "Bye")},
        {"messages": [{"role": "user", "content": [text("Hi"), text("Bye")]}]},
    ),
    "an image": ({"messages": user(PNG)}, "Cohere reads text alone, not BinaryContent"),
    "an image by URL": (
        {"messages": user(ImageUrl("https://a.test/b.png"))},
        "Cohere reads text alone, not ImageUrl",
    ),
    "instructions": (
        {"messages": [ModelRequest.user_text_prompt("Hello", instructions="Be brief.")]},
        {"messages": [{"role": "system", "content": "Be brief."}, HELLO_SAID]},
    ),
    "texts": answer(assistant(content=[text("A\n\nB")]), TextPart("A"), TextPart("B")),
    "thoughts": answer(
        assistant(content=[{"type": "thinking", "thinking": "Hm.\n\nAh."}, text("A")]),
        ThinkingPart("Hm."),
        ThinkingPart("Ah."),
        TextPart("A"),
    ),
    "a thought alone": answer(
        assistant(content=[{"type": "thinking", "thinking": "Hm."}]), ThinkingPart("Hm.")
    ),
    "nothing": ({"messages": turn()}, {"messages": [HELLO_SAID, HELLO_SAID]}),
    "a text and a call": (
        {"messages": turn(TextPart("A"), CALL)},
        {
            "messages": [
                HELLO_SAID,
                assistant(content=[text("A")], tool_calls=[CALL_SAID]),
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


def offered(name: str, description: str | None = None) -> JSONObject:
    function = {"name": name, "description": description, "parameters": SCHEMA}
    return {"type": "function", "function": function}


G = ToolDefinition(name="g", parameters_json_schema=SCHEMA)
BOTH: JSONObject = {"function_tools": [LOOSE, G]}
WITH_OUTPUT: JSONObject = {"output_tools": [OUTPUT], "output_mode": "tool"}


def chosen(choice: Any, expected: JSONObject, *tools: JSONObject, **more: Any) -> Row:
    asked = {"settings": {"tool_choice": choice}} | BOTH | more
    return asked, {"tools": list(tools)} | expected


REQUIRED = {"tool_choice": "REQUIRED"}
NONE = {"tool_choice": "NONE"}

TOOLS: dict[str, Row] = {
    "no choice": chosen(None, {}, F, offered("g")),
    "auto": chosen("auto", {}, F, offered("g")),
    "none": chosen("none", NONE, F, offered("g")),
    "required": chosen("required", REQUIRED, F, offered("g")),
    "one": chosen(["g"], REQUIRED, offered("g")),
    "both": chosen(["g", "f"], REQUIRED, F, offered("g")),
    "some": chosen(["g", "f"], REQUIRED, F, offered("g"), **WITH_OUTPUT),
    "none beside an output tool": chosen("none", {}, offered("out"), **WITH_OUTPUT),
    "none beside one that must be called": chosen(
        "none", REQUIRED, offered("out"), **WITH_OUTPUT, allow_text_output=False
    ),
    "a call must be": chosen(
        None, REQUIRED, F, offered("g"), offered("out"), **WITH_OUTPUT, allow_text_output=False
    ),
    "web search": (
        {"builtin_tools": [WebSearchTool()]},
        "Cohere's chat protocol does not support WebSearchTool",
    ),
}

TABLES: dict[str, tuple[str, dict[str, Row]]] = {
    "settings": ("command-a-03-2025", SETTINGS),
    "messages": ("command-a-03-2025", MESSAGES),
    "tools": ("command-a-03-2025", TOOLS),
    "thinking": ("command-a-reasoning-08-2025", REASONING),
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    model, rows = TABLES[table]
    made, wanted = compared(rows, PLAIN | {"model": model}, model=f"cohere:{model}")
    assert made == wanted


async def test_address() -> None:
    """The path has the protocol's version."""
    url, more = await addressed("cohere:command-a-03-2025")
    assert url == "https://api.cohere.com/v2/chat"
    assert more == {"authorization": "Bearer key"}
