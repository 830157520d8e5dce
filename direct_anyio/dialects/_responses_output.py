"""Reads what the Responses protocol of OpenAI answers: its output items, streamed or whole.

A text, a thought or a call of a function grows with its frames. A call of a built-in tool
becomes a call, its files and a return, the same in a stream as in a whole response; but
arguments that come in pieces are JSON text, and a dict where they come at once.

Facts: OpenAI's API reference for the response object and for its streaming events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from .._core.codec import (
    Item,
    Mark,
    Reader,
    ResponseInfo,
    StreamEnd,
    WholePart,
    args_of,
    count,
    dictionary,
    id_of,
    maybe,
    text_chunk,
    text_of,
    thinking_chunk,
    tool_call_chunk,
    typed,
)
from .._core.failures import in_stream_error
from ..messages import FinishReason
from ..parts import BuiltinToolCallPart, BuiltinToolReturnPart, OpaquePart, to_json
from ..usage import RequestUsage
from ._chat import heading, logprob
from ._openai import JSONObject
from ._responses_items import EXTENDED, GrowingText, OutputItem, OutputItems
from ._responses_tools import (
    ARGS_CUT,
    ARGS_END,
    ARGS_LATE,
    NATIVE_ITEMS,
    TOOL_SEARCH,
    Native,
    args_text,
)

__all__ = ("ResponsesReader",)

_COMPACTION = "compaction"

_CLIENT_TOOL_SEARCH = "search_tools"
"""The function that a search for tools which the program makes is a call of."""

_FINISH_REASONS: dict[str, FinishReason] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "cancelled": "error",
    "failed": "error",
}


class ResponsesReader(Reader):
    """Reads one response; what is told whole at the end completes what came in pieces.

    Args:
        provider_name: The provider, which thoughts and built-in calls are marked with.
        model_name: The model, for errors.
    """

    stream_end = StreamEnd.EVENT

    def __init__(self, provider_name: str, model_name: str) -> None:
        self._provider = provider_name
        self._model_name = model_name
        self._refusal: list[str] = []
        self._items = OutputItems()
        self._raw_growing: OutputItem | None = None
        # Searches for tools whose outputs will not name them: they come in the same order.
        self._searches: deque[str] = deque()

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one event of a stream."""
        kind = document.get("type") or event
        if kind in _FRAMES:
            if self._raw_growing and kind != "response.reasoning_text.delta":
                yield self._raw_thought_whole(self._raw_growing)
            yield from _FRAMES[kind](self, document)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a response object."""
        if document.get("status") == "failed":
            raise in_stream_error(document, self._model_name)
        yield heading(document, created="created_at")
        for item in typed(document["output"], list):
            yield from self._whole(self._items.begin(item), item)
        yield from self._ending(document, suspended=document.get("status") in _UNFINISHED)

    # The response.

    def _created(self, document: JSONObject) -> Iterator[Item]:
        yield heading(dictionary(document.get("response")), created="created_at")

    def _ending(self, response: JSONObject, *, suspended: bool) -> Iterator[Item]:
        raw = maybe(_reason, response)
        finish = _FINISH_REASONS.get(raw) if raw else None
        details = {key: response.get(key) for key in ("background", "moderation", "service_tier")}
        details |= {"finish_reason": raw, "refusal": "".join(self._refusal)}
        yield ResponseInfo(
            finish_reason="content_filter" if self._refusal else finish,
            usage=maybe(_usage_of, response),
            provider_details={key: value for key, value in details.items() if value},
            suspended=suspended,
        )
        yield Mark.FINISHED

    def _finished(self, document: JSONObject) -> Iterator[Item]:
        response = typed(document["response"], dict)
        yield heading(response, created="created_at")
        seen = self._items.all
        for number, item in enumerate(response.get("output") or ()):
            known = self._items.matching(seen, number, item)
            if known is None:
                yield from self._whole(self._items.begin(item), item)
            else:
                seen = [each for each in seen if each is not known]
                yield from self._done(known, item)
        yield from self._ending(response, suspended=False)
        yield Mark.LAST

    def _failed(self, document: JSONObject) -> Iterator[Item]:
        raise in_stream_error(document.get("response") or document, self._model_name)

    # Whole items.

    def _whole(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        known.is_done = True
        kind = known.kind
        if kind == "message":
            yield from self._message(known, item)
        elif kind == "reasoning":
            yield from self._whole_thought(known, item)
        elif kind == "function_call":
            yield self._call(known, item)
        elif kind == "tool_search_call":
            yield self._search(known, item)
        elif kind in NATIVE_ITEMS:
            native = self._native(known, item)
            yield WholePart(("item", known.key), native.call)
            yield from _outcome(native)
        else:
            yield from self._rare(item)

    def _message(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Read a message: what of its texts has not come in pieces."""
        for number, content in enumerate(item.get("content") or ()):
            if content["type"] == "refusal":
                self._refusal = [typed(content["refusal"], str)]
            elif content.get("text"):
                yield from self._rest_of_text(known, number, content, item.get("phase"))

    def _rest_of_text(
        self, known: OutputItem, number: Any, content: JSONObject, phase: Any = None
    ) -> Iterator[Item]:
        text = known.texts.setdefault(number, GrowingText())
        is_new = not text.pieces
        rest = text.rest(typed(content["text"], str))
        details = None if text.has_details else maybe(_text_details, content)
        text.has_details = text.has_details or bool(details)
        if is_new and phase:
            details = (details or {}) | {"phase": phase}
        if rest or details:
            key = ("text", known.key, number)
            yield text_chunk(key, rest, id=known.id, details=details or None)

    def _whole_thought(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Read a thought: what of its summaries has not come in pieces, and what proves it."""
        signature = maybe(lambda text: typed(text, str), item.get("encrypted_content")) or None
        raw = [text_of(content) for content in item.get("content") or ()]
        details = {"raw_content": raw} if raw and not known.raw else None
        if known.is_proven:  # the final list has another signature for the same thought
            signature = details = None
        known.is_proven = known.is_proven or bool(signature or details)
        texts = [text_of(summary) for summary in item.get("summary") or ()]
        if signature or details:
            texts = texts or [""]
        for number, whole in enumerate(texts):
            rest = known.thoughts.setdefault(number, GrowingText()).rest(whole)
            if rest or signature or details or not known.is_started:
                yield thinking_chunk(
                    ("thought", known.key, number),
                    rest or None if known.is_started else rest,
                    id=known.id,
                    signature=signature,
                    provider_name=self._provider,
                    details=details,
                )
            # They belong to the item; one of its parts is enough to send them back.
            signature = details = None

    def _call(self, known: OutputItem, item: JSONObject) -> Item:
        known.is_started = True
        namespace = item.get("namespace")
        args = args_of(item.get("arguments") or "")
        known.args.pieces.append(args if isinstance(args, str) else "")
        return tool_call_chunk(
            ("item", known.key),
            name=item["name"],
            args=args,
            call_id=item.get("call_id") or known.id,
            id=known.id,
            details={"namespace": namespace} if namespace else None,
        )

    def _native(self, known: OutputItem, item: JSONObject) -> Native:
        return NATIVE_ITEMS[known.kind](item | {"id": known.id}, self._provider)

    def _search(self, known: OutputItem, item: JSONObject, *, started: bool = False) -> Item:
        """Read a search for tools: the provider's own, or one that it asks the program for."""
        known.is_started = True
        key = ("item", known.key)
        call_id = id_of(item.get("call_id")) or known.id
        args = None if started else _queries(item["arguments"])
        if item.get("execution") == "client":
            return tool_call_chunk(
                key, name=_CLIENT_TOOL_SEARCH, args=args, call_id=call_id, id=known.id
            )
        if item.get("call_id") is None:
            self._searches.append(typed(call_id, str))
        call = BuiltinToolCallPart(
            TOOL_SEARCH,
            args,
            typed(call_id, str),
            id=known.id,
            provider_name=self._provider,
            provider_details=_search_details(item),
        )
        return WholePart(key, call)

    def _rare(self, item: JSONObject) -> Iterator[Item]:
        if item["type"] == "tool_search_output" and item.get("execution") == "server":
            yield WholePart(None, self._found_tools(item))
        elif item["type"] == _COMPACTION:
            kept = {"content": None, "id": item.get("id"), "provider_name": self._provider}
            yield WholePart(
                None, OpaquePart({**kept, "provider_details": item, "part_kind": _COMPACTION})
            )

    def _found_tools(self, item: JSONObject) -> BuiltinToolReturnPart:
        call_id = id_of(item.get("call_id"))
        if call_id is None:
            call_id = self._searches.popleft() if self._searches else typed(item["id"], str)
        found = [{"name": tool["name"]} for tool in item["tools"] if tool["type"] == "function"]
        return BuiltinToolReturnPart(
            TOOL_SEARCH,
            {"discovered_tools": found},
            call_id,
            provider_name=self._provider,
            provider_details={"id": item.get("id"), **_search_details(item)},
        )

    # Items in pieces.

    def _item_added(self, document: JSONObject) -> Iterator[Item]:
        item, index = typed(document["item"], dict), document.get("output_index")
        kind = item["type"]
        if kind not in EXTENDED or self._items.is_repeated(item, index):
            return
        known = self._items.begin(item, index)
        known.is_announced = True
        if kind == "message":
            known.phase = item.get("phase")
        elif kind == "function_call":
            yield self._call(known, item)
        elif kind == "tool_search_call":
            yield self._search(known, item, started=True)
        elif kind in NATIVE_ITEMS:
            yield from self._native_started(known, item)

    def _native_started(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        known.is_started = True
        call = self._native(known, item).call
        cut = ARGS_CUT.get(known.kind)
        if cut is None and known.kind not in ARGS_LATE:
            yield WholePart(("item", known.key), call)
            return
        yield WholePart(("item", known.key), attrs.evolve(call, args=None))
        if cut is not None:
            yield self._more_args(known, call.args_as_json_str().removesuffix(cut))

    def _more_args(self, known: OutputItem, text: str) -> Item:
        known.sent += len(text)
        return tool_call_chunk(("item", known.key), args=text)

    def _item_done(self, document: JSONObject) -> Iterator[Item]:
        item, index = typed(document["item"], dict), document.get("output_index")
        kind = item["type"]
        id, call_id = id_of(item.get("id")), item.get("call_id")
        known = self._items.find(kind, ("call", call_id))
        if known is None:
            known = self._items.growing({"output_index": index, "item_id": id}, kind)
        if known is None or (known.is_done and id != known.id):
            known = self._items.begin(item, index)
        yield from self._done(known, item)

    def _done(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Complete an item by what is told of it as a whole."""
        kind, was_done = known.kind, known.is_done
        if kind in ("message", "reasoning") or not (known.is_started or was_done):
            yield from self._whole(known, item)
        elif kind == "function_call":
            yield from self._rest_of_args(known, item.get("arguments"))
        elif was_done:
            return
        elif kind == "tool_search_call":
            yield self._search_done(known, item)
        else:
            yield from self._native_done(known, item)
        known.is_done = True

    def _search_done(self, known: OutputItem, item: JSONObject) -> Item:
        key, args = ("item", known.key), _queries(item["arguments"])
        if item.get("execution") == "client":
            # A call of a function as any other: its arguments are text in a stream.
            return tool_call_chunk(key, args=to_json(args), call_id=item.get("call_id"))
        return tool_call_chunk(key, args=args, details=_search_details(item))

    def _native_done(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        native = self._native(known, item)
        if known.kind in ARGS_CUT:
            # Some servers send arguments only when they are done.
            rest = args_text(known.kind, item, native.call)[known.sent :]
            if rest:
                yield self._more_args(known, rest)
        elif known.kind in ARGS_LATE and native.call.args is not None:
            yield tool_call_chunk(("item", known.key), args=native.call.args)
        yield from _outcome(native)

    def _rest_of_args(self, known: OutputItem, args: Any) -> Iterator[Item]:
        """Add what no delta has brought: some servers send arguments only when they are done."""
        args = args_of(args)
        if isinstance(args, dict):
            is_new = not any(known.args.pieces)
            known.args.pieces.append(to_json(args))
            rest: Any = args if is_new else None
        else:
            rest = known.args.rest(typed(args or "", str))
        if rest:
            yield tool_call_chunk(("item", known.key), args=rest)

    def _grown(self, document: JSONObject, kind: str, text: str) -> Iterator[Item]:
        # An item that was not told to start is taken when it is done.
        known = self._items.growing(document, kind)
        if known is not None and known.is_started and not known.is_done:
            yield self._more_args(known, text)

    def _args_delta(self, document: JSONObject) -> Iterator[Item]:
        known = self._items.growing(document, "function_call")
        if known is not None and known.is_started and document.get("delta") is not None:
            delta = document["delta"]
            known.args.pieces.append(delta if isinstance(delta, str) else to_json(delta))
            yield tool_call_chunk(("item", known.key), args=delta)

    def _args_done(self, document: JSONObject) -> Iterator[Item]:
        known = self._items.growing(document, "function_call")
        if known is not None and known.is_started:
            yield from self._rest_of_args(known, document.get("arguments"))

    def _code_delta(self, document: JSONObject) -> Iterator[Item]:
        # The code is a string inside the JSON of the arguments.
        code = to_json(typed(document["delta"], str))[1:-1]
        return self._grown(document, "code_interpreter_call", code)

    def _code_done(self, document: JSONObject) -> Iterator[Item]:
        kind = "code_interpreter_call"
        return self._grown(document, kind, ARGS_END[kind])

    def _mcp_delta(self, document: JSONObject) -> Iterator[Item]:
        return self._grown(document, "mcp_call", typed(document["delta"], str))

    def _mcp_done(self, document: JSONObject) -> Iterator[Item]:
        return self._grown(document, "mcp_call", ARGS_END["mcp_call"])

    # Thoughts.

    def _summary_part(self, document: JSONObject) -> Iterator[Item]:
        return self._summary_whole(document, dictionary(document.get("part")).get("text"))

    def _summary_done(self, document: JSONObject) -> Iterator[Item]:
        return self._summary_whole(document, document.get("text"))

    def _summary_whole(self, document: JSONObject, text: Any) -> Iterator[Item]:
        """Read a summary so far: what of it has not come in pieces."""
        known, number = self._items.open(document, "reasoning"), document.get("summary_index") or 0
        is_new = number not in known.thoughts
        rest = known.thoughts.setdefault(number, GrowingText()).rest(text_of(text))
        if rest or is_new:
            yield self._thought(known, number, rest)

    def _summary_delta(self, document: JSONObject) -> Iterator[Item]:
        known, number = self._items.open(document, "reasoning"), document.get("summary_index") or 0
        text = text_of(document.get("delta"))
        known.thoughts.setdefault(number, GrowingText()).pieces.append(text)
        yield self._thought(known, number, text)

    def _thought(self, known: OutputItem, number: Any, text: str) -> Item:
        known.is_started = True
        key = ("thought", known.key, number)
        return thinking_chunk(key, text, id=known.id, provider_name=self._provider)

    def _raw_thought_delta(self, document: JSONObject) -> Iterator[Item]:
        # Raw thoughts are no text of the part. Each delta shows that the model is at it, and
        # the last one brings the whole: to bring it each time would take quadratic space.
        known, delta = self._items.open(document, "reasoning"), text_of(document.get("delta"))
        if self._raw_growing is not None and self._raw_growing is not known:
            yield self._raw_thought_whole(self._raw_growing)
        is_new = not known.raw
        known.raw.setdefault(document.get("content_index") or 0, []).append(delta)
        known.is_started = True
        if is_new:
            yield self._raw_thought(known, [delta])
        elif self._raw_growing:
            yield self._raw_thought(known, None)
        self._raw_growing = None if is_new else known

    def _raw_thought_whole(self, known: OutputItem) -> Item:
        self._raw_growing = None
        return self._raw_thought(known, ["".join(texts) for texts in known.raw.values()])

    def _raw_thought(self, known: OutputItem, texts: list[str] | None) -> Item:
        details = {"raw_content": texts} if texts else None
        key = ("thought", known.key, 0)
        return thinking_chunk(key, id=known.id, provider_name=self._provider, details=details)

    # Texts.

    def _text_delta(self, document: JSONObject) -> Iterator[Item]:
        delta = document.get("delta", document.get("text"))
        # Some gateways send null where there is nothing to say.
        if delta is None:
            return
        known, number = self._items.open(document, "message"), document.get("content_index") or 0
        phase, known.phase = known.phase, None
        details = {"phase": phase} if phase else None
        known.texts.setdefault(number, GrowingText()).pieces.append(typed(delta, str))
        yield text_chunk(("text", known.key, number), delta, id=known.id, details=details)

    def _text_done(self, document: JSONObject) -> Iterator[Item]:
        if not document.get("text"):
            return
        known, number = self._items.open(document, "message"), document.get("content_index") or 0
        annotations = known.annotations.pop(number, []) or document.get("annotations") or []
        phase, known.phase = known.phase, None
        content = {**document, "annotations": annotations}
        yield from self._rest_of_text(known, number, content, phase)

    def _part_done(self, document: JSONObject) -> Iterator[Item]:
        part = dictionary(document.get("part"))
        if part.get("type") == "output_text":
            yield from self._text_done(part | {"type": "", **_place(document)})

    def _annotation(self, document: JSONObject) -> Iterator[Item]:
        known, number = self._items.open(document, "message"), document.get("content_index") or 0
        known.annotations.setdefault(number, []).append(document["annotation"])
        return iter(())

    def _refusal_delta(self, document: JSONObject) -> Iterator[Item]:
        self._refusal.append(typed(document["delta"], str))
        return iter(())

    def _refusal_done(self, document: JSONObject) -> Iterator[Item]:
        self._refusal = [typed(document["refusal"], str)]
        return iter(())


_CITATIONS = ("file_citation", "url_citation")
_UNFINISHED = ("queued", "in_progress")

_FRAMES: dict[str, Callable[[ResponsesReader, JSONObject], Iterable[Item]]] = {
    "response.code_interpreter_call_code.delta": ResponsesReader._code_delta,
    "response.code_interpreter_call_code.done": ResponsesReader._code_done,
    "response.completed": ResponsesReader._finished,
    "response.content_part.done": ResponsesReader._part_done,
    "response.created": ResponsesReader._created,
    "response.failed": ResponsesReader._failed,
    "response.function_call_arguments.delta": ResponsesReader._args_delta,
    "response.function_call_arguments.done": ResponsesReader._args_done,
    "response.incomplete": ResponsesReader._finished,
    "response.mcp_call_arguments.delta": ResponsesReader._mcp_delta,
    "response.mcp_call_arguments.done": ResponsesReader._mcp_done,
    "response.output_item.added": ResponsesReader._item_added,
    "response.output_item.done": ResponsesReader._item_done,
    "response.output_text.annotation.added": ResponsesReader._annotation,
    "response.output_text.delta": ResponsesReader._text_delta,
    "response.output_text.done": ResponsesReader._text_done,
    "response.reasoning_summary_part.added": ResponsesReader._summary_part,
    "response.reasoning_summary_part.done": ResponsesReader._summary_part,
    "response.reasoning_summary_text.delta": ResponsesReader._summary_delta,
    "response.reasoning_summary_text.done": ResponsesReader._summary_done,
    "response.reasoning_text.delta": ResponsesReader._raw_thought_delta,
    "response.refusal.delta": ResponsesReader._refusal_delta,
    "response.refusal.done": ResponsesReader._refusal_done,
}

ResponsesReader.events = frozenset(_FRAMES)


def _place(document: JSONObject) -> JSONObject:
    """Return what tells which text an event is about."""
    names = ("output_index", "content_index", "item_id")
    return {name: document[name] for name in names if name in document}


def _reason(response: JSONObject) -> str:
    incomplete = response.get("incomplete_details") or {}
    return typed(incomplete.get("reason") or response["status"], str)


def _outcome(native: Native) -> Iterator[Item]:
    for file in native.files:
        yield WholePart(None, file)
    yield WholePart(None, native.result)


def _text_details(content: JSONObject) -> JSONObject:
    annotations = content.get("annotations") or ()
    details = {
        "citations": [each for each in annotations if each["type"] in _CITATIONS],
        "logprobs": [logprob(each) for each in content.get("logprobs") or ()],
    }
    return {key: value for key, value in details.items() if value}


def _search_details(item: JSONObject) -> JSONObject:
    return {key: item.get(key) for key in ("call_id", "execution", "status")}


def _queries(arguments: JSONObject) -> JSONObject:
    """Return a search's arguments in one form: the provider's own searches name `paths`."""
    return {"queries": arguments.get("queries") or arguments.get("paths") or []}


_TOTALS = ("input_tokens", "output_tokens", "total_tokens")


def _usage_of(response: JSONObject) -> RequestUsage | None:
    """Return the `usage` of a response object, None where it tells none."""
    usage = response.get("usage")
    if not usage:
        return None
    read = dictionary(usage.get("input_tokens_details"))
    written = dictionary(usage.get("output_tokens_details"))
    more = {key: value for key, value in usage.items() if key not in _TOTALS}
    details = {key: count(value) for key, value in more.items() if isinstance(value, int)}
    details["reasoning_tokens"] = count(written.get("reasoning_tokens"))
    searches = _web_searches(response)
    return RequestUsage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cache_read_tokens=count(read.get("cached_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        details=details | ({"web_search_requests": searches} if searches else {}),
    )


def _web_searches(response: JSONObject) -> int:
    """Return the number of searches that are billed: opening a page is none."""
    told = ((response.get("tool_usage") or {}).get("web_search") or {}).get("num_requests")
    if told is not None:
        return count(told)
    calls = (item for item in response.get("output") or () if item["type"] == "web_search_call")
    return sum(1 for call in calls if (call.get("action") or {}).get("type") == "search")
