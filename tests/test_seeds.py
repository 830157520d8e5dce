"""The four examples that the project was asked for with, and what they must print."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from direct_anyio import (
    FunctionModel,
    ModelRequest,
    ModelResponse,
    RequestUsage,
    TextPart,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)

CAPITAL = [ModelRequest.user_text_prompt("What is the capital of France?")]
EINSTEIN = [ModelRequest.user_text_prompt("Who was Albert Einstein?")]

RESPONSE = (
    "ModelResponse(parts=[TextPart(content='The capital of France is Paris.')], "
    "usage=RequestUsage(input_tokens=56, output_tokens=7), "
    "model_name='claude-haiku-4-5', timestamp=datetime.datetime(...))"
)
CHUNKS = (
    "[PartStartEvent(index=0, part=TextPart(content='Albert Einstein was ')), "
    "FinalResultEvent(tool_name=None, tool_call_id=None), "
    "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='a German-born theoretical ')), "
    "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='physicist.')), "
    "PartEndEvent(index=0, part=TextPart("
    "content='Albert Einstein was a German-born theoretical physicist.'))]"
)


async def _answer(messages: Any, info: Any) -> ModelResponse:
    usage = RequestUsage(input_tokens=56, output_tokens=7)
    return ModelResponse([TextPart("The capital of France is Paris.")], usage=usage)


async def _words(messages: Any, info: Any) -> AsyncIterator[Any]:
    for words in ("Albert Einstein was ", "a German-born theoretical ", "physicist."):
        yield words


SCRIPTED = FunctionModel(_answer, stream_function=_words, model_name="claude-haiku-4-5")


def _printed(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed, with the time of day left out."""
    return re.sub(r"datetime\.datetime\([^)]*\)", "datetime.datetime(...)", capsys.readouterr().out)


async def test_model_request(capsys: pytest.CaptureFixture[str]) -> None:
    """The first example prints the response."""
    model_response = await model_request(SCRIPTED, CAPITAL)
    print(model_response)
    assert _printed(capsys) == f"{RESPONSE}\n"


def test_model_request_sync(capsys: pytest.CaptureFixture[str]) -> None:
    """The second example prints the same from blocking code."""
    model_response = model_request_sync(SCRIPTED, CAPITAL)
    print(model_response)
    assert _printed(capsys) == f"{RESPONSE}\n"


async def test_model_request_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """The third example prints all events."""
    async with model_request_stream(SCRIPTED, EINSTEIN) as stream:
        chunks = []
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401
        print(chunks)
    assert capsys.readouterr().out == f"{CHUNKS}\n"


def test_model_request_stream_sync(capsys: pytest.CaptureFixture[str]) -> None:
    """The fourth example prints the same events from blocking code."""
    with model_request_stream_sync(SCRIPTED, EINSTEIN) as stream:
        chunks = []
        for chunk in stream:
            chunks.append(chunk)  # noqa: PERF402
        print(chunks)
    assert capsys.readouterr().out == f"{CHUNKS}\n"
