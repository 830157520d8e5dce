"""What a model is: the request that it is asked, and its answer to both kinds of requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import attrs

from .._annotations import wrong_field
from .._core.json_schema import checked_name, fits_as_name
from ..builtin_tools import SUPPORTED_BUILTIN_TOOLS, AbstractBuiltinTool
from ..exceptions import UserError, shown
from ..messages import ModelMessage, ModelResponse
from ..profiles import DEFAULT_PROFILE, ModelProfile, ModelProfileSpec
from ..settings import ModelSettings, RetryHook, checked_settings, merge_model_settings
from ..streaming import StreamedResponse
from ..tools import (
    DEFAULT_OUTPUT_TOOL_NAME,
    ModelRequestParameters,
    ToolDefinition,
)
from ..usage import RequestUsage
from .known import types_of
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

    def telling(self, on_retry: Callable[[Retry], object]) -> ModelCall:
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
        offered, profile = model_request_parameters, self.profile
        output = offered.output_object
        has_schemas = offered.function_tools or offered.output_tools or output is not None
        if profile.json_schema_transformer is None or not has_schemas:
            return offered
        if output is not None:
            schema, strict = _transformed(
                output.json_schema, output.strict, profile, output.name, "output"
            )
            output = attrs.evolve(output, json_schema=schema, strict=strict)
        return attrs.evolve(
            offered,
            function_tools=tuple(
                _transformed_tool(tool, profile) for tool in offered.function_tools
            ),
            output_tools=tuple(_transformed_tool(tool, profile) for tool in offered.output_tools),
            output_object=output,
        )

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
        if not isinstance(model_request_parameters, ModelRequestParameters):
            raise UserError(
                "`model_request_parameters` is a ModelRequestParameters, such as "
                "ModelRequestParameters(function_tools=[...]); got "
                f"{shown(model_request_parameters)}"
            )
        wrong = wrong_field(model_request_parameters)
        if wrong is not None:
            raise UserError(f"The parameters of the request have a wrong field: {wrong}")
        offered = self.customize_request_parameters(model_request_parameters)
        return settings, _fitted(offered, self.profile, self.supported_builtin_tools())

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


def _fitted(
    offered: ModelRequestParameters,
    profile: ModelProfile,
    builtin_tools: frozenset[type[AbstractBuiltinTool]],
) -> ModelRequestParameters:
    """Return parameters that `profile` can take, the output mode decided."""
    tools = {tool.unique_id: tool for tool in offered.builtin_tools}
    output = offered.output_object
    mode = offered.output_mode
    if mode == "auto" or (mode == "text" and output is not None):
        mode = _best_mode(offered, profile)
        offered = attrs.evolve(offered, allow_text_output=mode in ("native", "prompted"))
    if mode == "tool" and not offered.output_tools and output is not None:
        tool = ToolDefinition(
            name=DEFAULT_OUTPUT_TOOL_NAME,
            parameters_json_schema=output.json_schema,
            description=output.description,
            strict=output.strict,
            kind="output",
        )
        offered = attrs.evolve(offered, output_tools=[tool], allow_text_output=False)
    in_instructions = mode == "prompted" or (
        mode == "native" and profile.native_output_requires_schema_in_instructions
    )
    template = None
    if in_instructions and output is not None:
        template = offered.prompted_output_template or profile.prompted_output_template
    fields: dict[str, Any] = {
        "builtin_tools": tuple(tools.values()),
        "output_mode": mode,
        "output_tools": offered.output_tools if mode == "tool" else (),
        "output_object": output if mode in ("native", "prompted") else None,
        "prompted_output_template": template,
    }
    differs = any(getattr(offered, name) != value for name, value in fields.items())
    fitted = attrs.evolve(offered, **fields) if differs else offered
    _check_support(fitted, profile, builtin_tools & profile.supported_builtin_tools)
    return fitted


def _best_mode(
    offered: ModelRequestParameters, profile: ModelProfile
) -> Literal["tool", "native", "prompted"]:
    """Return the mode for 'auto', and where there is a schema of the answer without a mode.

    The first is what the profile says, the second what holds an answer to its schema best.
    """
    if offered.output_object is None:
        return "tool"  # the output tools are all there is
    if offered.output_mode == "auto":
        return profile.default_structured_output_mode
    beside_tools = profile.supports_native_output_with_tools or not offered.function_tools
    if profile.supports_json_schema_output and beside_tools:
        return "native"
    return "tool" if profile.supports_tools else "prompted"


def _check_support(
    offered: ModelRequestParameters,
    profile: ModelProfile,
    builtin_tools: frozenset[type[AbstractBuiltinTool]],
) -> None:
    """Refuse what the model cannot do.

    Raises:
        UserError: It is asked for something of that kind.
    """
    if offered.output_mode == "native" and not profile.supports_json_schema_output:
        raise UserError("Native structured output is not supported by this model.")
    if offered.output_mode == "tool" and not profile.supports_tools:
        raise UserError("Tool output is not supported by this model.")
    if offered.function_tools and not profile.supports_tools:
        raise UserError("Function tools are not supported by this model.")
    if offered.allow_image_output and not profile.supports_image_output:
        raise UserError("Image output is not supported by this model.")
    for name in offered.tool_defs:
        checked_name(name, profile.tool_name_pattern)
    refused = {type(tool) for tool in offered.builtin_tools} - builtin_tools
    if refused:
        raise UserError(
            f"Builtin tool(s) {_names(refused)} not supported by this model. "
            f"Supported: {_names(builtin_tools)}"
        )


def _names(classes: Iterable[type]) -> list[str]:
    return sorted(each.__name__ for each in classes)


def _transformed_tool(tool: ToolDefinition, profile: ModelProfile) -> ToolDefinition:
    what = f"tool {tool.name!r}"
    schema, strict = _transformed(
        tool.parameters_json_schema, tool.strict, profile, tool.name, what
    )
    return attrs.evolve(tool, parameters_json_schema=schema, strict=strict)


def _transformed(
    schema: dict[str, Any],
    strict: bool | None,
    profile: ModelProfile,
    name: str | None,
    what: str,
) -> tuple[dict[str, Any], bool]:
    """Return a JSON schema as the model takes it, and whether it is strict.

    Raises:
        UserError: It cannot be read.
    """
    assert profile.json_schema_transformer is not None
    try:
        fitted, can_be_strict = profile.json_schema_transformer(schema, strict)
    except UserError:
        raise
    except Exception as exc:
        raise UserError(f"The JSON schema of the {what} cannot be read: {exc!r}") from exc
    return fitted, can_be_strict and fits_as_name(name) if strict is None else strict
