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
    End,
    Item,
    Reader,
    ResponseInfo,
    WholePart,
    maybe,
    text_chunk,
    thinking_chunk,
    tool_call_chunk,
    typed,
)
from .._core.failures import in_stream_error
from ..messages import FinishReason
from ..parts import BuiltinToolCallPart, BuiltinToolReturnPart, OpaquePart, to_json
from ..usage import RequestUsage
from ._chat import count, heading
from ._openai import JSONObject
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
    """Reads one response.

    Args:
        provider_name: The provider, which thoughts and built-in calls are marked with.
        model_name: The model, for errors.
    """

    def __init__(self, provider_name: str, model_name: str) -> None:
        self._provider = provider_name
        self._model_name = model_name
        self._refusal: list[str] = []
        # By id of the item, for what is told apart from it, or in pieces.
        self._started: set[str] = set()
        self._texts: set[tuple[str, str, int]] = set()
        self._sent: dict[str, int] = {}  # characters of a call's arguments
        self._phases: dict[str, str] = {}
        self._raw_thoughts: dict[str, dict[int, list[str]]] = {}
        self._raw_growing: str | None = None
        self._annotations: dict[tuple[str, int], list[JSONObject]] = {}
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
        yield heading(document, created="created_at")
        for item in typed(document["output"], list):
            yield from self._whole(item)
        yield self._ending(document)

    # The response.

    def _created(self, document: JSONObject) -> Iterator[Item]:
        yield heading(document["response"], created="created_at")

    def _ending(self, response: JSONObject) -> ResponseInfo:
        raw = maybe(_reason, response)
        finish = _FINISH_REASONS.get(raw) if raw else None
        details = {key: response.get(key) for key in ("background", "moderation", "service_tier")}
        details |= {"finish_reason": raw, "refusal": "".join(self._refusal)}
        return ResponseInfo(
            finish_reason="content_filter" if self._refusal else finish,
            usage=maybe(_usage_of, response),
            provider_details={key: value for key, value in details.items() if value},
        )

    def _finished(self, document: JSONObject) -> Iterator[Item]:
        response = document["response"]
        yield heading(response, created="created_at")
        for item in response.get("output") or ():
            # Some items, such as a list of tools, are told to be done only here.
            if item.get("id") in self._started:
                yield from self._done(item)
        yield self._ending(response)
        yield End(final=True)

    def _failed(self, document: JSONObject) -> Iterator[Item]:
        if document["response"].get("error"):
            raise in_stream_error(document["response"], self._model_name)
        yield from self._finished(document)

    def _error(self, document: JSONObject) -> Iterator[Item]:
        raise in_stream_error(document, self._model_name)

    # Whole items.

    def _whole(self, item: JSONObject) -> Iterator[Item]:
        kind = item["type"]
        if kind == "message":
            yield from self._whole_message(item)
        elif kind == "reasoning":
            yield from self._whole_thought(item)
        elif kind == "function_call":
            yield self._call(item)
        elif kind == "tool_search_call":
            yield self._search(item)
        elif kind in NATIVE_ITEMS:
            native = NATIVE_ITEMS[kind](item, self._provider)
            yield WholePart(None, native.call)
            yield from _outcome(native)
        else:
            yield from self._rare(item)

    def _whole_message(self, item: JSONObject) -> Iterator[Item]:
        for number, content in enumerate(item["content"]):
            if content["type"] == "refusal":
                self._refusal = [typed(content["refusal"], str)]
            elif content.get("text"):
                details = maybe(_text_details, content) or {}
                if item.get("phase"):
                    details["phase"] = item["phase"]
                key = ("text", item["id"], number)
                yield text_chunk(key, content["text"], id=item["id"], details=details or None)

    def _whole_thought(self, item: JSONObject) -> Iterator[Item]:
        id, signature = item["id"], item.get("encrypted_content") or None
        raw = [content["text"] for content in item.get("content") or ()]
        details = {"raw_content": raw} if raw else None
        texts = [summary["text"] for summary in item.get("summary") or ()]
        if signature or details:
            texts = texts or [""]
        for number, text in enumerate(texts):
            yield thinking_chunk(
                _thought_key(id, number),
                text,
                id=id,
                signature=signature,
                provider_name=self._provider,
                details=details,
            )
            # They belong to the item; one of its parts is enough to send them back.
            signature = details = None

    def _call(self, item: JSONObject) -> Item:
        namespace = item.get("namespace")
        return tool_call_chunk(
            item.get("id") or item["call_id"],
            name=item["name"],
            args=item.get("arguments") or "",
            call_id=item["call_id"],
            id=item.get("id"),
            details={"namespace": namespace} if namespace else None,
        )

    def _search(self, item: JSONObject, *, started: bool = False) -> Item:
        """Read a search for tools: the provider's own, or one that it asks the program for."""
        call_id = item.get("call_id") or item["id"]
        args = None if started else _queries(item["arguments"])
        if item.get("execution") == "client":
            return tool_call_chunk(
                item["id"], name=_CLIENT_TOOL_SEARCH, args=args, call_id=call_id, id=item["id"]
            )
        if item.get("call_id") is None:
            self._searches.append(call_id)
        call = BuiltinToolCallPart(
            TOOL_SEARCH,
            args,
            call_id,
            id=item["id"],
            provider_name=self._provider,
            provider_details=_search_details(item),
        )
        return WholePart(item["id"], call)

    def _rare(self, item: JSONObject) -> Iterator[Item]:
        if item["type"] == "tool_search_output" and item.get("execution") == "server":
            yield WholePart(None, self._found_tools(item))
        elif item["type"] == _COMPACTION:
            kept = {"content": None, "id": item.get("id"), "provider_name": self._provider}
            yield WholePart(
                None, OpaquePart({**kept, "provider_details": item, "part_kind": _COMPACTION})
            )

    def _found_tools(self, item: JSONObject) -> BuiltinToolReturnPart:
        call_id = item.get("call_id")
        if call_id is None:
            call_id = self._searches.popleft() if self._searches else item["id"]
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
        item = document["item"]
        kind, id = item["type"], item.get("id")
        if kind == "message" and item.get("phase"):
            self._phases[id] = item["phase"]
        elif kind == "function_call":
            self._sent[id] = len(item.get("arguments") or "")
            self._started.add(id)
            yield self._call(item)
        elif kind == "tool_search_call":
            self._started.add(id)
            yield self._search(item, started=True)
        elif kind in NATIVE_ITEMS:
            self._started.add(id)
            yield from self._native_started(kind, item)

    def _native_started(self, kind: str, item: JSONObject) -> Iterator[Item]:
        call = NATIVE_ITEMS[kind](item, self._provider).call
        cut = ARGS_CUT.get(kind)
        if cut is None and kind not in ARGS_LATE:
            yield WholePart(item["id"], call)
            return
        yield WholePart(item["id"], attrs.evolve(call, args=None))
        if cut is not None:
            yield self._more_args(item["id"], call.args_as_json_str().removesuffix(cut))

    def _more_args(self, id: str, text: str) -> Item:
        self._sent[id] = self._sent.get(id, 0) + len(text)
        return tool_call_chunk(id, args=text)

    def _item_done(self, document: JSONObject) -> Iterable[Item]:
        return self._done(document["item"])

    def _done(self, item: JSONObject) -> Iterator[Item]:
        kind, id = item["type"], item.get("id")
        if kind == "reasoning":
            yield from self._thought_done(item)
        elif kind == "message":
            # A server that sends no text in pieces sends it here.
            yield from () if self._texts else self._whole_message(item)
        elif kind not in (*NATIVE_ITEMS, *_CALLS):
            yield from self._rare(item)
        elif id not in self._started:
            yield from self._whole(item)
        elif kind == "function_call":
            yield from self._rest_of_args(id, item["arguments"])
        elif kind == "tool_search_call":
            yield self._search_done(item)
        else:
            yield from self._native_done(kind, item)
        self._started.discard(id)

    def _search_done(self, item: JSONObject) -> Item:
        args = _queries(item["arguments"])
        if item.get("execution") == "client":
            # A call of a function as any other: its arguments are text in a stream.
            return tool_call_chunk(item["id"], args=to_json(args), call_id=item.get("call_id"))
        return tool_call_chunk(item["id"], args=args, details=_search_details(item))

    def _native_done(self, kind: str, item: JSONObject) -> Iterator[Item]:
        native = NATIVE_ITEMS[kind](item, self._provider)
        if kind in ARGS_CUT:
            yield from self._rest_of_args(item["id"], args_text(kind, item, native.call))
        elif kind in ARGS_LATE and native.call.args is not None:
            yield tool_call_chunk(item["id"], args=native.call.args)
        yield from _outcome(native)

    def _rest_of_args(self, id: str, whole: str) -> Iterator[Item]:
        """Add what no delta has brought: some servers send arguments only when they are done."""
        rest = whole[self._sent.get(id, 0) :]
        if rest:
            yield self._more_args(id, rest)

    def _grown(self, document: JSONObject, text: str) -> Iterator[Item]:
        # An item that was not told to start is taken when it is done.
        if document["item_id"] in self._started:
            yield self._more_args(document["item_id"], text)

    def _args_delta(self, document: JSONObject) -> Iterator[Item]:
        return self._grown(document, typed(document["delta"], str))

    def _args_done(self, document: JSONObject) -> Iterator[Item]:
        if document["item_id"] in self._started:
            yield from self._rest_of_args(document["item_id"], typed(document["arguments"], str))

    def _code_delta(self, document: JSONObject) -> Iterator[Item]:
        # The code is a string inside the JSON of the arguments.
        return self._grown(document, to_json(typed(document["delta"], str))[1:-1])

    def _code_done(self, document: JSONObject) -> Iterator[Item]:
        return self._grown(document, ARGS_END["code_interpreter_call"])

    def _mcp_done(self, document: JSONObject) -> Iterator[Item]:
        return self._grown(document, ARGS_END["mcp_call"])

    # Thoughts.

    def _summary_added(self, document: JSONObject) -> Iterator[Item]:
        yield self._thought(document, document["part"]["text"])

    def _summary_delta(self, document: JSONObject) -> Iterator[Item]:
        yield self._thought(document, document["delta"])

    def _thought(self, document: JSONObject, text: Any) -> Item:
        id = document["item_id"]
        key = _thought_key(id, document.get("summary_index") or 0)
        return thinking_chunk(key, text, id=id, provider_name=self._provider)

    def _raw_thought_delta(self, document: JSONObject) -> Iterator[Item]:
        # Raw thoughts are no text of the part. Each delta shows that the model is at it, and
        # the last one brings the whole: to bring it each time would take quadratic space.
        id, delta = document["item_id"], typed(document["delta"], str)
        if self._raw_growing is not None and self._raw_growing != id:
            yield self._raw_thought_whole(self._raw_growing)
        known = id in self._raw_thoughts
        texts = self._raw_thoughts.setdefault(id, {})
        texts.setdefault(document.get("content_index") or 0, []).append(delta)
        if not known:
            yield self._raw_thought(id, [delta])
        elif self._raw_growing:
            yield self._raw_thought(id, None)
        self._raw_growing = id if known else None

    def _raw_thought_whole(self, id: str) -> Item:
        self._raw_growing = None
        return self._raw_thought(id, ["".join(texts) for texts in self._raw_thoughts[id].values()])

    def _raw_thought(self, id: str, texts: list[str] | None) -> Item:
        details = {"raw_content": texts} if texts else None
        key = _thought_key(id, 0)
        return thinking_chunk(key, id=id, provider_name=self._provider, details=details)

    def _thought_done(self, item: JSONObject) -> Iterator[Item]:
        id, signature = item["id"], item.get("encrypted_content") or None
        raw = [content["text"] for content in item.get("content") or ()]
        details = {"raw_content": raw} if raw and id not in self._raw_thoughts else None
        if signature or details:
            yield thinking_chunk(
                _thought_key(id, 0),
                id=id,
                signature=signature,
                provider_name=self._provider,
                details=details,
            )

    # Texts.

    def _text_delta(self, document: JSONObject) -> Iterator[Item]:
        id = document["item_id"]
        # Some gateways send null where there is nothing to say.
        if document.get("delta") is not None:
            phase = self._phases.pop(id, None)
            details = {"phase": phase} if phase else None
            self._texts.add(_text_key(document))
            yield text_chunk(_text_key(document), document["delta"], id=id, details=details)

    def _text_done(self, document: JSONObject) -> Iterator[Item]:
        annotations = self._annotations.pop(_text_key(document)[1:], [])
        details = maybe(_text_details, {**document, "annotations": annotations})
        if details and document.get("text"):
            yield text_chunk(_text_key(document), "", id=document["item_id"], details=details)

    def _annotation(self, document: JSONObject) -> Iterator[Item]:
        key = _text_key(document)[1:]
        self._annotations.setdefault(key, []).append(document["annotation"])
        return iter(())

    def _refusal_delta(self, document: JSONObject) -> Iterator[Item]:
        self._refusal.append(typed(document["delta"], str))
        return iter(())

    def _refusal_done(self, document: JSONObject) -> Iterator[Item]:
        self._refusal = [typed(document["refusal"], str)]
        return iter(())


_CALLS = ("function_call", "tool_search_call")
_CITATIONS = ("file_citation", "url_citation")

_FRAMES: dict[str, Callable[[ResponsesReader, JSONObject], Iterable[Item]]] = {
    "error": ResponsesReader._error,
    "response.code_interpreter_call_code.delta": ResponsesReader._code_delta,
    "response.code_interpreter_call_code.done": ResponsesReader._code_done,
    "response.completed": ResponsesReader._finished,
    "response.created": ResponsesReader._created,
    "response.failed": ResponsesReader._failed,
    "response.function_call_arguments.delta": ResponsesReader._args_delta,
    "response.function_call_arguments.done": ResponsesReader._args_done,
    "response.incomplete": ResponsesReader._finished,
    "response.mcp_call_arguments.delta": ResponsesReader._args_delta,
    "response.mcp_call_arguments.done": ResponsesReader._mcp_done,
    "response.output_item.added": ResponsesReader._item_added,
    "response.output_item.done": ResponsesReader._item_done,
    "response.output_text.annotation.added": ResponsesReader._annotation,
    "response.output_text.delta": ResponsesReader._text_delta,
    "response.output_text.done": ResponsesReader._text_done,
    "response.reasoning_summary_part.added": ResponsesReader._summary_added,
    "response.reasoning_summary_text.delta": ResponsesReader._summary_delta,
    "response.reasoning_text.delta": ResponsesReader._raw_thought_delta,
    "response.refusal.delta": ResponsesReader._refusal_delta,
    "response.refusal.done": ResponsesReader._refusal_done,
}


def _reason(response: JSONObject) -> str:
    incomplete = response.get("incomplete_details") or {}
    return typed(incomplete.get("reason") or response["status"], str)


def _outcome(native: Native) -> Iterator[Item]:
    for file in native.files:
        yield WholePart(None, file)
    yield WholePart(None, native.result)


def _text_key(document: JSONObject) -> tuple[str, str, int]:
    return ("text", document["item_id"], document.get("content_index") or 0)


def _thought_key(id: str, number: int) -> tuple[str, str, int]:
    return ("thought", id, number)


def _text_details(content: JSONObject) -> JSONObject:
    annotations = content.get("annotations") or ()
    details = {
        "citations": [each for each in annotations if each["type"] in _CITATIONS],
        "logprobs": [_logprob(each) for each in content.get("logprobs") or ()],
    }
    return {key: value for key, value in details.items() if value}


def _search_details(item: JSONObject) -> JSONObject:
    return {key: item.get(key) for key in ("call_id", "execution", "status")}


def _queries(arguments: JSONObject) -> JSONObject:
    """Return a search's arguments in one form: the provider's own searches name `paths`."""
    return {"queries": arguments.get("queries") or arguments.get("paths") or []}


def _logprob(token: JSONObject) -> JSONObject:
    keys = ("token", "logprob", "bytes")
    top = [{key: each.get(key) for key in keys} for each in token.get("top_logprobs") or ()]
    return {key: token.get(key) for key in keys} | {"top_logprobs": top}


_TOTALS = ("input_tokens", "output_tokens", "total_tokens")


def _usage_of(response: JSONObject) -> RequestUsage | None:
    """Return the `usage` of a response object, None where it tells none."""
    usage = response.get("usage")
    if not usage:
        return None
    read = usage.get("input_tokens_details") or {}
    written = usage.get("output_tokens_details") or {}
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
