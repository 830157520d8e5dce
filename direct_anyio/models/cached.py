"""A model that answers from a cache, looked up by everything that a request sends."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import attrs
from anyio import Event
from anyio.lowlevel import RunVar
from attrs import define

from .._core.encoding import listed
from .._io.tasks import held_open
from .._json import text_of
from .._stored import STORED
from .._values import default, plain
from ..exceptions import ResponseCacheWarning, UserError
from ..history import ModelMessagesTypeAdapter
from ..messages import ModelMessage, ModelResponse
from ..settings import ModelSettings, merge_model_settings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from .base import Model, ModelCall
from .inference import KnownModelName
from .stores import MemoryCache, ResponseCache
from .whole import WholeResponse
from .wrapper import WrapperModel, outcome

__all__ = ("CachedModel",)

# Settings that do not change the answer.
_NOT_COMPARED = {
    "timeout",
    "request_timeout",
    "first_event_timeout",
    "max_retries",
    "retry_ambiguous",
    "on_retry",
}
# Fields of messages and of parts that are never sent. Values of the user's are not looked into.
_UNSENT_OF_MESSAGE = {"timestamp", "run_id", "metadata"}
_UNSENT_OF_PART = {"timestamp", "metadata"}


@define(eq=False)
class _Flight:
    """A whole request under way, for those who ask the same in the same event loop.

    Attributes:
        over: Set when the request has ended.
        response: The response, where it was kept.
        failed: Whether the request has failed; one that was cancelled has not.
    """

    over: Event
    response: ModelResponse | None = None
    failed: bool = False


_flights: RunVar[dict[tuple[int, str], _Flight]] = RunVar("direct_anyio-cached")


class CachedModel(WrapperModel):
    """Answers a request that was answered before with the same response.

    Two requests are the same that have equal messages, settings and parameters; times, run ids
    and metadata of messages and parts are not compared, as they are never sent. Only whole
    responses are kept. A response from the cache says so in
    `provider_details['direct_anyio']['cached']`.

    Equal requests at the same time are one: the others wait for a request that is not streamed,
    and where it is cancelled the next of them asks. No request waits for a streamed one,
    as its reader may take any time.

    Where a store fails, the model is asked, with a `ResponseCacheWarning`.

    Args:
        wrapped: The model, or its name.
        cache: Where the responses are kept; in memory by default.
        keep: Which responses are kept, besides being whole; a function, async or not. One that
            raises says no, with a warning.
    """

    def __init__(
        self,
        wrapped: Model | KnownModelName,
        cache: ResponseCache | None = None,
        *,
        keep: Callable[[ModelResponse], bool | Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__(wrapped)
        self.cache: ResponseCache = MemoryCache() if cache is None else cache
        self.keep = keep

    async def forget(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> None:
        """Keep the response to a request no longer, so that the next one is asked."""
        offered = model_request_parameters or ModelRequestParameters()
        call = ModelCall(listed(messages), model_settings, offered, stream=False)
        await self.cache.forget(self._key(call))

    @held_open
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        """Open the response from the cache, else ask for it."""
        key = self._key(call)
        flights = _flights.get(None)
        if flights is None:
            _flights.set(flights := {})
        place = id(self.cache), key
        kept = await self._kept(key)
        while kept is None and place in flights:
            other = flights[place]
            await other.over.wait()
            if other.failed:
                break
            kept = other.response
        if kept is not None:
            details = kept.provider_details or {}
            ours = {**details.get("direct_anyio", {}), "cached": True}
            marked = attrs.evolve(kept, provider_details={**details, "direct_anyio": ours})
            yield WholeResponse(marked, call.parameters)
        elif call.stream:
            async with self.wrapped.open(call) as stream:
                yield stream
            await self._keep(key, stream.response)
        else:
            flight = _Flight(Event())
            leads = flights.setdefault(place, flight) is flight
            try:
                response = await self.wrapped.request(call.messages, call.settings, call.parameters)
                if await self._keep(key, response):
                    flight.response = response
            except Exception:
                flight.failed = True
                raise
            finally:
                if leads:
                    del flights[place]
                flight.over.set()
            yield WholeResponse(response, call.parameters)

    async def _kept(self, key: str) -> ModelResponse | None:
        """Return what the store has, None also where it fails.

        Raises:
            UserError: The store cannot be used at all.
        """
        try:
            return await self.cache.get(key)
        except UserError:
            raise
        except Exception as exc:
            _warn(f"The response cache could not be read, so the model is asked: {exc!r}")
            return None

    async def _keep(self, key: str, response: ModelResponse) -> bool:
        """Keep a response that is to be kept, and return whether it is."""
        if response.state != "complete":
            return False
        try:
            if self.keep is not None and not await outcome(self.keep(response)):
                return False
        except Exception as exc:
            _warn(f"`keep` failed, so the response is not kept: {exc!r}")
            return False
        try:
            await self.cache.set(key, response)
        except Exception as exc:
            _warn(f"The response cache could not be written: {exc!r}")
        return True

    def _key(self, call: ModelCall) -> str:
        settings = merge_model_settings(self.settings, call.settings) or {}
        messages = [
            {name: value for name, value in message.items() if name not in _UNSENT_OF_MESSAGE}
            | {
                "parts": [
                    {name: value for name, value in part.items() if name not in _UNSENT_OF_PART}
                    for part in message["parts"]
                ]
            }
            for message in ModelMessagesTypeAdapter.dump_python(call.messages, mode="json")
        ]
        compared = {
            "model": [self.system, self.base_url, self.model_name],
            "messages": messages,
            "settings": {
                key: value
                for key, value in settings.items()
                if value is not None and key not in _NOT_COMPARED
            },
            "parameters": call.parameters,
        }
        try:
            text = text_of(plain(compared, STORED), sort_keys=True, default=default)
        except (UserError, ValueError) as exc:
            raise UserError(f"The request cannot be cached: {exc}") from exc
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _warn(text: str) -> None:
    warnings.warn(text, ResponseCacheWarning, stacklevel=3)
