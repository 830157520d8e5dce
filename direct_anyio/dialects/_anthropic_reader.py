"""Reads Anthropic's Messages responses: frames of a stream, or a whole body.

Promises:

* both make the same items of the same content blocks;
* a delta goes to the block that it names, which was started and takes such deltas;
* usage is what the provider said last: its counts are cumulative;
* blocks, deltas and frames of kinds that nobody knew yet are ignored.

Facts: Anthropic's references of the Messages API and of its streaming, and recorded traffic.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from .._core.codec import (
    End,
    Item,
    PartChunk,
    Reader,
    ResponseInfo,
    WholePart,
    maybe,
    text_chunk,
    thinking_chunk,
    tool_call_chunk,
    typed,
)
from ..messages import FinishReason
from ..parts import BuiltinToolCallPart, BuiltinToolReturnPart, OpaquePart, TextPart
from ..usage import RequestUsage

__all__ = ("CALLER", "OWN_NAME", "REDACTED", "AnthropicReader", "usage_of")

JSONObject: TypeAlias = dict[str, Any]

REDACTED = "redacted_thinking"
"""The id of a thought that only the provider can read: its signature holds it."""

OWN_NAME = "anthropic_tool_name"
"""Where a part's details keep the provider's name of a tool that we call otherwise."""

CALLER = "anthropic_caller"
"""Where a part's details keep which tool of the provider's made a call."""

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "compaction": "stop",
    # A long turn of the provider's own tools: sent back as it is, it goes on.
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}

# Tools of the provider's that are one tool of ours.
_TOOLS = {
    "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution",
    "tool_search_tool_bm25": "tool_search",
    "tool_search_tool_regex": "tool_search",
}

_RESULT = "_tool_result"

# The blocks that take a delta.
_GROWS = {
    "text_delta": ("text",),
    "citations_delta": ("text",),
    "thinking_delta": ("thinking",),
    "signature_delta": ("thinking",),
    "input_json_delta": ("tool_use", "server_tool_use", "mcp_tool_use"),
    "compaction_delta": ("compaction",),
}


class AnthropicReader(Reader):
    """Reads one response of the Messages protocol, streamed or whole.

    Args:
        provider_name: The provider, which thoughts and its own tools' parts are marked with.
    """

    def __init__(self, provider_name: str) -> None:
        self._provider_name = provider_name
        self._begun = False
        self._blocks: dict[int, str] = {}
        self._citations: dict[int, list[Any]] = {}
        self._servers: dict[str, str] = {}
        self._arguments: set[int] = set()
        self._counts: dict[str, int] = {}

    def frame(self, event: str, document: JSONObject) -> Iterable[Item]:
        """Read one event of a stream; those without content, such as `ping`, say nothing."""
        read = _FRAMES.get(document.get("type", event))
        return () if read is None else read(self, document)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a whole message."""
        yield self._heading(document)
        for index, block in enumerate(typed(document["content"], list)):
            yield from self._start(index, typed(block, dict))
        yield self._ending(document, document)

    def _message_start(self, document: JSONObject) -> Iterator[Item]:
        if self._begun:
            raise ValueError("a message started in another one")
        self._begun = True
        yield self._heading(document["message"])

    def _block_start(self, document: JSONObject) -> Iterator[Item]:
        index, block = document["index"], typed(document["content_block"], dict)
        if index in self._blocks:
            raise ValueError(f"content block {index} started twice")
        self._blocks[index] = typed(block["type"], str)
        # They are empty here: the deltas bring them.
        awaited = ("input", "text")
        yield from self._start(
            index, {key: value for key, value in block.items() if value or key not in awaited}
        )

    def _block_delta(self, document: JSONObject) -> Iterator[Item]:
        index, delta = document["index"], typed(document["delta"], dict)
        if index not in self._blocks:
            raise ValueError(f"a delta of content block {index}, which never started")
        block, kind = self._blocks[index], delta["type"]
        if kind in _GROWS and block in _BLOCKS:
            if block not in _GROWS[kind]:
                raise ValueError(f"a {kind} of a {block} block")
            yield from self._grow(index, kind, delta)

    def _grow(self, index: int, kind: str, delta: JSONObject) -> Iterator[Item]:
        match kind:
            case "text_delta":
                yield text_chunk(index, delta["text"])
            case "thinking_delta":
                yield self._thought(index, text=delta["thinking"])
            case "signature_delta":
                yield self._thought(index, signature=delta["signature"])
            case "input_json_delta":
                yield from self._argument(index, typed(delta["partial_json"], str))
            case "citations_delta":
                self._citations.setdefault(index, []).append(delta["citation"])
            case "compaction_delta":
                yield from self._compaction(index, delta)

    def _argument(self, index: int, text: str) -> Iterator[Item]:
        # A call made by other code comes with its input; an empty delta may follow it.
        if text or index not in self._arguments:
            yield tool_call_chunk(index, args=text)
        if text:
            self._arguments.add(index)

    def _block_stop(self, document: JSONObject) -> Iterator[Item]:
        index = document["index"]
        if index in self._citations:
            yield text_chunk(index, "", details={"citations": self._citations.pop(index)})
        if self._blocks[index] == "mcp_tool_use":
            yield tool_call_chunk(index, args="}" if index in self._arguments else "{}}")

    def _message_delta(self, document: JSONObject) -> Iterator[Item]:
        delta = typed(document["delta"], dict)
        yield self._ending(delta, document)
        if delta.get("stop_reason"):
            yield End(final=False)

    def _message_stop(self, document: JSONObject) -> Iterator[Item]:
        yield End(final=True)

    def _heading(self, message: JSONObject) -> ResponseInfo:
        return ResponseInfo(
            model_name=maybe(_string, message.get("model")),
            provider_response_id=maybe(_string, message.get("id")),
            usage=self._used(message),
            provider_details=_container(message),
        )

    def _ending(self, delta: JSONObject, document: JSONObject) -> ResponseInfo:
        reason = delta.get("stop_reason") or ""
        return ResponseInfo(
            finish_reason=FINISH_REASONS.get(reason),
            usage=self._used(document),
            provider_details={
                **({"finish_reason": reason} if reason else {}),
                **_refusal(delta.get("stop_details") or {}),
                **_container(delta),
            },
        )

    def _used(self, document: JSONObject) -> RequestUsage | None:
        if not document.get("usage"):
            return None
        self._counts |= _counts(typed(document["usage"], dict))
        return usage_of(self._counts)

    def _start(self, index: int, block: JSONObject) -> Iterable[Item]:
        kind = typed(block["type"], str)
        if kind.endswith(_RESULT):
            return (WholePart(index, self._result(kind.removesuffix(_RESULT), block)),)
        start = _BLOCKS.get(kind)
        return () if start is None else start(self, index, block)

    def _text(self, index: int, block: JSONObject) -> Iterator[Item]:
        if "text" in block:
            citations = block.get("citations")
            details = {"citations": citations} if citations else None
            yield WholePart(index, TextPart(typed(block["text"], str), provider_details=details))

    def _thinking(self, index: int, block: JSONObject) -> Iterator[Item]:
        yield self._thought(index, text=block["thinking"], signature=block.get("signature"))

    def _redacted(self, index: int, block: JSONObject) -> Iterator[Item]:
        yield self._thought(index, signature=block["data"], id=REDACTED)

    def _thought(
        self, index: int, text: Any = None, signature: Any = None, id: str | None = None
    ) -> PartChunk:
        return thinking_chunk(
            index, text, id=id, signature=signature, provider_name=self._provider_name
        )

    def _call(self, index: int, block: JSONObject) -> Iterator[Item]:
        self._take_input(index, block)
        yield tool_call_chunk(
            index,
            name=typed(block["name"], str),
            args=block.get("input"),
            call_id=typed(block["id"], str),
        )

    def _server_call(self, index: int, block: JSONObject) -> Iterator[Item]:
        self._take_input(index, block)
        name, args = typed(block["name"], str), block.get("input") or None
        kind = _TOOLS.get(name, name)
        if args and kind == "tool_search":
            args = _queries(args)
        yield self._builtin_call(index, block, kind, args, _details(name, block))

    def _mcp_call(self, index: int, block: JSONObject) -> Iterator[Item]:
        name = f"mcp_server:{block['server_name']}"
        self._servers[block["id"]] = name
        args = {"action": "call_tool", "tool_name": block["name"], "tool_args": block.get("input")}
        if "input" in block:
            self._take_input(index, block)
            yield self._builtin_call(index, block, name, args)
            return
        yield self._builtin_call(index, block, name)
        # What comes is the tool's input alone: it is the last member, closed as the block stops.
        opened = json.dumps(args, separators=(",", ":"), ensure_ascii=False)
        yield tool_call_chunk(index, args=opened.removesuffix("null}"))

    def _take_input(self, index: int, block: JSONObject) -> None:
        if block.get("input"):
            self._arguments.add(index)

    def _builtin_call(
        self,
        index: int,
        block: JSONObject,
        name: str,
        args: JSONObject | None = None,
        details: JSONObject | None = None,
    ) -> WholePart:
        part = BuiltinToolCallPart(
            name,
            args,
            typed(block["id"], str),
            provider_name=self._provider_name,
            provider_details=details or None,
        )
        return WholePart(index, part)

    def _result(self, name: str, block: JSONObject) -> BuiltinToolReturnPart:
        call_id, content = typed(block["tool_use_id"], str), block["content"]
        kind = _TOOLS.get(name, name)
        details = _details(name, block)
        if name == "mcp":
            kind = self._servers.get(call_id, "mcp_server")
            if isinstance(content, list):
                content = [_with_citations(each) for each in content]
            content = {"content": content, "is_error": block.get("is_error", False)}
        elif name == "web_fetch" and "content" in content:
            content = content | {"content": _with_citations(content["content"])}
        elif name == "tool_search":
            content, details = _found(content)
        return BuiltinToolReturnPart(
            kind,
            content,
            call_id,
            provider_name=self._provider_name,
            provider_details=details or None,
        )

    def _compaction(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a summary that stands for the history before it, to be sent back as it is.

        In a stream it starts empty, and its one delta brings all of it, in its place.
        """
        part: JSONObject = {
            "content": typed(block.get("content") or "", str),
            "provider_name": self._provider_name,
            "part_kind": "compaction",
        }
        kept = {key: block[key] for key in ("encrypted_content", "signature") if block.get(key)}
        yield WholePart(index, OpaquePart(part | ({"provider_details": kept} if kept else {})))


_FRAMES: dict[str, Callable[[AnthropicReader, JSONObject], Iterator[Item]]] = {
    "message_start": AnthropicReader._message_start,
    "content_block_start": AnthropicReader._block_start,
    "content_block_delta": AnthropicReader._block_delta,
    "content_block_stop": AnthropicReader._block_stop,
    "message_delta": AnthropicReader._message_delta,
    "message_stop": AnthropicReader._message_stop,
}

_BLOCKS: dict[str, Callable[[AnthropicReader, int, JSONObject], Iterator[Item]]] = {
    "text": AnthropicReader._text,
    "thinking": AnthropicReader._thinking,
    "redacted_thinking": AnthropicReader._redacted,
    "tool_use": AnthropicReader._call,
    "server_tool_use": AnthropicReader._server_call,
    "mcp_tool_use": AnthropicReader._mcp_call,
    "compaction": AnthropicReader._compaction,
}


def _string(value: Any) -> str:
    return typed(value, str)


def _container(message: JSONObject) -> JSONObject:
    container = message.get("container")
    return {"container_id": container["id"]} if container else {}


def _refusal(details: JSONObject) -> JSONObject:
    names = {"explanation": "refusal", "category": "refusal_category"}
    return {ours: details[theirs] for theirs, ours in names.items() if details.get(theirs)}


def _details(name: str, block: JSONObject) -> JSONObject:
    """Return what a part of the provider's own tool must keep to be sent back."""
    details: JSONObject = {}
    if name.startswith("tool_search_tool_"):
        details["strategy"] = name.removeprefix("tool_search_tool_")
    elif name in _TOOLS:
        details[OWN_NAME] = name
    caller = block.get("caller")
    if caller and caller["type"] != "direct":
        details[CALLER] = caller
    return details


def _with_citations(block: JSONObject) -> JSONObject:
    """Return a block with its citations, which the provider leaves out where there are none.

    So they are stored by the established clients, and sent back.
    """
    return {"citations": None} | block


def _queries(args: JSONObject) -> JSONObject:
    """Return what was searched for, which each search of the provider's names otherwise."""
    searched = (args.get(key) for key in ("query", "pattern"))
    return {"queries": [text for text in searched if isinstance(text, str)]}


def _found(content: JSONObject) -> tuple[JSONObject, JSONObject]:
    """Return the tools that a search found, and its error."""
    references = content.get("tool_references") or ()
    found = [{"name": reference["tool_name"]} for reference in references]
    errors = {key: content[key] for key in ("error_code", "error_message") if content.get(key)}
    return {"discovered_tools": found}, errors


_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)

# Counts that are kept with the details where there are any: place in `usage` and name.
_MORE = (
    ("cache_creation", "ephemeral_1h_input_tokens", "ephemeral_1h_input_tokens"),
    ("output_tokens_details", "thinking_tokens", "thinking_tokens"),
    ("server_tool_use", "web_search_requests", "web_search_requests"),
)

# Rounds of other models inside of a response, by the name that the details give them.
_ROUNDS = {"compaction": "compaction", "advisor_message": "advisor"}


def _counts(usage: JSONObject) -> dict[str, int]:
    """Return the counts of a `usage` object; those that it does not give are left out."""
    counts = {key: max(0, usage[key]) for key in _TOKENS if isinstance(usage.get(key), int)}
    for place, key, name in _MORE:
        count = (usage.get(place) or {}).get(key)
        if isinstance(count, int) and count > 0:
            counts[name] = count
    return counts | _rounds(usage.get("iterations") or ())


def _rounds(iterations: Iterable[JSONObject]) -> dict[str, int]:
    rounds = [(_ROUNDS.get(each.get("type", ""), "message"), each) for each in iterations]
    names = [name for name, _ in rounds]
    if set(names) <= {"message"}:
        return {}
    counts = {"message_iterations": names.count("message")}
    for name in sorted(set(names) - {"message"}):
        counts[f"{name}_iterations"] = names.count(name)
        for key in _TOKENS:
            total = sum(each.get(key) or 0 for of, each in rounds if of == name)
            counts |= {f"{name}_{key}": total} if total else {}
    return counts


def usage_of(counts: dict[str, int]) -> RequestUsage:
    """Return Anthropic's counts as `RequestUsage`.

    `input_tokens` of the provider leave out what the cache was written or read, and all
    counts leave out what a compaction used; ours have them in.
    """
    fresh, written, cached, output = (
        counts.get(key, 0) + counts.get(f"compaction_{key}", 0)
        for key in ("input_tokens", "cache_creation_input_tokens", *_TOKENS[3:], "output_tokens")
    )
    return RequestUsage(
        input_tokens=fresh + written + cached,
        cache_write_tokens=written,
        cache_read_tokens=cached,
        output_tokens=output,
        details=dict(counts),
    )
