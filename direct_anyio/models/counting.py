"""How many tokens a request would read, asked of its provider without making it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from attrs import frozen

from .._core.codec import Codec, HTTPCall, Item, Mark, Reader, ResponseInfo, StreamEnd
from ..content import FileUrl
from ..dialects.anthropic import AnthropicCodec
from ..dialects.gemini import GeminiCodec
from ..dialects.openai_responses import OpenAIResponsesCodec
from ..exceptions import UserError
from ..messages import ModelMessage
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ..usage import RequestUsage

__all__ = ("Counting", "counting_of")


@frozen
class _Route:
    """Where a protocol counts, and what it counts with.

    Attributes:
        rewrite: From the call of a request to that of its count.
        count: The member of the answer that holds the count.
    """

    rewrite: Callable[[Any, HTTPCall], HTTPCall]
    count: str


def _kept(call: HTTPCall, path: str, *keys: str) -> HTTPCall:
    body = {key: value for key, value in (call.body or {}).items() if key in keys}
    return attrs.evolve(call, path=path, body=body)


def anthropic_call(codec: AnthropicCodec, call: HTTPCall) -> HTTPCall:
    """Return the call that counts for Anthropic's protocol."""
    keys = ("messages", "model", "system", "thinking", "tool_choice", "tools", "mcp_servers")
    return _kept(call, "/v1/messages/count_tokens", *keys, "output_config")


def responses_call(codec: OpenAIResponsesCodec, call: HTTPCall) -> HTTPCall:
    """Return the call that counts for the Responses protocol."""
    keys = ("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning")
    return _kept(call, f"{call.path}/input_tokens", *keys, "previous_response_id", "truncation")


def gemini_call(codec: GeminiCodec, call: HTTPCall) -> HTTPCall:
    """Return the call that counts for Gemini's protocol."""
    path = call.path.replace(":generateContent", ":countTokens")
    if codec.cloud:
        keys = ("contents", "systemInstruction", "tools", "generationConfig")
        return _kept(call, path, *keys)
    whole = {"model": f"models/{codec.model_name}", **(call.body or {})}
    return attrs.evolve(call, path=path, body={"generateContentRequest": whole})


_ROUTES: dict[type[Any], _Route] = {
    AnthropicCodec: _Route(anthropic_call, "input_tokens"),
    GeminiCodec: _Route(gemini_call, "totalTokens"),
    OpenAIResponsesCodec: _Route(responses_call, "input_tokens"),
}


@frozen
class Counting(Reader, Codec):
    """A codec, and its own reader, that asks for the length of another codec's request.

    Attributes:
        codec: The codec of the request.
        route: Where its protocol counts.
        profile: What the model takes.
    """

    stream_end = StreamEnd.EVENT

    codec: Codec
    route: _Route
    profile: ModelProfile

    def continues(self, settings: ModelSettings) -> bool:
        """Return whether the provider has kept messages from before the history."""
        return self.codec.continues(settings)

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded and sent as `BinaryContent`."""
        return self.codec.needs_download(item)

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write the request whose length is asked for."""
        call = self.codec.encode(messages, settings, parameters, stream=False)
        return self.route.rewrite(self.codec, call)

    def reader(self, parameters: ModelRequestParameters) -> Counting:
        """Return what reads the answer."""
        return self

    def frame(self, event: str, document: Any) -> Iterable[Item]:
        """Refuse: a count is not streamed."""
        raise TypeError("a count is not streamed")

    def body(self, document: Any) -> Iterable[Item]:
        """Read a count."""
        yield ResponseInfo(usage=RequestUsage(input_tokens=int(document[self.route.count])))
        yield Mark.FINISHED


def counting_of(codec: Codec) -> Counting:
    """Return what asks for the length of a request of `codec`.

    Raises:
        UserError: Its protocol does not count ahead.
    """
    route = _ROUTES.get(type(codec))
    if route is None:
        raise UserError(
            "This model's protocol does not count tokens ahead of a request; Anthropic "
            "Messages, Gemini and OpenAI Responses do."
        )
    return Counting(codec, route, codec.profile)
