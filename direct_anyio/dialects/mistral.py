"""Mistral's chat protocol.

Facts: Mistral's API reference for `POST /v1/chat/completions`, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen

from .._core.codec import HTTPCall, JSONObject
from ..content import (
    BinaryContent,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    MultiModalContent,
    is_text_like,
)
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelResponse
from ..parts import ThinkingPart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ._chat import FINISH_REASONS, ChatCodec, offer, refuse_builtin_tools
from ._chat_messages import ChatWriter, image_piece, text_piece
from ._chat_reader import ChatReader
from ._messages import media_type_of
from ._openai import marked_text
from ._shared import mapped_settings

__all__ = ("MistralCodec", "MistralModelProfile", "MistralModelSettings")


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


@frozen(repr=False, kw_only=True)
class MistralModelProfile(ModelProfile):
    """What a model at Mistral takes.

    Fact: the API's error 3280, "Tool call id has to be defined ... a-z, A-Z, 0-9, with a
    length of 9".
    """

    tool_call_id_pattern: str | None = r"[a-zA-Z0-9]{9}"


def own_profile(profile: ModelProfile | None) -> MistralModelProfile:
    """Return a profile as one with the keys of this dialect; a converter must be a function."""
    return MistralModelProfile.from_profile(profile)


@frozen(kw_only=True)
class MistralCodec(ChatCodec):
    """Speaks Mistral's protocol."""

    settings_prefix: ClassVar[str] = "mistral"

    profile: MistralModelProfile = field(converter=own_profile)

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
        written: list[JSONObject] = []
        for message in MistralWriter(self).conversation(messages, parameters):
            if message["role"] == "user" and written and written[-1]["role"] == "tool":
                # Mistral requires a message of the assistant between a tool's and the user's.
                content = [text_piece("OK")]
                written.append({"role": "assistant", "content": content, "prefix": False})
            written.append(message)
        body: JSONObject = {
            "model": self.model_name,
            "messages": written,
            "stream": stream,
        }
        tools = offer(settings, parameters)
        # With 'none', tools that are offered garble the answer.
        body |= {} if tools.get("tool_choice") == "none" else tools
        if parameters.output_mode == "prompted" and self.profile.supports_json_object_output:
            body["response_format"] = {"type": "json_object"}
        body |= self._thinking(settings) | mapped_settings(settings, _SETTINGS)
        return HTTPCall("/v1/chat/completions", body)

    def reader(self, parameters: ModelRequestParameters) -> MistralReader:
        """Return a reader of one response."""
        return MistralReader(self.model_name, self.profile)

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded before it can be sent."""
        return item.force_download or (
            isinstance(item, DocumentUrl) and is_text_like(media_type_of(item))
        )

    def _thinking(self, settings: ModelSettings) -> JSONObject:
        thinking = settings.get("thinking")
        if thinking is None or not self.profile.supports_thinking:
            return {}
        return {"reasoning_effort": "none" if thinking is False else "high"}


class MistralWriter(ChatWriter):
    """Writes messages of Mistral's protocol."""

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return a file in a list of contents."""
        match item:
            case ImageUrl():
                return image_piece(item.url, item.vendor_metadata)
            case DocumentUrl(media_type="application/pdf"):
                return {"type": "document_url", "document_url": item.url}
            case BinaryContent(is_image=True):
                return image_piece(item.data_uri, item.vendor_metadata)
            case BinaryContent(media_type="application/pdf"):
                return {"type": "document_url", "document_url": item.data_uri}
            case BinaryContent() if is_text_like(item.media_type):
                return text_piece(marked_text(item))
        raise UserError(
            f"Mistral reads texts, images and PDFs, not {type(item).__name__} such as this"
        )

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a thought that says anything."""
        if part.content.strip():
            yield {"thinking": text_piece(part.content)}

    def assistant(self, members: Mapping[str, list[Any]]) -> Iterator[JSONObject]:
        """Yield the message of a response, its thoughts before its texts."""
        content: list[JSONObject] = []
        if "thinking" in members:
            content.append({"type": "thinking", "thinking": members["thinking"]})
        content.extend(map(text_piece, members.get("content", ())))
        calls = [call | {"index": 0} for call in members.get("tool_calls", ())]
        if content or calls:
            yield {"role": "assistant", "content": content, "tool_calls": calls, "prefix": False}


class MistralReader(ChatReader):
    """Reads one response of Mistral's, streamed or whole."""

    finish_reasons: ClassVar[Mapping[str, FinishReason]] = {
        **FINISH_REASONS,
        "model_length": "length",
    }
    nameless_calls_continue = True
