"""What the `tool_choice` setting means for one request, the same for all dialects."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from attrs import frozen

from ..exceptions import UserError
from ..settings import ModelSettings
from ..tools import ModelRequestParameters

__all__ = ("Choice", "choice_of")


@frozen
class Choice:
    """Which tools the model may call.

    Attributes:
        mode: 'none', no tool; 'auto', as it likes; 'required', at least one.
        names: The only tools that it may call, in the order in which they are offered;
            None for all of them.
    """

    mode: Literal["none", "auto", "required"]
    names: tuple[str, ...] | None = None

    @property
    def demanded(self) -> str | None:
        """The one tool that must be called, None where the model chooses."""
        one = self.mode == "required" and self.names is not None and len(self.names) == 1
        return self.names[0] if one and self.names else None


def choice_of(
    settings: ModelSettings, parameters: ModelRequestParameters, cannot_force: str = ""
) -> Choice:
    """Return the choice that settings and parameters make together.

    The setting is about function tools: an output tool can always be called, since its
    call is the answer. A list of names demands one of them.

    Args:
        settings: The settings.
        parameters: What the request offers.
        cannot_force: Why this model cannot be forced to call a tool; '' if it can. An answer
            that must be a call of an output tool is then left to the model.

    Raises:
        UserError: The setting names no tool that is offered, demands one where none is, or
            demands one of a model that cannot be forced.
    """
    wanted = settings.get("tool_choice")
    free = parameters.allow_text_output or parameters.allow_image_output
    if wanted in (None, "auto"):
        return Choice("auto" if free or cannot_force else "required")
    if wanted == "none" or not wanted:
        # Only output tools may be called.
        free = free or bool(cannot_force)
        names = tuple(tool.name for tool in parameters.output_tools)
        if not names:
            return Choice("none")
        is_limited = free or bool(parameters.function_tools)
        return Choice("auto" if free else "required", names if is_limited else None)
    if cannot_force:
        raise UserError(f"`tool_choice={wanted!r}` is not possible: {cannot_force}.")
    if wanted != "required":
        return _named(wanted, parameters)
    if not parameters.function_tools:
        raise UserError("`tool_choice` is 'required', but no function tools are offered.")
    return Choice("required")


def _named(wanted: Collection[str] | str, parameters: ModelRequestParameters) -> Choice:
    offered = tuple(parameters.tool_defs)
    chosen = tuple(name for name in offered if name in wanted)
    if not chosen:
        raise UserError(f"`tool_choice` names {wanted}, but the tools are {list(offered)}.")
    return Choice("required", None if chosen == offered else chosen)
