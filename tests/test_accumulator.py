"""Which events a response makes as it grows, and what it looks like in between."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from direct_anyio._core import accumulator as accumulator_module
from direct_anyio._core.accumulator import MAX_PARTS, Accumulator
from direct_anyio._core.codec import (
    Item,
    Mark,
    PartChunk,
    ResponseInfo,
    WholePart,
    text_chunk,
    thinking_chunk,
    tool_call_chunk,
)
from direct_anyio.events import ModelResponseStreamEvent, TextPartDelta, ToolCallPartDelta
from direct_anyio.exceptions import ResponseTooLarge, UnexpectedModelBehavior
from direct_anyio.messages import (
    BinaryContent,
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from direct_anyio.tools import ModelRequestParameters, ToolDefinition
from direct_anyio.usage import RequestUsage

NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
PARAMETERS = ModelRequestParameters(
    function_tools=[ToolDefinition(name="f"), ToolDefinition(name="later", kind="external")],
    output_tools=[ToolDefinition(name="out", kind="output")],
)
IMAGE = FilePart(BinaryContent(b"x", media_type="image/png"))
FILE = FilePart(BinaryContent(b"x", media_type="text/csv"))


def accumulator(parameters: ModelRequestParameters = PARAMETERS) -> Accumulator:
    return Accumulator(parameters=parameters, model_name="m", timestamp=NOON)


def brief(event: ModelResponseStreamEvent) -> str:
    """Write an event in a few characters: what happened, where, with what next to it."""
    e: Any = event
    match e.event_kind:
        case "part_start":
            content = e.part.args if hasattr(e.part, "args") else e.part.content
            before = f" <{e.previous_part_kind}" if e.previous_part_kind else ""
            return f"start {e.index} {e.part.part_kind} {content}{before}"
        case "part_delta":
            d = e.delta
            content = d.args_delta if isinstance(d, ToolCallPartDelta) else d.content_delta
            known = f" ({d.tool_call_id})" if isinstance(d, ToolCallPartDelta) else ""
            return f"delta {e.index} {content}{known}"
        case "part_end":
            content = e.part.args if hasattr(e.part, "args") else e.part.content
            return f"end {e.index} {content}" + (
                f" >{e.next_part_kind}" if e.next_part_kind else ""
            )
    return f"final {e.tool_name} {e.tool_call_id}"


def run(items: Iterable[Item], parameters: ModelRequestParameters = PARAMETERS) -> list[str]:
    growing = accumulator(parameters)
    events = [event for item in items for event in growing.feed(item)]
    return [brief(event) for event in [*events, *growing.close()]]


def call(key: Any, **words: Any) -> PartChunk:
    return tool_call_chunk(key, **words)


NO_TEXT = ModelRequestParameters(allow_text_output=False)
IMAGES = ModelRequestParameters(allow_text_output=False, allow_image_output=True)
FINAL = "final None None"

EVENTS: dict[str, tuple[list[Item], list[str]]] = {
    "nothing": ([], []),
    "text": (
        [text_chunk("t", "a"), text_chunk("t", "b")],
        ["start 0 text a", FINAL, "delta 0 b", "end 0 ab"],
    ),
    "an empty text is a text": ([text_chunk("t", "")], ["start 0 text ", FINAL, "end 0 "]),
    "two texts, one final result": (
        [text_chunk(1, "a"), text_chunk(2, "b")],
        ["start 0 text a", FINAL, "end 0 a >text", "start 1 text b <text", "end 1 b"],
    ),
    "thought, text": (
        [thinking_chunk("r", "a"), thinking_chunk("r", "b"), text_chunk("t", "c")],
        ["start 0 thinking a", "delta 0 b", "end 0 ab >text", "start 1 text c <thinking", FINAL,
         "end 1 c"],
    ),
    "calls by key": (
        [call(0, name="f", call_id="x", args="{"), call(1, name="f", call_id="y"),
         call(0, args="}"), call(1, args="{}")],
        ["start 0 tool-call {", "end 0 { >tool-call", "start 1 tool-call None <tool-call",
         "delta 0 } (x)", "delta 1 {} (y)", "end 1 {}"],
    ),
    "an output call is final": (
        [call(0, name="out", call_id="x")],
        ["start 0 tool-call None", "final out x", "end 0 None"],
    ),
    "a deferred call is final": (
        [call(0, name="later", call_id="x")],
        ["start 0 tool-call None", FINAL, "end 0 None"],
    ),
    "an unknown call is not final": (
        [call(0, name="who", call_id="x")],
        ["start 0 tool-call None", "end 0 None"],
    ),
    "no key: the latest of the kind": (
        [text_chunk(None, "a"), text_chunk(None, "b"), thinking_chunk(None, "c"),
         thinking_chunk(None, "d"), text_chunk(None, "e")],
        ["start 0 text a", FINAL, "delta 0 b", "end 0 ab >thinking", "start 1 thinking c <text",
         "delta 1 d", "end 1 cd >text", "start 2 text e <thinking", "end 2 e"],
    ),
    "no key: a name is a new call": (
        [call(None, name="f", call_id="x", args="{"), call(None, args="}"),
         call(None, name="f", call_id="y")],
        ["start 0 tool-call {", "delta 0 } (x)", "end 0 {} >tool-call",
         "start 1 tool-call None <tool-call", "end 1 None"],
    ),
    "a call without a name is hidden until it has one": (
        [call(0, args="{", call_id="x"), call(0, args="}"), call(0, name="out"), call(0, args=" ")],
        ["start 0 tool-call {}", "final out x", "delta 0   (x)", "end 0 {} "],
    ),
    "a call of which nothing is known is never shown": (
        [call(0), text_chunk("t", "a")],
        ["start 1 text a", FINAL, "end 1 a"],
    ),
    "a call is named behind another part": (
        [call(0, args="{}", call_id="x"), text_chunk("t", "a"), call(0, name="f")],
        ["start 1 text a", FINAL, "end 1 a >tool-call", "start 0 tool-call {} <text", "end 0 {}"],
    ),
    "arguments as dicts are merged": (
        [call(0, name="f", call_id="x", args={"a": 1}), call(0, args={"b": 2})],
        ["start 0 tool-call {'a': 1}", "delta 0 {'b': 2} (x)", "end 0 {'a': 1, 'b': 2}"],
    ),
    "whole parts": (
        [WholePart("b", BuiltinToolCallPart("s", "{}", "x")),
         WholePart("c", BuiltinToolReturnPart("s", "found", "x")), WholePart("f", FILE),
         text_chunk("t", "a")],
        ["start 0 builtin-tool-call {}", "end 0 {} >builtin-tool-return",
         "start 1 builtin-tool-return found <builtin-tool-call",
         f"start 2 file {FILE.content} <builtin-tool-return", "start 3 text a <file", FINAL,
         "end 3 a"],
    ),
    "a whole part grows": (
        [WholePart("t", TextPart("a")), text_chunk("t", "b")],
        ["start 0 text a", FINAL, "delta 0 b", "end 0 ab"],
    ),
    "content behind a finish reason belongs to the answer": (
        [text_chunk("t", "a"), Mark.FINISHED, text_chunk("t", "b"), WholePart("x", FILE)],
        ["start 0 text a", FINAL, "delta 0 b", "end 0 ab >file",
         f"start 1 file {FILE.content} <text"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVENTS)
def test_items_make_events(name: str) -> None:
    """Items make the events that programs know, in their order."""
    items, wanted = EVENTS[name]
    assert run(items) == wanted


FINALS: dict[str, tuple[ModelRequestParameters, Item, str | None]] = {
    "text": (PARAMETERS, text_chunk(0, "a"), FINAL),
    "text that is not allowed": (NO_TEXT, text_chunk(0, "a"), None),
    "a thought": (PARAMETERS, thinking_chunk(0, "a"), None),
    "a function call": (PARAMETERS, call(0, name="f", call_id="x"), None),
    "an output call": (PARAMETERS, call(0, name="out", call_id="x"), "final out x"),
    "an image": (IMAGES, WholePart(0, IMAGE), FINAL),
    "an image that is not allowed": (PARAMETERS, WholePart(0, IMAGE), None),
    "a file that is no image": (IMAGES, WholePart(0, FILE), None),
}


@pytest.mark.parametrize("name", FINALS)
def test_the_final_result_is_what_was_asked_for(name: str) -> None:
    """The final result event follows the start of the first part that the request allows."""
    parameters, item, wanted = FINALS[name]
    events = [event for event in run([item], parameters) if event.startswith("final")]
    assert events == ([wanted] if wanted else [])


def test_the_part_of_a_call_keeps_what_came_before_its_name() -> None:
    """Id, arguments, call id and details of a call that was hidden are in its part."""
    growing = accumulator()
    first = tool_call_chunk(0, args="{", call_id="x", id="item", details={"a": 1})
    for item in (first, call(0, args="}"), call(0, name="f")):
        list(growing.feed(item))
    (part,) = growing.snapshot("complete").parts
    assert part == ToolCallPart("f", "{}", "x", id="item", provider_details={"a": 1})


def test_a_snapshot_shows_what_was_given() -> None:
    """A part is in the response with its start event, not with the end of the one before."""
    growing = accumulator()
    list(growing.feed(text_chunk(0, "a")))
    seen = [
        (brief(e), growing.snapshot("incomplete").text) for e in growing.feed(text_chunk(1, "b"))
    ]
    assert seen == [("end 0 a >text", "a"), ("start 1 text b <text", "ab")]


def test_snapshots_are_of_their_moment() -> None:
    """Reading the response in between changes nothing, and it does not change afterwards."""
    growing = accumulator()
    seen = []
    for letter in "abc":
        list(growing.feed(text_chunk("t", letter)))
        list(growing.feed(call(0, name=None if letter > "a" else "f", args=letter, call_id="x")))
        seen.append(growing.snapshot("incomplete"))
    assert [response.text for response in seen] == ["a", "ab", "abc"]
    assert [response.tool_calls[0].args for response in seen] == ["a", "ab", "abc"]


def test_the_head_is_learnt() -> None:
    """What is no news changes nothing; usage is replaced, details are merged."""
    growing = accumulator()
    for info in (
        ResponseInfo(
            model_name="m-1", provider_details={"a": 1}, usage=RequestUsage(input_tokens=5)
        ),
        ResponseInfo(provider_response_id="r", finish_reason="stop"),
        ResponseInfo(usage=RequestUsage(input_tokens=7), provider_details={"b": 2}),
        ResponseInfo(),
    ):
        assert not list(growing.feed(info))
    response = growing.snapshot("complete")
    assert (response.model_name, response.provider_response_id) == ("m-1", "r")
    assert (response.finish_reason, response.usage) == ("stop", RequestUsage(input_tokens=7))
    assert (response.provider_details, response.timestamp) == ({"a": 1, "b": 2}, NOON)


def test_nonsense_in_an_optional_field_costs_the_field() -> None:
    """A model's name or an id that is no text is not taken over."""
    odd: Any = {"a": 1}
    assert ResponseInfo(model_name=odd, provider_response_id=odd) == ResponseInfo()
    assert text_chunk("t", "a", id=odd) == text_chunk("t", "a")


def test_the_end_says_how_it_was_read() -> None:
    """What was odd about an end is a note in the details."""
    growing = accumulator()
    assert not list(growing.feed(Mark.DONE))
    assert growing.provider_details == {"direct_anyio": {"finish_reason_inferred": True}}


SENSELESS: dict[str, list[Item]] = {
    "text for a thought": [thinking_chunk(0, "a"), text_chunk(0, "b")],
    "a call for a text": [text_chunk(0, "a"), call(0, args="b")],
    "text for a hidden call": [call(0, args="a"), text_chunk(0, "b")],
    "text for arguments that are a dict": [call(0, name="f", args={"a": 1}), call(0, args="b")],
    "a dict for arguments that are text": [call(0, name="f", args="a"), call(0, args={"a": 1})],
    "text for a hidden dict": [call(0, args={"a": 1}), call(0, args="b")],
    "a thought for a file": [WholePart(0, FILE), thinking_chunk(0, "a")],
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_does_not_fit_is_refused_at_once(name: str) -> None:
    """An item that does not fit its part is the model's fault, and leaves the response readable."""
    *before, last = SENSELESS[name]
    growing = accumulator()
    for item in before:
        list(growing.feed(item))
    parts = growing.snapshot("incomplete").parts
    with pytest.raises(UnexpectedModelBehavior):
        list(growing.feed(last))
    assert growing.snapshot("incomplete").parts == parts


def test_the_number_of_parts_is_bounded() -> None:
    """A response of more parts than anybody reads is an error, with the parts before it kept."""
    growing = accumulator()
    for number in range(MAX_PARTS):
        list(growing.feed(text_chunk(number, "a")))
    with pytest.raises(ResponseTooLarge, match="1024 parts"):
        list(growing.feed(text_chunk(-1, "a")))
    assert len(growing.snapshot("incomplete").parts) == MAX_PARTS


@pytest.mark.parametrize("key", [[1], {"a": 1}], ids=["list", "dict"])
def test_a_key_that_is_none_is_refused(key: Any) -> None:
    """A provider's index that cannot tell parts apart fails in the reader, not behind it."""
    with pytest.raises(TypeError):
        text_chunk(key, "a")
    with pytest.raises(TypeError):
        WholePart(("call", key), TextPart("a"))


# A first chunk, and one that repeats what is known.
FAST: dict[str, tuple[Item, Item]] = {
    "text": (text_chunk(0, ""), text_chunk(0, "x")),
    "text without a key": (text_chunk(None, ""), text_chunk(None, "x")),
    "thought": (thinking_chunk(0, ""), thinking_chunk(0, "x")),
    "thought with its provider": (
        thinking_chunk(0, "", provider_name="p"), thinking_chunk(0, "x", provider_name="p"),
    ),
    "call": (call(0, name="f", call_id="i"), call(0, args="x")),
    "call with its id": (call(0, name="f", call_id="i"), call(0, args="x", call_id="i")),
    "call with an empty id": (call(0, name="f", call_id="i"), call(0, args="x", call_id="")),
    "call with an empty name": (call(0, name="f", call_id="i"), call(0, args="x", name="")),
    "call that is hidden": (call(0, call_id="i"), call(0, args="x")),
}  # fmt: skip


@pytest.mark.parametrize("name", FAST)
def test_growing_is_linear(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """50,000 chunks are appended without a part being rebuilt, and joined once."""
    first, more = FAST[name]
    growing = accumulator()
    list(growing.feed(first))
    rebuilt = 0
    applied = accumulator_module._Growth._applied

    def counted(self: Any, part: Any, delta: Any) -> Any:
        nonlocal rebuilt
        rebuilt += 1
        return applied(self, part, delta)

    monkeypatch.setattr(accumulator_module._Growth, "_applied", counted)
    start = time.perf_counter()
    for _ in range(50_000):
        for _event in growing.feed(more):
            pass
    assert rebuilt == 0
    assert time.perf_counter() - start < 5  # it takes a tenth of that
    if name != "call that is hidden":
        (part,) = growing.snapshot("complete").parts
        assert getattr(part, "args", None) or getattr(part, "content", None) == "x" * 50_000
        assert rebuilt == 1


def test_a_delta_of_details_is_merged_behind_the_text_before_it() -> None:
    """A chunk that brings more than text keeps the order of the text around it."""
    growing = accumulator()
    chunks = [
        text_chunk(0, "a"),
        text_chunk(0, "b"),
        PartChunk(0, TextPartDelta("c", provider_details={"x": 1})),
        text_chunk(0, "d"),
    ]
    for item in chunks:
        list(growing.feed(item))
    assert growing.snapshot("complete").parts == (TextPart("abcd", provider_details={"x": 1}),)


def test_a_signature_ends_up_in_the_thought() -> None:
    """A thought takes its signature whenever it comes."""
    growing = accumulator()
    for item in (thinking_chunk(0, "a"), thinking_chunk(0, signature="s", provider_name="p")):
        list(growing.feed(item))
    wanted = ThinkingPart("a", signature="s", provider_name="p")
    assert growing.snapshot("complete").parts == (wanted,)
