"""Which instructions count, of all that a history holds, and where they are put."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, takewhile

from ..messages import ModelMessage, ModelRequest
from ..parts import SystemPromptPart
from ..tools import ModelRequestParameters

__all__ = ("instructions_of", "leading_system_prompts")


def instructions_of(
    messages: Sequence[ModelMessage], parameters: ModelRequestParameters
) -> str | None:
    """Return the instructions for the next response.

    They are those of the latest request that has any; blank ones
    count as none. The schema of a prompted output follows.
    """
    requests = (each for each in reversed(messages) if isinstance(each, ModelRequest))
    given = (each.instructions for each in requests)
    latest = next((text for text in given if text and not text.isspace()), None)
    texts = (latest, parameters.prompted_output_instructions)
    return "\n\n".join(text for text in texts if text) or None


def leading_system_prompts(messages: Iterable[ModelMessage]) -> int:
    """Return how many system prompts a history starts with; the instructions come behind them.

    Behind a later one they could stand between a call and its result.
    """
    parts = chain.from_iterable(message.parts for message in messages)
    return sum(1 for _ in takewhile(lambda part: isinstance(part, SystemPromptPart), parts))
