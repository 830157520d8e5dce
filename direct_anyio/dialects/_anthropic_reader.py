"""Reads Anthropic's Messages responses: frames of a stream, or a whole body.

Rules:

* both make the same items of the same content blocks;
* a delta goes to the block that it names, else to the latest; it was started and takes such deltas;
* a block that starts where another one stopped is a new one;
* usage is what the provider said last: its counts are cumulative;
* unknown types of blocks, deltas and frames are ignored.

Facts: Anthropic's references of the Messages API and of its streaming, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._core.codec import (
    Item,
    JSONObject,
    Mark,
    PartChunk,
    Reader,
    ResponseInfo,
    StreamEnd,
    WholePart,
    args_of,
    count,
    dictionary,
    expect_type,
    id_of,
    maybe,
    reason_of,
    text_chunk,
    text_of,
    thinking_chunk,
    tool_call_chunk,
)
from .._core.identity import Identities
from .._values import to_json
from ..messages import FinishReason
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    OpaquePart,
    TextPart,
    new_tool_call_id,
)
from ..usage import RequestUsage

__all__ = ("CALLER", "OWN_NAME", "REDACTED", "AnthropicReader", "usage_of")

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
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}

_PAUSED = "pause_turn"
"""Ends a long turn of the provider's own tools: sent back as it is, it goes on."""

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

    stream_end = StreamEnd.EVENT
    events: frozenset[str] = frozenset(
        (
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        )
    )

    def __init__(self, provider_name: str) -> None:
        self._provider_name = provider_name
        self._begun = False
        self._identities = Identities()
        # By key: the blocks as they started, and those that have not stopped.
        self._blocks: dict[int, JSONObject] = {}
        self._open: set[int] = set()
        self._citations: dict[int, list[Any]] = {}
        self._servers: dict[str, str] = {}
        self._with_args: set[int] = set()
        self._counts: dict[str, int] = {}

    def frame(self, event: str, document: JSONObject) -> Iterable[Item]:
        """Read one event of a stream; those without content, such as `ping`, say nothing."""
        read = _FRAMES.get(document.get("type", event))
        return () if read is None else read(self, document)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a whole message."""
        yield self._heading(document)
        content = document["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        for block in expect_type(content, list):
            if block is not None:
                yield from self._start(self._identities.start(), expect_type(block, dict))
        yield from self._ending(document, document)

    def message_start(self, document: JSONObject) -> Iterator[Item]:
        """Read the head of a message."""
        if self._begun:
            raise ValueError("a message started in another one")
        self._begun = True
        yield self._heading(dictionary(document.get("message")))

    def content_block_start(self, document: JSONObject) -> Iterator[Item]:
        """Read the start of a block."""
        block, name = expect_type(document["content_block"], dict), ("index", document.get("index"))
        expect_type(block["type"], str)
        same = self._identities.find(name)
        if same in self._open:
            before = self._blocks[same]
            if all(block.get(name) == before.get(name) for name in ("type", "id", "name")):
                return  # started twice
        key = self._identities.start(name)
        self._blocks[key] = block
        self._open.add(key)
        # Text and input are empty here: the deltas bring them.
        from_deltas = ("input", "text")
        known = {name: value for name, value in block.items() if value or name not in from_deltas}
        if not _has_input(block):
            known.pop("input", None)
        yield from self._start(key, known)

    def _named(self, document: JSONObject) -> int | None:
        """Return the block that an event names; without an index it is the latest."""
        index = document.get("index")
        return self._identities.latest if index is None else self._identities.find(("index", index))

    def content_block_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read a piece of a block."""
        key, delta = self._named(document), expect_type(document["delta"], dict)
        if key is None:
            index = document.get("index")
            raise ValueError(f"a delta of content block {index}, which never started")
        block_type, delta_type = self._blocks[key]["type"], delta["type"]
        if delta_type in _GROWS and block_type in _BLOCKS:
            if block_type not in _GROWS[delta_type]:
                raise ValueError(f"a {delta_type} of a {block_type} block")
            yield from self._grow(key, delta_type, delta)

    def _grow(self, index: int, delta_type: str, delta: JSONObject) -> Iterator[Item]:
        match delta_type:
            case "text_delta" if delta.get("text") is not None:
                yield text_chunk(index, delta["text"])
            case "thinking_delta" if delta.get("thinking") is not None:
                yield self._thought(index, text=text_of(delta["thinking"]))
            case "signature_delta" if delta.get("signature") is not None:
                yield self._thought(index, signature=delta["signature"])
            case "input_json_delta" if delta.get("partial_json") is not None:
                args = delta["partial_json"]
                # A call made by other code comes with its input, which deltas only repeat.
                has_input = _has_input(self._blocks[index])
                if not has_input and (args or index not in self._with_args):
                    yield tool_call_chunk(index, args=args)
                    if args:
                        self._with_args.add(index)
            case "citations_delta" if delta.get("citation"):
                if index not in self._citations:
                    self._citations[index] = [*(self._blocks[index].get("citations") or ())]
                self._citations[index].append(delta["citation"])
            case "compaction_delta":
                yield from self.compaction(index, delta)

    def content_block_stop(self, document: JSONObject) -> Iterator[Item]:
        """Read the end of a block."""
        key = self._named(document)
        if key in self._open:  # else it is a stop of nothing
            yield from self._stopped(key)

    def _stopped(self, key: int) -> Iterator[Item]:
        self._open.discard(key)
        if key in self._citations:
            yield text_chunk(key, "", details={"citations": self._citations.pop(key)})
        block = self._blocks[key]
        if block["type"] == "mcp_tool_use" and not _has_input(block):
            yield tool_call_chunk(key, args="}" if key in self._with_args else "{}}")

    def end(self) -> Iterator[Item]:
        """Stop the blocks that had no stop event."""
        for key in sorted(self._open):
            yield from self._stopped(key)

    def message_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read the finish reason and the usage."""
        yield from self._ending(dictionary(document.get("delta")), document)

    def message_stop(self, document: JSONObject) -> Iterator[Item]:
        """Read the end of a stream."""
        yield from self.end()
        yield Mark.LAST

    def _heading(self, message: JSONObject) -> ResponseInfo:
        return ResponseInfo(
            model_name=maybe(_string, message.get("model")),
            provider_response_id=maybe(_string, message.get("id")),
            usage=self._used(message),
            provider_details=_container(message),
        )

    def _ending(self, delta: JSONObject, document: JSONObject) -> Iterator[Item]:
        reason = reason_of(delta.get("stop_reason"))
        yield ResponseInfo(
            finish_reason=FINISH_REASONS.get(reason) if reason else None,
            usage=self._used(document),
            provider_details={
                **({"finish_reason": reason} if reason else {}),
                **_refusal(dictionary(delta.get("stop_details"))),
                **_container(delta),
            },
            suspended=reason == _PAUSED if reason else None,
        )
        if reason:
            yield Mark.FINISHED

    def _used(self, document: JSONObject) -> RequestUsage | None:
        usage = document.get("usage")
        if not isinstance(usage, dict) or not usage:
            return None
        self._counts |= _counts(usage)
        return usage_of(self._counts)

    def _start(self, index: int, block: JSONObject) -> Iterable[Item]:
        block_type = expect_type(block["type"], str)
        if block_type.endswith(_RESULT):
            return (WholePart(index, self._result(block_type.removesuffix(_RESULT), block)),)
        start = _BLOCKS.get(block_type)
        return () if start is None else start(self, index, block)

    def text(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a text."""
        if block.get("text") is not None:
            citations = block.get("citations")
            details = {"citations": citations} if citations else None
            text = expect_type(block["text"], str)
            yield WholePart(index, TextPart(text, provider_details=details))

    def thinking(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a thought."""
        text, signature = block.get("thinking") or "", block.get("signature")
        yield self._thought(index, text=text_of(text), signature=maybe(_string, signature))

    def redacted_thinking(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a thought that only the provider can read."""
        yield self._thought(index, signature=block.get("data"), id=REDACTED)

    def _thought(
        self, index: int, text: Any = None, signature: Any = None, id: str | None = None
    ) -> PartChunk:
        return thinking_chunk(
            index, text, id=id, signature=signature, provider_name=self._provider_name
        )

    def tool_use(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a call of a function."""
        self._take_input(index, block)
        name, args = expect_type(block["name"], str), args_of(block.get("input"))
        yield tool_call_chunk(index, name=name, args=args, call_id=block.get("id"))

    def server_tool_use(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a call of a tool of the provider's."""
        self._take_input(index, block)
        name, args = expect_type(block["name"], str), dictionary(block.get("input")) or None
        tool = _TOOLS.get(name, name)
        if args and tool == "tool_search":
            searched = (args.get(key) for key in ("query", "pattern"))
            args = {"queries": [text for text in searched if isinstance(text, str)]}
        yield self._builtin_call(index, block, tool, args, _details(name, block))

    def mcp_tool_use(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a call of a tool of an MCP server."""
        name = f"mcp_server:{block['server_name']}"
        self._servers[id_of(block.get("id")) or ""] = name
        args = {"action": "call_tool", "tool_name": block["name"], "tool_args": block.get("input")}
        if "input" in block:
            self._take_input(index, block)
            yield self._builtin_call(index, block, name, args)
            return
        yield self._builtin_call(index, block, name)
        # What comes is the tool's input alone: it is the last member, closed as the block stops.
        opened = to_json(args)
        yield tool_call_chunk(index, args=opened.removesuffix("null}"))

    def _take_input(self, index: int, block: JSONObject) -> None:
        if _has_input(block):
            self._with_args.add(index)

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
            id_of(block.get("id")) or new_tool_call_id(),
            provider_name=self._provider_name,
            provider_details=details or None,
        )
        return WholePart(index, part)

    def _result(self, name: str, block: JSONObject) -> BuiltinToolReturnPart:
        call_id = id_of(block.get("tool_use_id")) or new_tool_call_id()
        content: Any = block.get("content")
        tool = _TOOLS.get(name, name)
        details = _details(name, block)
        if name == "mcp":
            tool = self._servers.get(call_id, "mcp_server")
            if isinstance(content, list):
                content = [_with_citations(each) for each in content]
            content = {"content": content, "is_error": block.get("is_error", False)}
        elif name == "web_fetch" and "content" in dictionary(content):
            content = content | {"content": _with_citations(content["content"])}
        elif name == "tool_search":
            content = dictionary(content)
            details = {
                key: content[key] for key in ("error_code", "error_message") if content.get(key)
            }
            references = maybe(list, content.get("tool_references") or ()) or ()
            names = [dictionary(each).get("tool_name") for each in references]
            content = {"discovered_tools": [{"name": name} for name in names]}
        return BuiltinToolReturnPart(
            tool,
            content,
            call_id,
            provider_name=self._provider_name,
            provider_details=details or None,
        )

    def compaction(self, index: int, block: JSONObject) -> Iterator[Item]:
        """Read a summary that stands for the history before it, to be sent back as it is.

        In a stream it starts empty, and its one delta brings all of it, in its place.
        """
        part: JSONObject = {
            "content": expect_type(block.get("content") or "", str),
            "provider_name": self._provider_name,
            "part_kind": "compaction",
        }
        kept = {key: block[key] for key in ("encrypted_content", "signature") if block.get(key)}
        yield WholePart(index, OpaquePart(part | ({"provider_details": kept} if kept else {})))


_FRAMES: dict[str, Callable[[AnthropicReader, JSONObject], Iterator[Item]]] = {
    "message_start": AnthropicReader.message_start,
    "content_block_start": AnthropicReader.content_block_start,
    "content_block_delta": AnthropicReader.content_block_delta,
    "content_block_stop": AnthropicReader.content_block_stop,
    "message_delta": AnthropicReader.message_delta,
    "message_stop": AnthropicReader.message_stop,
}

_BLOCKS: dict[str, Callable[[AnthropicReader, int, JSONObject], Iterator[Item]]] = {
    "text": AnthropicReader.text,
    "thinking": AnthropicReader.thinking,
    "redacted_thinking": AnthropicReader.redacted_thinking,
    "tool_use": AnthropicReader.tool_use,
    "server_tool_use": AnthropicReader.server_tool_use,
    "mcp_tool_use": AnthropicReader.mcp_tool_use,
    "compaction": AnthropicReader.compaction,
}


def _string(value: Any) -> str:
    return expect_type(value, str)


def _container(message: JSONObject) -> JSONObject:
    id = id_of(dictionary(message.get("container")).get("id"))
    return {"container_id": id} if id else {}


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
    if dictionary(caller).get("type", "direct") != "direct":
        details[CALLER] = caller
    return details


def _has_input(block: JSONObject) -> bool:
    """Return whether a call came with its arguments; an empty object says that they will come."""
    return args_of(block.get("input")) not in (None, "", "{}", {})


def _with_citations(block: Any) -> Any:
    """Return a block with its citations, which the provider leaves out where there are none.

    So they are stored by the established clients, and sent back.
    """
    return {"citations": None} | block if isinstance(block, dict) else block


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
    given = {key: usage.get(key) for key in _TOKENS}
    counts = {key: count(value) for key, value in given.items() if type(value) in (int, float)}
    for place, key, name in _MORE:
        number = count(dictionary(usage.get(place)).get(key))
        if number:
            counts[name] = number
    return counts | (maybe(_rounds, usage.get("iterations")) or {})


def _rounds(iterations: Iterable[JSONObject]) -> dict[str, int]:
    rounds = [(_ROUNDS.get(each.get("type", ""), "message"), each) for each in iterations]
    names = [name for name, _ in rounds]
    if set(names) <= {"message"}:
        return {}
    counts = {"message_iterations": names.count("message")}
    for name in sorted(set(names) - {"message"}):
        counts[f"{name}_iterations"] = names.count(name)
        for key in _TOKENS:
            total = sum(count(each.get(key)) for of, each in rounds if of == name)
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
