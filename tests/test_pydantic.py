"""Records as fields of pydantic's models, and as types that FastAPI takes and returns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, TypeAdapter, ValidationError

import direct_anyio
from direct_anyio._record import Record
from direct_anyio.history import dump_event, dump_messages, load_messages
from direct_anyio.messages import (
    BinaryContent,
    BinaryImage,
    FinalResultEvent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    OpaquePart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from direct_anyio.usage import RequestUsage

from .strategies import histories

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
HISTORY: TypeAdapter[list[ModelMessage]] = TypeAdapter(list[ModelMessage])
EVENT: TypeAdapter[ModelResponseStreamEvent] = TypeAdapter(ModelResponseStreamEvent)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
@given(histories)
def test_a_history_is_the_same_json(messages: list[ModelMessage]) -> None:
    """Pydantic writes and reads a history as the library does."""
    data = dump_messages(messages)
    if b"\\ud" not in data:  # pydantic writes no lone surrogates
        assert json.loads(HISTORY.dump_json(messages)) == json.loads(data)
        assert HISTORY.validate_json(HISTORY.dump_json(messages)) == messages
    assert HISTORY.validate_python(HISTORY.dump_python(messages)) == messages
    assert HISTORY.validate_python(messages) == messages


class Turn(BaseModel):
    messages: Sequence[ModelMessage] = ()
    asked: ModelRequestPart | None = None
    answered: ModelResponsePart | None = None
    content: UserContent = ""
    usage: RequestUsage = RequestUsage()


TURN = Turn(
    messages=[ModelRequest.user_text_prompt("é"), ModelResponse([TextPart("b")])],
    asked=RetryPromptPart("again", tool_name="t"),
    answered=OpaquePart({"part_kind": "speech", "x": 1}),
    content=BinaryImage(b"\xff", media_type="image/png"),
    usage=RequestUsage(input_tokens=5),
)


def test_a_model_has_records_as_fields() -> None:
    """A model with such fields is written, read and described, and takes records as they are."""
    assert Turn.model_validate_json(TURN.model_dump_json()) == TURN
    assert Turn.model_validate(TURN.model_dump()) == TURN
    assert Turn.model_validate(TURN.model_dump(mode="json")) == TURN
    assert TURN.messages[1].parts == (TextPart("b"),)
    properties = Turn.model_json_schema()["properties"]
    assert properties["usage"]["title"] == "RequestUsage"
    assert {"properties": {"part_kind": {"enum": ["text"]}}, "title": "TextPart"}.items() <= (
        properties["answered"]["anyOf"][0].items()
    )


def test_a_record_where_anything_may_stand() -> None:
    """A record is written alike in a field of type `Any`, also of a model that a tool returned."""

    class Answer(BaseModel):
        value: Any

    answer = Answer(value=[TextPart("a")])
    dumped = '{"value":[{"content":"a","id":null,"provider_details":null,"part_kind":"text"}]}'
    assert answer.model_dump_json() == dumped
    assert ToolReturnPart("t", answer).model_response_str() == dumped


def test_a_lone_surrogate_is_replaced() -> None:
    """What pydantic cannot write is U+FFFD, as a provider is told it."""
    assert json.loads(TypeAdapter(TextPart).dump_json(TextPart("\ud800")))["content"] == "\ufffd"


WRONG: dict[str, tuple[Any, str]] = {
    "a place": (
        {"messages": [{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": 5}]}]},
        r"ModelRequest\.parts\[0\]\.content: must be a list, not a number",
    ),
    "a kind": ({"messages": [{"kind": "x"}]}, r"ModelResponse\.kind: must be 'response'"),
    "a known kind": ({"answered": {"part_kind": "text", "content": 5}}, "must be of an unknown"),
    "a number": ({"usage": 5}, "RequestUsage: must be an object, not a number"),
}


@pytest.mark.parametrize(("value", "error_text"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit(value: Any, error_text: str) -> None:
    """What is no record is pydantic's own error, which names the place."""
    with pytest.raises(ValidationError, match=error_text):
        Turn.model_validate(value)
    with pytest.raises(ValidationError, match=error_text):
        Turn.model_validate_json(json.dumps(value))


RECORDS = [
    cls
    for name in direct_anyio.__all__
    if isinstance(cls := getattr(direct_anyio, name), type) and issubclass(cls, Record)
]


@pytest.mark.parametrize("cls", RECORDS)
def test_every_record_has_a_schema(cls: type) -> None:
    """No record keeps a model, or an application, from being described."""
    assert TypeAdapter(cls).json_schema()["type"] == "object"


def test_fastapi() -> None:
    """A path takes and returns messages, alone and in lists and models, and has its OpenAPI."""
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    app = fastapi.FastAPI()

    def ask(messages: list[ModelMessage]) -> ModelResponse:
        return ModelResponse([TextPart(str(len(messages)))])

    def part(prompt: UserPromptPart = fastapi.Body()) -> list[ModelMessage]:  # noqa: B008
        return [ModelRequest([prompt])]

    def turn(turn: Turn) -> Turn:
        return turn

    for handler in (ask, part, turn):
        app.post(f"/{handler.__name__}")(handler)

    with testclient.TestClient(app, headers={"content-type": "application/json"}) as client:
        data = dump_messages(TURN.messages)
        answer = client.post("/ask", content=data).json()
        assert load_messages(json.dumps([answer]))[0].parts == (TextPart("2"),)
        sent = json.loads(data)[0]["parts"][0]
        assert client.post("/part", json=sent).json()[0]["parts"] == [sent]
        assert client.post("/turn", content=TURN.model_dump_json()).json() == json.loads(
            TURN.model_dump_json()
        )
        assert client.post("/ask", json=[{"kind": "request"}]).status_code == 422
        assert client.get("/openapi.json").status_code == 200


EVENTS: list[tuple[ModelResponseStreamEvent, dict[str, Any]]] = [
    (
        PartStartEvent(index=0, part=ThinkingPart("é")),
        {
            "index": 0,
            "part": {
                "content": "é",
                "id": None,
                "signature": None,
                "provider_name": None,
                "provider_details": None,
                "part_kind": "thinking",
            },
            "previous_part_kind": None,
            "event_kind": "part_start",
        },
    ),
    (
        PartDeltaEvent(index=1, delta=TextPartDelta("a")),
        {
            "index": 1,
            "delta": {"content_delta": "a", "provider_details": None, "part_delta_kind": "text"},
            "event_kind": "part_delta",
        },
    ),
    (
        PartDeltaEvent(index=1, delta=ToolCallPartDelta(args_delta={"a": 1})),
        {
            "index": 1,
            "delta": {
                "tool_name_delta": None,
                "args_delta": {"a": 1},
                "tool_call_id": None,
                "provider_details": None,
                "part_delta_kind": "tool_call",
            },
            "event_kind": "part_delta",
        },
    ),
    (
        FinalResultEvent(tool_name="t", tool_call_id=None),
        {"tool_name": "t", "tool_call_id": None, "event_kind": "final_result"},
    ),
]


@pytest.mark.parametrize(("event", "document"), EVENTS)
def test_an_event_is_written(event: ModelResponseStreamEvent, document: dict[str, Any]) -> None:
    """The JSON of an event has pydantic-ai's names, and pydantic reads it back."""
    assert json.loads(dump_event(event)) == document
    assert EVENT.validate_json(dump_event(event)) == event
    assert json.loads(EVENT.dump_json(event)) == document


@pytest.mark.parametrize(
    "event",
    [
        PartEndEvent(index=0, part=ToolCallPart("t", {"a": b"\xff"}, "c")),
        PartDeltaEvent(index=0, delta=ThinkingPartDelta(signature_delta="s")),
        PartStartEvent(index=0, part=OpaquePart({"part_kind": "speech"})),
    ],
    ids=["call", "thought", "opaque"],
)
def test_an_event_comes_back(event: ModelResponseStreamEvent) -> None:
    """Whatever an event holds is read back as it was."""
    assert EVENT.validate_json(dump_event(event)) == event


def test_no_event_is_refused() -> None:
    """A message is no event, and the error says what is one."""
    message: Any = ModelRequest([])
    with pytest.raises(direct_anyio.UserError, match=r"^event\[0\]: must be one of FinalResult"):
        dump_event(message)


def test_both_classes_of_files_are_read() -> None:
    """A file is read as what it was written as."""
    adapter: TypeAdapter[Any] = TypeAdapter(list[UserContent])
    files = [ImageUrl("x"), BinaryImage(b"", media_type="image/png")]
    assert adapter.validate_json(adapter.dump_json(files)) == files
    file = BinaryContent(b"", media_type="audio/wav")
    assert pydantic.TypeAdapter(BinaryContent).validate_python(file) is file
