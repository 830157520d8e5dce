"""Which instructions count, of all that a history holds."""

from __future__ import annotations

from collections.abc import Sequence

from ..messages import ModelMessage, ModelRequest
from ..parts import RetryPromptPart, ToolReturnPart
from ..tools import ModelRequestParameters

__all__ = ("instructions_of",)


def instructions_of(
    messages: Sequence[ModelMessage], parameters: ModelRequestParameters
) -> str | None:
    """Return the instructions for the next response.

    They are those of the last request; of the one before it where the last only
    answers tool calls and has none. What tells a prompted output's schema follows.
    """
    told = (_of_last_request(messages), parameters.prompted_output_instructions)
    return "\n\n".join(text for text in told if text) or None


def _of_last_request(messages: Sequence[ModelMessage]) -> str | None:
    requests = [message for message in messages if isinstance(message, ModelRequest)][-2:]
    if not requests:
        return None
    last = requests[-1]
    answers = all(isinstance(part, (ToolReturnPart, RetryPromptPart)) for part in last.parts)
    if last.instructions is None and answers and len(requests) == 2:
        return requests[0].instructions
    return last.instructions
