"""Mistral's chat protocol.

Facts: Mistral's API reference for `POST /v1/chat/completions`, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from attrs import frozen

from .._core.codec import (
    Codec,
    End,
    HTTPCall,
    Item,
    ResponseInfo,
    maybe,
    text_chunk,
    thinking_chunk,
    typed,
)
from ..content import (
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    TextContent,
    UserContent,
)
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelResponse
from ..parts import TextPart, ThinkingPart, ToolCallPart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from ._chat import (
    FINISH_REASONS,
    JSONObject,
    call_chunk,
    call_of,
    conversation,
    count,
    image_piece,
    members,
    moment,
    request_messages,
    text_piece,
    tool_of,
    tools_and_choice,
    undownloaded,
)
from ._openai import inlined, is_text_like

__all__ = ("MistralCodec", "MistralModelSettings")


class MistralModelSettings(ModelSettings, total=False):
    """Settings that only Mistral knows, beside the common ones.

    Attributes:
        mistral_prompt_cache_key: Groups requests that share a prefix.
    """

    mistral_prompt_cache_key: str


_SETTINGS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "random_seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "stop_sequences": "stop",
    "mistral_prompt_cache_key": "prompt_cache_key",
}

_FINISH_REASONS: dict[str, FinishReason] = {**FINISH_REASONS, "model_length": "length"}

# Models whose thinking can be switched; the others always think, or never do.
_ADJUSTABLE = ("mistral-small-latest", "mistral-small-2603", "mistral-medium-3-5")


@frozen(kw_only=True)
class MistralCodec(Codec):
    """Speaks Mistral's protocol.

    Attributes:
        model_name: The model.
        provider_name: The provider.
        profile: What the model can do.
    """

    model_name: str
    provider_name: str
    profile: ModelProfile

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `POST /v1/chat/completions`.

        Raises:
            UserError: A message holds something that this protocol cannot say.
        """
        if parameters.builtin_tools:
            names = ", ".join(type(tool).__name__ for tool in parameters.builtin_tools)
            raise UserError(f"Mistral's chat protocol knows no {names}")
        said = conversation(
            messages, parameters, lambda message: request_messages(message, _prompt), _response
        )
        body: JSONObject = {
            "model": self.model_name,
            "messages": list(_answered(said)),
            "stream": stream,
        }
        body |= _tools(settings, parameters)
        if parameters.output_mode == "prompted" and self.profile.supports_json_object_output:
            body["response_format"] = {"type": "json_object"}
        body |= self._thinking(settings) | members(settings, _SETTINGS)
        return HTTPCall("/v1/chat/completions", body)

    def reader(self, parameters: ModelRequestParameters) -> MistralReader:
        """Return a reader of one response."""
        return MistralReader()

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded before it can be sent."""
        is_text = isinstance(item, DocumentUrl) and is_text_like(item.media_type)
        return item.force_download or is_text

    def _thinking(self, settings: ModelSettings) -> JSONObject:
        thinking = settings.get("thinking")
        if thinking is None or not self.model_name.startswith(_ADJUSTABLE):
            return {}
        return {"reasoning_effort": "none" if thinking is False else "high"}


def _tools(settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
    offered, mode, name = tools_and_choice(settings, parameters)
    if not offered or mode == "none":
        # With 'none', tools that are offered garble the answer.
        return {}
    choice: Any = {"type": "function", "function": {"name": name}} if name else mode
    said = {"tools": [tool_of(tool) for tool in offered.values()], "tool_choice": choice}
    return said | members(settings, {"parallel_tool_calls": "parallel_tool_calls"})


def _answered(said: list[JSONObject]) -> Iterator[JSONObject]:
    """Put a word of the assistant's between a tool's and the user's, which Mistral wants."""
    for message, following in pairwise([*said, {"role": "end"}]):
        yield message
        if message["role"] == "tool" and following["role"] == "user":
            yield {"role": "assistant", "content": [text_piece("OK")], "prefix": False}


def _response(message: ModelResponse) -> Iterator[JSONObject]:
    thoughts: list[JSONObject] = []
    texts: list[JSONObject] = []
    calls: list[JSONObject] = []
    for part in message.parts:
        match part:
            case TextPart():
                texts.append(text_piece(part.content))
            case ThinkingPart():
                thoughts.append(text_piece(part.content))
            case ToolCallPart():
                calls.append(call_of(part) | {"index": 0})
    thinking = [{"type": "thinking", "thinking": thoughts}] if thoughts else []
    if thinking or texts or calls:
        yield {
            "role": "assistant",
            "content": thinking + texts,
            "tool_calls": calls,
            "prefix": False,
        }


def _prompt(content: str | Sequence[UserContent]) -> str | list[JSONObject]:
    if isinstance(content, str):
        return content
    return [_content(item) for item in content if not isinstance(item, CachePoint)]


def _content(item: UserContent) -> JSONObject:
    match item:
        case str():
            return text_piece(item)
        case TextContent():
            return text_piece(item.content)
        case FileUrl(force_download=True):
            raise undownloaded(item)
        case ImageUrl():
            return image_piece(item.url, item.vendor_metadata)
        case DocumentUrl(media_type="application/pdf"):
            return {"type": "document_url", "document_url": item.url}
        case BinaryContent() if item.is_image:
            return image_piece(item.data_uri, item.vendor_metadata)
        case BinaryContent(media_type="application/pdf"):
            return {"type": "document_url", "document_url": item.data_uri}
        case BinaryContent() if is_text_like(item.media_type):
            return text_piece(inlined(item.data.decode(errors="replace"), item))
    raise UserError(f"Mistral reads texts, images and PDFs, no {type(item).__name__} such as this")


class MistralReader:
    """Reads one response of Mistral's, streamed or whole."""

    def __init__(self) -> None:
        self._headed = False
        self._calls = 0

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one `chat.completion.chunk`."""
        if not self._headed:
            self._headed = True
            yield _heading(document)
        yield from _used(document)
        choices = document.get("choices")
        if choices:
            choice = typed(choices, list)[0]
            yield from self._message(choice["delta"])
            if choice.get("finish_reason"):
                yield from _finish(choice["finish_reason"])

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a `chat.completion`."""
        choice = document["choices"][0]
        yield _heading(document)
        yield from _used(document)
        yield from self._message(choice["message"])
        yield from _finish(choice["finish_reason"])

    def _message(self, message: JSONObject) -> Iterator[Item]:
        yield from _contents(message.get("content"))
        for call in typed(message.get("tool_calls") or [], list):
            # Calls come whole, and their indexes cannot be told from each other.
            self._calls += 1
            yield call_chunk(self._calls, call)


def _contents(content: Any) -> Iterator[Item]:
    if isinstance(content, str) and content:
        yield text_chunk("content", content)
    for piece in content if isinstance(content, list) else ():
        match piece.get("type"):
            case "text":
                yield text_chunk("content", piece["text"])
            case "thinking":
                for thought in piece["thinking"]:
                    if thought.get("type") == "text":
                        yield thinking_chunk("thinking", thought["text"])


def _heading(document: JSONObject) -> ResponseInfo:
    created = maybe(moment, document.get("created") or None)
    return ResponseInfo(
        model_name=document.get("model") or None,
        provider_response_id=document.get("id") or None,
        provider_details=None if created is None else {"timestamp": created},
    )


def _used(document: JSONObject) -> Iterator[Item]:
    usage = document.get("usage")
    if usage is not None:
        used = RequestUsage(
            input_tokens=count(typed(usage, dict).get("prompt_tokens")),
            output_tokens=count(usage.get("completion_tokens")),
        )
        yield ResponseInfo(usage=used)


def _finish(reason: str) -> Iterator[Item]:
    finish = _FINISH_REASONS.get(reason)
    yield ResponseInfo(finish_reason=finish, provider_details={"finish_reason": reason})
    yield End(final=False)
