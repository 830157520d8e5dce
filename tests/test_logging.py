"""What the logger `direct_anyio` is told: requests at DEBUG, retries at INFO, and no secrets."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from direct_anyio import (
    ModelAPIError,
    ModelRequest,
    StreamInterrupted,
    infer_model,
    model_request,
    model_request_stream,
)

from .callers import CALLERS, Caller
from .serving import Connection, abort, answering, delta, reply, serving

KEY = "sk-a-secret-key-0123456789"
PROMPT = "a secret prompt"
MESSAGES = [ModelRequest.user_text_prompt(PROMPT)]


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "direct_anyio")


def _logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    ours = [each for each in caplog.records if each.name == "direct_anyio"]
    lines = [(each.levelname, re.sub(r"\d+\.\d+ s", "T s", each.getMessage())) for each in ours]
    assert not any(secret in line for _, line in lines for secret in (KEY, PROMPT))
    return lines


async def test_a_request_is_one_line(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """It names the model, and how the request ended."""
    with serving(answering("a")) as server:
        await caller(infer_model("openai:x", api_key=KEY, base_url=server.url), MESSAGES)
    ((level, line),) = _logged(caplog)
    assert level == "DEBUG"
    assert line.startswith(
        "HTTPModel('openai:x'): T s, attempts 1, complete, finish reason stop, "
        "RequestUsage(input_tokens=3, output_tokens="
    )


async def test_retries_and_a_failure(
    caller: Caller, caplog: pytest.LogCaptureFixture, no_backoff: None
) -> None:
    """Each retry is a line, with what the attempt failed of, and so is the end."""
    echo = reply({"error": {"message": f"Bad key {KEY}, and a line\nmore"}}, "503 Busy")
    with serving(echo) as server:
        model = infer_model("openai:x", api_key=KEY, base_url=server.url)
        with pytest.raises(ModelAPIError):
            await caller(model, MESSAGES, model_settings={"max_retries": 1})
    again, end = _logged(caplog)
    start = "HTTPModel('openai:x'): attempt 1 failed, and the next follows in T s: Model"
    assert (again[0], again[1].startswith(start)) == ("INFO", True)
    assert end[0] == "DEBUG"
    assert end[1].startswith("HTTPModel('openai:x'): T s, attempts 2, no answer, Model")
    assert "Bad key" in end[1]


async def test_streams_that_are_left_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that its reader leaves is told from one that broke."""

    def cut(connection: Connection) -> None:
        connection.stream(delta(content="a"), end=False)
        abort(connection.socket)

    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key=KEY, base_url=server.url)
        async with model_request_stream(model, MESSAGES) as stream:
            await anext(stream)
    with serving(cut) as server:
        model = infer_model("openai:x", api_key=KEY, base_url=server.url)
        with pytest.raises(StreamInterrupted):
            async with model_request_stream(model, MESSAGES) as stream:
                await stream.drain()
    left, broken = _logged(caplog)
    assert ", attempts 1, interrupted, finish reason None" in left[1]
    assert ", attempts 1, no answer, StreamInterrupted: " in broken[1]


async def test_nothing_is_said_unasked(caplog: pytest.LogCaptureFixture) -> None:
    """Without a level of its own the logger says nothing of a request that went well."""
    caplog.set_level(logging.INFO, "direct_anyio")
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key=KEY, base_url=server.url)
        await model_request(model, MESSAGES)
    assert not caplog.records
