"""Request parameters as a model takes them: checked, fitted to its profile, schemas transformed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import attrs

from .._annotations import wrong_field
from .._core.json_schema import checked_name, fits_as_name
from ..builtin_tools import AbstractBuiltinTool
from ..exceptions import UserError, shown
from ..profiles import ModelProfile
from ..tools import DEFAULT_OUTPUT_TOOL_NAME, ModelRequestParameters, ToolDefinition

__all__ = ("check_parameters", "fitted_parameters", "with_transformed_schemas")


def check_parameters(parameters: ModelRequestParameters) -> None:
    """Check the types of all that is offered.

    Raises:
        UserError: A field is of a wrong type; the message names it.
    """
    if not isinstance(parameters, ModelRequestParameters):
        raise UserError(
            "`model_request_parameters` is a ModelRequestParameters, such as "
            "ModelRequestParameters(function_tools=[...]); got "
            f"{shown(parameters)}"
        )
    wrong = wrong_field(parameters)
    if wrong is not None:
        raise UserError(f"The parameters of the request have a wrong field: {wrong}")


def with_transformed_schemas(
    offered: ModelRequestParameters, profile: ModelProfile
) -> ModelRequestParameters:
    """Return parameters with their JSON schemas as a model of this profile takes them.

    Raises:
        UserError: A schema cannot be read.
    """
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
        function_tools=[_transformed_tool(tool, profile) for tool in offered.function_tools],
        output_tools=[_transformed_tool(tool, profile) for tool in offered.output_tools],
        output_object=output,
    )


def fitted_parameters(
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
