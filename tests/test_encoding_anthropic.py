"""Anthropic Messages: exact bodies and headers."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from direct_anyio import (
    ModelRequest,
    ModelResponse,
    OutputObjectDefinition,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    UserError,
    UserPromptPart,
    infer_model,
)
from direct_anyio.builtin_tools import (
    CodeExecutionTool,
    FileSearchTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
)
from direct_anyio.content import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    TextContent,
    UploadedFile,
    VideoUrl,
)
from direct_anyio.parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    OpaquePart,
)
from direct_anyio.profiles import ModelProfile

from .encoding import (
    BY_BYTES,
    CALL,
    CALL_ID,
    ELSEWHERE,
    HELLO,
    LOOSE,
    MP4,
    NATIVE,
    OUTPUT,
    PDF,
    PNG,
    PROMPT,
    PROMPTED,
    SCHEMA,
    STRICT,
    TEXT,
    JSONObject,
    Row,
    addressed,
    also,
    compared,
    result,
    returned,
    sent,
    turn,
    user,
)


def text(text: str, ttl: str | None = None) -> JSONObject:
    cached = {"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {}
    return {"type": "text", "text": text} | cached


def message_of(role: str, *blocks: JSONObject) -> JSONObject:
    return {"role": role, "content": list(blocks)}


HELLO_SAID = message_of("user", text("Hello"))
PLAIN: JSONObject = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 4000,
    "messages": [HELLO_SAID],
    "stream": False,
}


def set_to(expected: JSONObject, **settings: Any) -> Row:
    return {"settings": {"max_tokens": 4000} | settings}, expected


SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "stop": set_to({"stop_sequences": ["END"]}, stop_sequences=["END"]),
    "temperature": set_to({"temperature": 0.0}, temperature=0.0),
    "top_p": set_to({"top_p": 0.5}, top_p=0.5),
    "top_k": set_to({"top_k": 3}, top_k=3),
    "metadata": set_to({"metadata": {"user_id": "u"}}, anthropic_metadata={"user_id": "u"}),
    "tier auto": set_to({"service_tier": "auto"}, service_tier="auto"),
    "tier default": set_to({"service_tier": "standard_only"}, service_tier="default"),
    "tier priority": set_to({}, service_tier="priority"),
    "tier of Anthropic's": set_to({"service_tier": "auto"}, anthropic_service_tier="auto"),
    "both tiers": set_to(
        {"service_tier": "standard_only"},
        service_tier="auto",
        anthropic_service_tier="standard_only",
    ),
    "effort": set_to({"output_config": {"effort": "low"}}, anthropic_effort="low"),
    "own thinking setting": set_to(
        {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}},
        anthropic_thinking={"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
        thinking=False,
    ),
    "container": set_to({"container": "c1"}, anthropic_container={"id": "c1"}),
    "container with skills": set_to(
        {"container": {"id": "c1", "skills": []}},
        anthropic_container={"id": "c1", "skills": []},
    ),
    "no container": set_to({}, anthropic_container=False),
    "parallel calls without tools": set_to({}, parallel_tool_calls=True),
    "None is absent": set_to({}, temperature=None, anthropic_metadata=None),
}

LEVELS = (False, True, "minimal", "low", "medium", "high", "xhigh", "max")
BUDGETS = (None, 10_000, 1024, 2048, 10_000, 16_384, 32_768, 32_768)

# What `thinking` becomes: what False sends, and the efforts for True and each of the levels.
ADAPTIVE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "claude-opus-4-6": (({}, None), (None, "low", "low", "medium", "high", "max", "max")),
    "claude-sonnet-4-6": (({}, None), (None, "low", "low", "medium", "high", "max", "max")),
    "claude-opus-4-7": (({}, None), (None, "low", "low", "medium", "high", "xhigh", "max")),
    "claude-opus-4-8": (({}, None), (None, "low", "low", "medium", "high", "xhigh", "max")),
    "claude-opus-5": (
        ({"type": "disabled"}, None),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-opus-5-5": (
        ({"type": "adaptive"}, "low"),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-sonnet-5": (
        ({"type": "disabled"}, None),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-sonnet-5-5": (
        ({"type": "between_tools"}, None),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-haiku-5-5": (
        ({"type": "disabled"}, None),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-fable-5": (
        ({"type": "adaptive"}, "low"),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-mythos-5": (
        ({"type": "adaptive"}, "low"),
        (None, "low", "low", "medium", "high", "xhigh", "max"),
    ),
    "claude-mythos-preview": (({"type": "adaptive"}, None), (None,) * 7),
}


def content(block: JSONObject, *items: Any) -> Row:
    return {"messages": user(*items)}, {"messages": [message_of("user", block)]}


def source(kind: str, **source: Any) -> JSONObject:
    return {"type": kind, "source": source}


CSV = BinaryContent(b"a", media_type="text/csv")


def refused(text: str, *items: Any) -> Row:
    return {"messages": user(*items)}, text


CONTENTS: dict[str, Row] = {
    "a text": content(text("Hi"), "Hi"),
    "a text with data": content(text("Hi"), TextContent("Hi", metadata=1)),
    "a cache point": content(text("Hi", "5m"), "Hi", CachePoint()),
    "a cache point for an hour": content(text("Hi", "1h"), "Hi", CachePoint(ttl="1h")),
    "a cache point behind an image": content(
        source("image", type="base64", media_type="image/png", data="+/8=")
        | {"cache_control": {"type": "ephemeral", "ttl": "5m"}},
        PNG,
        CachePoint(),
    ),
    "a cache point behind a document": content(
        source("document", type="base64", media_type="application/pdf", data="+/8=")
        | {"cache_control": {"type": "ephemeral", "ttl": "5m"}},
        PDF,
        CachePoint(),
    ),
    "a cache point behind nothing": refused(
        "A `CachePoint` needs something before it in the same request. To cache what comes "
        "before the messages, use `anthropic_cache_instructions` or "
        "`anthropic_cache_tool_definitions`.",
        CachePoint(),
        "Hi",
    ),
    "a cache point behind a block that has none": (
        {
            "messages": turn(
                ThinkingPart("Hm.", signature="s", provider_name="anthropic"),
                provider="anthropic",
            )[:2],
            "settings": {"max_tokens": 4000, "anthropic_cache_messages": True},
        },
        "A block of type 'thinking' cannot be cached",
    ),
    "an image": content(source("image", type="base64", media_type="image/png", data="+/8="), PNG),
    "an image by URL": content(
        source("image", type="url", url="https://a.test/b.png"), ImageUrl("https://a.test/b.png")
    ),
    "an uploaded image": content(
        source("image", type="file", file_id="f1"),
        UploadedFile(file_id="f1", provider_name="anthropic", media_type="image/png"),
    ),
    "a PDF": content(
        source("document", type="base64", media_type="application/pdf", data="+/8="), PDF
    ),
    "a PDF by URL": content(
        source("document", type="url", url="https://a.test/b.pdf"),
        DocumentUrl("https://a.test/b.pdf"),
    ),
    "an uploaded PDF": content(
        source("document", type="file", file_id="f1"),
        UploadedFile(file_id="f1", provider_name="anthropic", media_type="application/pdf"),
    ),
    "an uploaded text": content(
        source("document", type="file", file_id="f1"),
        UploadedFile(file_id="f1", provider_name="anthropic", media_type="text/plain"),
    ),
    "a text file": content(
        source("document", type="text", media_type="text/plain", data="é"), TEXT
    ),
    "a text file that is no UTF-8": content(
        source("document", type="text", media_type="text/plain", data="\N{REPLACEMENT CHARACTER}"),
        BinaryContent(b"\xff", media_type="text/plain"),
    ),
    "a file of another type": refused(
        "Anthropic reads images, PDFs and plain text, and no file of type video/mp4", MP4
    ),
    "audio by URL": refused("Anthropic cannot be sent AudioUrl", AudioUrl("https://a.test/a.mp3")),
    "a video by URL": refused(
        "Anthropic cannot be sent VideoUrl", VideoUrl("https://a.test/a.mp4")
    ),
    "a document of another type by URL": refused(
        "Anthropic reads images, PDFs and plain text, and no file of type text/csv",
        DocumentUrl("https://a.test/a.csv"),
    ),
    "a document of no known type": refused(
        "Could not infer media type from document URL: https://a.test/a. Explicitly provide a "
        "`media_type` instead.",
        DocumentUrl("https://a.test/a"),
    ),
    "a text by URL": refused(
        BY_BYTES.format("https://a.test/a.txt"), DocumentUrl("https://a.test/a.txt")
    ),
    "an image whose bytes are wanted": refused(
        BY_BYTES.format("https://a.test/a.png"),
        ImageUrl("https://a.test/a.png", force_download=True),
    ),
    "an uploaded file of another type": refused(
        "Anthropic reads images, PDFs and plain text, and no file of type audio/wav",
        UploadedFile(file_id="f1", provider_name="anthropic", media_type="audio/wav"),
    ),
    "a file uploaded elsewhere": refused(
        ELSEWHERE.format("f1", "openai", "anthropic"),
        UploadedFile(file_id="f1", provider_name="openai"),
    ),
}


def answer(block: JSONObject | None, *parts: Any, provider: str = "anthropic", **more: Any) -> Row:
    expected = [message_of("assistant", block)] if block else []
    return (
        {"messages": turn(*parts, provider=provider)} | more,
        {"messages": [HELLO_SAID, *expected, HELLO_SAID]},
    )


USE: JSONObject = {"type": "tool_use", "id": CALL_ID, "name": "f", "input": {"x": 1}}


def answers(*blocks: JSONObject) -> JSONObject:
    return {"messages": [HELLO_SAID, message_of("assistant", USE), message_of("user", *blocks)]}


def tool_result(content: Any, *, is_error: bool = False) -> JSONObject:
    named = {"type": "tool_result", "tool_use_id": CALL_ID}
    return named | {"content": content, "is_error": is_error}


def native_call(name: str, args: JSONObject, **more: Any) -> BuiltinToolCallPart:
    return BuiltinToolCallPart(name, args, "s1", provider_name="anthropic", **more)


def native_return(name: str, content: Any, **more: Any) -> BuiltinToolReturnPart:
    return BuiltinToolReturnPart(name, content, "s1", provider_name="anthropic", **more)


def server_use(name: str, input: JSONObject, **more: Any) -> JSONObject:
    return {"type": "server_tool_use", "id": "s1", "name": name, "input": input} | more


def server_result(name: str, content: Any, **more: Any) -> JSONObject:
    return {"type": f"{name}_tool_result", "tool_use_id": "s1", "content": content} | more


def cited(**citation: Any) -> TextPart:
    return TextPart("Hi", provider_details={"citations": [citation]})


CITATION: JSONObject = {
    "type": "web_search_result_location",
    "url": "https://a.test",
    "title": "A",
    "cited_text": "a",
    "encrypted_index": "e",
}

MESSAGES: dict[str, Row] = {
    "system prompts": (
        {
            "messages": [
                ModelRequest(
                    [SystemPromptPart("A"), SystemPromptPart("B"), UserPromptPart("Hello")]
                )
            ]
        },
        {"system": "A\n\nB"},
    ),
    "a system prompt and instructions": (
        {
            "messages": [
                ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")], instructions="B")
            ]
        },
        {"system": [text("A"), text("B")]},
    ),
    "instructions": (
        {"messages": [ModelRequest.user_text_prompt("Hello", instructions="B")]},
        {"system": [text("B")]},
    ),
    "cached instructions": (
        {
            "messages": [
                ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")], instructions="B")
            ],
            "settings": {"max_tokens": 4000, "anthropic_cache_instructions": True},
        },
        {"system": [text("A"), text("B", "5m")]},
    ),
    "a cached system prompt": (
        {
            "messages": [ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")])],
            "settings": {"max_tokens": 4000, "anthropic_cache_instructions": "1h"},
        },
        {"system": [text("A", "1h")]},
    ),
    "nothing to cache": (
        {"settings": {"max_tokens": 4000, "anthropic_cache_instructions": True}},
        {},
    ),
    "cached messages": (
        {
            "messages": turn(TextPart("Hi")),
            "settings": {"max_tokens": 4000, "anthropic_cache_messages": "1h"},
        },
        {
            "messages": [
                HELLO_SAID,
                message_of("assistant", text("Hi")),
                message_of("user", text("Hello", "1h")),
            ]
        },
    ),
    "a cached result": (
        {
            "messages": returned(result("ok")),
            "settings": {"max_tokens": 4000, "anthropic_cache_messages": True},
        },
        answers(tool_result([text("ok")]) | {"cache_control": {"type": "ephemeral", "ttl": "5m"}}),
    ),
    "texts": (
        {"messages": turn(TextPart("A"), TextPart("B"))},
        {"messages": [HELLO_SAID, message_of("assistant", text("A"), text("B")), HELLO_SAID]},
    ),
    "nothing": answer(None),
    "a file": answer(text("A"), FilePart(PNG), TextPart("A")),
    "a thought": answer(
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        ThinkingPart("Hm.", signature="s", provider_name="anthropic"),
    ),
    "a redacted thought": answer(
        {"type": "redacted_thinking", "data": "s"},
        ThinkingPart("", id="redacted_thinking", signature="s", provider_name="anthropic"),
    ),
    "a thought of another provider's": (
        {
            "messages": turn(
                ThinkingPart("Hm.", signature="s", provider_name="openai"), TextPart("A")
            )
        },
        {
            "messages": [
                HELLO_SAID,
                message_of("user", text("<assistant_thinking>\nHm.\n</assistant_thinking>")),
                message_of("assistant", text("A")),
                HELLO_SAID,
            ]
        },
    ),
    "a citation of a page": answer(
        text("Hi") | {"citations": [CITATION]}, cited(**CITATION, start=1)
    ),
    "a citation that lacks a title": answer(
        text("Hi") | {"citations": [CITATION | {"title": None}]},
        cited(**{key: CITATION[key] for key in CITATION if key != "title"}),
    ),
    "a citation of a document": answer(text("Hi"), cited(type="char_location", cited_text="a")),
    "a citation by another provider": answer(text("Hi"), cited(**CITATION), provider="openai"),
    "a call": (
        {"messages": turn(TextPart("A"), CALL)},
        {
            "messages": [
                HELLO_SAID,
                message_of("assistant", text("A"), USE),
                message_of("user", tool_result([text("ok")])),
            ]
        },
    ),
    "a call with arguments as text": (
        {"messages": turn(ToolCallPart("f", '{"x": 1}', CALL_ID))},
        answers(tool_result([text("ok")])),
    ),
    "a call without arguments": (
        {"messages": turn(ToolCallPart("f", None, CALL_ID))},
        {
            "messages": [
                HELLO_SAID,
                message_of("assistant", USE | {"input": {}}),
                message_of("user", tool_result([text("ok")])),
            ]
        },
    ),
    "an object for a result": (
        {"messages": returned(result({"a": 1}))},
        answers(tool_result([text('{"a":1}')])),
    ),
    "a list for a result": (
        {"messages": returned(result(["a", 1]))},
        answers(tool_result([text("a"), text("1")])),
    ),
    "what is written as a list for a result": (
        {"messages": returned(result(deque(["a", " ", 1])))},
        answers(tool_result([text("a"), text("1")])),
    ),
    "nothing for a result": ({"messages": returned(result([]))}, answers(tool_result(""))),
    "files for a result": (
        {
            "messages": returned(
                result(
                    (
                        "a",
                        PNG,
                        ImageUrl("https://a.test/b.png"),
                        UploadedFile(
                            file_id="f1", provider_name="anthropic", media_type="image/png"
                        ),
                    )
                )
            )
        },
        answers(
            tool_result(
                [
                    text("a"),
                    source("image", type="base64", media_type="image/png", data="+/8="),
                    source("image", type="url", url="https://a.test/b.png"),
                    source("image", type="file", file_id="f1"),
                ]
            )
        ),
    ),
    "outcome failed": (
        {"messages": returned(result("No", outcome="failed"))},
        answers(tool_result([text("No")], is_error=True)),
    ),
    "outcome retried": (
        {"messages": returned(result("No", outcome="retried"))},
        answers(tool_result([text("No")], is_error=True)),
    ),
    "outcome denied": (
        {"messages": returned(result("No", outcome="denied"))},
        answers(tool_result([text("No")])),
    ),
    "a retry": (
        {"messages": returned(RetryPromptPart("No", tool_name="f", tool_call_id=CALL_ID))},
        answers(tool_result("No\n\nFix the errors and try again.", is_error=True)),
    ),
    "a retry of a text": (
        {
            "messages": [
                *HELLO,
                ModelResponse([TextPart("A")]),
                ModelRequest([RetryPromptPart("No")]),
            ]
        },
        {
            "messages": [
                HELLO_SAID,
                message_of("assistant", text("A")),
                message_of(
                    "user", text("Validation feedback:\nNo\n\nFix the errors and try again.")
                ),
            ]
        },
    ),
    "web search": answer(
        server_use("web_search", {"query": "q"}), native_call("web_search", {"query": "q"})
    ),
    "web search result": answer(
        server_result("web_search", [{"url": "u"}]), native_return("web_search", [{"url": "u"}])
    ),
    "a result that is none": answer(None, native_return("web_search", "text")),
    "web fetch call": answer(
        server_use("web_fetch", {"url": "u"}), native_call("web_fetch", {"url": "u"})
    ),
    "code of another name": answer(
        server_use("bash_code_execution", {"command": "ls"}),
        native_call(
            "code_execution",
            {"command": "ls"},
            provider_details={"anthropic_tool_name": "bash_code_execution"},
        ),
    ),
    "code execution result": answer(
        server_result("bash_code_execution", {"stdout": ""}),
        native_return(
            "code_execution",
            {"stdout": ""},
            provider_details={"anthropic_tool_name": "bash_code_execution"},
        ),
    ),
    "call with a caller": answer(
        server_use("web_fetch", {}, caller={"type": "c"}),
        native_call("web_fetch", {}, provider_details={"anthropic_caller": {"type": "c"}}),
    ),
    "result with a caller": answer(
        server_result("web_fetch", {"url": "u"}, caller={"type": "c"}),
        native_return(
            "web_fetch", {"url": "u"}, provider_details={"anthropic_caller": {"type": "c"}}
        ),
    ),
    "unknown builtin tool": answer(None, native_call("new", {}), native_return("new", {})),
    "an MCP call": answer(
        {
            "type": "mcp_tool_use",
            "id": "s1",
            "name": "ask",
            "input": {"q": 1},
            "server_name": "wiki:de",
        },
        native_call(
            "mcp_server:wiki:de",
            {"action": "call_tool", "tool_name": "ask", "tool_args": {"q": 1}},
        ),
    ),
    "an MCP call without arguments": answer(
        {"type": "mcp_tool_use", "id": "s1", "name": "ask", "input": {}, "server_name": "wiki"},
        native_call("mcp_server:wiki", {"action": "call_tool", "tool_name": "ask"}),
    ),
    "an MCP call of nothing": answer(None, native_call("mcp_server:wiki", {"action": "list"})),
    "an MCP result": answer(
        server_result("mcp", [text("a")], is_error=True),
        native_return("mcp_server:wiki", {"content": [text("a")], "is_error": True}),
    ),
    "an MCP result that says nothing of errors": answer(
        server_result("mcp", [], is_error=False),
        native_return("mcp_server:wiki", {"content": []}),
    ),
    "a search for tools": answer(
        server_use("tool_search_tool_bm25", {"query": "a b"}),
        native_call("tool_search", {"queries": ["a", "b"]}),
    ),
    "a search for tools by pattern": answer(
        server_use("tool_search_tool_regex", {"pattern": "a.*"}),
        native_call("tool_search", {"queries": ["a.*"]}, provider_details={"strategy": "regex"}),
    ),
    "found tools": answer(
        server_result(
            "tool_search",
            {
                "type": "tool_search_tool_search_result",
                "tool_references": [{"type": "tool_reference", "tool_name": "a"}],
            },
        ),
        native_return("tool_search", {"discovered_tools": [{"name": "a"}]}),
    ),
    "no found tools": answer(
        server_result(
            "tool_search", {"type": "tool_search_tool_search_result", "tool_references": []}
        ),
        native_return("tool_search", {}),
    ),
    "a search for tools that failed": answer(
        server_result(
            "tool_search",
            {"type": "tool_search_tool_result_error", "error_code": "unavailable"},
        ),
        native_return("tool_search", {}, provider_details={"error_code": "unavailable"}),
    ),
    "another provider's tools": answer(
        None,
        BuiltinToolCallPart("web_search", {"query": "q"}, "s1", provider_name="openai"),
        BuiltinToolReturnPart("web_search", [], "s1", provider_name="openai"),
    ),
    "a summary": (
        {
            "messages": turn(
                TextPart("A"),
                OpaquePart(
                    {"part_kind": "compaction", "provider_name": "anthropic", "content": "So."}
                ),
                TextPart("B"),
                provider="anthropic",
            )
        },
        {
            "messages": [
                message_of("assistant", {"type": "compaction", "content": "So."}, text("B")),
                HELLO_SAID,
            ],
            "context_management": {"edits": [{"type": "compact_20260112"}]},
        },
    ),
    "a signed summary": (
        {
            "messages": turn(
                OpaquePart(
                    {
                        "part_kind": "compaction",
                        "provider_name": "anthropic",
                        "content": "So.",
                        "provider_details": {"signature": "s"},
                    }
                ),
                provider="anthropic",
            )
        },
        {
            "messages": [
                message_of("assistant", {"type": "compaction", "content": "So.", "signature": "s"}),
                HELLO_SAID,
            ]
        },
    ),
    "another provider's summary": answer(
        text("A"),
        OpaquePart({"part_kind": "compaction", "provider_name": "openai", "content": "So."}),
        TextPart("A"),
    ),
    "a new kind of part": (
        {"messages": turn(OpaquePart({"part_kind": "new"}), provider="anthropic")},
        "A part of kind 'new' cannot be sent",
    ),
    "a new kind of part of a request": (
        {"messages": [ModelRequest([OpaquePart({"part_kind": "new"})])]},
        "A part of kind 'new' cannot be sent",
    ),
}


UNFORCED_BY_BUDGET = (
    "`tool_choice='required'` is not possible: a model that thinks with a budget cannot be "
    "forced to call a tool."
)
NO_FILE_SEARCH = (
    "Builtin tool(s) ['FileSearchTool'] not supported by this model. Supported: "
    "['CodeExecutionTool', 'MCPServerTool', 'MemoryTool', 'WebFetchTool', 'WebSearchTool']"
)
NO_BUDGET = (
    "The model 'claude-opus-4-8' takes no `budget_tokens`: use "
    "`anthropic_thinking={'type': 'adaptive'}` and `anthropic_effort`."
)


def tool(name: str, description: str = "", **more: Any) -> JSONObject:
    return {"name": name, "description": description, "input_schema": SCHEMA} | more


F = tool("f", "Does f.")
G = tool("g", strict=True)
OUT = tool("out")
BOTH: JSONObject = {"function_tools": [LOOSE, STRICT]}
ALL: JSONObject = BOTH | {"output_tools": [OUTPUT], "output_mode": "tool"}
MUST: JSONObject = {"allow_text_output": False}


def chosen(
    choice: Any, expected: JSONObject, *tools: JSONObject, settings: Any = None, **more: Any
) -> Row:
    asked = {"settings": {"max_tokens": 4000, "tool_choice": choice} | (settings or {})} | BOTH
    return asked | more, {"tools": list(tools) or [F, G], "tool_choice": expected}


AUTO, ANY, NONE = {"type": "auto"}, {"type": "any"}, {"type": "none"}

TOOLS: dict[str, Row] = {
    "no choice": chosen(None, AUTO),
    "auto": chosen("auto", AUTO),
    "none": chosen("none", NONE),
    "none of them": chosen([], NONE),
    "required": chosen("required", ANY),
    "one": chosen(["g"], {"type": "tool", "name": "g"}),
    "both": chosen(["f", "g"], ANY),
    "some": chosen(["f", "g"], ANY, F, G, **ALL),
    "no choice beside an output tool": chosen(None, AUTO, F, G, OUT, **ALL),
    "none beside an output tool": chosen("none", AUTO, OUT, **ALL),
    "none beside one that must be called": chosen(
        "none", {"type": "tool", "name": "out"}, F, G, OUT, **ALL, **MUST
    ),
    "a call must be": chosen(None, ANY, F, G, OUT, **ALL, **MUST),
    "parallel": chosen(
        None, AUTO | {"disable_parallel_tool_use": False}, settings={"parallel_tool_calls": True}
    ),
    "not parallel": chosen(
        ["g"],
        {"type": "tool", "name": "g", "disable_parallel_tool_use": True},
        settings={"parallel_tool_calls": False},
    ),
    "none, and not parallel": chosen("none", NONE, settings={"parallel_tool_calls": False}),
    "cached": chosen(
        None,
        AUTO,
        F,
        G | {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        settings={"anthropic_cache_tool_definitions": "1h"},
    ),
    "required of one that thinks": (
        {"settings": {"max_tokens": 4000, "tool_choice": "required", "thinking": "low"}} | BOTH,
        UNFORCED_BY_BUDGET,
    ),
    "a call must be of one that thinks": also(
        chosen(None, AUTO, F, G, OUT, settings={"thinking": "low"}, **ALL, **MUST),
        thinking={"type": "enabled", "budget_tokens": 2048},
    ),
}

UNFORCED: dict[str, Row] = {
    "a call must be": chosen(None, AUTO, F, G, OUT, **ALL, **MUST),
    "none beside one that must be called": chosen("none", AUTO, OUT, **ALL, **MUST),
}

# Where a model thinks as it likes, a demand of the user's counts more than thinking does.
OPUS_4_6: dict[str, Row] = {
    "required": also(
        chosen("required", ANY, settings={"thinking": True}), thinking={"type": "adaptive"}
    ),
    "a call must be": also(
        chosen(None, AUTO, F, G, OUT, settings={"thinking": True}, **ALL, **MUST),
        thinking={"type": "adaptive"},
    ),
}

# One that thinks unasked does not where a call is demanded.
OPUS_5: dict[str, Row] = {
    "required": chosen("required", ANY),
    "a call must be": chosen(None, AUTO, F, G, OUT, **ALL, **MUST),
    "none beside one that must be called": chosen("none", AUTO, OUT, **ALL, **MUST),
}

OUTPUTS: dict[str, Row] = {
    "native": (NATIVE, {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
    "native and effort": (
        NATIVE | {"settings": {"max_tokens": 4000, "anthropic_effort": "low"}},
        {
            "output_config": {
                "format": {"type": "json_schema", "schema": SCHEMA},
                "effort": "low",
            }
        },
    ),
    "native, not strict": (
        NATIVE | {"output_object": OutputObjectDefinition(json_schema=SCHEMA, strict=False)},
        "A native output is always strict with Anthropic: leave `strict` out.",
    ),
    "prompted": (PROMPTED, {"system": [text(PROMPT)]}),
    "prompted behind instructions": (
        PROMPTED | {"messages": [ModelRequest.user_text_prompt("Hello", instructions="B")]},
        {"system": [text("B"), text(PROMPT)]},
    ),
    "a tool": (
        {"output_mode": "tool", "output_tools": [OUTPUT]},
        {"tools": [OUT], "tool_choice": AUTO},
    ),
}

PLACE: Any = {"city": "Paris", "country": "FR", "region": "IDF", "timezone": "Europe/Paris"}
SEARCH: JSONObject = {
    "name": "web_search",
    "type": "web_search_20250305",
    "max_uses": None,
    "allowed_domains": None,
    "blocked_domains": None,
    "user_location": None,
}
FETCH: JSONObject = {
    "name": "web_fetch",
    "type": "web_fetch_20250910",
    "max_uses": None,
    "allowed_domains": None,
    "blocked_domains": None,
    "citations": None,
    "max_content_tokens": None,
}
WIKI: JSONObject = {"type": "url", "name": "wiki", "url": "https://a.test"}


def offers(expected: JSONObject, builtin: Any) -> Row:
    return {"builtin_tools": [builtin]}, {"tools": [expected]}


def mcp(more: JSONObject, **options: Any) -> Row:
    server = MCPServerTool(id="wiki", url="https://a.test", **options)
    return {"builtin_tools": [server]}, {"mcp_servers": [WIKI | more]}


BUILTIN_TOOLS: dict[str, Row] = {
    "web search": offers(SEARCH, WebSearchTool()),
    "its allowed domains": offers(
        SEARCH | {"allowed_domains": ["a.test"]}, WebSearchTool(allowed_domains=["a.test"])
    ),
    "its blocked domains, place and limit": offers(
        SEARCH
        | {
            "blocked_domains": ["b.test"],
            "max_uses": 2,
            "user_location": {"type": "approximate"} | PLACE,
        },
        WebSearchTool(blocked_domains=["b.test"], max_uses=2, user_location=PLACE),
    ),
    "web fetch": offers(FETCH, WebFetchTool()),
    "options": offers(
        FETCH
        | {
            "max_uses": 2,
            "blocked_domains": ["b.test"],
            "citations": {"enabled": True},
            "max_content_tokens": 5,
        },
        WebFetchTool(
            max_uses=2, blocked_domains=["b.test"], enable_citations=True, max_content_tokens=5
        ),
    ),
    "web fetch allowed domains": offers(
        FETCH | {"allowed_domains": ["a.test"]}, WebFetchTool(allowed_domains=["a.test"])
    ),
    "code": offers(
        {"name": "code_execution", "type": "code_execution_20260120"}, CodeExecutionTool()
    ),
    "code in the container of before": (
        {
            "builtin_tools": [CodeExecutionTool()],
            "messages": turn(
                TextPart("A"), provider="anthropic", provider_details={"container_id": "c1"}
            ),
        },
        {
            "messages": [HELLO_SAID, message_of("assistant", text("A")), HELLO_SAID],
            "tools": [{"name": "code_execution", "type": "code_execution_20260120"}],
            "container": "c1",
        },
    ),
    "memory": (
        {
            "builtin_tools": [MemoryTool()],
            "function_tools": [ToolDefinition(name="memory"), LOOSE],
        },
        {
            "tools": [F, {"name": "memory", "type": "memory_20250818"}],
            "tool_choice": AUTO,
        },
    ),
    "memory without its function": (
        {"builtin_tools": [MemoryTool()], "function_tools": [LOOSE]},
        "`MemoryTool` needs a function tool named 'memory' that runs its commands",
    ),
    "an MCP server": mcp({}),
    "its token": mcp({"authorization_token": "t"}, authorization_token="t"),
    "its tools": mcp(
        {"tool_configuration": {"enabled": True, "allowed_tools": ["a"]}}, allowed_tools=["a"]
    ),
    "none of its tools": mcp(
        {"tool_configuration": {"enabled": False, "allowed_tools": []}}, allowed_tools=[]
    ),
    "unsupported builtin tool": (
        {"builtin_tools": [FileSearchTool(file_store_ids=[])]},
        NO_FILE_SEARCH,
    ),
    "beside functions": (
        {"builtin_tools": [WebSearchTool()], "function_tools": [LOOSE]},
        {"tools": [F, SEARCH], "tool_choice": AUTO},
    ),
}

POINTS = [item for word in "ABCDE" for item in (word, CachePoint())]
TYPELESS = (
    "A strict schema must have 'type', 'enum', 'const', 'anyOf', 'oneOf' or 'allOf' in each of its "
    "parts: {}"
)
STRING_FORMATS = (
    *("date", "date-time", "duration", "email", "hostname"),
    *("ipv4", "ipv6", "time", "uri", "uuid"),
)


def of(schema: JSONObject, fitted: JSONObject) -> Row:
    """Return a row of the schema of a strict tool's only parameter."""
    whole: JSONObject = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    closed_schema: JSONObject = {
        "type": "object",
        "properties": {"a": fitted},
        "additionalProperties": False,
        "required": ["a"],
    }
    strict = ToolDefinition(name="g", parameters_json_schema=whole, strict=True)
    offered = tool("g", strict=True) | {"input_schema": closed_schema}
    return {"function_tools": [strict]}, {"tools": [offered], "tool_choice": AUTO}


# What strict mode cannot hold the model to is told in a description.
SCHEMAS: dict[str, Row] = {
    format: of({"type": "string", "format": format}, {"type": "string", "format": format})
    for format in STRING_FORMATS
} | {
    "titles": (
        {
            "function_tools": [
                ToolDefinition(
                    name="g",
                    parameters_json_schema={
                        "type": "object",
                        "title": "T",
                        "$schema": "s",
                        "properties": {"title": {"title": "T", "type": "string", "minLength": 1}},
                    },
                )
            ]
        },
        {
            "tools": [
                tool("g")
                | {
                    "input_schema": {
                        "type": "object",
                        "properties": {"title": {"type": "string", "minLength": 1}},
                    }
                }
            ],
            "tool_choice": AUTO,
        },
    ),
    "definitions": (
        {
            "function_tools": [
                ToolDefinition(
                    name="g",
                    parameters_json_schema={
                        "type": "object",
                        "properties": {"a": {"$ref": "#/$defs/A"}},
                        "$defs": {"A": {"type": "string", "minLength": 1}},
                    },
                    strict=True,
                )
            ]
        },
        {
            "tools": [
                tool("g", strict=True)
                | {
                    "input_schema": {
                        "$defs": {"A": {"type": "string", "description": "{minLength: 1}"}},
                        "type": "object",
                        "properties": {"a": {"$ref": "#/$defs/A"}},
                        "additionalProperties": False,
                    }
                }
            ],
            "tool_choice": AUTO,
        },
    ),
    "a part without a type": (
        {
            "function_tools": [
                ToolDefinition(
                    name="g",
                    parameters_json_schema={"type": "object", "properties": {"a": {}}},
                    strict=True,
                )
            ]
        },
        TYPELESS,
    ),
    "another format": of(
        {"type": "string", "format": "iban", "description": "A."},
        {"type": "string", "description": "A.\n\n{format: iban}"},
    ),
    "constants": of({"const": None}, {"enum": [None]}),
    "a constant that is not simple": of(
        {"type": "array", "const": [1]}, {"type": "array", "description": "{const: [1]}"}
    ),
    "simple values": of({"enum": ["a", 1, 1.5, True, None]}, {"enum": ["a", 1, 1.5, True, None]}),
    "other values": of(
        {"type": "array", "enum": [[1]]}, {"type": "array", "description": "{enum: [[1]]}"}
    ),
    "an empty list": of({"type": "array", "minItems": 0}, {"type": "array", "minItems": 0}),
    "a list": of(
        {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "integer", "minimum": 1}},
        {
            "type": "array",
            "items": {"type": "integer", "description": "{minimum: 1}"},
            "description": "{maxItems: 3, minItems: 2}",
        },
    ),
    "a union": of(
        {"allOf": [{"type": "string"}, {"type": "null"}], "default": None},
        {"allOf": [{"type": "string"}, {"type": "null"}], "description": "{default: None}"},
    ),
    "types": of({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
}

# A profile that says nothing of Anthropic.
UNKNOWN: dict[str, Row] = {
    "sampling": set_to({"temperature": 0.5, "top_k": 1}, temperature=0.5, top_k=1),
    "thinking": set_to({"thinking": {"type": "enabled", "budget_tokens": 2048}}, thinking="low"),
    "no thinking": set_to({}, thinking=False),
    "own thinking setting": set_to(
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        anthropic_thinking={"type": "enabled", "budget_tokens": 1024},
    ),
    "a call must be": chosen("required", ANY, tool("f", "Does f."), tool("g")),
    "code execution": offers(
        {"name": "code_execution", "type": "code_execution_20250825"}, CodeExecutionTool()
    ),
}
for asked, _ in UNKNOWN.values():
    asked["profile"] = ModelProfile()

CACHED = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}


def points(*words: JSONObject) -> JSONObject:
    return {"messages": [message_of("user", *words)]}


# A request has at most four cache points.
CACHING: dict[str, Row] = {
    "too many": (
        {"messages": user(*POINTS)},
        points(text("A"), *(text(word, "5m") for word in "BCDE")),
    ),
    "just enough": (
        {"messages": user(*POINTS[2:])},
        points(*(text(word, "5m") for word in "BCDE")),
    ),
    "too many beside tools and instructions": (
        {
            "messages": [ModelRequest([UserPromptPart(POINTS)], instructions="I")],
            "function_tools": [LOOSE],
            "settings": {
                "max_tokens": 4000,
                "anthropic_cache_tool_definitions": True,
                "anthropic_cache_instructions": True,
            },
        },
        points(*map(text, "ABC"), text("D", "5m"), text("E", "5m"))
        | {"system": [text("I", "5m")], "tools": [F | CACHED], "tool_choice": AUTO},
    ),
}

TABLES: dict[str, tuple[str, dict[str, Row]]] = {
    "caching": ("claude-sonnet-4-5", CACHING),
    "another profile": ("mine", UNKNOWN),
    "schemas": ("claude-sonnet-4-5", SCHEMAS),
    "settings": ("claude-sonnet-4-5", SETTINGS),
    "contents": ("claude-sonnet-4-5", CONTENTS),
    "messages": ("claude-sonnet-4-5", MESSAGES),
    "tools": ("claude-sonnet-4-5", TOOLS),
    "tools of 5": ("claude-opus-5", OPUS_5),
    "tools of 4.6": ("claude-opus-4-6", OPUS_4_6),
    "outputs": ("claude-sonnet-4-5", OUTPUTS),
    "builtin tools": ("claude-sonnet-4-5", BUILTIN_TOOLS),
    "no sampling": (
        "claude-opus-4-8",
        {
            "all": set_to(
                {"stop_sequences": ["."]},
                temperature=1,
                top_p=1,
                top_k=1,
                stop_sequences=["."],
            ),
            "a budget": (
                {
                    "settings": {
                        "anthropic_thinking": {"type": "enabled", "budget_tokens": 1024},
                    }
                },
                NO_BUDGET,
            ),
            "own thinking setting": set_to(
                {"thinking": {"type": "adaptive"}}, anthropic_thinking={"type": "adaptive"}
            ),
        },
    ),
    "old": (
        "claude-3-5-haiku-latest",
        {
            "code": offers(
                {"name": "code_execution", "type": "code_execution_20250825"}, CodeExecutionTool()
            ),
            "strict": (
                {"function_tools": [STRICT]},
                {"tools": [tool("g")], "tool_choice": AUTO},
            ),
            "native": (NATIVE, "Native structured output is not supported by this model."),
        },
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    model, rows = TABLES[table]
    common = {"model": f"anthropic:{model}", "settings": {"max_tokens": 4000}}
    made, wanted = compared(rows, PLAIN | {"model": model}, **common)
    assert made == wanted


def thought(model: str, level: Any) -> tuple[Any, Any]:
    call = sent(f"anthropic:{model}", settings={"max_tokens": 40_000, "thinking": level})
    body = call.body or {}
    return body.get("thinking", {}), body.get("output_config", {}).get("effort")


@pytest.mark.parametrize("model", ADAPTIVE)
def test_thinking_as_a_model_likes(model: str) -> None:
    """A level is an effort of those that the model knows."""
    off, efforts = ADAPTIVE[model]
    made = [thought(model, level) for level in LEVELS]
    assert made == [off, *(({"type": "adaptive"}, effort) for effort in efforts)]


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("claude-sonnet-4-5", (None,) * 8),
        ("claude-opus-4-5", (None, None, "low", "low", "medium", "high", "high", "high")),
        ("claude-haiku-4-5", (None,) * 8),
    ],
)
def test_thinking_with_a_budget(model: str, efforts: tuple[Any, ...]) -> None:
    """A level is a number of tokens."""
    enabled = [{"type": "enabled", "budget_tokens": each} if each else {} for each in BUDGETS]
    made = [thought(model, level) for level in LEVELS]
    assert made == list(zip(enabled, efforts, strict=True))


# The limit where none is asked for, and where 200,000 tokens are.
LIMITS: dict[str, tuple[int, int]] = {
    "claude-2.1": (4096, 200_000),
    "claude-3-5-haiku-latest": (4096, 200_000),
    "claude-3-opus-20240229": (4096, 200_000),
    "claude-opus-4-0": (4096, 200_000),
    "claude-opus-4-1": (4096, 200_000),
    "claude-sonnet-4-20250514": (4096, 200_000),
    "claude-haiku-4-5": (64_000, 64_000),
    "claude-opus-4-5": (64_000, 64_000),
    "claude-sonnet-4-5": (64_000, 64_000),
    "claude-opus-4-6": (128_000, 128_000),
    "claude-opus-4-8": (128_000, 128_000),
    "claude-opus-5": (128_000, 128_000),
    "claude-new": (16_384, 200_000),
    "us.anthropic.claude-haiku-4-5-20251001-v1:0": (64_000, 64_000),
    "anthropic/claude-haiku-4.5": (64_000, 64_000),
}


@pytest.mark.parametrize("model", LIMITS)
def test_limits(model: str) -> None:
    """A request without a limit has the model's own, and none asks for more than that."""
    asked: tuple[Any, ...] = ({}, {"max_tokens": 200_000}, {"max_tokens": 9})
    bodies = [sent(f"anthropic:{model}", settings=settings).body for settings in asked]
    assert [body and body["max_tokens"] for body in bodies] == [*LIMITS[model], 9]


TOO_SMALL = (
    "The model 'claude-opus-4-1' thinks with 1024 tokens at least, and `max_tokens` is 1024: "
    "raise it, or leave out `thinking`."
)


def thinking(budget: int, limit: int, **settings: Any) -> Row:
    thinking = {"type": "enabled", "budget_tokens": budget}
    return {"settings": settings}, {"thinking": thinking, "max_tokens": limit}


BUDGETED: dict[str, Row] = {
    "the limit makes room for a budget": thinking(10_000, 14_096, thinking="medium"),
    "a limit that a budget is less than": thinking(
        10_000, 10_001, thinking="medium", max_tokens=10_001
    ),
    "a limit that halves the budget": thinking(4999, 9999, thinking="medium", max_tokens=9999),
    "the least budget": thinking(1024, 1025, thinking="medium", max_tokens=1025),
    "no room for a budget": (
        {"settings": {"thinking": "medium", "max_tokens": 1024}},
        TOO_SMALL,
    ),
    "own budget": thinking(
        5000, 9096, anthropic_thinking={"type": "enabled", "budget_tokens": 5000}
    ),
    "own budget and limit": thinking(
        5000,
        6000,
        anthropic_thinking={"type": "enabled", "budget_tokens": 5000},
        max_tokens=6000,
    ),
}


def test_budgets_and_limits() -> None:
    """A budget counts toward the limit, and is less than it."""
    plain = PLAIN | {"model": "claude-opus-4-1"}
    made, wanted = compared(BUDGETED, plain, model="anthropic:claude-opus-4-1")
    assert made == wanted


def test_a_beta_for_more_output() -> None:
    """A beta feature may let a model write more than its limit."""
    settings = {"max_tokens": 100_000, "anthropic_betas": ["output-128k-2025-02-19"]}
    body = sent("anthropic:claude-haiku-4-5", settings=settings).body
    assert body is not None
    assert body["max_tokens"] == 100_000


NEW, OLD = "code_execution_20260120", "code_execution_20250825"

# Whether a model takes native output, and a temperature; its version of code execution.
MODELS: dict[str, tuple[bool, bool, str]] = {
    "claude-3-5-haiku-latest": (False, True, OLD),
    "claude-sonnet-4-0": (False, True, OLD),
    "claude-opus-4-1": (True, True, OLD),
    "claude-haiku-4-5": (True, True, OLD),
    "claude-sonnet-4-5": (True, True, NEW),
    "claude-opus-4-5": (True, True, NEW),
    "claude-sonnet-4-6": (True, True, NEW),
    "claude-opus-4-6": (True, True, NEW),
    "claude-opus-4-7": (True, False, NEW),
    "claude-opus-4-8": (True, False, NEW),
    "claude-opus-5": (True, False, NEW),
    "claude-sonnet-5": (True, False, NEW),
    "claude-haiku-5-5": (True, False, NEW),
    "claude-fable-5": (True, False, NEW),
    "claude-mythos-5": (True, False, NEW),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    """What a model takes is told by how its name begins."""
    native, sampled, code = MODELS[name]
    model = infer_model(f"anthropic:{name}", api_key="key")
    assert model.profile.supports_json_schema_output is native
    body = sent(
        f"anthropic:{name}", settings={"temperature": 1}, builtin_tools=[CodeExecutionTool()]
    ).body
    assert body is not None
    assert ("temperature" in body) is sampled
    assert body["tools"] == [{"name": "code_execution", "type": code}]


UNFORCED_MODELS = (
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5-1",
    "claude-mythos-5-2",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
)


@pytest.mark.parametrize("model", UNFORCED_MODELS)
def test_models_that_cannot_be_forced(model: str) -> None:
    """A call that is demanded is an error where the user demands it, otherwise a free choice."""
    with pytest.raises(UserError, match=r"^`tool_choice='required'` is not possible: .* to call"):
        sent(f"anthropic:{model}", settings={"tool_choice": "required"}, **BOTH)
    common = {"model": f"anthropic:{model}", "settings": {"max_tokens": 4000}}
    made, wanted = compared(UNFORCED, PLAIN | {"model": model}, **common)
    assert made == wanted


BETAS: dict[str, tuple[JSONObject, str]] = {
    "fetch": ({"builtin_tools": [WebFetchTool()]}, "web-fetch-2025-09-10"),
    "MCP": (
        {"builtin_tools": [MCPServerTool(id="a", url="https://a.test")]},
        "mcp-client-2025-04-04",
    ),
    "memory": (
        {
            "builtin_tools": [MemoryTool()],
            "function_tools": [ToolDefinition(name="memory")],
        },
        "context-management-2025-06-27",
    ),
    "native": (NATIVE, "structured-outputs-2025-11-13"),
    "strict": ({"function_tools": [STRICT]}, "structured-outputs-2025-11-13"),
    "files": (
        {
            "messages": user(
                UploadedFile(file_id="f1", provider_name="anthropic", media_type="image/png")
            )
        },
        "files-api-2025-04-14",
    ),
    "a file in a result": (
        {
            "messages": returned(
                result(
                    UploadedFile(file_id="f1", provider_name="anthropic", media_type="image/png")
                )
            )
        },
        "files-api-2025-04-14",
    ),
    "a summary": ({"messages": MESSAGES["a summary"][0]["messages"]}, "compact-2026-01-12"),
    "a signed summary": (
        {"messages": MESSAGES["a signed summary"][0]["messages"]},
        "compact-2026-09-04",
    ),
    "several, and one's own": (
        {
            "builtin_tools": [WebFetchTool()],
            "settings": {"anthropic_betas": ["a-1", "web-fetch-2025-09-10"]},
        },
        "a-1,web-fetch-2025-09-10",
    ),
}


def test_betas() -> None:
    """What must be switched on is a header."""
    model = "anthropic:claude-sonnet-4-5"
    made = {name: sent(model, **asked).headers for name, (asked, _) in BETAS.items()}
    assert made == {
        name: {"anthropic-version": "2023-06-01", "anthropic-beta": betas}
        for name, (_, betas) in BETAS.items()
    }


async def test_address() -> None:
    """The key has a header of its own, and the beta API a query."""
    url, more = await addressed("anthropic:claude-sonnet-4-5")
    assert url == "https://api.anthropic.com/v1/messages"
    assert more == {"x-api-key": "key", "anthropic-version": "2023-06-01", "beta": "true"}
