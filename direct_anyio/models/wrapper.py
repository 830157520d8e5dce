"""A model around a model: the one way to see or change requests and their streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, Self

from ..messages import ModelMessage
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from .base import Model, ModelCall, ModelLayer
from .inference import KnownModelName, infer_model

__all__ = ("WrapperModel", "attempt_of", "outcome")

attempt_of: ContextVar[Callable[[Model], Model] | None] = ContextVar("attempt_of", default=None)
"""Set where a request is traced: makes a model's attempt to answer it a part of the trace."""


async def outcome(value: bool | Awaitable[bool]) -> bool:
    """Return what a condition of a user's returned, which may be async or not."""
    return bool(await value if isawaitable(value) else value)


class WrapperModel(ModelLayer):
    """Passes everything on to another model; override what is to be otherwise.

    Requests of both kinds pass through `respond`. A subclass may override that, or one of
    `request` and `request_stream`, which then serves both kinds, or both of these. Where it is
    `request_stream` alone, all requests are streamed over HTTP.

    Args:
        wrapped: The model, or its name.
    """

    wrapped: Model
    _one_serves_both = True

    def __init__(self, wrapped: Model | KnownModelName) -> None:
        super().__init__()
        self.wrapped = infer_model(wrapped)

    @property
    def model_name(self) -> str:
        """The wrapped model's name."""
        return self.wrapped.model_name

    @property
    def system(self) -> str:
        """The wrapped model's provider."""
        return self.wrapped.system

    @property
    def base_url(self) -> str | None:
        """The wrapped model's base URL."""
        return self.wrapped.base_url

    @property
    def settings(self) -> ModelSettings | None:
        """The wrapped model's settings."""
        return self.wrapped.settings

    @property
    def profile(self) -> ModelProfile:
        """What the wrapped model can do."""
        return self.wrapped.profile

    def prepare_request(
        self,
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelSettings, ModelRequestParameters]:
        """Return settings and parameters as the wrapped model takes them."""
        return self.wrapped.prepare_request(model_settings, model_request_parameters)

    def customize_request_parameters(
        self, model_request_parameters: ModelRequestParameters
    ) -> ModelRequestParameters:
        """Return parameters with their JSON schemas as the wrapped model wants them."""
        return self.wrapped.customize_request_parameters(model_request_parameters)

    async def count_tokens(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> RequestUsage:
        """Return what a request to the wrapped model would read."""
        return await self.wrapped.count_tokens(messages, model_settings, model_request_parameters)

    def respond(self, call: ModelCall) -> AbstractAsyncContextManager[StreamedResponse]:
        """Ask the wrapped model.

        ```py
        class Logged(WrapperModel):
            @asynccontextmanager
            async def respond(self, call):
                print(f'{len(call.messages)} messages to {self.model_name}')
                async with super().respond(call) as stream:
                    yield stream
        ```
        """
        return self.wrapped.open(call)

    async def __aenter__(self) -> Self:
        await self.wrapped.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.wrapped.__aexit__(*exc_info)

    def __getattr__(self, name: str) -> Any:
        # Not for `wrapped` itself, which is missing while a copy is being made.
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.wrapped!r})"
