"""The functions: a request to any model, streamed or not, from async or blocking code.

The only abstraction is the translation of what goes in and what comes out, so that all
models share one API.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Never

from anyio.from_thread import BlockingPortal

from ._blocking import call, open_portal, portal_for
from ._core.encoding import listed
from ._sync_stream import StreamedResponseSync
from .exceptions import UserError, shown
from .messages import ModelMessage, ModelResponse
from .models import KnownModelName, Model, infer_model
from .models.known_settings import check_keywords
from .settings import ModelSettings
from .streaming import StreamedResponse
from .tools import ModelRequestParameters

if TYPE_CHECKING:
    from .models.instrumented import InstrumentationSettings

__all__ = (
    "StreamedResponseSync",
    "model_request",
    "model_request_stream",
    "model_request_stream_sync",
    "model_request_sync",
    "open_portal",
)

STREAM_INITIALIZATION_TIMEOUT: float | None = None
"""Seconds that `StreamedResponseSync.get()` and its like wait for the stream to open;
None leaves it to the limits of the request."""


_NOTHING = ModelRequestParameters()


async def model_request(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    **misplaced: Never,
) -> ModelResponse:
    """Make a request to a model and return the whole response.

    ```py
    from direct_anyio import ModelRequest, model_request


    async def main():
        response = await model_request(
            'anthropic:claude-haiku-4-5',
            [ModelRequest.user_text_prompt('What is the capital of France?')],
        )
        print(response)
    ```

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` has set.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        The response, with the tokens used.

    Raises:
        UserError: The request cannot be made.
        ModelAPIError: It failed.
    """
    check_keywords("model_request", misplaced)
    prepared = _prepare_model(model, instrument)
    return await prepared.request(*_asked(messages, model_settings, model_request_parameters))


def model_request_stream(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    **misplaced: Never,
) -> AbstractAsyncContextManager[StreamedResponse]:
    """Make a request to a model and stream the response.

    ```py
    from direct_anyio import ModelRequest, model_request_stream


    async def main():
        messages = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]
        async with model_request_stream('openai:gpt-4.1-mini', messages) as stream:
            async for text in stream.text_deltas():
                print(text, end='', flush=True)
    ```

    Iterate over the stream itself for all of its events, such as tool calls.

    The request is sent as the block is entered, and has ended when it is left.

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` has set.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        An async context manager for the stream.

    Raises:
        UserError: There is no such model.
    """
    check_keywords("model_request_stream", misplaced)
    prepared = _prepare_model(model, instrument)
    return prepared.request_stream(*_asked(messages, model_settings, model_request_parameters))


def model_request_sync(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    portal: BlockingPortal | None = None,
    **misplaced: Never,
) -> ModelResponse:
    """Make a request to a model from blocking code and return the whole response.

    ```py
    from direct_anyio import ModelRequest, model_request_sync

    response = model_request_sync(
        'anthropic:claude-haiku-4-5',
        [ModelRequest.user_text_prompt('What is the capital of France?')],
    )
    print(response)
    ```

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` has set.
        portal: Where the request runs, instead of the portal of the process.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        The response, with the tokens used.

    Raises:
        UserError: The request cannot be made.
        ModelAPIError: It failed.
        RuntimeError: An event loop is running in this thread.
    """
    check_keywords("model_request_sync", misplaced)
    portal = portal_for(portal, "await model_request(...)")
    prepared = _prepare_model(model, instrument)
    return call(
        portal,
        prepared.request,
        *_asked(messages, model_settings, model_request_parameters),
    )


def model_request_stream_sync(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    portal: BlockingPortal | None = None,
    **misplaced: Never,
) -> StreamedResponseSync:
    """Make a request to a model from blocking code and stream the response.

    ```py
    from direct_anyio import ModelRequest, model_request_stream_sync

    messages = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]
    with model_request_stream_sync('openai:gpt-4.1-mini', messages) as stream:
        for text in stream.text_deltas():
            print(text, end='', flush=True)
    ```

    Iterate over the stream itself for all of its events, such as tool calls.

    Args:
        model: A model, or its name, such as `'openai:gpt-4.1-mini'`.
        messages: The conversation so far.
        model_settings: How it should answer.
        model_request_parameters: What it is offered: tools, and the answer's shape.
        instrument: Whether to trace the request with OpenTelemetry, and what of it; None
            for what `instrument_all` has set.
        portal: Where the request runs, instead of the portal of the process.
        misplaced: Nothing; an error says where any other argument belongs.

    Returns:
        A context manager for the stream.

    Raises:
        UserError: There is no such model.
    """
    check_keywords("model_request_stream_sync", misplaced)
    stream = model_request_stream(
        model,
        messages,
        model_settings=model_settings,
        model_request_parameters=model_request_parameters,
        instrument=instrument,
    )
    return StreamedResponseSync(stream, portal=portal)


def _prepare_model(
    model: Model | KnownModelName | str, instrument: InstrumentationSettings | bool | None
) -> Model:
    prepared = infer_model(model)
    # Until that module is imported, tracing has not been switched on.
    if instrument or (instrument is None and f"{__package__}.models.instrumented" in sys.modules):
        from .models.instrumented import instrument_model

        return instrument_model(prepared, instrument)
    return prepared


def _asked(
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    offered: ModelRequestParameters | None,
) -> tuple[list[ModelMessage], ModelSettings | None, ModelRequestParameters]:
    """Return what is asked as models take it.

    Raises:
        UserError: It is of another type; the message shows what to write.
    """
    checked = listed(messages)
    if settings is not None and not isinstance(settings, Mapping):
        raise UserError(
            "`model_settings` is a dict, such as {'max_tokens': 100}, "
            f"not of type {type(settings).__name__}"
        )
    if offered is not None and not isinstance(offered, ModelRequestParameters):
        raise UserError(
            "`model_request_parameters` is a ModelRequestParameters, such as "
            f"ModelRequestParameters(function_tools=[...]); got {shown(offered)}"
        )
    return checked, settings, offered or _NOTHING
