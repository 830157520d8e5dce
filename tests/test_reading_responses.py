"""What servers of the Responses protocol send, and what it means: a stream as a whole answer.

Each row has the events of a stream, the output of the same answer in one piece, and its parts.
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from direct_anyio import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    ModelAPIError,
    ModelRateLimitError,
    ModelResponse,
    ModelServerError,
    StreamInterrupted,
    ThinkingPart,
    ToolCallPart,
    UnexpectedModelBehavior,
)
from direct_anyio.dialects import _responses_growth
from direct_anyio.dialects._responses_growth import GrowingText
from direct_anyio.history import dump_messages, load_messages

from .chunkings import every_chunking
from .test_reading import (
    JSON,
    NONSENSE,
    Part,
    Row,
    answer,
    brief,
    check,
    event,
    function,
    known,
    message,
    places,
    read,
)
from .test_reading import responses as framed

ARGS = '{"city":"Oslo"}'
OTHER = '{"city":"Rome"}'
CALL: list[Part] = [("call", "get_weather", ARGS)]
AS_OBJECT: list[Part] = [("call", "get_weather", {"city": "Oslo"})]
CALLS: list[Part] = [*CALL, ("call", "get_weather", OTHER)]
HELLO: list[Part] = [("text", "Hello")]
HM: list[Part] = [("thinking", "Hm")]
RAN: list[Part] = [("builtin-tool-call",), ("builtin-tool-return",)]


@frozen(kw_only=True)
class Told:
    """One way in which a server tells an answer.

    Attributes:
        events: The events of a stream, between those of the response.
        output: The output of the response, which the unary function gets.
        final: The output that the last event tells; None for `output`.
        parts: What both become.
        args: The arguments of the built-in calls.
        wanted: More of the response, by attribute.
    """

    events: Sequence[JSON] = ()
    output: Sequence[JSON] | None = None
    final: Sequence[JSON] | None = None
    parts: Sequence[Part] = ()
    args: Sequence[JSON] = ()
    wanted: JSON = field(factory=dict)

    @property
    def row(self) -> Row:
        final = self.output if self.final is None else self.final
        return Row(
            provider="openai-responses",
            frames=framed(*self.events, output=final or ()),
            body=None if self.output is None else answer(*self.output),
            parts=self.parts,
            wanted=self.wanted,
        )


def native_args(found: Any) -> list[JSON]:
    assert isinstance(found, ModelResponse), found
    return [p.args_as_dict() for p in found.parts if isinstance(p, BuiltinToolCallPart)]


def added(item: JSON, index: Any = 0) -> JSON:
    return event("output_item.added", item=item) | _at(index)


def done(item: JSON, index: Any = 0) -> JSON:
    return event("output_item.done", item=item) | _at(index)


def more(args: Any, index: Any = 0, **named: Any) -> JSON:
    return event("function_call_arguments.delta", delta=args, **named) | _at(index)


def whole(args: Any, index: Any = 0, **named: Any) -> JSON:
    return event("function_call_arguments.done", arguments=args, **named) | _at(index)


def text(delta: str, index: Any = 0, **named: Any) -> JSON:
    return event("output_text.delta", delta=delta, **named) | _at(index)


def _at(index: Any) -> JSON:
    return {} if index is None else {"output_index": index}


F = {"id": "f", "item_id": "f"}


def fn(args: Any, **named: Any) -> JSON:
    return function(args, **({"id": "f"} | named))


# -- 1: arguments that an item starts with --------------------------------------------------------

ODD_STARTS: list[Any] = ["", "{}", {}, None, "null", [], ARGS, {"city": "Oslo"}, '{"x":1}']
STARTS: dict[str, Told] = {
    f"{start!r}, then {name}": Told(
        events=[added(fn(start)), *then, done(fn(sent_whole))],
        output=[fn(ARGS)], final=[fn(final)], parts=CALL,
    )
    for start in ODD_STARTS
    for name, then, sent_whole, final in (
        ("pieces", [more(ARGS[:5]), more(ARGS[5:]), whole(ARGS)], ARGS, ARGS),
        ("one piece", [more(ARGS)], ARGS, ARGS),
        ("pieces, no whole", [more(ARGS[:5]), more(ARGS[5:])], "", ""),
        ("pieces, another form", [more(ARGS[:5]), more(ARGS[5:])], '{ "city": "Oslo" }', ARGS),
        ("the done event", [whole(ARGS)], ARGS, ARGS),
        ("the done event, no deltas of sense", [more("{}"), more(""), whole(ARGS)], ARGS, ARGS),
        ("an empty done event, the item", [whole("{}")], ARGS, ARGS),
        ("the item", [], ARGS, ARGS),
        ("the response", [], "", ARGS),
    )
    if not (name == "the response" and start in ('{"x":1}', {"city": "Oslo"}))
}  # fmt: skip
STARTS |= {
    "whole, and nothing more": Told(
        events=[added(fn(ARGS)), done(fn(""))], final=[fn(None)], parts=CALL,
    ),
    "whole, and the item is never done": Told(events=[added(fn(ARGS))], parts=CALL),
    "no arguments at all": Told(
        events=[added(fn("{}")), done(fn("{}"))], output=[fn("{}")],
        parts=[("call", "get_weather", "{}")],
    ),
    "none, as null": Told(
        events=[added(fn("null")), more("null"), done(fn("null"))], output=[fn("null")],
        parts=[("call", "get_weather", "")],
    ),
    "an object": Told(
        events=[added(fn("")), done(fn({"city": "Oslo"}))], output=[fn({"city": "Oslo"})],
        parts=AS_OBJECT,
    ),
    "an object as a piece": Told(
        events=[added(fn("")), more({"city": "Oslo"}), done(fn({"city": "Oslo"}))],
        output=[fn({"city": "Oslo"})], parts=AS_OBJECT,
    ),
    "broken pieces and the item": Told(
        events=[added(fn("")), more('{"a"'), whole('{ "a":1}'), done(fn('{ "a":1}'))],
        output=[fn('{ "a":1}')], parts=[("call", "get_weather", '{ "a":1}')],
    ),
    "broken pieces and the done event": Told(
        events=[added(fn("")), more('{"a"'), whole('{ "a":1}')],
        parts=[("call", "get_weather", '{ "a":1}')],
    ),
    "broken pieces and an object": Told(
        events=[added(fn("")), more('{"a"'), done(fn({"city": "Oslo"}))],
        output=[fn({"city": "Oslo"})], parts=AS_OBJECT,
    ),
    "pieces that are told twice": Told(
        events=[added(fn("")), more(ARGS), more(ARGS), done(fn(ARGS))], output=[fn(ARGS)],
        parts=CALL,
    ),
    "the first piece": Told(
        events=[added(fn(ARGS[:5])), more(ARGS[5:]), done(fn(ARGS))], output=[fn(ARGS)],
        parts=CALL,
    ),
    "cut short": Told(
        events=[added(fn("")), more(ARGS[:5]), done(fn(ARGS[:5]))], output=[fn(ARGS[:5])],
        parts=[("call", "get_weather", ARGS[:5])],
    ),
}  # fmt: skip

# -- 2: built-in calls ----------------------------------------------------------------------------


def code(content_sent: Any, container: Any = "c", **named: Any) -> JSON:
    kind = {"type": "code_interpreter_call", "id": "ci", "status": "completed"}
    return kind | {"code": content_sent, "container_id": container, "outputs": None} | named


def wrote(part: str, content_sent: Any, index: Any = 0) -> JSON:
    name = "delta" if part == "delta" else "code"
    sent_whole = event(f"code_interpreter_call_code.{part}", item_id="ci", **{name: content_sent})
    return sent_whole | _at(index)


def mcp(args: Any, **named: Any) -> JSON:
    kind = {"type": "mcp_call", "id": "m", "name": "ask", "server_label": "docs"}
    return kind | {"arguments": args, "output": "Yes.", "error": None} | named


def asked(part: str, content_sent: Any) -> JSON:
    name = "delta" if part == "delta" else "arguments"
    return event(f"mcp_call_arguments.{part}", output_index=0, item_id="m", **{name: content_sent})


SAID = 'print("é\\n")\n1+1'
RAN_ARGS = [{"container_id": "c", "code": SAID}]
ASKED = [{"action": "call_tool", "tool_name": "ask", "tool_args": {"q": "why"}}]
NATIVE: dict[str, Told] = {
    f"code, {name}": Told(events=events, output=[code(SAID)], parts=RAN, args=RAN_ARGS)
    for name, events in {
        "only in its done event": [added(code("")), wrote("done", SAID), done(code(SAID))],
        "only in its done event and no more": [
            added(code("")), wrote("done", SAID), done(code(None))],
        "only in the item": [added(code("")), wrote("done", ""), done(code(SAID))],
        "only in pieces": [
            added(code("")), wrote("delta", SAID[:7]), wrote("delta", SAID[7:]), done(code(None))],
        "all but its end in pieces": [
            added(code("")), wrote("delta", SAID[:7]), wrote("done", SAID), done(code(SAID))],
        "the container at the end": [
            added(code("", None)), wrote("delta", SAID), wrote("done", SAID), done(code(SAID))],
        "the container at the start": [
            added(code("")), wrote("delta", SAID), wrote("done", SAID), done(code(SAID, None))],
        "whole at the start": [added(code(SAID)), done(code(SAID))],
        "whole at the start and in pieces": [
            added(code(SAID)), wrote("delta", SAID[:7]), wrote("delta", SAID[7:]),
            wrote("done", SAID), done(code(SAID))],
        "other pieces": [
            added(code("")), wrote("delta", "x"), wrote("done", SAID), done(code(SAID))],
        "pieces behind the end": [
            added(code("")), wrote("delta", SAID), wrote("done", SAID), wrote("delta", "x"),
            done(code(SAID))],
        "never started": [wrote("delta", SAID), wrote("done", SAID), done(code(SAID))],
        "null pieces": [added(code(None)), wrote("delta", None), wrote("done", None),
                        done(code(SAID))],
        "done only in the response": [added(code("")), wrote("delta", SAID)],
    }.items()
} | {
    f"MCP, {name}": Told(events=events, output=[mcp('{"q":"why"}')], parts=RAN, args=ASKED)
    for name, events in {
        "only in its done event": [
            added(mcp("")), asked("done", '{"q":"why"}'), done(mcp('{"q":"why"}'))],
        "only in its done event and no more": [
            added(mcp("")), asked("done", '{"q":"why"}'), done(mcp(None))],
        "only in the item": [added(mcp("{}")), asked("done", ""), done(mcp('{"q":"why"}'))],
        "other blanks in the item": [
            added(mcp("")), asked("delta", '{"q":"why"}'), asked("done", '{"q":"why"}'),
            done(mcp('{ "q": "why" }'))],
        "other blanks in the done event": [
            added(mcp("")), asked("delta", '{"q": "why"}'), asked("done", '{ "q":"why"}'),
            done(mcp('{"q":"why"}'))],
        "broken pieces": [
            added(mcp("")), asked("delta", '{"q"'), asked("done", '{ "q":"why"}'),
            done(mcp('{ "q":"why"}'))],
        "whole at the start and in pieces": [
            added(mcp('{"q":"why"}')), asked("delta", '{"q"'), asked("delta", ':"why"}'),
            asked("done", '{"q":"why"}'), done(mcp('{"q":"why"}'))],
        "an object": [added(mcp({})), done(mcp({"q": "why"}))],
        "an object in the done event": [
            added(mcp("")), asked("done", {"q": "why"}), done(mcp({"q": "why"}))],
    }.items()
} | {
    "code that is never done": Told(
        events=[added(code("")), wrote("delta", SAID)], parts=RAN[:1], args=RAN_ARGS
    ),
    "MCP arguments that were cut": Told(
        events=[added(mcp("")), asked("delta", '{"q"'), asked("done", '{"q"'), done(mcp('{"q"'))],
        output=[mcp('{"q"')], parts=RAN, args=[ASKED[0] | {"tool_args": {}}],
    ),
}  # fmt: skip

# -- 4: several items of one index ----------------------------------------------------------------


def thought(
    content_sent: str, index: Any = 0, kind: str = "summary_text.delta", **named: Any
) -> JSON:
    name = "delta" if kind.endswith("delta") else "text"
    return event(f"reasoning_{kind}", **{name: content_sent}, **named) | _at(index)


def reasoning(content_sent: Any, **named: Any) -> JSON:
    return {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": content_sent}],
    } | named


def search(id: str, query: str = "x") -> JSON:
    action = {"type": "search", "query": query}
    return {"type": "web_search_call", "id": id, "status": "completed", "action": action}


TWO = [message("First.", id="m1"), message("Second.", id="m2")]
TWO_PARTS: list[Part] = [("text", "First."), ("text", "Second.")]
THOUGHTS = [reasoning("First.", id="r1"), reasoning("Second.", id="r2")]
THOUGHT_PARTS: list[Part] = [("thinking", "First."), ("thinking", "Second.")]
PAIR = [fn(ARGS, id="f1", call_id="a"), fn(OTHER, id="f2", call_id="b")]
SEARCHES: list[JSON] = [{"type": "search", "query": "x"}, {"type": "search", "query": "y"}]


def text_done(content_sent: str, index: Any = 0, **named: Any) -> JSON:
    return event("output_text.done", text=content_sent, **named) | _at(index)


INDEX: dict[str, Told] = {
    f"two messages, {name}": Told(events=events, output=TWO, parts=TWO_PARTS)
    for name, events in {
        "in pieces": [
            text("First", item_id="m1"), text(".", item_id="m1"),
            text("Second", item_id="m2"), text(".", item_id="m2")],
        "each with its end": [
            text("First.", item_id="m1"), text_done("First.", item_id="m1"),
            text("Second.", item_id="m2"), text_done("Second.", item_id="m2")],
        "each with its item": [
            text("First.", item_id="m1"), done(TWO[0]), text("Second.", item_id="m2"),
            done(TWO[1])],
        "only ends": [text_done("First.", item_id="m1"), text_done("Second.", item_id="m2")],
        "only items": [done(TWO[0]), done(TWO[1])],
        "mixed": [
            added(message("", id="m1")), added(message("", id="m2")), text("First", item_id="m1"),
            text("Second", item_id="m2"), text(".", item_id="m1"), text(".", item_id="m2"),
            done(TWO[0]), done(TWO[1])],
    }.items()
} | {
    f"two thoughts, {name}": Told(events=events, output=THOUGHTS, parts=THOUGHT_PARTS)
    for name, events in {
        "in pieces": [
            thought("First", item_id="r1"), thought(".", item_id="r1"),
            thought("Second", item_id="r2"), thought(".", item_id="r2")],
        "each with its end": [
            thought("First.", item_id="r1"),
            thought("First.", kind="summary_text.done", item_id="r1"),
            thought("Second.", item_id="r2"),
            thought("Second.", kind="summary_text.done", item_id="r2")],
        "each with its item": [
            thought("First.", item_id="r1"), done(THOUGHTS[0]),
            thought("Second.", item_id="r2"), done(THOUGHTS[1])],
        "only items": [done(THOUGHTS[0]), done(THOUGHTS[1])],
    }.items()
} | {
    "two calls, their pieces mixed": Told(
        events=[
            added(fn("", id="f1", call_id="a")), added(fn("", id="f2", call_id="b")),
            more(ARGS[:5], item_id="f1"), more(OTHER[:5], item_id="f2"),
            more(ARGS[5:], item_id="f1"), more(OTHER[5:], item_id="f2"),
            done(PAIR[0]), done(PAIR[1])],
        output=PAIR, parts=CALLS,
    ),
    "two calls without item ids": Told(
        events=[
            added(function("", call_id="a")), more(ARGS), done(function(ARGS, call_id="a")),
            added(function("", call_id="b")), more(OTHER), done(function(OTHER, call_id="b"))],
        output=[function(ARGS, call_id="a"), function(OTHER, call_id="b")], parts=CALLS,
    ),
    "two calls whose ids change": Told(
        events=[
            added(fn("", id="1", call_id="a")), more(ARGS, item_id="2"),
            done(fn(ARGS, id="3", call_id="a")),
            added(fn("", id="4", call_id="b")), more(OTHER, item_id="5"),
            done(fn(OTHER, id="6", call_id="b"))],
        output=PAIR, parts=CALLS,
    ),
    "two searches, both at once": Told(
        events=[added(search("w1")), added(search("w2", "y")), done(search("w1")),
                done(search("w2", "y"))],
        output=[search("w1"), search("w2", "y")],
        args=SEARCHES, parts=[RAN[0], RAN[0], RAN[1], RAN[1]],
    ),
    "two messages of one id": Told(
        events=[
            text("First.", 0, item_id="x"), done(message("First.", id="x"), 0),
            text("Second.", 1, item_id="x"), done(message("Second.", id="x"), 1)],
        output=[message("First.", id="x"), message("Second.", id="x")], parts=TWO_PARTS,
    ),
    "two messages of one id, never done": Told(
        events=[text("First.", 0, item_id="x"), text("Second.", 1, item_id="x")],
        output=[message("First.", id="x"), message("Second.", id="x")], parts=TWO_PARTS,
    ),
    "two messages of one id and one index": Told(
        events=[
            text("First.", item_id="x"), done(message("First.", id="x")),
            text("Second.", item_id="x"), done(message("Second.", id="x"))],
        output=[message("First.", id="x"), message("Second.", id="x")], parts=TWO_PARTS,
    ),
    "two calls of one id": Told(
        events=[
            added(fn("", id="x", call_id="a"), 0), added(fn("", id="x", call_id="b"), 1),
            more(OTHER, 1, item_id="x"), more(ARGS, 0, item_id="x"),
            done(fn(ARGS, id="x", call_id="a"), 0), done(fn(OTHER, id="x", call_id="b"), 1)],
        output=[fn(ARGS, id="x", call_id="a"), fn(OTHER, id="x", call_id="b")], parts=CALLS,
    ),
    "ids that change, nothing announced": Told(
        events=[text("Hel", item_id="1"), text("lo", item_id="2"), text_done("Hello", item_id="3"),
                done(message("Hello", id="4"))],
        output=[message("Hello", id="5")], parts=HELLO,
    ),
    "an id for each kind of event": Told(
        events=[added(message("", id="1")), text("Hel", item_id="2"), text("lo", item_id="2"),
                text_done("Hello", item_id="3"), done(message("Hello", id="4"))],
        output=[message("Hello", id="5")], parts=HELLO,
    ),
    "an id for each kind of event, nothing announced": Told(
        events=[text("Hel", item_id="2"), text("lo", item_id="2"),
                text_done("Hello", item_id="3"), done(message("Hello", id="4"))],
        output=[message("Hello", id="5")], parts=HELLO,
    ),
    "an index that is wrong in the deltas": Told(
        events=[
            added(fn("", id="f1", call_id="a"), 0), added(fn("", id="f2", call_id="b"), 1),
            more(ARGS, 0, item_id="f1"), more(OTHER, 0, item_id="f2"),
            done(PAIR[0], 0), done(PAIR[1], 1)],
        output=PAIR, parts=CALLS,
    ),
    "no indexes, no ids, two messages": Told(
        events=[text("First.", None), done(TWO[0] | {"id": None}, None), text("Second.", None),
                done(TWO[1] | {"id": None}, None)],
        output=[each | {"id": None} for each in TWO], parts=TWO_PARTS,
    ),
}  # fmt: skip

# -- 5: the ids of calls, and the final list ------------------------------------------------------

IDS: dict[str, Told] = {
    "empty call ids": Told(
        events=[
            added(fn("", id="f1", call_id=""), 0), added(fn("", id="f2", call_id=""), 1),
            more(ARGS, 0, item_id="f1"), more(OTHER, 1, item_id="f2"),
            done(fn(ARGS, id="f1", call_id=""), 0), done(fn(OTHER, id="f2", call_id=""), 1)],
        output=[fn(ARGS, id="f1", call_id=""), fn(OTHER, id="f2", call_id="")], parts=CALLS,
    ),
    "another call id at the end": Told(
        events=[
            added(fn("", call_id="a")), more(ARGS, item_id="f"), done(fn(ARGS, call_id="b"))],
        final=[fn(ARGS, call_id="b")], parts=CALL,
    ),
    "another call id in the response": Told(
        events=[
            added(fn("", call_id="a")), more(ARGS, item_id="f"), done(fn(ARGS, call_id="a"))],
        final=[fn(ARGS, call_id="b")], parts=CALL,
    ),
    "one call id for two calls": Told(
        events=[
            added(fn("", id="f1"), 0), more(ARGS, 0, item_id="f1"), done(fn(ARGS, id="f1"), 0),
            added(fn("", id="f2"), 1), more(OTHER, 1, item_id="f2"), done(fn(OTHER, id="f2"), 1)],
        output=[fn(ARGS, id="f1"), fn(OTHER, id="f2")], parts=CALLS,
    ),
    "one call id for two calls, all at once": Told(
        events=[done(fn(ARGS, id="f1"), 0), done(fn(OTHER, id="f2"), 1)],
        output=[fn(ARGS, id="f1"), fn(OTHER, id="f2")], parts=CALLS,
    ),
    "one call id for two calls without indexes": Told(
        events=[
            added(fn("", id="f1"), None), more(ARGS, None, item_id="f1"),
            done(fn(ARGS, id="f1"), None), added(fn("", id="f2"), None),
            more(OTHER, None, item_id="f2"), done(fn(OTHER, id="f2"), None)],
        output=[fn(ARGS, id="f1"), fn(OTHER, id="f2")], parts=CALLS,
    ),
    "no call id, ids that change, a thought before it at the end": Told(
        events=[
            added(fn("", id="1", call_id=None)), more(ARGS, item_id="2"),
            done(fn(ARGS, id="3", call_id=None))],
        final=[reasoning("Hm", id="r"), fn(ARGS, id="4", call_id=None)], parts=[*CALL, *HM],
    ),
    "two calls without ids, a thought before them at the end": Told(
        events=[done(function(ARGS, call_id=None), 0), done(function(OTHER, call_id=None), 1)],
        final=[reasoning("Hm"), function(ARGS, call_id=None), function(OTHER, call_id=None)],
        parts=[*CALLS, *HM],
    ),
    "other ids and another order at the end": Told(
        events=[done(fn(ARGS, id="1", call_id="a"), 0), done(fn(OTHER, id="2", call_id="b"), 1)],
        final=[fn(OTHER, id="3", call_id="b"), fn(ARGS, id="4", call_id="a")], parts=CALLS,
    ),
    "a call that only the end tells, before the other": Told(
        events=[done(function(OTHER, call_id=None), 1)],
        final=[function(ARGS, call_id=None), function(OTHER, call_id=None)], parts=CALLS[::-1],
    ),
    "two messages of other ids behind a thought": Told(
        events=[text("First.", 0, item_id="1"), text("Second.", 1, item_id="2")],
        final=[reasoning("Hm", id="r"), message("First. Yes.", id="3"), message("Second.", id="4")],
        parts=[("text", "First. Yes."), ("text", "Second."), *HM],
    ),
    "a text that the end has trimmed": Told(
        events=[text("\n\nHello", item_id="1")], final=[reasoning("Hm"), message("Hello", id="2")],
        parts=[("text", "\n\nHello"), *HM],
    ),
    "numeric ids": Told(
        events=[added(fn("", id=1, call_id=7)), more(ARGS, item_id=1),
                done(fn(ARGS, id=1, call_id=7))],
        output=[fn(ARGS, id=1, call_id=7)], parts=CALL,
    ),
    "a start that is repeated": Told(
        events=[added(fn("")), added(fn("")), more(ARGS, item_id="f"), done(fn(ARGS))],
        output=[fn(ARGS)], parts=CALL,
    ),
}  # fmt: skip

# -- 6: what names a call, told late --------------------------------------------------------------


def nameless(args: Any, **named: Any) -> JSON:
    item = fn(args, **named)
    return {key: value for key, value in item.items() if value is not ...}


NAMES: dict[str, Told] = {
    f"the name {name!r}, then {how}": Told(
        events=[added(nameless("", name=name)), *then], output=[fn(ARGS)], parts=CALL,
    )
    for name in ("", None, ...)
    for how, then in (
        ("pieces and the item", [more(ARGS[:5]), more(ARGS[5:]), done(fn(ARGS))]),
        ("pieces and the done event",
         [more(ARGS), whole(ARGS, name="get_weather"), done(nameless(ARGS, name=...))]),
        ("the item", [done(fn(ARGS))]),
        ("pieces and the response", [more(ARGS)]),
    )
} | {
    "no start, pieces, the done event": Told(
        events=[more(ARGS[:5], **F), more(ARGS[5:], **F), whole(ARGS, name="get_weather", **F)],
        parts=CALL,
    ),
    "no start, the done event": Told(
        events=[whole(ARGS, name="get_weather", **F)], output=[fn(ARGS)], parts=CALL,
    ),
    "no start, pieces, a late start": Told(
        events=[more(ARGS[:5], **F), added(fn("")), more(ARGS[5:], **F)], output=[fn(ARGS)],
        parts=CALL,
    ),
    "no start, pieces, the item": Told(
        events=[more(ARGS, **F), done(fn(ARGS))], output=[fn(ARGS)], parts=CALL,
    ),
    "broken pieces, the whole before the name": Told(
        events=[more(ARGS[:5], **F), whole("{ " + ARGS[1:], **F), done(nameless(ARGS, name=None))],
        output=[fn(ARGS)], parts=CALL,
    ),
    "no start, broken pieces, the name at the very end": Told(
        events=[more('{"a"', **F), done(nameless(ARGS, name=None))], output=[fn(ARGS)], parts=CALL,
    ),
    "no start, no index, ids that change": Told(
        events=[more(ARGS), done(fn(ARGS, id="g"))], output=[fn(ARGS, id="h")], parts=CALL,
    ),
}  # fmt: skip

# -- 7 and 8: thoughts and refusals in odd forms --------------------------------------------------

REFUSED = {"finish_reason": "content_filter"}


def raw(content_sent: str, kind: str = "delta", **named: Any) -> JSON:
    return thought(content_sent, kind=f"text.{kind}", item_id="r", **named)


def part_done(kind: str, **sent_whole: Any) -> JSON:
    part = {"type": kind} | sent_whole
    return event("content_part.done", output_index=0, item_id="r", content_index=0, part=part)


def refusal(*content_sent: str) -> JSON:
    content = [{"type": "refusal", "refusal": each} for each in content_sent]
    return {"type": "message", "id": "r", "role": "assistant", "content": content}


THINKS: dict[str, Told] = {
    f"summary {summary!r:.40}": Told(
        events=[done({"type": "reasoning", "id": "r", "summary": summary}), done(TWO[0], 1)],
        output=[{"type": "reasoning", "id": "r", "summary": summary}, TWO[0]],
        parts=[*(HM if "Hm" in repr(summary) else []), TWO_PARTS[0]],
    )
    for summary in ("Hm", {"type": "summary_text", "text": "Hm"}, ["Hm"], [{"text": "Hm"}],
                    {"summary": [{"text": "Hm"}]}, 5, True, "", None, {})
} | {
    f"a summary in pieces, then {summary!r:.40}": Told(
        events=[thought("H", item_id="r"), thought("m", item_id="r"),
                done({"type": "reasoning", "id": "r", "summary": summary})],
        parts=HM,
    )
    for summary in ("Hm", {"text": "Hm"}, 5, None, [5])
} | {
    "a text of a message as it is": Told(
        events=[done(message("") | {"content": "Hello", "id": "m"})],
        output=[message("") | {"content": "Hello", "id": "m"}], parts=HELLO,
    ),
    "contents as they are": Told(
        events=[text("Hel", item_id="m"),
                done(message("") | {"content": {"type": "text", "text": "Hello"}, "id": "m"})],
        output=[message("") | {"content": ["Hello"], "id": "m"}], parts=HELLO,
    ),
    "a text in a part that is done": Told(
        events=[part_done("text", text="Hello"), part_done("output_text", text="Hello")],
        parts=HELLO,
    ),
    "a refusal in a part that is done": Told(
        events=[part_done("refusal", refusal="No.")], parts=[], wanted=REFUSED,
    ),
    "a refusal in pieces, and again": Told(
        events=[event("refusal.delta", output_index=0, item_id="r", delta="N"),
                event("refusal.delta", output_index=0, item_id="r", delta="o."),
                event("refusal.done", output_index=0, item_id="r", refusal="No."),
                part_done("refusal", refusal="No."), done(refusal("No."))],
        output=[refusal("No.")],
        wanted=REFUSED | {"provider_details": {"finish_reason": "completed", "refusal": "No."}},
    ),
    "several refusals": Told(
        events=[event("refusal.delta", output_index=0, item_id="r", content_index=0, delta="No."),
                event("refusal.done", output_index=0, item_id="r", content_index=1,
                      refusal="Never.")],
        output=[refusal("No.", "Never.")],
        wanted=REFUSED | {
            "provider_details": {"finish_reason": "completed", "refusal": "No.\nNever."}},
    ),
}  # fmt: skip

RAW: dict[str, tuple[Told, list[str] | None]] = {
    f"{name}": (
        Told(
            events=[*events, text("Hello", 1, item_id="m")],
            final=final, output=[{**reasoning(""), "summary": [], "id": "r", "content": content},
                                 message("Hello", id="m")],
            parts=[("thinking", ""), *HELLO],
        ),
        content_sent,
    )
    for name, events, final, content, content_sent in (
        ("only its end", [raw("Hm", "done")], [], [{"text": "Hm"}], ["Hm"]),
        ("a part that is done", [part_done("reasoning_text", text="Hm")], [], [{"text": "Hm"}],
         ["Hm"]),
        ("pieces", [raw("H"), raw("m")], [], [{"text": "Hm"}], ["Hm"]),
        ("pieces and their end", [raw("H"), raw("m"), raw("Hm", "done")], None, [{"text": "Hm"}],
         ["Hm"]),
        ("pieces and more at the end", [raw("H"), raw("Hm", "done")], None, [{"text": "Hm"}],
         ["Hm"]),
        ("content as a text", [raw("H")], None, "Hm", ["Hm"]),
        ("content as an object", [raw("H")], None, {"text": "Hm"}, ["Hm"]),
        ("two contents", [raw("H"), raw("m"), raw("Well", content_index=1)], None,
         [{"text": "Hm"}, {"text": "Well"}], ["Hm", "Well"]),
        ("pieces among others", [raw("H"), text("Hel", 1, item_id="m"), raw("m")], None, "Hm",
         ["Hm"]),
    )
}  # fmt: skip
RAW["pieces among others"] = (
    Told(
        events=[raw("H"), text("Hel", 1, item_id="m"), raw("m"), text("lo", 1, item_id="m")],
        parts=[("thinking", ""), *HELLO],
    ),
    ["Hm"],
)

# -- 9: optional things inside of items, and a response as a frame --------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + bytes(9)
BASE64 = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{BASE64}"
PICTURE: list[Part] = [RAN[0], ("file", PNG), RAN[1]]


def picture(data: str) -> JSON:
    return {"type": "image_generation_call", "id": "ig", "status": "completed", "result": data}


def ran(*outputs: Any) -> JSON:
    return code("1", outputs=list(outputs))


ODD: dict[str, Told] = {
    name: Told(
        events=[added(item | {"result": None, "outputs": None}), done(item)],
        output=[item], parts=parts,
    )
    for name, item, parts in (
        ("arguments of MCP as an object", mcp({"q": "why"}), RAN),
        ("arguments of MCP as a list", mcp([1]), RAN),
        ("logs without logs", ran({"type": "logs"}, {"type": "image", "url": URL}), PICTURE),
        ("an image without a URL", ran({"type": "image", "url": None}, {"type": "image"}), RAN),
        ("an image that is none", ran({"type": "image", "url": "data:x"}, None, 5), RAN),
        ("outputs as a text", code("1", outputs="x"), RAN),
        ("an image of code without padding",
         ran({"type": "image", "url": URL.rstrip("=")}), PICTURE),
        ("an action as a text", search("w") | {"action": "search"}, RAN),
        ("a picture", picture(BASE64), PICTURE),
        ("a picture without padding", picture(BASE64.rstrip("=")), PICTURE),
        ("a picture as a URL", picture(URL), PICTURE),
    )
} | {
    "a citation that is none": Told(
        events=[event("output_text.annotation.added", output_index=0, item_id="m"),
                text("Hello", item_id="m")],
        output=[message("Hello", id="m")], parts=HELLO,
    ),
}  # fmt: skip

TABLES = {
    "1 arguments": STARTS, "2 built-in": NATIVE, "4 one index": INDEX, "5 ids": IDS,
    "6 names": NAMES, "7 and 8 thoughts": THINKS, "9 odd": ODD,
}  # fmt: skip
ROWS = {
    f"{rule}: {name}": sent_whole
    for rule, rows in TABLES.items()
    for name, sent_whole in rows.items()
}
ROWS |= {f"8 raw: {name}": sent_whole for name, (sent_whole, _) in RAW.items()}


@pytest.mark.parametrize("name", ROWS)
def test_a_stream(name: str) -> None:
    """A stream becomes what it means, however it is cut."""
    sent_whole = ROWS[name]
    found = read(sent_whole.row, [sent_whole.row.streamed], streamed=True)
    check(sent_whole.row, found)
    assert not sent_whole.args or native_args(found) == sent_whole.args
    # How bytes are cut into frames is tested with the decoder; single bytes stand for it here.
    for chunks in islice(every_chunking(sent_whole.row.streamed), 1, 2):
        assert known(read(sent_whole.row, chunks, streamed=True)) == known(found)


@pytest.mark.parametrize(
    "name", [name for name, sent_whole in ROWS.items() if sent_whole.output is not None]
)
def test_a_whole_answer(name: str) -> None:
    """A whole answer becomes the same as a stream of it, and its ids are the same."""
    sent_whole = ROWS[name]
    body = json.dumps(sent_whole.row.body).encode()
    found = read(sent_whole.row, [body], streamed=False)
    if "both at once" in name:
        assert native_args(found) == sent_whole.args
        return
    check(sent_whole.row, found)
    assert not sent_whole.args or native_args(found) == sent_whole.args
    streamed = read(sent_whole.row, [sent_whole.row.streamed], streamed=True)
    if "change" not in name and "each kind" not in name:
        assert call_ids(streamed) == call_ids(found)


def call_ids(found: Any) -> list[str]:
    parts = (part for part in found.parts if isinstance(part, ToolCallPart))
    return ["" if p.tool_call_id.startswith("pyd_ai") else p.tool_call_id for p in parts]


@pytest.mark.parametrize("name", RAW)
def test_raw_thoughts(name: str) -> None:
    """Thoughts that are not meant for the user are kept whole, each of its contents apart."""
    sent_whole, wanted = RAW[name]
    bodies = [
        sent_whole.row.streamed,
        *([json.dumps(sent_whole.row.body).encode()] if sent_whole.output else []),
    ]
    for body in bodies:
        found = read(sent_whole.row, [body], streamed=True)
        assert isinstance(found, ModelResponse)
        thinking = found.parts[0]
        assert isinstance(thinking, ThinkingPart)
        assert (thinking.provider_details or {}).get("raw_content") == wanted


# -- 3: how a response ends -----------------------------------------------------------------------

FAILURES: list[tuple[JSON, type[ModelAPIError]]] = [
    ({"status": "failed"}, ModelServerError),
    ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, ModelRateLimitError),
    ({"error": {"code": "server_error", "message": "no"}}, ModelServerError),
    ({"error": "rate limit reached"}, ModelRateLimitError),
]


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
@pytest.mark.parametrize(("sent_whole", "error"), FAILURES)
def test_a_last_event_that_tells_an_error(
    kind: str, sent_whole: JSON, error: type[ModelAPIError]
) -> None:
    """The response of a last event is an error where it would be one by itself."""
    response = answer(message("Half", id="m"), status=kind) | sent_whole
    last = event(kind, response=response)
    row = Row(provider="openai-responses", frames=[text("Half", item_id="m"), last], error=error,
              body=response)  # fmt: skip
    found = read(row, [row.streamed], streamed=True)
    check(row, found)
    assert isinstance(found, ModelAPIError)
    assert found.response is not None
    assert found.response.text == "Half"
    check(row, read(row, [json.dumps(response).encode()], streamed=False))


@pytest.mark.parametrize("status", ["queued", "in_progress"])
@pytest.mark.parametrize("kind", ["completed", "incomplete"])
def test_a_last_event_that_tells_a_pause(kind: str, status: str) -> None:
    """A response that goes on elsewhere is suspended."""
    response = answer(message("Hello", id="m"), status=status)
    row = Row(provider="openai-responses", frames=[event(kind, response=response)], parts=HELLO,
              wanted={"state": "suspended"})  # fmt: skip
    check(row, read(row, [row.streamed], streamed=True))
    check(row, read(row, [json.dumps(response).encode()], streamed=False))


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("before", [[], [text("Hel", item_id="m")]])
def test_a_response_as_a_frame(before: list[JSON], done: bool) -> None:
    """A whole response in a frame of no type is read like a body, nothing of it twice."""
    response = answer(message("Hello", id="m"), object="response", error=None)
    row = Row(provider="openai-responses", frames=[*before, response], parts=HELLO, done=done)
    found = read(row, [row.streamed], streamed=True)
    check(row, found)
    for chunks in every_chunking(row.streamed):
        assert known(read(row, chunks, streamed=True)) == known(found)
    failed = attrs.evolve(row, frames=[response | {"status": "failed"}], error=ModelServerError)
    check(failed, read(failed, [failed.streamed], streamed=True))


def test_a_call_that_is_never_named() -> None:
    """A call must have a name, in a stream as in a whole answer."""
    item = fn(ARGS, name=None)
    row = Told(events=[added(item), more(ARGS), done(item)], output=[item]).row
    for body in (row.streamed, json.dumps(row.body).encode()):
        assert isinstance(read(row, [body], streamed=True), UnexpectedModelBehavior)


def test_a_picture_that_is_none_is_an_error() -> None:
    """What an answer is made of must make sense."""
    row = Told(events=[done(picture("<html>"))], output=[picture("<html>")]).row
    for body in (row.streamed, json.dumps(row.body).encode()):
        assert isinstance(read(row, [body], streamed=True), UnexpectedModelBehavior)


def test_what_odd_code_printed_is_kept() -> None:
    """One output that makes no sense does not cost the others."""
    row = Told(output=[ran({"type": "logs"}, {"type": "logs", "logs": "1"}, None)]).row
    found = read(row, [json.dumps(row.body).encode()], streamed=False)
    assert isinstance(found, ModelResponse)
    (returned,) = (part for part in found.parts if isinstance(part, BuiltinToolReturnPart))
    assert returned.content == {"status": "completed", "logs": ["1"]}


def test_usage_beside_an_odd_search() -> None:
    """An action that is a text costs itself, not the usage."""
    used = {"input_tokens": 10, "output_tokens": 3}
    response = answer(search("w") | {"action": "x"}, usage=used)
    row = Row(provider="openai-responses")
    found = read(row, [json.dumps(response).encode()], streamed=False)
    assert isinstance(found, ModelResponse)
    assert (found.usage.input_tokens, found.usage.output_tokens) == (10, 3)


REPLACED: list[JSON] = [{"id": None, "call_id": None}, {"namespace": "n"}, {"call_id": ""}]


def test_a_call_that_was_replaced_keeps_its_ids() -> None:
    """A call whose pieces made no sense has the ids and details that it started with."""
    for named in REPLACED:
        item = fn("", **named)
        row = Told(events=[added(item), more('{"a"'), done(fn('{ "a":1}', **named))]).row
        found = read(row, [row.streamed], streamed=True)
        again = Told(events=[added(item), done(fn('{ "a":1}', **named))]).row
        other = read(again, [again.streamed], streamed=True)
        assert isinstance(found, ModelResponse)
        assert isinstance(other, ModelResponse)
        (call,), (wanted,) = found.parts, other.parts
        assert isinstance(call, ToolCallPart)
        assert isinstance(wanted, ToolCallPart)
        assert call.tool_call_id
        id = call.tool_call_id if named.get("id", 0) is None else wanted.tool_call_id
        assert call == attrs.evolve(wanted, tool_call_id=id)


def test_what_was_held_back_of_a_stream_that_is_cut() -> None:
    """The partial answer of an error has the arguments, and the thoughts, that came."""
    row = Row(
        provider="openai-responses", frames=[raw("H"), raw("m"), added(fn(ARGS), 1)]
    )  # fmt: skip
    error = read(row, [row.streamed], streamed=True)
    assert isinstance(error, StreamInterrupted)
    assert error.response is not None
    assert brief(error.response) == [("thinking", ""), *CALL]
    assert error.response.parts[0].provider_details == {"raw_content": ["Hm"]}  # type: ignore[union-attr]


def test_a_call_id_that_comes_late() -> None:
    """The id to answer with may come with the end of a call."""
    row = Told(events=[added(fn("", call_id=None)), more(ARGS), done(fn(ARGS))]).row
    found = read(row, [row.streamed], streamed=True)
    assert isinstance(found, ModelResponse)
    assert call_ids(found) == ["call_a"]


# -- any items, in any of the habits --------------------------------------------------------------


@frozen(kw_only=True)
class Habit:
    """How a server tells items.

    Attributes:
        ids: Whether an item has its own id, another in each event, the same as all, or none.
        indexes: Whether an item has its own index, all have 0, or none has any.
        call_ids: Whether calls have ids to answer with.
        tells: What is told of each item: 'added', 'pieces', 'ends', 'done', 'final'.
    """

    ids: str
    indexes: str
    call_ids: bool
    closing: frozenset[str]

    @property
    def is_clear(self) -> bool:
        """Whether events are enough to tell one item from the next, and to name a call."""
        closing = self.closing
        if not closing & {"ends", "done", "final"} and not {"added", "pieces"} <= closing:
            return False
        if self.indexes == "own" or closing & {"added", "done"}:
            return True
        # An id that comes once may be one of those that change with every event.
        is_steady = self.ids == "own" and "ends" in closing
        return is_steady or not closing & {"pieces", "ends"}

    @property
    def may_mix(self) -> bool:
        """Whether events of several items may come in turn."""
        return self.indexes == "own" or (self.ids == "own" and "added" in self.closing)


HABITS = [
    habit
    for ids in ("own", "change", "same", "no")
    for indexes in ("own", "zero", "no")
    for call_ids in (True, False)
    for bits in range(32)
    for habit in [Habit(ids=ids, indexes=indexes, call_ids=call_ids, closing=frozenset(
        name for n, name in enumerate(("added", "pieces", "ends", "done", "final"))
        if bits >> n & 1))]
    if habit.is_clear
]  # fmt: skip


@frozen
class Habitual:
    """Writes the events of items as a server of one habit does."""

    habit: Habit
    numbers: Any = field(factory=lambda: iter(range(10_000)))

    def id(self, number: int) -> str | None:
        made = f"e{next(self.numbers)}"
        return {"own": f"i{number}", "change": made, "same": "x", "no": None}[self.habit.ids]

    def item(self, number: int, kind: str, content_sent: str) -> JSON:
        named: JSON = {"id": self.id(number)}
        if kind == "message":
            return message(content_sent, **named)
        if kind == "reasoning":
            return reasoning(content_sent, **named)
        return function(
            content_sent, **named, call_id=f"c{number}" if self.habit.call_ids else None
        )

    def events(self, number: int, kind: str, content_sent: str, cuts: Sequence[int]) -> list[JSON]:
        closing = self.habit.closing
        index = {"own": number, "zero": 0, "no": None}[self.habit.indexes]
        empty: JSON = {"message": {"content": []}, "reasoning": {"summary": []}}
        start = self.item(number, kind, "") | empty.get(kind, {})
        edges = [0, *cuts, len(content_sent)]
        pieces = [content_sent[a:b] for a, b in pairwise(edges)]
        name, part = _EVENTS[kind]
        sent_whole = [
            *([added(start, index)] if "added" in closing else []),
            *(event(f"{name}.delta", delta=each) | _at(index) | self._named(number)
              for each in pieces if "pieces" in closing),
            *([event(f"{name}.done", **{part: content_sent}) | _at(index) | self._named(number)]
              if "ends" in closing else []),
            *([done(self.item(number, kind, content_sent), index)] if "done" in closing else []),
        ]  # fmt: skip
        if kind == "function_call" and "ends" in closing:
            sent_whole[-2 if "done" in closing else -1]["name"] = "get_weather"
        return sent_whole

    def _named(self, number: int) -> JSON:
        id = self.id(number)
        return {} if id is None else {"item_id": id}


_EVENTS = {
    "message": ("output_text", "text"),
    "reasoning": ("reasoning_summary_text", "text"),
    "function_call": ("function_call_arguments", "arguments"),
}


def meant(data: st.DataObject, habitual: Habitual) -> tuple[Row, list[Part]]:
    """Draw items, and return what a server tells of them and the parts that they are."""
    kinds = data.draw(st.lists(st.sampled_from(sorted(_EVENTS)), min_size=1, max_size=4))
    sent_whole: list[list[JSON]] = []
    final: list[JSON] = []
    parts: list[Part] = []
    for number, kind in enumerate(kinds):
        content_sent = json.dumps({"n": f"{number}{data.draw(st.sampled_from(['', 'abc']))}"})
        if kind != "function_call":
            content_sent = f"{number} says {content_sent}"
        cuts = data.draw(st.sets(st.integers(1, len(content_sent) - 1), max_size=2))
        sent_whole.append(habitual.events(number, kind, content_sent, sorted(cuts)))
        final.append(habitual.item(number, kind, content_sent))
        name = {"message": "text", "reasoning": "thinking"}.get(kind)
        parts.append((name, content_sent) if name else ("call", "get_weather", content_sent))
    output = final if "final" in habitual.habit.closing else []
    events = [each for events in sent_whole for each in events]
    if habitual.habit.may_mix and data.draw(st.booleans()):
        events = mixed(data, sent_whole)
    return Told(events=events, final=output).row, parts


def mixed(data: st.DataObject, sent_whole: list[list[JSON]]) -> list[JSON]:
    """Draw an order of events in which each item keeps its own."""
    events: list[JSON] = []
    while any(sent_whole):
        events.append(data.draw(st.sampled_from([each for each in sent_whole if each])).pop(0))
    return events


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_items_are_those_that_were_meant(data: st.DataObject) -> None:
    """Whatever habit a server has, its events become its items, each of them once."""
    row, parts = meant(data, Habitual(data.draw(st.sampled_from(HABITS))))
    found = read(row, [row.streamed], streamed=True)
    assert isinstance(found, ModelResponse), found
    # A part stands where its first event does, and only some starts make one.
    assert sorted(brief(found)) == sorted(parts)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_accepted_can_be_stored(data: st.DataObject) -> None:
    """An answer with nonsense anywhere is one of our errors, or comes back equal from a store."""
    row = ROWS[data.draw(st.sampled_from(sorted(ROWS)))].row
    documents: list[Any] = copy.deepcopy([row.body or {}, *row.frames])
    for container, key in data.draw(st.lists(st.sampled_from(places(documents)), max_size=2)):
        container[key] = data.draw(NONSENSE)
    whole, frames = documents[0], [each for each in documents[1:] if isinstance(each, dict)]
    streamed = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in frames)
    for body in (json.dumps(whole).encode(), streamed):
        found = read(row, [body.replace(b"Infinity", b"1e999")], streamed=True)
        if isinstance(found, ModelResponse):
            assert load_messages(dump_messages([found])) == [found]


# -- 10: the work is linear -----------------------------------------------------------------------


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "events",
    [
        [text(LONG), *[text_done("x")] * 100],
        [text(LONG), *[text("x"), text_done("x")] * 100],
        [text(LONG, item_id="a"), *[text("x", item_id="a"), text_done("x", item_id="b")] * 100],
        [thought(LONG), *[thought("x"), thought("x", kind="summary_text.done")] * 100],
        [raw(LONG), *[raw("x"), text("y", 1), raw("x", "done")] * 100],
        [added(fn("")), more(LONG), *[more("x"), whole("x")] * 100],
        [added(code("")), wrote("delta", LONG), *[wrote("delta", "x"), wrote("done", "x")] * 100],
        [added(fn("")), more(f'{{"a":"{LONG}"}}'), *[done(fn("x"))] * 100],
    ],
    ids=["text", "pieces", "ids", "summary", "raw", "arguments", "code", "items"],
)
def test_what_is_long_is_not_read_again(
    events: list[JSON], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred small events behind a long text do not join or parse it a hundred times."""
    handled: list[int] = []
    text_so_far: property = vars(GrowingText)["text"]
    json_of = _responses_growth.json_of

    def joined(self: GrowingText) -> Any:
        handled.append(self.length if len(self.pieces) > 1 else 0)
        return text_so_far.__get__(self)

    def parsed(content_sent: str) -> Any:
        handled.append(len(content_sent))
        return json_of(content_sent)

    monkeypatch.setattr(GrowingText, "text", property(joined))
    monkeypatch.setattr(_responses_growth, "json_of", parsed)
    row = Told(events=events).row
    assert isinstance(read(row, [row.streamed], streamed=True), ModelResponse)
    assert sum(handled) <= 5 * len(LONG)


@pytest.mark.parametrize("shared", [{}, {"id": "x"}, {"id": None}], ids=["own", "one", "none"])
@pytest.mark.parametrize("is_placed", [True, False])
@pytest.mark.parametrize("is_renamed", [True, False])
def test_a_long_final_list(shared: JSON, is_placed: bool, is_renamed: bool) -> None:
    """Items are found again in the final list without looking at all of them for each."""

    def calls(count: int) -> int:
        items = [message("", id=f"m{number}", content=[]) | shared for number in range(count)]
        events = [done(item, number if is_placed else 0) for number, item in enumerate(items)]
        if is_renamed:
            items = [item | {"id": f"{number}"} for number, item in enumerate(items)]
        row = Told(events=events, final=[reasoning("Hm"), *items]).row
        made = 0

        def count_call(*_: object) -> None:
            nonlocal made
            made += 1

        sys.setprofile(count_call)
        try:
            found = read(row, [row.streamed], streamed=True)
        finally:
            sys.setprofile(None)
        assert isinstance(found, ModelResponse)
        return made

    assert calls(400) < 2.5 * calls(200)
