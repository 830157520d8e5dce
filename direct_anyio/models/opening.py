"""Opens the response to one attempt: decodes its body up to the first content.

What is sent, and where, is in two records that the attempts of a request share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen

from .._core.accumulator import Accumulator
from .._core.codec import Codec, HTTPCall, Mark
from .._core.decoder import ItemsDecoder, ResponseDecoder, answer_in_error
from .._core.ending import Ending
from .._core.failures import document_of, http_error
from .._core.fold import Fold
from .._core.inflate import decompressed, undone
from ..exceptions import ModelAPIError, UnexpectedModelBehavior, printable
from ..messages import now
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from .known import nearest_model

if TYPE_CHECKING:
    from .._core.secrets import Hidden
    from .._io.retry import Budget
    from .._io.run import Clients
    from .._io.transport import Exchange
    from .keys import Keys

__all__ = ("PreparedRequest", "Target", "open_response")


@frozen(eq=False, repr=False)
class Target:
    """Where a request is sent, with which key and which clients.

    Attributes:
        model: The model, for the log.
        model_name: Its name at its provider.
        system: The provider's name.
        keys: Its keys.
        key_headers: Returns the header that a key goes in.
        budget: What retries may cost.
        clients: Returns the HTTP clients in the current event loop.
        moved: Returns a request as it is sent after a failure, where the server may have another
            address by then; None where it has not.
    """

    model: object
    model_name: str
    system: str
    keys: Keys
    key_headers: Callable[[Hidden], dict[str, str]]
    budget: Budget
    clients: Callable[[], Awaitable[Clients]]
    moved: Callable[[PreparedRequest], Awaitable[PreparedRequest]] | None


@frozen(eq=False, repr=False)
class PreparedRequest:
    """A request that is ready to be sent, but for its key.

    Attributes:
        codec: What reads the answer.
        parameters: What is offered.
        stream: Whether the answer is streamed.
        call: What the codec wrote.
        url: The URL.
        headers: All headers but the key's.
        body: The body, None for a request without one.
        reported_url: The base URL as responses tell it.
    """

    codec: Codec
    parameters: ModelRequestParameters
    stream: bool
    call: HTTPCall
    url: str
    headers: dict[str, str]
    body: bytes | None
    reported_url: str


async def open_response(
    exchange: Exchange,
    target: Target,
    prepared: PreparedRequest,
    describe: Callable[[ModelAPIError], None],
) -> StreamedResponse:
    """Return the response once its first content has arrived.

    Args:
        exchange: The request, whose head has been answered.
        target: Where it was sent.
        prepared: What was sent.
        describe: Adds what is known of the request to an error.

    Raises:
        ModelAPIError: It is an error, or cannot be read.
    """
    model_name = target.model_name
    reader = prepared.codec.reader(prepared.parameters)
    accumulator = Accumulator(
        parameters=prepared.parameters,
        model_name=model_name,
        timestamp=now(),
        provider_name=target.system,
        provider_url=prepared.reported_url,
        ending=Ending(prepared.codec.profile.finish_reason_may_be_absent),
    )
    coding = exchange.headers.get("content-encoding", "")
    if exchange.status == 204:
        error: ModelAPIError = UnexpectedModelBehavior("The response has no content (status 204)")
        error.phase = "headers"
        raise error
    if 200 <= exchange.status < 300:
        content_type = exchange.headers.get("content-type", "")
        is_stream = "event-stream" in content_type.lower() if content_type else prepared.stream
        decoder = decompressed(
            ResponseDecoder(reader, model_name, streamed=is_stream, content_type=content_type),
            coding,
        )
        fold = Fold(decoder, accumulator)
    else:
        document = document_of(undone(await exchange.read_error(), coding))
        items = answer_in_error(reader, document)  # with the few providers that do so
        if items is None:
            raise _error_of(exchange, document, target)
        fold = Fold(ItemsDecoder(), accumulator)
        fold.take([*items, Mark.LAST])
    stream = StreamedResponse(exchange, fold, describe)
    await stream._begin()
    return stream


def _error_of(exchange: Exchange, document: object, target: Target) -> ModelAPIError:
    """Return the error for a status other than of success; a redirect is not followed."""
    if exchange.status < 400:
        location = exchange.headers.get("location", "")
        try:
            # Without what may be a secret.
            host = printable(urlsplit(location).hostname or "the same host", 100)
        except ValueError:
            host = "nowhere"
        document = f"a redirect to {host}, which is not followed"
    near = nearest_model(target.system, target.model_name)
    hint = f"did you mean {near!r}?" if near and exchange.status == 404 else ""
    error = http_error(exchange.status, document, target.model_name, hint)
    error.phase = "headers"
    return error
