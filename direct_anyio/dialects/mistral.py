"""Mistral's chat protocol.

Facts: Mistral's API reference for `POST /v1/chat/completions`, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from attrs import frozen

from .._core.codec import HTTPCall, Item, ResponseInfo, text_chunk, thinking_chunk, typed
from ..content import BinaryContent, DocumentUrl, FileUrl, ImageUrl, MultiModalContent
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelResponse
from ..parts import TextPart, ThinkingPart
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from ._chat import (
    FINISH_REASONS,
    ChatCodec,
    JSONObject,
    call_chunk,
    call_of,
    conversation,
    count,
    finish,
    heading,
    image_piece,
    members,
    offer,
    refuse_builtin_tools,
    text_piece,
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
class MistralCodec(ChatCodec):
    """Speaks Mistral's protocol."""

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
        refuse_builtin_tools(parameters, "Mistral's chat protocol")
        said = conversation(messages, parameters, _file, _response)
        body: JSONObject = {
            "model": self.model_name,
            "messages": list(_answered(said)),
            "stream": stream,
        }
        tools = offer(settings, parameters)
        # With 'none', tools that are offered garble the answer.
        body |= {} if tools.get("tool_choice") == "none" else tools
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


def _answered(said: list[JSONObject]) -> Iterator[JSONObject]:
    """Put a word of the assistant's between a tool's and the user's, which Mistral wants."""
    for message, following in pairwise([*said, {"role": "end"}]):
        yield message
        if message["role"] == "tool" and following["role"] == "user":
            yield {"role": "assistant", "content": [text_piece("OK")], "prefix": False}


def _response(message: ModelResponse) -> Iterator[JSONObject]:
    thoughts: list[JSONObject] = []
    texts: list[JSONObject] = []
    for part in message.parts:
        match part:
            case TextPart():
                texts.append(text_piece(part.content))
            case ThinkingPart():
                thoughts.append(text_piece(part.content))
    calls = [call_of(part) | {"index": 0} for part in message.tool_calls]
    thinking = [{"type": "thinking", "thinking": thoughts}] if thoughts else []
    if thinking or texts or calls:
        yield {
            "role": "assistant",
            "content": thinking + texts,
            "tool_calls": calls,
            "prefix": False,
        }


def _file(item: MultiModalContent) -> JSONObject:
    match item:
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
            yield heading(document)
        yield from _used(document)
        choices = document.get("choices")
        if choices:
            choice = typed(choices, list)[0]
            yield from self._message(choice["delta"])
            if choice.get("finish_reason"):
                yield from finish(choice["finish_reason"], _FINISH_REASONS)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a `chat.completion`."""
        choice = document["choices"][0]
        yield heading(document)
        yield from _used(document)
        yield from self._message(choice["message"])
        yield from finish(choice["finish_reason"], _FINISH_REASONS)

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


def _used(document: JSONObject) -> Iterator[Item]:
    usage = document.get("usage")
    if usage is not None:
        used = RequestUsage(
            input_tokens=count(typed(usage, dict).get("prompt_tokens")),
            output_tokens=count(usage.get("completion_tokens")),
        )
        yield ResponseInfo(usage=used)
