"""What a model is: the request that it is asked, and its answer to both kinds of requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs

from ..builtin_tools import SUPPORTED_BUILTIN_TOOLS, AbstractBuiltinTool
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..profiles import DEFAULT_PROFILE, ModelProfile, ModelProfileSpec
from ..settings import ModelSettings, RetryHook, checked_settings, merge_model_settings
from ..streaming import StreamedResponse
from ..tools import (
    ModelRequestParameters,
)
from ..usage import RequestUsage
from .known_settings import types_of
from .parameters import check_parameters, fitted_parameters, with_transformed_schemas
from .whole import RequestedWhole

if TYPE_CHECKING:
    from .attempts import Retry

__all__ = (
    "Model",
    "ModelCall",
    "ModelLayer",
    "check_allow_model_requests",
    "override_allow_model_requests",
)

_override: ContextVar[bool | None] = ContextVar("allow_model_requests", default=None)


def check_allow_model_requests() -> None:
    """Do nothing where models may send requests.

    Raises:
        RuntimeError: They may not.
    """
    override = _override.get()
    # Programs set it in the package, which imports this module.
    models = import_module(__name__.rpartition(".")[0])
    if not (models.ALLOW_MODEL_REQUESTS if override is None else override):
        raise RuntimeError("Model requests are not allowed, since ALLOW_MODEL_REQUESTS is False")


@contextmanager
def override_allow_model_requests(allow_model_requests: bool) -> Iterator[None]:
    """Let models send requests, or not, inside a `with` block."""
    token = _override.set(allow_model_requests)
    try:
        yield
    finally:
        _override.reset(token)


@attrs.frozen(eq=False)
class ModelCall:
    """One request, as it passes from a model to the model inside.

    Attributes:
        messages: The messages.
        settings: How it should be answered, None for nothing special.
        parameters: What it offers: tools, and the answer's shape.
        stream: Whether the answer is streamed; over HTTP it comes whole where not.
    """

    messages: list[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters
    stream: bool

    def with_retry_hook(self, on_retry: Callable[[Retry], object]) -> ModelCall:
        """Return the request, with a function that is called before each retry.

        It is called besides the `on_retry` of the request's or the model's settings.
        """
        settings = self.settings or ModelSettings()
        hook = RetryHook(on_retry, settings.get("on_retry"))
        return attrs.evolve(self, settings={**settings, "on_retry": hook})


class Model(ABC):
    """Something that answers messages.

    A model of your own has `model_name`, `system`, `request` and, to stream,
    `request_stream`; all four functions work with it.

    Args:
        settings: Settings for every request, under those of the request.
        profile: What the model can do, or a function from its name to that.
    """

    def __init__(
        self,
        *,
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        self._settings = settings
        self._profile = profile

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The model's name, without its provider."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The provider's name."""

    @property
    def label(self) -> str:
        """The model's name as people read it: 'Claude Haiku 4.5' for 'claude-haiku-4-5'."""
        words: list[str] = []
        for word in self.model_name.rpartition("/")[2].split("-"):
            if _is_number(word) and words and _is_number(words[-1]):
                words[-1] += f".{word}"
            else:
                words.append("GPT" if word.lower() == "gpt" else word[:1].upper() + word[1:])
        return " ".join(words)

    @property
    def base_url(self) -> str | None:
        """The provider's base URL, None where there is none."""
        return None

    @property
    def settings(self) -> ModelSettings | None:
        """Settings for every request."""
        return self._settings

    @property
    def profile(self) -> ModelProfile:
        """What the model can do."""
        profile = self._profile
        if callable(profile):
            profile = profile(self.model_name)
        return profile or DEFAULT_PROFILE

    @abstractmethod
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request and return the whole response."""

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request and stream the response.

        Raises:
            UserError: This model does not stream.
        """
        raise UserError(f"{type(self).__name__} does not stream; use `model_request`.")

    def open(self, call: ModelCall) -> AbstractAsyncContextManager[StreamedResponse]:
        """Open the response to a request of either kind: what a model around this one calls.

        Args:
            call: The request. Where it is not streamed, the stream brings the response of
                `request`.
        """
        if call.stream:
            return self.request_stream(call.messages, call.settings, call.parameters)
        return RequestedWhole(self, call)

    async def count_tokens(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> RequestUsage:
        """Return what a request would read, without making it.

        Raises:
            UserError: This model does not count.
        """
        raise UserError(f"{type(self).__name__} does not count tokens ahead of a request.")

    @classmethod
    def supported_builtin_tools(cls) -> frozenset[type[AbstractBuiltinTool]]:
        """Return the provider's own tools that models of this class can ask for."""
        return SUPPORTED_BUILTIN_TOOLS

    def customize_request_parameters(
        self, model_request_parameters: ModelRequestParameters
    ) -> ModelRequestParameters:
        """Return parameters with their JSON schemas as this model takes them.

        Raises:
            UserError: A schema cannot be read.
        """
        return with_transformed_schemas(model_request_parameters, self.profile)

    async def __aenter__(self) -> Self:
        """Begin an explicit lifetime: connections are closed as the block is left."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:  # noqa: B027 - most hold nothing
        """End it."""

    def prepare_request(
        self,
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelSettings, ModelRequestParameters]:
        """Return settings and parameters as this model takes them.

        Raises:
            UserError: The model cannot do what they ask for, a setting is unknown, or it is
                of the wrong type.
        """
        merged = merge_model_settings(self.settings, model_settings) or {}
        settings = checked_settings(merged, types_of(merged))
        check_parameters(model_request_parameters)
        offered = self.customize_request_parameters(model_request_parameters)
        return settings, fitted_parameters(offered, self.profile, self.supported_builtin_tools())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model_name!r})"


class ModelLayer(Model):
    """A model with one method for both kinds of requests, `respond`.

    A subclass may override `request` or `request_stream`, which are then called instead.
    """

    _overridden: ClassVar[frozenset[str]] = frozenset()
    _one_serves_both: ClassVar[bool] = False
    """Whether one of the two, where a subclass has no other, serves both kinds of requests."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        before = frozenset() if "respond" in vars(cls) else cls._overridden
        cls._overridden = before | ({"request", "request_stream"} & vars(cls).keys())

    @abstractmethod
    def respond(self, call: ModelCall) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request and open the response, until the block is left.

        Args:
            call: The request; a model inside is asked by its `open`.
        """

    def open(self, call: ModelCall) -> AbstractAsyncContextManager[StreamedResponse]:
        """Open the response to a request of either kind."""
        return super().open(call) if self._overridden else self.respond(call)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request and return the whole response."""
        asked = messages, model_settings, model_request_parameters
        if self._one_serves_both and self._overridden == {"request_stream"}:
            opened = self.request_stream(*asked)
        else:
            opened = self.respond(ModelCall(*asked, stream=False))
        async with opened as stream:
            return await stream.finish()

    def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """Send a request and stream the response.

        Returns:
            The stream's block, which is entered once its first content has arrived.
        """
        call = ModelCall(messages, model_settings, model_request_parameters, stream=True)
        if self._one_serves_both and self._overridden == {"request"}:
            return RequestedWhole(self, call)
        return self.respond(call)


def _is_number(word: str) -> bool:
    return word.replace(".", "").isdigit()
