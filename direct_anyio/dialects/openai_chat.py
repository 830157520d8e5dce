"""The Chat Completions protocol of OpenAI, which most gateways speak.

Facts: OpenAI's API reference for `POST /chat/completions`, and recorded traffic. What
gateways do otherwise is a key of `OpenAIModelProfile`, never a branch on a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from attrs import field, frozen

from .._core.codec import (
    Codec,
    End,
    HTTPCall,
    Item,
    ResponseInfo,
    maybe,
    text_chunk,
    thinking_chunk,
    tool_call_chunk,
    typed,
)
from .._core.instructions import instructions_of
from ..content import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    TextContent,
    UploadedFile,
    UserContent,
)
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import (
    DEFAULT_OUTPUT_TOOL_NAME,
    ModelRequestParameters,
    OutputObjectDefinition,
    ToolDefinition,
)
from ..usage import RequestUsage

__all__ = ("OpenAIChatCodec", "OpenAIChatModelSettings", "OpenAIModelProfile")

JSONObject = dict[str, Any]


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
    """

    openai_reasoning_effort: str
    openai_logprobs: bool
    openai_top_logprobs: int
    openai_user: str
    openai_service_tier: str
    openai_prediction: JSONObject
    openai_prompt_cache_key: str
    openai_prompt_cache_retention: str


@frozen(repr=False, kw_only=True)
class OpenAIModelProfile(ModelProfile):
    """What a model that speaks an OpenAI protocol can do.

    Attributes:
        openai_chat_thinking_field: The field that thoughts are in, where it is neither
            `reasoning` nor `reasoning_content`.
        openai_chat_send_back_thinking_parts: How thoughts are sent back: in tags, in
            the thinking field, or not at all.
        openai_supports_strict_tool_definition: Whether tools may be strict.
        openai_unsupported_model_settings: Settings that it refuses, which are dropped.
        openai_supports_tool_choice_required: Whether a tool call can be demanded.
        openai_system_prompt_role: The role of a system prompt, 'system' where None.
        openai_chat_supports_web_search: Whether it searches the web in this protocol.
        openai_chat_audio_input_encoding: How audio is sent: base64, or a data URI.
        openai_supports_encrypted_reasoning_content: Whether thoughts can be had encrypted.
        openai_responses_requires_function_call_status_none: Whether a call that is
            sent back must have no status.
    """

    openai_chat_thinking_field: str | None = None
    openai_chat_send_back_thinking_parts: Literal["tags", "field", False] = "tags"
    openai_supports_strict_tool_definition: bool = True
    openai_unsupported_model_settings: tuple[str, ...] = ()
    openai_supports_tool_choice_required: bool = True
    openai_system_prompt_role: Literal["system", "developer", "user"] | None = None
    openai_chat_supports_web_search: bool = False
    openai_chat_audio_input_encoding: Literal["base64", "uri"] = "base64"
    openai_supports_encrypted_reasoning_content: bool = False
    openai_responses_requires_function_call_status_none: bool = False

    def __attrs_post_init__(self) -> None:
        in_field = self.openai_chat_send_back_thinking_parts == "field"
        if in_field and not self.openai_chat_thinking_field:
            raise UserError(
                'If `openai_chat_send_back_thinking_parts` is "field", '
                "`openai_chat_thinking_field` must name the field."
            )


# Setting to member of the body, in the order of OpenAI's reference.
_SETTINGS = {
    "parallel_tool_calls": "parallel_tool_calls",
    "stop_sequences": "stop",
    "max_tokens": "max_completion_tokens",
    "seed": "seed",
    "openai_reasoning_effort": "reasoning_effort",
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
}

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
    "function_call": "tool_call",
    "error": "error",
}


def _openai_profile(profile: ModelProfile | None) -> OpenAIModelProfile:
    return OpenAIModelProfile.from_profile(profile)


@frozen(kw_only=True)
class OpenAIChatCodec(Codec):
    """Speaks Chat Completions.

    Attributes:
        model_name: The model.
        provider_name: The provider, which thoughts are marked with.
        profile: What the model can do.
    """

    model_name: str
    provider_name: str
    profile: OpenAIModelProfile = field(converter=_openai_profile)

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
            "messages": self._messages(messages, parameters),
            "stream": stream,
        }
        if stream:
            body["stream_options"] = {"include_usage": True}
        body |= self._tools(settings, parameters)
        body |= self._response_format(parameters)
        unsupported = self.profile.openai_unsupported_model_settings
        for key, value in settings.items():
            if key in _SETTINGS and value is not None and _SETTINGS[key] not in unsupported:
                body[_SETTINGS[key]] = value
        return HTTPCall("/chat/completions", body)

    def reader(self, parameters: ModelRequestParameters) -> OpenAIChatReader:
        """Return a reader of one response."""
        return OpenAIChatReader(self.provider_name, self.profile)

    def _tools(self, settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
        tools = [self._tool(tool) for tool in parameters.tool_defs.values()]
        if not tools:
            return {}
        return {"tools": tools, "tool_choice": self._tool_choice(settings, parameters)}

    def _tool(self, tool: ToolDefinition) -> JSONObject:
        function: JSONObject = {
            "name": tool.name,
            "description": tool.description or "",
            "parameters": tool.parameters_json_schema,
        }
        if tool.strict and self.profile.openai_supports_strict_tool_definition:
            function["strict"] = True
        return {"type": "function", "function": function}

    def _tool_choice(self, settings: ModelSettings, parameters: ModelRequestParameters) -> Any:
        choice = settings.get("tool_choice")
        if isinstance(choice, list):
            functions = [{"type": "function", "function": {"name": name}} for name in choice]
            if len(functions) == 1:
                return functions[0]
            allowed = {"mode": "required", "tools": functions}
            return {"type": "allowed_tools", "allowed_tools": allowed}
        if choice:
            return choice
        demands = not parameters.allow_text_output
        supported = self.profile.openai_supports_tool_choice_required
        return "required" if demands and supported else "auto"

    def _response_format(self, parameters: ModelRequestParameters) -> JSONObject:
        if parameters.output_mode == "native" and parameters.output_object is not None:
            return {"response_format": self._json_schema(parameters.output_object)}
        if parameters.output_mode == "prompted" and self.profile.supports_json_object_output:
            return {"response_format": {"type": "json_object"}}
        return {}

    def _json_schema(self, output: OutputObjectDefinition) -> JSONObject:
        schema: JSONObject = {
            "name": output.name or DEFAULT_OUTPUT_TOOL_NAME,
            "schema": output.json_schema,
        }
        if output.description:
            schema["description"] = output.description
        if output.strict is not None and self.profile.openai_supports_strict_tool_definition:
            schema["strict"] = output.strict
        return {"type": "json_schema", "json_schema": schema}

    def _messages(
        self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters
    ) -> list[JSONObject]:
        said: list[JSONObject] = []
        for message in messages:
            if isinstance(message, ModelRequest):
                said.extend(self._request(message))
            else:
                said.append(self._response(message))
        instructions = instructions_of(messages, parameters)
        if instructions:
            # Behind the system prompts, of which there are mostly one or none.
            place = sum(1 for each in said if each["role"] == "system")
            said.insert(place, {"role": "system", "content": instructions})
        return said

    def _request(self, message: ModelRequest) -> Iterator[JSONObject]:
        for part in message.parts:
            match part:
                case SystemPromptPart():
                    role = self.profile.openai_system_prompt_role or "system"
                    yield {"role": role, "content": part.content}
                case UserPromptPart():
                    yield {"role": "user", "content": self._prompt(part)}
                case ToolReturnPart():
                    yield _tool_message(part.tool_call_id, part.model_response_str())
                case RetryPromptPart(tool_name=None):
                    yield {"role": "user", "content": part.model_response()}
                case RetryPromptPart():
                    yield _tool_message(part.tool_call_id, part.model_response())
                case _:
                    raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")

    def _prompt(self, part: UserPromptPart) -> str | list[JSONObject]:
        if isinstance(part.content, str):
            return part.content
        pieces = (self._content(item) for item in part.content)
        return [piece for piece in pieces if piece is not None]

    def _content(self, item: UserContent) -> JSONObject | None:
        match item:
            case str():
                return _text(item)
            case TextContent():
                return _text(item.content)
            case ImageUrl():
                return _image(item.url, item.vendor_metadata)
            case BinaryContent():
                return self._binary(item)
            case UploadedFile():
                return {"type": "file", "file": {"file_id": item.file_id}}
            case CachePoint():
                return None
            case AudioUrl() | DocumentUrl():
                raise UserError(
                    f"Chat Completions reads no {item.kind.partition('-')[0]} by URL: "
                    "send the bytes as `BinaryContent`."
                )
        raise UserError(f"Chat Completions cannot be sent {type(item).__name__}")

    def _binary(self, item: BinaryContent) -> JSONObject:
        if is_text_like(item.media_type):
            return _text(inlined(item.data.decode(errors="replace"), item))
        if item.is_image:
            return _image(item.data_uri, item.vendor_metadata)
        if item.is_audio:
            as_uri = self.profile.openai_chat_audio_input_encoding == "uri"
            data = item.data_uri if as_uri else item.base64
            return {"type": "input_audio", "input_audio": {"data": data, "format": item.format}}
        if item.is_document:
            named = {"file_data": item.data_uri, "filename": f"filename.{item.format}"}
            return {"type": "file", "file": named}
        raise UserError(f"Chat Completions cannot be sent a file of type {item.media_type}")

    def _response(self, message: ModelResponse) -> JSONObject:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[JSONObject] = []
        for part in message.parts:
            match part:
                case TextPart():
                    texts.append(part.content)
                case ThinkingPart():
                    self._send_back(part, texts, thoughts)
                case ToolCallPart():
                    calls.append(_call(part))
        said: JSONObject = {"role": "assistant", "content": "\n\n".join(texts) or None}
        if thoughts:
            said[self.profile.openai_chat_thinking_field or ""] = "\n\n".join(thoughts)
        if calls:
            said["tool_calls"] = calls
        return said

    def _send_back(self, part: ThinkingPart, texts: list[str], thoughts: list[str]) -> None:
        how = self.profile.openai_chat_send_back_thinking_parts
        if how == "tags":
            start, end = self.profile.thinking_tags
            texts.append(f"{start}\n{part.content}\n{end}")
        elif how == "field":
            thoughts.append(part.content)


def _text(text: str) -> JSONObject:
    return {"type": "text", "text": text}


def _image(url: str, metadata: JSONObject | None) -> JSONObject:
    image = {"url": url}
    if metadata:
        image["detail"] = metadata.get("detail", "auto")
    return {"type": "image_url", "image_url": image}


def _tool_message(call_id: str, content: str) -> JSONObject:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _call(part: ToolCallPart) -> JSONObject:
    function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
    return {"id": part.tool_call_id, "type": "function", "function": function}


def is_text_like(media_type: str) -> bool:
    """Return whether a file of this type is best sent as text."""
    return media_type.startswith("text/") or media_type.endswith(
        ("/json", "+json", "/xml", "+xml", "/yaml", "/x-yaml")
    )


def inlined(text: str, item: BinaryContent) -> str:
    """Return a text file with marks that let the model tell where it begins and ends."""
    name = f'id="{item.identifier}"'
    return "\n".join(
        (
            f'-----BEGIN FILE {name} type="{item.media_type}"-----',
            text,
            f"-----END FILE {name}-----",
        )
    )


class OpenAIChatReader:
    """Reads one Chat Completions response, streamed or whole.

    Args:
        provider_name: The provider, which thoughts are marked with.
        profile: Where the model puts its thoughts.
    """

    def __init__(self, provider_name: str, profile: OpenAIModelProfile) -> None:
        self._provider_name = provider_name
        self._tags = profile.thinking_tags
        self._skips_blank = profile.ignore_streamed_leading_whitespace
        own = profile.openai_chat_thinking_field
        self._thinking_fields = ((own,) if own else ()) + ("reasoning", "reasoning_content")
        self._usage = RequestUsage()
        self._head: tuple[Any, Any] | None = None
        # Text between tags is a thought: `_place` counts the parts that the tags make.
        self._place = 0
        self._in_thought = False
        self._in_text = False

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one `chat.completion.chunk`."""
        head = (document.get("id"), document.get("model"))
        if head != self._head:
            yield self._heading(document)
            self._head = head
        if document.get("usage") is not None:
            yield ResponseInfo(usage=self._used(document["usage"]))
        choices = document.get("choices")
        if choices:
            yield from self._choice(typed(choices, list)[0])

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a `chat.completion`."""
        choice = document["choices"][0]
        yield self._heading(document)
        if document.get("usage") is not None:
            yield ResponseInfo(usage=self._used(document["usage"]))
        message = choice["message"]
        yield from self._thought(message)
        yield from self._whole_text(message.get("content"))
        for number, call in enumerate(message.get("tool_calls") or ()):
            yield self._call(number, call)
        # Some local servers leave the reason out of a whole answer.
        yield from self._finish(choice, choice.get("finish_reason") or "stop")

    def _heading(self, document: JSONObject) -> ResponseInfo:
        created = maybe(_time, document.get("created") or None)
        return ResponseInfo(
            model_name=document.get("model") or None,
            provider_response_id=document.get("id") or None,
            provider_details=None if created is None else {"timestamp": created},
        )

    def _used(self, usage: Any) -> RequestUsage:
        self._usage = self._usage + usage_of(typed(usage, dict))
        return self._usage

    def _choice(self, choice: JSONObject) -> Iterator[Item]:
        delta = choice.get("delta")
        if delta:
            typed(delta, dict)
            yield from self._thought(delta)
            if delta.get("content"):
                yield from self._text(typed(delta["content"], str))
            for call in typed(delta.get("tool_calls") or [], list):
                yield self._call(call["index"], call)
        if choice.get("finish_reason") or choice.get("logprobs"):
            yield from self._finish(choice, choice.get("finish_reason"))

    def _finish(self, choice: JSONObject, reason: str | None) -> Iterator[Item]:
        details: JSONObject = {"finish_reason": reason} if reason else {}
        logprobs = (choice.get("logprobs") or {}).get("content")
        if logprobs:
            details["logprobs"] = [_logprob(each) for each in logprobs]
        finish = None if reason is None else _FINISH_REASONS.get(reason)
        yield ResponseInfo(finish_reason=finish, provider_details=details)
        if reason:
            yield End(final=False)

    def _thought(self, message: JSONObject) -> Iterator[Item]:
        for name in self._thinking_fields:
            if message.get(name):
                yield thinking_chunk(
                    name, message[name], id=name, provider_name=self._provider_name
                )
                return

    def _call(self, key: int, call: JSONObject) -> Item:
        function = call.get("function") or {}
        return tool_call_chunk(
            ("call", key),
            name=function.get("name"),
            args=function.get("arguments"),
            call_id=call.get("id"),
        )

    def _text(self, text: str) -> Iterator[Item]:
        """Read text in which a token of its own may open or close a thought."""
        if text == self._tags[1 if self._in_thought else 0]:
            self._place += 1
            self._in_thought = not self._in_thought
            self._in_text = False
            if self._in_thought:
                yield self._tagged("")
        elif self._in_thought:
            yield self._tagged(text)
        elif self._in_text or not (self._skips_blank and text.isspace()):
            self._in_text = True
            yield text_chunk(("content", self._place), text)

    def _tagged(self, text: str) -> Item:
        return thinking_chunk(
            ("content", self._place), text, id="content", provider_name=self._provider_name
        )

    def _whole_text(self, content: Any) -> Iterator[Item]:
        """Read a whole text, in which tags may stand anywhere."""
        for is_thought, text in split_by_tags(typed(content or "", str), self._tags):
            self._place += 1
            yield self._tagged(text) if is_thought else text_chunk(("content", self._place), text)


def split_by_tags(text: str, tags: tuple[str, str]) -> Iterator[tuple[bool, str]]:
    """Split a text at thinking tags; yields whether each piece is a thought.

    An opening tag that is never closed is dropped, and what follows it is text.
    """
    start, end = tags
    while text:
        before, opened, rest = text.partition(start)
        if before:
            yield False, before
        thought, closed, text = rest.partition(end)
        if closed:
            yield True, thought
        elif opened and thought:
            yield False, thought


def _time(created: Any) -> datetime:
    return datetime.fromtimestamp(created, UTC)


def _logprob(token: JSONObject) -> JSONObject:
    keys = ("token", "logprob", "bytes")
    top = [{key: each.get(key) for key in keys} for each in token.get("top_logprobs") or ()]
    return {key: token.get(key) for key in keys} | {"top_logprobs": top}


_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")


def _count(value: Any) -> int:
    return max(0, int(value)) if isinstance(value, (int, float)) else 0


def usage_of(usage: JSONObject) -> RequestUsage:
    """Return a `usage` object as `RequestUsage`; negative counts are 0."""
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    more = {key: value for key, value in usage.items() if key not in _TOTALS}
    details = {
        key: _count(value)
        for key, value in (*more.items(), *completion.items())
        if isinstance(value, int)
    }
    return RequestUsage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cache_read_tokens=_count(prompt.get("cached_tokens")),
        input_audio_tokens=_count(prompt.get("audio_tokens")),
        output_audio_tokens=_count(completion.get("audio_tokens")),
        details=details,
    )
