"""Groq's chat protocol: Chat Completions but for thoughts, its own tools and some errors.

Facts: Groq's API reference, https://console.groq.com/docs/api-reference, and recorded
traffic.
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
    ResponseInfo,
    WholePart,
    args_of,
    dictionary,
    maybe,
    text_chunk,
    text_of,
    thinking_chunk,
    tool_call_chunk,
)
from .._core.thinking import nearest_level, thinking_level
from .._json import loads
from ..builtin_tools import WebSearchTool
from ..content import BinaryContent, ImageUrl, MultiModalContent
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    new_tool_call_id,
)
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, OutputObjectDefinition
from ._chat import ChatCodec, offer, response_format, usage_of
from ._chat_messages import ChatWriter, image_piece
from ._chat_reader import ChatReader
from ._shared import mapped_settings, output_schema

__all__ = ("GroqCodec", "GroqModelProfile", "GroqModelSettings")


class GroqModelSettings(ModelSettings, total=False):
    """Settings that only Groq knows, beside the common ones.

    Attributes:
        groq_reasoning_format: Where thoughts go: 'parsed', a field of their own; 'raw',
            tags in the text; 'hidden', nowhere.
        groq_reasoning_effort: How hard the model thinks, by Groq's words for it.
    """

    groq_reasoning_format: str
    groq_reasoning_effort: str


@frozen(repr=False, kw_only=True)
class GroqModelProfile(ModelProfile):
    """What a model at Groq can do.

    Attributes:
        groq_always_has_web_search_builtin_tool: Whether it searches the web by itself.
        groq_supports_reasoning_disable: Whether thinking can be switched off.
        groq_supports_graded_reasoning_effort: Whether it takes low, medium and high.
    """

    groq_always_has_web_search_builtin_tool: bool = False
    groq_supports_reasoning_disable: bool = False
    groq_supports_graded_reasoning_effort: bool = False


_SETTINGS = {
    "stop_sequences": "stop",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "groq_reasoning_format": "reasoning_format",
    "groq_reasoning_effort": "reasoning_effort",
}


@frozen(kw_only=True)
class GroqCodec(ChatCodec):
    """Speaks Groq's protocol."""

    settings_prefix: ClassVar[str] = "groq"

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `POST /openai/v1/chat/completions`.

        Raises:
            UserError: A message holds something that this protocol cannot say.
        """
        body: JSONObject = {
            "model": self.model_name,
            "messages": GroqWriter(self).conversation(messages, parameters),
            "stream": stream,
        }
        body |= offer(settings, parameters)
        body |= self._search(parameters)
        if parameters.output_mode == "native" or "tools" not in body:
            # Groq refuses JSON mode beside tools.
            body |= response_format(parameters, self.profile, self._json_schema)
        body |= self._thinking(settings) | mapped_settings(settings, _SETTINGS)
        return HTTPCall("/openai/v1/chat/completions", body)

    def reader(self, parameters: ModelRequestParameters) -> GroqReader:
        """Return a reader of one response."""
        return GroqReader(self)

    def _thinking(self, settings: ModelSettings) -> JSONObject:
        level = thinking_level(settings)
        profile = GroqModelProfile.from_profile(self.profile)
        if level is None or not profile.supports_thinking:
            return {}
        if profile.groq_supports_graded_reasoning_effort:
            if level is False:
                return {"reasoning_effort": "low", "reasoning_format": "hidden"}
            effort = nearest_level(level, ("low", "medium", "high"))
            return {"reasoning_effort": effort, "reasoning_format": "parsed"}
        if level is not False:
            return {"reasoning_format": "parsed"}
        return {"reasoning_effort": "none"} if profile.groq_supports_reasoning_disable else {}

    def _search(self, parameters: ModelRequestParameters) -> JSONObject:
        body: JSONObject = {}
        searches = GroqModelProfile.from_profile(self.profile)
        for tool in parameters.builtin_tools:
            known = searches.groq_always_has_web_search_builtin_tool
            if not isinstance(tool, WebSearchTool) or not known:
                raise UserError(f"{type(tool).__name__} is not supported by {self.model_name!r}")
            domains = {
                "include_domains": tool.allowed_domains,
                "exclude_domains": tool.blocked_domains,
            }
            body["search_settings"] = {key: value for key, value in domains.items() if value}
        return {key: value for key, value in body.items() if value}

    def _json_schema(self, output: OutputObjectDefinition) -> JSONObject:
        return output_schema(output, self.profile) | {"strict": output.strict}


class GroqWriter(ChatWriter):
    """Writes messages of Groq's protocol."""

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return an image in a list of contents."""
        match item:
            case ImageUrl():
                return image_piece(item.url, item.vendor_metadata)
            case BinaryContent(is_image=True):
                return image_piece(item.data_uri, item.vendor_metadata)
        raise UserError(f"Groq reads texts and images, not {type(item).__name__} such as this")

    def assistant(self, members: Mapping[str, list[Any]]) -> Iterator[JSONObject]:
        """Yield the message of a response."""
        written: JSONObject = {"role": "assistant"}
        if "content" in members:
            written["content"] = "\n\n".join(members["content"])
        if "tool_calls" in members:
            written["tool_calls"] = members["tool_calls"]
        yield written


class GroqReader(ChatReader):
    """Reads one response of Groq's, streamed or whole.

    Args:
        codec: Whose request it answers.
    """

    def __init__(self, codec: GroqCodec) -> None:
        super().__init__(codec.model_name, codec.profile)
        self._provider_name = codec.provider_name
        # Thoughts between two tools are parts of their own.
        self._thought_count = 0
        self._thinks = False
        self._search_id: str | None = None

    def failed(self, document: Any) -> Iterator[Item] | None:
        """Read an error that holds what the model wrote, None for any other.

        A call that does not fit its schema is one, and so is a text where a call was
        demanded: the program can ask the model to mend it.
        """
        error = document.get("error", document) if isinstance(document, dict) else {}
        if not isinstance(error, dict) or error.get("code") != "tool_use_failed":
            return None
        written = error.get("failed_generation")
        if not isinstance(written, str):
            return None
        # A stream that has begun does not say why it ends.
        return _generated(written, None if self._head else "error")

    def usage(self, document: JSONObject) -> ResponseInfo | None:
        usage = dictionary(document.get("x_groq")).get("usage") or document.get("usage")
        return ResponseInfo(usage=usage_of(usage)) if isinstance(usage, dict) else None

    def thoughts(self, message: JSONObject, *, whole: bool) -> Iterator[Item]:
        fields = (message[name] for name in self.thinking_fields if message.get(name) is not None)
        thought = next(fields, None)
        self._thought_count += thought is not None and not self._thinks
        self._thinks = thought is not None
        if thought is not None:
            yield thinking_chunk(("reasoning", self._thought_count), text_of(thought))
        tools = message.get("executed_tools")
        for number, tool in enumerate(tools if isinstance(tools, list) else ()):
            if dictionary(tool).get("type") != "search":
                continue
            found = dictionary(tool.get("search_results"))
            some = found.get("results") or found.get("images")
            results = {"images": None, "results": None} | found if some else tool.get("output")
            key, id = tool.get("index", number), self._search_id or new_tool_call_id()
            # A stream has the call first, and its results later.
            self._search_id = None if whole or results else id
            if whole or not results:
                yield WholePart(("call", "executed", key), self._call(tool, id))
            if whole or results:
                part = BuiltinToolReturnPart(
                    "web_search",
                    content=results,
                    tool_call_id=id,
                    provider_name=self._provider_name,
                )
                yield WholePart(("return", "executed", key), part)

    def _call(self, tool: JSONObject, id: str) -> BuiltinToolCallPart:
        arguments = tool.get("arguments")
        if isinstance(arguments, str):
            arguments = maybe(lambda text: loads(text.encode()), arguments)
        return BuiltinToolCallPart(
            "web_search",
            args=dictionary(arguments) or None,
            tool_call_id=id,
            provider_name=self._provider_name,
        )


def _generated(written: str, reason: FinishReason | None) -> Iterator[Item]:
    call = dictionary(maybe(lambda text: loads(text.encode()), written))
    args = args_of(call.get("arguments", call.get("parameters")))
    if isinstance(call.get("name"), str) and (args is None or isinstance(args, (str, dict))):
        yield tool_call_chunk("failed", name=call["name"], args=args)
    elif written:
        yield text_chunk("failed", written)
    yield ResponseInfo(finish_reason=reason)
    yield Mark.FINISHED
