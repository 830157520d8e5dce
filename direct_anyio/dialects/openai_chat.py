"""The Chat Completions protocol of OpenAI, which most gateways speak.

Facts: OpenAI's API reference for `POST /chat/completions`, and recorded traffic. What
gateways do otherwise is a key of `OpenAIModelProfile`, never a branch on a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen

from .._core.codec import HTTPCall, Item, JSONObject, ResponseInfo, text_of, thinking_chunk
from .._core.tool_choice import Choice, choice_of
from ..builtin_tools import WebSearchTool
from ..content import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    MultiModalContent,
    UploadedFile,
    is_text_like,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..parts import ThinkingPart, ToolCallPart
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, OutputObjectDefinition, ToolDefinition
from ._chat import ChatCodec, Quirks, response_format, tool_of
from ._chat_messages import ChatWriter, image_piece, text_piece
from ._chat_reader import ChatReader, has_text
from ._messages import Pieces
from ._openai import (
    OpenAIModelProfile,
    cannot_force,
    marked_text,
    openai_profile,
    taken_settings,
)
from ._shared import mapped_settings, output_schema

__all__ = (
    "OpenAIChatCodec",
    "CerebrasModelSettings",
    "OpenAIChatModelSettings",
    "OpenAIModelProfile",
)


class OpenAIChatModelSettings(ModelSettings, total=False):
    """Settings that only this protocol knows, beside the common ones.

    Attributes:
        openai_reasoning_effort: How hard a reasoning model thinks.
        openai_logprobs: Whether the tokens' log probabilities are returned.
        openai_top_logprobs: How many likely tokens to return at each place, 0 to 20.
        openai_user: An id of the end user, for abuse monitoring.
        openai_service_tier: As `service_tier`, which it overrides.
        openai_prediction: Text that the answer is likely to repeat, to speed it up.
        openai_prompt_cache_key: Groups requests that share a prefix.
        openai_prompt_cache_retention: How long the cache is kept.
        openai_store: Whether OpenAI keeps the answer.
        openai_moderation: A moderation model for the conversation.
        openai_text_verbosity: How long the answer is: 'low', 'medium' or 'high'.
        openai_continuous_usage_stats: Whether every frame of a stream has the usage so
            far, with servers such as vLLM's.
    """

    openai_reasoning_effort: str
    openai_logprobs: bool
    openai_top_logprobs: int
    openai_user: str
    openai_service_tier: str
    openai_prediction: JSONObject
    openai_prompt_cache_key: str
    openai_prompt_cache_retention: str
    openai_store: bool
    openai_moderation: JSONObject
    openai_text_verbosity: str
    openai_continuous_usage_stats: bool


class CerebrasModelSettings(OpenAIChatModelSettings, total=False):
    """Settings that only Cerebras knows, beside those of its protocol.

    Attributes:
        cerebras_disable_reasoning: Whether the model is kept from thinking.
    """

    cerebras_disable_reasoning: bool


# Setting to member of the body, in the order of OpenAI's reference.
_SETTINGS = {
    "stop_sequences": "stop",
    "seed": "seed",
    "openai_user": "user",
    "service_tier": "service_tier",
    "openai_service_tier": "service_tier",
    "openai_prediction": "prediction",
    "temperature": "temperature",
    "top_p": "top_p",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "openai_logprobs": "logprobs",
    "openai_top_logprobs": "top_logprobs",
    "openai_prompt_cache_key": "prompt_cache_key",
    "openai_prompt_cache_retention": "prompt_cache_retention",
    "openai_store": "store",
    "openai_moderation": "moderation",
    "openai_text_verbosity": "verbosity",
}

_AUDIO_FORMATS = ("wav", "mp3")


@frozen(kw_only=True)
class OpenAIChatCodec(ChatCodec):
    """Speaks Chat Completions.

    Attributes:
        profile: What the model can do.
        quirks: What the gateway does otherwise.
    """

    settings_prefix: ClassVar[str] = "openai"

    profile: OpenAIModelProfile = field(converter=openai_profile)
    quirks: Quirks = field(factory=Quirks)

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `POST /chat/completions`.

        Raises:
            UserError: A message holds something that this protocol cannot say.
        """
        body: JSONObject = {
            "model": self.model_name,
            "messages": OpenAIChatWriter(self).conversation(messages, parameters),
            "stream": stream,
        }
        if stream:
            options = body["stream_options"] = {"include_usage": True}
            if settings.get("openai_continuous_usage_stats"):
                options["continuous_usage_stats"] = True
        body |= self._tools(settings, parameters)
        body |= self._web_search(parameters)
        body |= response_format(parameters, self.profile, self._json_schema)
        body |= self._settings(settings)
        body |= self.quirks.settings(settings, self.profile, self.model_name)
        return HTTPCall(self.quirks.path(self.model_name), body)

    def reader(self, parameters: ModelRequestParameters) -> OpenAIChatReader:
        """Return a reader of one response."""
        return OpenAIChatReader(self)

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded before it can be sent."""
        by_url = isinstance(item, DocumentUrl) and self.profile.openai_chat_supports_file_urls
        return item.force_download or (isinstance(item, (AudioUrl, DocumentUrl)) and not by_url)

    def _settings(self, settings: ModelSettings) -> JSONObject:
        newer = self.profile.openai_chat_supports_max_completion_tokens
        limit = "max_completion_tokens" if newer else "max_tokens"
        taken = taken_settings(settings, self.profile)
        return mapped_settings(taken, {"max_tokens": limit} | _SETTINGS)

    def _tools(self, settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
        choice = choice_of(settings, parameters, cannot_force(self.profile, self.model_name))
        offered = parameters.tool_defs
        can_name = choice.demanded is not None or self.profile.openai_chat_supports_allowed_tools
        if choice.names is not None and not can_name:
            # Names cannot be sent, so the other tools are not offered.
            offered = {name: offered[name] for name in choice.names}
            choice = Choice(choice.mode)
        if not offered:
            return {}
        tools = [self._tool(tool) for tool in offered.values()]
        body: JSONObject = {"tools": tools, "tool_choice": _tool_choice(choice)}
        parallel = settings.get("parallel_tool_calls")
        refused = "parallel_tool_calls" in self.profile.openai_unsupported_model_settings
        return body if parallel is None or refused else body | {"parallel_tool_calls": parallel}

    def _tool(self, tool: ToolDefinition) -> JSONObject:
        written = tool_of(tool)
        if tool.strict and self.profile.openai_supports_strict_tool_definition:
            written["function"]["strict"] = True
        return written

    def _web_search(self, parameters: ModelRequestParameters) -> JSONObject:
        """Return the options of a web search, the only tool of the provider's own.

        Raises:
            UserError: Another one is offered, or the model does not search.
        """
        body: JSONObject = {}
        for tool in parameters.builtin_tools:
            searches = self.profile.openai_chat_supports_web_search
            if not isinstance(tool, WebSearchTool) or not searches:
                raise UserError(
                    f"{type(tool).__name__} is not supported by {self.model_name!r} in Chat "
                    "Completions; the Responses protocol ('openai-responses:') may know it."
                )
            refused = ("allowed_domains", "blocked_domains", "max_uses")
            given = [name for name in refused if getattr(tool, name) is not None]
            if given:
                raise UserError(
                    f"Chat Completions does not support {', '.join(given)} of a web search"
                )
            options: JSONObject = {"search_context_size": tool.search_context_size}
            if tool.user_location:
                place = {"type": "approximate", "approximate": tool.user_location}
                options["user_location"] = place
            body["web_search_options"] = options
        return body

    def _json_schema(self, output: OutputObjectDefinition) -> JSONObject:
        schema = output_schema(output, self.profile)
        if output.strict is not None and self.profile.openai_supports_strict_tool_definition:
            schema["strict"] = output.strict
        return schema


@frozen
class OpenAIChatWriter(ChatWriter):
    """Writes messages of Chat Completions."""

    codec: OpenAIChatCodec

    @property
    def system_role(self) -> str:
        """The role of system prompts and instructions."""
        return self.codec.profile.openai_system_prompt_role or "system"

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return a file in a list of contents."""
        profile = self.codec.profile
        match item:
            case ImageUrl():
                return image_piece(item.url, item.vendor_metadata)
            case DocumentUrl() if profile.openai_chat_supports_file_urls:
                return _file_piece(item.url, item.format)
            case UploadedFile() if item.media_type.startswith("image/"):
                raise UserError(
                    "Chat Completions cannot be sent an uploaded image: send its bytes."
                )
            case UploadedFile():
                return {"type": "file", "file": {"file_id": item.file_id}}
            case BinaryContent() if is_text_like(item.media_type):
                return text_piece(marked_text(item))
            case BinaryContent(is_image=True):
                return image_piece(item.data_uri, item.vendor_metadata)
            case BinaryContent(is_audio=True) if item.format in _AUDIO_FORMATS:
                as_uri = profile.openai_chat_audio_input_encoding == "uri"
                data = item.data_uri if as_uri else item.base64
                return {"type": "input_audio", "input_audio": {"data": data, "format": item.format}}
            case BinaryContent(is_document=True) if profile.openai_chat_supports_document_input:
                return _file_piece(item.data_uri, item.format)
            case BinaryContent():
                raise UserError(f"Chat Completions cannot be sent a file of type {item.media_type}")
        raise UserError(f"Chat Completions cannot be sent {type(item).__name__}")

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Pieces:
        """Return a thought in the way in which the gateway takes it back, if it does."""
        detail = self.codec.quirks.send_back(part) if self.is_own(part.provider_name) else None
        if detail is not None:
            return ({"reasoning_details": detail},)
        match self.codec.profile.openai_chat_send_back_thinking_parts:
            case "field":
                return ({"thoughts": part.content},)
            case "tags":
                return super().thinking(part, message)
        return ()

    def tool_call(self, part: ToolCallPart, message: ModelResponse) -> Pieces:
        """Return a tool call, with Gemini's thought signature, which it wants back."""
        (piece,) = super().tool_call(part, message)
        extra = (part.provider_details or {}).get("extra_content")
        if extra and self.is_own(message.provider_name):
            piece["tool_calls"]["extra_content"] = extra
        return (piece,)

    def assistant(self, members: Mapping[str, list[Any]]) -> Iterator[JSONObject]:
        """Yield the message of a response; one of thoughts alone is refused, and left out."""
        texts, calls = members.get("content"), members.get("tool_calls")
        if not texts and not calls:
            return
        written: JSONObject = {
            "role": "assistant",
            "content": "\n\n".join(texts) if texts else None,
        }
        if "thoughts" in members:
            field = self.codec.profile.openai_chat_thinking_field or ""
            written[field] = "\n\n".join(members["thoughts"])
        for member in ("reasoning_details", "tool_calls"):
            if member in members:
                written[member] = members[member]
        yield written


def _tool_choice(choice: Choice) -> Any:
    if choice.names is None:
        return choice.mode
    functions = [{"type": "function", "function": {"name": name}} for name in choice.names]
    if choice.demanded is not None:
        return functions[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": functions}}


def _file_piece(data: str, format: str) -> JSONObject:
    return {"type": "file", "file": {"file_data": data, "filename": f"filename.{format}"}}


class OpenAIChatReader(ChatReader):
    """Reads one Chat Completions response, streamed or whole.

    Args:
        codec: Whose request it answers.
    """

    head_details: ClassVar[tuple[str, ...]] = ("moderation", "service_tier")

    def __init__(self, codec: OpenAIChatCodec) -> None:
        quirks, name = codec.quirks, codec.provider_name
        marks = ("content", name) if quirks.marks_tagged else (None, None)
        super().__init__(codec.model_name, codec.profile, marks)
        self._provider_name = name
        self._quirks = quirks
        own = codec.profile.openai_chat_thinking_field
        self._thinking_fields = (*((own,) if own else ()), *self.thinking_fields)

    def failed(self, document: Any) -> Iterable[Item] | None:
        """Read an error document that is an answer; None for one that is an error."""
        return self._quirks.failed(document)

    def usage(self, document: JSONObject) -> ResponseInfo | None:
        usage = document.get("usage")
        if not isinstance(usage, dict):
            return None
        details = self._quirks.details({}, document)
        return ResponseInfo(usage=self._quirks.usage(usage), provider_details=details)

    def details(self, choice: JSONObject, document: JSONObject) -> JSONObject:
        return self._quirks.details(choice, document)

    def thoughts(self, message: JSONObject, *, whole: bool) -> Iterable[Item]:
        found = tuple(self._quirks.thoughts(message, self._provider_name))
        if found and any(has_text(item) for item in found):
            return found
        for name in self._thinking_fields:
            if message.get(name) and (text := text_of(message[name])):
                marked = self._provider_name
                return (thinking_chunk(name, text, id=name, provider_name=marked), *found)
        return found
