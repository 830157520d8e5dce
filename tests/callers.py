"""All four functions as async ones of one shape, for tests of each; and models to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import anyio

from direct_anyio import (
    FunctionModel,
    Model,
    ModelMessage,
    ModelResponse,
    TestModel,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)

Caller = Callable[..., Awaitable[ModelResponse]]


async def unary(model: Model | str, messages: Sequence[ModelMessage], **more: Any) -> ModelResponse:
    return await model_request(model, messages, **more)


async def streamed(
    model: Model | str, messages: Sequence[ModelMessage], **more: Any
) -> ModelResponse:
    async with model_request_stream(model, messages, **more) as stream:
        async for _ in stream:
            pass
    return stream.response


async def unary_sync(
    model: Model | str, messages: Sequence[ModelMessage], **more: Any
) -> ModelResponse:
    return await anyio.to_thread.run_sync(lambda: model_request_sync(model, messages, **more))


async def streamed_sync(
    model: Model | str, messages: Sequence[ModelMessage], **more: Any
) -> ModelResponse:
    def ask() -> ModelResponse:
        with model_request_stream_sync(model, messages, **more) as stream:
            for _ in stream:
                pass
        return stream.response

    return await anyio.to_thread.run_sync(ask)


CALLERS: dict[str, Caller] = {
    "unary": unary,
    "streamed": streamed,
    "unary_sync": unary_sync,
    "streamed_sync": streamed_sync,
}


def failing(error: Exception) -> FunctionModel:
    """Return a model whose every answer is an error, before its first content."""

    async def fail(messages: Any, info: Any) -> ModelResponse:
        raise error

    async def fail_stream(messages: Any, info: Any) -> AsyncIterator[Any]:
        raise error
        yield

    return FunctionModel(fail, stream_function=fail_stream, model_name="failing")


def saying(text: str) -> TestModel:
    """Return a model that has a text for its answer and its name."""
    return TestModel(custom_output_text=text, model_name=text)
