"""Reads what the Responses protocol of OpenAI answers: its output items, streamed or whole.

A text, a thought or a call grows with its frames, and what is sent whole at the end completes
what came in pieces.

Facts: OpenAI's API reference for the response object and for its streaming events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._core.codec import (
    Item,
    JSONObject,
    Mark,
    Reader,
    ResponseInfo,
    StreamEnd,
    WholePart,
    count,
    dictionary,
    expect_type,
    index_of,
    maybe,
    text_chunk,
    text_of,
    thinking_chunk,
)
from .._core.failures import in_stream_error
from ..messages import FinishReason
from ..parts import OpaquePart
from ..usage import RequestUsage
from ._responses_calls import CALL_FRAMES, Calls
from ._responses_growth import GrowingText, listed
from ._responses_items import EXTENDED, OutputItem, OutputItems
from ._shared import heading, logprob

__all__ = ("ResponsesReader",)

_COMPACTION = "compaction"

_FINISH_REASONS: dict[str, FinishReason] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "cancelled": "error",
    "failed": "error",
}


class ResponsesReader(Reader):
    """Reads one response; what is sent whole at the end completes what came in pieces.

    Args:
        provider_name: The provider, which thoughts and built-in calls are marked with.
        model_name: The model, for errors.
    """

    stream_end = StreamEnd.EVENT

    def __init__(self, provider_name: str, model_name: str) -> None:
        self._provider = provider_name
        self._model_name = model_name
        self._refusals: dict[tuple[int, int], GrowingText] = {}
        self._items = OutputItems()
        self._calls = Calls(self._items, provider_name)
        self._raw_growing: OutputItem | None = None

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one event of a stream, or a response object where a server sends that."""
        frame_type = document.get("type") or event
        if frame_type in self.events and frame_type not in _RAW_FRAMES:
            yield from self._raw_paused()
        if frame_type in _FRAMES:
            yield from _FRAMES[frame_type](self, document)
        elif frame_type in CALL_FRAMES:
            yield from CALL_FRAMES[frame_type](self._calls, document)
        elif (
            frame_type == "message"
            and document.get("object") == "response"
            and "output" in document
        ):
            if document.get("status") in _UNFINISHED:
                yield heading(document, created="created_at")
            else:
                yield from self._finished(document)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a response object."""
        expect_type(document["output"], list)
        return self._response(document)

    def end(self) -> Iterator[Item]:
        """Return what was held back, as no more frames will come."""
        for known in self._items.all:
            yield from self._calls.held(known)
            yield from self._raw_untold(known)

    # The response.

    def created(self, document: JSONObject) -> Iterator[Item]:
        """Read the head of a response."""
        yield heading(dictionary(document.get("response")), created="created_at")

    def _finished(self, document: JSONObject) -> Iterator[Item]:
        response = document if "output" in document else document["response"]
        yield from self._response(expect_type(response, dict))
        yield Mark.LAST

    def _response(self, response: JSONObject) -> Iterator[Item]:
        """Read a response as a whole: what of it has not come in pieces."""
        if response.get("status") == "failed" or response.get("error"):
            raise in_stream_error(response, self._model_name)
        yield heading(response, created="created_at")
        output = [item for item in response.get("output") or () if item is not None]
        for known, item in self._items.matched(output):
            yield from self._done(known or self._items.begin(item), item)
        for known in self._items.all:
            yield from self._calls.closed(known)
            if known.item_type == "function_call" and known.is_started and not known.name:
                raise TypeError("a call has no name")
        yield from self.end()
        yield from self._ending(response)

    def _ending(self, response: JSONObject) -> Iterator[Item]:
        raw = maybe(_reason, response)
        finish = _FINISH_REASONS.get(raw) if raw else None
        details = {key: response.get(key) for key in ("background", "moderation", "service_tier")}
        refused = (each.text for each in self._refusals.values())
        details |= {"finish_reason": raw, "refusal": "\n".join(filter(None, refused))}
        yield ResponseInfo(
            finish_reason="content_filter" if self._refusals else finish,
            usage=maybe(_usage_of, response),
            provider_details={key: value for key, value in details.items() if value},
            suspended=response.get("status") in _UNFINISHED,
        )
        yield Mark.FINISHED

    def failed_response(self, document: JSONObject) -> Iterator[Item]:
        """Raise the error of a response that failed."""
        raise in_stream_error(document.get("response") or document, self._model_name)

    # Items.

    def output_item_added(self, document: JSONObject) -> Iterator[Item]:
        """Read the start of an item."""
        item, index = expect_type(document["item"], dict), document.get("output_index")
        item_type = item["type"]
        if item_type not in EXTENDED:
            return
        known = self._items.repeated(item, index)
        if known is not None:
            yield from self._calls.repeated(known, item)
            return
        known = self._items.begin(item, index)
        known.is_announced = True
        if item_type == "message":
            known.phase = item.get("phase")
        elif item_type != "reasoning":
            yield from self._calls.started(known, item)

    def output_item_done(self, document: JSONObject) -> Iterator[Item]:
        """Read an item as a whole."""
        item, index = expect_type(document["item"], dict), document.get("output_index")
        known = self._items.finished(item, index)
        return self._done(known or self._items.begin(item, index), item)

    def _done(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Complete an item by its whole form; add all of it, where none is known."""
        was_done = known.is_done
        if known.item_type == "message":
            yield from self._message(known, item)
        elif known.item_type == "reasoning":
            yield from self._whole_thought(known, item)
        elif known.item_type in EXTENDED:
            yield from self._calls.done(known, item)
        elif was_done:
            pass
        elif item["type"] == "tool_search_output" and item.get("execution") == "server":
            yield WholePart(None, self._calls.found_tools(item))
        elif item["type"] == _COMPACTION:
            kept = {"content": None, "id": item.get("id"), "provider_name": self._provider}
            yield WholePart(
                None, OpaquePart({**kept, "provider_details": item, "part_kind": _COMPACTION})
            )
        known.is_done = True

    # Thoughts.

    def _whole_thought(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Read a thought: what of its summaries has not come in pieces, and what proves it."""
        yield from self._raw_untold(known)
        rests = [
            known.raw.setdefault(number, GrowingText()).rest(text_of(content))
            for number, content in enumerate(listed(item.get("content")))
        ]
        details = _raw_content(known) if any(rests) else None
        known.is_raw_told = True if details else known.is_raw_told
        signature = item.get("encrypted_content")
        if known.is_proven or not isinstance(signature, str) or not signature:
            signature = None  # the final list has another one for the same thought
        known.is_proven = known.is_proven or bool(signature or details)
        texts = [text_of(summary) for summary in listed(item.get("summary"))]
        if signature or details:
            texts = texts or [""]
        for number, whole in enumerate(texts):
            is_new = number not in known.thoughts
            rest = known.thoughts.setdefault(number, GrowingText()).rest(whole)
            if rest or signature or details or (is_new and not known.is_started):
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

    def _summary_part(self, document: JSONObject) -> Iterator[Item]:
        return self._summary_whole(document, dictionary(document.get("part")).get("text"))

    def summary_text_done(self, document: JSONObject) -> Iterator[Item]:
        """Read a summary of a thought as a whole."""
        return self._summary_whole(document, document.get("text"))

    def _summary_whole(self, document: JSONObject, content: Any) -> Iterator[Item]:
        """Read a summary so far: what of it has not come in pieces."""
        text, number = text_of(content), _number(document, "summary_index")
        known = self._items.open(document, "reasoning", _begins("thoughts", number, text))
        is_new = number not in known.thoughts
        rest = known.thoughts.setdefault(number, GrowingText()).rest(text)
        if rest or is_new:
            yield self._thought(known, number, rest)

    def summary_text_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read a piece of a summary of a thought."""
        known, number = self._items.open(document, "reasoning"), _number(document, "summary_index")
        text = text_of(document.get("delta"))
        known.thoughts.setdefault(number, GrowingText()).add(text)
        yield self._thought(known, number, text)

    def _thought(self, known: OutputItem, number: int, text: str) -> Item:
        known.is_started = True
        key = ("thought", known.key, number)
        return thinking_chunk(key, text, id=known.id, provider_name=self._provider)

    # Raw thoughts are no text of the part. Each delta shows that the model is at it; the whole
    # comes once as other events come, and with the end: more often would be quadratic.

    def reasoning_text_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read a piece of a raw thought."""
        known, number = self._items.open(document, "reasoning"), _number(document, "content_index")
        known.raw.setdefault(number, GrowingText()).add(text_of(document.get("delta")))
        return self._raw_grown(known)

    def _raw_done(self, document: JSONObject) -> Iterator[Item]:
        text, number = text_of(document.get("text")), _number(document, "content_index")
        known = self._items.open(document, "reasoning", _begins("raw", number, text))
        rest = known.raw.setdefault(number, GrowingText()).rest(text)
        return self._raw_grown(known) if rest else iter(())

    def _raw_grown(self, known: OutputItem) -> Iterator[Item]:
        known.is_started = True
        if known.is_raw_told is None:
            yield from self._raw_paused()
            self._raw_growing, known.is_raw_told = known, True
            yield self._raw_thought(known, _raw_content(known))
            return
        if not known.is_raw_told:
            yield self._raw_thought(known, None)
        known.is_raw_told = False

    def _raw_paused(self) -> Iterator[Item]:
        known, self._raw_growing = self._raw_growing, None
        return iter(()) if known is None else self._raw_untold(known)

    def _raw_untold(self, known: OutputItem) -> Iterator[Item]:
        if known.is_raw_told is False:
            known.is_raw_told = True
            yield self._raw_thought(known, _raw_content(known))

    def _raw_thought(self, known: OutputItem, details: JSONObject | None) -> Item:
        key = ("thought", known.key, 0)
        return thinking_chunk(key, id=known.id, provider_name=self._provider, details=details)

    # Texts.

    def _message(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Read a message: what of its texts has not come in pieces."""
        for number, piece in enumerate(listed(item.get("content"))):
            if piece is None:
                continue
            content = {"text": piece} if isinstance(piece, str) else expect_type(piece, dict)
            if content.get("type") == "refusal":
                self._whole_refusal(known, number, content)
            elif content.get("text"):
                yield from self._rest_of_text(known, number, content, item.get("phase"))

    def _rest_of_text(
        self, known: OutputItem, number: int, content: JSONObject, phase: Any = None
    ) -> Iterator[Item]:
        text = known.texts.setdefault(number, GrowingText())
        is_new = not text.pieces
        rest = text.rest(expect_type(content["text"], str))
        details: JSONObject | None = None
        if not text.has_details:
            annotations = map(dictionary, listed(content.get("annotations")))
            found = {
                "citations": [each for each in annotations if each.get("type") in _CITATIONS],
                "logprobs": [logprob(each) for each in listed(content.get("logprobs"))],
            }
            details = {key: value for key, value in found.items() if value}
        text.has_details = text.has_details or bool(details)
        if is_new and phase:
            details = (details or {}) | {"phase": phase}
        if rest or details:
            key = ("text", known.key, number)
            yield text_chunk(key, rest, id=known.id, details=details or None)

    def output_text_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read a piece of a text."""
        delta = document.get("delta", document.get("text"))
        # Some gateways send null where there is nothing to say.
        if delta is None:
            return
        known, number = self._items.open(document, "message"), _number(document, "content_index")
        phase, known.phase = known.phase, None
        details = {"phase": phase} if phase else None
        known.texts.setdefault(number, GrowingText()).add(expect_type(delta, str))
        yield text_chunk(("text", known.key, number), delta, id=known.id, details=details)

    def _text_done(self, document: JSONObject) -> Iterator[Item]:
        text, number = document.get("text"), _number(document, "content_index")
        if not text:
            return
        fits = _begins("texts", number, expect_type(text, str))
        known = self._items.open(document, "message", fits)
        annotations = known.annotations.pop(number, []) or document.get("annotations")
        phase, known.phase = known.phase, None
        content = {**document, "annotations": annotations}
        yield from self._rest_of_text(known, number, content, phase)

    def content_part_done(self, document: JSONObject) -> Iterable[Item]:
        """Read a part of an item: a text, a refusal or a raw thought, as its own event tells it."""
        part = dictionary(document.get("part"))
        read = _PARTS.get(str(part.get("type")))
        return read(self, part | _place(document)) if read else ()

    def annotation_added(self, document: JSONObject) -> Iterator[Item]:
        """Read a citation."""
        known, number = self._items.open(document, "message"), _number(document, "content_index")
        known.annotations.setdefault(number, []).append(dictionary(document.get("annotation")))
        return iter(())

    def refusal_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read a piece of a refusal."""
        known, number = self._items.open(document, "message"), _number(document, "content_index")
        self._refusal(known, number).add(expect_type(document.get("delta") or "", str))
        return iter(())

    def _refusal_done(self, document: JSONObject) -> Iterator[Item]:
        known, number = self._items.open(document, "message"), _number(document, "content_index")
        self._whole_refusal(known, number, document)
        return iter(())

    def _whole_refusal(self, known: OutputItem, number: int, content: JSONObject) -> None:
        text = content.get("refusal") or content.get("text") or ""
        self._refusal(known, number).rest(expect_type(text, str))

    def _refusal(self, known: OutputItem, number: int) -> GrowingText:
        return self._refusals.setdefault((known.key, number), GrowingText())


_CITATIONS = ("file_citation", "url_citation")
_UNFINISHED = ("queued", "in_progress")

_Frame = Callable[[ResponsesReader, JSONObject], Iterable[Item]]

_PARTS: dict[str, _Frame] = {
    "output_text": ResponsesReader._text_done,
    "reasoning_text": ResponsesReader._raw_done,
    "refusal": ResponsesReader._refusal_done,
    "text": ResponsesReader._text_done,
}

_FRAMES: dict[str, _Frame] = {
    "response.completed": ResponsesReader._finished,
    "response.content_part.done": ResponsesReader.content_part_done,
    "response.created": ResponsesReader.created,
    "response.failed": ResponsesReader.failed_response,
    "response.incomplete": ResponsesReader._finished,
    "response.output_item.added": ResponsesReader.output_item_added,
    "response.output_item.done": ResponsesReader.output_item_done,
    "response.output_text.annotation.added": ResponsesReader.annotation_added,
    "response.output_text.delta": ResponsesReader.output_text_delta,
    "response.output_text.done": ResponsesReader._text_done,
    "response.reasoning_summary_part.added": ResponsesReader._summary_part,
    "response.reasoning_summary_part.done": ResponsesReader._summary_part,
    "response.reasoning_summary_text.delta": ResponsesReader.summary_text_delta,
    "response.reasoning_summary_text.done": ResponsesReader.summary_text_done,
    "response.reasoning_text.delta": ResponsesReader.reasoning_text_delta,
    "response.reasoning_text.done": ResponsesReader._raw_done,
    "response.refusal.delta": ResponsesReader.refusal_delta,
    "response.refusal.done": ResponsesReader._refusal_done,
}

_RAW_FRAMES = (
    "response.content_part.done",
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
)
"""The events of raw thoughts."""

ResponsesReader.events = frozenset((*_FRAMES, *CALL_FRAMES))


def _number(document: JSONObject, name: str) -> int:
    """Return which text of its item an event is about."""
    return index_of(document.get(name)) or 0


def _begins(texts: str, number: int, whole: str) -> Callable[[OutputItem], bool] | None:
    """Return what tells whether an item has a text that begins as a whole one; None for no text."""

    def fits(known: OutputItem) -> bool:
        text: GrowingText | None = getattr(known, texts).get(number)
        return text is None or text.fits(whole)

    return fits if whole else None


def _raw_content(known: OutputItem) -> JSONObject:
    return {"raw_content": [known.raw[number].text for number in sorted(known.raw)]}


def _place(document: JSONObject) -> JSONObject:
    """Return what tells which text an event is about."""
    names = ("output_index", "content_index", "item_id")
    return {name: document[name] for name in names if name in document}


def _reason(response: JSONObject) -> str:
    incomplete = dictionary(response.get("incomplete_details"))
    return expect_type(incomplete.get("reason") or response["status"], str)


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
    # Searches that are billed: opening a page is none.
    billed = dictionary(dictionary(response.get("tool_usage")).get("web_search"))
    searches = count(billed.get("num_requests"))
    if billed.get("num_requests") is None:
        items = map(dictionary, listed(response.get("output")))
        actions = (each.get("action") for each in items if each.get("type") == "web_search_call")
        searches = sum(dictionary(action).get("type") == "search" for action in actions)
    return RequestUsage(
        input_tokens=count(usage.get("input_tokens")),
        output_tokens=count(usage.get("output_tokens")),
        cache_read_tokens=count(read.get("cached_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        details=details | ({"web_search_requests": searches} if searches else {}),
    )
