"""Groq, Mistral, Cohere and Chat Completions: streams however they are cut, and odd answers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from direct_anyio import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    ModelHTTPError,
    ModelRequestParameters,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    UserError,
)
from direct_anyio._core.accumulator import Accumulator
from direct_anyio._core.codec import Mark
from direct_anyio._core.decoder import BodyDecoder, StreamDecoder
from direct_anyio._core.fold import Fold
from direct_anyio._core.tool_choice import Choice, choice_of
from direct_anyio.messages import ModelResponseStreamEvent
from direct_anyio.providers import PROVIDERS

from .chunkings import every_chunking, every_line_end
from .folding import fed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def reader_of(provider: str) -> Any:
    row = PROVIDERS[provider]
    codec = row.codec(model_name="m", provider_name=provider, profile=row.profile("m"))
    return codec.reader(ModelRequestParameters())


def folded(decoder: Any, chunks: list[bytes]) -> tuple[list[ModelResponseStreamEvent], Any]:
    accumulator = Accumulator(
        parameters=ModelRequestParameters(), model_name="m", timestamp=NOW, provider_name="p"
    )
    fold = Fold(decoder, accumulator)
    return fed(fold, *chunks, Mark.END), fold.snapshot("complete")


def timeless(folding: object) -> str:
    """Return what was folded without the times at which it was read."""
    return re.sub(r"datetime\.datetime\([^)]*\)", "then", repr(folding))


def frames(*documents: Any, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(document)}\n\n" for document in documents]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m", "choices": [{"index": 0, "delta": delta} | more]}


SEARCH = {"type": "search", "index": 0, "arguments": '{"query": "x"}'}
CALL = {"name": "f", "arguments": "{}"}
FOUND = SEARCH | {"search_results": {"results": [{"title": "T"}]}}

STREAMS = {
    "openai": frames(
        chunk({"reasoning": "Hm"}),
        chunk({"content": "Hé"}),
        chunk({"content": "llo"}),
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, finish_reason="tool_calls"),
        {"id": "r1", "model": "m", "choices": [], "usage": {"prompt_tokens": 3}},
    ),
    "groq": frames(
        chunk({"reasoning": "Hm"}),
        chunk({"executed_tools": [SEARCH]}),
        chunk({"executed_tools": [FOUND]}),
        chunk({"reasoning": "So"}),
        chunk({"content": "Hé"}),
        chunk({}, finish_reason="stop") | {"x_groq": {"usage": {"prompt_tokens": 3}}},
    ),
    "mistral": frames(
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
        chunk({"content": "Hé"}),
        chunk({"content": "llo", "tool_calls": [{"id": "c1", "index": 0, "function": CALL}]}),
        chunk({}, finish_reason="tool_calls") | {"usage": {"prompt_tokens": 3}},
    ),
    "cohere": frames(
        {"type": "message-start", "id": "r1"},
        {
            "type": "content-delta",
            "index": 0,
            "delta": {"message": {"content": {"thinking": "Hm"}}},
        },
        {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "Hé"}}}},
        {
            "type": "tool-call-start",
            "index": 0,
            "delta": {"message": {"tool_calls": {"id": "c", "function": {"name": "f"}}}},
        },
        {
            "type": "tool-call-delta",
            "index": 0,
            "delta": {"message": {"tool_calls": {"function": {"arguments": "{}"}}}},
        },
        {
            "type": "message-end",
            "delta": {"finish_reason": "TOOL_CALL", "usage": {"tokens": {"input_tokens": 3}}},
        },
        done=False,
    ),
}


@pytest.mark.parametrize("provider", STREAMS)
def test_stream_is_the_same_however_it_is_cut(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every chunking and every line end gives the same events and the same response."""
    monkeypatch.setattr("direct_anyio.dialects.groq.new_tool_call_id", lambda: "id")
    expected = folded(StreamDecoder(reader_of(provider), "m"), [STREAMS[provider]])
    assert expected[1].usage.input_tokens == 3
    for body in every_line_end(STREAMS[provider]):
        for chunks in every_chunking(body):
            again = folded(StreamDecoder(reader_of(provider), "m"), chunks)
            assert timeless(again) == timeless(expected)


def test_streamed_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each dialect's stream becomes the parts that it tells of, in their order."""
    monkeypatch.setattr("direct_anyio.dialects.groq.new_tool_call_id", lambda: "id")
    parts = {
        provider: list(folded(StreamDecoder(reader_of(provider), "m"), [body])[1].parts)
        for provider, body in STREAMS.items()
    }
    call = ToolCallPart("f", "{}", "c")
    assert parts["openai"] == [
        ThinkingPart("Hm", id="reasoning", provider_name="openai"),
        TextPart("Héllo"),
        call,
    ]
    results = {"images": None, "results": [{"title": "T"}]}
    assert [type(part) for part in parts["groq"]] == [
        ThinkingPart,
        BuiltinToolCallPart,
        BuiltinToolReturnPart,
        ThinkingPart,
        TextPart,
    ]
    assert parts["groq"][2].content == results
    assert parts["mistral"] == [
        ThinkingPart("Hm"),
        TextPart("Héllo"),
        ToolCallPart("f", "{}", "c1"),
    ]
    assert parts["cohere"] == [ThinkingPart("Hm"), TextPart("Hé"), call]


def whole(provider: str, document: Any) -> ModelResponse:
    decoder = BodyDecoder(reader_of(provider), "m")
    response: ModelResponse = folded(decoder, [json.dumps(document).encode()])[1]
    return response


def answer(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m", "choices": [{"message": message} | more]}


def test_refusal_is_a_filtered_answer() -> None:
    """OpenAI's refusal is told in the details, and nothing was said."""
    response = whole("openai", answer({"refusal": "No."}, finish_reason="stop"))
    assert list(response.parts) == []
    assert response.finish_reason == "content_filter"
    assert response.provider_details is not None
    assert response.provider_details["refusal"] == "No."


def test_answer_without_a_reason_is_whole() -> None:
    """Some servers leave the finish reason out; it is not told as if they had said it."""
    response = whole("openai", answer({"content": "Hi"}))
    assert response.finish_reason == "stop"
    assert "finish_reason" not in (response.provider_details or {})
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    assert whole("openai", answer({"tool_calls": [call]})).finish_reason == "tool_call"


def test_content_as_a_list() -> None:
    """Some servers have the text in pieces."""
    content = [{"type": "text", "text": "He"}, {"type": "reference"}, "llo"]
    response = whole("openai", answer({"content": content}, finish_reason="stop"))
    assert response.text == "Hello"


def test_failed_call_is_an_answer_of_groq() -> None:
    """A call that does not fit its schema comes in an error, and is a call all the same."""
    written = json.dumps({"name": "f", "arguments": {"x": 1}})
    document = {"error": {"code": "tool_use_failed", "failed_generation": written}}
    reader = reader_of("groq")
    items = list(reader.failed(document) or ())
    assert items[0].delta.tool_name_delta == "f"
    assert reader.failed({"error": {"code": "other"}}) is None
    assert reader.failed("text") is None


def test_failed_call_within_a_stream_of_groq() -> None:
    """The same error ends a stream well."""
    document = {"error": {"code": "tool_use_failed", "failed_generation": "maybe"}}
    body = frames(chunk({"reasoning": "Hm"}), done=False) + (
        b"event: error\ndata: " + json.dumps(document).encode() + b"\n\n"
    )
    _, response = folded(StreamDecoder(reader_of("groq"), "m"), [body])
    assert response.text == "maybe"
    with pytest.raises(ModelHTTPError):
        folded(StreamDecoder(reader_of("mistral"), "m"), [body])


def test_cached_tokens_of_mistral() -> None:
    """They are counted where they are told in the usual place; another count is a detail."""
    reported = {"prompt_tokens": 268, "completion_tokens": 5, "num_cached_tokens": 32}
    usage = reported | {"prompt_tokens_details": {"cached_tokens": 224}}
    body = json.dumps({"usage": usage, "choices": [ANSWERED]}).encode()
    _, response = folded(BodyDecoder(reader_of("mistral"), "m"), [body])
    assert response.usage.cache_read_tokens == 224
    assert response.usage.details == {"num_cached_tokens": 32}


ANSWERED = {"index": 0, "finish_reason": "stop", "message": {"content": "Hi"}}

F, G = ToolDefinition(name="f"), ToolDefinition(name="g")
OUT = ToolDefinition(name="out", kind="output")


@pytest.mark.parametrize(
    ("choice", "offered", "expected"),
    [
        (None, {"function_tools": [F]}, Choice("auto")),
        ("auto", {"output_tools": [OUT], "allow_text_output": False}, Choice("required")),
        ("none", {"function_tools": [F]}, Choice("none")),
        (
            "none",
            {"function_tools": [F], "output_tools": [OUT], "allow_text_output": False},
            Choice("required", ("out",)),
        ),
        ("none", {"output_tools": [OUT], "allow_text_output": False}, Choice("required")),
        ("none", {"function_tools": [F], "output_tools": [OUT]}, Choice("auto", ("out",))),
        ("required", {"function_tools": [F]}, Choice("required")),
        (["g"], {"function_tools": [F, G]}, Choice("required", ("g",))),
        (["g", "f"], {"function_tools": [F, G]}, Choice("required")),
        ([], {"function_tools": [F]}, Choice("none")),
    ],
)
def test_tool_choice(choice: Any, offered: dict[str, Any], expected: Choice) -> None:
    """The setting is about function tools; an output tool may always be called."""
    assert choice_of({"tool_choice": choice}, ModelRequestParameters(**offered)) == expected


@pytest.mark.parametrize("choice", ["required", ["other"]])
def test_tool_choice_that_cannot_be(choice: Any) -> None:
    """A demand for a tool that is not offered is the program's mistake."""
    with pytest.raises(UserError, match="tool_choice"):
        choice_of({"tool_choice": choice}, ModelRequestParameters(output_tools=[OUT]))
