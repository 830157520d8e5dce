"""The Chat Completions protocol of OpenAI, which most gateways speak.

Facts: OpenAI's API reference for `POST /chat/completions`, and recorded traffic. What
gateways do otherwise is a key of `OpenAIModelProfile`, never a branch on a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field, frozen

from .._core.codec import (
    End,
    HTTPCall,
    Item,
    ResponseInfo,
    thinking_chunk,
    typed,
)
from .._core.tool_choice import Choice, choice_of
from ..builtin_tools import AbstractBuiltinTool, WebSearchTool
from ..content import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    MultiModalContent,
    UploadedFile,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..parts import TextPart, ThinkingPart, ToolCallPart
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, OutputObjectDefinition, ToolDefinition
from ..usage import RequestUsage
from ._chat import (
    FINISH_REASONS,
    ChatCodec,
    Quirks,
    TaggedText,
    call_chunk,
    call_of,
    conversation,
    heading,
    image_piece,
    members,
    output_schema,
    response_format,
    tagged,
    text_piece,
    tool_of,
    undownloaded,
)
from ._openai import (
    JSONObject,
    OpenAIModelProfile,
    inlined,
    is_text_like,
    openai_profile,
    reasoning_effort,
)

__all__ = ("OpenAIChatCodec", "OpenAIChatModelSettings", "OpenAIModelProfile")


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
        openai_moderation: A moderation model for what is said.
        openai_text_verbosity: How long the answer is: 'low', 'medium' or 'high'.
        openai_continuous_usage_stats: Whether every frame of a stream tells the usage so
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
        role = self.profile.openai_system_prompt_role or "system"
        body: JSONObject = {
            "model": self.model_name,
            "messages": conversation(messages, parameters, self._file, self._response, role),
            "stream": stream,
        }
        body |= self._stream_options(settings) if stream else {}
        body |= self._tools(settings, parameters)
        body |= self._web_search(parameters)
        body |= response_format(parameters, self.profile, self._json_schema)
        body |= self._settings(settings) | self.quirks.settings(settings)
        return HTTPCall(self.quirks.path(self.model_name), body)

    def reader(self, parameters: ModelRequestParameters) -> OpenAIChatReader:
        """Return a reader of one response."""
        return OpenAIChatReader(self.provider_name, self.profile, self.quirks)

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded before it can be sent."""
        by_url = isinstance(item, DocumentUrl) and self.profile.openai_chat_supports_file_urls
        return item.force_download or (isinstance(item, (AudioUrl, DocumentUrl)) and not by_url)

    def _stream_options(self, settings: ModelSettings) -> JSONObject:
        options = {"include_usage": True}
        if settings.get("openai_continuous_usage_stats"):
            options["continuous_usage_stats"] = True
        return {"stream_options": options}

    def _settings(self, settings: ModelSettings) -> JSONObject:
        newer = self.profile.openai_chat_supports_max_completion_tokens
        limit = "max_completion_tokens" if newer else "max_tokens"
        said = members(settings, {"max_tokens": limit} | _SETTINGS)
        effort = reasoning_effort(settings, self.profile)
        if effort is not None:
            said["reasoning_effort"] = effort
        refused = self.profile.openai_unsupported_model_settings
        return {key: value for key, value in said.items() if key not in refused}

    def _tools(self, settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
        choice = choice_of(settings, parameters)
        offered = parameters.tool_defs
        by_name = self.profile.openai_chat_supports_allowed_tools
        if choice.names is not None and not by_name and len(choice.names) > 1:
            offered = {name: offered[name] for name in choice.names}
            choice = Choice(choice.mode)
        if not offered:
            return {}
        tools = [self._tool(tool) for tool in offered.values()]
        said: JSONObject = {"tools": tools, "tool_choice": self._tool_choice(choice)}
        parallel = settings.get("parallel_tool_calls")
        refused = "parallel_tool_calls" in self.profile.openai_unsupported_model_settings
        return said if parallel is None or refused else said | {"parallel_tool_calls": parallel}

    def _tool(self, tool: ToolDefinition) -> JSONObject:
        said = tool_of(tool)
        if tool.strict and self.profile.openai_supports_strict_tool_definition:
            said["function"]["strict"] = True
        return said

    def _tool_choice(self, choice: Choice) -> Any:
        forces = self.profile.openai_supports_tool_choice_required
        mode = "auto" if choice.mode == "required" and not forces else choice.mode
        if choice.names is None:
            return mode
        functions = [{"type": "function", "function": {"name": name}} for name in choice.names]
        if len(functions) == 1 and mode == "required":
            return functions[0]
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": functions}}

    def _web_search(self, parameters: ModelRequestParameters) -> JSONObject:
        options: JSONObject = {}
        for tool in parameters.builtin_tools:
            options["web_search_options"] = self._search_options(tool)
        return options

    def _search_options(self, tool: AbstractBuiltinTool) -> JSONObject:
        if not isinstance(tool, WebSearchTool) or not self.profile.openai_chat_supports_web_search:
            raise UserError(
                f"{type(tool).__name__} is not supported by {self.model_name!r} in Chat "
                "Completions; the Responses protocol ('openai-responses:') may know it."
            )
        refused = ("allowed_domains", "blocked_domains", "max_uses")
        given = [name for name in refused if getattr(tool, name) is not None]
        if given:
            raise UserError(f"Chat Completions knows no {', '.join(given)} of a web search")
        options: JSONObject = {"search_context_size": tool.search_context_size}
        if tool.user_location:
            options["user_location"] = {"type": "approximate", "approximate": tool.user_location}
        return options

    def _json_schema(self, output: OutputObjectDefinition) -> JSONObject:
        schema = output_schema(output)
        if output.strict is not None and self.profile.openai_supports_strict_tool_definition:
            schema["strict"] = output.strict
        return schema

    def _file(self, item: MultiModalContent) -> JSONObject:
        match item:
            case FileUrl(force_download=True):
                raise undownloaded(item)
            case ImageUrl():
                return image_piece(item.url, item.vendor_metadata)
            case BinaryContent():
                return self._binary(item)
            case UploadedFile():
                return self._uploaded(item)
            case DocumentUrl() if self.profile.openai_chat_supports_file_urls:
                return _file(item.url, item.format)
            case AudioUrl() | DocumentUrl():
                raise undownloaded(item)
        raise UserError(f"Chat Completions cannot be sent {type(item).__name__}")

    def _uploaded(self, item: UploadedFile) -> JSONObject:
        if item.provider_name != self.provider_name:
            raise UserError(f"A file uploaded to {item.provider_name!r} cannot be sent elsewhere")
        if item.media_type.startswith("image/"):
            raise UserError("Chat Completions cannot be sent an uploaded image: send its bytes.")
        return {"type": "file", "file": {"file_id": item.file_id}}

    def _binary(self, item: BinaryContent) -> JSONObject:
        if is_text_like(item.media_type):
            return text_piece(inlined(item.data.decode(errors="replace"), item))
        if item.is_image:
            return image_piece(item.data_uri, item.vendor_metadata)
        if item.is_audio and item.format in _AUDIO_FORMATS:
            as_uri = self.profile.openai_chat_audio_input_encoding == "uri"
            data = item.data_uri if as_uri else item.base64
            return {"type": "input_audio", "input_audio": {"data": data, "format": item.format}}
        if item.is_document and self.profile.openai_chat_supports_document_input:
            return _file(item.data_uri, item.format)
        raise UserError(f"Chat Completions cannot be sent a file of type {item.media_type}")

    def _response(self, message: ModelResponse) -> Iterator[JSONObject]:
        said = _Said()
        for part in message.parts:
            match part:
                case TextPart():
                    said.texts.append(part.content)
                case ThinkingPart():
                    self._send_back(part, said)
                case ToolCallPart():
                    own = message.provider_name == self.provider_name
                    said.calls.append(_call(part, own=own))
        if said.texts or said.calls:
            # A message of nothing is refused.
            yield said.message(self.profile.openai_chat_thinking_field or "")

    def _send_back(self, part: ThinkingPart, said: _Said) -> None:
        detail = self.quirks.send_back(part) if part.provider_name == self.provider_name else None
        how = self.profile.openai_chat_send_back_thinking_parts
        if detail is not None:
            said.details.append(detail)
        elif how == "tags":
            said.texts.append(tagged(part.content, self.profile.thinking_tags))
        elif how == "field":
            said.thoughts.append(part.content)


@define(eq=False)
class _Said:
    """What a message of the model's holds, as it is gathered."""

    texts: list[str] = field(factory=list)
    thoughts: list[str] = field(factory=list)
    details: list[JSONObject] = field(factory=list)
    calls: list[JSONObject] = field(factory=list)

    def message(self, thinking_field: str) -> JSONObject:
        content = "\n\n".join(self.texts) if self.texts else None
        said: JSONObject = {"role": "assistant", "content": content}
        if self.thoughts:
            said[thinking_field] = "\n\n".join(self.thoughts)
        if self.details:
            said["reasoning_details"] = self.details
        if self.calls:
            said["tool_calls"] = self.calls
        return said


def _file(data: str, format: str) -> JSONObject:
    return {"type": "file", "file": {"file_data": data, "filename": f"filename.{format}"}}


def _call(part: ToolCallPart, *, own: bool) -> JSONObject:
    extra = (part.provider_details or {}).get("extra_content")
    # Gemini's thought signature; it refuses a call that comes back without it.
    return call_of(part) | {"extra_content": extra} if extra and own else call_of(part)


class OpenAIChatReader:
    """Reads one Chat Completions response, streamed or whole.

    Args:
        provider_name: The provider, which thoughts are marked with.
        profile: Where the model puts its thoughts.
        quirks: What the gateway adds.
    """

    def __init__(self, provider_name: str, profile: OpenAIModelProfile, quirks: Quirks) -> None:
        self._provider_name = provider_name
        self._quirks = quirks
        self.failed = quirks.failed
        self._tagged = TaggedText(
            profile.thinking_tags,
            skips_blank=profile.ignore_streamed_leading_whitespace,
            id="content" if quirks.marks_tagged else None,
            provider_name=provider_name if quirks.marks_tagged else None,
        )
        own = profile.openai_chat_thinking_field
        self._thinking_fields = ((own,) if own else ()) + ("reasoning", "reasoning_content")
        self._usage = RequestUsage()
        self._head: tuple[Any, Any] | None = None
        self._logprobs: list[JSONObject] = []
        self._refusal = ""

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one `chat.completion.chunk`."""
        yield from self._heading(document)
        if document.get("usage") is not None:
            details = self._quirks.details({}, document)
            yield ResponseInfo(usage=self._used(document["usage"]), provider_details=details)
        choices = document.get("choices")
        if choices:
            yield from self._choice(typed(choices, list)[0], document)

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a `chat.completion`."""
        choice = document["choices"][0]
        yield from self._heading(document)
        if document.get("usage") is not None:
            yield ResponseInfo(usage=self._used(document["usage"]))
        message = choice["message"]
        if message.get("refusal"):
            yield from self._refused(typed(message["refusal"], str))
            yield End(final=False)
            return
        yield from self._thoughts(message)
        yield from self._tagged.whole(_joined(message.get("content")))
        calls = typed(message.get("tool_calls") or [], list)
        for number, call in enumerate(calls):
            yield _called(number, call)
        yield from self._finish(choice, choice.get("finish_reason"), document)
        if not choice.get("finish_reason"):
            # Some servers leave the reason out of a whole answer.
            yield ResponseInfo(finish_reason="tool_call" if calls else "stop")
            yield End(final=False)

    def _heading(self, document: JSONObject) -> Iterator[Item]:
        head = (document.get("id"), document.get("model"))
        told = {key: document[key] for key in ("moderation", "service_tier") if document.get(key)}
        if head != self._head:
            self._head = head
            yield heading(document, told)
        elif told:
            yield ResponseInfo(provider_details=told)

    def _used(self, usage: Any) -> RequestUsage:
        self._usage = self._usage + self._quirks.usage(typed(usage, dict))
        return self._usage

    def _choice(self, choice: JSONObject, document: JSONObject) -> Iterator[Item]:
        delta = choice.get("delta")
        if delta:
            yield from self._delta(typed(delta, dict))
        if choice.get("finish_reason") or choice.get("logprobs"):
            yield from self._finish(choice, choice.get("finish_reason"), document)

    def _delta(self, delta: JSONObject) -> Iterator[Item]:
        if delta.get("refusal"):
            yield from self._refused(typed(delta["refusal"], str))
        yield from self._thoughts(delta)
        text = _joined(delta.get("content"))
        if text:
            yield from self._tagged.streamed(typed(text, str))
        for number, call in enumerate(typed(delta.get("tool_calls") or [], list)):
            # Some servers send whole calls and leave the index out.
            yield _called(call.get("index", number), call)

    def _finish(
        self, choice: JSONObject, reason: str | None, document: JSONObject
    ) -> Iterator[Item]:
        details: JSONObject = {"finish_reason": reason} if reason and not self._refusal else {}
        logprobs = (choice.get("logprobs") or {}).get("content")
        if logprobs:
            # Each frame has those of its own tokens.
            self._logprobs = self._logprobs + [_logprob(each) for each in logprobs]
            details["logprobs"] = self._logprobs
        finish = None if reason is None or self._refusal else FINISH_REASONS.get(reason)
        details |= self._quirks.details(choice, document)
        yield ResponseInfo(finish_reason=finish, provider_details=details)
        if reason:
            yield End(final=False)

    def _refused(self, text: str) -> Iterator[Item]:
        """Take a refusal, which comes in the place of content."""
        self._refusal += text
        details = {"refusal": self._refusal}
        yield ResponseInfo(finish_reason="content_filter", provider_details=details)

    def _thoughts(self, message: JSONObject) -> Iterator[Item]:
        found = list(self._quirks.thoughts(message, self._provider_name))
        return iter(found) if found else self._thought(message)

    def _thought(self, message: JSONObject) -> Iterator[Item]:
        for name in self._thinking_fields:
            if message.get(name):
                yield thinking_chunk(
                    name, message[name], id=name, provider_name=self._provider_name
                )
                return


def _called(key: Any, call: JSONObject) -> Item:
    extra = call.get("extra_content")
    return call_chunk(key, call, {"extra_content": extra} if extra else None)


def _joined(content: Any) -> Any:
    """Return a list of contents, as some servers have it, as its text."""
    if not isinstance(content, list):
        return content
    pieces = (each.get("text") if isinstance(each, dict) else each for each in content)
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _logprob(token: JSONObject) -> JSONObject:
    keys = ("token", "logprob", "bytes")
    top = [{key: each.get(key) for key in keys} for each in token.get("top_logprobs") or ()]
    return {key: token.get(key) for key in keys} | {"top_logprobs": top}
