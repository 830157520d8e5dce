"""Stored histories: round trips, what other versions wrote, and input that is none."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from direct_anyio import _json
from direct_anyio._json import MAX_DEPTH
from direct_anyio._values import Values
from direct_anyio.exceptions import UserError
from direct_anyio.history import ModelMessagesTypeAdapter, dump_messages, load_messages
from direct_anyio.messages import (
    BinaryContent,
    BinaryImage,
    CachePoint,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    OpaquePart,
    RetryPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    now,
)
from direct_anyio.usage import RequestUsage

from .strategies import histories, json_values

GOLDEN = Path(__file__).parent / "golden"
WHEN = datetime(2026, 1, 22, 12, tzinfo=UTC)
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(params=["orjson", "standard library"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two JSON libraries."""
    if request.param != "orjson":
        monkeypatch.setattr(_json, "_fast", None)
    elif _json._fast is None:
        pytest.skip("orjson is not installed")
    return str(request.param)


def returned(content: Any, **fields: Any) -> list[ModelMessage]:
    """A history with one tool return."""
    part = ToolReturnPart("t", content, "1", timestamp=WHEN, **fields)
    return [ModelRequest([part])]


def reloaded(content: Any) -> Any:
    """What a tool's result is after a round trip."""
    (message,) = load_messages(dump_messages(returned(content)))
    part = message.parts[0]
    assert isinstance(part, ToolReturnPart)
    return part.content


def stored(message: ModelMessage) -> Any:
    """One message as JSON holds it."""
    return json.loads(dump_messages([message]))[0]


# -- round trips ----------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(histories)
def test_round_trip(messages: list[ModelMessage]) -> None:
    """Any history is read back as it was written, and is written the same again."""
    data = dump_messages(messages)
    again = load_messages(data)
    assert again == messages
    assert dump_messages(again) == data


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(histories)
def test_both_json_libraries_agree(messages: list[ModelMessage]) -> None:
    """Without orjson a history means the same, and either reads what the other wrote."""
    fast = dump_messages(messages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json, "_fast", None)
        slow = dump_messages(messages)
        assert json.loads(slow) == json.loads(fast)
        assert load_messages(fast) == messages
    assert load_messages(slow) == messages


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(histories)
def test_adapter_round_trips(messages: list[ModelMessage]) -> None:
    """The adapter's four methods undo one another, and take messages as they are."""
    adapter = ModelMessagesTypeAdapter
    assert adapter.validate_json(adapter.dump_json(messages, indent=2)) == messages
    assert adapter.validate_python(adapter.dump_python(messages)) == messages
    assert adapter.validate_python(adapter.dump_python(messages, mode="json")) == messages
    assert adapter.validate_python(tuple(messages)) == messages


def test_the_adapter_leaves_bytes_and_times() -> None:
    """In Python mode bytes and times stay what they are; in JSON mode they are text."""
    part = FilePart(BinaryContent(b"\xff", media_type="image/png"))
    message = ModelResponse([part], timestamp=WHEN)
    (python,) = ModelMessagesTypeAdapter.dump_python([message])
    (plain,) = ModelMessagesTypeAdapter.dump_python([message], mode="json")
    assert (python["timestamp"], python["parts"][0]["content"]["data"]) == (WHEN, b"\xff")
    assert (plain["timestamp"], plain["parts"][0]["content"]["data"]) == (
        "2026-01-22T12:00:00Z",
        "_w==",
    )


def test_the_json_of_a_request() -> None:
    """All fields are written, nulls too, with what pydantic-ai computes of a file."""
    url = ImageUrl("https://example.com/cat.png")
    file = BinaryContent(b"\x89PNG\xff\xfe", media_type="image/png")
    prompt = UserPromptPart(["Describe:", url, file, CachePoint()], timestamp=WHEN)
    assert stored(ModelRequest([prompt])) == {
        "parts": [
            {
                "content": [
                    "Describe:",
                    {
                        "url": "https://example.com/cat.png",
                        "force_download": False,
                        "vendor_metadata": None,
                        "kind": "image-url",
                        "media_type": "image/png",
                        "identifier": "750ff4",
                    },
                    {
                        "data": "iVBOR__-",
                        "media_type": "image/png",
                        "vendor_metadata": None,
                        "kind": "binary",
                        "identifier": file.identifier,
                    },
                    {"kind": "cache-point", "ttl": "5m"},
                ],
                "timestamp": "2026-01-22T12:00:00Z",
                "part_kind": "user-prompt",
            }
        ],
        "timestamp": None,
        "instructions": None,
        "kind": "request",
        "run_id": None,
        "metadata": None,
    }


def test_indented() -> None:
    """`indent` spreads the JSON over lines and changes nothing else."""
    messages = returned([1, {"a": b"\xff"}])
    data = dump_messages(messages, indent=2)
    assert b'\n  {\n    "parts"' in data
    assert json.loads(data) == json.loads(dump_messages(messages))


# -- other versions --------------------------------------------------------------------------------


def meaning(value: Any) -> Any:
    """A stored value with standard base64 and present keys."""
    old = {"_media_type": "media_type", "_identifier": "identifier"}
    if isinstance(value, list):
        return [meaning(item) for item in value]
    if isinstance(value, dict):
        return {old.get(key, key): meaning(item) for key, item in value.items()}
    return value


def differences(theirs: Any, ours: Any, place: str = "") -> Iterator[str]:
    """What of theirs is not in ours; a null may have become a default."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key, value in theirs.items():
            if key in ours:
                yield from differences(value, ours[key], f"{place}.{key}")
            else:
                yield f"-{place}.{key}"
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for at, (their, our) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(their, our, f"{place}[{at}]")
    elif theirs != ours and theirs is not None:
        yield f"{place}: {theirs!r}, {ours!r}"


# Keys of version 2 that say nothing of a message's content, or that this library has no word for.
LATER = {
    *("canonical_system", "citations", "content_file_digests", "context_id", "conversation_id"),
    *("failed_attempts", "history_digest", "metadata", "model_id", "provider_name", "retry"),
    *("scope", "state", "tool_kind", "workspace_ref"),
    *("audio_seconds", "cache_write_1h_tokens", "cost", "output_reasoning_tokens"),
}


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_golden(name: str, reader: str) -> None:
    """What pydantic-ai stored is read, and written back with nothing lost that has a word here."""
    theirs = meaning(json.loads((GOLDEN / f"{name}.json").read_bytes()))
    messages = load_messages((GOLDEN / f"{name}.json").read_bytes())
    ours = meaning(json.loads(dump_messages(messages)))
    found = [d for d in differences(theirs, ours) if d.rpartition(".")[2] not in LATER]
    renamed = ".parts[5].part_kind: 'retry-feedback', 'retry-prompt'"
    assert found == ([] if name == "v1" else [f"[2]{renamed}"])
    assert load_messages(dump_messages(messages)) == messages


def test_golden_is_understood() -> None:
    """The stored words come back as words: files in results, tuples in errors, opaque parts."""
    asked, _, answered, compacted = load_messages((GOLDEN / "v2.json").read_bytes())
    prompt, result = asked.parts[1], answered.parts[1]
    assert isinstance(prompt, UserPromptPart)
    assert isinstance(result, ToolReturnPart)
    content: Any = prompt.content
    *_, text, upload, structured = content
    assert text == TextContent("Noted.", metadata={"source": "notes.txt"})
    assert upload == UploadedFile(file_id="file-1", provider_name="openai")
    assert isinstance(structured, OpaquePart)
    assert structured.data["value"] == {"page": 3}
    assert result.content["links"] == [ImageUrl("https://example.com/cat.png")]
    assert isinstance(result.content["picture"], BinaryContent)
    errors = answered.parts[3]
    assert isinstance(errors, RetryPromptPart)
    assert not isinstance(errors.content, str)
    assert errors.content[0]["loc"] == ("q", 0)
    feedback = answered.parts[5]
    assert isinstance(feedback, RetryPromptPart)
    assert (feedback.content, feedback.tool_name) == ("Say more.", None)
    assert [part.part_kind for part in compacted.parts] == ["compaction"]


def test_old_keys() -> None:
    """The keys of earlier versions are read as the present ones."""
    response = {
        "kind": "response",
        "parts": [{"part_kind": "text", "content": "a"}],
        "vendor_details": {"a": 1},
        "vendor_id": "r1",
        "usage": {"requests": 1, "request_tokens": 5, "response_tokens": 2, "details": None},
        "timestamp": "2026-01-22T12:00:00Z",
    }
    assert load_messages(json.dumps([response])) == [
        ModelResponse(
            [TextPart("a")],
            provider_details={"a": 1},
            provider_response_id="r1",
            usage=RequestUsage(input_tokens=5, output_tokens=2),
            timestamp=WHEN,
        )
    ]


def test_null_counts() -> None:
    """A count that an old history holds as null is 0, a detail too."""
    usage = {"request_tokens": None, "output_tokens": None, "details": {"a": None, "b": 2}}
    (message,) = load_messages(response(usage=usage))
    assert isinstance(message, ModelResponse)
    assert message.usage == RequestUsage(details={"a": 0, "b": 2})


def test_missing_and_unknown_keys() -> None:
    """A missing key takes its default, an unknown one is ignored."""
    (message,) = load_messages('[{"kind": "response", "parts": [], "usage": null, "new": [1]}]')
    assert message == ModelResponse([], timestamp=message.timestamp or now())
    (message,) = load_messages(
        '[{"kind": "response", "parts": [{"part_kind": "text", "content": null}]}]'
    )
    assert message.parts == (TextPart(""),)


def test_unknown_kinds_travel() -> None:
    """A part or a piece of content of an unknown kind is written back unchanged."""
    speech = {"part_kind": "speech", "data": "AA", "$direct_anyio": "bytes", "n": [2**70, 0.5]}
    piece = {"kind": "hologram", "url": "x", "part": {"kind": "binary", "data": "AA"}}
    prompt = {
        "part_kind": "user-prompt",
        "content": ["a", piece],
        "timestamp": "2026-01-22T12:00:00Z",
    }
    request = {"kind": "request", "parts": [prompt, speech]}
    response = {"kind": "response", "parts": [speech]}
    ours = json.loads(dump_messages(load_messages(json.dumps([request, response]))))
    assert ours[0]["parts"] == [prompt, speech]
    assert ours[1]["parts"] == [speech]


@pytest.mark.parametrize("data", ["_-8=", "_-8", "/+8=", "/+8"])
def test_base64(data: str) -> None:
    """Bytes are read from URL-safe and standard base64, padded or not."""
    part = {"part_kind": "file", "content": {"data": data, "media_type": "x"}}
    (message,) = load_messages(json.dumps([{"kind": "response", "parts": [part]}]))
    assert message.parts == (FilePart(BinaryContent(b"\xff\xef", media_type="x")),)


# -- Any ------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    raw: bytes


@attrs.frozen
class Line:
    start: Point


class Dumped:
    def model_dump(self, mode: str) -> dict[str, str]:
        return {"mode": mode}


CONVERTED: dict[str, tuple[Any, Any]] = {
    "tuples": ((1, (2,)), [1, [2]]),
    "sets": (frozenset({1}), [1]),
    "times": ({"at": WHEN}, {"at": "2026-01-22T12:00:00Z"}),
    "dates": (date(2026, 1, 22), "2026-01-22"),
    "enums": ([Colour.RED], ["red"]),
    "decimals": (Decimal("1.50"), "1.50"),
    "dataclasses": (Point(1, b"\xff"), {"x": 1, "raw": b"\xff"}),
    "records": (Line(Point(1, b"")), {"start": {"x": 1, "raw": b""}}),
    "models": ([Dumped()], [{"mode": "json"}]),
    "errors": (ValueError("no"), "no"),
    "number keys": ({1: "a"}, {"1": "a"}),
    "bytearrays": (bytearray(b"\xff"), b"\xff"),
    "parts": (
        TextPart("a"),
        {"content": "a", "id": None, "provider_details": None, "part_kind": "text"},
    ),
}


@pytest.mark.parametrize(("value", "expected"), CONVERTED.values(), ids=CONVERTED)
def test_converted(value: Any, expected: Any, reader: str) -> None:
    """What has no JSON form of its own is written as its nearest one, and stays that."""
    assert reloaded(value) == expected
    assert reloaded(expected) == expected


def test_both_classes_of_images_survive() -> None:
    """`BinaryImage` and `BinaryContent` share one stored form, and come back as they were."""
    files = [kind(b"x", media_type="image/png") for kind in (BinaryContent, BinaryImage)]
    assert [type(file) for file in reloaded(files)] == [BinaryContent, BinaryImage]


def test_nan(reader: str) -> None:
    """NaN and the infinities are written as strict JSON and come back."""
    values = [math.nan, math.inf, -math.inf]
    data = dump_messages(returned(values))
    assert b"NaN" not in data
    assert list(map(repr, reloaded(values))) == ["nan", "inf", "-inf"]


def test_lone_surrogates(reader: str) -> None:
    """A lone surrogate is written as its escape, in UTF-8 and among other text, and comes back."""
    text = "é\ud800x"
    data = dump_messages(returned({text: text}))
    assert "é\\ud800x".encode() in data
    assert reloaded({text: text}) == {text: text}
    assert load_messages(json.dumps(json.loads(data), ensure_ascii=False)) == load_messages(data)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, 18446744073709551616, 0.1, 1e300])
def test_numbers(number: float, reader: str) -> None:
    """Numbers of any size keep their value and their type."""
    assert repr(reloaded([number])) == repr([number])


def test_odd_offsets(reader: str) -> None:
    """An offset of seconds, which not all can write, becomes UTC; others stay."""
    amsterdam = timezone(timedelta(minutes=19, seconds=32))
    india = timezone(timedelta(hours=5, minutes=30))
    for zone, text in ((amsterdam, "11:40:28Z"), (india, "12:00:00+05:30")):
        message = ModelRequest([], timestamp=datetime(2026, 1, 22, 12, tzinfo=zone))
        assert stored(message)["timestamp"] == f"2026-01-22T{text}"
        assert load_messages(dump_messages([message])) == [message]


# -- what is refused ------------------------------------------------------------------------------


def part(kind: str, **fields: Any) -> str:
    """A stored request whose second part is this."""
    first = {"part_kind": "system-prompt", "content": ""}
    return json.dumps([{"kind": "request", "parts": [first, {"part_kind": kind, **fields}]}])


def response(**fields: Any) -> str:
    """A stored response."""
    return json.dumps([{"kind": "response", "parts": [], **fields}])


IMAGE = {"kind": "image-url", "url": "x"}
DEEP: Any = "x"
for _ in range(MAX_DEPTH + 1):
    DEEP = [DEEP]
REFUSED: dict[str, tuple[bytes | str, str]] = {
    "nothing": ("", "messages: not JSON: Expecting value: line 1 column 1 (char 0)"),
    "nothing at all": (cast(Any, None), "messages: not JSON: JSON is text or bytes, not NoneType"),
    "half": ('[{"kind":', "messages: not JSON: Expecting value: line 1 column 10 (char 9)"),
    "no UTF-8": (b'["\xff"]', "messages: not JSON: 'utf-8' codec can't decode byte 0xff"),
    "NaN": ("[NaN]", "messages: not JSON: NaN is not JSON"),
    "an object": ("{}", "messages: must be a list, not an object"),
    "a number": ("[1]", "messages[0]: must be an object, not a number"),
    "no kind": ("[{}]", "messages[0].kind: is missing"),
    "a kind of message": ('[{"kind": "x"}]', "messages[0].kind: must be 'request' or 'response'"),
    "a kind of another type": ('[{"kind": []}]', "messages[0].kind: must be text, not a list"),
    "no parts": ('[{"kind": "request"}]', "messages[0].parts: is missing"),
    "parts": (response(parts=1), "messages[0].parts: must be a list, not a number"),
    "content": (part("system-prompt", content=5), "messages[0].parts[1].content: must be text"),
    "no content": (part("user-prompt"), "messages[0].parts[1].content: is missing"),
    "a piece": (
        part("user-prompt", content=["a", None]),
        "messages[0].parts[1].content[1]: must be an object, not null",
    ),
    "a field of a piece": (
        part("user-prompt", content=[IMAGE, {**IMAGE, "vendor_metadata": []}]),
        "messages[0].parts[1].content[1].vendor_metadata: must be an object or null, not a list",
    ),
    "a time": (
        part("system-prompt", content="", timestamp="today"),
        "messages[0].parts[1].timestamp: must be a time in ISO 8601: Invalid isoformat string",
    ),
    "a choice": (response(finish_reason="x"), "messages[0].finish_reason: must be one of 'stop'"),
    "an unhashable choice": (response(state=[]), "messages[0].state: must be one of 'complete'"),
    "a count": (
        response(usage={"input_tokens": "5"}),
        "messages[0].usage.input_tokens: must be a whole number, not text",
    ),
    "a detail": (
        response(usage={"details": {"a": 0.5}}),
        "messages[0].usage.details.a: must be a whole number, not a number",
    ),
    "base64": (
        response(parts=[{"part_kind": "file", "content": {"data": "a", "media_type": "x"}}]),
        "messages[0].parts[0].content.data: must be base64",
    ),
    "marked base64": (
        part("tool-return", tool_name="t", content={"a": [{"$direct_anyio": "bytes", "data": 1}]}),
        "messages[0].parts[1].content.a[0]: must be text, not a number",
    ),
    "depth in a result": (
        part("tool-return", tool_name="t", content=DEEP),
        f"messages[0].parts[1].content{'[0]' * MAX_DEPTH}: is nested more than {MAX_DEPTH} levels",
    ),
    "depth": ("[" * 100_000, "messages: nested too deeply"),
    "depth in an unknown part": (
        response(parts=[{"part_kind": "x", "a": DEEP}]),
        "messages[0].par",
    ),
    "digits": ("[" + "9" * 5000 + "]", "messages: not JSON: Exceeds the limit (4300 digits)"),
}


@pytest.mark.parametrize(("data", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes | str, expected: str, reader: str) -> None:
    """What is no history raises one `UserError` that names the place, and holds no other error."""
    with pytest.raises(UserError) as caught:
        load_messages(data)
    assert caught.value.message.startswith(expected)
    assert len(caught.value.message) < 1_000


def test_duplicate_keys(reader: str) -> None:
    """Of duplicate keys the last one counts."""
    assert load_messages('[{"kind": 1, "kind": "request", "parts": 1, "parts": []}]') == [
        ModelRequest([])
    ]


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(json_values)
def test_any_json(value: Any) -> None:
    """Any JSON is a history or raises `UserError`."""
    readable(json.dumps(value))


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(st.binary() | st.text())
def test_any_bytes(data: bytes | str) -> None:
    """Any bytes or text are a history or raise `UserError`."""
    readable(data)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(histories.filter(bool), st.data())
def test_any_change(messages: list[ModelMessage], data: st.DataObject) -> None:
    """A stored history with any one value replaced is a history or raises `UserError`."""
    tree = json.loads(dump_messages(messages))
    places = list(walk(tree))
    replace = data.draw(st.sampled_from(places))
    replace(data.draw(json_values))
    again = readable(json.dumps(tree))
    if again is not None:
        assert load_messages(dump_messages(again)) == again


def readable(data: bytes | str) -> list[ModelMessage] | None:
    """The messages, or None where they are refused."""
    try:
        return load_messages(data)
    except UserError:
        return None


def walk(tree: Any) -> Iterator[Callable[[Any], None]]:
    """A setter for every place in a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(inner):
        yield lambda new, key=key: tree.__setitem__(key, new)  # type: ignore[misc]
        if isinstance(value, (dict, list)):
            yield from walk(value)


def loop() -> list[Any]:
    """A list that holds itself."""
    values: list[Any] = []
    values.append(values)
    return values


UNWRITABLE: dict[str, tuple[Any, str]] = {
    "objects": (
        {"a": [object()]},
        "content.a[0]: must be a value that JSON can hold, not object",
    ),
    "classes": ([int], "content[0]: must be a value that JSON can hold, not type"),
    "keys": ({"a": {b"k": 1}}, "content.a[b'k']: is a key that JSON cannot hold"),
    "equal keys": ({1: 1, "1": 2}, "content[1]: is a key that JSON cannot hold"),
    "depth": (DEEP, f"content{'[0]' * MAX_DEPTH}: is nested more than {MAX_DEPTH} levels"),
    "loops": (loop(), "content[0][0][0]"),
    "nested records": (TextContent("", metadata={"a": object()}), "content.metadata.a: must be"),
}


@pytest.mark.parametrize(("value", "expected"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_unwritable(value: Any, expected: str, reader: str) -> None:
    """What JSON cannot hold raises `UserError` that names the place."""
    with pytest.raises(UserError) as caught:
        dump_messages(returned(value))
    assert caught.value.message.startswith(f"messages[0].parts[0].{expected}")


NO_MESSAGES: dict[str, tuple[Any, str]] = {
    "a message alone": (ModelRequest([]), "messages: must be a list, not ModelRequest"),
    "text": ([ModelRequest([]), "a"], "messages[1]: must be one of ModelRequest, ModelResponse"),
    "a part in the wrong message": (
        [ModelRequest([TextPart("a")])],  # type: ignore[list-item]
        "messages[0].parts[0]: must be one of RetryPromptPart",
    ),
    "bytes for text": (
        [ModelResponse([TextPart("a", id={1})])],  # type: ignore[arg-type]
        "messages[0].parts[0].id: must be a value that its field can hold, not set",
    ),
    "an opaque part that is no JSON": (
        [ModelResponse([OpaquePart({"a": math.nan})])],
        "messages[0].parts[0].a: must be a value that JSON can hold",
    ),
    "digits": (
        [ModelResponse([ToolCallPart("t", {"a": 10**5000})])],
        "messages: cannot be written as JSON: Exceeds the limit",
    ),
}


@pytest.mark.parametrize(("messages", "expected"), NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_no_messages(messages: Any, expected: str, reader: str) -> None:
    """What is no list of messages cannot be written, and the error says what it is."""
    with pytest.raises(UserError) as caught:
        dump_messages(messages)
    assert caught.value.message.startswith(expected)


def chain(levels: int, inner: Any, **fields: Any) -> Any:
    """A record in a record in a record."""
    for _ in range(levels):
        inner = {"kind": "image-url", "url": "x", **fields, "vendor_metadata": {"a": inner}}
    return inner


CHAINS: dict[str, Any] = {
    "records": chain(30, "x", media_type=None),
    "all keys": chain(30, "x", media_type=None, identifier=None, force_download=False),
    "no records": chain(30, "x", media_type=5),
    "a invalid at the end": chain(30, {"$direct_anyio": "bytes", "data": 1}, media_type=None),
    "no record at the end": chain(30, chain(1, "x", media_type=5), media_type=None),
}


@pytest.mark.parametrize("content", CHAINS.values(), ids=CHAINS)
def test_chains_are_read_in_linear_time(content: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records inside records, and what only looks like them, are read once or twice each."""
    calls = 0
    tree = Values.tree

    def counted(values: Values, value: Any, depth: int = 0) -> Any:
        nonlocal calls
        calls += 1
        return tree(values, value, depth)

    monkeypatch.setattr(Values, "tree", counted)
    readable(part("tool-return", tool_name="t", content=content))
    assert 30 <= calls < 100


def test_a_chain_is_written_in_linear_time() -> None:
    """What cannot be written is found at once, however deep inside records it is."""
    calls = 0

    class Counted:
        @property
        def model_dump(self) -> object:
            nonlocal calls
            calls += 1
            raise AttributeError

    content: Any = Counted()
    for _ in range(30):
        content = TextContent("", metadata=[content])
    with pytest.raises(UserError, match=r"content(\.metadata\[0\]){30}: must be a value"):
        dump_messages(returned(content))
    assert calls < 10
