"""Several models, asked one after the other until one answers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self, TypeAlias

import attrs

from .._io.tasks import held_open
from ..exceptions import FallbackExceptionGroup, ModelAPIError
from ..messages import ModelMessage, ModelResponse
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..streaming import StreamedResponse
from ..tools import ModelRequestParameters
from . import KnownModelName, Model, infer_model

__all__ = ("FallbackModel", "FallbackOn", "RejectedResponse")

ExceptionHandler: TypeAlias = Callable[[Exception], bool]
ResponseHandler: TypeAlias = Callable[[ModelResponse], bool]
Condition: TypeAlias = type[Exception] | ExceptionHandler | ResponseHandler
FallbackOn: TypeAlias = Condition | Sequence[Condition]
"""When the next model is asked: exception types, functions of an exception, and functions
of a response, which are told by the annotation of their parameter."""


class RejectedResponse(ModelAPIError):
    """A response that a function of `fallback_on` did not want; it is in `response`."""


class FallbackModel(Model):
    """Asks the first model, and the next where that fails.

    A stream falls back until its first content; what comes later is raised.

    Args:
        default_model: The first model, or its name.
        fallback_models: The others, in order.
        fallback_on: When the next one is asked; any `ModelAPIError` by default.

    Raises:
        FallbackExceptionGroup: All of them failed; holds one error for each.
    """

    def __init__(
        self,
        default_model: Model | KnownModelName,
        *fallback_models: Model | KnownModelName,
        fallback_on: FallbackOn = (ModelAPIError,),
    ) -> None:
        super().__init__()
        self.models = [infer_model(model) for model in (default_model, *fallback_models)]
        conditions = fallback_on if isinstance(fallback_on, Sequence) else (fallback_on,)
        self._of_response = [each for each in conditions if _takes_response(each)]
        self._of_exception = [each for each in conditions if not _takes_response(each)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.models))})"

    @property
    def model_name(self) -> str:
        """The names of all models."""
        return f"fallback:{','.join(model.model_name for model in self.models)}"

    @property
    def system(self) -> str:
        """The providers of all models."""
        return f"fallback:{','.join(model.system for model in self.models)}"

    @property
    def base_url(self) -> str | None:
        """The first model's base URL."""
        return self.models[0].base_url

    @property
    def profile(self) -> ModelProfile:
        """What the first model can do; each model prepares its own request."""
        return self.models[0].profile

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the first response that one of the models gives."""
        failures: list[Exception] = []
        for model in self.models:
            try:
                response = await model.request(messages, model_settings, model_request_parameters)
            except Exception as exc:
                self._note(exc, failures)
                continue
            if not self._rejects(response, failures):
                return _with_failures(response, failures)
        raise _all_failed(failures)

    @held_open
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream the response of the first model whose stream opens."""
        failures: list[Exception] = []
        async with AsyncExitStack() as stack:
            for model in self.models:
                try:
                    asked = model.request_stream(messages, model_settings, model_request_parameters)
                    stream = await stack.enter_async_context(asked)
                except Exception as exc:
                    self._note(exc, failures)
                    continue
                if failures:
                    stream._note(fallback_from=_told(failures))
                yield stream
                return
            raise _all_failed(failures)

    async def __aenter__(self) -> Self:
        for model in self.models:
            await model.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for model in self.models:
            await model.__aexit__(*exc_info)

    def _note(self, exc: Exception, failures: list[Exception]) -> None:
        """Keep an exception that the next model may mend.

        Raises:
            Exception: The very exception, where it may not.
        """
        if not any(_applies(condition, exc) for condition in self._of_exception):
            raise exc
        failures.append(exc)

    def _rejects(self, response: ModelResponse, failures: list[Exception]) -> bool:
        if not any(condition(response) for condition in self._of_response):  # type: ignore[arg-type]
            return False
        rejected = RejectedResponse(response.model_name or "", "The response was not wanted")
        rejected.response = response
        failures.append(rejected)
        return True


def _takes_response(condition: Condition) -> bool:
    if isinstance(condition, type):
        return False
    parameters = list(inspect.signature(condition, eval_str=False).parameters.values())
    annotation = parameters[0].annotation if parameters else None
    return annotation is ModelResponse or str(annotation).endswith("ModelResponse")


def _applies(condition: Any, exc: Exception) -> bool:
    return isinstance(exc, condition) if isinstance(condition, type) else bool(condition(exc))


def _told(failures: list[Exception]) -> list[str]:
    return [f"{type(exc).__name__}: {exc}" for exc in failures]


def _with_failures(response: ModelResponse, failures: list[Exception]) -> ModelResponse:
    if not failures:
        return response
    details = response.provider_details or {}
    ours = {**details.get("direct_anyio", {}), "fallback_from": _told(failures)}
    return attrs.evolve(response, provider_details={**details, "direct_anyio": ours})


def _all_failed(failures: list[Exception]) -> FallbackExceptionGroup:
    return FallbackExceptionGroup("All models from FallbackModel failed", failures)
