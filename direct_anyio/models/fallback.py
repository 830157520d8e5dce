"""Several models, asked one after the other until one answers."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self, TypeAlias

from anyio import move_on_after

from .._io.tasks import held_open
from ..exceptions import FallbackExceptionGroup, ModelAPIError, ModelTimeoutError, UserError
from ..messages import ModelResponse
from ..profiles import ModelProfile
from ..streaming import StreamedResponse
from .base import Model, ModelCall, ModelLayer
from .inference import KnownModelName, infer_model
from .whole import WholeResponse
from .wrapper import attempt_of, outcome

__all__ = ("FallbackModel", "FallbackOn", "RejectedResponse")

ExceptionHandler: TypeAlias = Callable[[Exception], bool | Awaitable[bool]]
ResponseHandler: TypeAlias = Callable[[ModelResponse], bool | Awaitable[bool]]
Condition: TypeAlias = type[Exception] | ExceptionHandler | ResponseHandler
FallbackOn: TypeAlias = Condition | Sequence[Condition]
"""When the next model is asked: exception types, functions of an exception, and functions
of a response, by the annotation of their parameter. Functions may be async."""


class RejectedResponse(ModelAPIError):
    """A response that a function of `fallback_on` did not want; it is in `response`."""


class FallbackModel(ModelLayer):
    """Asks the first model, and the next where that fails.

    A stream falls back until its first content; what comes later is raised. Functions of a
    response see the whole response, or that of a stream up to its first content.

    Args:
        default_model: The first model, or its name.
        fallback_models: The others, in order.
        fallback_on: When the next one is asked; any `ModelAPIError` by default.
        model_timeout: Seconds that each model has, for its whole response or the first content
            of a stream; then it has failed with a `ModelTimeoutError`. None for no limit but
            those of the settings.

    Raises:
        UserError: `fallback_on` is empty, or `model_timeout` is not above 0.
        FallbackExceptionGroup: All of them failed; holds one error for each.
    """

    def __init__(
        self,
        default_model: Model | KnownModelName,
        *fallback_models: Model | KnownModelName,
        fallback_on: FallbackOn = (ModelAPIError,),
        model_timeout: float | None = None,
    ) -> None:
        super().__init__()
        self.models: list[Model] = [
            infer_model(model) for model in (default_model, *fallback_models)
        ]
        conditions = fallback_on if isinstance(fallback_on, Sequence) else (fallback_on,)
        if not conditions:
            raise UserError(
                "`fallback_on` is empty, so the first model would be the only one: name "
                "exceptions, such as `ModelAPIError`, or functions."
            )
        if model_timeout is not None and not model_timeout > 0:
            raise UserError(f"`model_timeout` takes seconds above 0, not {model_timeout!r}")
        self._of_response = [each for each in conditions if _takes_response(each)]
        self._of_exception = [each for each in conditions if not _takes_response(each)]
        self.model_timeout = model_timeout

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

    @held_open
    async def respond(self, call: ModelCall) -> AsyncIterator[StreamedResponse]:
        """Open the first response that one of the models gives."""
        failures: list[Exception] = []
        traced = attempt_of.get()
        for model in self.models if traced is None else map(traced, self.models):
            async with AsyncExitStack() as stack:
                try:
                    stream = await self._opened(stack, model, call)
                except Exception as exc:
                    if not await self._continues_after(exc):
                        raise
                    failures.append(exc)
                    continue
                if failures:
                    stream._note(fallback_from=[f"{type(e).__name__}: {e}" for e in failures])
                yield stream
                return
        raise FallbackExceptionGroup("All models from FallbackModel failed", failures)

    async def _opened(
        self, stack: AsyncExitStack, model: Model, call: ModelCall
    ) -> StreamedResponse:
        """Open the response of one model within its time.

        Raises:
            RejectedResponse: It is not wanted.
            ModelTimeoutError: The time has passed.
        """
        seconds = math.inf if self.model_timeout is None else self.model_timeout
        with move_on_after(seconds):
            if call.stream:
                stream = await stack.enter_async_context(model.open(call))
                response = stream._peek() if self._of_response else None
            else:
                response = await model.request(call.messages, call.settings, call.parameters)
                stream = WholeResponse(response, call.parameters)
            for condition in self._of_response:
                if await outcome(condition(response)):  # type: ignore[arg-type]
                    rejected = RejectedResponse(stream.model_name, "The response was not wanted")
                    rejected.response = response
                    raise rejected
            return stream
        raise ModelTimeoutError(
            model.model_name,
            f"It has not answered within {seconds:g} s, the `model_timeout` of the FallbackModel.",
        )

    async def _continues_after(self, exc: Exception) -> bool:
        """Return whether the next model is asked after an exception."""
        if isinstance(exc, RejectedResponse):
            return True
        for condition in self._of_exception:
            if isinstance(condition, type):
                applies = isinstance(exc, condition)
            else:
                applies = await outcome(condition(exc))  # type: ignore[arg-type]
            if applies:
                return True
        return False

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for model in self.models:
                await stack.enter_async_context(model)
            stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        async with AsyncExitStack() as stack:
            for model in self.models:
                stack.push_async_exit(model)


def _takes_response(condition: Condition) -> bool:
    if isinstance(condition, type):
        return False
    parameters = list(inspect.signature(condition, eval_str=False).parameters.values())
    annotation = parameters[0].annotation if parameters else None
    return annotation is ModelResponse or str(annotation).endswith("ModelResponse")
