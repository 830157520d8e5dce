"""Chat Completions: exact bodies. What gateways do otherwise is in `test_encoding_gateways`."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import (
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserError,
    UserPromptPart,
)
from direct_anyio.builtin_tools import (
    CodeExecutionTool,
    ImageGenerationTool,
    MCPServerTool,
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
from direct_anyio.parts import BuiltinToolCallPart, BuiltinToolReturnPart, FilePart, OpaquePart

from .encoding import (
    BY_BYTES,
    CALL,
    CALL_ID,
    CALL_SAID,
    ELSEWHERE,
    HELLO,
    HELLO_SAID,
    JSON,
    LOOSE,
    MP3,
    MP4,
    NATIVE,
    OUTPUT,
    PDF,
    PNG,
    PROMPT,
    PROMPTED,
    SCHEMA,
    SHAPE,
    STRICT,
    TEXT,
    TEXT_FILE,
    WAV,
    F,
    JSONObject,
    Row,
    compared,
    result,
    returned,
    sent,
    tool_said,
    turn,
    user,
)

PLAIN: JSONObject = {"model": "gpt-4o", "messages": [HELLO_SAID], "stream": False}
G: JSONObject = {
    "type": "function",
    "function": {"name": "g", "description": "", "parameters": SCHEMA, "strict": True},
}
OUT: JSONObject = {
    "type": "function",
    "function": {"name": "out", "description": "", "parameters": SCHEMA},
}


def setting(member: str, value: Any, **settings: Any) -> Row:
    """Return a row of settings that become one member."""
    return {"settings": settings}, {member: value}


def content(piece: JSONObject, *items: Any, **more: Any) -> Row:
    """Return a row of what a user says, which becomes one piece."""
    return {"messages": user(*items)} | more, {"messages": [{"role": "user", "content": [piece]}]}


def refused(text: str, *items: Any, **more: Any) -> Row:
    """Return a row of what a user cannot say."""
    return {"messages": user(*items)} | more, text


def answer(message: JSONObject | None, *parts: Any, provider: str = "openai", **more: Any) -> Row:
    """Return a row of a response, which is sent back as one message or none."""
    expected = [HELLO_SAID, *([message] if message else []), HELLO_SAID]
    return {"messages": turn(*parts, provider=provider)} | more, {"messages": expected}


def able(**keys: Any) -> OpenAIModelProfile:
    return OpenAIModelProfile(**keys)


SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "max_tokens": setting("max_completion_tokens", 5, max_tokens=5),
    "max_tokens under its older name": (
        {
            "settings": {"max_tokens": 5},
            "profile": able(openai_chat_supports_max_completion_tokens=False),
        },
        {"max_tokens": 5},
    ),
    "temperature": setting("temperature", 0.0, temperature=0.0),
    "top_p": setting("top_p", 0.5, top_p=0.5),
    "seed": setting("seed", 0, seed=0),
    "stop": setting("stop", ["END", "."], stop_sequences=["END", "."]),
    "presence": setting("presence_penalty", -1.5, presence_penalty=-1.5),
    "frequency": setting("frequency_penalty", 1.5, frequency_penalty=1.5),
    "logit_bias": setting("logit_bias", {"50256": -100}, logit_bias={"50256": -100}),
    "tier": setting("service_tier", "flex", service_tier="flex"),
    "tier of OpenAI's": setting("service_tier", "scale", openai_service_tier="scale"),
    "both tiers": setting(
        "service_tier", "scale", openai_service_tier="scale", service_tier="flex"
    ),
    "both tiers, the other way round": setting(
        "service_tier", "scale", service_tier="flex", openai_service_tier="scale"
    ),
    "user": setting("user", "u1", openai_user="u1"),
    "prediction": setting(
        "prediction",
        {"type": "content", "content": "x = 1"},
        openai_prediction={"type": "content", "content": "x = 1"},
    ),
    "logprobs": setting("logprobs", True, openai_logprobs=True),
    "top_logprobs": setting("top_logprobs", 3, openai_top_logprobs=3),
    "cache key": setting("prompt_cache_key", "k", openai_prompt_cache_key="k"),
    "cache retention": setting(
        "prompt_cache_retention", "24h", openai_prompt_cache_retention="24h"
    ),
    "store": setting("store", False, openai_store=False),
    "moderation": setting("moderation", {"model": "m"}, openai_moderation={"model": "m"}),
    "verbosity": setting("verbosity", "low", openai_text_verbosity="low"),
    "effort": setting("reasoning_effort", "low", openai_reasoning_effort="low"),
    "thinking of a model that does not": ({"settings": {"thinking": "high"}}, {}),
    "None is absent": (
        {"settings": {"temperature": None, "stop_sequences": None, "openai_user": None}},
        {},
    ),
    "parallel calls without tools": ({"settings": {"parallel_tool_calls": True}}, {}),
    "two": (
        {"settings": {"seed": 1, "top_p": 0.5}},
        {"seed": 1, "top_p": 0.5},
    ),
    "refused ones": (
        {
            "settings": {"seed": 1, "top_p": 0.5, "openai_logprobs": True},
            "profile": able(openai_unsupported_model_settings=("top_p", "logprobs")),
        },
        {"seed": 1},
    ),
    "stream": ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    "stream that counts as it goes": (
        {"stream": True, "settings": {"openai_continuous_usage_stats": True}},
        {
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        },
    ),
    "counting as it goes without a stream": (
        {"settings": {"openai_continuous_usage_stats": True}},
        {},
    ),
}

REASONING: dict[str, Row] = {
    "sampling is dropped": (
        {
            "settings": {
                "temperature": 0.5,
                "top_p": 0.5,
                "presence_penalty": 1,
                "frequency_penalty": 1,
                "logit_bias": {"1": 1},
                "openai_logprobs": True,
                "openai_top_logprobs": 2,
                "seed": 1,
                "max_tokens": 5,
            }
        },
        {"seed": 1, "max_completion_tokens": 5},
    ),
    "effort": ({"settings": {"openai_reasoning_effort": "high"}}, {"reasoning_effort": "high"}),
    "effort before thinking": (
        {"settings": {"openai_reasoning_effort": "high", "thinking": "low"}},
        {"reasoning_effort": "high"},
    ),
    "effort beside no thinking": (
        {"settings": {"openai_reasoning_effort": "high", "thinking": False}},
        {"reasoning_effort": "high"},
    ),
}

LEVELS = ("minimal", "low", "medium", "high", "xhigh", "max")

# What `thinking` becomes: False, True, and each of the levels.
EFFORTS: dict[str, tuple[str, ...]] = {
    "o1": ("low", "medium", "low", "low", "medium", "high", "high", "high"),
    "o3-mini": ("low", "medium", "low", "low", "medium", "high", "high", "high"),
    "o4-mini": ("low", "medium", "low", "low", "medium", "high", "high", "high"),
    "gpt-5": ("minimal", "medium", "minimal", "low", "medium", "high", "high", "high"),
    "gpt-5-mini": ("minimal", "medium", "minimal", "low", "medium", "high", "high", "high"),
    "gpt-5-codex": ("low", "medium", "low", "low", "medium", "high", "high", "high"),
    "gpt-5-pro": ("high",) * 8,
    "gpt-5.1": ("none", "medium", "low", "low", "medium", "high", "high", "high"),
    "gpt-5.1-chat-latest": ("medium",) * 8,
    "gpt-5.1-codex-max": ("low", "medium", "low", "low", "medium", "high", "high", "high"),
    "gpt-5.2": ("none", "medium", "low", "low", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.2-chat-latest": ("medium",) * 8,
    "gpt-5.2-pro": ("medium", "medium", "medium", "medium", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.3-codex": ("none", "medium", "low", "low", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.3-chat-latest": ("medium",) * 8,
    "gpt-5.4": ("none", "medium", "low", "low", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.4-pro": ("medium", "medium", "medium", "medium", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.5": ("none", "medium", "low", "low", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.5-pro": ("medium", "medium", "medium", "medium", "medium", "high", "xhigh", "xhigh"),
    "gpt-5.6-sol": ("none", "medium", "low", "low", "medium", "high", "xhigh", "max"),
    "gpt-6-astra": ("low", "medium", "low", "low", "medium", "high", "xhigh", "max"),
    "gpt-6.1-sol": ("low", "medium", "low", "low", "medium", "high", "xhigh", "max"),
    "gpt-6-sol": ("none", "medium", "low", "low", "medium", "high", "xhigh", "max"),
}

SAMPLING: JSONObject = {
    "temperature": 0.5,
    "top_p": 0.5,
    "presence_penalty": 1,
    "frequency_penalty": 1,
    "logit_bias": {"1": 1},
    "openai_logprobs": True,
    "openai_top_logprobs": 2,
}
SAMPLED = {key.removeprefix("openai_"): value for key, value in SAMPLING.items()}

# Whether sampling settings are sent: with nothing said of thinking, with False, with 'low'.
SAMPLES: dict[str, tuple[bool, bool, bool]] = {
    "gpt-4o": (True, True, True),
    "gpt-5": (False, False, False),
    "gpt-5.1": (True, True, False),
    "gpt-5.2": (True, True, False),
    "gpt-5.3-codex": (True, True, False),
    "gpt-5.4": (True, True, False),
    "gpt-5.4-pro": (False, False, False),
    "gpt-5.5": (False, True, False),
    "gpt-5.6-sol": (False, True, False),
    "o3": (False, False, False),
}

UNKNOWN = "A part of kind 'new' cannot be sent"

CONTENTS: dict[str, Row] = {
    "a text": content({"type": "text", "text": "Hi"}, "Hi"),
    "a text with data": content({"type": "text", "text": "Hi"}, TextContent("Hi", metadata=1)),
    "a cache point": content({"type": "text", "text": "Hi"}, "Hi", CachePoint()),
    "several": (
        {"messages": user("Hi", PNG, "Bye")},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hi"},
                        {
                            "type": "image_url",
                            "image_url": {"url": "data:image/png;base64,+/8="},
                        },
                        {"type": "text", "text": "Bye"},
                    ],
                }
            ]
        },
    ),
    "an image by URL": content(
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}},
        ImageUrl("https://a.test/b.png"),
    ),
    "image detail": content(
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png", "detail": "low"}},
        ImageUrl("https://a.test/b.png", vendor_metadata={"detail": "low"}),
    ),
    "other data of it": content(
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png", "detail": "auto"}},
        ImageUrl("https://a.test/b.png", vendor_metadata={"mine": 1}),
    ),
    "an image as bytes with detail": content(
        {
            "type": "image_url",
            "image_url": {"url": "data:image/jpeg;base64,+/8=", "detail": "high"},
        },
        BinaryContent(b"\xfb\xff", media_type="image/jpeg", vendor_metadata={"detail": "high"}),
    ),
    "a WAV": content(
        {"type": "input_audio", "input_audio": {"data": "+/8=", "format": "wav"}}, WAV
    ),
    "an MP3": content(
        {"type": "input_audio", "input_audio": {"data": "+/8=", "format": "mp3"}}, MP3
    ),
    "a WAV as a URI": content(
        {
            "type": "input_audio",
            "input_audio": {"data": "data:audio/wav;base64,+/8=", "format": "wav"},
        },
        WAV,
        profile=able(openai_chat_audio_input_encoding="uri"),
    ),
    "a PDF": content(
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,+/8=", "filename": "filename.pdf"},
        },
        PDF,
    ),
    "a text file": content(
        {
            "type": "text",
            "text": TEXT_FILE,
        },
        TEXT,
    ),
    "a JSON file": content(
        {
            "type": "text",
            "text": '-----BEGIN FILE id="j" type="application/json"-----\n{}\n'
            '-----END FILE id="j"-----',
        },
        JSON,
    ),
    "a text file that is no UTF-8": content(
        {
            "type": "text",
            "text": '-----BEGIN FILE id="c" type="text/csv"-----\n\N{REPLACEMENT CHARACTER}\n'
            '-----END FILE id="c"-----',
        },
        BinaryContent(b"\xff", media_type="text/csv", identifier="c"),
    ),
    "an uploaded file": content(
        {"type": "file", "file": {"file_id": "file-1"}},
        UploadedFile(file_id="file-1", provider_name="openai", media_type="application/pdf"),
    ),
    "an uploaded image": refused(
        "Chat Completions cannot be sent an uploaded image: send its bytes.",
        UploadedFile(file_id="file-1", provider_name="openai", media_type="image/png"),
    ),
    "a file uploaded elsewhere": refused(
        ELSEWHERE.format("file-1", "anthropic", "openai"),
        UploadedFile(file_id="file-1", provider_name="anthropic"),
    ),
    "a document by URL": refused(
        BY_BYTES.format("https://a.test/b.pdf"), DocumentUrl("https://a.test/b.pdf")
    ),
    "a document by URL where that is known": content(
        {
            "type": "file",
            "file": {"file_data": "https://a.test/b.pdf", "filename": "filename.pdf"},
        },
        DocumentUrl("https://a.test/b.pdf"),
        profile=able(openai_chat_supports_file_urls=True),
    ),
    "audio by URL": refused(
        BY_BYTES.format("https://a.test/b.mp3"), AudioUrl("https://a.test/b.mp3")
    ),
    "an image whose bytes are wanted": refused(
        BY_BYTES.format("https://a.test/b.png"),
        ImageUrl("https://a.test/b.png", force_download=True),
    ),
    "a video by URL": refused(
        "Chat Completions cannot be sent VideoUrl", VideoUrl("https://a.test/b.mp4")
    ),
    "a video": refused("Chat Completions cannot be sent a file of type video/mp4", MP4),
    "audio of another format": refused(
        "Chat Completions cannot be sent a file of type audio/flac",
        BinaryContent(b"", media_type="audio/flac"),
    ),
    "a document where none is read": refused(
        "Chat Completions cannot be sent a file of type application/pdf",
        PDF,
        profile=able(openai_chat_supports_document_input=False),
    ),
    "a text file where no document is read": content(
        {
            "type": "text",
            "text": TEXT_FILE,
        },
        TEXT,
        profile=able(openai_chat_supports_document_input=False),
    ),
}

TEXT_LIKE = (
    "application/json",
    "application/ld+json",
    "application/xml",
    "application/atom+xml",
    "application/yaml",
    "application/x-yaml",
    "text/x-python",
)
CONTENTS |= {
    media_type: content(
        {
            "type": "text",
            "text": f'-----BEGIN FILE id="x" type="{media_type}"-----\n1\n'
            '-----END FILE id="x"-----',
        },
        BinaryContent(b"1", media_type=media_type, identifier="x"),
    )
    for media_type in TEXT_LIKE
}

CALLED: list[JSONObject] = [
    HELLO_SAID,
    {"role": "assistant", "content": None, "tool_calls": [CALL_SAID]},
]


def called(
    part: ToolCallPart, expected: JSONObject, *, provider: str = "openai", **more: Any
) -> Row:
    """Return a row of a call, which is sent back like this, its result behind it."""
    return (
        {"messages": turn(part, provider=provider)} | more,
        {
            "messages": [
                HELLO_SAID,
                {"role": "assistant", "content": None, "tool_calls": [expected]},
                {"role": "tool", "tool_call_id": CALL_ID, "content": "ok"},
            ]
        },
    )


def results(expected: list[JSONObject], *parts: Any) -> Row:
    """Return a row of what a call is answered with."""
    return {"messages": returned(*parts)}, {"messages": [*CALLED, *expected]}


THOUGHT = ThinkingPart("Hm.", provider_name="openai")
ERRORS = [{"type": "missing", "loc": ["x"], "msg": "Field required", "ctx": {"a": 1}}]

MESSAGES: dict[str, Row] = {
    "a system prompt": (
        {"messages": [ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Hello")])]},
        {"messages": [{"role": "system", "content": "Be brief."}, HELLO_SAID]},
    ),
    "a system prompt of a developer's": (
        {
            "messages": [ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Hello")])],
            "profile": able(openai_system_prompt_role="developer"),
        },
        {"messages": [{"role": "developer", "content": "Be brief."}, HELLO_SAID]},
    ),
    "instructions": (
        {"messages": [ModelRequest.user_text_prompt("Hello", instructions="Be brief.")]},
        {"messages": [{"role": "system", "content": "Be brief."}, HELLO_SAID]},
    ),
    "instructions of a developer's": (
        {
            "messages": [ModelRequest.user_text_prompt("Hello", instructions="Be brief.")],
            "profile": able(openai_system_prompt_role="developer"),
        },
        {"messages": [{"role": "developer", "content": "Be brief."}, HELLO_SAID]},
    ),
    "instructions behind the system prompts": (
        {
            "messages": [
                ModelRequest(
                    [SystemPromptPart("A"), SystemPromptPart("B"), UserPromptPart("Hello")],
                    instructions="C",
                )
            ]
        },
        {
            "messages": [
                {"role": "system", "content": "A"},
                {"role": "system", "content": "B"},
                {"role": "system", "content": "C"},
                HELLO_SAID,
            ]
        },
    ),
    "a text": answer({"role": "assistant", "content": "Hi"}, TextPart("Hi")),
    "texts": answer({"role": "assistant", "content": "Hi\n\nBye"}, TextPart("Hi"), TextPart("Bye")),
    "nothing": answer(None),
    "a thought in tags": answer(
        {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nHi"}, THOUGHT, TextPart("Hi")
    ),
    "a thought in other tags": answer(
        {"role": "assistant", "content": "<t>\nHm.\n</t>\n\nHi"},
        THOUGHT,
        TextPart("Hi"),
        profile=able(thinking_tags=("<t>", "</t>")),
    ),
    "a thought in a field": answer(
        {"role": "assistant", "content": "Hi", "thoughts": "Hm.\n\nAh."},
        THOUGHT,
        ThinkingPart("Ah."),
        TextPart("Hi"),
        profile=able(
            openai_chat_send_back_thinking_parts="field", openai_chat_thinking_field="thoughts"
        ),
    ),
    "thinking not sent back": answer(
        {"role": "assistant", "content": "Hi"},
        THOUGHT,
        TextPart("Hi"),
        profile=able(openai_chat_send_back_thinking_parts=False),
    ),
    "only thinking, not sent back": answer(
        None, THOUGHT, profile=able(openai_chat_send_back_thinking_parts=False)
    ),
    "parts of no message": answer(
        {"role": "assistant", "content": "Hi"},
        BuiltinToolCallPart("web_search", {"query": "x"}, "1", provider_name="openai"),
        BuiltinToolReturnPart("web_search", {}, "1", provider_name="openai"),
        FilePart(PNG),
        TextPart("Hi"),
    ),
    "a call": called(CALL, CALL_SAID),
    "a call with arguments as text": called(
        ToolCallPart("f", '{"x": 1}', CALL_ID),
        CALL_SAID | {"function": {"name": "f", "arguments": '{"x": 1}'}},
    ),
    "a call without arguments": called(
        ToolCallPart("f", None, CALL_ID),
        CALL_SAID | {"function": {"name": "f", "arguments": "{}"}},
    ),
    "a call with data of the provider's": called(
        ToolCallPart("f", {"x": 1}, CALL_ID, provider_details={"extra_content": {"s": 1}}),
        CALL_SAID | {"extra_content": {"s": 1}},
    ),
    "a call with data of another provider's": called(
        ToolCallPart("f", {"x": 1}, CALL_ID, provider_details={"extra_content": {"s": 1}}),
        CALL_SAID,
        provider="google-gla",
    ),
    "a call with other data": called(
        ToolCallPart("f", {"x": 1}, CALL_ID, provider_details={"other": {"s": 1}}), CALL_SAID
    ),
    "a text and calls": (
        {
            "messages": [
                *HELLO,
                ModelResponse([TextPart("Hi"), CALL, ToolCallPart("g", {}, "call67890")]),
                ModelRequest(
                    [result(1), RetryPromptPart("No", tool_name="g", tool_call_id="call67890")]
                ),
            ]
        },
        {
            "messages": [
                HELLO_SAID,
                {
                    "role": "assistant",
                    "content": "Hi",
                    "tool_calls": [
                        CALL_SAID,
                        {
                            "id": "call67890",
                            "type": "function",
                            "function": {"name": "g", "arguments": "{}"},
                        },
                    ],
                },
                tool_said("1"),
                {
                    "role": "tool",
                    "tool_call_id": "call67890",
                    "content": "No\n\nFix the errors and try again.",
                },
            ]
        },
    ),
    "a result": results([tool_said("ok")], result("ok")),
    "a result of an object": results([tool_said('{"a":1}')], result({"a": 1})),
    "a result of a list": results([tool_said('["é",2]')], result(["é", 2])),
    "a result with a file": results(
        [
            tool_said("See file 750ff4."),
            {
                "role": "user",
                "content": [
                    {
                        "type": "text",
                        "text": '<pyai:tool_result tool_name="f" tool_call_id="call12345" '
                        'file_id="750ff4">',
                    },
                    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
                    {"type": "text", "text": "</pyai:tool_result>"},
                ],
            },
        ],
        result(ImageUrl("https://example.com/cat.png")),
    ),
    "a result with a file among others": results(
        [
            tool_said('["Look:","See file t."]'),
            {
                "role": "user",
                "content": [
                    {
                        "type": "text",
                        "text": '<pyai:tool_result tool_name="f" tool_call_id="call12345" '
                        'file_id="t">',
                    },
                    {
                        "type": "text",
                        "text": TEXT_FILE,
                    },
                    {"type": "text", "text": "</pyai:tool_result>"},
                ],
            },
        ],
        result(["Look:", TEXT]),
    ),
    "what is said behind a result": results(
        [tool_said("ok"), HELLO_SAID], result("ok"), UserPromptPart("Hello")
    ),
    "a retry": results(
        [tool_said("No\n\nFix the errors and try again.")],
        RetryPromptPart("No", tool_name="f", tool_call_id=CALL_ID),
    ),
    "a retry with errors": results(
        [
            tool_said(
                '1 validation error:\n```json\n[\n  {\n    "type": "missing",\n    "loc": [\n'
                '      "x"\n    ],\n    "msg": "Field required"\n  }\n]\n```\n\n'
                "Fix the errors and try again."
            )
        ],
        RetryPromptPart(ERRORS, tool_name="f", tool_call_id=CALL_ID),
    ),
    "a retry of a text": (
        {
            "messages": [
                *HELLO,
                ModelResponse([TextPart("Hi")]),
                ModelRequest([RetryPromptPart("No")]),
            ]
        },
        {
            "messages": [
                HELLO_SAID,
                {"role": "assistant", "content": "Hi"},
                {
                    "role": "user",
                    "content": "Validation feedback:\nNo\n\nFix the errors and try again.",
                },
            ]
        },
    ),
    "a part of a new kind": (
        {"messages": [ModelRequest([OpaquePart({"part_kind": "new"})])]},
        UNKNOWN,
    ),
}

BOTH: JSONObject = {"function_tools": [LOOSE, STRICT]}
ALL: JSONObject = BOTH | {"output_tools": [OUTPUT], "output_mode": "tool"}


def chosen(choice: Any, expected: Any, tools: list[JSONObject] | None = None, **more: Any) -> Row:
    """Return a row of a choice between the tools f and g."""
    asked = {"settings": {"tool_choice": choice}} | BOTH | more
    return asked, {"tools": [F, G] if tools is None else tools, "tool_choice": expected}


def named(*names: str) -> list[JSONObject]:
    return [{"type": "function", "function": {"name": name}} for name in names]


def allowed(mode: str, *names: str) -> JSONObject:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named(*names)}}


ALONE: JSONObject = {"function_tools": [], "output_tools": [OUTPUT], "output_mode": "tool"}
MUST: JSONObject = {"allow_text_output": False}
OLD = able(openai_supports_tool_choice_required=False)
WITHOUT_ALLOWED = able(openai_chat_supports_allowed_tools=False)

TOOLS: dict[str, Row] = {
    "no choice": ({"function_tools": [LOOSE]}, {"tools": [F], "tool_choice": "auto"}),
    "strict": ({"function_tools": [STRICT]}, {"tools": [G], "tool_choice": "auto"}),
    "strict where that is not known": (
        {
            "function_tools": [STRICT],
            "profile": able(openai_supports_strict_tool_definition=False),
        },
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "g", "description": "", "parameters": SCHEMA},
                }
            ],
            "tool_choice": "auto",
        },
    ),
    "auto": chosen("auto", "auto"),
    "none": chosen("none", "none"),
    "none of them": chosen([], "none"),
    "required": chosen("required", "required"),
    "one": chosen(["g"], named("g")[0]),
    "both": chosen(["f", "g"], "required"),
    "some": chosen(["f", "g"], allowed("required", "f", "g"), [F, G, OUT], **ALL),
    "no choice beside an output tool": chosen(None, "auto", [F, G, OUT], **ALL),
    "a call must be": chosen(None, "required", [F, G, OUT], **ALL, **MUST),
    "none beside an output tool": chosen("none", allowed("auto", "out"), [F, G, OUT], **ALL),
    "none beside one that must be called": chosen(
        "none", named("out")[0], [F, G, OUT], **ALL, **MUST
    ),
    "none, and one that must be called alone": chosen("none", "required", [OUT], **ALONE, **MUST),
    "none, and one alone": chosen("none", allowed("auto", "out"), [OUT], **ALONE),
    "required beside an output tool": chosen("required", "required", [F, G, OUT], **ALL),
    "required without tools": (
        {"settings": {"tool_choice": "required"}},
        "`tool_choice` is 'required', but no function tools are offered.",
    ),
    "one that is not there": (
        {"settings": {"tool_choice": ["h"]}} | BOTH,
        "`tool_choice` names ['h'], but the tools are ['f', 'g'].",
    ),
    "required where it cannot be": (
        {"settings": {"tool_choice": "required"}, "profile": OLD} | BOTH,
        "`tool_choice='required'` is not possible: gpt-4o cannot be forced to call a tool.",
    ),
    "one where it cannot be demanded": (
        {"settings": {"tool_choice": ["g"]}, "profile": OLD} | BOTH,
        "`tool_choice=['g']` is not possible: gpt-4o cannot be forced to call a tool.",
    ),
    "a call must be where it cannot": chosen(None, "auto", [F, G, OUT], **ALL, **MUST, profile=OLD),
    "some where the wire knows no such thing": chosen(
        ["f", "g"], "required", **ALL, profile=WITHOUT_ALLOWED
    ),
    "one where the wire knows no choice of some": chosen(
        ["g"], named("g")[0], [F, G, OUT], **ALL, profile=WITHOUT_ALLOWED
    ),
    "one that may be called where the wire knows no such thing": chosen(
        "none", "auto", [OUT], **ALL, profile=WITHOUT_ALLOWED
    ),
    "parallel": (
        {"settings": {"parallel_tool_calls": True}, "function_tools": [LOOSE]},
        {"tools": [F], "tool_choice": "auto", "parallel_tool_calls": True},
    ),
    "not parallel": (
        {"settings": {"parallel_tool_calls": False}, "function_tools": [LOOSE]},
        {"tools": [F], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "parallel where that is refused": (
        {
            "settings": {"parallel_tool_calls": False},
            "function_tools": [LOOSE],
            "profile": able(openai_unsupported_model_settings=("parallel_tool_calls",)),
        },
        {"tools": [F], "tool_choice": "auto"},
    ),
}


def schema(**more: Any) -> JSONObject:
    written = {"name": "point", "schema": SCHEMA, "description": "A point."} | more
    return {"response_format": {"type": "json_schema", "json_schema": written}}


KNOWS_SCHEMAS = able(supports_json_schema_output=True)

OUTPUTS: dict[str, Row] = {
    "native": (NATIVE | {"profile": KNOWS_SCHEMAS}, schema()),
    "native and strict": (
        NATIVE
        | {
            "output_object": type(SHAPE)(json_schema=SCHEMA, strict=True),
            "profile": KNOWS_SCHEMAS,
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "final_result", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "native and not strict": (
        NATIVE
        | {
            "output_object": type(SHAPE)(json_schema=SCHEMA, name="p", strict=False),
            "profile": KNOWS_SCHEMAS,
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "p", "schema": SCHEMA, "strict": False},
            }
        },
    ),
    "native where nothing is strict": (
        NATIVE
        | {
            "output_object": type(SHAPE)(json_schema=SCHEMA, name="p", strict=True),
            "profile": able(
                supports_json_schema_output=True, openai_supports_strict_tool_definition=False
            ),
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "p", "schema": SCHEMA},
            }
        },
    ),
    "native where it cannot be": (
        NATIVE | {"profile": able()},
        "Native structured output is not supported by this model.",
    ),
    "native without a shape": ({"output_mode": "native", "profile": KNOWS_SCHEMAS}, {}),
    "prompted": (
        PROMPTED | {"profile": able(supports_json_object_output=True)},
        {
            "messages": [{"role": "system", "content": PROMPT}, HELLO_SAID],
            "response_format": {"type": "json_object"},
        },
    ),
    "prompted where nothing holds it to JSON": (
        PROMPTED | {"profile": able()},
        {"messages": [{"role": "system", "content": PROMPT}, HELLO_SAID]},
    ),
    "prompted behind instructions": (
        PROMPTED
        | {
            "messages": [ModelRequest.user_text_prompt("Hello", instructions="Be brief.")],
            "profile": able(),
        },
        {"messages": [{"role": "system", "content": f"Be brief.\n\n{PROMPT}"}, HELLO_SAID]},
    ),
    "a tool": (
        {"output_mode": "tool", "output_tools": [OUTPUT], "allow_text_output": False},
        {"tools": [OUT], "tool_choice": "required"},
    ),
    "a tool, or text": (
        {"output_mode": "tool", "output_tools": [OUTPUT]},
        {"tools": [OUT], "tool_choice": "auto"},
    ),
    "an output tool beside text": ({"output_tools": [OUTPUT]}, {}),
}

PLACE: Any = {"city": "Paris", "country": "FR", "region": "IDF", "timezone": "Europe/Paris"}
SEARCHES = able(openai_chat_supports_web_search=True)
NOT_HERE = (
    "{} is not supported by 'gpt-4o' in Chat Completions; the Responses protocol "
    "('openai-responses:') may know it."
)


def searched(expected: JSONObject, **options: Any) -> Row:
    """Return a row of a web search with these options."""
    asked = {"builtin_tools": [WebSearchTool(**options)], "profile": SEARCHES}
    return asked, {"web_search_options": expected}


BUILTIN_TOOLS: dict[str, Row] = {
    "web search": searched({"search_context_size": "medium"}),
    "its size": searched({"search_context_size": "high"}, search_context_size="high"),
    "its place": searched(
        {
            "search_context_size": "medium",
            "user_location": {"type": "approximate", "approximate": PLACE},
        },
        user_location=PLACE,
    ),
    "allowed domains": (
        {"builtin_tools": [WebSearchTool(allowed_domains=["a.test"])], "profile": SEARCHES},
        "Chat Completions does not support allowed_domains of a web search",
    ),
    "other limits": (
        {
            "builtin_tools": [WebSearchTool(blocked_domains=["a.test"], max_uses=1)],
            "profile": SEARCHES,
        },
        "Chat Completions does not support blocked_domains, max_uses of a web search",
    ),
    "a search by default": (
        {"builtin_tools": [WebSearchTool()], "profile": able()},
        NOT_HERE.format("WebSearchTool"),
    ),
    "a search where there is none": (
        {"builtin_tools": [WebSearchTool()]},
        NOT_HERE.format("WebSearchTool"),
    ),
} | {
    type(tool).__name__: (
        {"builtin_tools": [tool], "profile": SEARCHES},
        NOT_HERE.format(type(tool).__name__),
    )
    for tool in (
        CodeExecutionTool(),
        ImageGenerationTool(),
        MCPServerTool(id="a", url="https://a.test"),
        WebFetchTool(),
    )
}


TABLES = {
    "settings": SETTINGS,
    "contents": CONTENTS,
    "messages": MESSAGES,
    "tools": TOOLS,
    "outputs": OUTPUTS,
    "builtin tools": BUILTIN_TOOLS,
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    made, wanted = compared(TABLES[table], PLAIN, model="openai-chat:gpt-4o")
    assert made == wanted


def test_reasoning_models() -> None:
    """A model that reasons takes no sampling settings, and is told how hard to think."""
    made, wanted = compared(REASONING, PLAIN | {"model": "o3"}, model="openai-chat:o3")
    assert made == wanted


@pytest.mark.parametrize("model", EFFORTS)
def test_efforts(model: str) -> None:
    """The effort nearest to what is asked for is one that the model takes."""
    asked = (False, True, *LEVELS)
    bodies = [sent(f"openai-chat:{model}", settings={"thinking": each}).body for each in asked]
    assert tuple(body and body["reasoning_effort"] for body in bodies) == EFFORTS[model]


@pytest.mark.parametrize("protocol", ["openai-chat", "openai-responses"])
def test_sampling(protocol: str) -> None:
    """Sampling settings go to a model of OpenAI's only while it does not reason."""
    keys = {"openai-chat": SAMPLED, "openai-responses": ("temperature", "top_p", "top_logprobs")}
    made = {}
    for model in SAMPLES:
        asked: tuple[Any, ...] = ({}, {"thinking": False}, {"thinking": "low"})
        bodies = [sent(f"{protocol}:{model}", settings=SAMPLING | each).body for each in asked]
        made[model] = tuple(
            {key: (body or {}).get(key) for key in keys[protocol]}
            == {key: SAMPLED[key] for key in keys[protocol]}
            for body in bodies
        )
        for body in bodies:
            assert len(SAMPLED.keys() & (body or {}).keys()) in (0, len(keys[protocol]))
    assert made == SAMPLES


MODELS: dict[str, Row] = {
    "o1-mini": (
        {
            "model": "openai-chat:o1-mini",
            "messages": [ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")])],
        },
        {"model": "o1-mini", "messages": [{"role": "user", "content": "A"}, HELLO_SAID]},
    ),
    "gpt-4o-search-preview": (
        {"model": "openai-chat:gpt-4o-search-preview", "builtin_tools": [WebSearchTool()]},
        {
            "model": "gpt-4o-search-preview",
            "web_search_options": {"search_context_size": "medium"},
        },
    ),
    "gpt-5-chat-latest": (
        {
            "model": "openai-chat:gpt-5-chat-latest",
            "settings": {"temperature": 1, "thinking": True},
        },
        {"model": "gpt-5-chat-latest", "temperature": 1},
    ),
}


def test_models() -> None:
    """Some models have a role of their own for system prompts, and some search the web."""
    made, wanted = compared(MODELS, PLAIN)
    assert made == wanted


def test_a_field_for_thinking_must_be_named() -> None:
    """A profile that sends thinking back in a field must name it."""
    with pytest.raises(UserError) as caught:
        able(openai_chat_send_back_thinking_parts="field")
    assert str(caught.value) == (
        'If `openai_chat_send_back_thinking_parts` is "field", `openai_chat_thinking_field` must '
        "name the field."
    )


def test_path_and_query() -> None:
    """Chat Completions has one path, and neither headers nor a query of its own."""
    call = sent("openai-chat:gpt-4o", stream=True)
    assert (call.path, call.headers, call.query) == ("/chat/completions", {}, {})
