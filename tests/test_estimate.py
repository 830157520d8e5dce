"""Made-up token counts: those that tests of v1 know."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio._core.estimate import estimated_tokens, estimated_usage
from direct_anyio.messages import (
    BinaryContent,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

FILE = BinaryContent(b"12345", media_type="image/png")
CONTENTS: list[tuple[Any, int]] = [
    ("", 0),
    ("hi", 1),
    ("success (no tool calls)", 4),
    (' a, b."c": d ', 4),
    (["a b", FILE, TextContent("c d e"), ImageUrl("https://x.org/a.png")], 10),
]


@pytest.mark.parametrize(("content", "tokens"), CONTENTS, ids=range(len(CONTENTS)))
def test_records_and_bytes_are_counted(content: Any, tokens: int) -> None:
    """A token is a word of a text or a byte of a file."""
    assert estimated_tokens(content) == tokens


def test_a_conversation_is_counted_by_direction() -> None:
    """What is said to the model is read, with an overhead; what it says is written."""
    history: list[ModelMessage] = [
        ModelRequest(
            [SystemPromptPart("a b"), UserPromptPart("c"), ToolReturnPart("t", "d e", "1")]
        ),
        ModelResponse([TextPart("a"), ThinkingPart("b c"), ToolCallPart("t", {}), FilePart(FILE)]),
        ModelRequest([RetryPromptPart("x", tool_name="t")]),
    ]
    usage = estimated_usage(history)
    assert (usage.input_tokens, usage.output_tokens) == (50 + 5 + 8, 1 + 2 + 2 + 5)
    hello: list[ModelMessage] = [
        ModelRequest.user_text_prompt("hi"),
        ModelResponse([TextPart("success (no tool calls)")]),
    ]
    assert (estimated_usage(hello).input_tokens, estimated_usage(hello).output_tokens) == (51, 4)
