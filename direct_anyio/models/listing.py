"""Which models a provider serves.

A listing goes the way of every request, so that keys, deadlines, retries and errors are
those of every request: its answer is read as one text for each model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from .._core.codec import Codec, HTTPCall, Item, Mark, Reader, ResponseInfo, StreamEnd, text_chunk
from .._core.secrets import hide
from .._io.llama import SMOLLM2
from ..dialects.anthropic import AnthropicCodec
from ..dialects.cohere import CohereCodec
from ..dialects.gemini import GeminiCodec
from ..dialects.groq import GroqCodec
from ..dialects.mistral import MistralCodec
from ..dialects.openai_chat import OpenAIChatCodec
from ..dialects.openai_responses import OpenAIResponsesCodec
from ..exceptions import EmptyResponse, UserError
from ..messages import ModelMessage, ModelRequest, TextPart
from ..profiles import DEFAULT_PROFILE, ModelProfile
from ..providers import provider_of, spoken_by
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from .base import ModelCall
from .http import HTTPModel, access

if TYPE_CHECKING:
    from .._io.run import HTTPClient
    from .keys import APIKey

__all__ = ("list_models",)


@frozen
class _Route:
    """Where a protocol lists its models, and how: a page of as many as it gives."""

    path: str
    models: str = "data"
    name: str = "id"
    query: dict[str, str] = field(factory=dict)


_ROUTES: dict[Any, _Route] = {
    AnthropicCodec: _Route("/v1/models", query={"limit": "1000"}),
    CohereCodec: _Route("/v1/models", "models", "name", {"page_size": "1000"}),
    GeminiCodec: _Route("/v1beta/models", "models", "name", {"pageSize": "1000"}),
    GroqCodec: _Route("/openai/v1/models"),
    MistralCodec: _Route("/v1/models"),
    OpenAIChatCodec: _Route("/models"),
    OpenAIResponsesCodec: _Route("/models"),
}

# These list their models elsewhere than where they answer, or as no JSON object.
_UNLISTED = {
    "azure",
    "azure-responses",
    "databricks",
    "github",
    "google-cloud",
    "google-vertex",
    "perplexity",
    "snowflake",
    "together",
}


@frozen
class _Listing(Reader, Codec):
    """The codec and the reader of a listing."""

    stream_end = StreamEnd.EVENT
    route: _Route
    profile: ModelProfile = DEFAULT_PROFILE

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        return HTTPCall(self.route.path, None, query=self.route.query)

    def reader(self, parameters: ModelRequestParameters) -> _Listing:
        return self

    def frame(self, event: str, document: Any) -> Iterable[Item]:
        raise TypeError("a listing is not streamed")

    def body(self, document: Any) -> Iterable[Item]:
        for place, model in enumerate(document[self.route.models]):
            yield text_chunk(place, model[self.route.name].removeprefix("models/"))
        yield ResponseInfo(finish_reason="stop")
        yield Mark.FINISHED


async def list_models(
    provider: str,
    *,
    api_key: APIKey | None = None,
    base_url: str | None = None,
    http_client: HTTPClient | None = None,
) -> list[str]:
    """Return the names of the models that a provider serves, in its own order.

    Each makes a model as `infer_model(f'{provider}:{name}')`.

    Args:
        provider: The provider's name, such as `'openai'` or `'ollama'`.
        api_key: The key, instead of the one in the provider's environment variable; a
            function that returns it, or several of either: see `infer_model`.
        base_url: The base URL, instead of the provider's.
        http_client: An `httpx.AsyncClient` to send with; it stays yours to close.

    Raises:
        UserError: There is no such provider, its key is missing, or it has no listing.
        ModelAPIError: The request failed.
    """
    hidden = hide(api_key)
    del api_key
    row, name = provider_of(f"{provider}:models")
    if row.local and base_url is None:
        return [SMOLLM2]
    if row.name in _UNLISTED:
        raise UserError(f"The models of {row.name!r} cannot be listed.")
    row, key, url = access(row, name, hidden, base_url)
    model = HTTPModel(row, name, api_key=key, base_url=url, http_client=http_client)
    codec = _Listing(_ROUTES[spoken_by(row.codec)])
    nothing: list[ModelMessage] = [ModelRequest.user_text_prompt("models")]
    asked = model.ask(ModelCall(nothing, None, ModelRequestParameters(), stream=False), codec)
    try:
        async with asked as stream:
            response = await stream.drain()
    except EmptyResponse:
        return []
    return [part.content for part in response.parts if isinstance(part, TextPart)]
