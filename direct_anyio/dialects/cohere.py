"""Cohere's chat protocol, version 2.

Facts: Cohere's API reference for `POST /v2/chat`, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from .._core.codec import (
    HTTPCall,
    Item,
    JSONObject,
    Mark,
    Reader,
    ResponseInfo,
    StreamEnd,
    count,
    dictionary,
    expect_type,
    index_of,
    reason_of,
    text_chunk,
    text_of,
    thinking_chunk,
)
from .._core.failures import in_stream_error
from .._core.identity import ToolCalls
from ..content import MultiModalContent
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelResponse
from ..parts import ThinkingPart
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from ._chat import ChatCodec, refuse_builtin_tools, tool_of, tools_and_choice
from ._chat_messages import ChatWriter, text_piece
from ._shared import mapped_settings

__all__ = ("CohereCodec",)

_SETTINGS = {
    "max_tokens": "max_tokens",
    "stop_sequences": "stop_sequences",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}

_FINISH_REASONS: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_call",
}

_FAILURES = ("ERROR", "ERROR_LIMIT", "ERROR_TOXIC", "TIMEOUT")

# Tokens of thinking for each level.
_BUDGETS = {
    "minimal": 512,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 31744,
}

_BILLED = ("input_tokens", "output_tokens", "search_units", "classifications")


@frozen(kw_only=True)
class CohereCodec(ChatCodec):
    """Speaks Cohere's protocol, whose answers do not name the model."""

    settings_prefix: ClassVar[str] = "cohere"

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `POST /v2/chat`.

        Raises:
            UserError: A message holds something that this protocol cannot say.
        """
        refuse_builtin_tools(parameters, "Cohere's chat protocol")
        body: JSONObject = {
            "model": self.model_name,
            "messages": CohereWriter(self).conversation(messages, parameters),
            "stream": stream,
        }
        body |= _tools(settings, parameters) | self._thinking(settings)
        return HTTPCall("/v2/chat", body | mapped_settings(settings, _SETTINGS))

    def reader(self, parameters: ModelRequestParameters) -> CohereReader:
        """Return a reader of one response."""
        return CohereReader(self.model_name)

    def _thinking(self, settings: ModelSettings) -> JSONObject:
        thinking = settings.get("thinking")
        if thinking is None or not self.profile.supports_thinking:
            return {}
        if isinstance(thinking, bool):
            return {"thinking": {"type": "enabled" if thinking else "disabled"}}
        return {"thinking": {"type": "enabled", "token_budget": _BUDGETS[thinking]}}


def _tools(settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
    offered, mode, name = tools_and_choice(settings, parameters)
    if name is not None:
        # No tool can be named, so it is the only one offered.
        offered = {name: offered[name]}
    if not offered:
        return {}
    body: JSONObject = {"tools": [tool_of(tool) for tool in offered.values()]}
    for tool, definition in zip(body["tools"], offered.values(), strict=True):
        tool["function"]["description"] = definition.description
    return body if mode == "auto" else body | {"tool_choice": mode.upper()}


class CohereWriter(ChatWriter):
    """Writes messages of Cohere's protocol."""

    def file(self, item: MultiModalContent) -> JSONObject:
        """Refuse a file.

        Raises:
            UserError: Always: there are none in this protocol.
        """
        raise UserError(f"Cohere reads text alone, not {type(item).__name__}")

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a thought."""
        yield {"thinking": part.content}

    def assistant(self, members: Mapping[str, list[Any]]) -> Iterator[JSONObject]:
        """Yield the message of a response, its thoughts before its texts."""
        thought = "\n\n".join(members.get("thinking", ()))
        content: list[JSONObject] = []
        if thought.strip():
            content.append({"type": "thinking", "thinking": thought})
        if "content" in members:
            content.append(text_piece("\n\n".join(members["content"])))
        optional = {"content": content, "tool_calls": members.get("tool_calls")}
        written = {key: value for key, value in optional.items() if value}
        if written:
            yield {"role": "assistant"} | written


class CohereReader(Reader):
    """Reads one response of Cohere's, streamed or whole.

    Args:
        model_name: The model, for errors.
    """

    stream_end = StreamEnd.EVENT
    events: frozenset[str] = frozenset(
        (
            "message-start",
            "content-start",
            "content-delta",
            "tool-call-start",
            "tool-call-delta",
            "message-end",
        )
    )

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name
        self._calls = ToolCalls()

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one event of a stream."""
        delta = dictionary(document.get("delta"))
        message = dictionary(delta.get("message"))
        match document.get("type") or event:
            case "message-start":
                yield ResponseInfo(provider_response_id=document.get("id") or None)
            case "content-start" | "content-delta":
                yield from _contents(message.get("content"), document.get("index"))
            case "tool-call-start" | "tool-call-delta":
                yield from self._called(message.get("tool_calls"), document.get("index"))
            case "message-end":
                yield from _used(delta.get("usage"))
                yield from self._finish(delta, document)
                yield Mark.LAST
            case "message" if isinstance(document.get("message"), dict):
                yield from self.body(document)
                yield Mark.LAST

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a whole response."""
        message = expect_type(document["message"], dict)
        yield ResponseInfo(provider_response_id=document.get("id") or None)
        yield from _used(document.get("usage"))
        yield from _contents(message.get("content"), 0)
        yield from self._called(message.get("tool_calls"), 0)
        yield from self._finish(document, document)

    def _called(self, calls: Any, index: Any) -> Iterator[Item]:
        start = index_of(index)
        for number, call in enumerate(calls if isinstance(calls, list) else [calls]):
            if call is not None:
                yield self._call(None if start is None else start + number, call)

    def _call(self, index: Any, call: JSONObject) -> Item:
        function = dictionary(call.get("function"))
        name, args = function.get("name"), function.get("arguments")
        return self._calls.piece(index, call.get("id"), name, args)

    def _finish(self, holder: JSONObject, document: JSONObject) -> Iterator[Item]:
        reason = reason_of(holder.get("finish_reason"))
        if reason is None:
            return
        if reason.upper() in _FAILURES:
            raise in_stream_error(document | {"message": holder.get("error")}, self._model_name)
        details = {"finish_reason": reason}
        yield ResponseInfo(finish_reason=_FINISH_REASONS.get(reason), provider_details=details)
        yield Mark.FINISHED


def _contents(content: Any, index: Any) -> Iterator[Item]:
    """Read a content, or a list of them: thoughts and texts are parts of their own."""
    start = index_of(index) or 0
    for number, piece in enumerate(content if isinstance(content, list) else [content]):
        content = {"text": piece} if isinstance(piece, str) else dictionary(piece)
        thought = text_of(content.get("thinking"))
        if thought:
            yield thinking_chunk(("thinking", start + number), thought)
        if content.get("text"):
            yield text_chunk(("text", start + number), content["text"])


def _used(usage: Any) -> Iterator[Item]:
    if not isinstance(usage, dict):
        return
    tokens = dictionary(usage.get("tokens"))
    billed = dictionary(usage.get("billed_units"))
    used = RequestUsage(
        input_tokens=count(tokens.get("input_tokens")),
        output_tokens=count(tokens.get("output_tokens")),
        cache_read_tokens=count(usage.get("cached_tokens")),
        details={name: count(billed[name]) for name in _BILLED if billed.get(name)},
    )
    yield ResponseInfo(usage=used)
