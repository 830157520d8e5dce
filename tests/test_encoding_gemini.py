"""Gemini's `generateContent`, at its own API and on Google Cloud: exact bodies."""

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
    ToolDefinition,
    UserPromptPart,
)
from direct_anyio.builtin_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
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

from .encoding import (
    BY_BYTES,
    CALL,
    CALL_ID,
    ELSEWHERE,
    HELLO,
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
    STRICT,
    TEXT,
    WAV,
    JSONObject,
    Row,
    compared,
    result,
    returned,
    sent,
    turn,
    user,
)

GEMINI = "google-gla:gemini-2.5-flash"
NEW = "google-gla:gemini-3-flash-preview"
CLOUD = "google-vertex:gemini-2.5-flash"
CLOUD_URL = "https://cloud.test"
SKIPPED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="


def content_of(role: str, *parts: JSONObject) -> JSONObject:
    return {"role": role, "parts": list(parts)}


def text(text: str, **more: Any) -> JSONObject:
    return {"text": text} | more


HELLO_SAID = content_of("user", text("Hello"))
PLAIN: JSONObject = {
    "contents": [HELLO_SAID],
    "generationConfig": {"responseModalities": ["TEXT"]},
}


def config(**members: Any) -> JSONObject:
    return {"generationConfig": {"responseModalities": ["TEXT"]} | members}


def set_to(expected: JSONObject, **settings: Any) -> Row:
    return {"settings": settings}, expected


SETTINGS: dict[str, Row] = {
    "none": ({}, {}),
    "stream": ({"stream": True}, {}),
    "temperature": set_to(config(temperature=0.0), temperature=0.0),
    "top_p": set_to(config(topP=0.5), top_p=0.5),
    "top_k": set_to(config(topK=3), top_k=3),
    "max_tokens": set_to(config(maxOutputTokens=5), max_tokens=5),
    "stop": set_to(config(stopSequences=["END"]), stop_sequences=["END"]),
    "presence": set_to(config(presencePenalty=0.1), presence_penalty=0.1),
    "frequency": set_to(config(frequencyPenalty=0.1), frequency_penalty=0.1),
    "seed": set_to(config(seed=0), seed=0),
    "resolution": set_to(
        config(mediaResolution="MEDIA_RESOLUTION_LOW"),
        google_video_resolution="MEDIA_RESOLUTION_LOW",
    ),
    "logprobs": set_to(config(responseLogprobs=True), google_logprobs=True),
    "top logprobs": set_to(
        config(responseLogprobs=True, logprobs=2), google_logprobs=True, google_top_logprobs=2
    ),
    "top logprobs alone": set_to({}, google_top_logprobs=2),
    "safety": set_to(
        {"safetySettings": [{"category": "C", "threshold": "T"}]},
        google_safety_settings=[{"category": "C", "threshold": "T"}],
    ),
    "labels": set_to({"labels": {"a": "b"}}, google_labels={"a": "b"}),
    "armor": set_to(
        {"modelArmorConfig": {"prompt_template_name": "p"}},
        google_model_armor_config={"prompt_template_name": "p"},
    ),
    "own thinking setting": set_to(
        config(thinkingConfig={"include_thoughts": True, "thinking_budget": 5}),
        google_thinking_config={"include_thoughts": True, "thinking_budget": 5},
        thinking=False,
    ),
    "a level in capitals": set_to(
        config(thinkingConfig={"thinkingLevel": "LOW"}),
        google_thinking_config={"thinkingLevel": "low"},
    ),
    "None is absent": set_to({}, temperature=None, google_labels=None),
    "tier auto": set_to({}, service_tier="auto"),
    "tier default": set_to({"serviceTier": "standard"}, service_tier="default"),
    "tier flex": set_to({"serviceTier": "flex"}, service_tier="flex"),
    "tier priority": set_to({"serviceTier": "priority"}, service_tier="priority"),
    "cached content": (
        {
            "messages": [
                ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")], instructions="B")
            ],
            "settings": {"google_cached_content": "cachedContents/c"},
            "function_tools": [LOOSE],
        },
        {"cachedContent": "cachedContents/c"},
    ),
}

LEVELS = (False, True, "minimal", "low", "medium", "high", "xhigh", "max")


def budgets(least: int) -> list[Any]:
    asked = [{}, *({"thinkingBudget": each} for each in (128, 2048, 8192, *(24576,) * 3))]
    return [{"thinkingBudget": least}, *({"includeThoughts": True} | each for each in asked)]


def levels(least: str, *named: str) -> list[Any]:
    asked = [{}, *({"thinkingLevel": each} for each in named)]
    return [{"thinkingLevel": least}, *({"includeThoughts": True} | each for each in asked)]


ALL_LEVELS = levels("MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")
FROM_LOW = levels("LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")
TWO = levels("MINIMAL", "MINIMAL", "MINIMAL", "HIGH", "HIGH", "HIGH", "HIGH")

# What `thinking` becomes: False, True, and each of the levels.
THINKING: dict[str, list[Any]] = {
    "gemini-1.5-pro": [None] * 8,
    "gemini-2.0-flash": [None] * 8,
    "gemini-2.5-flash": budgets(0),
    "gemini-2.5-flash-lite": budgets(0),
    "gemini-2.5-pro": budgets(128),
    "gemini-2.5-flash-image": [None] * 8,
    "gemini-3-pro-preview": levels("LOW", "LOW", "LOW", "LOW", "HIGH", "HIGH", "HIGH"),
    "gemini-3-flash-preview": ALL_LEVELS,
    "gemini-3.1-pro-preview": FROM_LOW,
    "gemini-3.1-flash-image": TWO,
    "gemini-3.1-flash-lite-image": TWO,
    "gemini-3.1-flash-lite": ALL_LEVELS,
    "gemini-3.7-flash": FROM_LOW,
    "gemini-3.8-flash": FROM_LOW,
    "gemini-4-argon": FROM_LOW,
    "gemini-4-carbon": FROM_LOW,
    "gemma-3-27b-it": [None] * 8,
    "gemini-pro": [None] * 8,
}


def content(part: JSONObject, *items: Any, **more: Any) -> Row:
    return {"messages": user(*items)} | more, {"contents": [content_of("user", part)]}


def refused(text: str, *items: Any, **more: Any) -> Row:
    return {"messages": user(*items)} | more, text


def inline(media_type: str) -> JSONObject:
    return {"inlineData": {"data": "-_8=", "mimeType": media_type}}


def file(uri: str, media_type: str) -> JSONObject:
    return {"fileData": {"fileUri": uri, "mimeType": media_type}}


FILES = "https://generativelanguage.googleapis.com/v1beta/files/"
TUBE = "https://youtu.be/x"
ON_CLOUD: JSONObject = {"model": CLOUD, "url": CLOUD_URL}

CONTENTS: dict[str, Row] = {
    "a text": content(text("Hi"), "Hi"),
    "a text with data": content(text("Hi"), TextContent("Hi", metadata=1)),
    "a cache point": content(text("Hi"), "Hi", CachePoint()),
    "an image": content(inline("image/png"), PNG),
    "audio": content(inline("audio/wav"), WAV),
    "another size": content(inline("audio/mpeg"), MP3),
    "a PDF": content(inline("application/pdf"), PDF),
    "a text file": content({"inlineData": {"data": "w6k=", "mimeType": "text/plain"}}, TEXT),
    "a video": content(inline("video/mp4"), MP4),
    "options": content(
        inline("video/mp4")
        | {
            "videoMetadata": {"fps": 2, "start_offset": "1s", "end_offset": "2s"},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"},
        },
        BinaryContent(
            MP4.data,
            media_type="video/mp4",
            vendor_metadata={
                "fps": 2,
                "start_offset": "1s",
                "end_offset": "2s",
                "media_resolution": {"level": "MEDIA_RESOLUTION_HIGH"},
                "detail": "low",
            },
        ),
    ),
    "its options as Google writes them": content(
        inline("video/mp4") | {"videoMetadata": {"startOffset": "1s", "endOffset": "2s"}},
        BinaryContent(
            MP4.data,
            media_type="video/mp4",
            vendor_metadata={"startOffset": "1s", "endOffset": "2s"},
        ),
    ),
    "YouTube": content(file(TUBE, "video/mp4"), VideoUrl(TUBE)),
    "YouTube, though its bytes are wanted": content(
        file(TUBE, "video/mp4"), VideoUrl(TUBE, force_download=True)
    ),
    "an uploaded file by URL": content(
        file(f"{FILES}a", "image/png"), ImageUrl(f"{FILES}a", media_type="image/png")
    ),
    "an uploaded file": content(
        file(f"{FILES}a", "image/png"),
        UploadedFile(file_id=f"{FILES}a", provider_name="google-gla", media_type="image/png"),
    ),
    "an uploaded file by the newer name": content(
        file(f"{FILES}a", "application/octet-stream"),
        UploadedFile(file_id=f"{FILES}a", provider_name="google"),
    ),
    "a file uploaded elsewhere": refused(
        ELSEWHERE.format("f1", "openai", "google-gla"),
        UploadedFile(file_id="f1", provider_name="openai"),
    ),
    "an uploaded file by its name": refused(
        "The id of a file for 'google-gla' is its https:// URI.",
        UploadedFile(file_id="files/a", provider_name="google-gla"),
    ),
    "a URL": refused(BY_BYTES.format("https://a.test/b.png"), ImageUrl("https://a.test/b.png")),
    "a URL of a bucket": refused(BY_BYTES.format("gs://a/b.png"), ImageUrl("gs://a/b.png")),
    "an uploaded file whose bytes are wanted": refused(
        BY_BYTES.format(f"{FILES}a.png"), ImageUrl(f"{FILES}a.png", force_download=True)
    ),
    "a URL on Google Cloud": content(
        file("https://a.test/b.mp3", "audio/mpeg"), AudioUrl("https://a.test/b.mp3"), **ON_CLOUD
    ),
    "a URL of a bucket on Google Cloud": content(
        file("gs://a/b.pdf", "application/pdf"), DocumentUrl("gs://a/b.pdf"), **ON_CLOUD
    ),
    "a URL on Google Cloud whose bytes are wanted": refused(
        BY_BYTES.format("https://a.test/b.png"),
        ImageUrl("https://a.test/b.png", force_download=True),
        **ON_CLOUD,
    ),
    "an uploaded file on Google Cloud": content(
        file("gs://a/b", "image/png"),
        UploadedFile(file_id="gs://a/b", provider_name="google-cloud", media_type="image/png"),
        **ON_CLOUD,
    ),
    "an uploaded file on Google Cloud by its URL": refused(
        "The id of a file for 'google-vertex' is its gs:// URI.",
        UploadedFile(file_id=f"{FILES}a", provider_name="google-vertex"),
        **ON_CLOUD,
    ),
    "a file of the other endpoint's": refused(
        ELSEWHERE.format("gs://a/b", "google-gla", "google-vertex"),
        UploadedFile(file_id="gs://a/b", provider_name="google-gla"),
        **ON_CLOUD,
    ),
}


def call(name: str = "f", args: Any = None, id: str = CALL_ID, sign: str | None = SKIPPED) -> Any:
    args = {"x": 1} if args is None else args
    expected = {"functionCall": {"name": name, "args": args, "id": id}}
    return expected | ({"thoughtSignature": sign} if sign else {})


def response(response: JSONObject, name: str = "f", **more: Any) -> JSONObject:
    named = {"name": name, "response": response, "id": CALL_ID}
    return {"functionResponse": named | more}


OK = response({"return_value": "ok"})


def answer(
    *expected: JSONObject, of: list[Any], provider: str | None = "google-gla", **more: Any
) -> Row:
    """Return a row of a response, which is sent back as these parts."""
    back = [content_of("model", *expected)] if expected else []
    return (
        {"messages": turn(*of, provider=provider)} | more,
        {"contents": [HELLO_SAID, *back, HELLO_SAID]},
    )


def called(
    part: ToolCallPart, expected: JSONObject, provider: str = "google-gla", **more: Any
) -> Row:
    asked: JSONObject = {"messages": turn(part, provider=provider)} | more
    return asked, {"contents": [HELLO_SAID, content_of("model", expected), content_of("user", OK)]}


def answers(*contents: JSONObject) -> JSONObject:
    return {"contents": [HELLO_SAID, content_of("model", call()), *contents]}


SIGNED = ToolCallPart("f", {"x": 1}, CALL_ID, provider_details={"thought_signature": "a+/="})
CODE = BuiltinToolCallPart("code_execution", {"code": "1", "language": "PYTHON", "id": None}, "s1")
RAN = BuiltinToolReturnPart(
    "code_execution", {"outcome": "OUTCOME_OK", "output": "1", "id": None}, "s1"
)
FETCH = BuiltinToolCallPart("web_fetch", {"urls": ["u"]}, "s1", provider_name="google-gla")
FETCHED = BuiltinToolReturnPart("web_fetch", [1], "s1", provider_name="google-gla")
FOUND = BuiltinToolReturnPart(
    "file_search", {"a": 1, "sources": [2]}, "s1", provider_name="google-gla"
)
THOUGHT = ThinkingPart("Hm.", signature="a+/=", provider_name="google-gla")
MARKED = (
    text('<pyai:tool_result tool_name="f" tool_call_id="call12345" file_id="t">'),
    text("</pyai:tool_result>"),
)
INLINE_TEXT: JSONObject = {"inlineData": {"data": "w6k=", "mimeType": "text/plain"}}
VIDEO = BinaryContent(MP4.data, media_type="video/mp4", identifier="t")

MESSAGES: dict[str, Row] = {
    "system prompts and instructions": (
        {
            "messages": [
                ModelRequest([SystemPromptPart("A"), UserPromptPart("Hello")], instructions="B")
            ]
        },
        {"systemInstruction": content_of("user", text("A"), text("B"))},
    ),
    "instructions": (
        {"messages": [ModelRequest.user_text_prompt("Hello", instructions="B")]},
        {"systemInstruction": content_of("user", text("B"))},
    ),
    "a system prompt alone": (
        {"messages": [ModelRequest([SystemPromptPart("A")])]},
        {
            "contents": [content_of("user", text(""))],
            "systemInstruction": content_of("user", text("A")),
        },
    ),
    "the model begins": (
        {"messages": [ModelResponse([TextPart("A")]), *HELLO]},
        {"contents": [content_of("user", text("")), content_of("model", text("A")), HELLO_SAID]},
    ),
    "texts": answer(text("A"), text("B"), of=[TextPart("A"), TextPart("B")]),
    "nothing": answer(of=[]),
    "an image": answer(inline("image/png"), of=[FilePart(PNG)]),
    "a signed image": answer(
        inline("image/png") | {"thoughtSignature": "a-_="},
        of=[FilePart(PNG, provider_details={"thought_signature": "a+/="})],
    ),
    "a thought, whose signature is the next part's": answer(
        text("Hm.", thought=True),
        text("A", thoughtSignature="a-_="),
        text("B"),
        of=[THOUGHT, TextPart("A"), TextPart("B")],
    ),
    "an empty thought": answer(
        text("A", thoughtSignature="a-_="),
        of=[ThinkingPart("", signature="a+/=", provider_name="google-gla"), TextPart("A")],
    ),
    "a thought of another provider's": answer(
        text("Hm.", thought=True),
        text("A"),
        of=[ThinkingPart("Hm.", signature="s", provider_name="anthropic"), TextPart("A")],
    ),
    "a signed text": answer(
        text("A", thoughtSignature="a-_="),
        of=[TextPart("A", provider_details={"thought_signature": "a+/="})],
    ),
    "a call": called(CALL, call()),
    "a call with arguments as text": called(ToolCallPart("f", '{"x": 1}', CALL_ID), call()),
    "a call without arguments": called(ToolCallPart("f", None, CALL_ID), call(args={})),
    "a signed call": called(SIGNED, call(sign="a-_=")),
    "a call signed under the newer name": called(SIGNED, call(sign="a-_="), "google"),
    "a call signed by another provider": called(SIGNED, call(), "openai"),
    "a call signed on Google Cloud": called(SIGNED, call(), "google-vertex"),
    "a call signed on Google Cloud, there": called(
        SIGNED, call(sign="a-_="), "google-vertex", **ON_CLOUD
    ),
    "a call signed on Google Cloud under the newer name": called(
        SIGNED, call(sign="a-_="), "google-cloud", **ON_CLOUD
    ),
    "a call signed by the API, on Google Cloud": called(SIGNED, call(), "google-gla", **ON_CLOUD),
    "a call behind a thought": (
        {"messages": turn(THOUGHT, CALL)},
        {
            "contents": [
                HELLO_SAID,
                content_of("model", text("Hm.", thought=True), call(sign="a-_=")),
                content_of("user", OK),
            ]
        },
    ),
    "two calls": (
        {"messages": turn(CALL, ToolCallPart("g", {}, "call67890"))},
        {
            "contents": [
                HELLO_SAID,
                content_of("model", call(), call("g", {}, "call67890", None)),
                content_of("user", OK, response({"return_value": "ok"}, "g", id="call67890")),
            ]
        },
    ),
    "an object for a result": (
        {"messages": returned(result({"a": 1}))},
        answers(content_of("user", response({"a": 1}))),
    ),
    "a reference in a result": (
        {"messages": returned(result({"a": [{"$ref": "#/x"}]}))},
        answers(content_of("user", response({"output": '{"a":[{"$ref":"#/x"}]}'}))),
    ),
    "a list for a result": (
        {"messages": returned(result(["a", 1]))},
        answers(content_of("user", response({"return_value": ["a", 1]}))),
    ),
    "a list of one for a result": (
        {"messages": returned(result(["a"]))},
        answers(content_of("user", response({"return_value": ["a"]}))),
    ),
    "an empty list for a result": (
        {"messages": returned(result([]))},
        answers(content_of("user", response({"return_value": []}))),
    ),
    "outcome failed": (
        {"messages": returned(result("No", outcome="failed"))},
        answers(content_of("user", response({"error": "No"}))),
    ),
    "outcome retried": (
        {"messages": returned(result("No", outcome="retried"))},
        answers(content_of("user", response({"error": "No"}))),
    ),
    "outcome denied": (
        {"messages": returned(result("No", outcome="denied"))},
        answers(content_of("user", response({"return_value": "No"}))),
    ),
    "a retry": (
        {"messages": returned(RetryPromptPart("No", tool_name="f", tool_call_id=CALL_ID))},
        answers(content_of("user", response({"error": "No"}))),
    ),
    "a retry with errors": (
        {
            "messages": returned(
                RetryPromptPart([{"msg": "No"}], tool_name="f", tool_call_id=CALL_ID)
            )
        },
        answers(content_of("user", response({"error": '[{"msg":"No"}]'}))),
    ),
    "a retry of a text": (
        {"messages": [*turn(TextPart("A"))[:2], ModelRequest([RetryPromptPart("No")])]},
        {
            "contents": [
                HELLO_SAID,
                content_of("model", text("A")),
                content_of(
                    "user", text("Validation feedback:\nNo\n\nFix the errors and try again.")
                ),
            ]
        },
    ),
    "the user behind a result": (
        {"messages": returned(result("ok"), UserPromptPart("Hello"))},
        answers(content_of("user", OK), HELLO_SAID),
    ),
    "a file for a result": (
        {"messages": returned(result(TEXT))},
        answers(
            content_of("user", response({"output": [{}, "See file t."]})),
            content_of("user", MARKED[0], INLINE_TEXT, MARKED[1]),
        ),
    ),
    "a file for a result of a new model": (
        {"messages": returned(result(TEXT)), "model": NEW},
        answers(content_of("user", response({}, parts=[INLINE_TEXT]))),
    ),
    "several for a result of a new model": (
        {"messages": returned(result(["a", "b", TEXT])), "model": NEW},
        answers(content_of("user", response({"return_value": ["a", "b"]}, parts=[INLINE_TEXT]))),
    ),
    "a file that no result may hold": (
        {"messages": returned(result(["a", VIDEO])), "model": NEW},
        answers(
            content_of("user", response({"output": [{"return_value": "a"}, "See file t."]})),
            content_of("user", MARKED[0], inline("video/mp4"), MARKED[1]),
        ),
    ),
    "files that a result may hold and may not": (
        {"messages": returned(result([PNG, VIDEO])), "model": NEW},
        answers(
            content_of(
                "user",
                response({"output": [{}, "See file t."]}, parts=[inline("image/png")]),
            ),
            content_of("user", MARKED[0], inline("video/mp4"), MARKED[1]),
        ),
    ),
    "a file in a result, and the user behind it": (
        {"messages": returned(result(TEXT), UserPromptPart("Hello"))},
        answers(
            content_of("user", response({"output": [{}, "See file t."]})),
            content_of("user", MARKED[0], INLINE_TEXT, MARKED[1], text("Hello")),
        ),
    ),
    "code": answer(
        {"executableCode": {"code": "1", "language": "PYTHON"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        of=[CODE, RAN],
    ),
    "code without an outcome": answer(
        of=[BuiltinToolReturnPart("code_execution", "text", "s1")],
    ),
    "code of another provider's": answer(text("A"), of=[CODE, RAN, TextPart("A")], provider="x"),
    "web fetch of an older model": answer(text("A"), of=[FETCH, FETCHED, TextPart("A")]),
    "web fetch call": answer(
        {"toolCall": {"id": "s1", "tool_type": "URL_CONTEXT", "args": {"urls": ["u"]}}},
        {"toolResponse": {"id": "s1", "tool_type": "URL_CONTEXT", "response": {"result": [1]}}},
        of=[FETCH, FETCHED],
        model=NEW,
    ),
    "found files": answer(
        {"toolResponse": {"id": "s1", "tool_type": "FILE_SEARCH", "response": {"a": 1}}},
        of=[FOUND],
        model=NEW,
    ),
    "a search of another provider's": answer(
        text("A"),
        of=[BuiltinToolCallPart("web_search", {}, "s1", provider_name="openai"), TextPart("A")],
        model=NEW,
    ),
    "a tool that has no type": answer(
        text("A"), of=[BuiltinToolCallPart("memory", {}, "s1"), TextPart("A")], model=NEW
    ),
    "another provider's new kind": answer(
        text("A"), of=[OpaquePart({"part_kind": "new"}), TextPart("A")], provider="openai"
    ),
    "a new kind": (
        {"messages": turn(OpaquePart({"part_kind": "new"}), provider="google-gla")},
        "A part of kind 'new' cannot be sent",
    ),
    "a new kind of a request": (
        {"messages": [ModelRequest([OpaquePart({"part_kind": "new"})])]},
        "A part of kind 'new' cannot be sent",
    ),
}


MESSAGES |= {
    f"{media_type} for a result": (
        {
            "messages": returned(result(BinaryContent(b"\xfb\xff", media_type=media_type))),
            "model": NEW,
        },
        answers(content_of("user", response({}, parts=[inline(media_type)]))),
    )
    for media_type in ("image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain")
}

SCHEMA_MEMBER = "parameters_json_schema"


def declared(name: str, description: str = "") -> JSONObject:
    return {"name": name, "description": description, SCHEMA_MEMBER: SCHEMA}


F, G, OUT = declared("f", "Does f."), declared("g"), declared("out")


def functions(calling: JSONObject, *tools: JSONObject) -> JSONObject:
    return {
        "tools": [{"functionDeclarations": list(tools)}],
        "toolConfig": {"functionCallingConfig": calling},
    }


BOTH: JSONObject = {"function_tools": [LOOSE, STRICT]}
ALL: JSONObject = BOTH | {"output_tools": [OUTPUT], "output_mode": "tool"}
MUST: JSONObject = {"allow_text_output": False}


def chosen(choice: Any, calling: JSONObject, *tools: JSONObject, **more: Any) -> Row:
    asked = {"settings": {"tool_choice": choice}} | BOTH | more
    return asked, functions(calling, *(tools or (F, G)))


AUTO, ANY = {"mode": "AUTO"}, {"mode": "ANY"}


def named(*names: str) -> JSONObject:
    return ANY | {"allowedFunctionNames": list(names)}


HELD = ToolDefinition(name="g", parameters_json_schema=SCHEMA)

TOOLS: dict[str, Row] = {
    "no choice": chosen(None, AUTO),
    "held to their schemas": ({"function_tools": [HELD]}, functions({"mode": "VALIDATED"}, G)),
    "strict": ({"function_tools": [STRICT]}, functions({"mode": "VALIDATED"}, G)),
    "held to no schema": (
        {"function_tools": [HELD], "model": "google-gla:gemini-2.0-flash"},
        functions(AUTO, G),
    ),
    "auto": chosen("auto", AUTO),
    "none": chosen("none", {"mode": "NONE"}),
    "none of them": chosen([], {"mode": "NONE"}),
    "required": chosen("required", ANY),
    "one": chosen(["g"], named("g")),
    "both": chosen(["g", "f"], ANY),
    "some": chosen(["g", "f"], named("f", "g"), F, G, OUT, **ALL),
    "no choice beside an output tool": chosen(None, AUTO, F, G, OUT, **ALL),
    "none beside an output tool": chosen("none", AUTO, OUT, **ALL),
    "none beside one that must be called": chosen("none", named("out"), F, G, OUT, **ALL, **MUST),
    "a call must be": chosen(None, ANY, F, G, OUT, **ALL, **MUST),
    "of a model that has none": (
        {"function_tools": [LOOSE], "model": "google-gla:gemini-2.5-flash-image"},
        "Function tools are not supported by this model.",
    ),
}


def fitted(schema: JSONObject, expected: JSONObject) -> Row:
    """Return a row of the schema of a tool."""
    offered = ToolDefinition(name="g", parameters_json_schema=schema)
    declaration = {"name": "g", "description": "", SCHEMA_MEMBER: expected}
    return {"function_tools": [offered]}, functions({"mode": "VALIDATED"}, declaration)


UNREAD_KEYS: JSONObject = {
    "$schema": "s",
    "title": "T",
    "examples": [1],
    "discriminator": {},
    "exclusiveMinimum": 0,
    "exclusiveMaximum": 1,
}

SCHEMAS: dict[str, Row] = {
    "what is not read": fitted(UNREAD_KEYS | {"type": "number"}, {"type": "number"}),
    "constants of several types": fitted(
        {"anyOf": [{"const": "a"}, {"const": True}, {"const": 1}, {"const": 1.5}, {"const": None}]},
        {
            "anyOf": [
                {"enum": ["a"], "type": "string"},
                {"enum": [True], "type": "boolean"},
                {"enum": [1], "type": "integer"},
                {"enum": [1.5], "type": "number"},
                {"enum": [None], "type": "null"},
            ]
        },
    ),
    "constants of no type": fitted(
        {"anyOf": [{"const": [1]}, {"const": [2]}]}, {"enum": [[1], [2]]}
    ),
    "described constants": fitted(
        {"anyOf": [{"const": "a", "description": "A."}, {"const": "b", "description": "B."}]},
        {"enum": ["a", "b"], "type": "string", "description": "a: A.\nb: B."},
    ),
    "described constants that are described": fitted(
        {"anyOf": [{"const": "a", "description": "A."}, {"const": "b"}], "description": "One."},
        {"enum": ["a", "b"], "type": "string", "description": "One.\na: A."},
    ),
    "constants of another type": fitted(
        {"type": "integer", "anyOf": [{"const": "a"}, {"const": "b"}]},
        {
            "type": "integer",
            "anyOf": [{"enum": ["a"], "type": "string"}, {"enum": ["b"], "type": "string"}],
        },
    ),
    "constants beside others": fitted(
        {"anyOf": [{"const": "a"}, {"type": "string"}]},
        {"anyOf": [{"enum": ["a"], "type": "string"}, {"type": "string"}]},
    ),
    "a union of one": fitted(
        {"oneOf": [{"type": "string", "title": "T"}], "description": "D."},
        {"type": "string", "description": "D."},
    ),
    "inside": fitted(
        {
            "type": "object",
            "properties": {"a": {"const": 1}},
            "patternProperties": {"b": {"title": "T"}},
            "additionalProperties": {"format": "date", "type": "string"},
        },
        {
            "type": "object",
            "properties": {"a": {"enum": [1], "type": "integer"}},
            "patternProperties": {"b": {}},
            "additionalProperties": {"type": "string", "description": "Format: date"},
        },
    ),
}

TITLED = SCHEMA | {"title": "point", "description": "A point."}
SCHEMA_SET = config(responseMimeType="application/json", responseJsonSchema=TITLED)
TOLD = {"systemInstruction": content_of("user", text(PROMPT))}
BARE = OutputObjectDefinition(json_schema=SCHEMA)

OUTPUTS: dict[str, Row] = {
    "native": (NATIVE, SCHEMA_SET),
    "native without a name": (
        NATIVE | {"output_object": BARE},
        config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    ),
    "native beside functions": (
        NATIVE | {"function_tools": [LOOSE]},
        (
            "gemini-2.5-flash does not take native output and function tools together: use output "
            "mode 'tool'."
        ),
    ),
    "native beside functions of a new model": (
        NATIVE | {"function_tools": [LOOSE], "model": NEW},
        SCHEMA_SET | functions(AUTO, F),
    ),
    "prompted": (PROMPTED, TOLD | config(responseMimeType="application/json")),
    "prompted beside functions": (
        PROMPTED | {"function_tools": [LOOSE]},
        TOLD | functions(AUTO, F),
    ),
    "prompted where nothing holds it to JSON": (
        PROMPTED | {"model": "google-gla:gemini-2.5-flash-image"},
        "gemini-2.5-flash-image cannot be held to JSON output.",
    ),
    "a tool": ({"output_mode": "tool", "output_tools": [OUTPUT]}, functions(AUTO, OUT)),
}


def offers(expected: JSONObject | None, *builtin: Any, **more: Any) -> Row:
    return {"builtin_tools": list(builtin)} | more, {"tools": [expected]}


DRAWS = "google-gla:gemini-3-pro-image-preview"
DRAWS_ON_CLOUD: JSONObject = {"model": "google-vertex:gemini-3-pro-image-preview", "url": CLOUD_URL}


def drawn(expected: JSONObject, where: Any = None, **options: Any) -> Row:
    asked = {"model": DRAWS} | (where or {}) | {"builtin_tools": [ImageGenerationTool(**options)]}
    images = {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": expected}
    return asked, {"generationConfig": images}


BUILTIN_TOOLS: dict[str, Row] = {
    "web search": offers({"googleSearch": {}}, WebSearchTool()),
    "web fetch": offers({"urlContext": {}}, WebFetchTool()),
    "code": offers({"codeExecution": {}}, CodeExecutionTool()),
    "files": offers(
        {"fileSearch": {"file_search_store_names": ["s1"]}}, FileSearchTool(file_store_ids=("s1",))
    ),
    "a search of a new model": (
        {"builtin_tools": [WebSearchTool()], "model": NEW},
        {
            "tools": [{"googleSearch": {}}],
            "toolConfig": {"includeServerSideToolInvocations": True},
        },
    ),
    "a search of a new model on Google Cloud": offers(
        {"googleSearch": {}},
        WebSearchTool(),
        model="google-vertex:gemini-3-flash-preview",
        url=CLOUD_URL,
    ),
    "a search beside functions of a new model": (
        {"builtin_tools": [WebSearchTool()], "function_tools": [LOOSE], "model": NEW},
        {
            "tools": [{"functionDeclarations": [F]}, {"googleSearch": {}}],
            "toolConfig": {
                "functionCallingConfig": AUTO,
                "includeServerSideToolInvocations": True,
            },
        },
    ),
    "a search beside functions": (
        {"builtin_tools": [WebSearchTool()], "function_tools": [LOOSE]},
        "gemini-2.5-flash does not take function tools and built-in tools together.",
    ),
    "a search beside output tools": (
        {"builtin_tools": [WebSearchTool()], "output_tools": [OUTPUT], "output_mode": "tool"},
        (
            "gemini-2.5-flash does not take output tools and built-in tools together: use output "
            "mode 'prompted'."
        ),
    ),
    "allowed domains": (
        {"builtin_tools": [WebSearchTool(allowed_domains=["a.test"])]},
        "Google's Web Search cannot be limited by allowed_domains.",
    ),
    "other limits": (
        {"builtin_tools": [WebFetchTool(blocked_domains=["a.test"], max_uses=1)]},
        "Google's Web Fetch cannot be limited by blocked_domains, max_uses.",
    ),
    "unsupported builtin tool": (
        {"builtin_tools": [MemoryTool()]},
        (
            "Builtin tool(s) ['MemoryTool'] not supported by this model. Supported: "
            "['CodeExecutionTool', 'FileSearchTool', 'WebFetchTool', 'WebSearchTool']"
        ),
    ),
    "an image": drawn({}),
    "its shape and size": drawn(
        {"aspectRatio": "16:9", "imageSize": "4K"}, aspect_ratio="16:9", size="4K"
    ),
    "1K": drawn({"imageSize": "1K"}, size="1K"),
    "2K": drawn({"imageSize": "2K"}, size="2K"),
    "a size that is left to it": drawn({}, size="auto"),
    "its format is not told": drawn({}, output_format="png"),
    "its format on Google Cloud": drawn(
        {"outputMimeType": "image/webp"}, DRAWS_ON_CLOUD, output_format="webp"
    ),
    "a compressed one on Google Cloud": drawn(
        {"outputMimeType": "image/jpeg", "outputCompressionQuality": 80},
        DRAWS_ON_CLOUD,
        output_compression=80,
    ),
    "a compressed JPEG on Google Cloud": drawn(
        {"outputMimeType": "image/jpeg", "outputCompressionQuality": 0},
        DRAWS_ON_CLOUD,
        output_compression=0,
        output_format="jpeg",
    ),
    "a compressed PNG on Google Cloud": (
        DRAWS_ON_CLOUD
        | {"builtin_tools": [ImageGenerationTool(output_compression=1, output_format="png")]},
        "Google compresses images as jpeg alone: leave out `output_compression`.",
    ),
    "a size of OpenAI's": (
        {"model": DRAWS, "builtin_tools": [ImageGenerationTool(size="1024x1024")]},
        "Google draws in the sizes 1K, 2K and 4K, not '1024x1024'.",
    ),
    "an image alone": (
        {"model": DRAWS, "allow_text_output": False, "allow_image_output": True},
        {"generationConfig": {"responseModalities": ["IMAGE"]}},
    ),
}


def test_declarations_on_google_cloud() -> None:
    """The documented spelling of a schema's member is the only one that Google Cloud takes."""
    body = sent(CLOUD, url=CLOUD_URL, function_tools=[LOOSE]).body
    assert body is not None
    declaration = {"name": "f", "description": "Does f.", "parametersJsonSchema": SCHEMA}
    assert body["tools"] == [{"functionDeclarations": [declaration]}]


TABLES = {
    "settings": SETTINGS,
    "contents": CONTENTS,
    "messages": MESSAGES,
    "tools": TOOLS,
    "schemas": SCHEMAS,
    "outputs": OUTPUTS,
    "builtin tools": BUILTIN_TOOLS,
}


@pytest.mark.parametrize("table", TABLES)
def test_exact_bodies(table: str) -> None:
    """Each request has exactly this body."""
    made, wanted = compared(TABLES[table], PLAIN, model=GEMINI)
    assert made == wanted


@pytest.mark.parametrize("model", THINKING)
def test_thinking(model: str) -> None:
    """A level is a budget of tokens, or a level of those that the model knows."""
    bodies = [sent(f"google-gla:{model}", settings={"thinking": each}).body for each in LEVELS]
    made = [body and body["generationConfig"].get("thinkingConfig") for body in bodies]
    assert made == THINKING[model]


REQUEST, SHARED = "x-vertex-ai-llm-request-type", "x-vertex-ai-llm-shared-request-type"
TIERS: list[tuple[Any, JSONObject]] = [
    ({"service_tier": "default"}, {}),
    ({"service_tier": "flex"}, {SHARED: "flex"}),
    ({"service_tier": "priority"}, {SHARED: "priority"}),
    ({"google_cloud_service_tier": "pt_then_on_demand"}, {}),
    ({"google_cloud_service_tier": "pt_only"}, {REQUEST: "dedicated"}),
    ({"google_cloud_service_tier": "pt_then_flex"}, {SHARED: "flex"}),
    ({"google_cloud_service_tier": "pt_then_priority"}, {SHARED: "priority"}),
    ({"google_cloud_service_tier": "on_demand"}, {REQUEST: "shared"}),
    ({"google_cloud_service_tier": "flex_only"}, {REQUEST: "shared", SHARED: "flex"}),
    ({"google_cloud_service_tier": "priority_only"}, {REQUEST: "shared", SHARED: "priority"}),
    ({"google_cloud_service_tier": "pt_only", "service_tier": "flex"}, {REQUEST: "dedicated"}),
]


def test_tiers_on_google_cloud() -> None:
    """The class of service is a header there, and nothing at the API."""
    made = [sent(CLOUD, settings=settings, url=CLOUD_URL) for settings, _ in TIERS]
    assert [(call.headers, call.body) for call in made] == [
        (headers, PLAIN) for _, headers in TIERS
    ]
    assert sent(GEMINI, settings={"google_cloud_service_tier": "pt_only"}).headers == {}


def test_paths() -> None:
    """The method stands behind the model's name."""
    for stream, method, query in (
        (False, "generateContent", {}),
        (True, "streamGenerateContent", {"alt": "sse"}),
    ):
        call = sent(GEMINI, stream=stream)
        assert call.path == f"/v1beta/models/gemini-2.5-flash:{method}"
        assert call.query == query
        call = sent(CLOUD, stream=stream, url=CLOUD_URL)
        assert call.path == f"/publishers/google/models/gemini-2.5-flash:{method}"
        assert call.query == query
