"""Mistral's chat protocol: exact bodies."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import ModelRequest, RetryPromptPart, TextPart, ThinkingPart, UserPromptPart
from direct_anyio.builtin_tools import CodeExecutionTool, WebSearchTool
from direct_anyio.content import AudioUrl, BinaryContent, CachePoint, DocumentUrl, ImageUrl
from direct_anyio.profiles import ModelProfile

from .encoding import (
    BY_BYTES,
    CALL,
    CALL_ID,
    CALL_SAID,
    HELLO_SAID,
    LOOSE,
    MP4,
    OUTPUT,
    PDF,
    PNG,
    PROMPT,
    PROMPTED,
    SCHEMA,
    TEXT,
    TEXT_FILE,
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

PLAIN: JSONObject = {"model": "mistral-large-latest", "messages": [HELLO_SAID], "stream": False}

SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "all": (
        {
            "settings": {
                "max_tokens": 5,
                "temperature": 0.0,
                "top_p": 0.5,
                "seed": 0,
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "stop_sequences": ["END"],
                "mistral_prompt_cache_key": "k",
            }
        },
        {
            "max_tokens": 5,
            "temperature": 0.0,
            "top_p": 0.5,
            "random_seed": 0,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "stop": ["END"],
            "prompt_cache_key": "k",
        },
    ),
    "thinking of a model that always or never does": ({"settings": {"thinking": "high"}}, {}),
}


def thinks(thinking: Any, **expected: Any) -> Row:
    return {"settings": {"thinking": thinking}}, expected


ADJUSTABLE: dict[str, Row] = {
    "left to it": ({}, {}),
    "False": thinks(False, reasoning_effort="none"),
    "True": thinks(True, reasoning_effort="high"),
    "low": thinks("low", reasoning_effort="high"),
    "max": thinks("max", reasoning_effort="high"),
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
    "a PDF by URL": content(
        {"type": "document_url", "document_url": "https://a.test/b.pdf"},
        DocumentUrl("https://a.test/b.pdf"),
    ),
    "a PDF": content(
        {"type": "document_url", "document_url": "data:application/pdf;base64,+/8="}, PDF
    ),
    "a text file": content({"type": "text", "text": TEXT_FILE}, TEXT),
    "a text file that is no UTF-8": content(
        {
            "type": "text",
            "text": '-----BEGIN FILE id="c" type="text/csv"-----\n\N{REPLACEMENT CHARACTER}\n'
            '-----END FILE id="c"-----',
        },
        BinaryContent(b"\xff", media_type="text/csv", identifier="c"),
    ),
    "an image whose bytes are wanted": (
        {"messages": user(ImageUrl("https://a.test/b.png", force_download=True))},
        BY_BYTES.format("https://a.test/b.png"),
    ),
    "a document of another type by URL": (
        {"messages": user(DocumentUrl("https://a.test/b.docx"))},
        "Mistral reads texts, images and PDFs, not DocumentUrl such as this",
    ),
    "audio": (
        {"messages": user(AudioUrl("https://a.test/b.mp3"))},
        "Mistral reads texts, images and PDFs, not AudioUrl such as this",
    ),
    "a video": (
        {"messages": user(MP4)},
        "Mistral reads texts, images and PDFs, not BinaryContent such as this",
    ),
}


def assistant(*content: JSONObject, calls: Any = ()) -> JSONObject:
    return {
        "role": "assistant",
        "content": list(content),
        "tool_calls": list(calls),
        "prefix": False,
    }


def text(text: str) -> JSONObject:
    return {"type": "text", "text": text}


def answer(message: JSONObject, *parts: Any) -> Row:
    return {"messages": turn(*parts)}, {"messages": [HELLO_SAID, message, HELLO_SAID]}


CALLED = [HELLO_SAID, assistant(calls=[CALL_SAID | {"index": 0}])]
OK = assistant(text("OK"))
del OK["tool_calls"]

MESSAGES: dict[str, Row] = {
    "instructions": (
        {"messages": [ModelRequest.user_text_prompt("Hello", instructions="Be brief.")]},
        {"messages": [{"role": "system", "content": "Be brief."}, HELLO_SAID]},
    ),
    "texts": answer(assistant(text("A"), text("B")), TextPart("A"), TextPart("B")),
    "thoughts come first": answer(
        assistant({"type": "thinking", "thinking": [text("Hm."), text("Ah.")]}, text("A")),
        ThinkingPart("Hm."),
        TextPart("A"),
        ThinkingPart("Ah."),
    ),
    "nothing": ({"messages": turn()}, {"messages": [HELLO_SAID, HELLO_SAID]}),
    "a text and a call": (
        {"messages": turn(TextPart("A"), CALL)},
        {
            "messages": [
                HELLO_SAID,
                assistant(text("A"), calls=[CALL_SAID | {"index": 0}]),
                tool_said("ok"),
            ]
        },
    ),
    "a result": (
        {"messages": returned(result({"a": 1}))},
        {"messages": [*CALLED, tool_said('{"a":1}')]},
    ),
    "the user behind a result": (
        {"messages": returned(result("ok"), UserPromptPart("Hello"))},
        {"messages": [*CALLED, tool_said("ok"), OK, HELLO_SAID]},
    ),
    "a retry": (
        {"messages": returned(RetryPromptPart("No", tool_name="f", tool_call_id=CALL_ID))},
        {"messages": [*CALLED, tool_said("No\n\nFix the errors and try again.")]},
    ),
}

OUT: JSONObject = {
    "type": "function",
    "function": {"name": "out", "description": "", "parameters": SCHEMA},
}


def chosen(choice: Any, expected: Any, *tools: JSONObject, **more: Any) -> Row:
    asked = {
        "settings": {"tool_choice": choice},
        "function_tools": [LOOSE],
        "output_tools": [OUTPUT],
        "output_mode": "tool",
    }
    return asked | more, {"tools": list(tools), "tool_choice": expected}


TOOLS: dict[str, Row] = {
    "no choice": chosen(None, "auto", F, OUT),
    "a call must be": chosen(None, "required", F, OUT, allow_text_output=False),
    "required": chosen("required", "required", F, OUT),
    "one": chosen(["f"], {"type": "function", "function": {"name": "f"}}, F, OUT),
    "none beside an output tool": chosen("none", "auto", OUT),
    "none": ({"settings": {"tool_choice": "none"}, "function_tools": [LOOSE]}, {}),
    "parallel": (
        {"settings": {"parallel_tool_calls": False}, "function_tools": [LOOSE]},
        {"tools": [F], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "web search": (
        {"builtin_tools": [WebSearchTool()]},
        "Mistral's chat protocol does not support WebSearchTool",
    ),
    "several of another's": (
        {"builtin_tools": [WebSearchTool(), CodeExecutionTool()]},
        "Mistral's chat protocol does not support WebSearchTool, CodeExecutionTool",
    ),
}

TOLD = {"role": "system", "content": PROMPT}

OUTPUTS: dict[str, Row] = {
    "prompted": (PROMPTED, {"messages": [TOLD, HELLO_SAID]}),
    "prompted where it can be held to JSON": (
        PROMPTED | {"profile": ModelProfile(supports_json_object_output=True)},
        {"messages": [TOLD, HELLO_SAID], "response_format": {"type": "json_object"}},
    ),
    "text where it can be held to JSON": (
        {"profile": ModelProfile(supports_json_object_output=True)},
        {},
    ),
}

TABLES: dict[str, tuple[str, dict[str, Row]]] = {
    "settings": ("mistral-large-latest", SETTINGS),
    "contents": ("mistral-large-latest", CONTENTS),
    "messages": ("mistral-large-latest", MESSAGES),
    "tools": ("mistral-large-latest", TOOLS),
    "outputs": ("mistral-large-latest", OUTPUTS),
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    model, rows = TABLES[table]
    made, wanted = compared(rows, PLAIN | {"model": model}, model=f"mistral:{model}")
    assert made == wanted


ADJUSTABLE_MODELS = (
    *("magistral-medium-latest", "magistral-small-latest"),
    *("mistral-large-4", "mistral-large-4-0"),
    *("mistral-medium", "mistral-medium-2604", "mistral-medium-3", "mistral-medium-3-5"),
    *("mistral-medium-3.5", "mistral-medium-latest"),
    *("mistral-small-2603", "mistral-small-latest"),
)


@pytest.mark.parametrize("model", ADJUSTABLE_MODELS)
def test_thinking(model: str) -> None:
    """Thinking can be switched on and off."""
    made, wanted = compared(ADJUSTABLE, PLAIN | {"model": model}, model=f"mistral:{model}")
    assert made == wanted


async def test_address() -> None:
    """The path has a version."""
    url, more = await addressed("mistral:mistral-large-latest")
    assert url == "https://api.mistral.ai/v1/chat/completions"
    assert more == {"authorization": "Bearer key"}
