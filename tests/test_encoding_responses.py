"""OpenAI's Responses protocol: exact bodies."""

from __future__ import annotations

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
    ToolReturnPart,
    UserPromptPart,
)
from direct_anyio.builtin_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
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
from direct_anyio.dialects.openai_chat import OpenAIModelProfile
from direct_anyio.parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    OpaquePart,
)

from .encoding import (
    BY_BYTES,
    CALL,
    CALL_ID,
    ELSEWHERE,
    HELLO,
    HELLO_SAID,
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
    WAV,
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

MODEL = "openai-responses:gpt-4.1"
PLAIN: JSONObject = {"model": "gpt-4.1", "input": [HELLO_SAID], "stream": False}


def able(**keys: Any) -> OpenAIModelProfile:
    return OpenAIModelProfile(**keys)


def setting(member: str, value: Any, **settings: Any) -> Row:
    return {"settings": settings}, {member: value}


SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "max_tokens": setting("max_output_tokens", 5, max_tokens=5),
    "temperature": setting("temperature", 0.0, temperature=0.0),
    "top_p": setting("top_p", 0.5, top_p=0.5),
    "parallel calls": setting("parallel_tool_calls", False, parallel_tool_calls=False),
    "truncation": setting("truncation", "auto", openai_truncation="auto"),
    "tier": setting("service_tier", "flex", service_tier="flex"),
    "tier of OpenAI's": setting("service_tier", "scale", openai_service_tier="scale"),
    "both tiers": setting(
        "service_tier", "scale", openai_service_tier="scale", service_tier="flex"
    ),
    "user": setting("user", "u1", openai_user="u1"),
    "store": setting("store", False, openai_store=False),
    "cache key": setting("prompt_cache_key", "k", openai_prompt_cache_key="k"),
    "cache retention": setting(
        "prompt_cache_retention", "24h", openai_prompt_cache_retention="24h"
    ),
    "verbosity": setting("text", {"verbosity": "low"}, openai_text_verbosity="low"),
    "top_logprobs": setting("top_logprobs", 2, openai_top_logprobs=2),
    "logprobs": setting("include", ["message.output_text.logprobs"], openai_logprobs=True),
    "outputs of code": setting(
        "include", ["code_interpreter_call.outputs"], openai_include_code_execution_outputs=True
    ),
    "sources": setting(
        "include", ["web_search_call.action.sources"], openai_include_web_search_sources=True
    ),
    "passages": setting(
        "include", ["file_search_call.results"], openai_include_file_search_results=True
    ),
    "several to include": setting(
        "include",
        ["file_search_call.results", "message.output_text.logprobs"],
        openai_logprobs=True,
        openai_include_file_search_results=True,
        openai_include_web_search_sources=False,
    ),
    "effort": setting("reasoning", {"effort": "low"}, openai_reasoning_effort="low"),
    "summary": setting("reasoning", {"summary": "auto"}, openai_reasoning_summary="auto"),
    "context": setting(
        "reasoning", {"context": "current_turn"}, openai_reasoning_context="current_turn"
    ),
    "a response to go on from": setting(
        "previous_response_id", "r1", openai_previous_response_id="r1"
    ),
    "raw tools": (
        {"settings": {"openai_builtin_tools": [{"type": "new"}]}},
        {"tools": [{"type": "new"}], "tool_choice": "auto"},
    ),
    "thinking of a model that does not": ({"settings": {"thinking": "high"}}, {}),
    "None is absent": ({"settings": {"temperature": None, "openai_user": None}}, {}),
    "refused ones": (
        {
            "settings": {"top_p": 0.5, "openai_user": "u"},
            "profile": able(openai_unsupported_model_settings=("top_p",)),
        },
        {"user": "u"},
    ),
}

ENCRYPTED: JSONObject = {"include": ["reasoning.encrypted_content"]}

REASONING: dict[str, Row] = {
    "nothing": ({}, ENCRYPTED),
    "sampling is dropped": (
        {"settings": {"temperature": 0, "top_p": 1, "openai_top_logprobs": 2, "max_tokens": 5}},
        ENCRYPTED | {"max_output_tokens": 5},
    ),
    "thinking": ({"settings": {"thinking": "low"}}, ENCRYPTED | {"reasoning": {"effort": "low"}}),
    "effort before thinking": (
        {"settings": {"thinking": "low", "openai_reasoning_effort": "high"}},
        ENCRYPTED | {"reasoning": {"effort": "high"}},
    ),
    "everything": (
        {
            "settings": {
                "openai_reasoning_effort": "high",
                "openai_reasoning_summary": "detailed",
                "openai_reasoning_context": "auto",
                "openai_include_file_search_results": True,
            }
        },
        {
            "include": ["reasoning.encrypted_content", "file_search_call.results"],
            "reasoning": {"effort": "high", "summary": "detailed", "context": "auto"},
        },
    ),
}

ALL_TURNS: dict[str, Row] = {
    "nothing": ({}, ENCRYPTED | {"reasoning": {"context": "all_turns"}}),
    "another context": (
        {"settings": {"openai_reasoning_context": "current_turn"}},
        ENCRYPTED | {"reasoning": {"context": "current_turn"}},
    ),
}


def content(piece: JSONObject, *items: Any) -> Row:
    return {"messages": user(*items)}, {"input": [{"role": "user", "content": [piece]}]}


def refused(text: str, *items: Any) -> Row:
    return {"messages": user(*items)}, text


def expected(text: str) -> JSONObject:
    return {"text": text, "type": "input_text"}


def image(detail: str = "auto", **source: Any) -> JSONObject:
    return {"type": "input_image", "detail": detail} | source


def file(**source: Any) -> JSONObject:
    return {"type": "input_file"} | source


LOW = {"detail": "low"}

CONTENTS: dict[str, Row] = {
    "a text": content(expected("Hi"), "Hi"),
    "a text with data": content(expected("Hi"), TextContent("Hi", metadata=1)),
    "a cache point": content(expected("Hi"), "Hi", CachePoint()),
    "an image by URL": content(
        image(image_url="https://a.test/b.png"), ImageUrl("https://a.test/b.png")
    ),
    "image detail": content(
        image("low", image_url="https://a.test/b.png"),
        ImageUrl("https://a.test/b.png", vendor_metadata=LOW),
    ),
    "an image": content(image(image_url="data:image/png;base64,+/8="), PNG),
    "detail of an image as bytes": content(
        image("low", image_url="data:image/png;base64,+/8="),
        BinaryContent(PNG.data, media_type="image/png", vendor_metadata=LOW),
    ),
    "an uploaded image": content(
        image("low", file_id="f1"),
        UploadedFile(
            file_id="f1", provider_name="openai", media_type="image/png", vendor_metadata=LOW
        ),
    ),
    "a document": content(
        file(file_data="data:application/pdf;base64,+/8=", filename="filename.pdf"), PDF
    ),
    "a document by URL": content(
        file(file_url="https://a.test/b.pdf"), DocumentUrl("https://a.test/b.pdf")
    ),
    "audio by URL": content(
        file(file_url="https://a.test/b.mp3"), AudioUrl("https://a.test/b.mp3")
    ),
    "an uploaded file": content(
        file(file_id="f1"),
        UploadedFile(file_id="f1", provider_name="openai", media_type="application/pdf"),
    ),
    "audio": refused("The Responses protocol cannot be sent a file of type audio/wav", WAV),
    "a video": refused("The Responses protocol cannot be sent a file of type video/mp4", MP4),
    "a video by URL": refused(
        "The Responses protocol cannot be sent VideoUrl", VideoUrl("https://a.test/b.mp4")
    ),
    "an image whose bytes are wanted": refused(
        BY_BYTES.format("https://a.test/b.png"),
        ImageUrl("https://a.test/b.png", force_download=True),
    ),
    "a file uploaded elsewhere": refused(
        ELSEWHERE.format("f1", "anthropic", "openai"),
        UploadedFile(file_id="f1", provider_name="anthropic"),
    ),
}


def function(name: str, description: str | None = None, *, strict: bool = False) -> JSONObject:
    return {
        "name": name,
        "parameters": SCHEMA,
        "type": "function",
        "description": description,
        "strict": strict,
    }


F, G, OUT = function("f", "Does f."), function("g", strict=True), function("out")


CALL_SAID: JSONObject = {
    "name": "f",
    "arguments": '{"x":1}',
    "call_id": CALL_ID,
    "type": "function_call",
}


def output(output: Any, call_id: str = CALL_ID) -> JSONObject:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def answer(*items: JSONObject, of: list[Any], provider: str | None = "openai", **more: Any) -> Row:
    """Return a row of a response of a model that reasons, which goes back as these items."""
    asked: JSONObject = {"messages": turn(*of, provider=provider)} | more
    return asked, {"input": [HELLO_SAID, *items, HELLO_SAID]}


def called(part: ToolCallPart, item: JSONObject, provider: str = "openai", **more: Any) -> Row:
    asked: JSONObject = {"messages": turn(part, provider=provider)} | more
    return asked, {"input": [HELLO_SAID, item, output("ok")]}


def results(*items: JSONObject, of: list[Any]) -> Row:
    return {"messages": returned(*of)}, {"input": [HELLO_SAID, CALL_SAID, *items]}


def native(name: str, args: Any, **more: Any) -> BuiltinToolCallPart:
    return BuiltinToolCallPart(name, args, "i1", provider_name="openai", **more)


def native_return(name: str, content: Any, **more: Any) -> BuiltinToolReturnPart:
    return BuiltinToolReturnPart(name, content, "i1", provider_name="openai", **more)


def item(type: str, **more: Any) -> JSONObject:
    return {"id": "i1", "type": type} | more


def message(*contents: JSONObject, **more: Any) -> JSONObject:
    named = {"role": "assistant", "id": "m1", "type": "message", "status": "completed"}
    return named | {"content": list(contents)} | more


def text(text: str, *annotations: JSONObject) -> JSONObject:
    return {"text": text, "type": "output_text", "annotations": list(annotations)}


def thought(*summary: str, signature: str | None = None, **more: Any) -> JSONObject:
    summaries = [{"text": each, "type": "summary_text"} for each in summary]
    named = {"id": "rs1", "summary": summaries, "encrypted_content": signature, "type": "reasoning"}
    return named | more


URL: JSONObject = {
    "type": "url_citation",
    "url": "a.test",
    "title": "A",
    "start_index": 3,
    "end_index": 9,
}
FILE: JSONObject = {"type": "file_citation", "file_id": "f1", "filename": "a", "index": 1}
CODE = {"container_id": "c1", "code": "1"}
NAMED = {"id": "ts1", "call_id": "c1", "status": "incomplete"}


def plain(text: str) -> JSONObject:
    return {"role": "assistant", "content": text}


# Of a model whose items go back with their ids.
MESSAGES: dict[str, Row] = {
    "a text without an id": answer(plain("Hi"), of=[TextPart("Hi")]),
    "a text of another provider's": answer(
        plain("Hi"), of=[TextPart("Hi", id="m1")], provider="anthropic"
    ),
    "a thought without an id": answer(
        plain("<think>\nHm.\n</think>"), of=[ThinkingPart("Hm.", provider_name="openai")]
    ),
    "a thought of another provider's": answer(
        plain("<think>\nHm.\n</think>"),
        of=[ThinkingPart("Hm.", id="rs1", signature="s", provider_name="anthropic")],
    ),
    "a raw thought of another provider's": answer(
        plain("<think>\nHm.\n</think>"),
        of=[
            ThinkingPart(
                "Hm.",
                id="rs1",
                provider_name="anthropic",
                provider_details={"raw_content": ["Raw."]},
            )
        ],
    ),
    "a thought in a field of Chat Completions": answer(
        plain("<think>\nHm.\n</think>"),
        of=[ThinkingPart("Hm.", id="reasoning", provider_name="openai")],
    ),
    "a text": answer(message(text("Hi")), of=[TextPart("Hi", id="m1")]),
    "two texts of an item": answer(
        message(text("A"), text("B")), of=[TextPart("A", id="m1"), TextPart("B", id="m1")]
    ),
    "two items": answer(
        message(text("A")),
        message(text("B"), id="m2"),
        of=[TextPart("A", id="m1"), TextPart("B", id="m2")],
    ),
    "a thought under the name of a field, but encrypted": answer(
        thought("Hm.", signature="s", id="reasoning"),
        of=[ThinkingPart("Hm.", id="reasoning", signature="s", provider_name="openai")],
    ),
    "its phase": answer(
        message(text("Hi")),
        of=[TextPart("Hi", id="m1", provider_details={"phase": "commentary"})],
    ),
    "citations": answer(
        message(text("At a.test.", URL, FILE)),
        of=[
            TextPart(
                "At a.test.",
                id="m1",
                provider_details={
                    "citations": [
                        URL | {"more": 1},
                        FILE,
                        URL | {"start_index": 4},
                        URL | {"title": None},
                        {"type": "new"},
                        FILE | {"index": "1"},
                    ]
                },
            )
        ],
    ),
    "an encrypted thought": answer(
        thought("Hm.", signature="s"),
        of=[ThinkingPart("Hm.", id="rs1", signature="s", provider_name="openai")],
    ),
    "a thought of several parts": answer(
        thought("Hm.", "Ah.", signature="s"),
        of=[
            ThinkingPart("Hm.", id="rs1", signature="s", provider_name="openai"),
            ThinkingPart("Ah.", id="rs1", provider_name="openai"),
        ],
    ),
    "a thought without a summary": answer(
        thought(signature="s"),
        of=[ThinkingPart("", id="rs1", signature="s", provider_name="openai")],
    ),
    "a thought of nothing": answer(of=[ThinkingPart("", id="rs1", provider_name="openai")]),
    "a raw thought": answer(
        thought("Hm.", content=[{"text": "Raw.", "type": "reasoning_text"}]),
        of=[
            ThinkingPart(
                "Hm.",
                id="rs1",
                provider_name="openai",
                provider_details={"raw_content": ["Raw."]},
            )
        ],
    ),
    "a call": called(ToolCallPart("f", {"x": 1}, CALL_ID, id="fc1"), CALL_SAID | {"id": "fc1"}),
    "a call without an item's id": called(CALL, CALL_SAID),
    "a call without arguments": called(
        ToolCallPart("f", None, CALL_ID), CALL_SAID | {"arguments": "{}"}
    ),
    "a call in a namespace": called(
        ToolCallPart("f", {"x": 1}, CALL_ID, provider_details={"namespace": "n"}),
        CALL_SAID | {"namespace": "n"},
    ),
    "a call of another provider's": called(
        ToolCallPart("f", {"x": 1}, CALL_ID, id="fc1", provider_details={"namespace": "n"}),
        CALL_SAID,
        "anthropic",
    ),
    "call id joined with an item id": (
        {
            "messages": [
                *HELLO,
                ModelResponse([ToolCallPart("f", {"x": 1}, "c1|fc1")], provider_name="openai"),
                ModelRequest([ToolReturnPart("f", "ok", "c1|fc1")]),
            ]
        },
        {
            "input": [
                HELLO_SAID,
                CALL_SAID | {"call_id": "c1", "id": "fc1"},
                output("ok", "c1"),
            ]
        },
    ),
    "code": answer(
        item("code_interpreter_call", **CODE, outputs=None, status="completed"),
        of=[native("code_execution", CODE)],
    ),
    "code that failed": answer(
        item("code_interpreter_call", **CODE, outputs=None, status="failed"),
        of=[native("code_execution", CODE), native_return("code_execution", {"status": "failed"})],
    ),
    "a result without its call": answer(of=[native_return("code_execution", {"status": "failed"})]),
    "an image that was made": answer(
        item("image_generation_call"),
        of=[
            native("image_generation", None),
            native_return("image_generation", {"status": "completed"}),
        ],
    ),
    "code without a container": answer(of=[native("code_execution", {"code": "1"})]),
    "web search": answer(
        item("web_search_call", action={"type": "search", "query": "q"}, status="completed"),
        of=[native("web_search", {"type": "search", "query": "q", "queries": None})],
    ),
    "a search of nothing": answer(of=[native("web_search", None)]),
    "file search": answer(
        item("file_search_call", queries=["q"], status="completed"),
        of=[native("file_search", {"queries": ["q"]})],
    ),
    "file search without queries": answer(
        item("file_search_call", queries=[], status="completed"),
        of=[native("file_search", {"a": 1})],
    ),
    "file search without arguments": answer(of=[native("file_search", {})]),
    "an image": answer(
        item("image_generation_call"),
        of=[native("image_generation", None), FilePart(PNG)],
    ),
    "an MCP call": answer(
        item(
            "mcp_call",
            server_label="wiki:de",
            name="ask",
            arguments='{"q":1}',
            error=None,
            output=None,
        ),
        of=[
            native(
                "mcp_server:wiki:de",
                {"action": "call_tool", "tool_name": "ask", "tool_args": {"q": 1}},
            )
        ],
    ),
    "an MCP call without arguments": answer(
        item("mcp_call", server_label="wiki", name="ask", arguments="{}", error=None, output=None),
        of=[native("mcp_server:wiki", {"action": "call_tool", "tool_name": "ask"})],
    ),
    "an MCP call of nothing": answer(of=[native("mcp_server:wiki", {"action": "call_tool"})]),
    "an MCP server's tools": answer(
        item("mcp_list_tools", server_label="wiki", tools=[]),
        of=[native("mcp_server:wiki", {"action": "list_tools"})],
    ),
    "unknown builtin tool": answer(of=[native("new", {"a": 1})]),
    "a search for tools": answer(
        {
            "call_id": "c1",
            "arguments": {"queries": ["q"]},
            "type": "tool_search_call",
            "execution": "server",
            "status": "incomplete",
            "id": "ts1",
        },
        of=[native("tool_search", {"queries": ["q"]}, id="ts1", provider_details=NAMED)],
    ),
    "a search for tools without details": answer(
        {
            "call_id": "i1",
            "arguments": {},
            "type": "tool_search_call",
            "execution": "server",
            "status": "completed",
        },
        of=[native("tool_search", None)],
    ),
    "found tools": also(
        answer(
            {
                "type": "tool_search_output",
                "execution": "server",
                "tools": [F],
                "call_id": "c1",
                "status": "incomplete",
                "id": "ts1",
            },
            of=[
                native_return(
                    "tool_search", {"discovered_tools": [{"name": "f"}]}, provider_details=NAMED
                )
            ],
            function_tools=[LOOSE, STRICT],
        ),
        tools=[F, G],
        tool_choice="auto",
    ),
    "found tools without details": answer(
        {
            "type": "tool_search_output",
            "execution": "server",
            "tools": [],
            "call_id": "i1",
            "status": "completed",
            "id": "ts1",
        },
        of=[native_return("tool_search", "?", provider_details={"id": "ts1"})],
    ),
    "a summary": (
        {
            "messages": turn(
                OpaquePart(
                    {
                        "part_kind": "compaction",
                        "id": "cmp1",
                        "provider_name": "openai",
                        "provider_details": {"encrypted_content": "e"},
                    }
                ),
                provider="openai",
            )
        },
        {
            "input": [
                {"id": "cmp1", "encrypted_content": "e", "type": "compaction"},
                HELLO_SAID,
            ]
        },
    ),
    "a summary of nothing": answer(
        of=[OpaquePart({"part_kind": "compaction", "provider_name": "openai"})]
    ),
    "a summary of another provider's": answer(
        of=[
            OpaquePart(
                {
                    "part_kind": "compaction",
                    "provider_name": "anthropic",
                    "provider_details": {"encrypted_content": "e"},
                }
            )
        ]
    ),
    "another provider's tools": answer(
        of=[
            BuiltinToolCallPart("code_execution", CODE, "i1", provider_name="anthropic"),
            BuiltinToolReturnPart("code_execution", {}, "i1", provider_name="anthropic"),
        ]
    ),
    "a new kind": (
        {"messages": turn(OpaquePart({"part_kind": "new"}), provider="openai")},
        "A part of kind 'new' cannot be sent",
    ),
    "a new kind of a request": (
        {"messages": [ModelRequest([OpaquePart({"part_kind": "new"})])]},
        "A part of kind 'new' cannot be sent",
    ),
    "items without ids": (
        {
            "messages": turn(
                native("code_execution", CODE),
                ToolCallPart("f", {"x": 1}, CALL_ID, id="fc1"),
                native("tool_search", {"queries": ["q"]}, id="ts1"),
                native_return("tool_search", {}, provider_details={"id": "ts1"}),
                provider="openai",
            ),
            "settings": {"openai_send_reasoning_ids": False},
        },
        {
            "input": [
                HELLO_SAID,
                CALL_SAID,
                {
                    "call_id": "i1",
                    "arguments": {"queries": ["q"]},
                    "type": "tool_search_call",
                    "execution": "server",
                    "status": "completed",
                },
                {
                    "type": "tool_search_output",
                    "execution": "server",
                    "tools": [],
                    "call_id": "i1",
                    "status": "completed",
                },
                output("ok"),
            ]
        },
    ),
}

PHASED = TextPart("Hi", id="m1", provider_details={"phase": "final_answer"})
PHASELESS = able(
    openai_supports_encrypted_reasoning_content=True, openai_supports_reasoning_context=True
)
PHASES: dict[str, Row] = {
    "a phase": answer(message(text("Hi"), phase="final_answer"), of=[PHASED]),
    "a phase that the model does not know": answer(
        message(text("Hi")), of=[PHASED], profile=PHASELESS
    ),
    "no known phase": answer(
        message(text("Hi")), of=[TextPart("Hi", id="m1", provider_details={"phase": "x"})]
    ),
}

REQUESTS: dict[str, Row] = {
    "a system prompt": (
        {"messages": [ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")])]},
        {"input": [{"role": "system", "content": "A"}, HELLO_SAID]},
    ),
    "a developer's": (
        {
            "messages": [ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")])],
            "profile": able(openai_system_prompt_role="developer"),
        },
        {"input": [{"role": "developer", "content": "A"}, HELLO_SAID]},
    ),
    "instructions": (
        {"messages": [ModelRequest.user_text_prompt("Hello", instructions="B")]},
        {"instructions": "B"},
    ),
    "a call that must have no status": called(
        CALL,
        CALL_SAID | {"status": None},
        profile=able(openai_responses_requires_function_call_status_none=True),
    ),
    "an object for a result": results(output('{"a":1}'), of=[result({"a": 1})]),
    "a file for a result": results(
        output([image(image_url="data:image/png;base64,+/8=")]), of=[result(PNG)]
    ),
    "files for a result": results(
        output(
            [
                expected("a"),
                expected('{"b":1}'),
                file(file_url="https://a.test/b.pdf"),
                file(file_id="f1"),
            ]
        ),
        of=[
            result(
                [
                    "a",
                    {"b": 1},
                    DocumentUrl("https://a.test/b.pdf"),
                    UploadedFile(file_id="f1", provider_name="openai"),
                ]
            )
        ],
    ),
    "a retry": results(
        output("No\n\nFix the errors and try again."),
        of=[RetryPromptPart("No", tool_name="f", tool_call_id=CALL_ID)],
    ),
    "a retry of a text": results(
        output("ok"),
        {
            "role": "user",
            "content": [expected("Validation feedback:\nNo\n\nFix the errors and try again.")],
        },
        of=[result("ok"), RetryPromptPart("No")],
    ),
    "the response to go on from": (
        {
            "messages": turn(CALL, provider="openai", provider_response_id="r1"),
            "settings": {"openai_previous_response_id": "auto"},
        },
        {"input": [output("ok")], "previous_response_id": "r1"},
    ),
    "nothing to go on with": (
        {
            "messages": turn(provider="openai", provider_response_id="r1")[:2],
            "settings": {"openai_previous_response_id": "auto"},
        },
        {},
    ),
    "nothing to say": (
        {"messages": [ModelRequest([])]},
        {"input": [{"role": "user", "content": ""}]},
    ),
    "nothing to go on from": (
        {
            "messages": turn(CALL, provider="anthropic", provider_response_id="r1"),
            "settings": {"openai_previous_response_id": "auto"},
        },
        {"input": [HELLO_SAID, CALL_SAID, output("ok")]},
    ),
}


BOTH: JSONObject = {"function_tools": [LOOSE, STRICT]}
ALL: JSONObject = BOTH | {"output_tools": [OUTPUT], "output_mode": "tool"}
MUST: JSONObject = {"allow_text_output": False}
OLD = able(openai_supports_tool_choice_required=False)


def chosen(choice: Any, summaries: Any, *tools: JSONObject, **more: Any) -> Row:
    asked = {"settings": {"tool_choice": choice}} | BOTH | more
    return asked, {"tools": list(tools or (F, G)), "tool_choice": summaries}


def named(*names: str) -> list[JSONObject]:
    return [{"type": "function", "name": name} for name in names]


def allowed(mode: str, *names: str) -> JSONObject:
    return {"type": "allowed_tools", "mode": mode, "tools": named(*names)}


TOOLS: dict[str, Row] = {
    "no choice": chosen(None, "auto"),
    "strict where that is not known": chosen(
        None,
        "auto",
        F,
        function("g"),
        profile=able(openai_supports_strict_tool_definition=False),
    ),
    "auto": chosen("auto", "auto"),
    "none": chosen("none", "none"),
    "none of them": chosen([], "none"),
    "required": chosen("required", "required"),
    "one": chosen(["g"], named("g")[0]),
    "both": chosen(["g", "f"], "required"),
    "some": chosen(["g", "f"], allowed("required", "f", "g"), F, G, OUT, **ALL),
    "no choice beside an output tool": chosen(None, "auto", F, G, OUT, **ALL),
    "none beside an output tool": chosen("none", allowed("auto", "out"), F, G, OUT, **ALL),
    "none beside one that must be called": chosen(
        "none", named("out")[0], F, G, OUT, **ALL, **MUST
    ),
    "a call must be": chosen(None, "required", F, G, OUT, **ALL, **MUST),
    "required where it cannot be": (
        {"settings": {"tool_choice": "required"}, "profile": OLD} | BOTH,
        "`tool_choice='required'` is not possible: gpt-4.1 cannot be forced to call a tool.",
    ),
    "a call must be where it cannot": chosen(None, "auto", F, G, OUT, **ALL, **MUST, profile=OLD),
}


def shaped(text: JSONObject) -> JSONObject:
    return {"text": {"format": {"type": "json_schema"} | text}}


WHOLE: JSONObject = {"name": "point", "schema": SCHEMA, "description": "A point.", "strict": True}
BARE = OutputObjectDefinition(json_schema=SCHEMA, strict=False)

OUTPUTS: dict[str, Row] = {
    "native": (NATIVE, shaped(WHOLE)),
    "native, not strict": (
        NATIVE | {"output_object": BARE},
        shaped({"name": "final_result", "schema": SCHEMA, "strict": False}),
    ),
    "native where nothing is strict": (
        NATIVE
        | {
            "output_object": BARE,
            "profile": able(
                supports_json_schema_output=True, openai_supports_strict_tool_definition=False
            ),
        },
        shaped({"name": "final_result", "schema": SCHEMA}),
    ),
    "native and verbosity": (
        NATIVE | {"output_object": BARE, "settings": {"openai_text_verbosity": "high"}},
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "final_result",
                    "schema": SCHEMA,
                    "strict": False,
                },
                "verbosity": "high",
            }
        },
    ),
    "prompted": (
        PROMPTED,
        {
            "input": [{"role": "system", "content": PROMPT}, HELLO_SAID],
            "text": {"format": {"type": "json_object"}},
        },
    ),
    "prompted behind system prompts": (
        PROMPTED
        | {
            "messages": [
                ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")], instructions="B")
            ]
        },
        {
            "input": [
                {"role": "system", "content": "A"},
                {"role": "system", "content": f"B\n\n{PROMPT}"},
                HELLO_SAID,
            ],
            "text": {"format": {"type": "json_object"}},
        },
    ),
    "prompted where nothing holds it to JSON": (
        PROMPTED | {"profile": able()},
        {"instructions": PROMPT},
    ),
    "a tool": (
        {"output_mode": "tool", "output_tools": [OUTPUT]},
        {"tools": [OUT], "tool_choice": "auto"},
    ),
    "an image": (
        {"allow_image_output": True},
        {"tools": [{"type": "image_generation"}], "tool_choice": "auto"},
    ),
    "an image drawn by code": (
        {"allow_image_output": True, "builtin_tools": [CodeExecutionTool()]},
        {
            "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}],
            "tool_choice": "auto",
        },
    ),
}

PLACE: Any = {"city": "Paris", "country": "FR", "region": "IDF", "timezone": "Europe/Paris"}
IMAGE: JSONObject = {
    "type": "image_generation",
    "background": "auto",
    "input_fidelity": None,
    "moderation": "auto",
    "output_compression": 100,
    "output_format": "png",
    "partial_images": 0,
    "quality": "auto",
    "size": "auto",
}
WIKI: JSONObject = {"type": "mcp", "server_label": "wiki", "require_approval": "never"}


def offers(expected: JSONObject, *builtin: Any, **more: Any) -> Row:
    return {"builtin_tools": list(builtin)} | more, {"tools": [expected], "tool_choice": "auto"}


def mcp(more: JSONObject, url: str = "https://a.test", **options: Any) -> Row:
    return offers(WIKI | more, MCPServerTool(id="wiki", url=url, **options))


def drawn(more: JSONObject, **options: Any) -> Row:
    return offers(IMAGE | more, ImageGenerationTool(**options))


def undrawn(text: str, **options: Any) -> Row:
    return {"builtin_tools": [ImageGenerationTool(**options)]}, text


BUILTIN_TOOLS: dict[str, Row] = {
    "web search": offers({"type": "web_search", "search_context_size": "medium"}, WebSearchTool()),
    "options": offers(
        {
            "type": "web_search",
            "search_context_size": "low",
            "user_location": {"type": "approximate"} | PLACE,
            "filters": {"allowed_domains": ["a.test"]},
        },
        WebSearchTool(search_context_size="low", user_location=PLACE, allowed_domains=["a.test"]),
    ),
    "file search": offers(
        {"type": "file_search", "vector_store_ids": ["s1"]}, FileSearchTool(file_store_ids=("s1",))
    ),
    "code": offers(
        {"type": "code_interpreter", "container": {"type": "auto"}}, CodeExecutionTool()
    ),
    "an MCP server": mcp({"server_url": "https://a.test"}),
    "MCP server options": mcp(
        {
            "server_url": "https://a.test",
            "authorization": "t",
            "allowed_tools": ["a"],
            "server_description": "A wiki.",
            "headers": {"a": "b"},
        },
        authorization_token="t",
        allowed_tools=["a"],
        description="A wiki.",
        headers={"a": "b"},
    ),
    "a connector": mcp({"connector_id": "c1"}, "x-openai-connector:c1"),
    "an image": drawn({}),
    "image options": drawn(
        {
            "background": "opaque",
            "input_fidelity": "high",
            "moderation": "low",
            "output_compression": 0,
            "output_format": "webp",
            "partial_images": 2,
            "quality": "low",
            "size": "1536x1024",
        },
        background="opaque",
        input_fidelity="high",
        moderation="low",
        output_compression=0,
        output_format="webp",
        partial_images=2,
        quality="low",
        size="1536x1024",
    ),
    "a size": drawn({"size": "1024x1024"}, size="1024x1024"),
    "another size": drawn({"size": "1024x1536"}, size="1024x1536"),
    "a ratio": drawn({"size": "1024x1024"}, aspect_ratio="1:1"),
    "a tall one": drawn({"size": "1024x1536"}, aspect_ratio="2:3"),
    "a wide one": drawn({"size": "1536x1024"}, aspect_ratio="3:2", size="auto"),
    "a ratio with its size": drawn({"size": "1536x1024"}, aspect_ratio="3:2", size="1536x1024"),
    "a size of Google's": undrawn(
        "OpenAI makes images of size auto, 1024x1024, 1024x1536, 1536x1024, not '2K'.", size="2K"
    ),
    "a ratio of Google's": undrawn(
        "OpenAI makes images of aspect ratio 1:1, 2:3, 3:2, not '16:9'.", aspect_ratio="16:9"
    ),
    "a ratio that has another size": undrawn(
        "An image of aspect ratio '1:1' cannot have the size '1024x1536'.",
        aspect_ratio="1:1",
        size="1024x1536",
    ),
    "an image for an answer": (
        {"allow_image_output": True, "builtin_tools": [ImageGenerationTool()]},
        {"tools": [IMAGE], "tool_choice": "auto"},
    ),
    "beside functions": (
        {
            "builtin_tools": [CodeExecutionTool()],
            "function_tools": [LOOSE],
            "settings": {"openai_builtin_tools": [{"type": "new"}]},
        },
        {
            "tools": [
                {"type": "code_interpreter", "container": {"type": "auto"}},
                {"type": "new"},
                F,
            ],
            "tool_choice": "auto",
        },
    ),
} | {
    type(tool).__name__: (
        {"builtin_tools": [tool]},
        f"`{type(tool).__name__}` is not supported by the Responses protocol.",
    )
    for tool in (MemoryTool(), WebFetchTool())
}

TABLES: dict[str, tuple[str, dict[str, Row]]] = {
    "settings": ("gpt-4.1", SETTINGS),
    "settings of a model that reasons": ("o3", REASONING),
    "settings of a model that keeps thoughts": ("gpt-5.6-sol", ALL_TURNS),
    "contents": ("gpt-4.1", CONTENTS),
    "messages": ("o3", MESSAGES),
    "requests": ("gpt-4.1", REQUESTS),
    "tools": ("gpt-4.1", TOOLS),
    "outputs": ("gpt-4.1", OUTPUTS),
    "builtin tools": ("gpt-4.1", BUILTIN_TOOLS),
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    model, rows = TABLES[table]
    plain = PLAIN | {"model": model} | (ENCRYPTED if table == "messages" else {})
    made, wanted = compared(rows, plain, model=f"openai-responses:{model}")
    assert made == wanted


def test_phases() -> None:
    """A text says which phase it was of to a model that tells them apart."""
    plain = PLAIN | ENCRYPTED | {"model": "gpt-5.4", "reasoning": {"context": "all_turns"}}
    made, wanted = compared(PHASES, plain, model="openai-responses:gpt-5.4")
    assert made == wanted


@pytest.mark.parametrize(("model", "url"), [(MODEL, "https://mine.test/v1"), ("meta:llama", None)])
def test_texts_elsewhere(model: str, url: str | None) -> None:
    """A text says that it is a message to servers that do not know it by its role."""
    body = sent(model, turn(TextPart("Hi"), provider="openai"), url=url).body
    assert body is not None
    assert body["input"] == [HELLO_SAID, plain("Hi") | {"type": "message"}, HELLO_SAID]


async def test_address() -> None:
    """The path is that of the protocol."""
    url, more = await addressed(MODEL)
    assert (url, more) == ("https://api.openai.com/v1/responses", {"authorization": "Bearer key"})
