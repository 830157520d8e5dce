"""What real servers send, one table a rule: a stream and a whole answer give the same response.

Each row has the frames of a stream, the document of a whole answer, and what both must become.
Streams are cut in every way. The facts are public reports of what gateways and servers send.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeAlias

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from direct_anyio import ModelAPIError, ModelRequestParameters, ModelResponse
from direct_anyio import exceptions as e
from direct_anyio._core.accumulator import Accumulator
from direct_anyio._core.decoder import ResponseDecoder
from direct_anyio._core.ending import Ending
from direct_anyio._core.fold import Fold
from direct_anyio.history import dump_messages, load_messages
from direct_anyio.providers import PROVIDERS

from .chunkings import every_chunking
from .folding import read_all

JSON: TypeAlias = dict[str, Any]
Part: TypeAlias = tuple[Any, ...]

NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
PARAMETERS = ModelRequestParameters()
OSLO, ROME = '{"city":"Oslo"}', '{"city":"Rome"}'
DONE = b"data: [DONE]\n\n"


@frozen(kw_only=True)
class Row:
    """One way in which a server tells something.

    Attributes:
        provider: Whose dialect it is.
        frames: Frames of a stream: documents, or bytes as they are.
        body: The document of a whole answer, None where a row has no such form.
        parts: What both become: a kind, and what is in it.
        error: The error that both are, None for an answer.
        wanted: More of the response, or of the error, by attribute.
        model: The name of the model.
        done: Whether `[DONE]` ends the stream.
    """

    provider: str
    frames: Sequence[JSON | bytes] = ()
    body: JSON | None = None
    parts: Sequence[Part] = ()
    error: type[ModelAPIError] | None = None
    wanted: JSON = field(factory=dict)
    model: str = "m"
    done: bool | None = None

    @property
    def streamed(self) -> bytes:
        written = b"".join(
            each if isinstance(each, bytes) else framed(each) for each in self.frames
        )
        chat = self.provider not in ("google", "anthropic", "openai-responses", "cohere")
        return written + (DONE if (chat if self.done is None else self.done) else b"")


def framed(document: JSON) -> bytes:
    """Write a frame, with the name of its event where the protocol has one."""
    name = document.get("type")
    named = f"event: {name}\n".encode(errors="replace") if isinstance(name, str) else b""
    return named + b"data: " + json.dumps(document).encode() + b"\n\n"


def read(
    row: Row, chunks: Iterable[bytes], *, streamed: bool, lenient: bool = False
) -> ModelResponse | ModelAPIError:
    """Return what comes of bytes."""
    provider = PROVIDERS[row.provider]
    profile = provider.profile(row.model)
    codec = provider.codec(model_name=row.model, provider_name=row.provider, profile=profile)
    accumulator = Accumulator(
        parameters=PARAMETERS,
        model_name=row.model,
        timestamp=NOON,
        ending=Ending(finish_reason_may_be_absent=lenient),
    )
    decoder = ResponseDecoder(codec.reader(PARAMETERS), row.model, streamed=streamed)
    fold = Fold(decoder, accumulator)
    try:
        read_all(fold, chunks)
    except ModelAPIError as error:
        error.response = fold.snapshot("incomplete")
        return error
    return fold.snapshot(accumulator.final_state)


def brief(response: ModelResponse) -> list[Part]:
    """Return the parts as rows write them."""
    parts: list[Part] = []
    for part in response.parts:
        match part.part_kind:
            case "text" | "thinking":
                parts.append((part.part_kind, part.content))
            case "tool-call":
                parts.append(("call", part.tool_name, part.args))
            case "file":
                parts.append(("file", part.content.data))
            case kind:
                parts.append((kind,))
    return parts


def check(row: Row, found: ModelResponse | ModelAPIError) -> None:
    if row.error is not None:
        assert type(found) is row.error, found
    else:
        assert isinstance(found, ModelResponse), repr(found)
        assert brief(found) == list(row.parts)
        assert load_messages(dump_messages([found])) == [found]
    for name, value in row.wanted.items():
        assert getattr(found, name) == value, name


def known(found: ModelResponse | ModelAPIError) -> Any:
    """Return what must not change with the cuts: all but the ids that we make."""
    if isinstance(found, ModelAPIError):
        return type(found), str(found), found.retry_after
    return brief(found), attrs.evolve(found, parts=[])


# -- how each dialect says things -----------------------------------------------------------------


def chunk(delta: JSON | None = None, finish: Any = None, **more: Any) -> JSON:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c1", "created": 1_760_000_000, "model": "m-1", "choices": [choice], **more}


def whole(message: JSON | None = None, finish: Any = "stop", **more: Any) -> JSON:
    full = {"role": "assistant"} | (message or {})
    choice = {"index": 0, "message": full, "finish_reason": finish}
    return {"id": "c1", "created": 1_760_000_000, "model": "m-1", "choices": [choice], **more}


def call(index: Any = ..., id: Any = ..., name: Any = ..., args: Any = ...) -> JSON:
    written = {"name": name, "arguments": args}
    function = {key: value for key, value in written.items() if value is not ...}
    keys = {"index": index, "id": id}
    return {"function": function} | {key: v for key, v in keys.items() if v is not ...}


def calls(*pieces: JSON) -> list[JSON]:
    return [*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, "tool_calls")]


def gemini(*parts: JSON, finish: str | None = None, **more: Any) -> JSON:
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    ended = {"finishReason": finish} if finish else {}
    return {"candidates": [candidate | ended], "responseId": "r", "modelVersion": "m-1", **more}


ANTHROPIC_START = {
    "type": "message_start",
    "message": {"id": "m", "model": "x", "usage": {"input_tokens": 10, "output_tokens": 1}},
}


def anthropic(*events: JSON, reason: str = "end_turn") -> list[JSON]:
    used = {"output_tokens": 5}
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": used}
    return [ANTHROPIC_START, *events, delta, {"type": "message_stop"}]


def block(index: Any, **started: Any) -> JSON:
    return {"type": "content_block_start", "content_block": started} | _at(index)


def grow(index: Any, **delta: Any) -> JSON:
    return {"type": "content_block_delta", "delta": delta} | _at(index)


def stop(index: Any) -> JSON:
    return {"type": "content_block_stop"} | _at(index)


def _at(index: Any) -> JSON:
    return {} if index is None else {"index": index}


def responses(*events: JSON, output: Sequence[Any] = (), status: str = "completed") -> list[JSON]:
    created = {"id": "r", "model": "m-1", "status": "in_progress", "output": []}
    ended = {"id": "r", "model": "m-1", "status": status, "output": list(output)}
    return [
        {"type": "response.created", "response": created},
        *events,
        {"type": f"response.{status}", "response": ended},
    ]


def event(kind: str, **members: Any) -> JSON:
    return {"type": f"response.{kind}"} | members


def message(text: str, **more: Any) -> JSON:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "content": content} | more


def function(args: Any, **more: Any) -> JSON:
    named = {"type": "function_call", "name": "get_weather", "arguments": args, "call_id": "call_a"}
    return named | more


def answer(*output: Any, **more: Any) -> JSON:
    return {"id": "r", "model": "m-1", "status": "completed", "output": list(output)} | more


BOTH = [("call", "get_weather", OSLO), ("call", "get_time", ROME)]
TWICE = [("call", "get_weather", OSLO), ("call", "get_weather", ROME)]
HELLO = [("text", "Hello")]
A, B = ("call_a", "get_weather"), ("call_b", "get_time")
CODE = {"executableCode": {"code": "x", "language": "PYTHON"}}
RAN = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
RAN_PARTS: list[Part] = [("builtin-tool-call",), ("builtin-tool-return",)]


# -- 1: a finish reason does not end the reading --------------------------------------------------

FINISH: dict[str, Row] = {
    "the text 'null' is none": Row(
        provider="openai", parts=HELLO, wanted={"finish_reason": "stop"},
        frames=[chunk({"content": "Hel"}, "null"), chunk({"content": "lo"}, ""), chunk({}, "stop")],
        body=whole({"content": "Hello"}),
    ),
    "in every frame": Row(
        provider="groq", parts=HELLO, wanted={"finish_reason": "length"},
        frames=[chunk({"content": "Hel"}, "stop"), chunk({"content": "lo"}, "length")],
        body=whole({"content": "Hello"}, "length"),
    ),
    "on a thought": Row(
        provider="openai", parts=[("thinking", "Hm"), *HELLO],
        frames=[chunk({"reasoning_content": "Hm"}, "stop"), chunk({"content": "Hello"}),
                chunk({}, "stop")],
        body=whole({"reasoning_content": "Hm", "content": "Hello"}),
    ),
    "before a call; the last reason counts": Row(
        provider="mistral", parts=[("text", "Let me look."), ("call", "get_time", "{}")],
        wanted={"finish_reason": "tool_call"},
        frames=[chunk({"content": "Let me look."}, "stop"),
                chunk({"tool_calls": [call(0, "a", "get_time", "{}")]}, "tool_calls")],
        body=whole({"content": "Let me look.", "tool_calls": [call(0, "a", "get_time", "{}")]},
                   "tool_calls"),
    ),
    "between rounds of code": Row(
        provider="google", parts=[*RAN_PARTS, *RAN_PARTS, ("text", "They are 42.")],
        frames=[gemini(CODE), gemini(RAN), gemini(CODE, finish="STOP"), gemini(RAN),
                gemini({"text": "They are "}), gemini({"text": "42."}, finish="STOP")],
        body=gemini(CODE, RAN, CODE, RAN, {"text": "They are 42."}, finish="STOP"),
    ),
    "in a first frame without content": Row(
        provider="google", parts=HELLO, wanted={"finish_reason": "length"},
        frames=[gemini(finish="STOP"), gemini({"text": "Hel"}),
                gemini({"text": "lo"}, finish="MAX_TOKENS")],
        body=gemini({"text": "Hello"}, finish="MAX_TOKENS"),
    ),
    "before the last block": Row(
        provider="anthropic", parts=HELLO, wanted={"finish_reason": "stop"},
        frames=[ANTHROPIC_START, block(0, type="text", text=""),
                grow(0, type="text_delta", text="Hel"),
                {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}},
                grow(0, type="text_delta", text="lo"), *anthropic()[1:]],
    ),
}  # fmt: skip

# -- 2: [DONE] is an end only where the dialect says so -------------------------------------------

CUT: dict[str, Row] = {
    "Responses": Row(
        provider="openai-responses", done=True, error=e.StreamInterrupted,
        frames=responses(event("output_text.delta", output_index=0, delta="Half"))[:-1],
    ),
    "Anthropic": Row(
        provider="anthropic", done=True, error=e.StreamInterrupted,
        frames=[ANTHROPIC_START, block(0, type="text", text="Half")],
    ),
    "Gemini": Row(
        provider="google", done=True, error=e.StreamInterrupted, frames=[gemini({"text": "Half"})],
    ),
    "Cohere": Row(
        provider="cohere", done=True, error=e.StreamInterrupted,
        frames=[{"type": "content-delta", "index": 0,
                 "delta": {"message": {"content": {"text": "Half"}}}}],
    ),
    "Chat, a role and nothing else": Row(
        provider="vllm", error=e.EmptyResponse,
        frames=[chunk({"role": "assistant", "content": ""})],
    ),
    "Chat, only usage": Row(
        provider="groq", error=e.EmptyResponse,
        frames=[{"id": "c", "choices": [], "usage": {"prompt_tokens": 3}}],
    ),
    "Gemini, behind a finish reason": Row(
        provider="google", done=True, frames=[gemini({"text": "Hello"}, finish="STOP")],
        parts=HELLO,
    ),
    "Chat, without a reason": Row(
        provider="openai", frames=[chunk({"content": "Hello"})], parts=HELLO,
        wanted={"finish_reason": None},
    ),
}  # fmt: skip

# -- 3: an event is told apart by what identifies it ----------------------------------------------

IDENTITY: dict[str, Row] = {
    "whole calls of one index": Row(
        provider="ollama", parts=BOTH, frames=calls(call(0, *A, OSLO), call(0, *B, ROME)),
        body=whole({"tool_calls": [call(0, *A, OSLO), call(0, *B, ROME)]}, "tool_calls"),
    ),
    "calls in pieces, of one index and one tool": Row(
        provider="openai", parts=TWICE,
        frames=calls(call(0, "a", "get_weather", ""), call(0, args=OSLO),
                     call(0, "b", "get_weather", ""), call(0, args=ROME)),
    ),
    "whole calls of one index and no ids": Row(
        provider="openai", parts=TWICE,
        frames=calls(call(0, name="get_weather", args=OSLO),
                     call(0, name="get_weather", args=ROME)),
        body=whole({"tool_calls": [call(0, name="get_weather", args=OSLO),
                                   call(0, name="get_weather", args=ROME)]}, "tool_calls"),
    ),
    "no index, a frame for each": Row(
        provider="openai", parts=BOTH, frames=calls(call(..., *A, OSLO), call(..., *B, ROME)),
        body=whole({"tool_calls": [call(..., *A, OSLO), call(..., *B, ROME)]}, "tool_calls"),
    ),
    "index null, both in one frame": Row(
        provider="groq", parts=BOTH,
        frames=[chunk({"tool_calls": [call(None, *A, OSLO), call(None, *B, ROME)]}, "tool_calls")],
        body=whole({"tool_calls": [call(None, *A, OSLO), call(None, *B, ROME)]}, "tool_calls"),
    ),
    "no index, the id in each piece": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(..., *A, OSLO[:5]), call(..., *B, ROME[:5]),
                     call(..., "call_a", args=OSLO[5:]), call(..., "call_b", args=ROME[5:])),
    ),
    "no index, no id, the name begins a call": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(name="get_weather", args=OSLO[:5]), call(args=OSLO[5:]),
                     call(name="get_time", args=ROME[:5]), call(args=ROME[5:])),
    ),
    "two indexes, their pieces mixed": Row(
        provider="mistral", parts=BOTH,
        frames=calls(call(0, *A, ""), call(1, *B, ""), call(0, args=OSLO[:5]),
                     call(1, args=ROME[:5]), call(1, args=ROME[5:]), call(0, args=OSLO[5:])),
    ),
    "two indexes, one id": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(0, "x", "get_weather", OSLO), call(1, "x", "get_time", ROME)),
        body=whole({"tool_calls": [call(0, "x", "get_weather", OSLO),
                                   call(1, "x", "get_time", ROME)]}, "tool_calls"),
    ),
    "the name in every piece": Row(
        provider="openai", parts=BOTH[:1],
        frames=calls(call(0, *A, OSLO[:5]), call(0, *A, OSLO[5:9]), call(0, *A, OSLO[9:])),
    ),
    "the name in pieces": Row(
        provider="openai", parts=BOTH[:1],
        frames=calls(call(0, "a", "get_", ""), call(0, name="weather"), call(0, args=OSLO)),
    ),
    "another id in every piece": Row(
        provider="mistral", parts=BOTH[:1],
        frames=calls(call(0, "a", "get_weather", OSLO[:5]), call(0, "b", "", OSLO[5:9]),
                     call(0, "null", None, OSLO[9:])),
    ),
    "a piece of another index, without a name": Row(
        provider="mistral", parts=BOTH[:1],
        frames=calls(call(0, "a", "get_weather", OSLO[:5]), call(1, args=OSLO[5:])),
    ),
    "the id first, the name later": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(0, *A, OSLO), call(1, "call_b"), call(1, name="get_time"),
                     call(1, args=ROME)),
    ),
    "indexes as floats, and as texts": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(0.0, *A, ""), call("1", *B, ""), call("0", args=OSLO),
                     call(1, args=ROME)),
    ),
    "calls without their inner object": Row(
        provider="openai", parts=BOTH[:1],
        frames=[chunk({"tool_calls": [{"index": 0, "id": "a", "name": "get_weather",
                                       "arguments": OSLO}]}, "tool_calls")],
        body=whole({"tool_calls": [{"id": "a", "name": "get_weather", "arguments": OSLO}]}),
    ),
    "no arguments, then arguments": Row(
        provider="groq", parts=BOTH[:1], frames=calls(call(0, *A, "{}"), call(0, args=OSLO)),
    ),
    "an empty object, then arguments": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(0, *A, {}), call(0, args=OSLO), call(1, *B, ""), call(1, args="{}"),
                     call(1, args=ROME)),
    ),
    "no arguments, then arguments, the name in every piece": Row(
        provider="openai", parts=BOTH[:1],
        frames=calls(call(0, *A, "{}"), call(0, *A, OSLO[:5]), call(0, *A, OSLO[5:]),
                     call(0, *A, "\n"), call(0, *A, "{}")),
    ),
    "no arguments in pieces, then arguments": Row(
        provider="mistral", parts=BOTH[:1],
        frames=calls(call(0, *A, ""), call(0, args="{"), call(0, args="}"), call(0, args=OSLO),
                     call(0, args="{}"), call(0, args='{ "city": "Oslo" }')),
    ),
    "no arguments at all": Row(
        provider="openai", parts=[("call", "get_weather", "{}"), ("call", "get_time", "{}")],
        frames=calls(call(0, *A, "{}"), call(1, *B, ""), call(1, args="{}")),
        body=whole({"tool_calls": [call(0, *A, "{}"), call(1, *B, "{}")]}, "tool_calls"),
    ),
    "an object, then the same as a text": Row(
        provider="openai", parts=[("call", "get_weather", {"city": "Oslo"})],
        frames=calls(call(0, *A, {"city": "Oslo"}), call(0, args=" "), call(0, args=OSLO)),
    ),
    "objects within objects": Row(
        provider="groq", parts=[("call", "get_weather", '{"a":{"b":{"c":null}}}')],
        frames=calls(call(0, *A, ""), call(0, args='{"a":'), call(0, args='{"b":'),
                     call(0, args='{"c":'), call(0, args="null"), call(0, args="}"),
                     call(0, args="}"), call(0, args="}")),
    ),
    "pieces, and all of it again": Row(
        provider="openai", parts=BOTH[:1],
        frames=calls(call(0, *A, OSLO[:5]), call(0, args=OSLO[5:]), call(0, args=OSLO),
                     call(0, args="null")),
    ),
    "a new index and id, the name behind arguments": Row(
        provider="openai", parts=BOTH,
        frames=calls(call(0, *A, OSLO), call(1, "call_b", None, ROME[:5]),
                     call(1, name="get_time"), call(1, args=ROME[5:])),
    ),
    "a call that never has a name": Row(
        provider="openai", error=e.UnexpectedModelBehavior,
        frames=calls(call(0, *A, OSLO), call(1, "call_b", None, ROME)),
        body=whole({"tool_calls": [call(0, "a", None, OSLO)]}),
    ),
    "a call that is repeated whole": Row(
        provider="openai", parts=BOTH[:1], frames=calls(call(0, *A, OSLO), call(0, *A, OSLO)),
    ),
    "Cohere, calls without an index": Row(
        provider="cohere", parts=BOTH[:1], done=False,
        frames=[{"type": "tool-call-start",
                 "delta": {"message": {"tool_calls": call(..., *A, "")}}},
                {"type": "tool-call-delta", "delta": {"message": {"tool_calls": call(args=OSLO)}}},
                {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}],
    ),
    "Responses, another item id in every event": Row(
        provider="openai-responses", parts=HELLO,
        frames=responses(
            event("output_item.added", output_index=0, item=message("", id="e1", content=[])),
            event("output_text.delta", output_index=0, item_id="e2", delta="Hel"),
            event("output_text.delta", output_index=0, item_id="e3", delta="lo"),
            event("output_item.done", output_index=0, item=message("Hello", id="e4")),
            output=[message("Hello", id="e5")],
        ),
        body=answer(message("Hello", id="e")),
    ),
    "Responses, no item ids": Row(
        provider="openai-responses", parts=[("thinking", "Hm"), *HELLO, BOTH[0]],
        frames=responses(
            event("output_item.added", output_index=0, item={"type": "reasoning", "summary": []}),
            event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="Hm"),
            event("output_item.done", output_index=0,
                  item={"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}),
            event("output_item.added", output_index=1, item=message("", content=[])),
            event("output_text.delta", output_index=1, content_index=0, delta="Hel"),
            event("output_text.delta", output_index=1, content_index=0, delta="lo"),
            event("output_item.done", output_index=1, item=message("Hello")),
            event("output_item.added", output_index=2, item=function("")),
            event("function_call_arguments.delta", output_index=2, delta=OSLO[:5]),
            event("function_call_arguments.delta", output_index=2, delta=OSLO[5:]),
            event("output_item.done", output_index=2, item=function(OSLO)),
        ),
        body=answer({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
                    message("Hello"), function(OSLO)),
    ),
    "Responses, all at index 0": Row(
        provider="openai-responses", parts=[*HELLO, BOTH[0], TWICE[1]],
        frames=responses(
            event("output_item.added", output_index=0, item=message("", id="m", content=[])),
            event("output_text.delta", output_index=0, item_id="m", delta="Hello"),
            event("output_item.done", output_index=0, item=message("Hello", id="m")),
            event("output_item.added", output_index=0, item=function("", id="f1")),
            event("function_call_arguments.delta", output_index=0, item_id="f1", delta=OSLO),
            event("output_item.done", output_index=0, item=function(OSLO, id="f1")),
            event("output_item.added", output_index=0, item=function("", id="f2", call_id="b")),
            event("function_call_arguments.delta", output_index=0, item_id="f2", delta=ROME),
            event("output_item.done", output_index=0, item=function(ROME, id="f2", call_id="b")),
        ),
    ),
    "Responses, neither indexes nor ids": Row(
        provider="openai-responses", parts=[*HELLO, BOTH[0]],
        frames=responses(
            event("output_text.delta", delta="Hel"), event("output_text.delta", delta="lo"),
            event("output_item.done", item=message("Hello")),
            event("output_item.added", item=function("")),
            event("function_call_arguments.delta", delta=OSLO),
            event("output_item.done", item=function(OSLO)),
            output=[message("Hello"), function(OSLO)],
        ),
    ),
    "Anthropic, an index that is used again": Row(
        provider="anthropic", parts=[("thinking", "Hm"), *HELLO],
        frames=anthropic(
            block(0, type="thinking"), grow(0, type="thinking_delta", thinking="Hm"), stop(0),
            block(0, type="text", text=""), grow(0, type="text_delta", text="Hello"), stop(0),
        ),
        body={"id": "m", "stop_reason": "end_turn",
              "content": [{"type": "thinking", "thinking": "Hm"},
                          {"type": "text", "text": "Hello"}]},
    ),
    "Anthropic, no index, a stop of nothing": Row(
        provider="anthropic", parts=[*HELLO, ("call", "get_weather", OSLO)],
        frames=anthropic(
            stop(None), block(None, type="text", text=""),
            grow(None, type="text_delta", text="Hello"), stop(None), stop(7),
            block(None, type="tool_use", id="a", name="get_weather", input={}),
            grow(None, type="input_json_delta", partial_json=OSLO), stop(None), stop(None),
            reason="tool_use",
        ),
    ),
    "Anthropic, starts that are repeated": Row(
        provider="anthropic", parts=[("call", "get_weather", OSLO)],
        frames=anthropic(
            block(0, type="tool_use", id="a", name="get_weather", input={}),
            block(0, type="tool_use", id="a", name="get_weather", input={}),
            grow(0, type="input_json_delta", partial_json=OSLO), stop(0), reason="tool_use",
        ),
    ),
}  # fmt: skip

# -- 4: what is told whole at the end -------------------------------------------------------------

AT_THE_END: dict[str, Row] = {
    "all of it in response.completed": Row(
        provider="openai-responses", parts=[*HELLO, BOTH[0]],
        frames=responses(output=[message("Hello", id="m"), function(OSLO, id="f")]),
        body=answer(message("Hello", id="m"), function(OSLO, id="f")),
    ),
    "the text in output_text.done": Row(
        provider="openai-responses", parts=HELLO,
        frames=responses(event("output_text.done", output_index=0, item_id="m", text="Hello"),
                         output=[message("Hello", id="m")]),
    ),
    "the text in content_part.done": Row(
        provider="openai-responses", parts=HELLO,
        frames=responses(event("content_part.done", output_index=0, item_id="m",
                               part={"type": "output_text", "text": "Hello"})),
    ),
    "the rest of a text": Row(
        provider="openai-responses", parts=HELLO,
        frames=responses(event("output_text.delta", output_index=0, item_id="m", delta="Hel"),
                         output=[message("Hello", id="m")]),
    ),
    "a second message": Row(
        provider="openai-responses", parts=[("text", "First."), ("text", "Second.")],
        frames=responses(
            event("output_text.delta", output_index=0, item_id="m1", delta="First."),
            event("output_item.done", output_index=0, item=message("First.", id="m1")),
            event("output_item.done", output_index=1, item=message("Second.", id="m2")),
            output=[message("First.", id="m1"), message("Second.", id="m2")],
        ),
        body=answer(message("First.", id="m1"), message("Second.", id="m2")),
    ),
    "arguments in arguments.done": Row(
        provider="openai-responses", parts=BOTH[:1],
        frames=responses(
            event("output_item.added", output_index=0, item=function("", id="f")),
            event("function_call_arguments.done", output_index=0, item_id="f", arguments=OSLO),
            event("output_item.done", output_index=0, item=function(OSLO, id="f")),
            output=[function(OSLO, id="f")],
        ),
    ),
    "arguments that are written otherwise at the end": Row(
        provider="openai-responses", parts=BOTH[:1],
        frames=responses(
            event("output_item.added", output_index=0, item=function("", id="f")),
            event("function_call_arguments.delta", output_index=0, item_id="f", delta=OSLO),
            event("output_item.done", output_index=0,
                  item=function('{"city": "Oslo"}', id="f")),
        ),
    ),
    "a summary in its done events": Row(
        provider="openai-responses", parts=[("thinking", "Hm"), *HELLO],
        frames=responses(
            event("reasoning_summary_text.done", output_index=0, summary_index=0, text="Hm"),
            event("reasoning_summary_part.done", output_index=0, summary_index=0,
                  part={"type": "summary_text", "text": "Hm"}),
            event("output_text.done", output_index=1, text="Hello"),
        ),
    ),
    "a whole completion behind everything": Row(
        provider="openai", parts=[("thinking", "Hm"), *HELLO, BOTH[0]],
        frames=[chunk({"reasoning_content": "Hm"}), chunk({"content": "Hello"}),
                chunk({"tool_calls": [call(0, *A, OSLO[:5])]}),
                whole({"reasoning_content": "Hm", "content": "Hello",
                       "tool_calls": [call(..., "other", "get_weather", OSLO)]}, "tool_calls")],
    ),
    "a whole completion behind a placeholder": Row(
        provider="openai", parts=BOTH[:1],
        frames=[chunk({"tool_calls": [call(0, *A, "{}")]}),
                whole({"tool_calls": [call(0, *A, OSLO)]}, "tool_calls")],
    ),
    "a whole completion, written otherwise": Row(
        provider="openai", parts=[("text", "\n\nHello")],
        frames=[chunk({"content": "\n\nHello"}), whole({"content": "Hello world"})],
    ),
    "a delta of thoughts beside the message": Row(
        provider="groq", parts=[("thinking", "Hm"), *HELLO],
        frames=[{"choices": [{"index": 0, "delta": {"reasoning": "Hm"}, "finish_reason": "stop",
                              "message": {"reasoning": "Hm", "content": "Hello"}}]}],
    ),
    "thoughts between tags, and in the message at the end": Row(
        provider="openai", parts=[("thinking", "Hm"), *HELLO],
        frames=[chunk({"content": "<think>Hm</think>Hello"}),
                whole({"reasoning_content": "Hm", "content": "<think>Hm</think>Hello"})],
    ),
    "messages that are whole so far": Row(
        provider="openai", parts=HELLO,
        frames=[whole({"content": "Hel"}, None), whole({"content": "Hello"}, None),
                whole({"content": "Hello"})],
    ),
    "messages that are pieces": Row(
        provider="openai", parts=[("text", "Hel Hello")],
        frames=[whole({"content": "Hel"}, None), whole({"content": " "}, None),
                whole({"content": "Hello"})],
    ),
    "messages that are pieces, the first of nothing": Row(
        provider="openai", parts=[("text", "Hello")],
        frames=[{"choices": [{"index": 0, "message": {}}]}, whole({"content": "Hel"}, None),
                whole({"content": "lo"})],
    ),
    "deltas beside the message so far": Row(
        provider="openai", parts=HELLO,
        frames=[{"object": "chat.completion", "choices": [
            {"index": 0, "delta": {"content": delta}, "message": {"content": full},
             "finish_reason": finish}]}
            for delta, full, finish in (("Hel", "Hel", None), ("lo", "Hello", "stop"))],
    ),
    "a delta of nothing beside the message": Row(
        provider="openai", parts=[*HELLO, BOTH[0]],
        frames=[{"choices": [
            {"index": 0, "delta": {"content": delta, "role": "assistant"},
             "message": {"content": full}}]} for delta, full in (("Hel", "Hel"), ("", "Hello"))]
            + [{"choices": [
                {"index": 0, "delta": {"content": "", "tool_calls": []}, "finish_reason": "stop",
                 "message": {"content": "Hello", "tool_calls": [call(0, *A, OSLO)]}}]}],
        body={"choices": [
            {"index": 0, "delta": {"content": "", "role": "assistant"}, "finish_reason": "stop",
             "message": {"content": "Hello", "tool_calls": [call(0, *A, OSLO)]}}]},
    ),
    "a whole completion behind pieces": Row(
        provider="openai", parts=[*HELLO, BOTH[0]],
        frames=[chunk({"content": "Hel"}),
                whole({"content": "Hello", "tool_calls": [call(0, *A, OSLO)]}, "tool_calls",
                      object="chat.completion")],
    ),
}  # fmt: skip


# -- 5: usage totals replace ----------------------------------------------------------------------


def used(count: int) -> JSON:
    return {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": 10 + count}


USAGE: dict[str, Row] = {
    f"{provider}: {name}": Row(provider=provider, parts=HELLO, frames=frames, body=body)
    for provider in ("openai", "groq", "mistral", "vllm")
    for name, frames, body in (
        (
            "totals so far in every frame",
            [chunk({"content": "Hel"}, usage=used(1)), chunk({"content": "lo"}, usage=used(2)),
             chunk({}, "stop", usage=used(3)), {"id": "c1", "choices": [], "usage": used(3)}],
            whole({"content": "Hello"}, usage=used(3)),
        ),
        (
            "null counts behind it",
            [chunk({"content": "Hello"}, "stop", usage=used(3)),
             {"id": "c1", "choices": [], "usage": {"prompt_tokens": None}}],
            whole({"content": "Hello"}, usage=used(3) | {"prompt_tokens_details": None}),
        ),
        (
            "told with the choice",
            [{"choices": [chunk({"content": "Hello"}, "stop")["choices"][0] | {"usage": used(3)}]}],
            None,
        ),
    )
}  # fmt: skip

# -- 6: an answer is choice 0 ---------------------------------------------------------------------

X = {"index": 1, "delta": {"content": "X"}, "finish_reason": None}
CHOICES: dict[str, Row] = {
    f"{provider}: text and calls in two choices of one index": Row(
        provider=provider, parts=[*HELLO, BOTH[0]],
        frames=[{"choices": [{"index": 0, "delta": {"content": "Hello"}},
                             {"index": 0, "delta": {"tool_calls": [call(0, *A, OSLO)]},
                              "finish_reason": "tool_calls"}]}],
        body={"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"},
                          {"message": {"tool_calls": [call(0, *A, OSLO)]},
                           "finish_reason": "tool_calls"}]},
    )
    for provider in ("openai", "groq", "mistral")
} | {
    "other choices are counted": Row(
        provider="openai", parts=HELLO,
        frames=[chunk({"content": "Hel"}), {"choices": [X]},
                {"choices": [X, chunk({"content": "lo"}, "stop")["choices"][0]]}],
        body={"choices": [{"index": 1, "message": {"content": "X"}},
                          {"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]},
        wanted={"provider_details": {
            "finish_reason": "stop", "other_choices": 1, "timestamp": None,
            "direct_anyio": {"other_choices_left_out": 1}}},
    ),
    "another choice comes first": Row(
        provider="vllm", parts=HELLO,
        frames=[{"choices": [X]}, chunk({"content": "Hel"}), {"choices": [X]},
                chunk({"content": "lo"}, "stop")],
    ),
    "choices that are counted from 1": Row(
        provider="vllm", parts=[("text", "XX")], wanted={"finish_reason": "stop"},
        frames=[{"choices": [X]}, {"choices": [X | {"finish_reason": "stop"}]}],
        body={"choices": [{"index": 1, "message": {"content": "XX"}, "finish_reason": "stop"}]},
    ),
    "other candidates are counted": Row(
        provider="google", parts=HELLO,
        frames=[gemini({"text": "Hello"}, finish="STOP") | {"candidates": [
            {"index": 1, "content": {"parts": [{"text": "X"}]}},
            gemini({"text": "Hello"}, finish="STOP")["candidates"][0]]}],
        body={"candidates": [{"index": 1, "content": {"parts": [{"text": "X"}]}},
                             gemini({"text": "Hello"}, finish="STOP")["candidates"][0]]},
        wanted={"provider_details": {
            "finish_reason": "STOP", "other_choices": 1,
            "direct_anyio": {"other_choices_left_out": 1}}},
    ),
}  # fmt: skip

# -- 7: an error is known by its sense ------------------------------------------------------------

SENSES: dict[str, tuple[JSON, type[ModelAPIError], int]] = {
    "an object": ({"error": {"message": "no", "code": 402}}, e.ModelQuotaExceededError, 402),
    "a text": ({"error": "slow down", "status": 429}, e.ModelRateLimitError, 429),
    "a list": ({"error": [{"message": "no", "status": 503}]}, e.ModelUnavailableError, 503),
    "null and a message": ({"error": None, "message": "boom"}, e.ModelServerError, 500),
    "an error in an error": (
        {"error": {"message": "x", "error": {"code": 429}}}, e.ModelRateLimitError, 429,
    ),
    "status": ({"error": {"message": "no", "status": 429, "code": None}},
               e.ModelRateLimitError, 429),
    "status_code": ({"error": {"message": "no", "status_code": "429"}},
                    e.ModelRateLimitError, 429),
    "error_type": ({"error": "Model is overloaded", "error_type": "overloaded"},
                   e.ModelOverloadedError, 529),
    "object: error": (
        {"object": "error", "message": "it died", "type": "InternalServerError", "code": 500},
        e.ModelServerError, 500,
    ),
    "detail": ({"detail": "rate limit reached"}, e.ModelRateLimitError, 429),
    "an error in a detail": (
        {"detail": {"error": {"message": "no", "code": 429}}}, e.ModelRateLimitError, 429,
    ),
    "a status alone": ({"title": "Too Many Requests", "status": 429}, e.ModelRateLimitError, 429),
    "a code alone": ({"code": 429}, e.ModelRateLimitError, 429),
    "error_msg": ({"error_code": 336501, "error_msg": "rate limit"}, e.ModelRateLimitError, 429),
    "beside usage": (
        {"object": "error", "message": "no", "usage": {"prompt_tokens": 0}}, e.ModelServerError,
        500,
    ),
    "a class of Python's": (
        {"error": {"message": "no", "type": "RateLimitError"}}, e.ModelRateLimitError, 429,
    ),
    "a list of details": (
        {"detail": [{"loc": ["body"], "msg": "field required"}]}, e.ModelServerError, 500,
    ),
    "errors": (
        {"success": False, "errors": [{"code": 3036, "message": "daily limit reached"}]},
        e.ModelQuotaExceededError, 402,
    ),
    "msg": ({"code": 500, "msg": "upstream failed", "success": False}, e.ModelServerError, 500),
    "base_resp": (
        {"id": "c1", "choices": None,
         "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        e.ModelQuotaExceededError, 402,
    ),
    "base_resp with a text": (
        {"choices": None, "base_resp": {"status_code": "1002", "status_msg": "no"}},
        e.ModelRateLimitError, 429,
    ),
    "a choice with an error that is text": (
        {"choices": [{"index": 0, "delta": {}, "message": {}, "error": "rate limit"}]},
        e.ModelRateLimitError, 429,
    ),
    "a choice with an error": (
        {"choices": [{"index": 0, "delta": {}, "message": {},
                      "error": {"code": 502, "message": "upstream"}}]}, e.ModelServerError, 502,
    ),
    "the finish reason 'error'": (
        {"choices": [{"index": 0, "delta": {"content": ""}, "message": {"content": ""},
                      "finish_reason": "error"}]}, e.ModelServerError, 500,
    ),
    "a network error of an empty answer": (
        {"choices": [{"index": 0, "delta": {"content": ""}, "message": {"content": ""},
                      "finish_reason": "stop", "native_finish_reason": "network_error"}]},
        e.ModelServerError, 500,
    ),
    "x_groq": ({"x_groq": {"id": "r", "error": "it broke"}}, e.ModelServerError, 500),
}  # fmt: skip

STRAY = b'{"error": {"message": "x", "code": 503}}'
LAST_MARKS = {
    "openai": b"data: [DONE]\n\n",
    "anthropic": framed({"type": "message_stop"}),
    "openai-responses": framed({"type": "response.completed", "response": answer()}),
}
ERRORS: dict[str, Row] = {
    f"{provider}: {name} right before the last mark": Row(
        provider=provider, frames=[line, mark], done=False, error=e.ModelUnavailableError,
    )
    for provider, mark in LAST_MARKS.items()
    for name, line in (
        ("a line", STRAY + b"\n"), ("an indented line", b"  " + STRAY + b"\n\n"),
        ("a list", b"[" + STRAY + b"]\n\n"), ("a field", b"error: " + STRAY + b"\r\n"),
        ("many lines", json.dumps(json.loads(STRAY), indent=2).encode() + b"\n"),
        ("an event behind one line end", b"event: error\ndata: " + STRAY + b"\n"),
    )
} | {
    "an event without data": Row(
        provider="openai", frames=[chunk({"content": "Half"}), b"event: error\n\n"],
        error=e.ModelServerError,
    ),
    "a number": Row(provider="openai", error=e.ModelRateLimitError, body={"error": 429},
                    frames=[{"error": 429}]),
    "a finish reason in capitals": Row(
        provider="openai", error=e.ModelServerError,
        frames=[chunk({"content": "Half"}, "ERROR")], body=whole({"content": "Half"}, "ERROR"),
    ),
} | {
    f"{provider}: {name}, {place}": Row(
        provider=provider, error=error, wanted={"status_code": status, "in_stream": True},
        frames=[*before, document], body=None if before else document,
    )
    for provider in ("vllm", "groq", "mistral")
    for name, (document, error, status) in SENSES.items()
    for place, before in (("first", []), ("behind content", [chunk({"content": "Half"})]))
    if not (before and "empty" in name)
} | {
    f"{provider}: {name}": Row(
        provider=provider, error=error, wanted={"status_code": status}, frames=[document],
        body=document, done=False,
    )
    for provider in ("google", "anthropic", "openai-responses", "cohere")
    for name, (document, error, status) in SENSES.items()
    if "choices" not in document
} | {
    "llama.cpp's field": Row(
        provider="openai", error=e.ModelContextWindowExceededError, wanted={"status_code": 400},
        frames=[chunk({"content": "Half"}),
                b'error: {"code":400,"message":"too long","type":"exceed_context_size_error"}\n\n'],
    ),
    "a field that is text": Row(
        provider="openai", error=e.ModelServerError,
        frames=[chunk({"content": "Half"}), b"error: it broke\n\n"],
    ),
    "a line of JSON": Row(
        provider="google", error=e.ModelUnavailableError, wanted={"status_code": 503},
        frames=[gemini({"text": "Half"}), b'{"error": {"code": 503, "message": "overloaded"}}\n'],
    ),
    "lines of JSON": Row(
        provider="google", error=e.ModelUnavailableError, wanted={"status_code": 503},
        frames=[gemini({"text": "Half"}),
                json.dumps({"error": {"code": 503, "message": "no"}}, indent=2).encode()],
    ),
    "JSON alone, with [DONE]": Row(
        provider="openai", error=e.ModelQuotaExceededError,
        frames=[b'{"error": {"message": "no credit left", "code": 402}}\n\n'],
    ),
    "an event that is text": Row(
        provider="openai", error=e.ModelRateLimitError,
        frames=[chunk({"content": "Half"}), b"event: error\ndata: rate limit reached\n\n"],
    ),
    "response.failed without an error": Row(
        provider="openai-responses", error=e.ModelServerError,
        frames=responses(status="failed"), body=answer(status="failed"),
    ),
    "Cohere's finish reason": Row(
        provider="cohere", error=e.ModelServerError,
        frames=[{"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "boom"}}],
        body={"message": {"content": []}, "finish_reason": "ERROR"},
    ),
    "a list of one error": Row(
        provider="google", error=e.ModelRateLimitError,
        frames=[b'[{"error": {"code": 429, "message": "slow down"}}]'],
    ),
}  # fmt: skip

# -- 8 and 12: the bytes say what they are; edges of server-sent events ---------------------------

GOOD = [chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop")]


def lines(*documents: JSON) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n" for each in documents)


FORMS: dict[str, Row] = {
    "a byte order mark": Row(provider="openai", parts=HELLO, frames=[b"\xef\xbb\xbf", *GOOD]),
    "one line end between frames": Row(
        provider="openai", parts=HELLO, frames=[lines(*GOOD)], done=True
    ),
    "a blank behind [DONE]": Row(
        provider="openai", parts=HELLO, frames=[*GOOD, b"data: [DONE] \n\n"], done=False
    ),
    "no blank line at the end": Row(
        provider="openai", parts=HELLO, done=False, frames=[*GOOD[:2], lines(GOOD[2])],
    ),
    "a ping that is text": Row(
        provider="openai", parts=HELLO,
        frames=[GOOD[0], b"event: ping\ndata: keep-alive\n\n", *GOOD[1:]],
    ),
    "Anthropic's ping that is text": Row(
        provider="anthropic", parts=HELLO,
        frames=[b"event: ping\ndata: ping\n\n",
                *anthropic(block(0, type="text", text=""),
                           grow(0, type="text_delta", text="Hello"))],
    ),
    "an array of frames": Row(
        provider="google", parts=HELLO,
        frames=[json.dumps([gemini({"text": "Hel"}), gemini({"text": "lo"}, finish="STOP")],
                           indent=1).encode()],
    ),
    "JSON to a stream": Row(
        provider="openai", parts=HELLO, done=False,
        frames=[b"\n " + json.dumps(whole({"content": "Hello"})).encode()],
    ),
    "pings that are JSON": Row(
        provider="openai", parts=HELLO,
        frames=[b"event: ping\ndata: null\n\n", GOOD[0], b"event: ping\ndata: [1]\n\n",
                b'event: heartbeat\ndata: {"message": "alive"}\n\n', *GOOD[1:]],
    ),
    "a quoted [DONE]": Row(
        provider="openai", parts=HELLO, frames=[*GOOD, b'data: "[DONE]"\n\n'], done=False
    ),
    "an array of frames without their end": Row(
        provider="google", error=e.StreamInterrupted,
        frames=[json.dumps([gemini({"text": "Hel"})]).encode()],
    ),
    "a status behind the answer": Row(
        provider="openai", parts=HELLO,
        frames=[*GOOD, {"code": 0, "message": "success"},
                {"choices": [], "code": 200, "msg": "ok"}],
    ),
    "an event name behind one line end": Row(
        provider="cohere", parts=HELLO,
        frames=[b"".join(
            b"event: " + name + b"\ndata: " + json.dumps({"delta": delta}).encode() + b"\n"
            for name, delta in (
                (b"content-delta", {"message": {"content": {"text": "Hel"}}}),
                (b"content-delta", {"message": {"content": {"text": "lo"}}}),
                (b"message-end", {"finish_reason": "COMPLETE"})))],
    ),
    "byte order marks before all frames": Row(
        provider="openai", parts=HELLO,
        frames=[b"\xef\xbb\xbf" + framed(each) for each in GOOD],
    ),
    "a line of JSON before [DONE]": Row(
        provider="openai", parts=HELLO, done=False,
        frames=[json.dumps(whole({"content": "Hello"})).encode() + b"\ndata: [DONE]\n\n"],
    ),
    "a comment first": Row(provider="openai", parts=HELLO, frames=[b": OPENROUTER\n\n", *GOOD]),
    "an id first": Row(provider="openai", parts=HELLO, frames=[b"id: 7\n", *GOOD]),
}  # fmt: skip

# -- 10: optional things may be nonsense ----------------------------------------------------------

ODD: dict[str, Row] = {
    f"{provider}: {name}": Row(
        provider=provider, parts=parts, frames=[chunk(full, "stop", **more)],
        body=whole(full, **more),
    )
    for provider in ("openai", "groq", "mistral")
    for name, full, more, parts in (
        ("null text", {"content": None, "tool_calls": [call(0, *A, OSLO)]}, {}, BOTH[:1]),
        ("numeric ids", {"tool_calls": [call(0, 7, "get_weather", OSLO)]}, {"id": 5}, BOTH[:1]),
        ("arguments null", {"tool_calls": [call(0, *A, "null")]}, {},
         [("call", "get_weather", None)]),
        ("arguments as a list", {"tool_calls": [call(0, *A, [])]}, {},
         [("call", "get_weather", None)]),
        ("arguments as an object", {"tool_calls": [call(0, *A, {"city": "Oslo"})]}, {},
         [("call", "get_weather", {"city": "Oslo"})]),
        ("odd usage", {"content": "Hello"}, {"usage": [1]}, HELLO),
        ("infinite usage", {"content": "Hello"},
         {"usage": {"prompt_tokens": -1, "completion_tokens": 1.5}}, HELLO),
        ("odd times", {"content": "Hello"}, {"created": "yesterday", "model": ["x"]}, HELLO),
        ("unknown members", {"content": "Hello", "padding": {}}, {"obfuscation": "x"}, HELLO),
    )
} | {
    f"{provider}: a text as {name}": Row(
        provider=provider, parts=HELLO, frames=[chunk({"content": [written]}, "stop")],
        body=whole({"content": [written]}),
    )
    for provider in ("openai", "groq", "mistral")
    for name, written in (
        ("an object", {"type": "text", "text": {"value": "Hello"}}),
        ("content", {"type": "text", "content": "Hello"}),
    )
} | {
    "a refusal as content": Row(
        provider="openai", wanted={"finish_reason": "content_filter"},
        frames=[chunk({"content": [{"type": "refusal", "refusal": "No."}]}, "stop")],
        body=whole({"content": [{"type": "refusal", "refusal": "No."}]}),
    ),
    "Gemini, entries that are null": Row(
        provider="google", parts=HELLO,
        frames=[{"candidates": [None, {"content": {"parts": [None, {"text": "Hello"}]},
                                       "finishReason": "STOP"}]}],
        body={"candidates": [None, {"content": {"parts": [None, {"text": "Hello"}]},
                                    "finishReason": "STOP"}]},
    ),
    "Responses, entries that are null": Row(
        provider="openai-responses", parts=HELLO,
        frames=responses(output=[None, message("Hello", content=[
            None, {"type": "output_text", "text": "Hello"}])]),
        body=answer(None, message("Hello", content=[
            None, {"type": "output_text", "text": "Hello"}])),
    ),
    "Anthropic, entries that are null": Row(
        provider="anthropic", parts=HELLO,
        body={"id": "m", "model": "x", "stop_reason": "end_turn",
              "content": [None, {"type": "text", "text": "Hello"}]},
    ),
    "costs by our own names": Row(
        provider="openrouter", model="v/m", parts=HELLO,
        frames=[chunk({"content": "Hello"}, "stop"),
                {"choices": [{"index": 1, "delta": {"content": "X"}}],
                 "usage": {"cost_details": {"direct_anyio": 5, "timestamp": 5,
                                            "finish_reason": "x", "upstream": 1}}}],
        wanted={"finish_reason": "stop"},
    ),
    "odd log probabilities": Row(
        provider="openai", parts=HELLO,
        frames=[{"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop",
                              "logprobs": {"content": [None, {"top_logprobs": [None]}]}}]}],
    ),
    "odd extras": Row(
        provider="openai", parts=HELLO,
        frames=[chunk({"content": "Hello", "audio": "x", "images": 5, "refusal": True}, "stop")],
        body=whole({"content": "Hello", "audio": {"data": 5}, "images": ["data:,x"],
                    "refusal": {}}),
    ),
    "null entries": Row(
        provider="openai", parts=[*HELLO, BOTH[0]],
        frames=[{"choices": [None, chunk({"content": "Hello",
                                          "tool_calls": [None, call(0, *A, OSLO)]},
                                         "tool_calls")["choices"][0]]}],
    ),
    "a content as an object": Row(
        provider="openai", parts=HELLO,
        frames=[chunk({"content": {"type": "text", "text": "Hello"}}, "stop")],
        body=whole({"content": {"type": "text", "text": "Hello"}}),
    ),
    "OpenRouter's odd details": Row(
        provider="openrouter", model="vendor/m", parts=HELLO,
        frames=[chunk({"content": "Hello", "reasoning_details": [{}, None, {"type": ["x"]}]},
                      "stop", usage="n/a")],
        body=whole({"content": "Hello", "reasoning_details": 5}, usage={"cost_details": "n/a"}),
    ),
    "OpenRouter's details without a text": Row(
        provider="openrouter", model="vendor/m",
        parts=[("thinking", "Hm"), ("thinking", ""), *HELLO],
        frames=[chunk({"reasoning": "Hm", "reasoning_details": [
            {"type": "reasoning.encrypted", "data": "D"}]}), chunk({"content": "Hello"}, "stop")],
    ),
    "Cohere's contents as texts and lists": Row(
        provider="cohere", parts=[("thinking", "Hm"), *HELLO], done=False,
        frames=[{"type": "content-start", "index": 0, "delta": {"message": {"content": None}}},
                {"type": "content-delta", "index": 0,
                 "delta": {"message": {"content": {"thinking": "Hm", "text": "Hel"}}}},
                {"type": "content-delta", "index": 0, "delta": {"message": {"content": "lo"}}},
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}],
        body={"message": {"content": [{"thinking": ["Hm"], "text": "Hello"}, None],
                          "tool_calls": None}, "finish_reason": "COMPLETE"},
    ),
    "Anthropic's thoughts as objects": Row(
        provider="anthropic", parts=[("thinking", "Hm"), *HELLO],
        frames=anthropic(block(0, type="thinking", thinking=""),
                         grow(0, type="thinking_delta", thinking={"text": "Hm"}),
                         block(1, type="text", text="Hello")),
        body={"content": [{"type": "thinking", "thinking": ["Hm"]},
                          {"type": "text", "text": "Hello"}], "stop_reason": "end_turn"},
    ),
    "Anthropic's input as a text": Row(
        provider="anthropic", parts=[("call", "get_weather", OSLO)],
        frames=anthropic(block(0, type="tool_use", id="a", name="get_weather", input="{}"),
                         grow(0, type="input_json_delta", partial_json=OSLO), reason="tool_use"),
    ),
    "Gemini's members that are empty": Row(
        provider="google", parts=[*HELLO, ("call", "get_time", {"a": 1})],
        frames=[gemini({"text": "Hello", "functionCall": None, "inlineData": None}),
                gemini({"text": "", "functionCall": {"name": "get_time", "args": {"a": 1}}},
                       finish="STOP")],
        body=gemini({"text": "Hello", "functionCall": {"name": "get_time", "args": {"a": 1}}},
                    finish="STOP"),
    ),
    "thoughts as an object": Row(
        provider="openai", parts=[("thinking", "Hm"), *HELLO],
        frames=[chunk({"reasoning": {"content": "Hm"}}), chunk({"content": "Hello"}, "stop")],
        body=whole({"reasoning": {"content": "Hm"}, "content": "Hello"}),
    ),
    "thoughts as a list": Row(
        provider="groq", parts=[("thinking", "Hm"), *HELLO],
        frames=[chunk({"reasoning": [{"text": "H"}, "m"]}), chunk({"content": "Hello"}, "stop")],
        body=whole({"reasoning": [{"text": "H"}, "m"], "content": "Hello"}),
    ),
    "arguments as a text, then as an object": Row(
        provider="openai", parts=[("call", "get_weather", {"city": "Oslo"})],
        frames=calls(call(0, *A, ""), call(0, args={"city": "Oslo"})),
    ),
    "Anthropic's null text": Row(
        provider="anthropic", parts=HELLO,
        frames=anthropic(block(0, type="text", text=None), grow(0, type="text_delta", text=None),
                         grow(0, type="text_delta", text="Hello"), stop(0)),
        body={"content": [{"type": "text", "text": None}, {"type": "text", "text": "Hello"}],
              "stop_reason": "end_turn", "usage": {"input_tokens": None}},
    ),
    "Gemini's numeric id": Row(
        provider="google", parts=[("call", "get_time", None)],
        frames=[gemini({"functionCall": {"id": 7, "name": "get_time", "args": []}}, finish="STOP")],
        body=gemini({"functionCall": {"id": 7, "name": "get_time", "args": []}}, finish="STOP"),
    ),
}  # fmt: skip


# -- 11: thinking tags ----------------------------------------------------------------------------


def tagged(
    *pieces: str,
    parts: list[Part],
    model: str = "m",
    provider: str = "openai",
    body: bool = True,
) -> Row:
    frames = [*(chunk({"content": piece}) for piece in pieces), chunk({}, "stop")]
    document = whole({"content": "".join(pieces)}) if body else None
    return Row(provider=provider, model=model, parts=parts, frames=frames, body=document)


TAGS: dict[str, Row] = {
    "frames of their own": tagged(
        "<think>", "I add.", "</think>", "3.", parts=[("thinking", "I add."), ("text", "3.")]
    ),
    "a frame with text": tagged(
        "<think>\nI", " add.</think>\n\nIt", " is 3.", provider="groq",
        parts=[("thinking", "\nI add."), ("text", "\n\nIt is 3.")],
    ),
    "over frames": tagged(
        "<th", "ink>", "I add.", "</", "thi", "nk>3.", provider="mistral",
        parts=[("thinking", "I add."), ("text", "3.")],
    ),
    "what only looks like a tag": tagged(
        "a <", "b", " <th", "ree <think", "er>", parts=[("text", "a <b <three <thinker>")]
    ),
    "two thoughts": tagged(
        "<think>a</think>b<think>c</think>d",
        parts=[("thinking", "a"), ("text", "b"), ("thinking", "c"), ("text", "d")],
    ),
    "blanks before the text, of a model that writes some": tagged(
        "\n", " \nHello", parts=HELLO, model="moonshotai/kimi", provider="moonshotai", body=False
    ),
    "a thought that is never closed": tagged(
        "<think>a", "b</thin", parts=[("thinking", "ab</thin")]
    ),
    "a tag that is never finished": tagged("3 <thin", parts=[("text", "3 <thin")]),
}  # fmt: skip

# -- 13: nothing that a user pays for is dropped --------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
PICTURE = {"type": "image_url", "image_url": {"url": PNG_URL}}
WAV = b"RIFF" + bytes(20)
SOUND = base64.b64encode(WAV).decode()
HM = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
CITED = {"type": "url_citation", "url_citation": {"url": "https://e.example", "title": "T"}}

PAID: dict[str, Row] = {
    "images": Row(
        provider="openrouter", model="vendor/m", parts=[*HELLO, ("file", PNG)],
        frames=[chunk({"content": "Hello"}), chunk({"images": [PICTURE]}),
                chunk({"images": [PICTURE]}, "stop")],
        body=whole({"content": "Hello", "images": [PICTURE]}),
    ),
    "an image in a list of contents": Row(
        provider="openai", parts=[*HELLO, ("file", PNG)],
        frames=[chunk({"content": [{"type": "text", "text": "Hello"}, PICTURE]}, "stop")],
        body=whole({"content": [{"type": "text", "text": "Hello"}, PICTURE]}),
    ),
    "a spoken answer": Row(
        provider="openai", parts=[*HELLO, ("file", WAV)],
        frames=[chunk({"audio": {"id": "a", "transcript": "Hel"}}),
                chunk({"audio": {"data": SOUND[:13]}}), chunk({"audio": {"transcript": "lo"}}),
                chunk({"audio": {"data": SOUND[13:], "expires_at": 1}}), chunk({}, "stop")],
        body=whole({"content": None, "audio": {"id": "a", "data": SOUND, "transcript": "Hello",
                                               "expires_at": 1}}),
    ),
    "citations": Row(
        provider="openai", parts=HELLO,
        frames=[chunk({"content": "Hello"}), chunk({"annotations": [CITED]}, "stop")],
        body=whole({"content": "Hello", "annotations": [CITED]}),
        wanted={"provider_details": {
            "timestamp": None, "finish_reason": "stop", "annotations": [CITED]}},
    ),
    "a whole completion in one frame": Row(
        provider="openai", parts=[*HELLO, BOTH[0]],
        frames=[whole({"content": "Hello", "tool_calls": [call(0, *A, OSLO)]}, "tool_calls",
                      object="chat.completion")],
        body=whole({"content": "Hello", "tool_calls": [call(0, *A, OSLO)]}, "tool_calls",
                   object="chat.completion"),
    ),
    "text where the delta should be": Row(
        provider="openai", parts=HELLO,
        frames=[{"choices": [{"index": 0, "text": "Hel", "finish_reason": None}]},
                {"choices": [{"index": 0, "text": "lo", "finish_reason": "stop"}]}],
        body={"choices": [{"text": "Hello", "finish_reason": "stop"}]},
    ),
    "the old form of a call": Row(
        provider="openai", parts=BOTH[:1],
        frames=[chunk({"function_call": {"name": "get_weather", "arguments": OSLO[:5]}}),
                chunk({"function_call": {"arguments": OSLO[5:]}}), chunk({}, "function_call")],
        body=whole({"function_call": {"name": "get_weather", "arguments": OSLO}}, "function_call"),
    ),
    "thoughts among the contents": Row(
        provider="mistral", parts=[("thinking", "Hm"), *HELLO],
        frames=[chunk({"content": [HM]}),
                chunk({"content": [{"type": "text", "text": "Hello"}]}, "stop")],
        body=whole({"content": [HM, {"type": "text", "text": "Hello"}]}),
    ),
}  # fmt: skip

# -- suspended answers ----------------------------------------------------------------------------

SUSPENDED: dict[str, Row] = {
    status: Row(
        provider="openai-responses",
        body={"id": "r", "model": "m-1", "status": status, "output": []},
        wanted={"state": "suspended", "provider_response_id": "r"},
    )
    for status in ("queued", "in_progress")
} | {
    "pause_turn": Row(
        provider="anthropic", parts=HELLO, wanted={"state": "suspended"},
        frames=anthropic(block(0, type="text", text="Hello"), reason="pause_turn"),
        body={"content": [{"type": "text", "text": "Hello"}], "stop_reason": "pause_turn"},
    ),
    "a turn that goes on": Row(
        provider="anthropic", parts=HELLO, wanted={"state": "complete"},
        frames=anthropic(block(0, type="text", text="Hello")),
        body={"content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"},
    ),
}  # fmt: skip

RULES = {
    "1 finish": FINISH, "2 [DONE]": CUT, "3 identity": IDENTITY, "4 at the end": AT_THE_END,
    "5 usage": USAGE, "6 choices": CHOICES, "7 errors": ERRORS, "8 and 12 forms": FORMS,
    "10 odd": ODD, "11 tags": TAGS, "13 paid": PAID, "suspended": SUSPENDED,
}  # fmt: skip
ROWS = {f"{rule}: {name}": row for rule, rows in RULES.items() for name, row in rows.items()}


# Rows whose bytes another provider's row has, too.
SAME_BYTES = {name for name in ROWS if name.startswith(("7 errors: groq", "7 errors: mistral"))}


def _timeless(row: Row) -> Row:
    """Return a row that does not tell the time of creation, where it tells the details."""
    details = row.wanted.get("provider_details")
    if not details or details.get("timestamp", ...) is not None:
        return row
    created = datetime.fromtimestamp(1_760_000_000, UTC)
    written = details | {"timestamp": created}
    return attrs.evolve(row, wanted=row.wanted | {"provider_details": written})


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.frames])
def test_a_stream(name: str) -> None:
    """A stream becomes what it means, however it is cut, also where none was asked for."""
    row = ROWS[name]
    found = read(row, [row.streamed], streamed=True)
    check(_timeless(row), found)
    for chunks in every_chunking(row.streamed) if name not in SAME_BYTES else ():
        assert known(read(row, chunks, streamed=True)) == known(found)
    assert known(read(row, [row.streamed], streamed=False)) == known(found)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.body is not None])
def test_a_whole_answer(name: str) -> None:
    """A whole answer becomes the same as a stream of it, also where a stream was asked for."""
    row = ROWS[name]
    body = json.dumps(row.body).encode()
    if "created" not in (row.body or {}):
        row = attrs.evolve(row, wanted=_undated(row.wanted))
    for streamed in (False, True):
        check(_timeless(row), read(row, [body], streamed=streamed))


def _undated(wanted: JSON) -> JSON:
    details = wanted.get("provider_details")
    if not details:
        return wanted
    undated = {key: value for key, value in details.items() if key != "timestamp"}
    return wanted | {"provider_details": undated}


@pytest.mark.parametrize("name", USAGE)
def test_usage_is_the_last_total(name: str) -> None:
    """Totals are not added up, and what a later total leaves out has not changed."""
    row = USAGE[name]
    bodies = [row.streamed, *([json.dumps(row.body).encode()] if row.body else [])]
    for body in bodies:
        found = read(row, [body], streamed=True)
        assert isinstance(found, ModelResponse)
        assert (found.usage.input_tokens, found.usage.output_tokens) == (10, 3)


def test_what_came_before_an_error_is_kept() -> None:
    """The partial answer rides on the error."""
    for name, row in ERRORS.items():
        if "behind content" in name:
            found = read(row, [row.streamed], streamed=True)
            assert isinstance(found, ModelAPIError)
            assert found.response is not None
            assert found.response.text == "Half"


@pytest.mark.parametrize("provider", ["openai", "google", "anthropic", "cohere"])
def test_a_server_that_never_gives_a_reason(provider: str) -> None:
    """A key of the profile accepts the end of the body; the error for it names the key."""
    frames: dict[str, list[JSON | bytes]] = {
        "openai": [chunk({"content": "Hello"})],
        "google": [gemini({"text": "Hello"})],
        "anthropic": [ANTHROPIC_START, block(0, type="text", text="Hello")],
        "cohere": [{"type": "content-delta", "index": 0,
                    "delta": {"message": {"content": {"text": "Hello"}}}}],
    }  # fmt: skip
    row = Row(provider=provider, frames=frames[provider], done=False)
    error = read(row, [row.streamed], streamed=True)
    assert isinstance(error, e.StreamInterrupted)
    assert "finish_reason_may_be_absent=True" in str(error)
    found = read(row, [row.streamed], streamed=True, lenient=True)
    assert isinstance(found, ModelResponse)
    assert (brief(found), found.state) == (HELLO, "complete")
    assert (found.provider_details or {})["direct_anyio"] == {"finish_reason_inferred": True}


def test_pictures_in_one_frame() -> None:
    """A frame may be as long as a response: a picture of 15 MB is one line."""
    picture = base64.b64encode(bytes(15_000_000)).decode()
    part = {"inlineData": {"mimeType": "image/png", "data": picture}}
    row = Row(provider="google", frames=[gemini(part, finish="STOP")])
    found = read(row, [row.streamed], streamed=True)
    assert isinstance(found, ModelResponse)
    assert [len(data) for _, data in brief(found)] == [15_000_000]


# -- any calls, in any of the shapes --------------------------------------------------------------

NAMES = ("get_weather", "get_time", "f")
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b", "<think>", "}{"]), st.text(max_size=5))


@st.composite
def told_calls(draw: st.DrawFn) -> tuple[list[Part], list[JSON]]:
    """Draw calls, and the pieces in which a server of one habit tells them, one after another."""
    indexed = draw(st.sampled_from(["own", "zero", "none", "null"]))
    # Where the index tells nothing, ids or names must tell calls apart.
    ids = draw(
        st.sampled_from(["first", "every"] if indexed == "zero" else ["first", "every", "no"])
    )
    names = draw(st.sampled_from(["once", "every", "pieces"]))
    if indexed in ("none", "null") and ids != "every":
        names = "once"
    meant: list[Part] = []
    pieces: list[JSON] = []
    for number in range(draw(st.integers(1, 4))):
        name, args = draw(st.sampled_from(NAMES)), json.dumps(draw(ARGUMENTS))
        meant.append(("call", name, args))
        index = {"own": number, "zero": 0, "none": ..., "null": None}[indexed]
        cuts = sorted(draw(st.sets(st.integers(1, len(args) - 1), max_size=3)))
        written: list[tuple[Any, str]] = [
            (name if place == 0 or names == "every" else ..., args[a:b])
            for place, (a, b) in enumerate(pairwise([0, *cuts, len(args)]))
        ]
        if names == "pieces" and len(name) > 1:
            written = [(name[:1], ""), (name[1:], ""), (..., written[0][1]), *written[1:]]
        for place, (named, text) in enumerate(written):
            is_named = ids == "every" or (ids == "first" and place == 0)
            pieces.append(call(index, f"c{number}" if is_named else ..., named, text))
    return meant, pieces


@given(
    written=told_calls(), provider=st.sampled_from(["openai", "groq", "mistral"]), data=st.data()
)
def test_calls_are_those_that_were_meant(
    written: tuple[list[Part], list[JSON]], provider: str, data: st.DataObject
) -> None:
    """Whatever habit a server has, its pieces become its calls."""
    meant, pieces = written
    frames: list[JSON] = []
    while pieces:
        count = data.draw(st.integers(1, len(pieces)))
        frames.append(chunk({"tool_calls": pieces[:count]}))
        pieces = pieces[count:]
    row = Row(provider=provider, frames=[*frames, chunk({}, "tool_calls")], parts=meant)
    check(row, read(row, [row.streamed], streamed=True))


# -- what is accepted can be stored ---------------------------------------------------------------

ODD_TEXTS = ["", "null", "x", "\ud800", "2026-01-01T00:00:00Z"]
ODD_NUMBERS = [True, -1, 1.5, 10**30, -(10**400), float("inf")]
ODD_CONTAINERS: list[Any] = [[], {}, [1], {"a": 1}, {"kind": "binary"}, {"$direct_anyio": "bytes"}]
NONSENSE = st.sampled_from([None, *ODD_TEXTS, *ODD_NUMBERS, *ODD_CONTAINERS])


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container in a document with each of its keys."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [each for key in keys for each in places(value[key])]


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_what_is_accepted_can_be_stored(data: st.DataObject) -> None:
    """An answer with nonsense anywhere is one of our errors, or comes back equal from a store."""
    row = ROWS[data.draw(st.sampled_from(sorted(ROWS)))]
    documents = copy.deepcopy([row.body or {}, *(f for f in row.frames if isinstance(f, dict))])
    for container, key in data.draw(st.lists(st.sampled_from(places(documents)), max_size=2)):
        container[key] = data.draw(NONSENSE)
    whole, frames = documents[0], [each for each in documents[1:] if isinstance(each, dict)]
    # Infinity is written as a number that is too large.
    for text in (json.dumps(whole), attrs.evolve(row, frames=frames).streamed.decode()):
        body = text.replace("Infinity", "1e999").encode()
        found = read(row, [body], streamed=True)
        if isinstance(found, ModelResponse):
            assert load_messages(dump_messages([found])) == [found]
